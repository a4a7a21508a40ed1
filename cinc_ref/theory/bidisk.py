r"""Growth decided exactly, from the zeros of det P(w, z) in and around the unit bidisk.

*Within a row.* If det T_0(z) = 0 for some |z| <= 1, the inverse is unbounded: the response along
one row is the power series of T_0^{-1}, and on the disk ||T_0(z)^{-1}|| has no bound near z.

*From row to row of a wave.* If det P(w, z) = 0 for some |z| = 1, |w| <= 1, with P v = 0 there, the
image v z^{-j} w^{-i}, cut to a window of n by n pixels far from the borders and tapered, is mapped
to an image smaller by a factor that tends to 0 as n grows, so the inverse is unbounded. This holds
for half-plane taps, too.

*The converse, for taps in one quadrant.* Then M^{-1} on an H x W image is the power series of
P^{-1} up to w^{H-1} z^{W-1}, and sup ||M^{-1}||_2 over all sizes is the supremum of ||P^{-1}|| on
the open bidisk. It is finite iff det P has no zero in the closed bidisk, and that is so iff
(Huang 1972; DeCarlo, Murray and Saeks 1977)

1. det T_0(z) != 0 for |z| <= 1,
2. det P(w, 1) != 0 for |w| <= 1,
3. det P(w, z) != 0 for |w| = |z| = 1.

1 and 2 are decided by Schur and Cohn's test. For 3, let f = det P(., z) of degree n and
f* = w^n f(1/w, 1/z): on the circle |z| = 1 a zero of f with |w| = 1 is one of f*. Their resultant
is a polynomial G in x = (z + 1/z)/2, and by 1 and 2 the zeros of f cannot come into the disk, as
z moves along the circle from 1, without a zero of G on -1 <= x <= 1; conversely, G = 0 there means
that w and 1/conj(w) are both zeros, one of which is in the closed disk. G is interpolated from
integers z = 1, 2, 3, ..., and has no zero on [-1, 1] if its Bernstein coefficients on the parts of
a subdivision have one sign. Everything is in integers; nothing is rounded.
"""

from fractions import Fraction
from math import isqrt

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.theory.exact import bareiss
from cinc_ref.theory.polynomials import (
    as_integers,
    has_no_zero_in_closed_disk,
    interpolate,
    zero_between_0_and_1,
)
from cinc_ref.theory.symbol import Symbol

__all__ = ["decide_quadrant", "is_small", "row_polynomial", "wave_coefficients", "wave_polynomial"]

LARGEST_DEGREE = 64
"""The degree of G up to which a decision takes a few seconds."""

LARGEST_WORK = 2**18
"""The square of that degree times the bits of the taps up to which it does."""


def row_polynomial(symbol: Symbol) -> list[int]:
    """Return det T_0(z) as integer coefficients of z."""
    q = symbol.anchor[1]
    taps = symbol.rows_up(symbol.taps, 0)[:, :, q::-1]
    return as_integers(_determinant_of_polynomial(taps))


def wave_polynomial(symbol: Symbol, tangent: Fraction | str) -> list[int]:
    """Return |det P(w, z)|^2 for real w as integer coefficients, at a rational point z.

    z = (1 + i t)^2 / (1 + t^2) for the rational t = tan(theta / 2); "infinity" stands for z = -1.
    The zeros are those of det P(w, z) and their conjugates.
    """
    real, imaginary = zip(
        *(_taps_at(symbol, up, tangent) for up in range(symbol.anchor[0] + 1)), strict=True
    )
    blocks = [np.block([[a, -b], [b, a]]) for a, b in zip(real, imaginary, strict=True)]
    return as_integers(_determinant_of_polynomial(np.stack(blocks, axis=2)))


def wave_coefficients(symbol: Symbol, tangent: Fraction | str) -> Array:
    """Return T_0(z), ..., T_p(z) at a rational point z in floating point, up to a factor."""
    parts = [_taps_at(symbol, up, tangent) for up in range(symbol.anchor[0] + 1)]
    largest = max(abs(int(x)) for pair in parts for part in pair for x in part.ravel())
    values = [
        [
            complex(int(x) / largest, int(y) / largest)
            for x, y in zip(*map(np.ravel, pair), strict=True)
        ]
        for pair in parts
    ]
    return np.array(values).reshape(len(parts), symbol.channels, symbol.channels)


def _taps_at(symbol, up, tangent):
    """Return the real and imaginary part of T_up(z), times a power of 1 + t^2 common to all up."""
    q, width = symbol.anchor[1], symbol.taps.shape[3]
    if tangent == "infinity":
        numerator, denominator = 1, 0
    else:
        numerator, denominator = Fraction(tangent).as_integer_ratio()
    modulus = numerator**2 + denominator**2
    farthest = max(q, width - 1 - q)
    taps = symbol.rows_up(symbol.taps, up)
    real, imaginary = np.zeros_like(taps[:, :, 0]), np.zeros_like(taps[:, :, 0])
    for b in range(width):
        v = q - b
        a, c = _gaussian_power(denominator, numerator if v >= 0 else -numerator, 2 * abs(v))
        rest = modulus ** (farthest - abs(v))
        real = real + taps[:, :, b] * (a * rest)
        imaginary = imaginary + taps[:, :, b] * (c * rest)
    return real, imaginary


def _gaussian_power(a, b, exponent):
    real, imaginary = 1, 0
    for _ in range(exponent):
        real, imaginary = real * a - imaginary * b, real * b + imaginary * a
    return real, imaginary


def _determinant_of_polynomial(coefficients):
    """Return det(sum_k A_k w^k) for integer matrices A_k, stacked along the last axis."""
    degree = len(coefficients) * (coefficients.shape[2] - 1)
    points = range(-(degree // 2), degree - degree // 2 + 1)
    return interpolate(points, [_determinant_at(coefficients, w) for w in points])


def _determinant_at(coefficients, w):
    matrix = coefficients[:, :, -1]
    for k in range(coefficients.shape[2] - 1)[::-1]:
        matrix = matrix * w + coefficients[:, :, k]
    return bareiss(matrix.tolist())


def decide_quadrant(symbol: Symbol) -> Fraction | str | None:
    """Decide whether det P has a zero in the closed bidisk, for taps in one quadrant.

    Returns
    -------
    str, Fraction, "infinity" or None
        "bounded" if it has none. "row" if det T_0 has one in the closed disk. The tangent t of a
        wave that has one. None if G has a zero of even multiplicity, which no sign shows.
    """
    if not has_no_zero_in_closed_disk(row_polynomial(symbol)):
        return "row"
    for tangent in (Fraction(0), "infinity"):
        if not has_no_zero_in_closed_disk(wave_polynomial(symbol, tangent)):
            return tangent
    zero = zero_between_0_and_1(_resultant(symbol))
    if zero is None:
        return "bounded"
    return None if zero == "unknown" else _tangent_near(symbol, zero)


def is_small(symbol: Symbol) -> bool:
    """Return whether a decision takes about a second at most."""
    degree = resultant_degree(symbol)
    return degree <= LARGEST_DEGREE and degree**2 * symbol.bits <= LARGEST_WORK


def resultant_degree(symbol: Symbol) -> int:
    """Return the largest degree that G can have."""
    p, q = symbol.anchor
    return symbol.channels**2 * p * q


def _resultant(symbol):
    """Return G(1 - 2s) as integer coefficients of s, positive at s = 0."""
    p, q = symbol.anchor
    degree = symbol.channels * p
    points, values = [], []
    for z in range(1, resultant_degree(symbol) + 2):
        powers = np.array([z ** (q - b) for b in range(q + 1)], dtype=object)
        f = _determinant_of_polynomial((symbol.taps @ powers)[:, :, ::-1])
        g = _determinant_of_polynomial((symbol.taps @ powers[::-1])[:, :, ::-1])
        f, g = ([int(c) for c in polynomial] for polynomial in (f, g[::-1]))
        scale = z ** (symbol.channels * q * degree)
        points.append((1 - Fraction(z * z + 1, 2 * z)) / 2)
        values.append(Fraction(_sylvester(f, g), scale))
    polynomial = as_integers(interpolate(points, values))
    return polynomial if polynomial[0] > 0 else [-c for c in polynomial]


def _sylvester(f, g):
    """Return the resultant of two polynomials of the same formal degree."""
    n = len(f) - 1
    rows = [[0] * k + list(h) + [0] * (n - 1 - k) for h in (f, g) for k in range(n)]
    return bareiss(rows) if rows else 1


def _tangent_near(symbol, s):
    """Return a rational t with cos(theta) near 1 - 2s whose wave has a zero, or None."""
    square = s / (1 - s) if s != 1 else None
    if square is None:
        return None
    for bits in (8, 16, 32, 64, 128, 256):
        near = Fraction(isqrt(int(square * (1 << (2 * bits)))), 1 << bits)
        for tangent in (near, near + Fraction(1, 1 << bits)):
            if not has_no_zero_in_closed_disk(wave_polynomial(symbol, tangent)):
                return tangent
    return None
