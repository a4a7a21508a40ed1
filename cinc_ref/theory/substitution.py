"""Convolution and substitution from their definition, in whatever numbers come.

Python integers, Fractions and floats go through the same few lines, which share no code with the
kernels. The images are first flipped so that the padded corner is the top left one; there the
convolution reads earlier pixels only, and its transpose later pixels only:

    (M x)[i, j]   = sum over taps of K_ab   x[i - (p-a)d, j - (q-b)d]
    (M^T x)[i, j] = sum over taps of K_ab^T x[i + (p-a)d, j + (q-b)d].
"""

from functools import partial

import numpy as np

from cinc_ref import _validate
from cinc_ref.errors import SingularKernelError
from cinc_ref.geometry import check_geometry
from cinc_ref.theory.exact import matrix_determinant, matrix_inverse, to_fractions


def exact_conv(x, kernel, *, corner="top-left", dilation=1, anchor=None, transpose=False):
    """M x, or M^T x, in Fractions.

    Parameters
    ----------
    x : array_like, shape (N, C, H, W)
        Integers, Fractions or floats; a float counts as the dyadic fraction that it is.
    kernel, corner, dilation, anchor
        As for `cinc_ref.conv`; integers, Fractions or floats.
    transpose : bool
        Apply the transposed matrix.

    Returns
    -------
    ndarray of fractions.Fraction, shape (N, C, H, W)

    Raises
    ------
    ShapeError, DtypeError, NonFiniteError, OptionError
        If an argument is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref import theory
    >>> theory.exact_conv(np.array([[[[1, 2]]]]), np.array([[[[3, 4]]]])).astype(int)
    array([[[[ 4, 11]]]])
    """
    x, kernel, geometry = _checked(x, "x", kernel, corner, dilation, anchor)
    return convolve(to_fractions(x), to_fractions(kernel), geometry, transpose)


def exact_inverse(y, kernel, *, corner="top-left", dilation=1, anchor=None, transpose=False):
    """M^{-1} y, or M^{-T} y, by substitution in Fractions: no rounding anywhere.

    Parameters
    ----------
    y : array_like, shape (N, C, H, W)
        Integers, Fractions or floats; a float counts as the dyadic fraction that it is.
    kernel, corner, dilation, anchor
        As for `cinc_ref.conv_inverse`; integers, Fractions or floats.
    transpose : bool
        Apply the inverse of the transposed matrix.

    Returns
    -------
    ndarray of fractions.Fraction, shape (N, C, H, W)

    Raises
    ------
    SingularKernelError
        If the corner block is singular, decided exactly.
    ShapeError, DtypeError, NonFiniteError, OptionError
        If an argument is not as described.

    References
    ----------
    Nagar, Dufraisse and Varma, "CInC Flow", 2021, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref import theory
    >>> theory.exact_inverse(np.array([[[[1, 1]]]]), np.array([[[[1, 3]]]])).tolist()
    [[[[Fraction(1, 3), Fraction(2, 9)]]]]
    """
    y, kernel, geometry = _checked(y, "y", kernel, corner, dilation, anchor)
    check_invertible(kernel, geometry.anchor)
    kernel = to_fractions(kernel)
    inverse = matrix_inverse(kernel[:, :, *geometry.anchor])
    inverse = inverse if transpose else inverse.T
    return substitute(to_fractions(y), kernel, lambda rest: rest @ inverse, geometry, transpose)


def convolve(x, kernel, geometry, transpose=False):
    """M x or M^T x, for arrays of one kind of number."""
    x = _from_corner(x, geometry.corner, transpose)
    y = np.zeros_like(x)
    for up, left, block in _taps(kernel, geometry, transpose):
        rows, columns = _reached(x.shape[0], up), _reached(x.shape[1], left)
        y[rows[0], columns[0]] += x[rows[1], columns[1]] @ block
    return _to_corner(y, geometry.corner, transpose)


def substitute(y, kernel, solve, geometry, transpose=False):
    """M^{-1} y or M^{-T} y, for arrays of one kind of number.

    ``solve(rest)`` returns the x with ``x @ B.T == rest`` (with B for the transpose), where rest
    holds one pixel of all images, shape (N, C).
    """
    y = _from_corner(y, geometry.corner, transpose)
    x = np.zeros_like(y)
    others = [tap for tap in _taps(kernel, geometry, transpose) if tap[:2] != (0, 0)]
    for i, j in np.ndindex(x.shape[:2]):
        rest = y[i, j]
        for up, left, block in others:
            if up <= i and 0 <= j - left < x.shape[1]:
                rest = rest - x[i - up, j - left] @ block
        x[i, j] = solve(rest)
    return _to_corner(x, geometry.corner, transpose)


def is_clearly_invertible(block):
    """Whether floating point proves a matrix invertible: its condition is far below 1/eps."""
    try:
        condition = np.linalg.cond(block.astype(np.float64), 1)
    except (OverflowError, np.linalg.LinAlgError):
        return False
    return bool(len(block) * condition < 1e12)


def check_invertible(kernel, anchor):
    """Refuse a singular corner block; what floating point cannot clear is decided exactly."""
    block = kernel[:, :, *anchor]
    if not is_clearly_invertible(block) and matrix_determinant(block) == 0:
        p, q = anchor
        raise SingularKernelError(
            f"the corner block kernel[:, :, {p}, {q}] must be invertible; "
            "its determinant is exactly 0"
        )


def _checked(images, name, kernel, corner, dilation, anchor):
    images, kernel = np.asarray(images), np.asarray(kernel)
    _validate.check_kernel_shape(kernel)
    _validate.check_images_shape(images, len(kernel), name)
    for array, array_name in ((kernel, "kernel"), (images, name)):
        _validate.check_exact_or_float(array, array_name)
        _validate.check_finite(array, array_name)
    return images, kernel, check_geometry(kernel, corner, dilation, anchor)


def _taps(kernel, geometry, transpose):
    """Rows up, columns left, and what multiplies a row vector of channels, for every tap.

    For the transpose all pixels are reversed and K_ab is transposed.
    """
    (p, q), d = geometry.anchor, geometry.dilation
    for a, b in np.ndindex(p + 1, kernel.shape[3]):
        block = kernel[:, :, a, b]
        if (a, b) <= (p, q) and np.any(block != 0):
            yield (p - a) * d, (q - b) * d, block if transpose else block.T


def _reached(length, offset):
    """Slices of the pixels that are written and read along one axis of the image."""
    shift = partial(min, length)
    if offset >= 0:
        return slice(shift(offset), None), slice(0, length - shift(offset))
    return slice(0, length - shift(-offset)), slice(shift(-offset), None)


def _from_corner(images, corner, transpose):
    """Images as (H, W, N, C), flipped so that pixels are read from earlier ones only."""
    return _flip(images.transpose(2, 3, 0, 1), corner, transpose)


def _to_corner(images, corner, transpose):
    return _flip(images, corner, transpose).transpose(2, 3, 0, 1)


def _flip(images, corner, transpose):
    down, right = corner.startswith("bottom"), corner.endswith("right")
    return images[:: -1 if down != transpose else 1, :: -1 if right != transpose else 1]
