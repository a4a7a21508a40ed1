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

from cinc_ref.theory.exact import matrix_inverse, to_integers
from cinc_ref.theory.substitution import is_clearly_invertible

EPS = float(np.finfo(float).eps)

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
    """

    taps: np.ndarray
    anchor: tuple[int, int]
    balance: tuple[int, ...]
    scale: Fraction

    @property
    def channels(self):
        """Return C."""
        return len(self.taps)

    @property
    def is_quadrant(self):
        """Return whether no tap lies right of the anchor."""
        return self.taps.shape[3] == self.anchor[1] + 1

    @cached_property
    def floats(self):
        """Return the taps over a power of two, rounded to float64, the largest in [1/2, 1)."""
        flat = [_quotient(int(tap), 1 << self.bits) for tap in self.taps.ravel()]
        return np.array(flat).reshape(self.taps.shape)

    @cached_property
    def bits(self):
        """Return the length of the largest tap in bits."""
        return max(int(tap).bit_length() for tap in self.taps.ravel())

    @cached_property
    def has_exact_inverse(self):
        """Return whether `inverse` stands for B^{-1} exactly, and not for its rounded entries."""
        corner = self.floats[:, :, *self.anchor]
        return self.channels <= EXACT_CHANNELS or not is_clearly_invertible(corner)

    @cached_property
    def inverse(self):
        """Return X, the inverse of B (over the power of two in `floats`), in float64."""
        if self.has_exact_inverse:
            numerators, denominator = to_integers(self._exact_inverse)
            flat = [_quotient(int(n) << self.bits, denominator) for n in numerators.ravel()]
            return np.array(flat).reshape(numerators.shape)
        return np.linalg.inv(self.floats[:, :, *self.anchor])

    @cached_property
    def _exact_inverse(self):
        return matrix_inverse(self.taps[:, :, *self.anchor])

    @cached_property
    def normalized(self):
        """Return X times the taps in float64, the symbol X P."""
        if self.has_exact_inverse:
            numerators, denominator = to_integers(self._exact_inverse)
            product = np.tensordot(numerators, self.taps, axes=1)
            flat = [_quotient(int(number), denominator) for number in product.ravel()]
            return np.array(flat).reshape(product.shape)
        return np.tensordot(self.inverse, self.floats, axes=1)

    @cached_property
    def normalized_error(self):
        """Return a bound of the rounding errors in `normalized`, entry by entry."""
        if self.has_exact_inverse:
            return EPS * np.abs(self.normalized)
        magnitude = np.tensordot(np.abs(self.inverse), np.abs(self.floats), axes=1)
        return (self.channels + 3) * EPS * magnitude

    def rows_up(self, kernel, up):
        """Return the taps `up` rows above the anchor of a kernel of this shape, (C, C, kw)."""
        return kernel[:, :, self.anchor[0] - up]


def _quotient(numerator, denominator):
    """Round a ratio of integers to float64; infinite beyond 1.8e308."""
    try:
        return numerator / denominator
    except OverflowError:
        return np.copysign(np.inf, numerator)


def symbol_of(kernel, anchor):
    """Return the `Symbol` of a kernel of integers, Fractions or floats."""
    p, q = anchor
    taps, denominator = to_integers(kernel[:, :, : p + 1])
    rows = np.flatnonzero((taps != 0).any(axis=(0, 1, 3)))
    columns = np.flatnonzero((taps != 0).any(axis=(0, 1, 2)))
    top, left = int(rows[0]), min(int(columns[0]), q)
    taps = taps[:, :, top:, left : max(int(columns[-1]), q) + 1]
    exponents = _balance(taps)
    lowest = min(exponents)
    up = np.array([1 << (e - lowest) for e in exponents], dtype=object)
    down = np.array([1 << (max(exponents) - e) for e in exponents], dtype=object)
    taps = taps * up[:, None, None, None] * down[:, None, None]
    twos = min((int(tap) & -int(tap)).bit_length() - 1 for tap in taps.ravel() if tap)
    scale = Fraction(denominator << (max(exponents) - lowest), 1 << twos)
    return Symbol(taps >> twos, (p - top, q - left), tuple(exponents), scale)


def _balance(taps):
    """Return exponents e such that 2^(e_o - e_c) taps[o, c] is balanced; see the module."""
    channels = len(taps)
    size = [
        [max(int(abs(tap)).bit_length() for tap in taps[o, c].ravel()) for c in range(channels)]
        for o in range(channels)
    ]
    reaches = np.array(size) > 0
    np.fill_diagonal(reaches, True)
    for middle in range(channels):  # Warshall: the transitive closure
        reaches |= reaches[:, middle, None] & reaches[middle]
    mutual = reaches & reaches.T
    diagonal = [size[o][o] for o in range(channels) if size[o][o]]
    if not diagonal:
        return [0] * channels
    level = Fraction(sum(diagonal), len(diagonal))
    exponents = [None] * channels
    # Component by component, those first that nothing else is read by: o reads c.
    order = sorted(range(channels), key=lambda o: (int(reaches[o].sum()), o))
    for o in order:
        if exponents[o] is not None:
            continue
        members = [c for c in range(channels) if mutual[o, c]]
        inner = _least_squares(size, members, level)
        couplings = [
            size[member][c] + inner[k] - exponents[c]
            for k, member in enumerate(members)
            for c in range(channels)
            if exponents[c] is not None and size[member][c]
        ]
        shift = int(level) - ONE_WAY - max(couplings) if couplings else 0
        for k, member in enumerate(members):
            exponents[member] = inner[k] + shift
    return exponents


def _least_squares(size, members, level):
    """Minimize the sum of (size[o][c] - level + e_o - e_c)^2 over entries that are not 0, e_0 = 0.

    The solution is rounded to integers. A change of the sizes by integers d_o - d_c changes it by
    them; an odd offset keeps ties from being decided by rounding.
    """
    pairs = [(i, j) for i, o in enumerate(members) for j, c in enumerate(members)
             if o != c and size[o][c]]  # fmt: skip
    if not pairs:
        return [0] * len(members)
    matrix = np.zeros((len(pairs), len(members)))
    gaps = np.array([float(level - size[members[i]][members[j]]) for i, j in pairs])
    rows = np.arange(len(pairs))
    matrix[rows, [i for i, _ in pairs]] += 1
    matrix[rows, [j for _, j in pairs]] -= 1
    solution = np.append(0.0, np.linalg.lstsq(matrix[:, 1:], gaps)[0])
    return [int(e) for e in np.floor(solution + 0.5 + TIE)]
