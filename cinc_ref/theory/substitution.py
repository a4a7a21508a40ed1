"""Convolution, substitution and residual from their definition, for every kind of number.

Python integers, Fractions and floats go through the same few lines, which share no code with the
kernels. The images are first flipped so that the padded corner is the top left one; there the
convolution reads earlier pixels only, and its transpose later pixels only:

    (M x)[i, j]   = sum over taps of K_ab   x[i - (p-a)d, j - (q-b)d]
    (M^T x)[i, j] = sum over taps of K_ab^T x[i + (p-a)d, j + (q-b)d].
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinc_ref import _validate
from cinc_ref._typing import Array, Corner, RealArrayLike
from cinc_ref.errors import SingularKernelError
from cinc_ref.geometry import Geometry, flip
from cinc_ref.theory.arguments import as_exact_array, check_kernel
from cinc_ref.theory.exact import matrix_determinant, matrix_inverse, to_fractions

__all__ = [
    "check_invertible",
    "convolve",
    "elementwise_residual",
    "exact_conv",
    "exact_inverse",
    "is_clearly_invertible",
    "substitute",
]

WIDER: dict[int, type[np.floating[Any]]] = {2: np.float64, 4: np.float64, 8: np.longdouble}
"""The dtype in which a residual is computed, by the bytes of a float of the images."""


def exact_conv(
    x: RealArrayLike,
    kernel: RealArrayLike,
    *,
    corner: Corner = "top-left",
    dilation: int = 1,
    anchor: Sequence[int] | None = None,
    transpose: bool = False,
) -> NDArray[np.object_]:
    """Compute M x, or M^T x, in Fractions.

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
    transpose = _validate.boolean("transpose", transpose)
    return convolve(to_fractions(x), to_fractions(kernel), geometry, transpose)


def exact_inverse(
    y: RealArrayLike,
    kernel: RealArrayLike,
    *,
    corner: Corner = "top-left",
    dilation: int = 1,
    anchor: Sequence[int] | None = None,
    transpose: bool = False,
) -> NDArray[np.object_]:
    """Compute M^{-1} y, or M^{-T} y, by substitution in Fractions: no rounding anywhere.

    Theorem 4, and theorem 7 for the transpose.

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
    transpose = _validate.boolean("transpose", transpose)
    check_invertible(kernel, geometry.anchor)
    kernel = to_fractions(kernel)
    inverse = matrix_inverse(kernel[:, :, *geometry.anchor])
    inverse = inverse if transpose else inverse.T
    return substitute(to_fractions(y), kernel, lambda rest: rest @ inverse, geometry, transpose)


def convolve(x: Array, kernel: Array, geometry: Geometry, transpose: bool = False) -> Array:
    """Compute M x or M^T x, for arrays of one kind of number."""
    x = _from_corner(x, geometry.corner, transpose)
    y = np.zeros_like(x)
    for up, left, block in _taps(kernel, geometry, transpose):
        rows, columns = _overlap(x.shape[0], up), _overlap(x.shape[1], left)
        y[rows[0], columns[0]] += x[rows[1], columns[1]] @ block
    return _to_corner(y, geometry.corner, transpose)


def substitute(
    y: Array,
    kernel: Array,
    solve: Callable[[Array], Array],
    geometry: Geometry,
    transpose: bool = False,
) -> Array:
    """Compute M^{-1} y or M^{-T} y, for arrays of one kind of number.

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


def elementwise_residual(x: Array, y: Array, kernel: Array, geometry: Geometry) -> float:
    r"""Compute the largest entry of |y - M x| / (|M| |x|).

    Floats are evaluated in the next wider format and the result is in units of eps of y's dtype;
    integers and Fractions are evaluated exactly and the result has no unit. Elementwise, because
    the normwise residual hides bugs: a solver that misreads one small pixel passes it. Where
    |M| |x| is 0 the ratio counts as 0 if y is 0 too, otherwise as infinite.

    Parameters
    ----------
    x, y : ndarray, shape (N, C, H, W)
    kernel : ndarray, shape (C, C, kh, kw)
    geometry : Geometry

    Returns
    -------
    float
        NaN or infinite if a float of x or y is not finite; 0 for no images.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.geometry import Geometry
    >>> kernel, x, y = (np.full((1, 1, 1, 1), entry) for entry in (3.0, 1 / 3, 1.0))
    >>> elementwise_residual(x, y, kernel, Geometry())
    0.25
    >>> elementwise_residual(*(array.astype(int) for array in (x + 2, y, kernel)), Geometry())
    0.8333333333333334
    """
    unit = np.finfo(y.dtype).eps if y.dtype.kind == "f" else 1
    wider = WIDER.get(y.dtype.itemsize) if y.dtype.kind == "f" else None
    x, y, kernel = (to_fractions(a) if wider is None else a.astype(wider) for a in (x, y, kernel))
    gap = np.abs(y - convolve(x, kernel, geometry))
    scale = convolve(np.abs(x), np.abs(kernel), geometry)
    unread = scale == 0
    with np.errstate(invalid="ignore"):
        ratio = np.where(unread, np.where(gap == 0, 0.0, np.inf), gap / np.where(unread, 1, scale))
    return float(np.max(ratio, initial=0)) / float(unit)


def is_clearly_invertible(block: Array) -> bool:
    """Return whether floating point proves a matrix invertible: its condition is far from 1/eps."""
    try:
        condition = np.linalg.cond(block.astype(np.float64), 1)
    except (OverflowError, np.linalg.LinAlgError):
        return False
    return bool(len(block) * condition < 1e12)


def check_invertible(kernel: Array, anchor: tuple[int, int]) -> None:
    """Refuse a singular corner block; what floating point cannot clear is decided exactly."""
    block = kernel[:, :, *anchor]
    if not is_clearly_invertible(block) and matrix_determinant(block) == 0:
        p, q = anchor
        raise SingularKernelError(
            f"the corner block kernel[:, :, {p}, {q}] must be invertible; "
            "its determinant is exactly 0"
        )


def _checked(images, name, kernel, corner, dilation, anchor):
    kernel, geometry = check_kernel(kernel, corner, dilation, anchor)
    images = as_exact_array(images, name)
    _validate.check_images_shape(images, kernel, name)
    return images, kernel, geometry


def _taps(kernel, geometry, transpose):
    """Yield rows up, columns left, and what multiplies a row vector of channels, for every tap.

    For the transpose all pixels are reversed and K_ab is transposed.
    """
    (p, q), d = geometry.anchor, geometry.dilation
    for a, b in np.ndindex(p + 1, kernel.shape[3]):
        block = kernel[:, :, a, b]
        if (a, b) <= (p, q) and np.any(block != 0):
            yield (p - a) * d, (q - b) * d, block if transpose else block.T


def _overlap(length, offset):
    """Return slices of the pixels that are written and read along one axis of the image."""
    shift = partial(min, length)
    if offset >= 0:
        return slice(shift(offset), None), slice(0, length - shift(offset))
    return slice(0, length - shift(-offset)), slice(shift(-offset), None)


def _from_corner(images, corner, transpose):
    """View images as (H, W, N, C), flipped so that every pixel reads earlier ones only."""
    return _flip(images.transpose(2, 3, 0, 1), corner, transpose)


def _to_corner(images, corner, transpose):
    return _flip(images, corner, transpose).transpose(2, 3, 0, 1)


def _flip(images, corner, transpose):
    images = flip(images, corner, axes=(0, 1))
    return images[::-1, ::-1] if transpose else images
