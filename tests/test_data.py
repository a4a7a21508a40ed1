"""Image sets: real images as integers, in the shape that everything else takes."""

import numpy as np
import pytest

from cinc_ref.data import IMAGE_SETS, digits, image_set
from cinc_ref.errors import OptionError


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


def test_the_digits_are_split_as_the_readme_says():
    images = digits()
    order = np.random.default_rng(0).permutation(1797)
    digit_set = image_set("digits")
    assert np.array_equal(digit_set.train, images[order[:1437]])
    assert np.array_equal(digit_set.validation, images[order[1437:1617]])
    assert np.array_equal(digit_set.test, images[order[1617:]])
    assert len(digit_set.test) == 180


@pytest.mark.parametrize("name", IMAGE_SETS)
def test_every_image_set_holds_levels_within_its_bins(name):
    images = image_set(name)
    assert images.name == name
    for part in (images.train, images.validation, images.test):
        assert part.shape[1:] == images.image_shape
        assert part.dtype.kind == "u"
        assert part.max() < images.bins


def test_an_unknown_image_set_lists_the_known_ones():
    with pytest.raises(OptionError, match=r"one of digits.*'nonsense'"):
        image_set("nonsense")
