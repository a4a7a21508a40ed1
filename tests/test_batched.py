"""The fast kernels do what the textbook loops do, whatever the tails of batch and channels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinc_ref.kernels import batched, textbook
from tests.oracles import DTYPES, kernel_for

OPERATIONS = ("conv", "conv_transpose", "substitute", "substitute_transpose")


def _case(seed, channels, images, dtype):
    """A kernel with its dilation and anchor, and images (C, H, W, N)."""
    rng = np.random.default_rng(seed)
    kh, kw = (int(side) for side in rng.integers(1, 5, 2))
    anchor = (int(rng.integers(kh)), int(rng.integers(kw)))
    kind = str(rng.choice(["lower", "upper", "dense", "unit"]))
    kernel = kernel_for(rng, (channels, channels, kh, kw), anchor, kind).astype(dtype)
    size = (int(side) for side in rng.integers(1, 6, 2))
    images = rng.normal(size=(channels, *size, images)).astype(dtype)
    return images, kernel, int(rng.integers(1, 4)), anchor


def _textbook(operation, images, *arguments):
    result = getattr(textbook, operation)(images, *arguments)
    return result.transpose(1, 2, 3, 0)


def _batch_first(images):
    return np.ascontiguousarray(images.transpose(3, 0, 1, 2))


@given(
    st.integers(0, 2**32),
    st.sampled_from([1, 2, 3, 5]),
    st.sampled_from([0, 1, 3, 7, 31, 100]),
    st.sampled_from(DTYPES),
)
def test_equal_to_the_textbook_up_to_rounding(seed, channels, images, dtype):
    x, *arguments = _case(seed, channels, images, dtype)
    for operation in OPERATIONS:
        ours = getattr(batched, operation)(x, *arguments)
        expected = _textbook(operation, x, *arguments)
        scale = np.max(np.abs(expected), initial=1)
        assert ours.dtype == dtype and ours.flags.c_contiguous
        assert np.max(np.abs(ours - expected), initial=0) <= 50 * np.finfo(dtype).eps * scale


@pytest.mark.parametrize("channels", [6, 12, 13])
def test_channel_tails(channels):
    for dtype, images in zip(DTYPES, (7, 31), strict=True):
        for seed in range(3):
            test_equal_to_the_textbook_up_to_rounding.hypothesis.inner_test(
                seed, channels, images, dtype
            )


@given(st.integers(0, 2**32), st.sampled_from([1, 2, 3]), st.sampled_from(DTYPES))
def test_weight_gradient(seed, channels, dtype):
    x, kernel, dilation, anchor = _case(seed, channels, 5, dtype)
    g = np.random.default_rng(seed + 1).normal(size=x.shape).astype(dtype)
    ours = batched.conv_weight_grad(x, g, kernel.shape, dilation, anchor)
    expected = textbook.conv_weight_grad(
        _batch_first(x), _batch_first(g), kernel.shape, dilation, anchor
    )
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours, expected, rtol=0, atol=100 * np.finfo(dtype).eps * x.size)


@given(st.integers(0, 2**32), st.tuples(st.booleans(), st.booleans()))
def test_flips_are_those_of_the_images(seed, flips):
    """Walking backwards is the same as reversing the images before and after, to the last bit."""
    x, *arguments = _case(seed, 2, 9, np.float64)

    def flipped(images):
        rows, columns = (-1 if flip else 1 for flip in flips)
        return np.ascontiguousarray(images[:, ::rows, ::columns])

    for operation in OPERATIONS:
        function = getattr(batched, operation)
        expected = flipped(function(flipped(x), *arguments))
        assert np.array_equal(function(x, *arguments, flips), expected)


@pytest.mark.parametrize("channels", [3, 5])
def test_same_bits_in_any_batch_and_on_any_number_of_lanes(channels):
    x, *arguments = _case(3, channels, 150, np.float32)
    for operation in OPERATIONS:
        function = getattr(batched, operation)
        whole = function(x, *arguments)
        for images in (1, 5, 20, 40, 149):
            part = function(np.ascontiguousarray(x[..., -images:]), *arguments)
            assert np.array_equal(part, whole[..., -images:])
