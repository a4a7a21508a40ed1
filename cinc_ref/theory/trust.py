"""Digits that one computed inverse keeps, measured instead of predicted.

Let x be the computed solution of M x = y and u half an eps of its dtype. The convolution that made
y, or whoever rounded it, left errors of about u |M||x|, and substitution left the residual
r = y - M x. Solving

    M e = r + s u |M||x|

with random signs s gives errors e as large as those of x. The residual carries roundings that
agree in sign, which no norm of M^{-1} sees; the random part carries those that y had before. The
largest of e against the largest of x says how many digits are kept, whatever M is: the solver that
is judged meets the growth of M^{-1} itself. If x has grown, it may be right to all its digits and
still be no use for images of another size, so the digits are not more than those of a round trip,
solve(conv(x)), of images whose pixels are all of one size.

The solver itself is judged by its residual, entry by entry: Gaussian elimination with partial
pivoting leaves |r| <= gamma_n (|M||x|), where 3 |L||U| takes the place of a corner block
B = P L U that is not triangular (Higham, "Accuracy and Stability of Numerical Algorithms", 2002,
theorems 8.5 and 9.4).
"""

from collections.abc import Callable
from math import isqrt, log10
from typing import NamedTuple

import numpy as np
import scipy.linalg

from cinc_ref._display import fields_html, short_repr
from cinc_ref._typing import FloatArray, Size
from cinc_ref.geometry import Geometry
from cinc_ref.theory.conditioning import condition_number
from cinc_ref.theory.enclosures import residual as exact_residual
from cinc_ref.theory.rounding import exponents
from cinc_ref.theory.substitution import convolve, substitute

__all__ = ["Assessment", "assess", "condition_in_time"]


def __dir__() -> list[str]:
    return __all__


MIN_DIGITS = 3
"""An inverse that keeps fewer decimal digits is not to be used without a warning."""

MIN_RESIDUAL_LIMIT = 10
"""The residual, in eps, that is allowed however few terms a pixel has."""

CLEAR_ERROR = 1e-6
"""A relative error of float64 below this leaves three digits even if the residual, evaluated in
float64 too, repeats roundings of the solver and hides a thousandfold."""

EXACT_SECONDS = 0.3
"""The exact condition number is computed where it is estimated to take less, in seconds."""

SECONDS_PER_BLOCK, SECONDS_PER_PRODUCT = 8e-6, 4e-7
"""Seconds of exact substitution for a tap of a pixel, and for each product of integers in it."""

LEAST_SECONDS, PRODUCTS_IN_TIME = 0.2, 3 * 10**8
"""Seconds for the substitution in floats that bounds the condition number from below, and the
multiplications in it that take about as long."""

BLOCK_BYTES, FEWEST_IMAGES = 2**19, 16
"""Bytes of the images that are assessed at a time, so that they stay in the cache, and the fewest
images, which fill the vectors of a compiled solver."""

MODERATE_EXPONENT = 30
"""Images with a largest pixel between 2^-30 and 2^30 are not scaled."""


class Assessment(NamedTuple):
    """An assessment of a computed inverse by its residual.

    Attributes
    ----------
    digits : float
        Decimal digits of the largest pixel that are kept, in the worst image or in a round trip of
        typical images; 0 is none.
    residual : float
        The largest entry of |y - M x| / (|M||x|) in units of eps, a dense corner block B = P L U
        counted as P 3 |L||U|.
    residual_limit : float
        What rounding can leave: eps/2 for every term of a pixel, and 10 eps at least.
    """

    digits: float
    residual: float
    residual_limit: float

    __repr__ = short_repr
    _repr_html_ = fields_html

    @property
    def is_usable(self) -> bool:
        """True if three digits are kept, and rounding explains the residual."""
        return self.digits >= MIN_DIGITS and self.residual <= self.residual_limit


def assess(
    x: FloatArray,
    y: FloatArray,
    kernel: FloatArray,
    geometry: Geometry,
    conv: Callable[..., FloatArray],
    solve: Callable[..., FloatArray],
) -> Assessment:
    """Assess the digits that a computed inverse keeps, and its elementwise residual.

    Parameters
    ----------
    x, y : ndarray, shape (N, C, H, W)
        Finite images: the computed solution of M x = y, and y.
    kernel : ndarray, shape (C, C, kh, kw)
    geometry : Geometry
    conv, solve : callable
        ``conv(images, kernel, geometry)`` returns M images and ``solve(images, kernel, geometry)``
        M^{-1} images, in the dtype of their arguments.

    Returns
    -------
    Assessment

    Notes
    -----
    It takes 4 to 12 times as long as the inverse of 100 images, and 20 to 30 times that of a single
    one: a convolution in float64, one in the dtype of x, a solution, and a dozen passes of NumPy
    over the images, which with 3 channels cost more than those. Where a float64 result keeps fewer
    than six digits, its residual is computed once more, in slices.

    Over half-plane kernels, edge states, scaled channels and random kernels, the digits of a round
    trip were overestimated by less than one.

    Examples
    --------
    Every pixel is the sum of all pixels before it and of itself, which float32 rounds:

    >>> import numpy as np
    >>> from cinc_ref.geometry import Geometry
    >>> from cinc_ref.theory.substitution import convolve
    >>> from cinc_ref.theory.trust import assess
    >>> kernel = np.array([[[[-1, 1]]]], np.float32)
    >>> y = np.full((1, 1, 1, 10000), 0.1, np.float32)
    >>> solve = lambda y, *_: np.cumsum(y, axis=3, dtype=y.dtype)
    >>> result = assess(solve(y), y, kernel, Geometry(anchor=(0, 1)), convolve, solve)
    >>> round(result.digits, 1), result.is_usable
    (4.0, True)
    """
    limit = max(MIN_RESIDUAL_LIMIT, kernel[0].size / 2)
    growth = _pivot_growth(kernel[:, :, *geometry.anchor])
    block = FEWEST_IMAGES * max(1, BLOCK_BYTES // (8 * FEWEST_IMAGES * max(1, x[:1].size)))
    residual = error = 0.0
    with np.errstate(all="ignore"):
        for first in range(0, len(x), block):
            images = x[first : first + block], y[first : first + block]
            scaled_x, scaled_y, smallest = _at_unit_scale(*images)
            rest = _quick_residual(scaled_x, scaled_y, kernel, geometry, conv)
            measured = _measure(rest, scaled_x, smallest, kernel, growth, geometry, conv, solve)
            if x.itemsize == 8 and not (measured[0] <= limit and measured[1] <= CLEAR_ERROR):
                rest = exact_residual(scaled_x, scaled_y, kernel, geometry)
                measured = _measure(rest, scaled_x, smallest, kernel, growth, geometry, conv, solve)
            residual, error = np.maximum((residual, error), measured)
        expected = _round_trip_error(kernel, x.shape[2:], geometry, conv, solve)
    digits = min(_digits(error, x.dtype), _digits(expected, x.dtype))
    return Assessment(digits, np.inf if np.isnan(residual) else float(residual), limit)


def _round_trip_error(kernel, size, geometry, conv, solve):
    """The typical largest error of solve(conv(x)) for pixels of size 1, as `Stability` defines it.

    It is exact for taps in one quadrant, from the response to the first pixel of the largest phase
    of the image. For half-plane taps it is that of random errors.
    """
    eps, channels = float(np.finfo(kernel.dtype).eps), len(kernel)
    kernel = kernel.astype(np.float64)
    kernel = np.ldexp(kernel, -exponents(kernel, (1, 2, 3)))
    if np.any(kernel[..., geometry.anchor[1] + 1 :]):
        variance = conv(np.ones((1, channels, *size)), kernel**2, geometry)
        noise = np.random.default_rng(0).normal(size=(FEWEST_IMAGES, channels, *size))
        errors = solve(noise * np.sqrt(variance), kernel, geometry)
        return eps * float(np.sqrt(np.mean(errors**2, axis=0).max()))
    size = tuple(-(-length // geometry.dilation) for length in size)
    geometry = Geometry(anchor=geometry.anchor)
    units = np.zeros((channels, channels, *size))
    units[:, :, 0, 0] = np.eye(channels)
    variance = conv(np.ones((1, channels, *size)), kernel**2, geometry)[0]
    squares = solve(units, kernel, geometry) ** 2
    squares *= variance[:, None, ::-1, ::-1]  # the last pixel reads the first through the last
    return eps * float(np.sqrt(squares.sum(axis=(0, 2, 3)).max()))


def _quick_residual(x, y, kernel, geometry, conv):
    """y - M x in float64."""
    wide = [array.astype(np.float64, copy=False) for array in (x, kernel)]
    rest = conv(*wide, geometry)
    return np.subtract(y, rest, out=rest)


def _measure(rest, x, smallest, kernel, growth, geometry, conv, solve):
    """The largest residual in eps, and the largest error relative to the largest pixel."""
    size, eps = np.abs(x), x.dtype.type(np.finfo(x.dtype).eps)
    scale = conv(size, np.abs(kernel), geometry)
    ratio = _largest_ratio(rest, scale, size, growth, kernel, smallest)

    scale *= np.random.default_rng(0).choice([-eps / 2, eps / 2], x.shape[1:])
    rest += scale
    errors = solve(rest.astype(x.dtype, copy=False), kernel, geometry)
    error, largest = _largest_of_images(errors), _largest_of_images(x)
    return ratio, np.max(np.where(error == 0, 0, error / largest), initial=0)


def _largest_ratio(rest, scale, size, growth, kernel, smallest):
    """The largest |rest| / (scale + growth |x|) in eps; each term of a pixel may underflow."""
    allowed = scale * np.finfo(kernel.dtype).eps
    allowed += smallest * (kernel[0].size + np.abs(kernel).sum(axis=(1, 2, 3))[:, None, None])
    if growth is not None:
        pixels = size.reshape(*size.shape[:2], -1)
        allowed += (growth.astype(size.dtype) @ pixels).reshape(size.shape) * float(
            np.finfo(kernel.dtype).eps
        )
    ratio = np.abs(rest)
    ratio /= allowed
    return ratio.max(initial=0)


def _largest_of_images(images):
    """The largest absolute value of each image."""
    axes = (1, 2, 3)
    bounds = images.max(axis=axes, initial=0), images.min(axis=axes, initial=0)
    return np.maximum(*np.abs(bounds))  # quicker than the largest of the absolute values


def _at_unit_scale(x, y):
    """Both times a power of two for each image, and the smallest number at that scale.

    Nothing is done unless some image is so large or small that products might leave the range of
    its dtype.
    """
    smallest = float(np.finfo(x.dtype).smallest_subnormal)
    exponent = np.frexp(_largest_of_images(x))[1][:, None, None, None]
    if (np.abs(exponent) < MODERATE_EXPONENT).all():
        return x, y, smallest
    scaled = [np.ldexp(images.astype(np.float64), -exponent).astype(x.dtype) for images in (x, y)]
    return *scaled, np.ldexp(smallest, -exponent)


def _pivot_growth(block):
    """3 P |L||U| - |B| for a corner block B = P L U that is not triangular, otherwise None."""
    if not (np.any(np.tril(block, -1)) and np.any(np.triu(block, 1))):
        return None
    permuted, upper_factor = scipy.linalg.lu(block.astype(np.float64), permute_l=True)
    return 3 * np.abs(permuted) @ np.abs(upper_factor) - np.abs(block)


def _digits(error, dtype):
    """The decimal digits that a relative error leaves, and no more than the dtype has."""
    most = -log10(np.finfo(dtype).eps)
    if error == 0:
        return most
    return min(-log10(error), most) if error < 1 else 0.0


# ---- the condition number for a warning ----------------------------------------------------------


def condition_in_time(kernel: FloatArray, size: Size, geometry: Geometry) -> tuple[float, bool]:
    """The condition number in the 1-norm in less than a second, and whether it is exact.

    It is exact, as `condition_number` has it, where that is quick. Otherwise it is a lower bound
    but for rounding: the norms are those of a part of the image around the padded corner and, of
    the inverse, those of as many columns as time allows, in float64. (For half-plane taps that is
    a bound only if the part is as wide as the image, which it is up to about 70 pixels.)

    Parameters
    ----------
    kernel : ndarray, shape (C, C, kh, kw)
        Finite, with an invertible corner block.
    size : (int, int)
        Image height and width (H, W).
    geometry : Geometry

    Returns
    -------
    (float, bool)
        The number is infinite above 1.8e308.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.geometry import Geometry
    >>> from cinc_ref.theory.trust import condition_in_time
    >>> condition_in_time(np.array([[[[2.0, 1.0]]]]), (1, 2), Geometry(anchor=(0, 1)))
    (9.0, True)
    """
    dilation, anchor = geometry.dilation, geometry.anchor
    starts = np.ndindex(*np.minimum(dilation, size))
    sizes = {
        tuple(-(-(length - first) // dilation) for length, first in zip(size, start, strict=True))
        for start in starts
    }
    if sum(_exact_seconds(kernel, one, anchor) for one in sizes) < EXACT_SECONDS:
        return condition_number(kernel, size, dilation=dilation, anchor=anchor), True
    kernel = kernel[:, :, : anchor[0] + 1].astype(np.float64)
    with np.errstate(all="ignore"):
        norms = [_least_norms(kernel, one, Geometry(anchor=anchor), len(sizes)) for one in sizes]
        norm, inverse_norm = np.max(norms, axis=0)
        return float(norm * inverse_norm), False


def _exact_seconds(kernel, size, anchor):
    """About the seconds that the exact condition number takes."""
    blocks = size[0] * size[1] * _count_taps(kernel)
    columns = len(_sources(kernel, size, anchor)) * len(kernel)
    return blocks * (SECONDS_PER_BLOCK + columns * len(kernel) ** 2 * SECONDS_PER_PRODUCT)


def _count_taps(kernel):
    return int(np.any(kernel, axis=(0, 1)).sum())


def _sources(kernel, size, anchor):
    """The pixels of the first row whose columns of M^{-1} hold its norm."""
    return range(size[1] if np.any(kernel[..., anchor[1] + 1 :]) else 1)


def _least_norms(kernel, size, geometry, shares):
    """Lower bounds of the 1-norms of M and M^{-1}, each share in an equal part of the time."""
    per_pixel = _count_taps(kernel)
    pixels = max(1, int(LEAST_SECONDS / shares / SECONDS_PER_BLOCK / per_pixel))
    width = min(size[1], max(isqrt(pixels), pixels // size[0]))
    height = min(size[0], max(1, pixels // width))
    channels = len(kernel)
    sources = _sources(kernel, (height, width), geometry.anchor)
    columns = np.array([(source, channel) for source in sources for channel in range(channels)])
    most = PRODUCTS_IN_TIME // (shares * height * width * per_pixel * channels**2)
    columns = columns[:: max(1, -(-len(columns) // max(1, most)))]
    units = np.zeros((len(columns), channels, height, width))
    units[np.arange(len(columns)), columns[:, 1], 0, columns[:, 0]] = 1

    ones = np.ones((1, channels, height, width))
    norm = convolve(ones, np.abs(kernel), geometry, transpose=True).max()
    try:
        inverse = np.linalg.inv(kernel[:, :, *geometry.anchor]).T
    except np.linalg.LinAlgError:  # a pivot is 0 in floating point
        return norm, np.inf
    response = substitute(units, kernel, lambda rest: rest @ inverse, geometry)
    sums = np.abs(response).sum(axis=(1, 2, 3))
    return norm, np.max(np.where(np.isfinite(sums), sums, np.inf))
