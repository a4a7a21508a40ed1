"""The expected results: the matrix from its definition, solved densely in extended precision.

Every function returns the expected result and its rounding: the error of a backward stable
computation in units of eps. The rounding of a sum is proportional to the sum of its terms'
magnitudes, that of a solution of M x = y to |M^-1| |M| |x| (Skeel 1979). For images the largest
rounding in the image counts, because pivoting and fast transforms mix entries of different size.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.testing.problem import Problem
from cinc_ref.theory import convolution_matrix

__all__ = [
    "conv",
    "conv_inverse",
    "conv_inverse_vjp",
    "conv_vjp",
    "inverse_and_log_det",
    "log_abs_det",
    "matrix",
    "residual",
    "to_images",
    "to_rows",
]


@lru_cache(maxsize=256)
def matrix(problem: Problem) -> Array:
    """Return M in extended precision, in pixel-major order."""
    return convolution_matrix(
        problem.kernel,
        problem.size,
        corner=problem.corner,
        dilation=problem.dilation,
        anchor=problem.anchor,
    ).astype(np.longdouble)


@lru_cache(maxsize=256)
def inverse_and_log_det(problem: Problem) -> tuple[Array, Any]:
    """Compute M^-1 and log|det M| by Gauss-Jordan elimination with row pivoting."""
    size = len(matrix(problem))
    rows = np.hstack([matrix(problem), np.eye(size, dtype=np.longdouble)])
    log_det = np.longdouble(0)
    for k in range(size):
        pivot = k + int(np.argmax(np.abs(rows[k:, k])))
        rows[[k, pivot]] = rows[[pivot, k]]
        log_det += np.log(np.abs(rows[k, k]))
        rows[k] /= rows[k, k]
        others = np.flatnonzero(rows[:, k])
        others = others[others != k]
        columns = np.flatnonzero(rows[k])  # few where M is sparse
        rows[np.ix_(others, columns)] -= np.outer(rows[others, k], rows[k, columns])
    return rows[:, size:], log_det


def conv(problem: Problem, x: Array) -> tuple[Array, Array]:
    """Compute M x."""
    m, v = matrix(problem), to_rows(x)
    return to_images(v @ m.T, x.shape), to_images(_largest(np.abs(v) @ np.abs(m).T), x.shape)


def residual(problem: Problem, y: Array, x: Array) -> tuple[Array, Array]:
    """Compute y - M x and its bound |M| |x| for a solver that is stable at every pixel."""
    m, v = matrix(problem), to_rows(x)
    terms = to_images(np.abs(v) @ np.abs(m).T, x.shape).max(axis=1, keepdims=True)
    return y - to_images(v @ m.T, x.shape), np.broadcast_to(terms, x.shape)


def conv_inverse(problem: Problem, y: Array) -> tuple[Array, Array]:
    """Compute M^-1 y."""
    x, rounding = _solve(problem, to_rows(y))
    return to_images(x, y.shape), to_images(rounding, y.shape)


def log_abs_det(problem: Problem) -> tuple[Any, Any]:
    """Compute log|det M| of the whole matrix, without the theorem."""
    value = inverse_and_log_det(problem)[1]
    return value, 1 + np.abs(value)


def conv_vjp(
    problem: Problem, x: Array, g: Array
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Compute M^T g, and for every kernel entry the sum of g x over its positions in M."""
    m, v, u = matrix(problem), to_rows(x), to_rows(g)
    x_bar = to_images(u @ m, x.shape), to_images(_largest(np.abs(u) @ np.abs(m)), x.shape)
    kernel_bar = _kernel_sum(problem, u, v), _kernel_sum(problem, np.abs(u), np.abs(v))
    return x_bar, kernel_bar


def conv_inverse_vjp(
    problem: Problem, y: Array, g: Array
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Compute y_bar = M^-T g, and minus the kernel gradient of conv at (M^-1 y, y_bar)."""
    x, x_rounding = _solve(problem, to_rows(y))
    y_bar, y_bar_rounding = _solve(problem, to_rows(g), transposed=True)
    kernel_rounding = _kernel_sum(problem, y_bar_rounding, np.abs(x))
    kernel_rounding += _kernel_sum(problem, np.abs(y_bar), x_rounding)
    return (
        (to_images(y_bar, y.shape), to_images(y_bar_rounding, y.shape)),
        (-_kernel_sum(problem, y_bar, x), kernel_rounding),
    )


def to_rows(images: Array) -> Array:
    """Reshape images (N, C, H, W) to rows in the matrix's order, in extended precision."""
    n, c, h, w = images.shape
    return images.transpose(0, 2, 3, 1).reshape(n, h * w * c).astype(np.longdouble)


def to_images(rows: Array, shape: tuple[int, ...]) -> Array:
    """Reshape rows to images of a shape (N, C, H, W)."""
    n, c, h, w = shape
    return rows.reshape(n, h, w, c).transpose(0, 3, 1, 2)


def _largest(rows):
    """Replace the entries of each row by the largest of them."""
    return np.broadcast_to(rows.max(axis=1, keepdims=True), rows.shape)


def _solve(problem, y, transposed=False):
    """Solve M x = y, or M^T x = y, for rows y; return x and |M^-1| |M| |x|."""
    m, inverse = matrix(problem), inverse_and_log_det(problem)[0]
    if transposed:
        m, inverse = m.T, inverse.T
    x = y @ inverse.T
    return x, _largest((np.abs(x) @ np.abs(m).T) @ np.abs(inverse).T)


def _kernel_sum(problem, left, right):
    """Sum left[row] * right[column] over the positions in M of every kernel entry."""
    shape = problem.kernel.shape
    products = (left.T @ right).astype(np.float64)
    return np.bincount(
        _kernel_entries_of_matrix(problem).ravel(), products.ravel(), 1 + problem.kernel.size
    )[1:].reshape(shape)


@lru_cache(maxsize=256)
def _kernel_entries_of_matrix(problem):
    """Number the entries of M by the kernel entry that they hold: 1, 2, 3, ..., and 0 for none."""
    shape, (p, q) = problem.kernel.shape, problem.anchor_tap
    taps = np.arange(shape[2] * shape[3]).reshape(shape[2:])
    entries = 1 + np.arange(problem.kernel.size).reshape(shape)
    return convolution_matrix(
        entries * (taps <= p * shape[3] + q),
        problem.size,
        corner=problem.corner,
        dilation=problem.dilation,
        anchor=problem.anchor,
    )
