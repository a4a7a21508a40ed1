r"""Boundedness from an approximate inverse: the certificate that reaches every kernel that decays.

*Theorem.* If for images of every size there is a G with ||M G - 1||_1 <= r < 1 and
||M G - 1||_inf <= s < 1, then ||M^{-1}||_2^2 <= ||G||_1 ||G||_inf / ((1 - r)(1 - s)).

*Proof.* M^{-1} = G (1 + R)^{-1} with R = M G - 1, and ||.||_2^2 <= ||.||_1 ||.||_inf.

*Quadrant taps.* Let G be the convolution with the first rows and columns of the inverse's response.
Products of convolutions with quadrant taps are such convolutions on images of every size, so R is
one as well, and the sums over its taps bound both norms. S < 1 is the case of a single tap B^{-1}.

*Half-plane taps.* Rows of an image still multiply like that, columns do not: near the left and the
right border the inverse is another one. Let G be the response of an image of W0 = 2m + 1 columns,
cut off after some rows and at a distance of n columns from its source, with m = n + r for taps that
reach r columns. Its middle column meets no border, nor does what M makes of it. An image of
W > W0 columns gets the m left columns, the m right ones, and the middle one for all those between:
column by column R is then the same as for W0, so the largest column sum is, too, and a row sum is
at most one from the left columns, one from the right ones and the whole middle column. Widths
below W0 are finitely many, each decided by `transfer.decays_at_width`.
"""

from dataclasses import dataclass

import numpy as np

from cinc_ref._display import short_repr
from cinc_ref.theory.response import response, subtract_taps
from cinc_ref.theory.symbol import EPS, Symbol
from cinc_ref.theory.transfer import decays_at_width

__all__ = ["ApproximateInverse", "approximate_inverse"]

QUADRANT_SIZES = (8, 16, 32, 64, 128)
"""Rows and columns of G that are tried for quadrant taps."""

HALF_PLANE_SIZES = ((12, 3), (24, 6), (48, 10), (96, 16), (192, 24))
"""(Rows, distance of columns) of G that are tried for half-plane taps."""

WORK = 2**33
"""Multiplications that may be spent on one G: one or two seconds' worth."""


@dataclass(frozen=True)
class ApproximateInverse:
    """The size of G, the norms of R = M G - 1, and the bound that follows for ||M^{-1}||_2."""

    rows: int
    columns: int
    residual: float
    bound: float

    __repr__ = short_repr


def approximate_inverse(symbol: Symbol) -> ApproximateInverse | None:
    """Return the first `ApproximateInverse` that proves boundedness, or None."""
    if symbol.underflows:
        return None
    with np.errstate(all="ignore"):
        if symbol.is_quadrant:
            return next(filter(None, (_quadrant(symbol, n) for n in QUADRANT_SIZES)), None)
        for rows, distance in HALF_PLANE_SIZES:
            proof = _half_plane(symbol, rows, distance)
            if proof is not None:
                return proof
    return None


def _quadrant(symbol, size):
    if size**2 * symbol.normalized.size * symbol.channels > WORK:
        return None
    kernel, (p, q) = symbol.floats, symbol.anchor
    shape = (size if p else 1, size if q else 1)
    result, _ = response(kernel, symbol.anchor, shape, symbol.channels)
    padded = np.pad(result, [(0, p), (0, q), (0, 0), (0, 0)])
    rest = _rest(symbol, padded)
    column, row = (float(rest.sum(axis=axes).max()) for axes in ((0, 1, 2), (0, 1, 3)))
    inverse = [float(np.abs(result).sum(axis=axes).max()) for axes in ((0, 1, 2), (0, 1, 3))]
    return _proof(*shape, (column, row), inverse)


def _half_plane(symbol, rows, distance):
    """Cut off G after so many rows and at a distance of so many columns."""
    kernel, (p, q), channels = symbol.floats, symbol.anchor, symbol.channels
    reach = max(q, kernel.shape[3] - 1 - q)
    margin = distance + reach
    width = 2 * margin + 1
    sources = width * channels
    if rows * sources**2 * kernel[0].size > WORK:
        return None
    result, _ = response(kernel, symbol.anchor, (rows, width), sources)
    column = np.arange(sources) // channels
    near = np.abs(np.arange(width)[:, None] - column) <= distance
    result = result * near[None, :, None, :]
    rest = _rest(symbol, np.pad(result, [(0, p), (0, 0), (0, 0), (0, 0)]))
    residuals = _norms_of_every_width(rest, column, margin)
    if not max(residuals) < 1 or not all(decays_at_width(symbol, w) for w in range(1, width)):
        return None
    inverse = _norms_of_every_width(np.abs(result), column, margin)
    return _proof(rows, distance, residuals, inverse, narrow=True)


def _norms_of_every_width(magnitudes, column, margin):
    """Return bounds of the 1- and the infinity norm of an operator with such columns."""
    sums = magnitudes.sum(axis=(0, 1, 2))
    by_row = magnitudes.sum(axis=0)  # (W, C, sources)
    left = by_row[:, :, column < margin].sum(axis=2).max()
    right = by_row[:, :, column > margin].sum(axis=2).max()
    middle = by_row[:, :, column == margin].sum(axis=(0, 2)).max()
    return float(sums.max()), float(left + right + middle)


def _rest(symbol, result):
    """Return a bound of |1 - M G| with its rounding errors, for a G that ends in rows of zeros."""
    kernel, (p, q) = symbol.floats, symbol.anchor
    rest, minus_magnitude = np.zeros_like(result), np.zeros_like(result)
    sources = result.shape[3]
    rest[0].reshape(-1, sources)[range(sources), range(sources)] = 1
    magnitudes = np.abs(result)
    for i in range(len(result)):
        for a in range(max(0, p - i), p + 1):
            subtract_taps(rest[i], kernel[:, :, a], result[i - p + a], q)
            subtract_taps(minus_magnitude[i], np.abs(kernel[:, :, a]), magnitudes[i - p + a], q)
    return np.abs(rest) - (kernel[0].size + 8) * EPS * minus_magnitude


def _proof(rows, columns, residuals, inverse, narrow=False):
    if not max(residuals) < 1:
        return None
    bound = (inverse[0] * inverse[1] / ((1 - residuals[0]) * (1 - residuals[1]))) ** 0.5
    return ApproximateInverse(rows, columns, max(residuals), np.inf if narrow else bound)
