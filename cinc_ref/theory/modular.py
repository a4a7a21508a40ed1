"""Arithmetic and linear algebra modulo the prime 2^61 - 1."""

import numpy as np

from cinc_ref._typing import Array, IntegerArray

__all__ = ["PRIME", "determinant_modulo", "inverse_modulo", "multiply", "row_echelon"]

PRIME = 2**61 - 1
"""A Mersenne prime: 2^61 = 1 modulo it, so products are reduced by shifts."""


def determinant_modulo(matrix: Array) -> int:
    """Compute the determinant of a square integer matrix modulo the prime, by elimination.

    Parameters
    ----------
    matrix : ndarray of int64, shape (n, n)
        Entries from 0 to 2^61 - 2.

    Returns
    -------
    int

    Examples
    --------
    >>> import numpy as np
    >>> determinant_modulo(np.array([[0, 3], [2, 7]])) == PRIME - 6
    True
    """
    rows, determinant = np.array(matrix, np.uint64), 1
    for k in range(len(rows)):
        below = k + np.flatnonzero(rows[k:, k])
        if not len(below):
            return 0
        pivot, *below = below
        if pivot != k:
            rows[[k, pivot]] = rows[[pivot, k]]
            determinant = -determinant
        top = int(rows[k, k])
        determinant = determinant * top % PRIME
        right = k + 1 + np.flatnonzero(rows[k, k + 1 :])
        factors = multiply(rows[below, k], np.uint64(pow(top, -1, PRIME)))
        change = multiply(factors[:, None], rows[k, right])
        rows[np.ix_(below, right)] = _reduce(rows[np.ix_(below, right)] + (PRIME - change))
    return determinant % PRIME


def inverse_modulo(matrix: Array) -> Array:
    """Compute the inverse of a matrix modulo the prime, in Python integers, by elimination."""
    size = len(matrix)
    rows = np.concatenate([matrix, np.eye(size, dtype=int)], axis=1).astype(object)
    for k in range(size):
        pivot = k + np.flatnonzero(rows[k:, k])[0]
        rows[[k, pivot]] = rows[[pivot, k]]
        rows[k] = rows[k] * pow(rows[k, k], -1, PRIME) % PRIME
        for i in range(size):
            if i != k:
                rows[i] = (rows[i] - rows[i, k] * rows[k]) % PRIME
    return rows[:, size:]


def row_echelon(matrix: Array) -> tuple[IntegerArray, IntegerArray]:
    """Compute the reduced row echelon form of an integer matrix modulo the prime.

    Parameters
    ----------
    matrix : ndarray of int64, shape (m, n)
        Entries from 0 to 2^61 - 2.

    Returns
    -------
    rows : ndarray of int64, shape (rank, n)
        Without the rows of zeros.
    pivots : ndarray of int, shape (rank,)
        The column of the leading 1 of each row.

    Examples
    --------
    >>> import numpy as np
    >>> row_echelon(np.array([[0, 1, 2], [0, 1, 2], [1, 1, 1]]))[0].tolist() == [
    ...     [1, 0, PRIME - 1], [0, 1, 2]]
    True
    """
    rows, pivots = np.array(matrix, np.uint64), []
    for column in range(rows.shape[1]):
        k = len(pivots)
        nonzero = k + np.flatnonzero(rows[k:, column])
        if not len(nonzero):
            continue
        rows[[k, nonzero[0]]] = rows[[nonzero[0], k]]
        rows[k] = multiply(rows[k], np.uint64(pow(int(rows[k, column]), -1, PRIME)))
        others = np.flatnonzero(rows[:, column])
        others = others[others != k]
        right = np.flatnonzero(rows[k])
        change = multiply(rows[others, column, None], rows[k, right])
        rows[np.ix_(others, right)] = _reduce(rows[np.ix_(others, right)] + (PRIME - change))
        pivots.append(column)
    return rows[: len(pivots)].astype(np.int64), np.array(pivots, int)


def multiply(a: Array, b: Array) -> Array:
    """Multiply numbers below the prime, modulo it, in 64-bit arithmetic.

    With a = a1 2^31 + a0, and b alike, a b = 2 a1 b1 + (a1 b0 + a0 b1) 2^31 + a0 b0 since 2^62 = 2;
    the middle term m = m1 2^30 + m0 contributes m1 + m0 2^31. No sum reaches 2^64.
    """
    a1, a0 = a >> np.uint64(31), a & np.uint64(2**31 - 1)
    b1, b0 = b >> np.uint64(31), b & np.uint64(2**31 - 1)
    middle = a1 * b0 + a0 * b1
    high, low = middle >> np.uint64(30), middle & np.uint64(2**30 - 1)
    return _reduce(np.uint64(2) * a1 * b1 + high + (low << np.uint64(31)) + a0 * b0)


def _reduce(number):
    """Reduce a number below 2^64 modulo the prime."""
    number = (number >> np.uint64(61)) + (number & np.uint64(PRIME))
    return np.where(number >= PRIME, number - np.uint64(PRIME), number)
