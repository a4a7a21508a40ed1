"""Exact arithmetic on matrices of integers, Fractions or floats (every float is a fraction)."""

from fractions import Fraction
from math import lcm

import numpy as np

from cinc_ref import _checks
from cinc_ref.errors import ShapeError


def exact_determinant(matrix):
    """The determinant of a square matrix, without any rounding.

    Fraction-free elimination (Bareiss 1968) on Python integers: every intermediate value is a
    minor of the matrix, so the divisions leave no remainder and numbers grow only as minors do.

    Parameters
    ----------
    matrix : array_like, shape (n, n)
        Integers, Fractions or floats; a float counts as the dyadic fraction that it is.

    Returns
    -------
    int or fractions.Fraction
        An int if the determinant is one.

    Examples
    --------
    >>> from cinc_ref import theory
    >>> theory.exact_determinant([[2, 3], [4, 7]])
    2
    >>> theory.exact_determinant([[1.0, 3.0], [1 / 3, 1.0]])  # rounding of 1/3 keeps it off 0
    Fraction(1, 18014398509481984)
    """
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ShapeError(f"matrix must be square; got shape {matrix.shape}")
    _checks.check_exact_or_float(matrix, "matrix")
    _checks.check_finite(matrix, "matrix")
    rows = [[Fraction(entry) for entry in row] for row in matrix.tolist()]
    scales = [lcm(*(entry.denominator for entry in row)) for row in rows]
    integers = [[int(entry * s) for entry in row] for row, s in zip(rows, scales, strict=True)]
    determinant = Fraction(_bareiss(integers))
    for scale in scales:
        determinant /= scale
    return int(determinant) if determinant.denominator == 1 else determinant


def is_invertible(kernel, anchor=None):
    """Whether the convolution with this kernel is invertible, decided exactly.

    It is if and only if the corner block ``B = kernel[:, :, p, q]`` at the anchor (p, q) has a
    non-zero determinant, whatever the image size; for one channel, iff K_nn != 0 (CInC Flow,
    section 3).

    Parameters
    ----------
    kernel : array_like, shape (C, C, kh, kw)
        Integers, Fractions or floats.
    anchor : (int, int), optional
        The tap that reads the pixel itself; the bottom-right one unless given.

    Returns
    -------
    bool

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref import theory
    >>> theory.is_invertible(np.array([[[[5, 5], [5, 1]]]]))
    True
    >>> theory.is_invertible(np.array([[[[5, 5], [5, 0]]]]))
    False
    """
    kernel = np.asarray(kernel)
    _checks.check_kernel_shape(kernel)
    p, q = _checks.check_geometry(kernel, anchor=anchor).anchor
    return exact_determinant(kernel[:, :, p, q]) != 0


def _bareiss(rows):
    """The determinant of a list of rows of Python integers, which it uses up."""
    size, sign, previous = len(rows), 1, 1
    for k in range(size - 1):
        pivot = next((i for i in range(k, size) if rows[i][k]), None)
        if pivot is None:
            return 0
        if pivot != k:
            rows[k], rows[pivot] = rows[pivot], rows[k]
            sign = -sign
        top = rows[k]
        for i in range(k + 1, size):
            row, factor = rows[i], rows[i][k]
            for j in range(k + 1, size):
                row[j] = (row[j] * top[k] - factor * top[j]) // previous
        previous = top[k]
    return sign * rows[-1][-1]
