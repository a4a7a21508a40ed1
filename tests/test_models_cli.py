"""Training, sampling and evaluating from the command line, on a few digits with a tiny flow."""

import dataclasses
import inspect
import json
import re
import shlex
import signal

import numpy as np
import pytest
from PIL import Image

import cinc_ref as cr
from cinc_ref.__main__ import main
from cinc_ref.cli import train as cli_train
from cinc_ref.cli.train import TRAINING_OPTIONS
from cinc_ref.data import IMAGE_SETS, ImageSet
from cinc_ref.training.presets import PRESETS
from cinc_ref.training.trainer import Trainer
from tests.support.commands import assert_one_line_error, few_digits, run, run_with_progress

FLOW = ("--levels", 1, "--depth", 1, "--width", 4, "--coupling", "affine")
OPTIONS = (*FLOW, "--steps", 4, "--batch-size", 8)


@pytest.fixture(autouse=True, scope="module")
def tiny_sets():
    """Digits are few; "colours" has other shapes, "bits" another number of levels."""
    images = np.zeros((2, 3, 4, 4), np.uint8)
    colours = ImageSet("colours", images, images, images, bins=17)
    digits = few_digits()
    bits = ImageSet("bits", digits.train % 2, digits.validation % 2, digits.test % 2, bins=2)
    with pytest.MonkeyPatch.context() as patch:
        for images in (digits, colours, bits):
            patch.setitem(IMAGE_SETS, images.name, lambda images=images: images)
        yield


@pytest.fixture(scope="module")
def model(tiny_sets, tmp_path_factory):
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("run") / "new" / "folder"
    with pytest.raises(SystemExit) as exit_:
        main(["train", "--out", str(folder), *map(str, OPTIONS)])
    assert not exit_.value.code
    return folder


def assert_same_files(first, second):
    with np.load(first) as first, np.load(second) as second:
        assert set(first) == set(second)
        for name in first:
            assert np.array_equal(first[name], second[name])


def test_train_leaves_a_model_its_history_and_a_picture(model):
    names = {path.name for path in model.iterdir()}
    assert names == {"best.npz", "last.npz", "history.json", "loss.png"}
    flow, _ = cr.load(model / "best.npz")
    assert flow == cr.flows.build("cinc", "affine", (1, 8, 8), levels=1, depth=1, width=4, bins=17)


def test_train_prints_where_the_model_is_and_how_good(capsys, tmp_path):
    code, out, err = run_with_progress(capsys, "train", "--out", tmp_path / "run", *OPTIONS)
    assert code == 0
    assert f"model: {tmp_path / 'run' / 'best.npz'}" in out
    assert "Finished 4 steps." in out
    assert "validation, bits/dim" in out
    assert "test, bits/dim" in out
    assert "bits/dim" in err  # the progress


def test_train_takes_every_option_of_a_system(capsys, tmp_path):
    options = ("--system", "emerging", "--direction", "inverse", "--dilation", 2, "--stable")
    code, out, _ = run(capsys, "train", "--out", tmp_path, *FLOW, *options, "--steps", 1)
    assert code == 0
    assert "emerging (triangular corner, stable, inverse flow, dilation 2) with affine" in out
    flow, _ = cr.load(tmp_path / "best.npz")
    assert (flow.system, flow.direction, flow.dilation) == ("emerging", "inverse", 2)


def test_train_takes_two_minutes_if_nothing_is_said(capsys, monkeypatch, tmp_path):
    given = {}

    def remember(*arguments, **options):
        given.update(options)
        return cr.train(*arguments, **{**options, "minutes": None, "steps": 1})

    monkeypatch.setattr("cinc_ref.cli.train.train_flow", remember)
    assert run(capsys, "train", "--out", tmp_path, *FLOW)[0] == 0
    assert given["minutes"] == 2


def test_train_without_matplotlib_leaves_no_picture(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("cinc_ref.cli.train.find_spec", lambda name: None)
    assert run(capsys, "train", "--out", tmp_path, *FLOW, "--steps", 1)[0] == 0
    assert not (tmp_path / "loss.png").exists()


def test_ctrl_c_says_how_to_go_on_and_going_on_gives_the_same(capsys, monkeypatch, model, tmp_path):
    def step_and_interrupt(trainer):
        bits = step(trainer)
        if trainer.state.step == 2:
            signal.raise_signal(signal.SIGINT)
        return bits

    step = Trainer.step
    folder = tmp_path / "an interrupted run"
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", step_and_interrupt)
        code, out, _ = run(capsys, "train", "--out", folder, *OPTIONS)
    assert code == 130
    assert "Interrupted after 2 steps" in out
    command = shlex.split(out.splitlines()[-1])
    assert command[:4] == ["python", "-m", "cinc_ref", "train"]
    code, out, _ = run(capsys, *command[3:])
    assert code == 0
    assert "Finished 4 steps." in out
    assert_same_files(folder / "best.npz", model / "best.npz")


def test_the_command_to_resume_repeats_flags(capsys, monkeypatch, tmp_path):
    def step_and_interrupt(trainer):
        signal.raise_signal(signal.SIGINT)
        return step(trainer)

    step = Trainer.step
    flags = ("--stable", "--flip", "--no-constant-memory")
    options = (*OPTIONS, *flags, "--optimizer", "adamax", "--beta2", 0.99)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", step_and_interrupt)
        _, out, _ = run(capsys, "train", "--out", tmp_path, *options)
    command = shlex.split(out.splitlines()[-1])
    assert {*flags, "--resume"} <= set(command)
    code, out, _ = run(capsys, *command[3:])
    assert code == 0 and "Finished 4 steps." in out
    assert cr.load(tmp_path / "best.npz")[0].stable


@pytest.fixture
def pictures(tmp_path):
    """A folder of pictures in three parts."""
    rng = np.random.default_rng(0)
    for part in ("train", "validation", "test"):
        (tmp_path / "pictures" / part).mkdir(parents=True)
        for k in range(4):
            pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / part / f"{k}.png")
    return tmp_path / "pictures"


def test_images_of_the_user_are_trained_on_and_judged(capsys, tmp_path, pictures):
    data = ("--data", "folder", "--path", pictures)
    options = ("--size", 4, "--channels", 1, "--n-bits", 5, "--steps", 1)
    code, _, _ = run(capsys, "train", *data, "--out", tmp_path / "run", *FLOW, *options)
    assert code == 0
    flow, _ = cr.load(tmp_path / "run" / "best.npz")
    assert (flow.image_shape, flow.bins) == ((1, 4, 4), 32)
    code, out, _ = run(capsys, "evaluate", tmp_path / "run", *data)
    assert code == 0 and "4 test images of folder" in out


def test_a_preset_tells_what_the_whole_would_take(capsys, pictures, tmp_path):
    small = ("--depth", 1, "--width", 4, "--levels", 2, "--size", 8)
    given = ("train", "--preset", "paper-galaxy", "--path", pictures, *small)
    code, out, _ = run(capsys, *given)
    assert code == 0
    assert "cinc (triangular corner) with quad coupling, 2 levels of 1 steps, width 4" in out
    assert "4 images of folder" in out
    assert re.search(r"s a step, 4,001 steps: .* on one core", out)
    assert "To train, give --minutes or --steps, and --out." in out
    code, _, err = run(capsys, *given, "--steps", 1)
    assert code == 2 and "--out" in err
    code, out, _ = run(capsys, *given, "--steps", 2, "--beta1", 0.8, "--out", tmp_path / "run")
    assert code == 0 and "4,001 steps" in out and "Finished 2 steps." in out
    with np.load(tmp_path / "run" / "last.npz") as file:
        saved = json.loads(file["header"].tobytes())["run"]
    expected = {"optimizer": "adamax", "beta1": 0.8, "beta2": 0.0, "learning_rate": 1e-3}
    expected |= {"schedule": "constant", "clip": None, "dropout": 0.0, "warmup": 10, "steps": 2}
    assert {name: saved[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("switch", "wanted"),
    [((), False), (("--constant-memory",), True), (("--no-constant-memory",), False)],
)
def test_constant_memory_is_that_of_the_preset_unless_given(
    capsys, monkeypatch, pictures, tmp_path, switch, wanted
):
    """Of the estimate and of the training."""
    given = []

    def spy(module_function):
        def remember(*arguments, constant_memory, **options):
            given.append(constant_memory)
            return module_function(*arguments, constant_memory=constant_memory, **options)

        return remember

    for name in ("estimate", "train_flow"):
        path = f"cinc_ref.cli.train.{name}"
        monkeypatch.setattr(path, spy(getattr(cli_train, name)))
    data = ("--preset", "paper-galaxy", "--path", pictures, "--size", 8)
    options = ("--depth", 1, "--width", 4, "--levels", 2, "--steps", 1, "--out", tmp_path / "run")
    assert run(capsys, "train", *data, *options, *switch)[0] == 0
    assert given == [wanted, wanted]


def test_the_help_says_how_to_switch_constant_memory_off(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = run(capsys, "train", "--help")
    assert code == 0 and "--no-constant-memory" in out


def test_a_preset_that_flips_can_be_told_not_to(capsys, monkeypatch, pictures, tmp_path):
    flips = dataclasses.replace(PRESETS["paper-galaxy"], flip=True)
    monkeypatch.setitem(PRESETS, "paper-galaxy", flips)
    data = ("--preset", "paper-galaxy", "--path", pictures, "--size", 8)
    options = ("--depth", 1, "--width", 4, "--levels", 2, "--steps", 1)
    for switch, wanted in ((), True), (("--no-flip",), False):
        out = tmp_path / f"run-{wanted}"
        assert run(capsys, "train", *data, *options, "--out", out, *switch)[0] == 0
        with np.load(out / "last.npz") as file:
            assert json.loads(file["header"].tobytes())["run"]["flip"] is wanted


def test_the_defaults_of_the_command_are_those_of_the_function():
    for option in TRAINING_OPTIONS:
        assert option.default is inspect.signature(cr.train).parameters[option.name].default


def test_a_folder_that_holds_a_run_is_not_overwritten(capsys, model):
    before = (model / "best.npz").read_bytes()
    code, _, err = run(capsys, "train", "--out", model, *OPTIONS)
    assert code == 1
    assert_one_line_error(err)
    assert "--resume" in err
    assert (model / "best.npz").read_bytes() == before


def test_resuming_with_other_options_is_refused(capsys, model):
    code, out, err = run(capsys, "train", "--out", model, *OPTIONS, "--seed", 1, "--resume")
    assert (code, out) == (1, "")
    assert_one_line_error(err)
    assert "seed" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--system", "nonsense"], "cinc"),
        (["--coupling", "nonsense"], "additive, affine, quad"),
        (["--corner-block", "nonsense"], "unit, triangular, plu, dense"),
        (["--direction", "nonsense"], "forward, inverse"),
        (["--data", "nonsense"], "digits"),
        (["--data", "cifar10"], "cifar10 needs path (--path)"),
        (["--path", "somewhere"], "digits has no option path"),
        (["--n-bits", 3], "digits with 17 levels"),
        (["--preset", "nonsense"], "paper-cifar10, paper-imagenet32"),
        (["--optimizer", "sgd"], "adam, adamax"),
        (["--schedule", "linear"], "cosine, constant"),
        (["--levels", 4], "divisible by 16"),
        (["--data", "colours", "--levels", 3], "(3, 4, 4)"),
        (["--steps", 0], "steps must be"),
        (["--minutes", -1], "minutes must be"),
        (["--minutes", "nan"], "minutes must be"),
        (["--batch-size", 0], "--batch-size must be"),
        (["--learning-rate", "inf"], "--learning-rate must be"),
        (["--dropout", 1], "dropout must be"),
    ],
)
def test_training_with_impossible_options_is_one_line(capsys, tmp_path, arguments, said):
    code, out, err = run(capsys, "train", "--out", tmp_path, *arguments)
    assert (code, out) == (2, "")
    assert_one_line_error(err)
    assert said in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "cifar10", "--path", "nowhere"], "nowhere is missing"),
        (["--resume"], "no run to resume"),
    ],
)
def test_training_from_missing_files_is_one_line(capsys, tmp_path, arguments, said):
    code, out, err = run(capsys, "train", "--out", tmp_path, *arguments)
    assert (code, out) == (1, "")
    assert_one_line_error(err)
    assert said in err
    assert not list(tmp_path.iterdir())


def test_training_into_a_file_is_one_line(capsys, tmp_path):
    (tmp_path / "file").touch()
    code, _, err = run(capsys, "train", "--out", tmp_path / "file", *OPTIONS)
    assert code == 1
    assert_one_line_error(err)
    assert "cannot write" in err


def test_sample_draws_a_picture(capsys, model, tmp_path):
    path = tmp_path / "samples.png"
    code, out, err = run(capsys, "sample", model, "-n", 4, "--out", path)
    assert (code, err) == (0, "")
    assert f"wrote {path}" in out
    assert path.read_bytes().startswith(b"\x89PNG")


def test_sample_writes_grey_levels_and_the_numbers_of_the_flow(capsys, model, tmp_path):
    options = ("-n", 5, "--temperature", 1.5, "--seed", 3)
    for name in ("a.npy", "b.npz"):
        code, _, _ = run(capsys, "sample", model / "best.npz", *options, "--out", tmp_path / name)
        assert code == 0
    images = np.load(tmp_path / "a.npy")
    with np.load(tmp_path / "b.npz") as arrays:
        assert np.array_equal(arrays["images"], images)
        samples = arrays["samples"]
    flow, params = cr.load(model / "best.npz")
    assert np.array_equal(samples, flow.sample(params, np.random.default_rng(3), 5, 1.5))
    assert images.dtype == np.uint8
    assert images.shape == (5, 1, 8, 8)
    assert images.max() < 17


def test_sample_at_temperature_0_is_one_image(capsys, model, tmp_path):
    path = tmp_path / "modes.npy"
    run(capsys, "sample", model, "-n", 3, "--temperature", 0, "--out", path)
    images = np.load(path)
    assert (images == images[0]).all()


@pytest.mark.parametrize("command", ["sample", "evaluate"])
@pytest.mark.parametrize("kind", ["missing", "foreign", "truncated", "empty folder"])
def test_what_is_no_model_is_one_line(capsys, model, tmp_path, command, kind):
    path = tmp_path / "model.npz"
    if kind == "foreign":
        np.savez(path, weights=np.zeros(3))
    elif kind == "truncated":
        path.write_bytes((model / "best.npz").read_bytes()[:-100])
    elif kind == "empty folder":
        path.mkdir()
    code, out, err = run(capsys, command, path)
    assert (code, out) == (1, "")
    assert_one_line_error(err)
    assert str(path) in err


@pytest.mark.parametrize(
    ("name", "expected"), [("samples.txt", 2), ("samples", 2), ("no/such/folder/samples.png", 1)]
)
def test_samples_that_cannot_be_written_are_one_line(capsys, model, tmp_path, name, expected):
    code, out, err = run(capsys, "sample", model, "--out", tmp_path / name)
    assert (code, out) == (expected, "")
    assert_one_line_error(err)
    assert name in err


@pytest.mark.parametrize("temperature", ["nan", "inf"])
def test_no_temperature_is_one_line(capsys, model, temperature):
    code, out, err = run(capsys, "sample", model, "--temperature", temperature)
    assert (code, out) == (2, "")
    assert_one_line_error(err)


def test_evaluate_prints_bits_error_and_time(capsys, model):
    code, out, err = run(capsys, "evaluate", model)
    assert (code, err) == (0, "")
    for text in ("6 test images of digits", "bits/dim", "largest inversion error", "seconds"):
        assert text in out
    found = cr.evaluate(*cr.load(model / "best.npz"), IMAGE_SETS["digits"]().test)
    assert f"{found.bits_per_dim:.4f} ± {found.standard_deviation:.4f}" in out


@pytest.mark.parametrize(
    ("data", "expected", "said"),
    [
        ("colours", 1, ["(1, 8, 8)", "(3, 4, 4)"]),
        ("bits", 1, ["17 levels", "2 levels"]),
        ("nonsense", 2, ["digits"]),
    ],
)
def test_data_that_do_not_fit_the_model_are_one_line(capsys, model, data, expected, said):
    code, out, err = run(capsys, "evaluate", model, "--data", data)
    assert (code, out) == (expected, "")
    assert_one_line_error(err)
    for text in said:
        assert text in err
