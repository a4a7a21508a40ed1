r"""Whether the inverse stays bounded as the image grows: decided with a proof, or not at all.

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

from dataclasses import dataclass, replace
from fractions import Fraction
from math import inf, isfinite, tan

import numpy as np

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
from cinc_ref.theory.waves import rate_of_waves, rate_within_a_row

NEAR_ONE = 1e-3
"""Rates above 1 minus this are tried for growth: rounding may have hidden it."""

EDGE = Fraction(1, 2**20)
"""Growth by a factor below 1 + 2^-20 a step counts as polynomial: its rate is 1."""

WIDTHS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24)
"""Widths at which half-plane taps are tried for growth."""

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
        How far the rate is from 1; 0 where the rate does not decide.
    reason : str
    proof : dict or None
        For `check_certificate`; None if undecided.
    bound : float
        A bound of ||M^{-1}||_2 for all sizes; infinite if none was proved.
    """

    verdict: str
    rate: float
    rate_of: str
    margin: float
    reason: str
    proof: dict | None = None
    bound: float = inf


def decide(symbol):
    """Decide about images of any size; the proof lacks `sealed` yet."""
    within = rate_within_a_row(symbol)
    row = _growth_within_a_row(symbol, within)
    if row is not None:
        return row
    waves, angle = rate_of_waves(symbol)
    rate, rate_of = max((within, WITHIN_A_ROW), (waves, OF_WAVES))
    estimate = Verdict("undecided", rate, rate_of, 0.0, "")
    for attempt in (_norm_sum, _accretive):
        proof, bound, reason = attempt(symbol)
        if proof:
            return _bounded(symbol, estimate, proof, bound, reason)
    growth = _growth_of_a_wave(symbol, waves, angle) or _growth_at_a_width(symbol)
    if growth is not None:
        return growth
    if symbol.is_quadrant and bidisk.resultant_degree(symbol) <= bidisk.LARGEST_DEGREE:
        return _exactly(symbol, estimate)
    inverse = approximate_inverse(symbol)
    if inverse is not None:
        proof = {
            "kind": "approximate inverse", "rows": inverse.rows, "columns": inverse.columns,
        }  # fmt: skip
        reason = f"an approximate inverse of {inverse.rows} rows leaves {inverse.residual:.2g} < 1"
        return _bounded(symbol, estimate, proof, inverse.bound, reason)
    return _undecided(symbol, estimate)


def decide_at_width(symbol, width, overall):
    """Decide about images of one width and any height, given the verdict about all sizes."""
    rate_of = f"from row to row, on images {width} pixels wide"
    rate = transfer.row_to_row_rate(symbol, width)
    if overall.verdict == "bounded":
        rate = min(rate, np.nextafter(1, 0))
        return replace(
            overall, rate=rate, rate_of=rate_of, margin=1 - rate,
            reason="images of every size are", proof=overall.proof,
        )  # fmt: skip
    effective = 1 if symbol.is_quadrant else width
    if rate > 1 - NEAR_ONE and transfer.degree(symbol, effective) <= transfer.LARGEST_DEGREE:
        if transfer.grows_at_width(symbol, effective):
            return _growing_at_width(symbol, effective, rate, rate_of)
    if transfer.decays_at_width(symbol, width):
        rate = min(rate, float(np.nextafter(1, 0)))
        reason = "a power of the matrix from row to row has a norm below 1"
        return Verdict("bounded", rate, rate_of, 1 - rate, reason)
    reason = "rounding hides whether the matrix from row to row has a power with a norm below 1"
    return Verdict("undecided", rate, rate_of, 0.0, reason)


def sealed(verdict, kernel, anchor, symbol):
    """Complete the proof of a verdict with D and with the fingerprint of the kernel."""
    if verdict.proof is None:
        return verdict
    proof = {"verdict": verdict.verdict, **verdict.proof, "balance": list(symbol.balance)}
    proof["fingerprint"] = fingerprint(kernel, anchor, proof)
    # M = D^{-1} M(taps) D / scale: the bound in units of the kernel
    spread = Fraction(2) ** (max(symbol.balance) - min(symbol.balance))
    factor = symbol.scale / (1 << symbol.bits) * spread
    bound = verdict.bound
    if isfinite(bound):
        bound = to_float(Fraction(bound) * factor) * (1 + 1e-12)
        proof["bound"] = bound
        proof["fingerprint"] = fingerprint(kernel, anchor, proof)
    return replace(verdict, proof=proof, bound=bound)


# ---- growing -------------------------------------------------------------------------------------


def _growth_within_a_row(symbol, within):
    if within <= 1 - NEAR_ONE and not _is_clustered(symbol):
        return None
    polynomial = bidisk.row_polynomial(symbol)
    if has_no_zero_in_closed_disk(polynomial):
        return None
    rate = _proved_rate(polynomial, within)
    reason = "det P(0, z) has a zero in the closed unit disk: the response grows within a row"
    return Verdict("growing", rate, WITHIN_A_ROW, abs(rate - 1), reason, {"kind": "row"})


def _is_clustered(symbol):
    """Return whether rounding may hide growth: many taps in a row may be a multiple zero."""
    return symbol.channels * symbol.anchor[1] > 4


def _growth_of_a_wave(symbol, rate, angle):
    if rate <= 1 - NEAR_ONE:
        return None
    for tangent in _tangents_near(angle):
        polynomial = bidisk.wave_polynomial(symbol, tangent)
        if has_no_zero_in_closed_disk(polynomial):
            continue
        rate = _proved_rate(polynomial, rate)
        reason = (
            f"det P(w, z) has a zero with |w| <= 1 at the wave of angle {angle:.4g}: "
            "the response grows from row to row"
        )
        return Verdict("growing", rate, OF_WAVES, abs(rate - 1), reason, _wave_proof(tangent))
    return None


def _wave_proof(tangent):
    if tangent == "infinity":
        return {"kind": "wave", "tangent": [1, 0]}
    return {"kind": "wave", "tangent": list(Fraction(tangent).as_integer_ratio())}


def _tangents_near(angle):
    """Yield rational tangents of half angles, the simplest first."""
    if angle > np.pi - 1e-6:
        yield "infinity"
        return
    exact = Fraction(tan(angle / 2))
    seen = set()
    for largest in (1, 2**6, 2**14, 2**30):
        tangent = exact.limit_denominator(largest)
        if tangent not in seen:
            seen.add(tangent)
            yield tangent


def _growth_at_a_width(symbol):
    """Look for a width at which images grow as they get taller, among a few."""
    for width in WIDTHS[: 1 if symbol.is_quadrant else None]:
        if transfer.degree(symbol, width) > transfer.LARGEST_DEGREE:
            return None
        rate = transfer.row_to_row_rate(symbol, width)
        if rate > 1 - NEAR_ONE and transfer.grows_at_width(symbol, width):
            rate_of = f"from row to row, on images {width} pixels wide"
            return _growing_at_width(symbol, width, rate, rate_of)
    return None


def _growing_at_width(symbol, width, rate, rate_of):
    rate = _proved_rate(transfer.width_polynomial(symbol, width), rate)
    reason = "the matrix from row to row has an eigenvalue of modulus 1 or more"
    if not symbol.is_quadrant:
        reason += f" on images {width} pixels wide"
    proof = {"kind": "width", "width": width}
    return Verdict("growing", rate, rate_of, abs(rate - 1), reason, proof)


def _proved_rate(polynomial, rate):
    """Return 1 if no zero lies inside the disk, the reciprocal of the smallest one if needed."""
    if not isfinite(rate) or rate <= 1 + 1e-2:
        if has_no_zero_in_closed_disk(dilated(polynomial, 1 - EDGE)):
            return 1.0
        if len(polynomial) <= transfer.LARGEST_DEGREE:
            return 1 / smallest_zero(polynomial, 1.0) if polynomial[0] else inf
    return rate


# ---- bounded -------------------------------------------------------------------------------------


def _bounded(symbol, estimate, proof, bound, reason):
    rate = estimate.rate
    if not rate < 1:  # a multiple zero, which rounding spreads over a disk
        polynomial = bidisk.row_polynomial(symbol)
        rate = 1 / smallest_zero(polynomial, 1.0) if len(polynomial) > 1 else 0.0
        rate = min(rate, float(np.nextafter(1, 0)))
    return replace(
        estimate, verdict="bounded", rate=rate, margin=1 - rate, reason=reason, proof=proof,
        bound=bound,
    )  # fmt: skip


def norm_sum(symbol):
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
    polynomial = bidisk.wave_polynomial(symbol, outcome)
    rate = _proved_rate(polynomial, 1.0)
    reason = "det P has a zero in the closed bidisk, decided in integers"
    return Verdict("growing", rate, OF_WAVES, abs(rate - 1), reason, _wave_proof(outcome))


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
    return replace(estimate, margin=0.0, reason=f"tried: {'; '.join(tried)}; {margin}")
