"""The order of indices: proved for all sizes, refuted where it is wrong, about Python's matrix."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from cinc_ref import convolution_matrix, theory
from cinc_ref.errors import OptionError, OutputError
from cinc_ref.geometry import CORNERS, flips
from cinc_ref.theory import proofs

z3 = pytest.importorskip("z3", reason='z3 is not installed: pip install ".[prove]" in the checkout')

ASSUMPTIONS = proofs.formulas()[0].smtlib.partition("\n; The negation.")[0]
NAMES = [formula.name for formula in proofs.formulas()]


def solver_of(text):
    solver = z3.Solver()
    solver.from_string(text)
    return solver


def corner_of(model):
    return next(name for name in CORNERS if flips(name) == (model["bottom"], model["right"]))


def entry_of_model(model):
    """The entry of M that a model is about, for a kernel of ones up to the anchor."""
    kernel = np.ones((model["C"], model["C"], model["kh"], model["kw"]), int)
    kernel[:, :, model["p"] + 1 :] = 0
    kernel[:, :, model["p"], model["q"] + 1 :] = 0
    matrix = convolution_matrix(
        kernel, (model["H"], model["W"]), corner=corner_of(model),
        dilation=model["dilation"], anchor=(model["p"], model["q"]),
    )  # fmt: skip
    shape = 2 * (model["H"], model["W"], model["C"])
    return matrix.reshape(shape)[
        tuple(model[name] for name in ("i", "j", "o", "i2", "j2", "c"))
    ]  # fmt: skip


def from_corner(model, pixel):
    """Row and column of a pixel as seen from the padded corner."""
    row, column = pixel
    row = model["H"] - 1 - row if model["bottom"] else row
    return row, model["W"] - 1 - column if model["right"] else column


def test_every_statement_is_proved_in_under_ten_seconds():
    result = theory.prove()
    print(result)
    assert [proof.verdict for proof in result.proofs] == len(NAMES) * ["proved"]
    assert result.hold
    assert sum(proof.seconds for proof in result.proofs) < 10


def test_the_assumptions_can_be_satisfied_in_more_than_one_way():
    """Unsatisfiable assumptions would prove anything."""
    for extra in (
        "(assert (and (< a p) (> b q) (> dilation 3) (> C 4) (> H 20) bottom (not right)))",
        "(assert (and (= a p) (= b q) (= H 1) (= W 1) (= C 1)))",
    ):
        assert str(solver_of(ASSUMPTIONS + extra).check()) == "sat"


@pytest.mark.parametrize(
    ("order", "refuted"),
    [
        ("column-major", {"no-later-pixel", "block-triangular", "substitution-order"}),
        ("channel-major", {"block-triangular"}),
    ],
)
def test_a_wrong_order_is_refuted_by_an_entry_of_the_matrix(order, refuted):
    """The model is printed, and it is about an entry of Python's matrix that is not 0."""
    result = theory.prove(order)
    wrong = {proof.formula.name: proof for proof in result.proofs if proof.verdict == "refuted"}
    assert set(wrong) == refuted and not result.hold
    for proof in wrong.values():
        assert "counterexample: H = 2, W = 2, C = " in str(result)
        model = proof.model
        assert entry_of_model(model) == 1
        row, column = from_corner(model, (model["i"], model["j"]))
        row2, column2 = from_corner(model, (model["i2"], model["j2"]))
        if order == "column-major":
            assert (column2, row2) > (column, row)
        else:
            assert model["c"] > model["o"] and (row2, column2) < (row, column)


@pytest.mark.parametrize(
    ("assumption", "weaker", "refuted"),
    [
        ("(>= dilation 1)", "(>= dilation 0)", "itself-through-the-anchor"),
        ("(>= dilation 1)", "(>= dilation 0)", "one-tap-an-entry"),
        ("(and (= a p) (<= b q))", "(= a p)", "no-later-pixel"),
        ("(or (< a p)", "(or (<= a p)", "block-triangular"),
        ("(<= 0 j2) (< j2 W) ", "(<= 0 j2) ", "substitution-order"),
        ("(< j W) ", "", "indices-distinct"),
        ("(< o C)", "(<= o C)", "indices-in-range"),
        ("(ite bottom (+ i up) (- i up))", "(+ i up)", "corner-is-a-flip"),
        ("(ite right (+ j left) (- j left))", "(+ j left)", "transpose-is-the-opposite-corner"),
        ("(ite right (+ j left) (- j left))", "(+ j left)", "last-pixel"),
    ],
)
def test_every_statement_needs_its_assumptions(assumption, weaker, refuted):
    formula = next(formula for formula in proofs.formulas() if formula.name == refuted)
    assert formula.smtlib.count(assumption) == 1
    proof = proofs.discharge(replace(formula, smtlib=formula.smtlib.replace(assumption, weaker)))
    assert proof.verdict == "refuted"


def test_every_name_of_the_formulas_stands_for_what_python_reads():
    """On small shapes the pairs of pixels that satisfy the assumptions are M's entries."""
    rng = np.random.default_rng(0)
    for corner, dilation in product(CORNERS, (1, 2)):
        height, width, kh, kw = (int(n) for n in rng.integers(1, 4, 4))
        p, q = int(rng.integers(kh)), int(rng.integers(kw))
        bottom, right = (str(flip).lower() for flip in flips(corner))
        fixed = {"H": height, "W": width, "C": 1, "kh": kh, "kw": kw, "p": p, "q": q}
        fixed |= {"dilation": dilation, "bottom": bottom, "right": right}
        solver = solver_of(ASSUMPTIONS + "".join(f"(assert (= {k} {v}))" for k, v in fixed.items()))
        pairs = set()
        names = z3.Ints("i j i2 j2")
        while solver.check() == z3.sat:
            model = solver.model()
            values = [model.eval(name, model_completion=True).as_long() for name in names]
            solver.add(z3.Or([name != value for name, value in zip(names, values, strict=True)]))
            pairs.add(tuple(values))
        kernel = np.ones((1, 1, kh, kw), int)
        kernel[:, :, p + 1 :] = kernel[:, :, p, q + 1 :] = 0
        options = {"corner": corner, "dilation": dilation, "anchor": (p, q)}
        matrix = convolution_matrix(kernel, (height, width), **options)
        entries = np.argwhere(matrix.reshape(2 * (height, width)))
        assert pairs == set(map(tuple, entries.tolist()))


def test_saved_formulas_are_read_back_and_proved(tmp_path):
    outcomes = [proofs.Proof(formula, "proved", 0.0, {}) for formula in proofs.formulas()]
    proofs.Proofs("pixel-major", tuple(outcomes)).save(tmp_path / "formulas")
    files = sorted((tmp_path / "formulas").iterdir())
    assert [file.name for file in files] == sorted(f"{name}.smt2" for name in NAMES)
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert text.startswith("; Theorem ") and text.endswith("(check-sat)\n")
        solver = z3.Solver()
        solver.from_file(str(file))
        assert str(solver.check()) == "unsat"


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    result = proofs.Proofs("pixel-major", ())
    with pytest.raises(OutputError, match="choose another place"):
        result.save(tmp_path / "file")


def test_what_the_solver_does_not_settle_is_called_unknown(monkeypatch):
    monkeypatch.setattr(proofs, "TIMEOUT", 0.001)
    result = theory.prove()
    assert "unknown" in {proof.verdict for proof in result.proofs}
    assert not result.hold


def test_refuses_an_order_that_it_does_not_know():
    with pytest.raises(OptionError, match=r"^order must be one of pixel-major, column-major, ch"):
        theory.prove("row-major")
