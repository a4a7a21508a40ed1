"""Integer polynomials of one variable: interpolation, zeros in the unit disk, zeros on [0, 1].

A polynomial is the list of its integer coefficients, the constant term first. Nothing here rounds.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from math import comb, gcd, lcm
from typing import Literal

__all__ = [
    "as_integers",
    "dilated",
    "has_no_zero_in_closed_disk",
    "interpolate",
    "smallest_zero",
    "zero_between_0_and_1",
]


def interpolate(
    points: Iterable[int | Fraction], values: Iterable[int | Fraction]
) -> list[Fraction]:
    """Return the polynomial through rational points, as Fractions.

    Newton's divided differences, then Horner's scheme from the last one.
    """
    points, table = [Fraction(x) for x in points], [Fraction(y) for y in values]
    for order in range(1, len(points)):
        for i in range(len(points) - 1, order - 1, -1):
            table[i] = (table[i] - table[i - 1]) / (points[i] - points[i - order])
    polynomial = [table[-1]]
    for x, difference in zip(points[-2::-1], table[-2::-1], strict=True):
        shifted = [Fraction(0), *polynomial]
        for k, coefficient in enumerate(polynomial):
            shifted[k] -= x * coefficient
        shifted[0] += difference
        polynomial = shifted
    return polynomial


def as_integers(polynomial: Sequence[Fraction]) -> list[int]:
    """Multiply Fractions by a positive factor that makes them coprime integers."""
    scale = lcm(*(c.denominator for c in polynomial))
    return primitive([int(c * scale) for c in polynomial])


def primitive(polynomial: Iterable[int]) -> list[int]:
    """Divide by the greatest common divisor and drop leading zeros."""
    polynomial = list(polynomial)
    while len(polynomial) > 1 and not polynomial[-1]:
        polynomial.pop()
    divisor = gcd(*polynomial)
    return [c // divisor for c in polynomial] if divisor > 1 else polynomial


def has_no_zero_in_closed_disk(polynomial: Iterable[int]) -> bool:
    """Decide whether all zeros have modulus above 1 (Schur and Cohn).

    If |c_0| <= |c_n|, the product of the zeros is at most 1 in modulus, so one of them is. If
    |c_0| > |c_n|, then c_0 f(z) - c_n z^n f(1/z) is a polynomial of lower degree, and by Rouche's
    theorem has as many zeros in the closed disk as f: on the circle the two terms have the moduli
    |c_0| |f| and |c_n| |f|.
    """
    f = primitive(polynomial)
    while len(f) > 1:
        first, last = f[0], f[-1]
        if abs(first) <= abs(last):
            return False
        f = primitive([first * a - last * b for a, b in zip(f[:-1], f[:0:-1], strict=True)])
    return f[0] != 0


def dilated(polynomial: Sequence[int], radius: int | Fraction) -> list[int]:
    """Return f(radius z) for a rational radius, up to a positive factor."""
    radius, n = Fraction(radius), len(polynomial) - 1
    return [
        c * radius.numerator**k * radius.denominator ** (n - k) for k, c in enumerate(polynomial)
    ]


def smallest_zero(polynomial: Iterable[int], bits: int = 40) -> Fraction:
    """Return the smallest modulus of a zero of f, f(0) != 0, to a relative 2^-bits.

    By bisection with Schur and Cohn's test: first of its exponent of two, which Cauchy's bounds
    hold in, then of its digits.
    """
    polynomial = primitive(polynomial)
    length = max(abs(c).bit_length() for c in polynomial) + 2
    low, high = -length, length
    while high - low > 1:
        middle = (low + high) // 2
        if has_no_zero_in_closed_disk(dilated(polynomial, Fraction(2) ** middle)):
            low = middle
        else:
            high = middle
    low, high = Fraction(2) ** low, Fraction(2) ** high
    for _ in range(bits):
        middle = (low + high) / 2
        if has_no_zero_in_closed_disk(dilated(polynomial, middle)):
            low = middle
        else:
            high = middle
    return low


def to_bernstein(polynomial: Sequence[int]) -> list[int]:
    """Return the Bernstein coefficients of f on [0, 1], times a positive factor, as integers."""
    n = len(polynomial) - 1
    scaled = [Fraction(c, comb(n, k)) for k, c in enumerate(polynomial)]
    values = [sum(comb(j, k) * scaled[k] for k in range(j + 1)) for j in range(n + 1)]
    scale = lcm(*(value.denominator for value in values))
    return [int(value * scale) for value in values]


def zero_between_0_and_1(
    polynomial: Sequence[int], depth: int = 200
) -> Fraction | Literal["unknown"] | None:
    """Find a zero of a polynomial on [0, 1] that is positive at 0, or prove that there is none.

    A polynomial lies in the convex hull of its Bernstein coefficients, so it has no zero where
    all are positive; otherwise the interval is halved (de Casteljau). Returns None if there is no
    zero, a rational number at which f <= 0, or "unknown" beyond a depth of halvings: a zero of
    even multiplicity can be seen by no sign.
    """
    pending = [(Fraction(0), Fraction(1), to_bernstein(polynomial))]
    while pending:
        start, width, values = pending.pop()
        if all(value > 0 for value in values):
            continue
        if values[0] <= 0:
            return start
        if values[-1] <= 0:
            return start + width
        if width.denominator.bit_length() > depth:
            return "unknown"
        left, right = _halves(values)
        half = width / 2
        pending += [(start + half, half, right), (start, half, left)]
    return None


def _halves(values):
    """Return the Bernstein coefficients on both halves, all times 2^n."""
    n = len(values) - 1
    row, left, right = list(values), [], []
    for k in range(n + 1):
        left.append(row[0] << (n - k))
        right.append(row[-1] << (n - k))
        row = [a + b for a, b in pairwise(row)]
    return left, right[::-1]
