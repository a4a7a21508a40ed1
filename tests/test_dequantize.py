"""Dequantized pixels stay in their bins, whatever the noise and its rounding."""

from types import SimpleNamespace

import numpy as np
import pytest

from cinc_ref.flows import dequantize, quantize
from tests.support.oracles import DTYPES


def _constant(noise):
    """A generator whose every draw is one number."""
    return SimpleNamespace(random=lambda shape, dtype: np.full(shape, noise, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("of_images", [np.uint8, np.uint16, np.int64])
@pytest.mark.parametrize("bins", [2, 17, 32, 255, 256])
def test_no_noise_below_one_leaves_the_bin(bins, of_images, dtype):
    levels = np.arange(bins).astype(of_images)
    for noise in (0, np.finfo(dtype).smallest_subnormal, 0.5, np.nextafter(dtype(1), dtype(0))):
        x = dequantize(levels, bins, _constant(noise), dtype)
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
