"""Conversion of kernels and images of other implementations to those of cinc_ref, and back.

In cinc_ref images are (N, C, H, W); kernels are (C, C, kh, kw), output channel first, with the tap
that reads the pixel itself at the bottom right.
"""

from collections.abc import Iterable

import numpy as np

from cinc_ref import _validate
from cinc_ref._arrays import plain_array
from cinc_ref._typing import Array, Corner, RealArrayLike
from cinc_ref.errors import OptionError, ShapeError
from cinc_ref.geometry import CORNERS, flip

__all__ = [
    "kernel_from_tf",
    "kernel_to_tf",
    "kernels_from_finc",
    "kernels_to_finc",
    "nchw_to_nhwc",
    "nhwc_to_nchw",
]


def __dir__() -> list[str]:
    return __all__


def nhwc_to_nchw(images: RealArrayLike) -> Array:
    """Convert images (N, H, W, C) to (N, C, H, W).

    Parameters
    ----------
    images : array_like, shape (N, H, W, C)
        Images of any dtype.

    Returns
    -------
    ndarray, shape (N, C, H, W), dtype of the images
        A C-contiguous array.

    Raises
    ------
    ShapeError, DtypeError
        If the images are no array of four axes.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref import interop
    >>> interop.nhwc_to_nchw(np.zeros((10, 32, 24, 3))).shape
    (10, 3, 32, 24)
    """
    return np.ascontiguousarray(_four_axes(images, "images", "N, H, W, C").transpose(0, 3, 1, 2))


def nchw_to_nhwc(images: RealArrayLike) -> Array:
    """Convert images (N, C, H, W) to (N, H, W, C).

    Parameters
    ----------
    images : array_like, shape (N, C, H, W)
        Images of any dtype.

    Returns
    -------
    ndarray, shape (N, H, W, C), dtype of the images
        A C-contiguous array.

    Raises
    ------
    ShapeError, DtypeError
        If the images are no array of four axes.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref import interop
    >>> interop.nchw_to_nhwc(np.zeros((10, 3, 32, 24))).shape
    (10, 32, 24, 3)
    """
    return np.ascontiguousarray(_four_axes(images, "images", "N, C, H, W").transpose(0, 2, 3, 1))


def kernel_from_tf(kernel: RealArrayLike) -> Array:
    r"""Convert the kernel of a layer of the TensorFlow code released with CInC Flow.

    That code stores (2 kh - 1, 2 kw - 1, in, out), centred for a convolution with "SAME" padding,
    and masks all taps but the first kh rows and kw columns, whose last tap is the centre; there it
    keeps the entries with in >= out, so that the corner block is upper triangular:

    .. math::
        K[o, c, a, b] = W[a, b, c, o]

    Parameters
    ----------
    kernel : array_like, shape (2 kh - 1, 2 kw - 1, C, C)
        The stored kernel, masked or not.

    Returns
    -------
    ndarray, shape (C, C, kh, kw), dtype of the kernel
        The kernel for `cinc_ref.conv`, with the default corner and anchor.

    Raises
    ------
    ShapeError, DtypeError
        If the kernel is no array of this shape.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref import interop
    >>> kernel = interop.kernel_from_tf(np.ones((5, 5, 2, 2)))
    >>> kernel.shape
    (2, 2, 3, 3)
    >>> kernel[:, :, -1, -1]
    array([[1., 1.],
           [0., 1.]])
    """
    kernel = _four_axes(kernel, "kernel", "2 kh - 1, 2 kw - 1, C, C")
    height, width, inputs, outputs = kernel.shape
    if not (height % 2 and width % 2 and inputs == outputs and inputs):
        raise ShapeError(
            f"kernel must have shape (2 kh - 1, 2 kw - 1, C, C), odd sides; got {kernel.shape}"
        )
    quadrant = kernel[: (height + 1) // 2, : (width + 1) // 2]
    converted = np.ascontiguousarray(quadrant.transpose(3, 2, 0, 1))
    converted[:, :, -1, -1] = np.triu(converted[:, :, -1, -1])
    return converted


def kernel_to_tf(kernel: RealArrayLike) -> Array:
    """Convert a kernel to that of the released TensorFlow code: the inverse of `kernel_from_tf`.

    Parameters
    ----------
    kernel : array_like, shape (C, C, kh, kw)
        A kernel with an upper triangular corner block.

    Returns
    -------
    ndarray, shape (2 kh - 1, 2 kw - 1, C, C), dtype of the kernel
        The kernel with 0 at the taps that the released code masks.

    Raises
    ------
    ShapeError, DtypeError
        If the kernel is no array of this shape.
    OptionError
        If the corner block is not upper triangular: that code would mask it. Reversing the order of
        the channels, of images and kernel alike, turns a lower triangle into an upper one.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref import interop
    >>> kernel = interop.kernel_from_tf(np.random.default_rng(0).normal(size=(3, 5, 2, 2)))
    >>> bool(np.array_equal(interop.kernel_from_tf(interop.kernel_to_tf(kernel)), kernel))
    True
    """
    kernel = plain_array(kernel, "kernel")
    _validate.check_kernel_shape(kernel)
    channels, _, kh, kw = kernel.shape
    if np.tril(kernel[:, :, -1, -1], -1).any():
        raise OptionError(
            "the corner block must be upper triangular for the released code; "
            "reverse the channels with kernel[::-1, ::-1] and x[:, ::-1] if it is lower triangular"
        )
    embedded = np.zeros((2 * kh - 1, 2 * kw - 1, channels, channels), kernel.dtype)
    embedded[:kh, :kw] = kernel.transpose(2, 3, 1, 0)
    return embedded


def kernels_from_finc(kernels: Iterable[RealArrayLike]) -> list[tuple[Array, Corner]]:
    """Convert the kernels of a FInC Flow layer, one for each of four equal groups of channels.

    Its groups are padded at the top left, top right, bottom left and bottom right, and its kernels
    are flipped accordingly, so that the tap that reads the pixel itself stands at the opposite
    corner of the kernel. Kernels of cinc_ref are not flipped. The corner blocks are unit lower
    triangular: the diagonal is set to 1 and the upper triangle to 0, as that code does when it
    starts.

    Parameters
    ----------
    kernels : iterable of four array_like, shape (C / 4, C / 4, kh, kw)
        The kernels of the groups, in order.

    Returns
    -------
    list of (ndarray, str)
        Kernel and ``corner`` for `cinc_ref.conv` on the channels of each group, in order.

    Raises
    ------
    ShapeError, DtypeError
        If there are not four kernels, or one is no array of this shape.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref import interop
    >>> kernels = np.random.default_rng(0).normal(size=(4, 2, 2, 3, 3))
    >>> [corner for _, corner in interop.kernels_from_finc(kernels)]
    ['top-left', 'top-right', 'bottom-left', 'bottom-right']
    """
    converted = []
    for kernel, corner in zip(_four(kernels), CORNERS, strict=True):
        kernel = plain_array(kernel, "kernel")
        _validate.check_kernel_shape(kernel)
        kernel = flip(kernel, corner).copy()
        block = np.tril(kernel[:, :, -1, -1], -1) + np.eye(len(kernel), dtype=kernel.dtype)
        kernel[:, :, -1, -1] = block
        converted.append((kernel, corner))
    return converted


def kernels_to_finc(kernels: Iterable[RealArrayLike]) -> list[Array]:
    """Convert kernels to those of a FInC Flow layer: the inverse of `kernels_from_finc`.

    Parameters
    ----------
    kernels : iterable of four array_like, shape (C / 4, C / 4, kh, kw)
        Kernels with unit lower triangular corner blocks, in the order top left, top right, bottom
        left, bottom right.

    Returns
    -------
    list of ndarray, shape (C / 4, C / 4, kh, kw)
        The flipped kernels, in the same order.

    Raises
    ------
    ShapeError, DtypeError
        If there are not four kernels, or one is no array of this shape.
    OptionError
        If a corner block is not unit lower triangular.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref import interop
    >>> kernels = [k for k, _ in interop.kernels_from_finc(np.ones((4, 2, 2, 3, 3)))]
    >>> len(interop.kernels_to_finc(kernels))
    4
    """
    converted = []
    for kernel, corner in zip(_four(kernels), CORNERS, strict=True):
        kernel = plain_array(kernel, "kernel")
        _validate.check_kernel_shape(kernel)
        block = kernel[:, :, -1, -1]
        if np.triu(block, 1).any() or (np.diagonal(block) != 1).any():
            raise OptionError(
                "the corner blocks must be unit lower triangular for FInC; "
                f"got {block.tolist()} at the {corner}"
            )
        converted.append(np.ascontiguousarray(flip(kernel, corner)))
    return converted


def _four(kernels):
    kernels = list(kernels) if np.iterable(kernels) else []
    if len(kernels) != 4:
        raise ShapeError(f"kernels must be four, one for each group; got {len(kernels)}")
    return kernels


def _four_axes(array, name, axes):
    array = plain_array(array, name)
    if array.ndim != 4:
        raise ShapeError(f"{name} must have shape ({axes}); got {array.shape}")
    return array
