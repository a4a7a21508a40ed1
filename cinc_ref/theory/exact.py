"""Exact linear algebra on integers, Fractions or floats (every finite float is a fraction)."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import exp, floor, inf, lcm, log, log1p
from typing import Any, TypeAlias

import numpy as np

from cinc_ref._typing import Array, RealArrayLike
from cinc_ref.errors import ShapeError
from cinc_ref.theory.arguments import as_exact_array

__all__ = [
    "Exact",
    "bareiss",
    "log_abs",
    "matrix_determinant",
    "matrix_inverse",
    "matrix_rank",
    "null_basis",
    "null_vector",
    "short",
    "to_float",
    "to_fractions",
    "to_integers",
]


def __dir__() -> list[str]:
    return __all__


Exact: TypeAlias = int | Fraction
"""A rational number."""


def to_fractions(array: RealArrayLike) -> Array:
    """Convert numbers to an object array of Fractions, exactly."""
    array = np.asarray(array)
    flat = np.empty(array.size, dtype=object)
    flat[:] = [_to_fraction(number) for number in array.ravel().tolist()]
    return flat.reshape(array.shape)


def _to_fraction(number):
    if isinstance(number, np.floating):  # tolist leaves those of arrays of objects as they are
        return Fraction(*map(int, number.as_integer_ratio()))
    return Fraction(number)


def to_integers(array: RealArrayLike) -> tuple[Array, int]:
    """Return Python integers n and one positive integer s with ``array == n / s``, exactly."""
    array = np.asarray(array)
    if array.dtype.kind in "iu":
        return array.astype(object), 1
    fractions = to_fractions(array)
    scale = lcm(*(number.denominator for number in fractions.ravel()))
    integers = np.empty(fractions.size, dtype=object)
    integers[:] = [int(number * scale) for number in fractions.ravel()]
    return integers.reshape(fractions.shape), scale


def to_float(number: Exact | float) -> float:
    """Round to the nearest float; infinite beyond 1.8e308."""
    try:
        return float(number)
    except OverflowError:
        return inf if number > 0 else -inf


def short(number: Exact) -> str:
    """Write an integer or Fraction in a few digits, also beyond the range of floats."""
    value = to_float(number)
    if number == 0 or (value != 0 and abs(value) != inf):
        return str(number) if number == int(number) and abs(number) < 10**6 else f"{value:.3g}"
    exponent = floor(log_abs(number) / log(10) + 1e-9)
    mantissa = exp(log_abs(number) - exponent * log(10))
    return f"{'-' if number < 0 else ''}{mantissa:.3g}e{exponent:+d}"


def log_abs(number: Exact) -> float:
    """Return log|number| in nats, to the last digit, of an integer or Fraction but 0."""
    number = abs(Fraction(number))
    exponent = number.numerator.bit_length() - number.denominator.bit_length()
    rest = number / Fraction(2) ** exponent  # from 1/2 to 2
    if 2 * rest * rest < 1:
        exponent, rest = exponent - 1, 2 * rest
    elif rest * rest > 2:
        exponent, rest = exponent + 1, rest / 2
    return log1p(float(rest - 1)) + exponent * log(2)


def matrix_determinant(matrix: RealArrayLike) -> Exact:
    """Compute the determinant of a square matrix, without any rounding.

    Parameters
    ----------
    matrix : array_like, shape (n, n)
        Integers, Fractions or floats; a float counts as the dyadic fraction that it is.

    Returns
    -------
    int or fractions.Fraction
        An int if the determinant is one.

    Raises
    ------
    ShapeError, DtypeError, NonFiniteError
        If the argument is not as described.

    Examples
    --------
    >>> from cinc_ref.theory.exact import matrix_determinant
    >>> matrix_determinant([[2, 3], [4, 7]])
    2
    >>> matrix_determinant([[1.0, 3.0], [1 / 3, 1.0]])  # rounding of 1/3 keeps it off 0
    Fraction(1, 18014398509481984)
    """
    matrix = _square(matrix)
    rows, scales = zip(*(to_integers(row) for row in matrix), strict=True)
    determinant = Fraction(bareiss(rows))
    for scale in scales:
        determinant /= scale
    return int(determinant) if determinant.denominator == 1 else determinant


def matrix_rank(matrix: RealArrayLike) -> int:
    """Compute the rank by elimination in Fractions."""
    return len(_echelon(to_fractions(matrix))[1])


def null_vector(matrix: RealArrayLike) -> Array | None:
    """Return a non-zero vector v of coprime Python integers with ``matrix @ v == 0``, or None."""
    return next(_null_vectors(matrix), None)


def null_basis(matrix: RealArrayLike) -> list[Array]:
    """Return a basis of the v with ``matrix @ v == 0``, each of coprime Python integers."""
    return list(_null_vectors(matrix))


def _null_vectors(matrix):
    rows, pivots = _echelon(to_fractions(matrix))
    for free in sorted(set(range(rows.shape[1])) - set(pivots)):
        vector = to_fractions(np.zeros(rows.shape[1], int))
        vector[free] = Fraction(1)
        vector[pivots] = -rows[: len(pivots), free]
        integers, _ = to_integers(vector)
        yield integers // np.gcd.reduce(integers)


def matrix_inverse(matrix: RealArrayLike) -> Array:
    """Compute the inverse of a square matrix of full rank, in Fractions.

    This is Jordan's elimination without fractions: at the end every pivot is the determinant of
    the matrix, and what was the identity is the adjugate.
    """
    rows, scale = to_integers(matrix)
    size, previous = len(rows), 1
    rows = np.concatenate([rows, np.eye(size, dtype=int).astype(object)], axis=1)
    for column in range(size):
        pivot = next(i for i in range(column, size) if rows[i, column])
        rows[[column, pivot]] = rows[[pivot, column]]
        first = rows[column].copy()
        rows = (first[column] * rows - rows[:, column : column + 1] * first) // previous
        rows[column] = first
        previous = first[column]
    return to_fractions(rows[:, size:]) * scale / Fraction(previous)


def bareiss(rows: Iterable[Sequence[Any]]) -> Any:
    """Compute the determinant of a list of rows by fraction-free elimination.

    Every intermediate value is a minor of the matrix (Bareiss, "Sylvester's identity and
    multistep integer-preserving Gaussian elimination", 1968), so the divisions leave no remainder
    and numbers grow only as minors do. The entries come from any ring with exact division:
    Python integers, or polynomials.
    """
    rows, sign, previous = list(rows), 1, 1
    while len(rows) > 1:
        pivot = next((i for i, row in enumerate(rows) if row[0]), None)
        if pivot is None:
            return rows[0][0]  # the 0 of the ring
        first, *top = rows.pop(pivot)
        sign = -sign if pivot % 2 else sign
        rows = [_eliminated(row, first, top, previous) for row in rows]
        previous = first
    return sign * rows[0][0]


def _eliminated(row, first, top, previous):
    """Return the row without its first entry, made 0 by a multiple of the pivot row."""
    factor, *rest = row
    if factor:
        return [(a * first - factor * b) // previous for a, b in zip(rest, top, strict=True)]
    return [a * first // previous if a else a for a in rest]


def _echelon(rows):
    """Return the reduced row echelon form of Fractions, and the columns of its pivots."""
    rows, pivots = rows.copy(), []
    for column in range(rows.shape[1]):
        top = len(pivots)
        pivot = next((i for i in range(top, len(rows)) if rows[i, column]), None)
        if pivot is None:
            continue
        rows[[top, pivot]] = rows[[pivot, top]]
        rows[top] /= rows[top, column]
        for i in range(len(rows)):
            if i != top and rows[i, column]:
                rows[i] -= rows[i, column] * rows[top]
        pivots.append(column)
    return rows, pivots


def _square(matrix):
    matrix = as_exact_array(matrix, "matrix")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ShapeError(f"matrix must be square; got shape {matrix.shape}")
    return matrix
