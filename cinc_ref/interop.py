"""Kernels and images of other implementations, to the conventions of cinc_ref and back.

Ours: images (N, C, H, W); kernels (C, C, kh, kw), output channel first, the tap that reads the
pixel itself at the bottom right.
"""

import numpy as np

from cinc_ref import _validate
from cinc_ref.errors import OptionError, ShapeError

FINC_CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")
"""The padded corner of each of FInC's four groups of channels, in their order."""


def nhwc_to_nchw(images):
    """Images (N, H, W, C) as (N, C, H, W), C-contiguous.

    Parameters
    ----------
    images : array_like, shape (N, H, W, C)

    Returns
    -------
    ndarray, shape (N, C, H, W)

    Raises
    ------
    ShapeError

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref import interop
    >>> interop.nhwc_to_nchw(np.zeros((10, 32, 24, 3))).shape
    (10, 3, 32, 24)
    """
    return np.ascontiguousarray(_four_axes(images, "images", "N, H, W, C").transpose(0, 3, 1, 2))


def nchw_to_nhwc(images):
    """Images (N, C, H, W) as (N, H, W, C), C-contiguous.

    Parameters
    ----------
    images : array_like, shape (N, C, H, W)

    Returns
    -------
    ndarray, shape (N, H, W, C)

    Raises
    ------
    ShapeError

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref import interop
    >>> interop.nchw_to_nhwc(np.zeros((10, 3, 32, 24))).shape
    (10, 32, 24, 3)
    """
    return np.ascontiguousarray(_four_axes(images, "images", "N, C, H, W").transpose(0, 2, 3, 1))


def kernel_from_tf(kernel):
    r"""The kernel of a layer of the TensorFlow code released with CInC Flow.

    That code stores (2 kh - 1, 2 kw - 1, in, out), centred for a convolution with "SAME" padding,
    and masks all taps but the first kh rows and kw columns, whose last tap is the centre; there it
    keeps the entries with in >= out, so that the corner block is upper triangular:

    .. math::
        K[o, c, a, b] = W[a, b, c, o]

    Parameters
    ----------
    kernel : array_like, shape (2 kh - 1, 2 kw - 1, C, C)
        Masked or not.

    Returns
    -------
    ndarray, shape (C, C, kh, kw)
        For `cinc_ref.conv`, with the default corner and anchor.

    Raises
    ------
    ShapeError

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
    ours = np.ascontiguousarray(quadrant.transpose(3, 2, 0, 1))
    ours[:, :, -1, -1] = np.triu(ours[:, :, -1, -1])
    return ours


def kernel_to_tf(kernel):
    """The inverse of `kernel_from_tf`: embedded, and 0 at the taps that it masks.

    Parameters
    ----------
    kernel : array_like, shape (C, C, kh, kw)
        With an upper triangular corner block.

    Returns
    -------
    ndarray, shape (2 kh - 1, 2 kw - 1, C, C)

    Raises
    ------
    ShapeError
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
    kernel = np.asarray(kernel)
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


def kernels_from_finc(kernels):
    """The kernels of a FInC Flow layer: one for each of four equal groups of channels.

    Its groups are padded at the top left, top right, bottom left and bottom right, and its kernels
    are flipped likewise, so that the tap that reads the pixel itself stands at the opposite corner
    of the kernel. Ours are not flipped. The corner blocks are unit lower triangular: the diagonal
    is set to 1 and the upper triangle to 0, as that code does when it starts.

    Parameters
    ----------
    kernels : sequence of four array_like, shape (C / 4, C / 4, kh, kw)

    Returns
    -------
    list of (ndarray, str)
        Kernel and ``corner`` for `cinc_ref.conv` on the channels of each group, in order.

    Raises
    ------
    ShapeError

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref import interop
    >>> kernels = np.random.default_rng(0).normal(size=(4, 2, 2, 3, 3))
    >>> [corner for _, corner in interop.kernels_from_finc(kernels)]
    ['top-left', 'top-right', 'bottom-left', 'bottom-right']
    """
    ours = []
    for kernel, corner in zip(_four(kernels), FINC_CORNERS, strict=True):
        kernel = np.asarray(kernel)
        _validate.check_kernel_shape(kernel)
        kernel = _flipped(kernel, corner).copy()
        block = np.tril(kernel[:, :, -1, -1], -1) + np.eye(len(kernel), dtype=kernel.dtype)
        kernel[:, :, -1, -1] = block
        ours.append((kernel, corner))
    return ours


def kernels_to_finc(kernels):
    """The inverse of `kernels_from_finc`.

    Parameters
    ----------
    kernels : sequence of four array_like, shape (C / 4, C / 4, kh, kw)
        With unit lower triangular corner blocks, in the order top left, top right, bottom left,
        bottom right.

    Returns
    -------
    list of ndarray, shape (C / 4, C / 4, kh, kw)

    Raises
    ------
    ShapeError
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
    theirs = []
    for kernel, corner in zip(_four(kernels), FINC_CORNERS, strict=True):
        kernel = np.asarray(kernel)
        _validate.check_kernel_shape(kernel)
        block = kernel[:, :, -1, -1]
        if np.triu(block, 1).any() or (np.diagonal(block) != 1).any():
            raise OptionError(
                "the corner blocks must be unit lower triangular for FInC; "
                f"got {block.tolist()} at the {corner}"
            )
        theirs.append(np.ascontiguousarray(_flipped(kernel, corner)))
    return theirs


def _flipped(kernel, corner):
    rows, columns = (-1 if side in corner else 1 for side in ("bottom", "right"))
    return kernel[:, :, ::rows, ::columns]


def _four(kernels):
    kernels = list(kernels)
    if len(kernels) != 4:
        raise ShapeError(f"kernels must be four, one for each group; got {len(kernels)}")
    return kernels


def _four_axes(array, name, axes):
    array = np.asarray(array)
    if array.ndim != 4:
        raise ShapeError(f"{name} must have shape ({axes}); got {array.shape}")
    return array
