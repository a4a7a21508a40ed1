"""The order of images in memory: the batch first or last, and contiguous as the kernels take them.

Images are (N, C, H, W) to every caller. In memory they may lie batch-last, as contiguous
(C, H, W, N): the values are the same, and elementwise operations of NumPy keep that order.
"""

from typing import Any

import numpy as np
from autograd.extend import defjvp, defvjp, primitive

from cinc_ref._typing import Array, FloatArray, Size

__all__ = [
    "as_native_contiguous",
    "as_pixels",
    "batch_first",
    "batch_last",
    "by_channel",
    "from_pixels",
]


def as_native_contiguous(array: Array, dtype: np.dtype[Any]) -> Array:
    """Return an array of this dtype, contiguous and in the machine's byte order.

    It is writeable, too: kernels would be compiled once more for an array that is not.
    """
    if array.flags.carray and array.dtype == dtype and dtype.isnative:
        return array
    return np.array(array, dtype.newbyteorder("="), order="C")


def as_pixels(images: Array) -> Array:
    """Return images (N, C, H, W) as contiguous (C, H*W, N); a view where they already lie so."""
    count, channels, height, width = images.shape
    pixels = as_native_contiguous(images.transpose(1, 2, 3, 0), images.dtype)
    return pixels.reshape(channels, height * width, count)


def from_pixels(pixels: Array, size: Size) -> Array:
    """Return images (N, C, H, W) that lie in memory as (C, H*W, N); size is (H, W)."""
    return pixels.reshape(len(pixels), *size, pixels.shape[2]).transpose(3, 0, 1, 2)


def by_channel(pixels: Array) -> Array:
    """View contiguous (C, P, N) as (C, P * N)."""
    return pixels.reshape(len(pixels), -1)


@primitive
def batch_last(x: FloatArray) -> FloatArray:
    """Lay images out as contiguous (C, H, W, N) in memory."""
    return np.ascontiguousarray(x.transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2)


@primitive
def batch_first(x: FloatArray) -> FloatArray:
    """Lay images out as contiguous (N, C, H, W) in memory."""
    return np.ascontiguousarray(x)


defvjp(batch_last, lambda ans, x: lambda g: g)
defjvp(batch_last, lambda g, ans, x: g)
defvjp(batch_first, lambda ans, x: lambda g: g)
defjvp(batch_first, lambda g, ans, x: g)
