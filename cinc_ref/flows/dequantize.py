"""Dequantization of integer images, its inverse, and bits per dimension."""

from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from cinc_ref import _validate
from cinc_ref._arrays import plain_array
from cinc_ref._autodiff import as_array, value_of
from cinc_ref._typing import Array, FloatArray, IntegerArray, IntegerArrayLike, RealArrayLike, Seed
from cinc_ref.errors import DataError, DtypeError, OptionError

__all__ = ["bits_per_dim", "check_dtype", "check_fits", "dequantize", "quantize"]

Nats = TypeVar("Nats", float, np.floating[Any], FloatArray)

MAX_BINS = 2**16
"""Largest number of levels: images have at most 16 bits a channel."""


def dequantize(
    images: IntegerArrayLike, bins: int, rng: Seed, dtype: DTypeLike = np.float64
) -> Array:
    r"""Dequantize integer images: points of [-1/2, 1/2), each in its bin uniformly at random.

    .. math::
        x = (k + u) / \text{bins} - 1/2, \qquad u \sim U[0, 1)

    Parameters
    ----------
    images : array_like of integers, any shape
        Levels 0 to bins - 1.
    bins : int
        Number of levels, from 1 to 65,536.
    rng : int, Generator or None
        Source of the noise u: a generator, or a seed of `numpy.random.default_rng`.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    ndarray, the shape of images, of that dtype

    Raises
    ------
    OptionError
        If `bins` is no integer from 1 to 65,536, or `rng` is no seed.
    DtypeError
        If `dtype` is neither float32 nor float64.
    DataError, ShapeError
        If the images are not integers, or hold a level outside the bins.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.flows import dequantize
    >>> x = dequantize(np.array([0, 3]), 4, np.random.default_rng(0))
    >>> bool(-0.5 <= x[0] < -0.25), bool(0.25 <= x[1] < 0.5)
    (True, True)
    """
    bins, dtype = _check_levels(bins), check_dtype(dtype)
    rng = _validate.generator("rng", rng)
    images = plain_array(images, "images")
    if images.dtype.kind not in "iu":
        raise DataError(f"images must be integers from 0 to {bins - 1}; got dtype {images.dtype}")
    if images.size and (images.min() < 0 or images.max() >= bins):
        raise DataError(
            f"images must hold levels from 0 to {bins - 1}, for {bins} bins; "
            f"got {images.min()} to {images.max()}"
        )
    noise = rng.random(images.shape, dtype)
    x = (images + noise) / dtype.type(bins) - dtype.type(0.5)
    smallest, largest = _bin_limits(bins, dtype)  # rounding must not leave the bin
    return np.clip(x.astype(dtype), smallest[images], largest[images])


def quantize(x: RealArrayLike, bins: int) -> IntegerArray:
    r"""Find the integer images whose bins hold these points, clipped to [-1/2, 1/2).

    .. math::
        k = \lfloor (x + 1/2) \cdot \text{bins} \rfloor

    Parameters
    ----------
    x : array_like of floats, any shape
        Points, for instance samples of a flow.
    bins : int
        Number of levels, from 1 to 65,536.

    Returns
    -------
    ndarray of uint8 (uint16 for more than 256 bins), the shape of x
        Levels 0 to bins - 1.

    Raises
    ------
    OptionError
        If `bins` is no integer from 1 to 65,536.
    DtypeError, ShapeError
        If x is no array.

    Examples
    --------
    >>> from cinc_ref.flows import quantize
    >>> quantize([-0.7, -0.5, -0.1, 0.3, 0.9], 4)
    array([0, 0, 1, 3, 3], dtype=uint8)
    """
    bins = _check_levels(bins)
    levels = _level(plain_array(x, "x"), bins)
    return np.clip(levels, 0, bins - 1).astype(np.uint8 if bins <= 256 else np.uint16)


def _level(x, bins):
    return np.floor((x + 0.5) * bins)


@lru_cache(maxsize=16)
def _bin_limits(bins, dtype):
    """Return the smallest and the largest number of a dtype in each bin, as `quantize` decides.

    It decides alike for a float32 number and for its conversion to float64.
    """
    levels, half = np.arange(bins), dtype.type(0.5)
    smallest, largest = ((edge / bins).astype(dtype) for edge in (levels, levels + 1))
    for ends, relation, inwards in ((smallest, np.less, 2), (largest, np.greater, 0)):
        outside = levels  # a few need hundreds of steps
        while outside.size:
            x = ends[outside] - half
            outside = outside[_levels_differ(x, bins, relation, outside)]
            ends[outside] = np.nextafter(ends[outside], dtype.type(inwards))
    return smallest - half, largest - half


def _levels_differ(x, bins, relation, levels):
    """Compare the levels of points with others, computed in the dtype of x and in float64."""
    computed = _level(x, bins), _level(x.astype(np.float64), bins)
    return relation(computed[0], levels) | relation(computed[1], levels)


def bits_per_dim(log_prob: Nats, dimensions: int, bins: int) -> Nats:
    r"""Convert log-densities of dequantized images to bits per dimension of the integer images.

    .. math::
        -\frac{\log p(x) - D \log \text{bins}}{D \log 2}

    The density is that of x in [-1/2, 1/2)^D, where a bin has the volume bins^-D; averaged over
    the noise this bounds the code length of the integer image from above.

    Parameters
    ----------
    log_prob : ndarray or float
        In nats.
    dimensions : int
        D = C*H*W.
    bins : int
        Number of levels of the integer images, at least 1.

    Returns
    -------
    ndarray or float, the shape and dtype of log_prob

    Raises
    ------
    OptionError
        If `dimensions` or `bins` is no integer >= 1.
    DtypeError, ShapeError
        If `log_prob` holds no real numbers, or lists of different lengths.

    Examples
    --------
    A uniform density on [-1/2, 1/2)^D knows nothing: log2(256) = 8 bits a dimension.

    >>> from cinc_ref.flows import bits_per_dim
    >>> bits_per_dim(0.0, 3 * 32 * 32, 256)
    8.0
    """
    dimensions = _validate.integer("dimensions", dimensions, minimum=1)
    bins = _check_bins(bins)
    if not isinstance(log_prob, int | float):
        log_prob = as_array(log_prob, "log_prob")
        _validate.check_exact_or_float(value_of(log_prob), "log_prob")
    return -(log_prob / dimensions - float(np.log(bins))) / float(np.log(2))


def check_fits(x: Array, image_shape: tuple[int, ...], name: str = "images") -> None:
    """Refuse images that are not a batch (N, C, H, W) of the shape that a model was built for."""
    shape = x.shape
    if len(shape) != 4 or shape[1:] != image_shape:
        channels, *size = image_shape
        is_nhwc = shape[1:] == (*size, channels)
        advice = _validate.channels_last_advice(shape, channels, name) if is_nhwc else ""
        raise DataError(
            f"{name} must have shape (N, *{image_shape}) for this model; got {shape}{advice}"
        )


def check_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return float32 or float64 as a `numpy.dtype`, or raise the `DtypeError` of any other."""
    try:
        known = np.dtype(dtype) if isinstance(dtype, str | type | np.dtype) else None
    except TypeError:
        known = None
    if known not in (np.float32, np.float64):
        raise DtypeError(f"dtype must be float32 or float64; got {_validate.shown(dtype)}")
    return known


def _check_bins(bins):
    return _validate.integer("bins", bins, minimum=1)


def _check_levels(bins):
    bins = _check_bins(bins)
    if bins > MAX_BINS:
        raise OptionError(f"bins must be at most {MAX_BINS:,}, 16 bits; got {bins:,}")
    return bins
