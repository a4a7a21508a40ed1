"""A run remembers its images: `evaluate` uses them, and refuses what has changed since."""

import json
import re
import zipfile

import numpy as np
import pytest
from PIL import Image

import cinc_ref as cr
from cinc_ref.data import image_set
from cinc_ref.errors import OptionError
from cinc_ref.training.checkpoint import load_data
from tests.support.commands import assert_one_line_error, run

FLOW = ("--levels", 1, "--depth", 1, "--width", 2, "--coupling", "affine", "--system", "glow")
OPTIONS = (*FLOW, "--steps", 1, "--batch-size", 4)


def _array(path, count=30, changed=None):
    images = np.random.default_rng(0).integers(0, 256, (count, 4, 4), dtype=np.uint8)
    if changed is not None:
        images[changed] = 7
    np.save(path, images)


@pytest.fixture
def trained(tmp_path, capsys):
    _array(tmp_path / "images.npy")
    data = ("--data", "array", "--path", tmp_path / "images.npy")
    code, _, err = run(capsys, "train", *data, "--out", tmp_path / "run", *OPTIONS)
    assert code == 0, err
    return tmp_path / "run"


@pytest.mark.parametrize("model", ["", "best.npz", "last.npz"])
def test_a_model_is_judged_on_the_images_of_its_run(trained, capsys, model):
    code, out, err = run(capsys, "evaluate", trained / model)
    assert code == 0, err
    assert "3 test images of array" in out


@pytest.mark.parametrize("changed", ["more images", "a test image", "an image to train"])
def test_images_that_have_changed_since_are_refused(trained, capsys, changed):
    images = trained.parent / "images.npy"
    order = np.random.default_rng(0).permutation(30)
    if changed == "more images":
        _array(images, 40)
        said = "train images, validation images, test images"
    elif changed == "a test image":
        _array(images, changed=order[-1])
        said = r"\(test images\)"
    else:
        _array(images, changed=order[0])
        said = r"\(train images\)"
    for command in ("evaluate", "interpolate"):
        code, out, err = run(capsys, command, trained)
        assert code == 1 and not out
        assert_one_line_error(err)
        assert "may have been trained on" in err and "--data" in err
        assert re.search(said, err)


def test_named_images_are_used_and_said_to_be_others(trained, capsys):
    images = trained.parent / "images.npy"
    named = ("evaluate", trained, "--data", "array", "--path", images)
    code, out, _ = run(capsys, *named)
    assert code == 0 and "not the images of the run" not in out
    _array(images, 40)
    code, out, _ = run(capsys, *named)
    assert code == 0 and "not the images of the run" in out
    assert "4 test images of array" in out


def test_images_that_have_moved_are_compared_where_they_are(trained, capsys):
    moved = trained.parent / "elsewhere.npy"
    (trained.parent / "images.npy").rename(moved)
    code, _, err = run(capsys, "evaluate", trained)
    assert code == 1 and "is missing: say with --path where they are" in err
    code, _, err = run(capsys, "evaluate", trained, "--path", moved)
    assert code == 0, err
    _array(moved, 40)
    code, _, err = run(capsys, "evaluate", trained, "--path", moved)
    assert code == 1 and "has changed" in err


def test_all_options_of_the_images_are_remembered(tmp_path, capsys, monkeypatch):
    rng = np.random.default_rng(0)
    for part, count in (("train", 8), ("val", 4), ("test", 5)):
        (tmp_path / "pictures" / part).mkdir(parents=True)
        for k in range(count):
            pixels = rng.integers(0, 256, (9, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / part / f"{k}.png")
    monkeypatch.chdir(tmp_path)
    data = ("--data", "folder", "--path", "pictures", "--size", 4, "--channels", 1, "--n-bits", 5)
    code, _, err = run(capsys, "train", *data, "--out", "run", *OPTIONS)
    assert code == 0, err
    monkeypatch.chdir("/")
    code, out, err = run(capsys, "evaluate", tmp_path / "run")
    assert code == 0, err
    assert "5 test images of folder" in out
    options = load_data(tmp_path / "run" / "best.npz")["options"]
    path = str(tmp_path / "pictures")
    assert options == {"path": path, "size": 4, "channels": 1, "n_bits": 5}


def test_a_run_is_not_resumed_with_other_test_images(trained, capsys):
    order = np.random.default_rng(0).permutation(30)
    _array(trained.parent / "images.npy", changed=order[-1])
    data = ("--data", "array", "--path", trained.parent / "images.npy")
    code, _, err = run(capsys, "train", *data, "--out", trained, *OPTIONS, "--resume")
    assert code == 1 and "test_images" in err


def _change_header(path, change):
    with zipfile.ZipFile(path) as archive, archive.open("header.npy") as file:
        header = json.loads(np.load(file).tobytes())
    with np.load(path) as file:
        arrays = {name: file[name] for name in file if name != "header"}
    change(header)
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    with open(path, "wb") as file:
        np.savez(file, header=text, **arrays)


def test_runs_that_were_saved_before_still_load(trained, capsys):
    for name in ("best.npz", "last.npz"):
        _change_header(trained / name, lambda header: header.pop("data"))
    assert load_data(trained / "best.npz") is None
    cr.load(trained / "best.npz")
    code, _, err = run(capsys, "evaluate", trained)
    assert code == 1 and "choose the data it was trained on" in err  # digits, as ever
    data = ("--data", "array", "--path", trained.parent / "images.npy")
    assert run(capsys, "evaluate", trained, *data)[0] == 0
    assert run(capsys, "train", *data, "--out", trained, *OPTIONS, "--resume")[0] == 0


def _record(name, options):
    digests = dict.fromkeys(("train_images", "validation_images", "test_images"), "")
    return {"name": name, "options": options, **digests}


@pytest.mark.parametrize(
    "data",
    [
        "array",
        {"name": "array"},
        _record("array", []),
        _record("secrets", {}),
        _record("array", {"name": 3}),
        _record("array", {"path": [3]}),
    ],
)
def test_a_record_that_lies_is_refused(trained, capsys, data):
    _change_header(trained / "best.npz", lambda header: header.update(data=data))
    code, out, err = run(capsys, "evaluate", trained)
    assert code in (1, 2) and not out
    assert_one_line_error(err)


@pytest.mark.parametrize("origin", ["digits", {}, {"name": "digits"}, 3])
def test_an_origin_is_that_of_an_image_set(origin):
    digits = image_set("digits")
    flow = cr.flows.build("glow", "affine", (1, 8, 8), 1, 1, 2, 17)
    with pytest.raises(OptionError, match=r"origin must be a dict as ImageSet.origin"):
        cr.train(flow, digits.train, digits.validation, steps=1, origin=origin)
