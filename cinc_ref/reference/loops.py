"""The causal convolution and its exact inverse, one loop per index: the specification.

Symbols, as in the paper: images x, y (N, C, H, W); kernel K (C, C, kh, kw), output channel first;
dilation d; anchor (p, q), the tap that reads the pixel itself. The padded corner is the top left
one; taps after the anchor in raster order are taken as 0, whatever they hold. With x = 0 outside
the image,

    y[n, o, i, j] = sum_{c, a, b} K[o, c, a, b] x[n, c, i - (p - a) d, j - (q - b) d].

Every pixel reads itself, through the corner block B = K[:, :, p, q], and earlier pixels.
Sums run over the taps in raster order and the channels in ascending order, image by image, so an
image gives the same bits in whatever batch it stands.

The fast kernels are tested against these loops, and no fast code imports them.
"""

import numpy as np

from cinc_ref._typing import Array, IntegerArray
from cinc_ref.kernels._jit import compiled

__all__ = ["conv", "conv_transpose", "conv_weight_grad", "solve", "solve_transpose"]


@compiled
def conv(x: Array, kernel: Array, dilation: int, anchor: tuple[int, int]) -> Array:
    """y = M x."""
    images, channels, height, width = x.shape
    p, q = anchor
    y = np.zeros_like(x)
    for n in range(images):
        for o in range(channels):
            for a in range(p + 1):
                for b in range(_taps_in_row(a, kernel.shape[3], anchor)):
                    up, left = (p - a) * dilation, (q - b) * dilation
                    for c in range(channels):
                        weight = kernel[o, c, a, b]
                        for i in range(min(up, height), height):
                            for j in range(max(left, 0), min(width, width + left)):
                                y[n, o, i, j] += weight * x[n, c, i - up, j - left]
    return y


@compiled
def conv_transpose(g: Array, kernel: Array, dilation: int, anchor: tuple[int, int]) -> Array:
    """M^T g.

    Seen from the opposite image corner, and with input and output channels exchanged, the
    transposed convolution is a causal convolution: M(K)^T = J M(K^T) J, J reversing the pixels.
    """
    return _reversed(conv(_reversed(g), _exchanged(kernel), dilation, anchor))


@compiled
def conv_weight_grad(
    x: Array, g: Array, kernel_shape: tuple[int, ...], dilation: int, anchor: tuple[int, int]
) -> Array:
    """The gradient of <g, conv(x, K)> with respect to K; 0 at taps after the anchor."""
    images, channels, height, width = x.shape
    p, q = anchor
    gradient = np.zeros(kernel_shape, x.dtype)
    for o in range(channels):
        for c in range(channels):
            for a in range(p + 1):
                for b in range(_taps_in_row(a, kernel_shape[3], anchor)):
                    up, left = (p - a) * dilation, (q - b) * dilation
                    for n in range(images):
                        for i in range(min(up, height), height):
                            for j in range(max(left, 0), min(width, width + left)):
                                gradient[o, c, a, b] += g[n, o, i, j] * x[n, c, i - up, j - left]
    return gradient


@compiled
def solve(y: Array, kernel: Array, dilation: int, anchor: tuple[int, int]) -> Array:
    """x = M^{-1} y, exact substitution in raster order:

    x[i, j] = B^{-1} (y[i, j] - sum over the taps before the anchor of K_ab x[earlier pixel]).
    """
    images, channels, height, width = y.shape
    p, q = anchor
    order, lower, upper = factor_corner(np.ascontiguousarray(kernel[:, :, p, q]))
    x = np.zeros_like(y)
    rest = np.zeros(channels, y.dtype)
    for n in range(images):
        for i in range(height):
            for j in range(width):
                for o in range(channels):
                    rest[o] = y[n, o, i, j]
                    for a in range(p + 1):
                        for b in range(_taps_in_row(a, kernel.shape[3], anchor)):
                            row, column = i - (p - a) * dilation, j - (q - b) * dilation
                            if (a, b) == anchor or row < 0 or not 0 <= column < width:
                                continue
                            for c in range(channels):
                                rest[o] -= kernel[o, c, a, b] * x[n, c, row, column]
                x[n, :, i, j] = solve_corner(order, lower, upper, rest)
    return x


@compiled
def solve_transpose(g: Array, kernel: Array, dilation: int, anchor: tuple[int, int]) -> Array:
    """M^{-T} g: substitution from the last pixel to the first, by the identity above."""
    return _reversed(solve(_reversed(g), _exchanged(kernel), dilation, anchor))


@compiled
def factor_corner(corner: Array) -> tuple[IntegerArray, Array, Array]:
    """Factor B[order] = L U; return (order, L, U).

    A triangular B is left as it is, L = B or U = B, so that it is substituted through and never
    divided or multiplied beforehand; any other B goes through LU with partial pivoting.
    """
    channels = len(corner)
    order = np.arange(channels)
    identity = np.zeros_like(corner)
    for c in range(channels):
        identity[c, c] = 1
    if not np.any(np.triu(corner, 1)):
        return order, corner.copy(), identity
    if not np.any(np.tril(corner, -1)):
        return order, identity, corner.copy()
    lower, upper = identity, corner.copy()
    for c in range(channels):
        pivot = c
        for o in range(c + 1, channels):
            if abs(upper[o, c]) > abs(upper[pivot, c]):
                pivot = o
        if pivot != c:
            for k in range(channels):
                upper[c, k], upper[pivot, k] = upper[pivot, k], upper[c, k]
            for k in range(c):
                lower[c, k], lower[pivot, k] = lower[pivot, k], lower[c, k]
            order[c], order[pivot] = order[pivot], order[c]
        for o in range(c + 1, channels):
            lower[o, c] = upper[o, c] / upper[c, c]
            upper[o, c] = 0
            for k in range(c + 1, channels):
                upper[o, k] -= lower[o, c] * upper[c, k]
    return order, lower, upper


@compiled
def solve_corner(order: IntegerArray, lower: Array, upper: Array, rest: Array) -> Array:
    """B^{-1} rest = U^{-1} L^{-1} rest[order], the sums in ascending order of the channels."""
    channels = len(rest)
    solution = rest[order]
    for o in range(channels):
        for c in range(o):
            solution[o] -= lower[o, c] * solution[c]
        solution[o] /= lower[o, o]
    for o in range(channels - 1, -1, -1):
        for c in range(o + 1, channels):
            solution[o] -= upper[o, c] * solution[c]
        solution[o] /= upper[o, o]
    return solution


@compiled
def _taps_in_row(row, width, anchor):
    """Return how many taps of a kernel row are not after the anchor."""
    return anchor[1] + 1 if row == anchor[0] else width


@compiled
def _reversed(images):
    return np.ascontiguousarray(images[:, :, ::-1, ::-1])


@compiled
def _exchanged(kernel):
    return np.ascontiguousarray(np.transpose(kernel, (1, 0, 2, 3)))
