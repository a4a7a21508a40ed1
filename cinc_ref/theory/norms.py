"""Norms of the convolution and of its inverse, from their responses to single pixels.

M is block Toeplitz. For taps in one quadrant (nothing right of the anchor) the column of every
pixel is the column of the first pixel, moved and cut off at the border, so the first pixel's C
columns of M^{-1} hold the largest sum of a column, and, as its last pixel's rows are the same
numbers in reverse, the largest sum of a row. For half-plane taps only rows of pixels repeat: the
columns of the first row of pixels take their place.

With dilation d the image falls into d^2 images of every d-th pixel that do not see one another. A
taller image of the same width contains a lower one, and for quadrant taps a wider one contains a
narrower one; for half-plane taps it does not, so both widths that occur, ceil(W/d) and floor(W/d),
are looked at and the larger norm counts.
"""

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from cinc_ref._display import short_repr
from cinc_ref._typing import Array, Size
from cinc_ref._validate import check_memory
from cinc_ref.errors import OptionError
from cinc_ref.geometry import Geometry
from cinc_ref.theory import response as responses
from cinc_ref.theory.exact import matrix_inverse, to_fractions, to_integers
from cinc_ref.theory.substitution import convolve, substitute

__all__ = ["Norms", "norms", "sub_image_sizes"]

ACCURACY = 1e-6
"""The proven relative error up to which norms computed in floating point are accepted."""

COARSE = 1e-2
"""The accepted relative error of norms whose exact computation would take minutes."""

INTEGER_OPERATIONS = 2**24
"""Multiplications of integers up to which norms are computed exactly: about four seconds."""


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

    __repr__ = short_repr


def norms(kernel: Array, size: Size, geometry: Geometry) -> Norms:
    """Compute the norms of M and M^{-1} on images of a size; the padded corner does not matter.

    Parameters
    ----------
    kernel : ndarray, shape (C, C, kh, kw)
        Integers, Fractions or floats, with an invertible corner block at the anchor.
    size : (int, int)
        Height and width.
    geometry : Geometry

    Returns
    -------
    Norms

    Raises
    ------
    OptionError
        If neither floating point is accurate enough nor exact arithmetic quick enough, or the
        responses do not fit into memory.
    """
    kernel = kernel[:, :, : geometry.anchor[0] + 1]
    undilated = Geometry(anchor=geometry.anchor)
    parts = sub_image_sizes(size, geometry.dilation)
    pixels = max(
        height * width * (1 if _is_quadrant(kernel, undilated) else width)
        for height, width in parts
    )
    needed = 2 * 8 * len(kernel) ** 2 * pixels  # response and rest
    check_memory("size", size, needed, "use smaller images")
    by_width = [_norms_undilated(kernel, part, undilated) for part in parts]
    return Norms(*map(max, zip(*by_width, strict=True)))


def sub_image_sizes(size: Size, dilation: int) -> list[tuple[int, int]]:
    """Return the sizes (H, W) of the tallest sub-images of every width that dilation makes."""
    height, width = size
    widths = {-(-width // dilation), max(1, width // dilation)}
    return [(-(-height // dilation), part) for part in sorted(widths, reverse=True)]


def _norms_undilated(kernel, size, geometry):
    """Compute the norms for dilation 1, to a relative 1e-6 at any condition.

    Floating point first. If G is the computed response and R = 1 - M G what it leaves over, then
    M^{-1} = G (1 - R)^{-1}, so the norm of G is wrong by a factor of 1 +- ||R|| at most. Where
    that is not small enough, because the response grows along the image, the same is tried for
    D M D^{-1}: the diagonal matrix D = 2^{-(i r + j t)} takes a growth of 2^r a row and of 2^t a
    column out of it. Fixed-point integers do the rest, for which ||R|| < 2^-128.
    """
    affordable = _is_affordable(kernel, size, geometry)
    scaled = _to_scaled_floats(kernel)
    if scaled is not None:
        floats, exponent = scaled
        result, error = _norms_by_scaling(floats, size, geometry)
        if error < ACCURACY or (error < COARSE and not affordable):
            factor = Fraction(2) ** exponent
            return result._replace(
                conv=Fraction(result.conv) * factor, inverse=result.inverse / factor
            )
    if not affordable:
        _refuse_size(kernel, size, geometry)
    return _norms_in_integers(kernel, size, geometry)


def _norms_by_scaling(kernel, size, geometry):
    """Return the norms in floating point and a bound of their error, for the best D of three."""
    result, error, growth = None, np.inf, (0.0, 0.0)
    with np.errstate(all="ignore"):
        for _ in range(3):
            try:
                trial, trial_error, growth = _norms_in_floats(kernel, size, geometry, growth)
            except np.linalg.LinAlgError:  # the corner block, rounded, is singular
                break
            if trial_error < error:
                result, error = trial, trial_error
            if error < ACCURACY:
                break
    return result, error


def _to_scaled_floats(kernel):
    """Return floats f and an exponent e with kernel = f 2^e up to rounding, the largest near 1.

    None if an entry that is not 0 is so small that f is not good to a relative eps.
    """
    if kernel.dtype == np.float64 or kernel.dtype == np.float32:
        kernel = kernel.astype(np.float64)
        exponent = int(np.frexp(np.abs(kernel).max())[1])
        floats = np.ldexp(np.ldexp(kernel, -(exponent // 2)), exponent // 2 - exponent)
    else:
        fractions = to_fractions(kernel)
        largest = np.abs(fractions).max()
        exponent = largest.numerator.bit_length() - largest.denominator.bit_length()
        floats = (fractions * Fraction(2) ** -exponent).astype(np.float64)
    small = (np.abs(floats) < np.finfo(float).tiny) & (kernel != 0)
    return None if small.any() else (floats, exponent)


def _norms_in_floats(kernel, size, geometry, growth=(0.0, 0.0)):
    """Return the norms, a bound of their relative error, and (r, t) with which it is smaller.

    The error is to first order, and NaN or infinite after an overflow.
    """
    (p, q), (height, width) = geometry.anchor, size
    up, left = p - np.arange(kernel.shape[2])[:, None], q - np.arange(kernel.shape[3])
    kernel, unscaled = kernel * np.exp2(-(up * growth[0] + left * growth[1])), kernel
    quadrant = _is_quadrant(kernel, geometry)
    sources = len(kernel) * (1 if quadrant else width)
    response, rest = (
        array.transpose(3, 2, 0, 1)
        for array in responses.response(kernel, geometry.anchor, size, sources)
    )
    rounding = _rounding_norms(response, kernel, geometry)
    error = max(_column_norm(rest) + rounding[0], _row_norm(rest, quadrant) + rounding[1])
    error *= max(_column_norm(response), _row_norm(response, quadrant))

    sources = np.arange(len(response)) // len(kernel)  # the column of each impulse
    lag = np.arange(width) - sources[:, None]
    exponents = (np.arange(height)[:, None] * growth[0] + lag[:, None] * growth[1])[:, None]
    with np.errstate(divide="ignore"):
        logarithms = np.log2(np.abs(response)) + exponents
    shift = int(np.ceil((height - 1) * growth[0] + (width - 1) * growth[1]))
    response = response * np.exp2(exponents - shift)
    result = _measure(response, unscaled, geometry)
    largest_row = np.abs(unscaled).sum(axis=(1, 2, 3)).max()
    error *= 2 * max(1 / result.inverse, largest_row / result.skeel)
    if not error < ACCURACY:
        growth = _growth(logarithms, lag)
    if not np.isfinite([error, *result]).all():
        return result, np.inf, growth
    factor = Fraction(2) ** shift
    result = result._replace(
        inverse=Fraction(result.inverse) * factor,
        skeel=Fraction(result.skeel) * factor,
        squared_skeel=Fraction(result.squared_skeel) * factor**2,
    )
    return result, float(error), growth


def _growth(logarithms, lag):
    """Find r and t such that the response stays nearly flat after division by 2^(i r + v t).

    The error of the norms is proportional to 2^(2c + (H-1) r + (W-1) t), where
    c + i r + v t >= log2|G| for every row i and every distance v from the source: a linear
    program in c, r and t.
    """
    from scipy.optimize import linprog  # slow to import, and rarely needed

    height, width = logarithms.shape[2:]
    largest = logarithms.max(axis=1)  # over the channels
    by_lag = np.full((height, 2 * width), -np.inf)
    for v in np.unique(lag):
        by_lag[:, v] = np.where(lag == v, largest.transpose(1, 0, 2), -np.inf).max(axis=(1, 2))
    i, v = np.nonzero(np.isfinite(by_lag))
    constraints = -np.stack([np.ones(len(i)), i, np.where(v < width, v, v - 2 * width)], axis=1)
    cost = [2, height - 1, width - 1]
    solution = linprog(cost, constraints, -by_lag[i, v], bounds=(None, None))
    return (0.0, 0.0) if solution.x is None else (float(solution.x[1]), float(solution.x[2]))


def _rounding_norms(response, kernel, geometry):
    """Return column and row norm of the rounding errors of 1 - M G: (terms + 6) u |M||G|.

    Every term and sum rounds once; a few units more are for the kernel itself.
    """
    response, kernel = np.abs(response), np.abs(kernel)
    unit = (kernel[0].size + 6) * np.finfo(float).eps / 2
    ones, quadrant = np.ones_like(response[:1]), _is_quadrant(kernel, geometry)
    columns = response * convolve(ones, kernel, geometry, transpose=True)
    rows = convolve(response.sum(axis=0, keepdims=True), kernel, geometry)
    return unit * _column_norm(columns), unit * _row_norm(rows, quadrant)


def _is_affordable(kernel, size, geometry):
    sources = 1 if _is_quadrant(kernel, geometry) else size[1]
    return size[0] * size[1] * sources * kernel.size * len(kernel) <= INTEGER_OPERATIONS


def _refuse_size(kernel, size, geometry):
    """Refuse a size on which exact arithmetic would take minutes."""
    pixels = INTEGER_OPERATIONS // kernel.size // len(kernel)
    sources = 1 if _is_quadrant(kernel, geometry) else size[1]
    height = max(1, pixels // (size[1] * sources))
    raise OptionError(
        f"size must be at most ({height}, {size[1]}) for this kernel, whose numbers are too "
        f"far apart for floating point; got {size}"
    )


def _norms_in_integers(kernel, size, geometry):
    """Compute the norms from a response rounded to multiples of 2^-bits.

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
    result = _measure(response, kernel, geometry)
    return Norms(
        Fraction(result.conv, scale),
        Fraction(result.inverse, 1 << bits),
        Fraction(result.skeel, scale << bits),
        Fraction(result.squared_skeel, (scale << bits) ** 2),
    )


def _impulses(kernel, size, geometry, dtype):
    """Make an image for every channel of the first pixel (half-plane: of the first row)."""
    (height, width), channels = size, len(kernel)
    sources = 1 if _is_quadrant(kernel, geometry) else width
    images = np.zeros((sources, channels, channels, height, width), int)
    source, channel = np.indices((sources, channels))
    images[source, channel, channel, 0, source] = 1
    return images.reshape(-1, channels, height, width).astype(dtype)


def _is_quadrant(kernel, geometry):
    return not np.any(kernel[:, :, :, geometry.anchor[1] + 1 :] != 0)


def _measure(response, kernel, geometry):
    """Compute the norms from the columns of M^{-1} that belong to the first pixels."""
    response, kernel = np.abs(response), np.abs(kernel)
    ones, quadrant = np.ones_like(response[:1]), _is_quadrant(kernel, geometry)
    products = [  # |M^{-1}| |M| 1, and the same of squares
        _weighted_row_norm(response**power, convolve(ones, kernel**power, geometry)[0], quadrant)
        for power in (1, 2)
    ]
    columns = convolve(ones, kernel, geometry, transpose=True)  # |M|^T 1
    return Norms(columns.max(), _column_norm(response), *products)


def _column_norm(columns):
    return np.abs(columns).sum(axis=(1, 2, 3)).max()


def _row_norm(columns, quadrant):
    """Return the largest sum of a row: one of the last pixel, or the last row of pixels."""
    return np.abs(columns).sum(axis=(0, 2, 3) if quadrant else (0, 2)).max()


def _weighted_row_norm(columns, weights, quadrant):
    """Return the largest sum of a row times the weights, shape (C, H, W), of the pixels it reads.

    The last pixel reads pixel (H-1-i, W-1-j) through the response at (i, j); the last row of
    pixels reads row H-1-i through the responses at i to the impulses of the first row.
    """
    if quadrant:
        return (columns * weights[:, None, ::-1, ::-1]).sum(axis=(0, 2, 3)).max()
    weights = weights[:, ::-1].transpose(2, 0, 1).reshape(len(columns), 1, -1, 1)
    return (columns * weights).sum(axis=(0, 2)).max()
