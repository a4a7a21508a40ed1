"""Invertibility decided exactly, with an image that is lost where a convolution has no inverse."""

from collections.abc import Sequence

import numpy as np

from cinc_ref import _validate
from cinc_ref._typing import Array, Corner, RealArrayLike, Size
from cinc_ref.errors import OptionError
from cinc_ref.geometry import flip
from cinc_ref.theory.arguments import check_kernel
from cinc_ref.theory.exact import Exact, matrix_determinant, null_vector, short
from cinc_ref.theory.matrix import convolution_matrix

__all__ = ["exact_determinant", "is_invertible", "null_image"]


def is_invertible(kernel: RealArrayLike, anchor: Sequence[int] | None = None) -> bool:
    """Decide exactly whether the convolution with this kernel is invertible.

    It is if and only if the corner block ``B = kernel[:, :, p, q]`` at the anchor (p, q) has a
    non-zero determinant, whatever the image size; for one channel, iff K_nn != 0 (theorem 3;
    CInC Flow, section 3).

    Parameters
    ----------
    kernel : array_like, shape (C, C, kh, kw)
        Integers, Fractions or floats; a float counts as the dyadic fraction that it is.
    anchor : (int, int), optional
        The tap that reads the pixel itself; the bottom-right one unless given.

    Returns
    -------
    bool

    Raises
    ------
    ShapeError, DtypeError, NonFiniteError, OptionError
        If an argument is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref import theory
    >>> theory.is_invertible(np.array([[[[5, 5], [5, 1]]]]))
    True
    >>> theory.is_invertible(np.array([[[[5, 5], [5, 0]]]]))
    False
    """
    kernel, geometry = check_kernel(kernel, anchor=anchor)
    return matrix_determinant(kernel[:, :, *geometry.anchor]) != 0


def exact_determinant(
    kernel: RealArrayLike,
    size: Size,
    *,
    corner: Corner = "top-left",
    dilation: int = 1,
    anchor: Sequence[int] | None = None,
) -> Exact:
    """Compute the determinant of the convolution on one image, by elimination on its whole matrix.

    Fraction-free elimination that makes no use of the matrix's structure: an independent check
    of theorem 2, det M = det(B)^(H W), and slow for more than a few hundred unknowns C*H*W.

    Parameters
    ----------
    kernel : array_like, shape (C, C, kh, kw)
        Integers, Fractions or floats; a float counts as the dyadic fraction that it is.
    size : (int, int)
        Image height and width (H, W).
    corner, dilation, anchor
        As for `cinc_ref.conv`.

    Returns
    -------
    int or fractions.Fraction
        An int if the determinant is one.

    Raises
    ------
    ShapeError, DtypeError, NonFiniteError, OptionError
        If an argument is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref import theory
    >>> theory.exact_determinant(np.array([[[[7, 7], [7, -2]]]]), (3, 5))
    -32768
    """
    options = {"corner": corner, "dilation": dilation, "anchor": anchor}
    return matrix_determinant(convolution_matrix(kernel, size, **options))


def null_image(
    kernel: RealArrayLike,
    size: Size,
    *,
    corner: Corner = "top-left",
    anchor: Sequence[int] | None = None,
) -> Array:
    """Construct a non-zero image that a convolution with singular corner block maps to 0.

    If B v = 0, the image that holds v in its last pixel (the one opposite to the padded corner)
    and 0 elsewhere: only the corner block reads that pixel (theorem 3). v is found by elimination
    in Fractions and scaled to coprime integers.

    Parameters
    ----------
    kernel : array_like, shape (C, C, kh, kw)
        Integers, Fractions or floats; a float counts as the dyadic fraction that it is.
    size : (int, int)
        Image height and width (H, W).
    corner, anchor
        As for `cinc_ref.conv`. The dilation does not matter.

    Returns
    -------
    ndarray, shape (1, C, H, W)
        Integer values, in the kernel's dtype where that holds them exactly, otherwise Python
        integers.

    Raises
    ------
    OptionError
        If the corner block is invertible: then 0 is the only such image.
    ShapeError, DtypeError, NonFiniteError
        If an argument is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> import cinc_ref as cr
    >>> kernel = np.ones((2, 2, 2, 2))
    >>> image = cr.theory.null_image(kernel, (1, 2))
    >>> image
    array([[[[ 0., -1.]],
    <BLANKLINE>
            [[ 0.,  1.]]]])
    >>> cr.conv(image, kernel).any()
    np.False_
    """
    kernel, geometry = check_kernel(kernel, corner, anchor=anchor)
    height, width = _validate.check_size(size)
    block = kernel[:, :, *geometry.anchor]
    vector = null_vector(block)
    if vector is None:
        raise OptionError(
            "kernel must have a singular corner block for a null image to exist; "
            f"its determinant is {short(matrix_determinant(block))}"
        )
    needed = 8 * len(kernel) * height * width
    _validate.check_memory("size", size, needed, "use smaller images")
    image = np.full((1, len(kernel), height, width), 0, dtype=object)
    flip(image, geometry.corner)[0, :, -1, -1] = vector
    return _in_dtype(image, kernel.dtype)


def _in_dtype(integers, dtype):
    """Convert integers to a dtype, or leave them as they are if it does not hold them all."""
    try:
        values = integers.astype(dtype)
    except OverflowError:
        return integers
    return values if np.array_equal(values.astype(object), integers) else integers
