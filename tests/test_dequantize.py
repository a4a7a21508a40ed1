"""Dequantized pixels stay in their bins, whatever the noise and its rounding."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinc_ref.errors import OptionError
from cinc_ref.flows import dequantize, quantize
from tests.support.oracles import DTYPES


class _Constant(np.random.Generator):
    """A generator whose every draw is one number."""

    def __init__(self, noise):
        super().__init__(np.random.PCG64(0))
        self._noise = noise

    def random(self, size, dtype):
        return np.full(size, self._noise, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("of_images", [np.uint8, np.uint16, np.int64])
@pytest.mark.parametrize("bins", [2, 17, 32, 255, 256])
def test_no_noise_below_one_leaves_the_bin(bins, of_images, dtype):
    levels = np.arange(bins).astype(of_images)
    for noise in (0, np.finfo(dtype).smallest_subnormal, 0.5, np.nextafter(dtype(1), dtype(0))):
        x = dequantize(levels, bins, _Constant(noise), dtype)
        assert x.dtype == dtype and -0.5 <= x.min() and x.max() < 0.5
        assert np.array_equal(quantize(x, bins), levels)


def test_float32_noise_at_level_200():
    """A share of 8e-6 of these pixels, here about 16, left the bin where 200 + u rounds to 201."""
    images = np.full(2 * 10**6, 200, np.uint8)
    x = dequantize(images, 256, np.random.default_rng(0), np.float32)
    assert np.array_equal(quantize(x, 256), images)
    assert x.max() < 201 / 256 - 0.5


def test_noise_inside_a_bin_is_not_changed():
    images = np.random.default_rng(1).integers(0, 256, 1000)
    noise = np.random.default_rng(2).random(1000)
    x = dequantize(images, 256, np.random.default_rng(2))
    assert np.array_equal(x, (images + noise) / 256 - 0.5)


def _extreme_noise(dtype):
    """The smallest and the largest numbers of [0, 1), and those around the middle of a bin."""
    one, half = dtype(1), dtype(0.5)
    below = np.nextafter(one, dtype(0))
    return 0, np.finfo(dtype).smallest_subnormal, half, below, np.nextafter(below, dtype(0))


@pytest.mark.parametrize("dtype", DTYPES)
@given(bins=st.integers(1, 65_536))
def test_quantize_inverts_dequantize_for_all_bins_and_either_precision(bins, dtype):
    """Every 37th level and both ends; a float32 point stays in its bin when it becomes float64."""
    levels = np.unique(np.append(np.arange(0, bins, 37), bins - 1))
    for noise in _extreme_noise(dtype):
        x = dequantize(levels, bins, _Constant(noise), dtype)
        assert np.array_equal(quantize(x, bins), levels)
        assert np.array_equal(quantize(x.astype(np.float64), bins), levels)


@given(bins=st.integers(1, 65_536), data=st.data())
def test_float32_points_lie_in_their_bins_exactly(bins, data):
    level = data.draw(st.integers(0, bins - 1))
    for noise in _extreme_noise(np.float32):
        x = Fraction(float(dequantize(np.array(level), bins, _Constant(noise), np.float32)))
        assert Fraction(level, bins) <= x + Fraction(1, 2) < Fraction(level + 1, bins)


@pytest.mark.parametrize(
    "call", [lambda b: dequantize(np.array([0]), b, 0), lambda b: quantize(0.1, b)]
)
def test_more_levels_than_16_bits_are_refused(call):
    call(65_536)
    with pytest.raises(OptionError, match=r"bins must be at most 65,536.*; got 65,537"):
        call(65_537)
