"""Floating-point sums without rounding errors, and bounds that are rounded upwards.

The functions assume IEEE 754 double precision with rounding to nearest, and nothing about the
order in which a matrix product is summed or whether it uses fused multiply-adds: sums are either
of integers below 2^53, which are exact in any order, or they are bounds that `upper` enlarges by
the largest relative error of any order.
"""

from collections.abc import Iterator

import numpy as np

from cinc_ref._typing import FloatArray, IntegerArray

__all__ = ["OF_ZERO", "ROUNDOFF", "SMALLEST", "exponents", "integer_slices", "two_sum", "upper"]

ROUNDOFF = 2.0**-53
"""The largest relative error of one rounding to double precision."""

SMALLEST = 2.0**-1074
"""The smallest positive double, which is twice the largest error of a result that underflows."""

OF_ZERO = -(10**5)
"""The exponent of 0: so small that 2^e underflows to 0 together with any other exponent."""


def two_sum(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The rounded sum s of two arrays and its exact error e: ``a + b == s + e``.

    References
    ----------
    Knuth, "The Art of Computer Programming", vol. 2, section 4.2.2, theorem B.
    """
    total = a + b
    b_rounded = total - a
    return total, (a - (total - b_rounded)) + (b - b_rounded)


def upper(bound: FloatArray, roundings: int) -> FloatArray:
    """An upper bound of a non-negative number that was computed with so many roundings.

    Every one of them may have lost a relative 2^-53 and none may have underflowed. The factor
    1 + 2 (roundings + 2) 2^-53 is exact below 2^50 roundings; `numpy.nextafter` covers the last
    product. An exact 0 stays 0.
    """
    enlarged = np.nextafter(bound * (1 + 2 * (roundings + 2) * ROUNDOFF), np.inf)
    return np.where(bound == 0, 0.0, enlarged)


def exponents(array: FloatArray, axis: int | tuple[int, ...]) -> IntegerArray:
    """The least integers e with ``abs(array) < 2^e`` along the axes, which remain with length 1.

    They are `OF_ZERO` where all finite entries are 0.
    """
    largest = np.max(np.abs(array), axis=axis, keepdims=True, where=np.isfinite(array), initial=0)
    return np.where(largest == 0, OF_ZERO, np.frexp(largest)[1])


def integer_slices(
    array: FloatArray, low: FloatArray, count: int, bits: int
) -> Iterator[FloatArray]:
    """Yield integer-valued arrays q_1, q_2, ... with array + low = sum of q_i 2^(-i bits) + rest.

    For |array + low| <= 1 every |q_i| is at most 2^bits, and those after the first, and the rest
    in units of the last, are at most 0.51 * 2^bits and 0.51. Every operation but an underflow
    below 2^-1074 is exact (Rump, Ogita and Oishi, "Accurate floating-point summation part I",
    2008, use the same idea for vectors).
    """
    array, low = two_sum(array, low)
    for _ in range(count):
        array, low = array * 2.0**bits, low * 2.0**bits
        integers = np.rint(array)
        array, low = two_sum(array - integers, low)
        yield integers
