"""Image sets: real images as integers, in the shape that everything else takes."""

import numpy as np

from cinc_ref.data import digits


def test_digits_are_integer_images_with_17_grey_levels():
    images = digits()
    assert images.shape == (1797, 1, 8, 8)
    assert images.dtype == np.uint8
    assert np.array_equal(np.unique(images), np.arange(17))


def test_digits_are_upright():
    """The first image is a 0: ink around a hole, the same seen from the left and from the right."""
    zero = digits()[0, 0]
    assert zero[2:5, 4].max() == 0  # the hole
    assert zero[:, 3].min() == 0 < zero[0, 3]  # closed at the top
    assert zero.sum(axis=1).min() > 0  # ink in every row


def test_every_call_returns_a_fresh_array():
    first = digits()
    first[:] = 0
    assert digits().max() == 16
