"""The verification of all theorems, and of an implementation against them."""

import textwrap
from collections import Counter
from collections.abc import Callable

import numpy as np

from cinc_ref import _validate
from cinc_ref._display import table_html
from cinc_ref._progress import tracked
from cinc_ref.theory import mahler, padding, schwartz_zippel, systems, theorems, universality
from cinc_ref.theory.claims import CLAIMS, check_implementation
from cinc_ref.theory.evidence import Evidence

__all__ = ["THEOREMS", "Verification", "verify"]

THEOREMS: tuple[Callable[..., Evidence], ...] = (
    theorems.order_of_indices,
    theorems.block_triangular,
    theorems.not_triangular_in_channel_major_order,
    schwartz_zippel.determinant_at_random_points,
    theorems.determinant_is_a_power_of_polynomials,
    theorems.invertible_iff_corner_is,
    theorems.substitution_is_the_inverse,
    schwartz_zippel.substitution_at_random_points,
    theorems.substitution_of_integers_is_exact,
    theorems.corners_and_anchors_reduce,
    universality.opposite_corners_generate_everything,
    universality.one_corner_generates_convolutions,
    systems.systems_are_instances,
    systems.parameter_counts_are_exact,
    padding.all_ones_is_singular,
    padding.same_padding_can_be_singular,
    padding.circular_padding_can_be_singular,
    theorems.adjoint_is_transposed_substitution,
    mahler.gap_decides_growth,
    mahler.small_singular_values_carry_the_gap,
)


class Verification(list[Evidence]):
    """The outcome of `verify`: a list of evidence that notebooks show as a table."""

    def __repr__(self) -> str:
        verdicts = Counter(item.verdict for item in self)
        counts = ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in sorted(verdicts))
        failing = ", ".join(item.name for item in self if item.verdict == "fails")
        failing = f"; fails: {textwrap.shorten(failing, 300)}" if failing else ""
        return f"Verification({len(self)} statements: {counts}{failing})"

    def _repr_html_(self) -> str:
        rows = [
            (
                item.name, ", ".join(map(str, item.theorems)), item.verdict, item.support,
                "" if item.worst is None else item.worst, item.statement, item.reason,
            )
            for item in self
        ]  # fmt: skip
        names = ("name", "theorems", "verdict", "support", "worst", "statement", "reason")
        return table_html(names, rows, caption=repr(self))


def verify(implementation: object | None = None, *, seed: int = 0, effort: int = 1) -> Verification:
    """Try to refute the theorems, and an implementation of the convolution if one is given.

    A bar shows the progress if the error stream is a terminal.

    Parameters
    ----------
    implementation : object, optional
        Anything with functions ``conv``, ``conv_inverse``, ``log_abs_det`` and perhaps
        ``conv_vjp`` and ``conv_inverse_vjp``, called as those of cinc_ref, for instance the
        package itself. Attributes ``options`` and ``dtypes`` say which of them it takes.
    seed : int
        The random cases follow from it.
    effort : int
        Multiplies the number of cases. Effort 1 takes about 20 seconds on one core
        (``python -m cinc_ref verify``).

    Returns
    -------
    Verification, a list of Evidence
        One for each statement: ``.support`` says whether it is proved or tried on a number of
        cases, ``.theorems`` to which of the theorems 1 to 9 it belongs. What needs an
        implementation is "skipped" without one, the proofs for all sizes are without z3-solver
        (``pip install ".[prove]"``), and the symbolic identities without sympy.

    Raises
    ------
    OptionError
        If the seed is negative or the effort is below 1.

    Examples
    --------
    >>> from cinc_ref import theory
    >>> evidence = theory.verify()
    >>> for item in evidence[1:3]:
    ...     print(item.name, item.theorems, item.verdict, item.support, sep=", ")
    block triangular, (1,), holds, tried on 300 cases
    channel-major order, (1,), holds, proved
    """
    rng = np.random.default_rng(_validate.integer("seed", seed, minimum=0))
    effort = _validate.integer("effort", effort, minimum=1)

    def attempts():
        for theorem in THEOREMS:
            yield theorem(rng, effort)
        yield from check_implementation(implementation, rng, effort)

    evidence, tried = attempts(), [*THEOREMS, *CLAIMS]
    return Verification(next(evidence) for _ in tracked(tried, "verify", len(tried), _title))


def _title(function):
    return function.__name__.replace("_", " ")
