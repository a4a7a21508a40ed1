"""The order of the indices of M, proved for all sizes at once by an SMT solver.

Every statement is a formula of SMT-LIB, a text that any SMT solver reads. It declares the sizes, a
tap and the two pixels that the tap connects as integers without a bound, assumes what the package
requires of them, and asserts the negation of the statement. If no integers satisfy all of this
("unsat"), the statement holds for all image and kernel sizes, numbers of channels, dilations,
anchors and corners. If some do, they are a counterexample.

The proofs in Rocq that the repository holds establish the same facts again on their way to the
theorems (`order_of_indices`).
"""

import re
import time
from dataclasses import dataclass
from itertools import count
from os import PathLike
from typing import Literal, TypeAlias

from cinc_ref import _validate
from cinc_ref._display import short_repr, table_html
from cinc_ref._extras import extra
from cinc_ref._files import make_folder, write_text

__all__ = [
    "STATEMENTS",
    "Formula",
    "IndexOrder",
    "Proof",
    "Proofs",
    "discharge",
    "formulas",
    "prove",
]

IndexOrder: TypeAlias = Literal["pixel-major", "column-major", "channel-major"]

ORDERS: dict[IndexOrder, tuple[str, str]] = {
    "pixel-major": ("(+ (* (row y) W) (column x))", "(+ (* (number y x) C) channel)"),
    "column-major": ("(+ (* (column x) H) (row y))", "(+ (* (number y x) C) channel)"),
    "channel-major": ("(+ (* (row y) W) (column x))", "(+ (* channel H W) (number y x))"),
}
"""The number of pixel (y, x) and the index of one of its channels in M, for each order.

M is block triangular in the first order only; the two others are refuted.
"""

ASSUMPTIONS = """\
; An image of H x W pixels and C channels; a kernel of kh x kw taps with the anchor (p, q).
(declare-const H Int) (declare-const W Int) (declare-const C Int)
(declare-const kh Int) (declare-const kw Int) (declare-const p Int) (declare-const q Int)
(declare-const dilation Int)
(assert (and (>= H 1) (>= W 1) (>= C 1) (>= dilation 1)))
(assert (and (<= 0 p) (< p kh) (<= 0 q) (< q kw)))

; The padded corner: whether it is at the bottom, and whether it is at the right.
(declare-const bottom Bool) (declare-const right Bool)

; A tap (a, b), not after the anchor in raster order.
(declare-const a Int) (declare-const b Int)
(assert (and (<= 0 a) (< a kh) (<= 0 b) (< b kw)))
(assert (or (< a p) (and (= a p) (<= b q))))

; Output channel o of pixel (i, j) reads input channel c of pixel (i2, j2) through the tap.
(declare-const i Int) (declare-const j Int) (declare-const o Int)
(declare-const i2 Int) (declare-const j2 Int) (declare-const c Int)
(assert (and (<= 0 i) (< i H) (<= 0 j) (< j W) (<= 0 o) (< o C)))
(assert (and (<= 0 i2) (< i2 H) (<= 0 j2) (< j2 W) (<= 0 c) (< c C)))
(define-fun up () Int (* (- p a) dilation))
(define-fun left () Int (* (- q b) dilation))
(assert (= i2 (ite bottom (+ i up) (- i up))))
(assert (= j2 (ite right (+ j left) (- j left))))

; The row and column of a pixel seen from the corner, its number in the order that starts there,
; and the index of one of its channels in M.
(define-fun row ((y Int)) Int (ite bottom (- H 1 y) y))
(define-fun column ((x Int)) Int (ite right (- W 1 x) x))
(define-fun number ((y Int) (x Int)) Int {number})
(define-fun index ((y Int) (x Int) (channel Int)) Int {index})
"""

STATEMENTS: tuple[tuple[int, str, str, str], ...] = (
    (
        1,
        "no-later-pixel",
        "No tap up to the anchor reads a pixel with a larger number than the pixel it serves.",
        "(assert (> (number i2 j2) (number i j)))",
    ),
    (
        1,
        "itself-through-the-anchor",
        "A pixel with the same number is the pixel itself, and only the anchor reads it.",
        "(assert (= (number i2 j2) (number i j)))\n"
        "(assert (not (and (= i2 i) (= j2 j) (= a p) (= b q))))",
    ),
    (
        1,
        "block-triangular",
        "Entries to the right of the diagonal of M lie in its diagonal blocks.",
        "(assert (> (index i2 j2 c) (index i j o)))\n(assert (not (and (= i2 i) (= j2 j))))",
    ),
    (
        1,
        "one-tap-an-entry",
        "Two taps never fill the same entry of M.",
        "(declare-const a2 Int) (declare-const b2 Int)\n"
        "(assert (not (and (= a2 a) (= b2 b))))\n"
        "(assert (and (= (* (- p a2) dilation) up) (= (* (- q b2) dilation) left)))",
    ),
    (
        1,
        "indices-in-range",
        "Indices run from 0 to H W C - 1.",
        "(assert (not (and (<= 0 (index i j o)) (< (index i j o) (* H W C)))))",
    ),
    (
        1,
        "indices-distinct",
        "Two pixels, or two channels of a pixel, never have the same index.",
        "(declare-const i3 Int) (declare-const j3 Int) (declare-const c3 Int)\n"
        "(assert (and (<= 0 i3) (< i3 H) (<= 0 j3) (< j3 W) (<= 0 c3) (< c3 C)))\n"
        "(assert (= (index i3 j3 c3) (index i j o)))\n"
        "(assert (not (and (= i3 i) (= j3 j) (= c3 o))))",
    ),
    (
        3,
        "last-pixel",
        "The pixel opposite to the corner is read by itself alone, through the anchor.",
        "(assert (and (= (row i2) (- H 1)) (= (column j2) (- W 1))))\n"
        "(assert (not (and (= i2 i) (= j2 j) (= a p) (= b q))))",
    ),
    (
        4,
        "substitution-order",
        "Every tap but the anchor reads a pixel with a smaller number, which is solved already.",
        "(assert (not (and (= a p) (= b q))))\n(assert (>= (number i2 j2) (number i j)))",
    ),
    (
        5,
        "corner-is-a-flip",
        "Once the pixels are flipped, a tap reads what it reads with the corner at the top left.",
        "(assert (not (and (= (row i2) (- (row i) up)) (= (column j2) (- (column j) left)))))",
    ),
    (
        7,
        "transpose-is-the-opposite-corner",
        "With the opposite corner the same tap leads back: (i2, j2) reads (i, j).",
        "(assert (not (and (= i (ite bottom (- i2 up) (+ i2 up)))\n"
        "                  (= j (ite right (- j2 left) (+ j2 left))))))",
    ),
)
"""Theorem number, name, statement, and the negation of the statement in SMT-LIB."""

TIMEOUT = 60.0
"""Seconds after which the solver gives up on a formula.

It needs 0.9 s of one core for all ten of them, by ``print(cinc_ref.theory.prove())``.
"""


@dataclass(frozen=True)
class Formula:
    """A statement on the indices of M in words and, negated, in SMT-LIB.

    Attributes
    ----------
    theorem : int
        The number of the theorem that rests on it.
    name : str
    statement : str
        The statement in words.
    smtlib : str
        Declarations, assumptions and the negation of the statement.
    """

    theorem: int
    name: str
    statement: str
    smtlib: str

    __repr__ = short_repr

    def __str__(self) -> str:
        return (
            f"; Theorem {self.theorem}, {self.name}: {self.statement}\n"
            "; The negation follows the assumptions: unsat proves the statement for all sizes.\n\n"
            f"{self.smtlib}\n(check-sat)\n"
        )


@dataclass(frozen=True)
class Proof:
    """The outcome of one formula.

    Attributes
    ----------
    formula : Formula
    verdict : {"proved", "refuted", "unknown"}
        "unknown" if the solver gave up.
    seconds : float
        The time that the solver took.
    model : dict of str to int or bool
        The smallest counterexample: a value for every name that the formula declares. Empty unless
        refuted.
    """

    formula: Formula
    verdict: Literal["proved", "refuted", "unknown"]
    seconds: float
    model: dict[str, int | bool]

    __repr__ = short_repr

    def __str__(self) -> str:
        formula = self.formula
        line = (
            f"theorem {formula.theorem}  {formula.name:<33} {self.verdict:<8} {self.seconds:5.2f} s"
            f"  {formula.statement}"
        )
        if not self.model:
            return line
        values = ", ".join(f"{name} = {value}" for name, value in self.model.items())
        return f"{line}\n    counterexample: {values}"


@dataclass(frozen=True)
class Proofs:
    """The outcome of all formulas, one line each when printed.

    Attributes
    ----------
    order : str
        The order of the indices.
    proofs : tuple of Proof
    """

    order: IndexOrder
    proofs: tuple[Proof, ...]

    @property
    def hold(self) -> bool:
        """Tell whether every statement is proved."""
        return all(proof.verdict == "proved" for proof in self.proofs)

    def save(self, folder: str | PathLike[str]) -> None:
        """Write every formula as ``<name>.smt2`` into a folder, for any SMT solver.

        Parameters
        ----------
        folder : str or path
            Made if it is not there.

        Raises
        ------
        OutputError
            If a file cannot be written.
        """
        folder = make_folder(folder)
        for proof in self.proofs:
            write_text(folder / f"{proof.formula.name}.smt2", str(proof.formula))

    def __str__(self) -> str:
        return "\n".join(map(str, self.proofs))

    def __repr__(self) -> str:
        proved = sum(proof.verdict == "proved" for proof in self.proofs)
        return f"Proofs(order={self.order!r}, {proved} of {len(self.proofs)} proved)"

    def _repr_html_(self) -> str:
        rows = [
            (
                proof.formula.theorem, proof.formula.name, proof.verdict, proof.seconds,
                proof.formula.statement, ", ".join(f"{k} = {v}" for k, v in proof.model.items()),
            )
            for proof in self.proofs
        ]  # fmt: skip
        names = ("theorem", "name", "verdict", "seconds", "statement", "counterexample")
        return table_html(names, rows, caption=repr(self))


def formulas(order: str = "pixel-major") -> list[Formula]:
    """List the statements on the indices of M for one order of the indices.

    Parameters
    ----------
    order : {"pixel-major", "column-major", "channel-major"}
        M is block triangular in the first one, ``((i W + j) C + c)``, seen from the padded corner.

    Returns
    -------
    list of Formula

    Raises
    ------
    OptionError
        If there is no such order.

    Examples
    --------
    >>> from cinc_ref.theory.proofs import formulas
    >>> print(str(formulas()[0])[:88])
    ; Theorem 1, no-later-pixel: No tap up to the anchor reads a pixel with a larger number
    """
    order = _validate.one_of("order", order, ORDERS)
    number, index = ORDERS[order]
    assumptions = ASSUMPTIONS.format(number=number, index=index)
    return [
        Formula(theorem, name, statement, f"{assumptions}\n; The negation.\n{negation}")
        for theorem, name, statement, negation in STATEMENTS
    ]


def prove(order: IndexOrder = "pixel-major") -> Proofs:
    """Prove what the theorems need of the order of indices, for all sizes, by the solver z3.

    Parameters
    ----------
    order : {"pixel-major", "column-major", "channel-major"}
        The order of the indices of M. The statements hold in the first one; the others are refuted,
        each by a counterexample.

    Returns
    -------
    Proofs
        Prints as a table; ``.hold`` tells whether all statements are proved, ``.save(folder)``
        writes the formulas, ``.proofs`` has the outcomes.

    Raises
    ------
    OptionError
        If there is no such order.
    MissingExtraError
        If z3 is not installed: ``pip install ".[prove]"``.

    References
    ----------
    Barrett, Fontaine and Tinelli, "The SMT-LIB Standard: Version 2.6", 2017.

    Examples
    --------
    >>> from cinc_ref import theory
    >>> theory.prove().hold
    True
    """
    return Proofs(order, tuple(discharge(formula) for formula in formulas(order)))


def discharge(formula: Formula) -> Proof:
    """Ask z3 whether the negation of a statement can be satisfied.

    Parameters
    ----------
    formula : Formula

    Returns
    -------
    Proof

    Raises
    ------
    MissingExtraError
        If z3 is not installed.
    """
    with extra("prove"):
        import z3

    started = time.perf_counter()
    solver = z3.Solver()
    solver.set("timeout", int(1000 * TIMEOUT))
    solver.from_string(formula.smtlib)
    answer = str(solver.check())
    model = _smallest_model(solver, formula) if answer == "sat" else {}
    verdict = {"unsat": "proved", "sat": "refuted"}.get(answer, "unknown")
    return Proof(formula, verdict, time.perf_counter() - started, model)


def _smallest_model(solver, formula):
    """Return the declared names with values under the least bound of all sizes that allows any."""
    import z3

    sizes = z3.Ints("H W C kh kw dilation")
    for bound in count(1):
        solver.push()
        solver.add(*(size <= bound for size in sizes))
        if solver.check() == z3.sat:
            break
        solver.pop()
    model, constant = solver.model(), {"Int": z3.Int, "Bool": z3.Bool}
    declared = re.findall(r"\(declare-const (\w+) (Int|Bool)\)", formula.smtlib)
    values = (model.eval(constant[sort](name), model_completion=True) for name, sort in declared)
    return {
        name: value.as_long() if sort == "Int" else z3.is_true(value)
        for (name, sort), value in zip(declared, values, strict=True)
    }
