"""Image sets: real images as integers, in the shape that everything else takes."""

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from cinc_ref.data import IMAGE_SETS, ImageSet, digits, image_set
from cinc_ref.errors import DataError, OptionError


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


@pytest.mark.parametrize(
    "name, options", [("digits", {}), ("patches", {}), ("patches", {"size": 9})]
)
def test_every_image_set_holds_levels_within_its_bins(name, options):
    images = image_set(name, **options)
    assert images.name == name
    for part in (images.train, images.validation, images.test):
        assert part.shape[1:] == images.image_shape
        assert part.dtype.kind == "u"
        assert part.max() < images.bins


def test_an_unknown_image_set_lists_the_known_ones():
    with pytest.raises(OptionError, match=r"one of digits, patches, cifar10.*'nonsense'"):
        image_set("nonsense")


@pytest.mark.parametrize("size", [8, 16, 32])
def test_patches_are_pieces_of_the_photographs_and_the_parts_share_no_pixel(size):
    images = image_set("patches", size=size)
    assert images.image_shape == (3, size, size)
    photographs = load_sample_images().images
    columns = {}
    for part in ("train", "validation", "test"):
        patches = getattr(images, part)
        seen = [_columns_of(patch, photographs) for patch in patches[:: max(1, len(patches) // 8)]]
        columns[part] = set().union(*seen)
    assert not columns["train"] & columns["validation"]
    assert not columns["train"] & columns["test"]
    assert not columns["validation"] & columns["test"]


@pytest.mark.parametrize("size", [8, 16])
def test_the_left_end_of_the_photographs_is_in_the_training_part_the_right_end_in_the_test(size):
    images = image_set("patches", size=size)
    for photograph in load_sample_images().images:
        left, right = photograph[:size, :size], photograph[:size, -size:]
        for part, window in ((images.train, left), (images.test, right)):
            assert (part == window.transpose(2, 0, 1)).all(axis=(1, 2, 3)).any()


def _columns_of(patch, photographs):
    """The columns of the photographs where this patch occurs."""
    size = patch.shape[1]
    found = set()
    for photograph in photographs:
        planes = photograph.transpose(2, 0, 1)
        for row, column in np.argwhere((photograph == patch[:, 0, 0]).all(axis=2)):
            window = planes[:, row : row + size, column : column + size]
            if window.shape == patch.shape and (window == patch).all():
                found |= set(range(column, column + size))
    assert found
    return found


def test_fewer_bits_are_the_highest():
    whole, few = image_set("patches"), image_set("patches", n_bits=5)
    assert few.bins == 32
    assert np.array_equal(few.train, whole.train // 8)
    assert np.array_equal(few.test, whole.test // 8)
    all_bits = image_set("patches", n_bits=8)
    assert all_bits.bins == 256 and np.array_equal(all_bits.train, whole.train)
    assert image_set("patches", n_bits=1).bins == 2
    for bits in (0, 9, 2.5):
        with pytest.raises(OptionError, match=f"n_bits must be.*{bits}"):
            image_set("patches", n_bits=bits)
    with pytest.raises(OptionError, match="digits with 17 levels"):
        image_set("digits", n_bits=3)


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("digits", {"path": "there"}, "digits has no option path; got 'there'"),
        ("cifar10", {}, "cifar10 needs path"),
        ("patches", {"size": 7}, "size must be an integer from 8 to 32; got 7"),
        ("patches", {"size": True}, "size must be an integer from 8 to 32; got True"),
        ("patches", {"size": 16.0}, r"size must be an integer from 8 to 32; got 16\.0"),
        ("digits", {"n_bits": True}, "n_bits must be an integer .*; got True for digits"),
        ("cifar10", {"path": 3}, "path must be a path; got 3"),
        (3, {}, "data must be one of digits, .*; got 3"),
        ("folder", {"path": ".", "channels": True}, "channels must be 1 or 3; got True"),
        ("folder", {"path": ".", "channels": 2}, "channels must be 1 or 3; got 2"),
        ("folder", {"path": ".", "size": 0}, "size must be an integer >= 1; got 0"),
    ],
)
def test_options_that_cannot_be(name, options, message):
    with pytest.raises(OptionError, match=message):
        image_set(name, **options)


@pytest.mark.parametrize("bins", [True, 1, 2.0, "17", None])
def test_bins_are_an_integer_of_at_least_two(bins, tmp_path):
    images = np.zeros((9, 1, 4, 4), np.uint8)
    with pytest.raises(OptionError, match=r"bins must be an integer >= 2; got "):
        ImageSet("zeros", images, images, images, bins)
    if bins is not None:  # which would be a pickle
        np.savez(tmp_path / "images.npz", images=images, bins=bins)
        with pytest.raises(DataError, match=r"bins in .*images.npz must be an integer >= 2; got "):
            image_set("array", path=tmp_path / "images.npz")


def test_a_page_lists_every_image_set():
    page = (Path(__file__).parents[1] / "docs" / "images.md").read_text(encoding="utf-8")
    table = page[page.index("| name | images | `--path` |") :].split("\n\n")[0]
    first_cells = " ".join(line.split("|")[1] for line in table.splitlines()[2:])
    assert re.findall(r"`(\w+)`", first_cells) == list(IMAGE_SETS)
