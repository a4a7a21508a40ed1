"""Rearrangements of arrays as primitives: each is linear, and its transpose is another one.

autograd differentiates slices through ``np.add.at``, which takes fifty times as long as these.

Images are (N, C, H, W) to every caller. In memory they may lie batch-last, as contiguous
(C, H, W, N): the values are the same, and elementwise operations keep that order.
"""

import numpy as np
from autograd.extend import defjvp, defvjp, primitive


def _define_linear(operation, transpose):
    """Derivatives of an operation linear in its first argument; the others are plain."""
    defvjp(operation, lambda ans, x, *rest: lambda g: transpose(g, x, *rest))
    defjvp(operation, lambda g, ans, x, *rest: operation(g, *rest))


def native(array, dtype):
    """The array as kernels take any: of this dtype, contiguous, in the machine's byte order.

    And writeable, since kernels would be compiled once more for what is not.
    """
    if array.flags.carray and array.dtype == dtype and dtype.isnative:
        return array
    return np.array(array, dtype.newbyteorder("="), order="C")


def as_pixels(images):
    """Images (N, C, H, W) as the kernels take them: contiguous (C, H*W, N), native byte order.

    Without a copy where memory already lies so.
    """
    count, channels, height, width = images.shape
    pixels = native(images.transpose(1, 2, 3, 0), images.dtype)
    return pixels.reshape(channels, height * width, count)


def from_pixels(pixels, size):
    """The images (N, C, H, W) that lie in memory as (C, H*W, N); size is (H, W)."""
    return pixels.reshape(len(pixels), *size, pixels.shape[2]).transpose(3, 0, 1, 2)


@primitive
def batch_last(x):
    """The same images, contiguous as (C, H, W, N) in memory."""
    return np.ascontiguousarray(x.transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2)


@primitive
def batch_first(x):
    """The same images in NumPy's usual memory order."""
    return np.ascontiguousarray(x)


_define_linear(batch_last, lambda g, x: g)
_define_linear(batch_first, lambda g, x: g)


@primitive
def squeeze(x):
    """Each 2x2 square of pixels becomes four channels: (N, C, H, W) to (N, 4C, H/2, W/2).

    Channel 4c + 2i + j holds the pixels (i, j) of the squares of channel c, as PyTorch's
    pixel_unshuffle orders them.
    """
    n, c, h, w = x.shape
    squares = x.transpose(1, 2, 3, 0).reshape(c, h // 2, 2, w // 2, 2, n)
    stacked = squares.transpose(0, 2, 4, 1, 3, 5)
    return np.ascontiguousarray(stacked).reshape(4 * c, h // 2, w // 2, n).transpose(3, 0, 1, 2)


@primitive
def unsqueeze(y):
    """The inverse of `squeeze`, which is also its transpose."""
    n, c, h, w = y.shape
    stacked = y.transpose(1, 2, 3, 0).reshape(c // 4, 2, 2, h, w, n)
    squares = np.ascontiguousarray(stacked.transpose(0, 3, 1, 4, 2, 5))
    return squares.reshape(c // 4, 2 * h, 2 * w, n).transpose(3, 0, 1, 2)


_define_linear(squeeze, lambda g, x: unsqueeze(g))
_define_linear(unsqueeze, lambda g, y: squeeze(g))


@primitive
def take_channels(x, start, stop):
    """x[:, start:stop]."""
    return x[:, start:stop]


@primitive
def embed_channels(part, start, channels):
    """Images of `channels` channels that are 0 but for `part`, from channel `start` on."""
    n, c, h, w = part.shape
    whole = np.zeros((channels, h, w, n), part.dtype).transpose(3, 0, 1, 2)
    whole[:, start : start + c] = part
    return whole


_define_linear(take_channels, lambda g, x, start, stop: embed_channels(g, start, x.shape[1]))
_define_linear(
    embed_channels,
    lambda g, part, start, channels: take_channels(g, start, start + part.shape[1]),
)


@primitive
def scale_sides(x, *factors):
    """x times vectors along its first axes; the derivative keeps the vectors, no whole array."""
    for axis, factor in enumerate(factors):
        x = x * factor.reshape(-1, *(1,) * (x.ndim - axis - 1))
    return x


_define_linear(scale_sides, lambda g, x, *factors: scale_sides(g, *factors))


@primitive
def scatter(values, index, shape):
    """An array of zeros but for ``result.ravel()[index] = values``; no index occurs twice."""
    result = np.zeros(shape, values.dtype)
    result.ravel()[index] = values
    return result


@primitive
def gather(array, index):
    """array.ravel()[index]."""
    return array.ravel()[index]


_define_linear(scatter, lambda g, values, index, shape: gather(g, index))
_define_linear(gather, lambda g, array, index: scatter(g, index, array.shape))
