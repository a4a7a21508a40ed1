r"""Verdicts on the growth of the inverse with the image: decided with a proof, or not at all.

"bounded" means that the supremum of ||M^{-1}||_2 over all image sizes is finite, "growing" that it
is infinite. Rates in floating point (`waves`) only suggest what to prove:

- growth within a row, of a wave, or at a width (`bidisk`, `transfer`), each in integers;
- boundedness by S < 1, by an accretive symbol (`accretive`) or by an approximate inverse
  (`approximate_inverse`), each with bounds of all rounding errors;
- either one exactly, for quadrant taps of a few channels (`bidisk`).

What none of these proves is "undecided". For half-plane taps with several channels no condition on
det P is enough for boundedness: an edge state at a border of the image may grow where no wave does.
Work is counted in operations, not in seconds, so that a verdict does not depend on the machine.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from math import atan, inf, isfinite, tan
from typing import Any, Literal, TypeAlias

import numpy as np

from cinc_ref._display import fields_html, short_repr
from cinc_ref._schema import SCHEMA, schema
from cinc_ref._typing import Array
from cinc_ref.theory import bidisk, transfer
from cinc_ref.theory.accretive import accretive
from cinc_ref.theory.approximate_inverse import approximate_inverse
from cinc_ref.theory.certificates import fingerprint
from cinc_ref.theory.exact import to_float
from cinc_ref.theory.polynomials import (
    dilated,
    has_no_zero_in_closed_disk,
    smallest_zero,
)
from cinc_ref.theory.symbol import Symbol
from cinc_ref.theory.waves import dominant, rate_of_waves, rate_within_a_row
from cinc_ref.theory.zeros import isolate_zero

__all__ = ["Decision", "Recursion", "Verdict", "decide", "decide_at_width", "sealed"]

Decision: TypeAlias = Literal["bounded", "growing", "undecided"]

# The limits below keep a verdict about 12 channels and 32x32 images under five seconds of processor
# time, as a test of the verdicts measures.

NEAR_ONE = 1e-3
"""Rates above 1 minus this are tried for growth: rounding may have hidden it."""

EDGE = Fraction(1, 2**64)
"""Growth by a factor below 1 + 2^-64 a step counts as polynomial: its rate is 1."""

WIDTHS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24)
"""Widths at which half-plane taps are tried for growth."""

LARGEST_DEGREE = 32
"""The degree of a determinant up to which Schur and Cohn's test in integers takes a second."""

LARGEST_WORK = 2**18
"""The square of the degree times the bits of the taps up to which it takes a second."""

MULTIPLE, MULTIPLE_RATE = 5, 0.8
"""Degree from which on a multiple zero on the circle may be spread by rounding to such a rate."""

LARGEST_MATRIX = 96
"""The largest matrix of a width, W C, that is tried for growth."""

LARGEST_WIDTH = 800
"""The largest matrix from row to row of one width, p W C, that is looked at: two seconds."""

WITHIN_A_ROW = "from pixel to pixel within a row"
OF_WAVES = "from row to row, of the wave that grows fastest"


@dataclass(frozen=True)
class Verdict:
    """The verdict about images of any size, or of any height at one width.

    Attributes
    ----------
    verdict : {"bounded", "growing", "undecided"}
    rate : float
        The factor a step by which the inverse's response grows (or decays, below 1).
    rate_of : str
        The steps and the solutions that the rate is about.
    margin : float
        How far the rate is from 1.
    reason : str
    proof : dict or None
        For `check_certificate`; None if undecided.
    bound : float
        A bound of ||M^{-1}||_2 for all sizes; infinite if none was proved.
    """

    verdict: Decision
    rate: float
    rate_of: str
    margin: float
    reason: str
    proof: dict[str, Any] | None = None
    bound: float = inf

    __repr__ = short_repr
    _repr_html_ = fields_html


def decide(symbol: Symbol) -> Verdict:
    """Decide about images of any size; `sealed` completes the proof."""
    within = rate_within_a_row(symbol)
    waves, angle = rate_of_waves(symbol)
    rate, rate_of = max((within, WITHIN_A_ROW), (waves, OF_WAVES))
    estimate = Verdict("undecided", rate, rate_of, abs(1 - rate), "")
    growth = _grows(symbol, [_within_a_row(symbol)], within)
    if growth is not None:
        return growth
    for attempt in (_norm_sum, _accretive):
        proof, bound, reason = attempt(symbol)
        if proof:
            return _bounded(symbol, estimate, proof, bound, reason)
    growth = _growth_of_a_wave(symbol, waves, angle) or _growth_at_a_width(symbol)
    if growth is not None:
        return growth
    if symbol.is_quadrant and bidisk.is_small(symbol):
        return _exactly(symbol, estimate)
    inverse = approximate_inverse(symbol)
    if inverse is not None:
        proof = {
            "kind": "approximate inverse", "rows": inverse.rows, "columns": inverse.columns,
        }  # fmt: skip
        reason = f"an approximate inverse of {inverse.rows} rows leaves {inverse.residual:.2g} < 1"
        return _bounded(symbol, estimate, proof, inverse.bound, reason)
    return _undecided(symbol, estimate)


def decide_at_width(symbol: Symbol, width: int, overall: Verdict) -> Verdict:
    """Decide about images of one width and any height, given the verdict about all sizes."""
    if overall.verdict == "bounded":
        return replace(overall, reason="images of every size stay bounded")
    effective = 1 if symbol.is_quadrant else width
    rate_of = f"from row to row, on images {_pixels(width)} wide"
    if effective * symbol.channels * symbol.anchor[0] > LARGEST_WIDTH:
        reason = f"not tried: the matrix from row to row has more than {LARGEST_WIDTH} rows"
        return Verdict("undecided", overall.rate, overall.rate_of, overall.margin, reason)
    recursion = replace(_at_a_width(symbol, effective), rate_of=rate_of)
    rate = transfer.row_to_row_rate(symbol, width)
    growth = _grows(symbol, [recursion], rate)
    if growth is not None:
        return growth
    if transfer.decays_at_width(symbol, width):
        reason = "a power of the matrix from row to row has a norm below 1"
        rate = min(rate, float(np.nextafter(1, 0)))
        return Verdict("bounded", rate, rate_of, 1 - rate, reason)
    reason = "rounding hides whether the matrix from row to row has a power with a norm below 1"
    return Verdict("undecided", rate, rate_of, abs(1 - rate), reason)


def sealed(verdict: Verdict, kernel: Array, anchor: tuple[int, int], symbol: Symbol) -> Verdict:
    """Complete the proof of a verdict with D and with the fingerprint of the kernel."""
    if verdict.proof is None:
        return verdict
    proof = {SCHEMA: schema("certificate"), "verdict": verdict.verdict, **verdict.proof}
    proof["balance"] = list(symbol.balance)
    proof["fingerprint"] = fingerprint(kernel, anchor, proof)
    # M = D^{-1} M(taps) D / scale: the bound in units of the kernel
    spread = Fraction(2) ** (max(symbol.balance) - min(symbol.balance))
    factor = symbol.scale / (1 << symbol.bits) * spread
    bound = verdict.bound
    if isfinite(bound):
        bound = to_float(Fraction(bound) * factor) * (1 + 1e-12)
    if isfinite(bound):
        proof["bound"] = bound
        proof["fingerprint"] = fingerprint(kernel, anchor, proof)
    return replace(verdict, proof=proof, bound=bound)


# ---- growing -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recursion:
    """A recursion A_0 x_i + A_1 x_{i-1} + ... = y_i that grows iff det(sum A_k w^k) has a zero.

    The zeros that count have |w| <= 1. `coefficients` are the A_k in floating point, and
    `polynomial()` the determinant in integers.
    """

    coefficients: np.ndarray
    polynomial: Callable[[], list[int]]
    proof: dict[str, Any]
    rate_of: str
    reason: str

    __repr__ = short_repr


def _grows(symbol, recursions, rate):
    """Prove that one of some recursions grows, of which the rate was estimated, or return None.

    By an isolated zero if one of them has it, otherwise by Schur and Cohn's test.
    """
    degree = len(recursions[0].coefficients[0]) * (len(recursions[0].coefficients) - 1)
    clustered = degree >= MULTIPLE and recursions[0].proof["kind"] != "width"
    if rate <= (MULTIPLE_RATE if clustered else 1 - NEAR_ONE):
        return None
    attempts = [_isolated] if rate > 1 + float(EDGE) and not symbol.underflows else []
    if degree <= LARGEST_DEGREE and degree**2 * symbol.bits <= LARGEST_WORK:
        attempts.append(partial(_decided, rate=rate))
    verdicts = (attempt(recursion) for attempt in attempts for recursion in recursions)
    return next((verdict for verdict in verdicts if verdict is not None), None)


def _isolated(recursion):
    eigenvalue = dominant(recursion.coefficients)
    if not isfinite(abs(eigenvalue)) or not eigenvalue:
        return None
    zero = isolate_zero(recursion.coefficients, 1 / eigenvalue)
    if zero is None:
        return None
    return _growing(recursion, 1 / abs(zero), recursion.proof | {"zero": [zero.real, zero.imag]})


def _decided(recursion, rate):
    polynomial = recursion.polynomial()
    if has_no_zero_in_closed_disk(polynomial):
        return None
    if has_no_zero_in_closed_disk(dilated(polynomial, 1 - EDGE)):
        rate = 1.0
    elif rate < 1 + NEAR_ONE or not isfinite(rate):
        rate = to_float(1 / smallest_zero(polynomial)) if polynomial[0] else inf
    return _growing(recursion, rate, recursion.proof)


def _growing(recursion, rate, proof):
    margin = abs(rate - 1)
    return Verdict("growing", rate, recursion.rate_of, margin, recursion.reason, proof)


def _within_a_row(symbol):
    q = symbol.anchor[1]
    return Recursion(
        np.moveaxis(symbol.rows_up(symbol.floats, 0)[:, :, q::-1], -1, 0),
        partial(bidisk.row_polynomial, symbol),
        {"kind": "row"},
        WITHIN_A_ROW,
        "det P(0, z) has a zero in the closed unit disk: the response grows within a row",
    )


def _of_a_wave(symbol, tangent):
    angle = np.pi if tangent == "infinity" else 2 * atan(tangent)
    ratio = [1, 0] if tangent == "infinity" else list(Fraction(tangent).as_integer_ratio())
    return Recursion(
        bidisk.wave_coefficients(symbol, tangent),
        partial(bidisk.wave_polynomial, symbol, tangent),
        {"kind": "wave", "tangent": ratio},
        OF_WAVES,
        f"det P(w, z) has a zero with |w| <= 1 for the wave of angle {angle:.4g}: the response "
        "grows from row to row",
    )


def _at_a_width(symbol, width):
    reason = "the matrix from row to row has an eigenvalue of modulus 1 or more"
    if not symbol.is_quadrant:
        reason += f" on images {_pixels(width)} wide"
    return Recursion(
        np.array(transfer.width_matrices(symbol, symbol.floats, width)),
        partial(transfer.width_polynomial, symbol, width),
        {"kind": "width", "width": width},
        f"from row to row, on images {_pixels(width)} wide",
        reason,
    )


def _pixels(count):
    return "1 pixel" if count == 1 else f"{count} pixels"


def _growth_of_a_wave(symbol, rate, angle):
    if rate <= 1 - NEAR_ONE:
        return None
    recursions = [_of_a_wave(symbol, tangent) for tangent in _tangents_near(angle)]
    verdict = _grows(symbol, recursions, rate)
    if verdict is None or verdict.rate == 1:
        return verdict
    rate = max(verdict.rate, rate)  # a rational wave nearby may grow less
    return replace(verdict, rate=rate, margin=rate - 1)


def _tangents_near(angle):
    """Yield rational tangents of half angles, the simplest first; they may be those of pi."""
    if abs(angle) > np.pi - 1e-6:
        yield "infinity"
        return
    exact, seen = Fraction(abs(tan(angle / 2))), set()
    for largest in (1, 2**6, 2**14, 2**30):
        tangent = exact.limit_denominator(largest)
        if tangent not in seen:
            seen.add(tangent)
            yield tangent


def _growth_at_a_width(symbol):
    """Look for a width at which images grow as they get taller, among a few."""
    if not symbol.anchor[0]:
        return None
    for width in (1,) if symbol.is_quadrant else WIDTHS:
        if width * symbol.channels > LARGEST_MATRIX:
            break
        growth = _grows(
            symbol, [_at_a_width(symbol, width)], transfer.row_to_row_rate(symbol, width)
        )
        if growth is not None:
            return growth
    return None


# ---- bounded -------------------------------------------------------------------------------------


def _bounded(symbol, estimate, proof, bound, reason):
    rate = estimate.rate
    if not rate < 1:
        rate = min(_exact_rate(symbol, estimate.rate_of), float(np.nextafter(1, 0)))
    return replace(
        estimate, verdict="bounded", rate=rate, margin=1 - rate, reason=reason, proof=proof,
        bound=bound,
    )  # fmt: skip


def _exact_rate(symbol, rate_of):
    """Return the rate of a row or a wave that a multiple zero, spread by rounding, hides."""
    recursion = _within_a_row(symbol)
    if rate_of == OF_WAVES:
        *_, tangent = _tangents_near(rate_of_waves(symbol)[1])
        recursion = _of_a_wave(symbol, tangent)
    degree = len(recursion.coefficients[0]) * (len(recursion.coefficients) - 1)
    if degree > LARGEST_DEGREE:
        return 1.0
    return to_float(1 / smallest_zero(recursion.polynomial()))


def norm_sum(symbol: Symbol) -> float:
    """Return an upper bound of S for the representative, with all rounding errors."""
    total = 0.0
    (p, q), shape = symbol.anchor, symbol.normalized.shape
    for a, b in np.ndindex(shape[2:]):
        block = symbol.normalized[:, :, a, b]
        block = block - np.eye(shape[0]) if (a, b) == (p, q) else block
        norm = np.linalg.norm(block, 2) if np.isfinite(block).all() else inf
        total += norm * (1 + 1e-11) + float(np.linalg.norm(symbol.normalized_error[:, :, a, b]))
    return total


def _norm_sum(symbol):
    total = norm_sum(symbol)
    if not total < 1:
        return None, inf, ""
    bound = _inverse_norm(symbol) / (1 - total)
    return {"kind": "norm sum"}, bound, "the certificate S < 1"


def _accretive(symbol):
    delta, _ = accretive(symbol)
    if delta is None:
        return None, inf, ""
    reason = f"the symbol is accretive: its Hermitian part is at least {delta:.2g} on all waves"
    return {"kind": "accretive", "delta": delta}, _inverse_norm(symbol) / delta, reason


def _inverse_norm(symbol):
    return float(np.linalg.norm(symbol.inverse, 2)) * (1 + 1e-11)


# ---- either --------------------------------------------------------------------------------------


def _exactly(symbol, estimate):
    outcome = bidisk.decide_quadrant(symbol)
    if outcome == "bounded":
        reason = "det P has no zero in the closed bidisk, decided in integers"
        return _bounded(symbol, estimate, {"kind": "bidisk"}, inf, reason)
    if outcome is None:
        return _undecided(symbol, estimate)
    recursion = _within_a_row(symbol) if outcome == "row" else _of_a_wave(symbol, outcome)
    return _grows(symbol, [recursion], 1.0)


def _undecided(symbol, estimate):
    _, least = accretive(symbol)
    tried = [
        f"S = {norm_sum(symbol):.3g} is not below 1",
        f"the Hermitian part of the symbol goes down to {least:.2g}",
        "an approximate inverse leaves too much" if symbol.is_quadrant else
        "no width up to 24 that could be tried grows",
        "no wave was proved to grow",
    ]  # fmt: skip
    margin = f"the estimated rate is {estimate.rate:.6g} {estimate.rate_of}"
    return replace(estimate, reason=f"tried: {'; '.join(tried)}; {margin}")
