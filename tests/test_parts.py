"""A split that is given is honoured: no test image is trained on, and nothing is pooled unasked."""

import numpy as np
import pytest
from PIL import Image

from cinc_ref.data import image_set
from cinc_ref.data.parts import mentioned_part
from cinc_ref.errors import DataError

COUNT = 12


def _pictures(folder, level, count=COUNT):
    """Write pictures of one grey level, so that each image tells its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        Image.new("L", (4, 4), level).save(folder / f"{k:02}.png")


def _levels(images):
    return {
        name: sorted(np.unique(getattr(images, name)).tolist())
        for name in ("train", "validation", "test")
    }


def _write(top, names):
    for level, name in enumerate(names):
        _pictures(top / name, 10 * level)


@pytest.mark.parametrize(
    "train, test",
    [
        ("train", "test"),
        ("Train", "Test"),
        ("training", "testing"),
        ("TRAIN_32x32", "test_32x32"),
        ("train2017", "test2017"),
        ("TrainImages", "TestImages"),
        ("trainset", "testset"),
        ("galaxy-train", "galaxy-test"),
        ("train", "eval"),
    ],
)
def test_validation_is_cut_from_train_alone(tmp_path, train, test):
    _write(tmp_path, [train, test])
    images = image_set("folder", path=tmp_path, size=4, channels=1)
    assert _levels(images) == {"train": [0], "validation": [0], "test": [10]}
    assert [len(part) for part in (images.train, images.validation, images.test)] == [11, 1, 12]


@pytest.mark.parametrize(
    "names",
    [
        ("train", "validation", "test"),
        ("Train", "Val", "Test"),
        ("train", "dev", "eval"),
        ("training", "validation", "testing"),
        ("train_32x32", "valid_32x32", "test_32x32"),
        ("imgs.train", "imgs.dev", "imgs.test"),
    ],
)
def test_three_parts_under_many_names(tmp_path, names):
    _write(tmp_path, names)
    images = image_set("folder", path=tmp_path, size=4, channels=1)
    assert _levels(images) == {"train": [0], "validation": [10], "test": [20]}


def test_the_test_part_is_cut_from_train_alone(tmp_path):
    _write(tmp_path, ["train", "val"])
    images = image_set("folder", path=tmp_path, size=4, channels=1)
    assert _levels(images) == {"train": [0], "validation": [10], "test": [0]}
    assert [len(part) for part in (images.train, images.test)] == [11, 1]


def test_images_to_train_alone_are_divided(tmp_path):
    _pictures(tmp_path / "train" / "cats", 1, 10)
    _pictures(tmp_path / "train" / "dogs", 2, 10)
    images = image_set("folder", path=tmp_path, size=4, channels=1)
    assert [len(part) for part in (images.train, images.validation, images.test)] == [16, 2, 2]


@pytest.mark.parametrize(
    "names, message",
    [
        (("train", "val", "validation", "test"), "two names for the validation part, val and"),
        (("train", "Train"), "two names for the train part"),
        (("train", "test", "eval"), "two names for the test part"),
        (("trainA", "trainB", "test"), "two names for the train part, trainA and trainB"),
        (("train", "test", "extra"), "beside them extra: name the others as parts"),
        (("train", "test", "unlabeled", "queries"), "beside them queries, unlabeled"),
        (("train", "test", "trainval"), "beside them trainval"),
        (("test",), "no images to train"),
        (("val", "test"), "no images to train"),
        (("cats/train", "cats/test", "dogs/train", "dogs/test"), "got test in .*cats"),
        (("a/b/val", "c"), "got val in"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(tmp_path, names, message):
    _write(tmp_path, names)
    with pytest.raises(DataError, match=message):
        image_set("folder", path=tmp_path, size=4)


def test_a_picture_beside_parts_is_refused_and_other_files_are_not(tmp_path):
    _write(tmp_path, ["train", "test"])
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "train.csv").write_text("name,kind\n")
    (tmp_path / "README.txt").write_text("cats")
    assert len(image_set("folder", path=tmp_path, size=4).test) == COUNT
    Image.new("L", (4, 4)).save(tmp_path / "preview.png")
    with pytest.raises(DataError, match=r"beside them preview.png"):
        image_set("folder", path=tmp_path, size=4)


def test_the_folder_that_holds_the_only_folder_is_the_same(tmp_path):
    _write(tmp_path / "archive" / "galaxies", ["train", "test"])
    images = image_set("folder", path=tmp_path, size=4, channels=1)
    assert _levels(images) == {"train": [0], "validation": [0], "test": [10]}


def test_a_linked_part_is_read(tmp_path):
    _write(tmp_path / "set", ["train"])
    _pictures(tmp_path / "elsewhere", 10)
    (tmp_path / "set" / "test").symlink_to(tmp_path / "elsewhere")
    images = image_set("folder", path=tmp_path / "set", size=4, channels=1)
    assert _levels(images) == {"train": [0], "validation": [0], "test": [10]}


def test_classes_and_files_with_the_name_of_a_part_are_pooled(tmp_path):
    _write(tmp_path, ["cats", "dogs"])
    Image.new("L", (4, 4)).save(tmp_path / "cats" / "test.png")
    images = image_set("folder", path=tmp_path, size=4)
    assert sum(map(len, (images.train, images.validation, images.test))) == 2 * COUNT + 1


@pytest.mark.parametrize(
    "train, test", [("train", "test"), ("x_train", "x_test"), ("Train", "EVAL")]
)
def test_an_npz_is_split_as_folders_are(tmp_path, train, test):
    parts = {train: np.zeros((20, 4, 4), np.uint8), test: np.full((5, 4, 4), 9, np.uint8)}
    np.savez(tmp_path / "images.npz", **parts, bins=10)
    images = image_set("array", path=tmp_path / "images.npz")
    assert _levels(images) == {"train": [0], "validation": [0], "test": [9]}
    assert [len(part) for part in (images.train, images.validation, images.test)] == [18, 2, 5]


@pytest.mark.parametrize(
    "names, message",
    [
        (("x_train", "y_train", "x_test"), "two names for the train part"),
        (("test",), "no images to train"),
        (("train", "labels"), "beside them labels"),
    ],
)
def test_an_npz_that_is_not_understood_is_refused_by_name(tmp_path, names, message):
    np.savez(tmp_path / "images.npz", **{name: np.zeros((9, 4, 4), np.uint8) for name in names})
    with pytest.raises(DataError, match=message):
        image_set("array", path=tmp_path / "images.npz")


def test_one_image_is_too_few_to_cut_a_part_from(tmp_path):
    _pictures(tmp_path / "train", 0, 1)
    _pictures(tmp_path / "test", 9)
    with pytest.raises(DataError, match=r"at least 2 images to train.*got 1"):
        image_set("folder", path=tmp_path, size=4)


@pytest.mark.parametrize("name", ["cats", "strain", "contest", "valley", "device", "tests_train"])
def test_words_that_merely_contain_a_part_are_none(name):
    assert mentioned_part(name) is None
