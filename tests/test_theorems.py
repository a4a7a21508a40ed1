"""Every theorem holds, and every one is seen to fail when a wrong statement is put in its place."""

import io
import json
import sys
from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref import theory
from cinc_ref.errors import CheckpointError, OptionError, OutputError
from cinc_ref.geometry import CORNERS
from cinc_ref.theory import (
    claims,
    exact_inverse,
    mahler,
    padding,
    proofs,
    schwartz_zippel,
    systems,
    theorems,
    universality,
    verification,
)
from cinc_ref.theory.cases import (
    Case,
    float_case,
    integer_case,
    unit_case,
    with_cancelling_corner,
    with_tiny_entries,
)
from cinc_ref.theory.evidence import Evidence, find, search
from cinc_ref.theory.exact import matrix_determinant, matrix_rank
from cinc_ref.theory.substitution import substitute
from cinc_ref.theory.systems import SYSTEMS
from tests.conftest import INTERPRETED


def _transposed_matrix(kernel, size, **options):
    return cr.convolution_matrix(kernel, size, **options).T


def _ignores_the_corner(kernel, size, *, corner="top-left", **options):
    return cr.convolution_matrix(kernel, size, **options)


def _inverse_that_is_off_by_one(y, *arguments, **options):
    return exact_inverse(y, *arguments, **options) + 1


def _inverse_that_forgets_to_transpose(y, kernel, *, transpose=False, **options):
    return exact_inverse(y, kernel, **options)


def _solve_that_never_transposes(y, kernel, solve, geometry, transpose):
    return substitute(y, kernel, solve, geometry)


def _null_image_in_the_first_pixel(kernel, size, **options):
    return theory.null_image(kernel, size, **options)[:, :, ::-1, ::-1]


WRONG = {  # theorem: what is put in its place
    theorems.order_of_indices: {"order": "column-major"},
    theorems.block_triangular: {"matrix": _transposed_matrix},
    theorems.not_triangular_in_channel_major_order: {"order": "pixel-major"},
    schwartz_zippel.determinant_at_random_points: {"exponent": lambda h, w: h + w},
    theorems.determinant_is_a_power_of_polynomials: {"exponent": lambda height, width: 2},
    theorems.invertible_iff_corner_is: {"decide": lambda kernel, anchor: bool(kernel.any())},
    theorems.substitution_is_the_inverse: {"inverse": _inverse_that_is_off_by_one},
    schwartz_zippel.substitution_at_random_points: {"solve": _solve_that_never_transposes},
    theorems.substitution_of_integers_is_exact: {"inverse": lambda y, case: y * (1 + 2**-52)},
    theorems.corners_and_anchors_reduce: {"matrix": _ignores_the_corner},
    systems.systems_are_instances: {"matrix": _ignores_the_corner},
    systems.parameter_counts_are_exact: {
        "systems": [replace(system, count=lambda n: 5 * n**2) for system in SYSTEMS]
    },
    padding.all_ones_is_singular: {"rank": np.linalg.cond},
    padding.same_padding_can_be_singular: {"padding": "causal"},
    padding.circular_padding_can_be_singular: {"padding": "causal"},
    theorems.adjoint_is_transposed_substitution: {"inverse": _inverse_that_forgets_to_transpose},
    universality.opposite_corners_generate_everything: {"partner": lambda corner: corner},
    universality.one_corner_generates_convolutions: {"dimension": lambda shape, kernel_size: 4},
    mahler.gap_decides_growth: {"gap": lambda kernel: (0.0, 1e-9)},
    mahler.small_singular_values_carry_the_gap: {"gap": lambda kernel: (0.0, 1e-9)},
}  # fmt: skip
WITHOUT_Z3 = 'z3 is not installed: pip install ".[prove]" in the checkout'
EXISTENCE = (
    theorems.not_triangular_in_channel_major_order,
    padding.same_padding_can_be_singular,
    padding.circular_padding_can_be_singular,
)


def test_unit_cases_have_either_triangle_and_every_entry():
    """Below the unit diagonal or above it, the entries next to it included."""
    rng = np.random.default_rng(0)
    blocks = [case.corner_block for case in (unit_case(rng) for _ in range(300))]
    blocks = np.array([block for block in blocks if len(block) == 5])
    assert (blocks[:, range(5), range(5)] == 1).all()
    lower, upper = np.tril(blocks, -1).any(axis=(1, 2)), np.triu(blocks, 1).any(axis=(1, 2))
    assert not (lower & upper).any()
    assert (blocks.any(axis=0)).all() and np.abs(blocks).max() == 3


def test_cases_reach_every_shape():
    """Images and kernels from one pixel on, every corner, anchor and dilation, singular B."""
    rng = np.random.default_rng(0)
    cases = [integer_case(rng) for _ in range(1000)]
    sizes = {case.size for case in cases}
    assert sizes >= {(1, 1), (1, 9), (9, 1), (9, 9)} and max(map(max, sizes)) == 9
    assert {case.kernel.shape[2:] for case in cases} == set(product(range(1, 6), repeat=2))
    assert {len(case.kernel) for case in cases} == {1, 2, 3, 4, 5}
    assert {case.dilation for case in cases} == {1, 2, 3, 4}
    assert {case.anchor for case in cases} == set(np.ndindex(5, 5))
    assert {case.anchor[0] + 1 == case.kernel.shape[2] for case in cases} == {True, False}
    assert {case.corner for case in cases} == set(CORNERS)
    assert {int(entry) for case in cases for entry in case.corner_block.ravel()} == {*range(-3, 4)}
    assert all(case.unknowns == len(case.matrix()) for case in cases[:40])
    singular = [matrix_determinant(case.corner_block) == 0 for case in cases]
    assert 0.02 < np.mean(singular) < 0.3


@pytest.mark.parametrize("dilation", [1, 2, 3, 4])
def test_taps_reach_into_the_image(dilation):
    """In most cases a pixel reads one in another row; taps as far away as an image allows do."""
    rng = np.random.default_rng(0)
    farthest = []
    for _ in range(600):
        case = integer_case(rng)
        rows = case.anchor[0]
        if case.dilation == dilation and rows:
            reach = [n * dilation for n in range(1, rows + 1) if n * dilation < case.size[0]]
            farthest.append(max(reach, default=0))
    assert len(farthest) > 50 and np.mean(np.array(farthest) > 0) > 0.8
    assert max(farthest) == {1: 4, 2: 8, 3: 6, 4: 8}[dilation]


def test_float_determinants_of_some_corner_blocks_are_lost():
    """A determinant in floating point, compared with a tolerance, contradicts the exact one."""
    rng = np.random.default_rng(0)
    cases = [case for case in (integer_case(rng) for _ in range(300)) if len(case.kernel) > 1]
    exact = [matrix_determinant(case.corner_block) for case in cases]
    cancelling = [with_cancelling_corner(rng, case) for case in cases]
    assert [matrix_determinant(case.corner_block) for case in cancelling] == exact
    floats = [np.linalg.det(case.corner_block) for case in cancelling]
    assert np.mean(np.abs(np.subtract(floats, np.array(exact, float))) > 1) > 0.5
    tiny = with_tiny_entries(cases[0])
    assert matrix_determinant(tiny.corner_block) * 2 ** (60 * len(tiny.kernel)) == exact[0]


def test_invertible_cases_are_unit_triangular_every_other_time():
    """Of the other half nearly all have a determinant that is not 1 or -1."""
    cases = theorems._invertible_cases(np.random.default_rng(0), 60)
    determinants = [abs(matrix_determinant(case.corner_block)) for case in cases]
    assert len(determinants) == 60 and min(determinants) == 1
    assert 20 < sum(determinant > 1 for determinant in determinants) <= 30


def test_float_cases_are_bounded_and_have_both_signs_on_the_diagonal():
    rng = np.random.default_rng(0)
    diagonals, kinds = [], set()
    for case in (float_case(rng, np.float64) for _ in range(200)):
        block = case.corner_block
        others = np.einsum("oc,ciab->oiab", np.linalg.inv(block), case.kernel)
        others[:, :, *case.anchor] = 0
        total = np.linalg.norm(others, 2, axis=(0, 1)).sum()
        assert total == pytest.approx(0.7) or not others.any()
        below, above = np.tril(block, -1).any(), np.triu(block, 1).any()
        kinds.add((bool(below), bool(above)))
        if below and above:
            assert np.linalg.cond(block) <= 2 + 1e-9
        else:
            diagonals += np.diagonal(block).tolist()
    assert kinds >= {(True, False), (False, True), (True, True)}
    magnitudes = np.abs(diagonals)
    assert 1.5 <= magnitudes.min() < 1.6 and 2.9 < magnitudes.max() <= 3
    assert 0.4 < np.mean(np.sign(diagonals) == 1) < 0.6


def test_systems_are_tried_on_images_from_one_pixel_to_four_by_four():
    """And all on as many channels: four groups of one for FInC, the only one of four corners."""
    sizes, channels = [], {corner: set() for corner in CORNERS}

    def matrix(kernel, size, *, corner, **options):
        sizes.append(size)
        channels[corner].add(len(kernel))
        return cr.convolution_matrix(kernel, size, corner=corner, **options)

    assert systems.systems_are_instances(np.random.default_rng(0), matrix=matrix).verdict == "holds"
    assert {side for size in sizes for side in size} == {1, 2, 3, 4}
    group, whole = sorted(channels["top-left"])
    assert channels["top-right"] == channels["bottom-left"] == {group} and 4 * group == whole


@pytest.mark.parametrize("block", ["dense", "triangular", "unit"])
def test_systems_are_drawn_with_ones_on_the_diagonal_where_it_is_fixed(block):
    rng = np.random.default_rng(0)
    factor = systems.Factor((2, 3), (1, 1), block=block)
    kernels = np.array([factor.draw(rng, 4) for _ in range(50)])
    blocks = kernels[:, :, :, 1, 1]
    diagonals = set(np.diagonal(blocks, axis1=1, axis2=2).ravel().tolist())
    assert diagonals == ({1} if block == "unit" else {-2, -1, 1, 2})
    drawn = kernels.any(axis=0)
    drawn[range(4), range(4), 1, 1] = block != "unit"
    assert np.array_equal(drawn, factor.free(4))


def test_a_correlation_with_taps_turned_over_is_the_convolution_from_any_corner():
    """Kernels that are not square and any anchor, which the systems do not have."""
    rng = np.random.default_rng(0)
    for case in (integer_case(rng, ("corner", "anchor")) for _ in range(100)):
        assert np.array_equal(systems._as_correlation(case), case.matrix())


@pytest.mark.parametrize("size", [(2, 5), (6, 2), (5, 5)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_errors_are_measured_in_skeels_number_of_the_whole_matrix(size, dilation):
    """For an inverse that grows with every row and column of the image."""
    case = Case(np.array([[[[0.3, -1.5], [-1.7, 1.0]]]]), size, "top-left", dilation, (1, 1))
    matrix = case.matrix()
    skeel = (np.abs(np.linalg.inv(matrix)) @ np.abs(matrix)).sum(axis=1).max()
    assert claims._eps_times_skeel(case) == pytest.approx(skeel * 2.0**-52, rel=1e-9)


def test_the_first_difference_is_named():
    expected = np.arange(6).reshape(2, 3)
    found = expected.copy()
    assert claims._first_difference(found, expected) == ""
    found[0, 2], found[1, 1] = 7, 8
    words = claims._first_difference(found, expected)
    assert words == "it is 7, not 2, at index (0, 2)"


def test_ones_are_tried_on_square_images():
    unknowns = []

    def rank(matrix):
        unknowns.append(len(matrix))
        return matrix_rank(matrix)

    assert padding.all_ones_is_singular(rank=rank).verdict == "holds"
    assert sorted(unknowns) == [9, 9, 16, 16, 25, 25]


def test_every_theorem_is_planted_with_something_wrong():
    assert set(WRONG) == set(verification.THEOREMS)


@pytest.mark.parametrize("theorem", WRONG, ids=lambda theorem: theorem.__name__)
def test_a_wrong_statement_is_refuted(theorem, tmp_path):
    if theorem is theorems.order_of_indices:
        pytest.importorskip("z3", reason=WITHOUT_Z3)
    evidence = theorem(np.random.default_rng(0), **WRONG[theorem])
    assert evidence.verdict == "fails" and evidence.reason and evidence.cases >= 1
    if theorem in EXISTENCE:  # nothing exists to be shown
        assert evidence.counterexample is None
    else:
        _assert_saves_and_loads(evidence.counterexample, tmp_path)


@pytest.mark.parametrize("null", [_null_image_in_the_first_pixel, lambda k, size, **o: np.zeros(1)])
def test_a_wrong_null_image_is_refuted(null):
    evidence = theorems.invertible_iff_corner_is(np.random.default_rng(0), null=null)
    assert evidence.verdict == "fails" and "null image" in evidence.reason


@pytest.mark.parametrize("theorem", EXISTENCE, ids=lambda theorem: theorem.__name__)
def test_what_exists_is_shown_and_can_be_saved(theorem, tmp_path):
    evidence = theorem(np.random.default_rng(0))
    assert evidence.verdict == "holds" and evidence.reason
    _assert_saves_and_loads(evidence.counterexample, tmp_path)


def test_the_padding_counterexample_is_one():
    case = padding.same_padding_can_be_singular(np.random.default_rng(0)).counterexample.case
    assert (case.kernel != 0).all()
    matrix = padding.padded_matrix(case.kernel, case.size, "same")
    assert np.linalg.matrix_rank(matrix) < len(matrix)
    assert theory.is_invertible(case.kernel)


def test_a_counterexample_still_refutes_after_loading(tmp_path):
    theorem = schwartz_zippel.determinant_at_random_points
    evidence = theorem(np.random.default_rng(0), **WRONG[theorem])
    evidence.counterexample.save(tmp_path / "case.npz")
    case = theory.load_counterexample(tmp_path / "case.npz").case
    power = matrix_determinant(case.corner_block) ** sum(case.size)
    assert theory.exact_determinant(case.kernel, case.size, **case.options) != power


def _assert_saves_and_loads(counterexample, folder):
    counterexample.save(folder / "case.npz")
    loaded = theory.load_counterexample(folder / "case.npz")
    assert (loaded.claim, loaded.problem) == (counterexample.claim, counterexample.problem)
    assert loaded.to_dict() == counterexample.to_dict()
    assert loaded.case.kernel.dtype == counterexample.case.kernel.dtype
    assert [path.name for path in folder.iterdir()] == ["case.npz"]


def test_damaged_and_foreign_files_are_refused(tmp_path):
    path = tmp_path / "case.npz"
    found = padding.circular_padding_can_be_singular(np.random.default_rng(0)).counterexample
    found.save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(CheckpointError, match="must be a counterexample"):
        theory.load_counterexample(path)
    np.savez(path, kernel=np.ones(3))
    with pytest.raises(CheckpointError, match="must be a counterexample"):
        theory.load_counterexample(path)
    with pytest.raises(OutputError, match="cannot write"):
        found.save(tmp_path / "missing" / "case.npz")


def _broken(**functions):
    ours = {name: getattr(cr, name) for name in claims.FUNCTIONS}
    return SimpleNamespace(**(ours | functions))


def _raises(*arguments, **options):
    raise ZeroDivisionError("by zero")


BROKEN = {  # claim: the smallest error that it must notice
    "conv, integers": {"conv": lambda x, k, **o: cr.conv(x, k[:, :, ::-1], **o | {"anchor": None})},
    "conv": {"conv": lambda x, k, **o: cr.conv(x, k, **o) * (1 + 32 * np.finfo(x.dtype).eps)},
    "inverse, integers": {"conv_inverse": lambda y, k, **o: cr.conv_inverse(y, k, **o)[:1]},
    "residual": {"conv_inverse": lambda y, k, **o: cr.conv_inverse(y + 1e-4, k, **o)},
    "inverse": {"conv_inverse": lambda y, k, **o: 1.001 * cr.conv_inverse(y, k, **o)},
    "round trip": {"conv_inverse": lambda y, k, **o: np.full_like(y, np.nan)},
    "log-determinant": {"log_abs_det": lambda k, size, **o: -cr.log_abs_det(k, size, **o)},
    "gradient of conv": {"conv_vjp": lambda x, k, g, **o: cr.conv_vjp(x, k, -g, **o)},
    "gradient of inverse": {"conv_inverse_vjp": _raises},
}  # fmt: skip


def test_every_claim_about_an_implementation_has_a_broken_one():
    names = [evidence.name for evidence in claims.check_implementation(None, None)]
    assert names == list(BROKEN)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_implementation_is_refuted(name, tmp_path):
    claim = claims.CLAIMS[list(BROKEN).index(name)]
    evidence = claim(_broken(**BROKEN[name]), np.random.default_rng(0))
    assert (evidence.name, evidence.verdict) == (name, "fails")
    _assert_saves_and_loads(evidence.counterexample, tmp_path)
    json.dumps(evidence.to_dict(), allow_nan=False)


@pytest.mark.parametrize("claim", claims.CLAIMS, ids=lambda claim: claim.__name__)
def test_ours_holds(claim):
    effort = 1 if not INTERPRETED else 0.1
    evidence = claim(cr, np.random.default_rng(4), effort=effort)
    assert evidence.verdict == "holds" and evidence.cases >= 4
    assert (evidence.worst is None) == (evidence.bound is None)
    assert evidence.bound is None or 0 < evidence.worst <= evidence.bound == 10


def test_an_implementation_is_tried_once_however_small_the_effort():
    for claim in (claims.conv_of_integers, claims.conv_of_floats):
        assert claim(cr, np.random.default_rng(0), 1e-9).cases == 1


def test_only_the_options_and_dtypes_of_an_implementation_are_used():
    def conv(x, kernel):
        assert x.dtype == np.float32
        return cr.conv(x, kernel)

    plain = SimpleNamespace(
        conv=conv, conv_inverse=cr.conv_inverse, log_abs_det=cr.log_abs_det, conv_vjp=None,
        options=(), dtypes=("float32",),
    )  # fmt: skip
    few = 0.1 if INTERPRETED else 0.5
    evidence = claims.check_implementation(plain, np.random.default_rng(0), few)
    verdicts = {item.name: item.verdict for item in evidence}
    assert verdicts.pop("gradient of conv") == verdicts.pop("gradient of inverse") == "skipped"
    assert set(verdicts.values()) == {"holds"}


@pytest.mark.skipif(INTERPRETED, reason="every part of it is tested on its own above")
def test_verify_passes_ours_and_skips_what_it_cannot_try():
    pytest.importorskip("z3", reason=WITHOUT_Z3)
    evidence = theory.verify(cr, seed=4)
    assert {item.verdict for item in evidence} == {"holds"}
    by_name = {item.name: item for item in evidence}
    assert by_name["determinant modulo a prime"].cases > 700
    assert by_name["determinant, symbolic"].cases == 68
    assert {number for item in evidence for number in item.theorems} == {*range(1, 8), 9}
    assert {item.name for item in evidence if item.proved} == {
        "order of indices", "channel-major order", "determinant, symbolic",
        "universality", "ones, padded", "same padding", "circular padding",
    }  # fmt: skip
    assert by_name["substitution"].support == "tried on 80 cases"
    json.dumps([item.to_dict() for item in evidence], allow_nan=False)


def test_verify_without_an_implementation(monkeypatch):
    quick = [theorem for theorem in verification.THEOREMS if theorem in EXISTENCE]
    monkeypatch.setattr(verification, "THEOREMS", quick)
    verdicts = [evidence.verdict for evidence in theory.verify()]
    assert verdicts == ["holds"] * len(quick) + ["skipped"] * len(claims.CLAIMS)


@pytest.mark.parametrize("terminal", [True, False])
def test_verify_shows_its_progress_on_a_terminal(monkeypatch, terminal):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(verification, "THEOREMS", [theorems.block_triangular])
    theory.verify()
    assert ("verify:   0%" in stream.getvalue()) == terminal


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"effort": 0}, {"effort": 1.5}])
def test_verify_checks_its_arguments(wrong):
    with pytest.raises(OptionError, match="must be an integer >="):
        theory.verify(**wrong)


def test_symbolic_identities_without_sympy_are_skipped(monkeypatch):
    monkeypatch.setitem(sys.modules, "sympy.polys.rings", None)
    evidence = theorems.determinant_is_a_power_of_polynomials()
    assert (evidence.verdict, evidence.cases) == ("skipped", 0)
    assert "sympy" in evidence.reason


def test_proofs_for_all_sizes_are_not_tried_without_z3(monkeypatch):
    monkeypatch.setitem(sys.modules, "z3", None)
    evidence = theorems.order_of_indices()
    assert (evidence.verdict, evidence.support) == ("skipped", "not tried")
    assert (
        evidence.reason == 'not tried: z3 is not installed; pip install ".[prove]" in the checkout'
    )


def test_what_the_solver_does_not_settle_is_not_called_proved(monkeypatch):
    pytest.importorskip("z3", reason=WITHOUT_Z3)
    monkeypatch.setattr(proofs, "TIMEOUT", 0.001)
    evidence = theorems.order_of_indices()
    assert (evidence.verdict, evidence.proved) == ("skipped", False)
    assert evidence.reason.startswith("z3 did not settle ")


@pytest.mark.parametrize("order", ["column-major", "channel-major"])
def test_a_wrong_order_of_indices_is_refuted_by_an_entry_of_the_matrix(order):
    pytest.importorskip("z3", reason=WITHOUT_Z3)
    evidence = theorems.order_of_indices(order=order)
    assert (evidence.verdict, evidence.proved) == ("fails", False)
    assert " is refuted: {" in evidence.reason
    case = evidence.counterexample.case
    assert np.count_nonzero(case.kernel) == 1 and case.matrix().any()


def test_support_tells_proved_from_tried():
    cases = [integer_case(np.random.default_rng(0))]
    tried = search("name", "statement", "source", cases, lambda case: "")
    assert (tried.proved, tried.support) == (False, "tried on 1 case")
    proved = search("name", "statement", "source", cases, lambda case: "", exhaustive=True)
    assert (proved.proved, proved.support) == (True, "proved")
    refuted = search("name", "statement", "source", cases, lambda case: "no", exhaustive=True)
    assert (refuted.proved, refuted.support) == (False, "tried on 1 case")
    nothing = search("name", "statement", "source", [], lambda case: "", exhaustive=True)
    assert (nothing.proved, nothing.support) == (False, "not tried")
    shown = find("name", "statement", "source", cases, lambda case: "shown")
    assert shown.proved and not find("n", "s", "p", cases, lambda case: "").proved


def test_an_error_proves_no_existence():
    cases = [integer_case(np.random.default_rng(0))]
    assert find("name", "statement", "source", cases, _raises).verdict == "fails"
    assert find("name", "statement", "source", cases, lambda case: "shown").verdict == "holds"


def test_evidence_keeps_the_worst_figure_and_the_largest_case():
    rng = np.random.default_rng(0)
    cases, figures = [integer_case(rng) for _ in range(3)], [0.25, 0.5, 0.125]
    left = iter(figures)
    evidence = search("name", "statement", "source", cases, lambda case: next(left), bound=1.0)
    assert (evidence.verdict, evidence.cases, evidence.worst) == ("holds", 3, 0.5)
    largest = max(case.unknowns for case in cases)
    assert evidence.largest == f"{largest} x {largest}"
    at_the_bound = search("name", "statement", "source", cases, lambda case: 1.0, bound=1.0)
    assert at_the_bound.verdict == "holds"
    beyond = search("name", "statement", "source", cases, lambda case: 1.5, bound=1.0)
    assert (beyond.verdict, beyond.cases, beyond.worst) == ("fails", 1, 1.5)


def test_nothing_tried_is_never_called_a_pass():
    none = search("name", "statement", "source", [], lambda case: "")
    assert (none.verdict, none.cases) == ("skipped", 0)


DRAWN = [
    theorem
    for theorem in verification.THEOREMS
    if theorem.__module__ == theorems.__name__
    and theorem not in (theorems.order_of_indices, theorems.determinant_is_a_power_of_polynomials)
] + [schwartz_zippel.determinant_at_random_points, schwartz_zippel.substitution_at_random_points]


@pytest.mark.parametrize("theorem", DRAWN, ids=lambda theorem: theorem.__name__)
def test_without_effort_nothing_is_drawn(theorem):
    none = theorem(np.random.default_rng(0), effort=0)
    assert (none.verdict, none.cases) == ("skipped", 0)


def test_parameter_counts_of_the_paper():
    counts = {row["system"]: row for row in theory.parameter_counts(48)}
    assert counts["CInC"]["parameters"] == 9 * 48**2 - 48 * 47 // 2
    assert counts["autoregressive"]["parameters"] < 5 * 48**2
    assert counts["Emerging"]["parameters"] < 10 * 48**2
    assert all(row["why"] for row in counts.values() if row["paper"])


def test_evidence_can_be_made_by_hand():
    fields = {"name": "n", "statement": "s", "source": "p", "cases": 1, "largest": "1 x 1"}
    evidence = Evidence(**fields, worst=np.inf, bound=1.0, verdict="fails")
    assert json.loads(json.dumps(evidence.to_dict(), allow_nan=False))["worst"] == "inf"


def test_factors_free_the_taps_up_to_their_anchor():
    """An anchor off the diagonal of the kernel: rows count as rows, columns as columns."""
    free = systems.Factor((3, 4), (1, 2)).free(2)
    for a, b in np.ndindex(3, 4):
        expected = np.tril(np.ones((2, 2))) if (a, b) == (1, 2) else (a, b) < (1, 2)
        assert (free[:, :, a, b] == expected).all()


def test_every_variable_of_the_symbolic_kernels_is_tried():
    seen = {}
    for case in theorems._numbered_kernels():
        seen.setdefault(case.kernel.shape, set()).update(case.matrix().ravel().tolist())
    assert set(seen) == {(1, 1, 3, 3), (2, 2, 2, 2)}
    assert all(numbers == {*range(np.prod(shape) + 1)} for shape, numbers in seen.items())
