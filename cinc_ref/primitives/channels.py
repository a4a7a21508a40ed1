"""Rearrangements of channels and entries as primitives: each is linear, as is its transpose.

autograd differentiates slices through ``np.add.at``, which takes fifty times as long as these.
"""

import numpy as np
from autograd.extend import defjvp, defvjp, primitive

from cinc_ref._typing import FloatArray, IntegerArray

__all__ = ["pad_channels", "scale_axes", "scatter", "squeeze", "take_channels", "unsqueeze"]


def _define_linear(operation, transpose):
    """Define the derivatives of an operation that is linear in its first argument alone."""
    defvjp(operation, lambda ans, x, *rest: lambda g: transpose(g, x, *rest))
    defjvp(operation, lambda g, ans, x, *rest: operation(g, *rest))


@primitive
def squeeze(x: FloatArray) -> FloatArray:
    """Make four channels of each 2x2 square of pixels: (N, C, H, W) to (N, 4C, H/2, W/2).

    Channel 4c + 2i + j holds the pixels (i, j) of the squares of channel c, as PyTorch's
    pixel_unshuffle orders them.
    """
    n, c, h, w = x.shape
    squares = x.transpose(1, 2, 3, 0).reshape(c, h // 2, 2, w // 2, 2, n)
    stacked = squares.transpose(0, 2, 4, 1, 3, 5)
    return np.ascontiguousarray(stacked).reshape(4 * c, h // 2, w // 2, n).transpose(3, 0, 1, 2)


@primitive
def unsqueeze(y: FloatArray) -> FloatArray:
    """Undo `squeeze`; this is also its transpose."""
    n, c, h, w = y.shape
    stacked = y.transpose(1, 2, 3, 0).reshape(c // 4, 2, 2, h, w, n)
    squares = np.ascontiguousarray(stacked.transpose(0, 3, 1, 4, 2, 5))
    return squares.reshape(c // 4, 2 * h, 2 * w, n).transpose(3, 0, 1, 2)


_define_linear(squeeze, lambda g, x: unsqueeze(g))
_define_linear(unsqueeze, lambda g, y: squeeze(g))


@primitive
def take_channels(x: FloatArray, start: int, stop: int) -> FloatArray:
    """Return x[:, start:stop]."""
    return x[:, start:stop]


@primitive
def pad_channels(part: FloatArray, start: int, channels: int) -> FloatArray:
    """Return images of `channels` channels that are 0 but for `part`, from channel `start` on."""
    n, c, h, w = part.shape
    whole = np.zeros((channels, h, w, n), part.dtype).transpose(3, 0, 1, 2)
    whole[:, start : start + c] = part
    return whole


_define_linear(take_channels, lambda g, x, start, stop: pad_channels(g, start, x.shape[1]))
_define_linear(
    pad_channels,
    lambda g, part, start, channels: take_channels(g, start, start + part.shape[1]),
)


@primitive
def scale_axes(x: FloatArray, *factors: FloatArray) -> FloatArray:
    """Multiply x by vectors along its first axes; the derivative stores no whole array."""
    for axis, factor in enumerate(factors):
        x = x * factor.reshape(-1, *(1,) * (x.ndim - axis - 1))
    return x


_define_linear(scale_axes, lambda g, x, *factors: scale_axes(g, *factors))


@primitive
def scatter(values: FloatArray, index: IntegerArray, shape: tuple[int, ...]) -> FloatArray:
    """Return zeros but for ``result.ravel()[index] = values``; no index occurs twice."""
    result = np.zeros(shape, values.dtype)
    result.ravel()[index] = values
    return result


@primitive
def gather(array: FloatArray, index: IntegerArray) -> FloatArray:
    """Return array.ravel()[index]."""
    return array.ravel()[index]


_define_linear(scatter, lambda g, values, index, shape: gather(g, index))
_define_linear(gather, lambda g, array, index: scatter(g, index, array.shape))
