r"""Growth on images of a fixed width: the recursion from row to row is a finite matrix.

On images of W columns M is block lower triangular Toeplitz with the blocks T_W(T_u), the W C x W C
matrices of the taps u rows up. Its inverse is the power series of T_W(P(w))^{-1}, with

.. math:: T_W(P(w)) = \sum_u T_W(T_u)\, w^u,

so for images of this width and any height sup ||M^{-1}||_2 is the supremum of
||T_W(P(w))^{-1}|| over |w| < 1, and it is finite iff f(w) = det T_W(P(w)) has no zero with
|w| <= 1. (A zero on the circle is enough for growth: x_i = x_{i-1} + y_i sums up its input.) The
reciprocals of the zeros are the eigenvalues of the matrix that takes p rows to the next ones,

.. math::
    A = \begin{pmatrix} A_1 & \cdots & A_p \\ 1 & & 0 \end{pmatrix},
    \qquad A_u = -T_W(T_0)^{-1} T_W(T_u).

*Growth* at one width is growth. It is decided in integers, by Schur and Cohn's test of f.
*Boundedness* at one width is proved by a power of A with a norm below 1, with a bound of all
rounding errors. Taps in one quadrant have f(w) = det(P(w, 0))^W: all widths are alike.

This sees what no test of det P on |z| = 1 can, the edge states of half-plane taps with several
channels: solutions that decay away from a border of the image and grow from row to row.
"""

import numpy as np

from cinc_ref._typing import Array, FloatArray
from cinc_ref.theory.exact import bareiss
from cinc_ref.theory.polynomials import as_integers, interpolate
from cinc_ref.theory.symbol import Symbol

__all__ = ["decays_at_width", "row_to_row_rate", "width_matrices", "width_polynomial"]

SQUARINGS = 14
"""A is raised to powers up to 2^14: rates up to about 0.999 are seen to decay."""


def width_polynomial(symbol: Symbol, width: int) -> list[int]:
    """Return det T_W(P(w)) as integer coefficients of w."""
    blocks = width_matrices(symbol, symbol.taps, width)
    degree = len(blocks[0]) * (len(blocks) - 1)
    points = range(-(degree // 2), degree - degree // 2 + 1)
    values = []
    for w in points:
        matrix = blocks[-1]
        for block in blocks[-2::-1]:
            matrix = matrix * w + block
        values.append(bareiss(matrix.tolist()))
    return as_integers(interpolate(points, values))


def width_matrices(symbol: Symbol, kernel: Array, width: int) -> list[Array]:
    """Return T_W(T_u) for u = 0, ..., p, of shape (W C, W C), pixel by pixel."""
    (p, q), channels = symbol.anchor, symbol.channels
    blocks = []
    for up in range(p + 1):
        block = np.zeros((width, channels, width, channels), kernel.dtype)
        for b in range(kernel.shape[3]):
            left = q - b
            pixels = np.arange(max(0, left), min(width, width + left))
            block[pixels, :, pixels - left] = kernel[:, :, p - up, b]
        blocks.append(block.reshape(2 * (width * channels,)))
    return blocks


def companion(symbol: Symbol, width: int) -> FloatArray:
    """Return A in floating point."""
    blocks = width_matrices(symbol, symbol.normalized, width)
    if len(blocks) == 1:
        return np.zeros((1, 1))
    top = -np.linalg.solve(blocks[0], np.concatenate(blocks[1:], axis=1))
    return np.concatenate([top, np.eye(top.shape[1])[: -len(top)]])


def row_to_row_rate(symbol: Symbol, width: int) -> float:
    """Estimate the largest modulus of an eigenvalue of A, the growth of tall images a row."""
    with np.errstate(all="ignore"):
        matrix = companion(symbol, 1 if symbol.is_quadrant else width)
        if not np.isfinite(matrix).all():
            return np.inf
        return float(np.abs(np.linalg.eigvals(matrix)).max())


def decays_at_width(symbol: Symbol, width: int) -> bool:
    """Prove that images of this width stay bounded as they get taller, or return False.

    A^(2^k) is computed by squaring; `error` bounds the norm of what rounding changed. T_W(T_0) is
    solved with an approximate inverse Y, whose own error is bounded by ||1 - Y T_0||.
    """
    kernel, width = symbol.floats, 1 if symbol.is_quadrant else width
    blocks = width_matrices(symbol, kernel, width)
    if len(blocks) == 1 or symbol.underflows:
        return len(blocks) == 1
    with np.errstate(all="ignore"):
        matrix, error = _companion_with_error(blocks)
        for _ in range(SQUARINGS):
            if not np.isfinite(error):
                return False
            norm = _norm(matrix)
            if norm + error < 1:
                return True
            error = 2 * norm * error + error**2 + _unit(len(matrix)) * norm**2
            error *= 1 + 1e-10
            matrix = matrix @ matrix
    return False


def _companion_with_error(blocks):
    """Return A and a bound of the norm of its error."""
    first, others = blocks[0], np.concatenate(blocks[1:], axis=1)
    near = np.linalg.inv(first)
    unit = _unit(len(others) + len(others[0]))
    gap = _norm(np.eye(len(first)) - near @ first) + unit * _norm(near) * _norm(first)
    top = -near @ others
    # T_0^{-1} = (1 - gap)^{-1} near, and the floats of the kernel are good to a relative eps
    exact = _norm(near) * _norm(others)
    error = (gap / (1 - gap) + 2 * unit) * exact if gap < 1 else np.inf
    error *= 1 + 1e-10
    return np.concatenate([top, np.eye(top.shape[1])[: -len(top)]]), error


def _unit(terms):
    """Return a bound of the relative rounding error of sums of so many products."""
    return (terms + 8) * np.finfo(float).eps


def _norm(matrix):
    """Return the infinity norm, rounded upwards."""
    return float(np.abs(matrix).sum(axis=1).max()) * (1 + _unit(matrix.shape[1]))
