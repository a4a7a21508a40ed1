"""Whether a convolution is invertible, and an image that it loses where it is not; all exact."""

import numpy as np

from cinc_ref import _validate
from cinc_ref.errors import OptionError
from cinc_ref.geometry import check_geometry
from cinc_ref.theory.exact import matrix_determinant, null_vector
from cinc_ref.theory.matrix import convolution_matrix


def is_invertible(kernel, anchor=None):
    """Whether the convolution with this kernel is invertible, decided exactly.

    It is if and only if the corner block ``B = kernel[:, :, p, q]`` at the anchor (p, q) has a
    non-zero determinant, whatever the image size; for one channel, iff K_nn != 0 (CInC Flow,
    section 3).

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
    return matrix_determinant(_corner_block(np.asarray(kernel), anchor)) != 0


def exact_determinant(kernel, size, *, corner="top-left", dilation=1, anchor=None):
    """The determinant of the convolution on one image, by elimination on its whole matrix.

    Fraction-free elimination that makes no use of the matrix's structure: an independent check
    of det M = det(B)^(H W), and slow for more than a few hundred unknowns C*H*W.

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


def null_image(kernel, size, *, corner="top-left", anchor=None):
    """A non-zero image that the convolution maps to exactly 0, for a singular corner block.

    If B v = 0, the image that holds v in its last pixel (the one opposite to the padded corner)
    and 0 elsewhere: only the corner block reads that pixel. v is found by elimination in
    Fractions and scaled to coprime integers.

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
    kernel = np.asarray(kernel)
    block = _corner_block(kernel, anchor)
    height, width = _validate.check_size(size)
    check_geometry(kernel, corner, anchor=anchor)
    vector = null_vector(block)
    if vector is None:
        raise OptionError(
            "kernel must have a singular corner block for a null image to exist; "
            f"its determinant is {matrix_determinant(block)}"
        )
    image = np.full((1, len(kernel), height, width), 0, dtype=object)
    last_row = height - 1 if corner.startswith("top") else 0
    last_column = width - 1 if corner.endswith("left") else 0
    image[0, :, last_row, last_column] = vector
    return _in_dtype(image, kernel.dtype)


def _corner_block(kernel, anchor):
    _validate.check_kernel_shape(kernel)
    _validate.check_exact_or_float(kernel, "kernel")
    _validate.check_finite(kernel, "kernel")
    return kernel[:, :, *check_geometry(kernel, anchor=anchor).anchor]


def _in_dtype(integers, dtype):
    """The same values in a dtype, or as they are if it does not hold them all."""
    try:
        values = integers.astype(dtype)
    except OverflowError:
        return integers
    return values if np.array_equal(values.astype(object), integers) else integers
