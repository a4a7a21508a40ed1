"""The log-determinant of the corner block B of a kernel, and its derivatives."""

from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.linalg
from autograd.extend import defjvp, defvjp, primitive

from cinc_ref._typing import Array, FloatArray

__all__ = ["is_triangular", "log_abs_det_corner", "pivots"]


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
    """Return pixels * log|det B|, computed in float64, in the dtype of B."""
    log_det = np.sum(np.log(np.abs(pivots(corner).astype(np.float64))))
    return corner.dtype.newbyteorder("=").type(pixels * log_det)


@primitive
def _inverse_transpose(corner):
    """Return B^{-T} in the dtype of B; a triangular B is substituted through."""
    lower, upper = is_triangular(corner)
    identity = np.eye(len(corner), dtype=corner.dtype)
    if lower or upper:
        return scipy.linalg.solve_triangular(corner, identity, trans="T", lower=lower)
    return np.linalg.solve(corner.T, identity)


# d log|det B| = <B^{-T}, dB>
defvjp(
    log_abs_det_corner,
    lambda ans, corner, pixels: lambda g: g * pixels * _inverse_transpose(corner),
)
defjvp(
    log_abs_det_corner,
    lambda g, ans, corner, pixels: pixels * anp.sum(_inverse_transpose(corner) * g),
)


# V = B^{-T}: dV = -V dB^T V, and <g, dV> = <-V g^T V, dB>
def _inverse_transpose_tangent(g, v):
    return -anp.dot(anp.dot(v, anp.transpose(g)), v)


defvjp(_inverse_transpose, lambda v, corner: lambda g: _inverse_transpose_tangent(g, v))
defjvp(_inverse_transpose, lambda g, v, corner: _inverse_transpose_tangent(g, v))
