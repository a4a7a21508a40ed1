r"""The inverse with a proved error bound for every entry, from any approximate inverse.

M is the matrix of the convolution. Let x be an approximate solution of M x = y with the residual
r = y - M x, G an approximation of M^{-1} and R = I - M G what it leaves. If the powers of |R| sum
to something finite, then M is invertible, M^{-1} = G (I - R)^{-1} and

.. math::
    |M^{-1} y - x| \le |G| \, (I - |R|)^{-1} |r| .

G is block Toeplitz like M^{-1}: for taps in one quadrant the response to the first pixel holds all
of it, for half-plane taps the responses to the first row of pixels. Let p be a pixel, rho_p the
largest sum of a row of |R| at the pixels up to p, and w_p the largest |r| there. Both do not
decrease from pixel to pixel, so the sum of all |R|^k |r| with k >= 1 is at most
rho_p / (1 - rho_p) w_p at p. Where rho_p < 1 is not shown, or a number is not finite, nothing is
proved and the bound is infinite.

The residuals are computed exactly but for a truncation below 2^-100 of the largest product: x and
the kernel are cut into slices of integers so small that products of slices, summed by BLAS in
whatever order, are exact (Ozaki, Ogita, Oishi and Rump, "Error-free transformations of matrix
multiplication", 2012). The bounds are of Rump, "Verification methods", Acta Numerica, 2010.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cinc_ref._typing import FloatArray
from cinc_ref.geometry import Geometry, flip
from cinc_ref.theory.rounding import (
    OF_ZERO,
    ROUNDOFF,
    SMALLEST,
    exponents,
    integer_slices,
    two_sum,
    upper,
)

__all__ = ["enclose_inverse", "residual"]


def __dir__() -> list[str]:
    return __all__


SLICES = {4: (3, 4), 8: (4, 5)}
"""The slices for the first residual and for that of the refined x, by the bytes of y's dtype.

A slice holds 20 bits or more: with 4 for float32 and 5 for float64, what is left out remains below
the rounding of x up to a condition number of 1e14.
"""

RESPONSE_SLICES = 3
"""The number of slices for the residual of G: it is small against 1 with 60 bits or more."""

NEGLIGIBLE = 0.5
"""A row-wise bound below this part of the rounding error of the largest entry is not refined."""

BLOCK_BYTES = 2**22
"""The memory for the columns of one matrix product, about the size of a cache."""

RESPONSE_BYTES = 2**29
"""The largest G that is computed: a few times as much memory is needed. Without it the radius is
infinite."""

FLOOR = 2.0**-400
"""Positive factors of a bound are raised to this, so that no product of two can underflow."""


def enclose_inverse(
    y: FloatArray,
    kernel: FloatArray,
    geometry: Geometry,
    approximate_inverse: Callable[[FloatArray, FloatArray, Geometry], FloatArray],
) -> tuple[FloatArray, FloatArray]:
    """The inverse of a convolution, refined once, and a bound of the error of every entry.

    Parameters
    ----------
    y : ndarray, shape (N, C, H, W)
        Finite images, float32 or float64.
    kernel : ndarray, shape (C, C, kh, kw)
        Finite; the dtype of y.
    geometry : Geometry
    approximate_inverse : callable
        ``approximate_inverse(images, kernel, geometry)`` returns an approximate solution of
        M x = images in float64. A wrong one makes the bound large or infinite, never wrong. It is
        called with arrays of float64, dilation 1 and the top-left corner.

    Returns
    -------
    x, radius : ndarray, shape (N, C, H, W), dtype of y
        ``abs(x - M^{-1} y) <= radius`` for the exact binary values of y and kernel. The radius is
        infinite where nothing is proved.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.geometry import Geometry
    >>> from cinc_ref.theory.enclosures import enclose_inverse
    >>> def about(images, kernel, geometry):
    ...     return images / kernel * 1.001
    >>> y, kernel = np.full((1, 1, 1, 1), 1.0), np.full((1, 1, 1, 1), 3.0)
    >>> x, radius = enclose_inverse(y, kernel, Geometry(), about)
    >>> f"{x.item():.8f} +- {radius.item():.2g}"
    '0.33333300 +- 3.3e-07'
    """
    x, radius = np.empty(y.shape, y.dtype), np.empty(y.shape, y.dtype)
    responses = {}
    with np.errstate(all="ignore"):
        system = _equilibrated(kernel, geometry.anchor, approximate_inverse)
        for y_phase, x_phase, radius_phase in _phases(geometry, y, x, radius):
            size = y_phase.shape[2:]
            if size not in responses:
                responses[size] = _response(system, size)
            x_phase[...], radius_phase[...] = _enclose(y_phase, system, responses[size])
    return x, radius


def residual(x: FloatArray, y: FloatArray, kernel: FloatArray, geometry: Geometry) -> FloatArray:
    """y - M x in float64, right to a few times 2^-53 of itself and 2^-76 of |M||x|.

    Parameters
    ----------
    x, y : ndarray, shape (N, C, H, W)
        float32 or float64.
    kernel : ndarray, shape (C, C, kh, kw)
    geometry : Geometry

    Returns
    -------
    ndarray of float64, shape (N, C, H, W)

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.geometry import Geometry
    >>> from cinc_ref.theory.enclosures import residual
    >>> x = np.full((1, 1, 1, 1), 1 / 3)
    >>> residual(x, np.ones_like(x), np.full_like(x, 3.0), Geometry()).item() / 2**-54
    1.0
    """
    rest = np.empty(x.shape)
    with np.errstate(all="ignore"):
        system = _equilibrated(kernel, geometry.anchor, None)
        for x_phase, y_phase, rest_phase in _phases(geometry, x, y, rest):
            y_phase = np.ldexp(y_phase.astype(np.float64), -system.row_exponents)
            x_phase = x_phase.astype(np.float64)
            scaled, _ = _residual(y_phase, x_phase, np.zeros_like(x_phase), system, 4)
            rest_phase[...] = np.ldexp(scaled, system.row_exponents)
    return rest


def _phases(geometry, *arrays):
    """Views of the images of every d-th pixel, which the convolution does not mix, unflipped."""
    step, views = geometry.dilation, [flip(array, geometry.corner) for array in arrays]
    for i, j in np.ndindex(*np.minimum(step, arrays[0].shape[2:])):
        yield [view[:, :, i::step, j::step] for view in views]


class _System(NamedTuple):
    """A kernel whose rows are scaled by powers of two, and an approximate inverse.

    `is_exact` says whether scaling lost nothing to underflow; otherwise nothing can be proved.
    """

    kernel: np.ndarray
    anchor: tuple[int, int]
    row_exponents: np.ndarray
    is_exact: bool
    solve: Callable[[np.ndarray], np.ndarray]


class _Response(NamedTuple):
    """Upper bounds of |G| and of rho on images of one size.

    Attributes
    ----------
    magnitude : ndarray, shape (S, C, C, H, W)
        |G| by source pixel in the first row, its channel, and the channel and pixel of the result.
        S is 1 for taps in one quadrant and W for half-plane taps.
    rho : ndarray, shape (H, W), or (H, 1) for half-plane taps
    """

    magnitude: np.ndarray
    rho: np.ndarray

    @property
    def is_half_plane(self):
        return self.rho.shape[1] != self.magnitude.shape[4]


def _equilibrated(kernel, anchor, approximate_inverse):
    """The system of the taps up to the anchor, the largest entry of each row in [1/2, 1)."""
    causal = kernel[:, :, : anchor[0] + 1].astype(np.float64)
    row_exponents = exponents(causal, (1, 2, 3))
    scaled = np.ldexp(causal, -row_exponents)
    is_exact = np.array_equal(np.ldexp(scaled, row_exponents), causal)

    def solve(images):
        return approximate_inverse(images, scaled, Geometry(anchor=anchor)).astype(np.float64)

    return _System(scaled, anchor, row_exponents[:, 0], is_exact, solve)


# ---- the residual --------------------------------------------------------------------------------


def _residual(y, x, low, system, count):
    """y - M (x + low) of images of dilation 1, rounded once, and a bound of the error.

    x is scaled by powers of two for each channel and image, and the kernel for each output
    channel, to at most 1. The products of slices i and j are integers below n 4^bits, so that the
    sums over the n terms of a pixel and over all i + j = const are exact. What is left out is
    n products of slices with i + j > count + 1 and of the rests, at most count 2^(-bits count)
    each, and underflows.
    """
    channels, terms = len(system.kernel), system.kernel[0].size
    bits = (53 - (count * terms - 1).bit_length()) // 2
    kernel, row_exponents, channel_exponents, image_exponents = _common_scale(y, x, system)
    flat = kernel.reshape(channels, terms)
    slices = [s for s in integer_slices(flat, np.zeros_like(flat), count, bits)]
    weights = np.concatenate(slices)
    unit = image_exponents + row_exponents
    result, error = np.empty_like(y), np.empty_like(y)
    block = max(1, BLOCK_BYTES // (8 * terms * y.shape[2] * y.shape[3]))
    for first in range(0, len(y), block):
        part = slice(first, first + block)
        scale = -(channel_exponents + image_exponents[part])
        sums = np.zeros((count, *y[part].shape))
        pieces = integer_slices(np.ldexp(x[part], scale), np.ldexp(low[part], scale), count, bits)
        for i, piece in enumerate(pieces):
            products = weights[: (count - i) * channels] @ _columns(piece, system)
            products = products.reshape(len(piece), count - i, channels, *y.shape[2:])
            sums[i:] += products.swapaxes(0, 1)
        high, low_sum = np.ldexp(y[part], -unit[part]), np.zeros_like(y[part])
        rounded = np.zeros_like(low_sum)
        for i, total in enumerate(sums):
            high, lost = two_sum(high, total * -(2.0 ** (-(i + 2) * bits)))
            low_sum += lost
            rounded += np.abs(lost)
        value = high + low_sum
        bound = ROUNDOFF * np.abs(value) + count * ROUNDOFF * rounded
        bound += terms * (count + 1) * 2.0 ** (-bits * count)  # + 1: underflows
        result[part] = np.ldexp(value, unit[part])
        error[part] = np.ldexp(upper(bound, count + 4), unit[part])
    return result, error


def _common_scale(y, x, system):
    """The kernel scaled by powers of two, and the exponents of its rows, of channels and images.

    With them abs(x) < 2^(channel + image) and abs(y) < 2^(row + image).
    """
    of_x, of_y = exponents(x, (2, 3)), exponents(y, (2, 3))
    channel = of_x.max(axis=0, keepdims=True, initial=OF_ZERO)
    row = (exponents(system.kernel, (2, 3)) + channel).max(axis=1)
    kernel = np.ldexp(system.kernel, channel.reshape(-1, 1, 1) - row[:, None])
    image = np.maximum(_relative(of_x, channel), _relative(of_y, row)).max(axis=1, keepdims=True)
    return kernel, row, channel, image


def _relative(array, reference):
    """Exponents less others; 0 remains 0."""
    return np.where(array == OF_ZERO, OF_ZERO, array - reference)


def _columns(images, system):
    """The values that every pixel reads: shape (N, C*kh*kw, H*W), in the kernel's order."""
    (p, q), (kh, kw) = system.anchor, system.kernel.shape[2:]
    padded = np.pad(images, ((0, 0), (0, 0), (p, 0), (q, kw - 1 - q)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kh, kw), axis=(2, 3))
    columns = windows.transpose(0, 1, 4, 5, 2, 3)
    return columns.reshape(len(images), -1, images.shape[2] * images.shape[3])


def _magnitude(value, error):
    """The largest absolute value of a number known to so much."""
    return upper(np.abs(value) + error, 1)


# ---- the bound -----------------------------------------------------------------------------------


def _response(system, size):
    """|G| and rho from the approximate inverse of unit images."""
    (height, width), channels = size, len(system.kernel)
    is_half_plane = np.any(system.kernel[..., system.anchor[1] + 1 :])
    sources = width if is_half_plane else 1
    if 8 * sources * channels**2 * height * width > RESPONSE_BYTES:
        return _Response(np.zeros((1, channels, channels, height, width)), np.full(size, np.inf))
    units = np.zeros((sources, channels, channels, height, width))
    source, channel = np.indices((sources, channels))
    units[source, channel, channel, 0, source] = 1
    shape, units = units.shape, units.reshape(-1, channels, height, width)
    response = system.solve(units)
    rest = _residual(units, response, np.zeros_like(response), system, RESPONSE_SLICES)
    rho = _magnitude(*rest).reshape(shape).sum(axis=(0, 1)).cumsum(axis=1)
    if is_half_plane:
        rho = rho.max(axis=(0, 2))[:, None]
    else:
        rho = rho.cumsum(axis=2).max(axis=0)
    rho = upper(rho, sources * channels * height * width)
    return _Response(_raised(np.abs(response)).reshape(shape), rho)


def _enclose(y, system, response):
    """x and radius of images of dilation 1 with the padded corner at the top left."""
    dtype, y = y.dtype, y.astype(np.float64)
    image_exponents = _relative(exponents(y, (2, 3)), system.row_exponents)
    image_exponents = image_exponents.max(axis=1, keepdims=True)
    scale = system.row_exponents + image_exponents
    scaled = np.ldexp(y, -scale)
    is_exact = system.is_exact & (np.ldexp(scaled, scale) == y).all(axis=(1, 2, 3))

    coarse, fine = SLICES[dtype.itemsize]
    x = system.solve(scaled)
    rest, _ = _residual(scaled, x, np.zeros_like(x), system, coarse)
    x, low = two_sum(x, system.solve(rest))
    rest = _magnitude(*_residual(scaled, x, low, system, fine))

    x, low = np.ldexp(x, image_exponents), np.ldexp(low, image_exponents)
    rounded = x.astype(dtype)
    rounding = upper(np.abs((x - rounded) + low), 2) + 4 * SMALLEST * (x != 0)
    error = _propagated(rest, rounding, image_exponents, response)
    radius = upper(rounding + error, 1)
    radius[~(is_exact[:, None, None, None] & np.isfinite(rounded) & (radius < np.inf))] = np.inf
    return rounded, _rounded_up(radius, dtype)


def _propagated(rest, rounding, image_exponents, response):
    """An upper bound of |G| (I - |R|)^{-1} rest, times 2^image_exponents.

    It is first computed for rows of pixels, and entry by entry where that is not small against
    the rounding of x.
    """
    rest, is_proved = _amplified(rest, response)
    bound = np.ldexp(_applied_to_rows(rest, response), image_exponents)
    bound = np.repeat(bound, rest.shape[3], axis=3)
    is_coarse = bound.max(axis=(1, 2, 3)) > NEGLIGIBLE * rounding.max(axis=(1, 2, 3))
    if is_coarse.any():
        entries = _applied(rest[is_coarse], response)
        bound[is_coarse] = np.ldexp(entries, image_exponents[is_coarse])
    return np.where(is_proved, upper(bound, 0), np.inf)


def _amplified(rest, response):
    """An upper bound of (I - |R|)^{-1} rest, and where there is one; elsewhere it is 0."""
    axes = (2,) if response.is_half_plane else (2, 3)
    is_proved = np.isfinite(rest) & (response.rho < 1)
    largest = np.where(is_proved, rest, 0).max(axis=1, keepdims=True)
    is_proved = is_proved.all(axis=1, keepdims=True)
    if response.is_half_plane:
        largest = largest.max(axis=3, keepdims=True)
        is_proved = is_proved.all(axis=3, keepdims=True)
    for axis in axes:
        largest = np.maximum.accumulate(largest, axis=axis)
        is_proved = np.logical_and.accumulate(is_proved, axis=axis)
    amplified = upper(rest + response.rho / (1 - response.rho) * largest, 6)
    return np.where(is_proved, _raised(amplified), 0), is_proved


def _applied_to_rows(values, response):
    """The largest entry of |G| values in every row of pixels, shape (N, C, H, 1)."""
    magnitude = response.magnitude
    _, channels, _, height, width = magnitude.shape
    if response.is_half_plane:
        sums = magnitude.sum(axis=0).max(axis=3)
    else:
        sums = magnitude[0].sum(axis=3)
    rows = values.max(axis=3).transpose(0, 2, 1)
    result = _sum_over_rows(sums.transpose(2, 0, 1), rows, channels)
    result = upper(result, width + height * channels)
    return result.transpose(0, 2, 1)[..., None]


def _applied(values, response):
    """|G| values, shape (N, C, H, W)."""
    magnitude = response.magnitude
    _, channels, _, height, width = magnitude.shape
    rows = values.transpose(0, 2, 1, 3)
    result = np.empty_like(rows)
    block = max(1, BLOCK_BYTES // (8 * channels**2 * width))
    for first in range(0, width, block):
        targets = np.arange(first, min(first + block, width))
        sources = width if response.is_half_plane else targets[-1] + 1
        matrices = (
            _row_matrix(magnitude[:, :, :, row], response.is_half_plane, sources, targets)
            for row in range(height)
        )
        flat = rows[..., :sources].reshape(-1, height, channels * sources)
        sums = _sum_over_rows(matrices, flat, channels * len(targets))
        result[..., targets] = sums.reshape(-1, height, channels, len(targets))
    return upper(result, height * channels * width).transpose(0, 2, 1, 3)


def _row_matrix(magnitude, is_half_plane, sources, targets):
    """|G| from one row of pixels to another: rows (channel, source), columns (channel, target)."""
    if is_half_plane:
        blocks = magnitude[..., targets].transpose(1, 0, 2, 3)
    else:
        lag = targets - np.arange(sources)[:, None]
        blocks = np.where(lag >= 0, magnitude[0][:, :, lag], 0).transpose(0, 2, 1, 3)
    return blocks.reshape(blocks.shape[0] * blocks.shape[1], -1)


def _sum_over_rows(blocks, rows, columns):
    """The sums over i of ``rows[:, j - i] @ blocks[i]`` for all j; the rows are (N, H, m)."""
    height = rows.shape[1]
    result = np.zeros((len(rows), height, columns))
    for i, block in enumerate(blocks):
        result[:, i:] += rows[:, : height - i] @ block
    return result


def _raised(bound):
    """A bound whose positive entries are so large that products of two do not underflow."""
    return np.where(bound > 0, np.maximum(bound, FLOOR), bound)


def _rounded_up(radius, dtype):
    """Non-negative numbers in another dtype, rounded upwards."""
    nearest = radius.astype(dtype)
    return np.where(nearest < radius, np.nextafter(nearest, dtype.type(np.inf)), nearest)
