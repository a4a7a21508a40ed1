"""The log-determinant of the corner block B of a kernel, and its derivatives."""

import sys
from math import fsum, log
from typing import Any

import numpy as np
import scipy.linalg
from autograd.extend import primitive

from cinc_ref._typing import Array, FloatArray
from cinc_ref.primitives.derivatives import register
from cinc_ref.theory import exact

__all__ = ["inverse_transpose", "is_triangular", "log_abs_det_corner", "pivots"]

MAX_ERROR = 1e-8
"""Relative error of a determinant and of an inverse, by its bound, above which both are exact.

Eliminating in float64 takes 0.2 ms for 12 channels, exact arithmetic 1 ms for the determinant and 3
for the inverse; for 48 channels it is 0.5 ms against 0.1 and 1.7 s.
"""


def is_triangular(matrix: Array) -> tuple[bool, bool]:
    """Return whether a matrix is lower triangular, and whether it is upper triangular."""
    return not np.triu(matrix, 1).any(), not np.tril(matrix, -1).any()


def pivots(matrix: Array) -> Array:
    """Return the diagonal of U in P B = L U, with partial pivoting, in the dtype of B.

    A triangular B is its own factor. The products are rounded before they are subtracted, as in
    the substitution through a corner block; LAPACK's need not be, and meet other zeros.
    """
    if any(is_triangular(matrix)):
        return np.diagonal(matrix)
    rest, diagonal = np.array(matrix), []
    while len(rest):
        row = np.argmax(np.abs(rest[:, 0]))
        rest[[0, row]] = rest[[row, 0]]
        diagonal.append(rest[0, 0])
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            rest = rest[1:, 1:] - (rest[1:, :1] / rest[0, 0]) * rest[0, 1:]
    return np.array(diagonal)


@primitive
def log_abs_det_corner(corner: FloatArray, pixels: int) -> np.floating[Any]:
    """Return pixels * log|det B| in the dtype of B, with eight digits of det B at least."""
    block = corner.astype(np.float64)
    diagonal = None if _is_ill_conditioned(block) else pivots(block)
    if diagonal is None or not np.isfinite(diagonal).all():  # pivots overflow before logarithms
        log_det = exact.log_abs(exact.matrix_determinant(block))
    else:
        log_det = fsum(log(abs(pivot)) for pivot in diagonal.tolist())
    return corner.dtype.newbyteorder("=").type(pixels * log_det)


def _is_ill_conditioned(block):
    """Return whether elimination may lose more than `MAX_ERROR`; never of a triangular block."""
    if any(is_triangular(block)):
        return False
    return not np.linalg.cond(block, 1) * len(block) * np.finfo(block.dtype).eps <= MAX_ERROR


@primitive
def inverse_transpose(corner: FloatArray) -> FloatArray:
    """Return B^{-T} in the dtype of B; a triangular B is substituted through."""
    block = corner.astype(np.float64)
    lower, upper = is_triangular(block)
    identity = np.eye(len(block))
    if lower or upper:
        inverse = scipy.linalg.solve_triangular(block, identity, trans="T", lower=lower)
    elif _is_ill_conditioned(block) or not np.isfinite(pivots(block)).all():
        inverse = np.vectorize(exact.to_float, otypes=[float])(exact.matrix_inverse(block)).T
    else:
        inverse = np.linalg.solve(block.T, identity)
    with np.errstate(over="ignore"):  # float32 may be too small for it
        return inverse.astype(corner.dtype.newbyteorder("="))


register(sys.modules[__name__], log_abs_det_corner, inverse_transpose)
