r"""The symbol of a convolution, from its exact entries, in a scaling that does not matter.

With u = p - a the rows and v = q - b the columns that a tap lies before its pixel,

.. math:: P(w, z) = \sum_{a,b} K[:, :, a, b]\, w^u z^v = \sum_u T_u(z)\, w^u .

Whether M^{-1} stays bounded on images of any size depends on P alone, and neither on the scale of
the kernel nor on units of the channels: for a diagonal matrix D,

    D M(K) D^{-1} = M(D K D^{-1}),   ||M(K)^{-1}|| <= cond(D) ||M(D K D^{-1})^{-1}||.

So every decision here is made for one representative: integers, without outer rows and columns of
zeros, and balanced by powers of two so that kernels that differ only by such a D (of powers of
two) have the same representative. Channels that influence one another get off-diagonal entries as
large as the diagonal ones, in the sense of least squares of log2; where the influence goes one way
only, it can be made small, and is.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from cinc_ref._display import short_repr
from cinc_ref._typing import Array, FloatArray
from cinc_ref.theory.exact import matrix_inverse, to_integers
from cinc_ref.theory.substitution import is_clearly_invertible

__all__ = ["EPS", "Symbol", "symbol_of"]

EPS = float(np.finfo(float).eps)

TINY = 2.0**-1070
"""More than the error of a number that underflows."""

EXACT_CHANNELS = 16
"""The number of channels up to which B is inverted in Fractions: 0.1 s."""

TIE = 0.000137
"""An offset to round by that no sum of integers over a number of channels comes near."""

ONE_WAY = 16
"""Couplings that go one way are at most 2^-16 times the diagonal."""


@dataclass(frozen=True, eq=False)
class Symbol:
    """The representative of a kernel.

    Attributes
    ----------
    taps : ndarray of int, shape (C, C, kh, kw)
        Proportional to D K D^{-1}; no tap lies below the anchor's row.
    anchor : (int, int)
    balance : tuple of int
        D = diag(2^e), one exponent e for every channel.
    scale : Fraction
        taps = scale D K D^{-1}.
    exact_inverse : (ndarray of int, int) or None
        Numerators and denominator of the inverse of the corner block of `taps`; None for many
        channels, where floating point does.
    """

    taps: Array
    anchor: tuple[int, int]
    balance: tuple[int, ...]
    scale: Fraction
    exact_inverse: tuple[Array, int] | None

    __repr__ = short_repr

    @property
    def channels(self) -> int:
        """Return C."""
        return len(self.taps)

    @property
    def is_quadrant(self) -> bool:
        """Return whether no tap lies right of the anchor."""
        return self.taps.shape[3] == self.anchor[1] + 1

    @cached_property
    def bits(self) -> int:
        """Return the length of the largest tap in bits."""
        return max(int(tap).bit_length() for tap in self.taps.ravel())

    @cached_property
    def floats(self) -> FloatArray:
        """Return the taps over a power of two, rounded to float64, the largest in [1/2, 1)."""
        return _quotients(self.taps, 1 << self.bits)

    @cached_property
    def underflows(self) -> bool:
        """Return whether some entry of `floats` is too small to be good to a relative eps."""
        return bool(((np.abs(self.floats) < 2.0**-1000) & (self.taps != 0)).any())

    @cached_property
    def inverse(self) -> FloatArray:
        """Return X, the inverse of B (over the power of two in `floats`), in float64."""
        if self.exact_inverse is None:
            return np.linalg.inv(self.floats[:, :, *self.anchor])
        numerators, denominator = self.exact_inverse
        return _quotients(numerators << self.bits, denominator)

    @cached_property
    def normalized(self) -> FloatArray:
        """Return X times the taps in float64, the symbol X P."""
        if self.exact_inverse is None:
            return np.tensordot(self.inverse, self.floats, axes=1)
        numerators, denominator = self.exact_inverse
        return _quotients(np.tensordot(numerators, self.taps, axes=1), denominator)

    @cached_property
    def normalized_error(self) -> FloatArray:
        """Return a bound of the rounding errors in `normalized`, entry by entry."""
        if self.exact_inverse is not None:
            return EPS * np.abs(self.normalized) + TINY
        magnitude = np.tensordot(np.abs(self.inverse), np.abs(self.floats), axes=1)
        return (self.channels + 3) * EPS * magnitude

    def rows_up(self, kernel: Array, up: int) -> Array:
        """Return the taps `up` rows above the anchor of a kernel of this shape, (C, C, kw)."""
        return kernel[:, :, self.anchor[0] - up]


def _quotients(numerators, denominator):
    """Round ratios of integers to float64; infinite beyond 1.8e308."""
    flat = [_quotient(int(number), denominator) for number in numerators.ravel()]
    return np.array(flat).reshape(numerators.shape)


def _quotient(numerator, denominator):
    try:
        return numerator / denominator
    except OverflowError:
        return np.inf if numerator > 0 else -np.inf


def symbol_of(kernel: Array, anchor: tuple[int, int]) -> Symbol:
    """Return the `Symbol` of a kernel of integers, Fractions or floats."""
    p, q = anchor
    taps, denominator = to_integers(kernel[:, :, : p + 1])
    rows = np.flatnonzero((taps != 0).any(axis=(0, 1, 3)))
    columns = np.flatnonzero((taps != 0).any(axis=(0, 1, 2)))
    top, left = int(rows[0]), min(int(columns[0]), q)
    taps = taps[:, :, top:, left : max(int(columns[-1]), q) + 1]
    anchor = (p - top, q - left)
    inverse = _exact_inverse(taps[:, :, *anchor])
    exponents = _balance(_sizes(taps, anchor, inverse))
    spread = max(exponents) - min(exponents)
    up = np.array([1 << (e - min(exponents)) for e in exponents], dtype=object)
    down = np.array([1 << (max(exponents) - e) for e in exponents], dtype=object)
    taps = taps * up[:, None, None, None] * down[:, None, None]
    twos = min((int(tap) & -int(tap)).bit_length() - 1 for tap in taps.ravel() if tap)
    if inverse is not None:  # of taps times 2^(spread - twos) D (...) D^{-1}
        numerators = inverse[0] * up[:, None] * down << twos
        inverse = numerators, inverse[1] << (2 * spread)
    scale = Fraction(denominator << spread, 1 << twos)
    return Symbol(taps >> twos, anchor, tuple(exponents), scale, inverse)


def _exact_inverse(corner):
    """Return numerators and denominator of the inverse of integers, or None if floats will do."""
    bits = max(int(entry).bit_length() for entry in corner.ravel())
    floats = _quotients(corner, 1 << bits)
    if len(corner) > EXACT_CHANNELS and is_clearly_invertible(floats):
        return None
    return to_integers(matrix_inverse(corner))


def _sizes(taps, anchor, inverse):
    """Return log2 of the largest tap of B^{-1} K for every pair of channels, -inf for none.

    They are exact differences of lengths in bits, so D changes them by integers.
    """
    if inverse is None:
        bits = max(int(tap).bit_length() for tap in taps.ravel())
        floats = _quotients(taps, 1 << bits)
        normalized = np.tensordot(np.linalg.inv(floats[:, :, *anchor]), floats, axes=1)
        normalized[:, :, *anchor] = 0
        largest = np.abs(normalized).max(axis=(2, 3))
        return np.where(largest > 0, np.frexp(largest)[1], -np.inf)
    numerators, denominator = inverse
    product = np.tensordot(numerators, taps, axes=1)
    product[:, :, *anchor] = 0
    largest = np.abs(product).max(axis=(2, 3))
    shift = denominator.bit_length()
    sizes = [int(number).bit_length() - shift if number else -np.inf for number in largest.ravel()]
    return np.array(sizes).reshape(largest.shape)


def _balance(sizes):
    """Return exponents e such that sizes[o, c] + e_o - e_c is balanced; see the module."""
    channels = len(sizes)
    reaches = np.isfinite(sizes)
    np.fill_diagonal(reaches, True)
    for middle in range(channels):  # Warshall: the transitive closure
        reaches |= reaches[:, middle, None] & reaches[middle]
    mutual = reaches & reaches.T
    exponents = [None] * channels
    for o in sorted(range(channels), key=lambda o: (int(reaches[o].sum()), o)):
        if exponents[o] is not None:
            continue
        members = np.flatnonzero(mutual[o])
        inner = _least_squares(sizes[np.ix_(members, members)])
        couplings = [
            sizes[member, c] + inner[k] - exponents[c]
            for k, member in enumerate(members)
            for c in range(channels)
            if exponents[c] is not None and np.isfinite(sizes[member, c])
        ]
        shift = -ONE_WAY - int(max(couplings)) if couplings else 0
        for k, member in enumerate(members):
            exponents[member] = inner[k] + shift
    return exponents


def _least_squares(sizes):
    """Minimize the sum of (sizes[o, c] + e_o - e_c)^2 over entries that are not -inf, e_0 = 0.

    The solution is rounded to integers. A change of the sizes by integers d_o - d_c changes it by
    them; an odd offset keeps ties from being decided by rounding.
    """
    first, second = np.nonzero(np.isfinite(sizes) & ~np.eye(len(sizes), dtype=bool))
    if not len(first):
        return [0] * len(sizes)
    matrix, rows = np.zeros((len(first), len(sizes))), np.arange(len(first))
    matrix[rows, first], matrix[rows, second] = 1, -1
    solution = np.linalg.lstsq(matrix[:, 1:], -sizes[first, second])[0]
    return [0, *(int(e) for e in np.floor(solution + 0.5 + TIE))]
