"""Norms of the convolution and of its inverse, from their responses to single pixels.

M is block Toeplitz. For taps in one quadrant (nothing right of the anchor) the column of every
pixel is the column of the first pixel, moved and cut off at the border, so the first pixel's C
columns of M^{-1} hold the largest sum of a column, and, as its last pixel's rows are the same
numbers in reverse, the largest sum of a row. For half-plane taps only rows of pixels repeat: the
columns of the first row of pixels take their place.
"""

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from cinc_ref.geometry import Geometry
from cinc_ref.theory.exact import matrix_inverse, to_integers
from cinc_ref.theory.substitution import convolve, is_clearly_invertible, substitute

ACCURACY = 1e-8


class Norms(NamedTuple):
    """Norms of M and of its inverse on one image; exact Fractions or floats good to `ACCURACY`.

    Attributes
    ----------
    conv, inverse : number
        The 1-norms of M and M^{-1}: the largest sum of a column's absolute values.
    skeel : number
        The infinity norm of |M^{-1}| |M|, the largest sum of a row (Skeel, "Scaling for numerical
        stability in Gaussian elimination", 1979).
    squared_skeel : number
        The infinity norm of the product of M^{-1} and M with every entry squared.
    """

    conv: Fraction | float
    inverse: Fraction | float
    skeel: Fraction | float
    squared_skeel: Fraction | float


def norms(kernel, size, anchor):
    """The norms for a top-left corner and dilation 1, to a relative 1e-8 at any condition.

    Floating point first. If G is the computed response and R = 1 - M G what it leaves over, then
    M^{-1} = G (1 - R)^{-1}, so the norm of G is wrong by a factor of 1 +- ||R|| at most. Where
    that is not small enough, fixed-point integers do it, for which ||R|| < 2^-128 whatever the
    condition number is.

    Parameters
    ----------
    kernel : ndarray, shape (C, C, kh, kw)
        Integers, Fractions or floats, with an invertible corner block at the anchor.
    size : (int, int)
    anchor : (int, int)

    Returns
    -------
    Norms
    """
    kernel = kernel[:, :, : anchor[0] + 1]
    geometry = Geometry(anchor=anchor)
    with np.errstate(all="ignore"):
        found, error = _norms_in_floats(kernel.astype(np.float64), size, geometry)
        error = error * max(1, found.conv * found.inverse / found.skeel)
    accurate = error < ACCURACY and np.isfinite(found.squared_skeel)
    return found if accurate else _norms_in_integers(kernel, size, geometry)


def _norms_in_floats(kernel, size, geometry):
    """The norms, and their relative error to first order (NaN or infinite after an overflow)."""
    impulses = _impulses(kernel, size, geometry, np.float64)
    corner = kernel[:, :, *geometry.anchor]
    if not is_clearly_invertible(corner):
        return Norms(1.0, 1.0, 1.0, 1.0), np.inf
    inverse = np.linalg.inv(corner).T
    response = substitute(impulses, kernel, lambda rest: rest @ inverse, geometry)
    rest = np.abs(impulses - convolve(response, kernel, geometry))
    # The rest itself is rounded: by (number of terms + 1) u |M||G|, and u |M||G| for the kernel.
    terms = kernel[0].size + 3
    rest += terms * np.finfo(float).eps * convolve(np.abs(response), np.abs(kernel), geometry)
    error = max(_column_norm(rest), _row_norm(rest, _is_quadrant(kernel, geometry)))
    return _measure(response, impulses, kernel, geometry), error


def _norms_in_integers(kernel, size, geometry):
    """The norms from a response rounded to multiples of 2^-bits.

    Rounding leaves R = -B (rounding errors), below ||B|| 2^-bits a pixel.
    """
    kernel, scale = to_integers(kernel)
    corner = kernel[:, :, *geometry.anchor]
    largest = size[0] * size[1] * len(kernel) * int(np.abs(corner).sum()) // scale
    bits = 128 + largest.bit_length()
    numerators, denominator = to_integers(matrix_inverse(corner).T)
    impulses = _impulses(kernel, size, geometry, object)
    response = substitute(
        impulses * (scale << bits), kernel, lambda rest: rest @ numerators // denominator, geometry
    )
    found = _measure(response, impulses, kernel, geometry)
    return Norms(
        Fraction(found.conv, scale),
        Fraction(found.inverse, 1 << bits),
        Fraction(found.skeel, scale << bits),
        Fraction(found.squared_skeel, (scale << bits) ** 2),
    )


def _impulses(kernel, size, geometry, dtype):
    """An image for every channel of the first pixel (half-plane: of the first row of pixels)."""
    (height, width), channels = size, len(kernel)
    sources = 1 if _is_quadrant(kernel, geometry) else width
    images = np.zeros((sources, channels, channels, height, width), int)
    source, channel = np.indices((sources, channels))
    images[source, channel, channel, 0, source] = 1
    return images.reshape(-1, channels, height, width).astype(dtype)


def _is_quadrant(kernel, geometry):
    return not np.any(kernel[:, :, :, geometry.anchor[1] + 1 :] != 0)


def _measure(response, impulses, kernel, geometry):
    """Norms from the columns of M^{-1} and M that belong to the first pixels."""
    response, kernel = np.abs(response), np.abs(kernel)
    ones, quadrant = np.ones_like(impulses[:1]), _is_quadrant(kernel, geometry)
    products = [  # |M^{-1}| |M| 1, and the same of squares
        _weighted_row_norm(response**power, convolve(ones, kernel**power, geometry)[0], quadrant)
        for power in (1, 2)
    ]
    columns = convolve(impulses, kernel, geometry)
    return Norms(_column_norm(columns), _column_norm(response), *products)


def _column_norm(columns):
    return np.abs(columns).sum(axis=(1, 2, 3)).max()


def _row_norm(columns, quadrant):
    """The largest sum of a row: one of the last pixel (half-plane: the last row of pixels)."""
    return np.abs(columns).sum(axis=(0, 2, 3) if quadrant else (0, 2)).max()


def _weighted_row_norm(columns, weights, quadrant):
    """The largest sum of a row times the weights, shape (C, H, W), of the pixels that it reads.

    The last pixel reads pixel (H-1-i, W-1-j) through the response at (i, j); the last row of
    pixels reads row H-1-i through the responses at i to the impulses of the first row.
    """
    if quadrant:
        return (columns * weights[:, None, ::-1, ::-1]).sum(axis=(0, 2, 3)).max()
    weights = weights[:, ::-1].transpose(2, 0, 1).reshape(len(columns), 1, -1, 1)
    return (columns * weights).sum(axis=(0, 2)).max()
