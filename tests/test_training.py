"""Training: its parts against independent formulas, and runs that repeat bit for bit."""

import dataclasses
import inspect
import json
import os
import pickle
import re
import signal
import threading
import time
from pathlib import Path

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from cinc_ref._trees import named_leaves, rebuild
from cinc_ref.bijections.network import apply_network, init_network
from cinc_ref.errors import (
    CheckpointError,
    CincError,
    DataError,
    DtypeError,
    NonFiniteError,
    OptionError,
    OutputError,
)
from cinc_ref.flows import build, quantize
from cinc_ref.primitives.layers import same_conv
from cinc_ref.training import load, npz_file, save, train
from cinc_ref.training.batches import STEP, VALIDATION, Batches, generator
from cinc_ref.training.console import interruptible
from cinc_ref.training.diagnosis import first_nonfinite_parameter
from cinc_ref.training.dropout import drop_units
from cinc_ref.training.errors import InverseTooIllConditioned, NonFiniteStep
from cinc_ref.training.flat_params import FlatParams
from cinc_ref.training.folder import LATER_OPTIONS
from cinc_ref.training.loss import bits_and_gradient, evaluate, mean_bits
from cinc_ref.training.optimizer import (
    OPTIMIZERS,
    adam,
    adamax,
    clip,
    learning_rate,
    norm,
    update_average,
)
from cinc_ref.training.settings import Settings
from cinc_ref.training.trainer import Trainer
from tests.support.processes import run_code

FLOW = build("cinc", "affine", (1, 4, 4), levels=2, depth=1, width=4, bins=4)
RNG = np.random.default_rng(0)
# Flat images of level 0, 1 or 2, with one pixel in five brighter by one.
IMAGES = RNG.integers(0, 3, (30, 1, 1, 1)) + RNG.binomial(1, 0.2, (30, 1, 4, 4))
TRAIN, VALIDATE = IMAGES[:22], IMAGES[22:]
OPTIONS = {"steps": 8, "batch_size": 8, "evaluate_every": 3, "warmup": 2, "learning_rate": 0.01}


def fit(**options):
    return train(FLOW, TRAIN, VALIDATE, **{**OPTIONS, **options})


def leaves_equal(first, second):
    first, second = named_leaves(first), named_leaves(second)
    return first.keys() == second.keys() and all(
        first[name].dtype == second[name].dtype and np.array_equal(first[name], second[name])
        for name in first
    )


@pytest.fixture(scope="module")
def finished():
    """One uninterrupted run, to which the others are compared."""
    return fit()


@pytest.fixture
def start():
    """Perturbed parameters in float64, their flat, their vector, and a batch."""
    rng = np.random.default_rng(1)
    x = rng.uniform(-0.5, 0.5, (5, 1, 4, 4))
    params = FLOW.init(rng, x)
    flat = FlatParams.of(params)
    vector = flat.vector(params)
    vector += 0.1 * rng.normal(size=vector.shape)
    return flat, vector, x


# ---- parameters as one vector ------------------------------------------------------------------


def test_flat_keeps_structure_order_and_dtype():
    tree = {"b": [np.ones((2, 3), np.float32), {}], "a": (np.zeros((), np.float32),)}
    flat = FlatParams.of(tree)
    vector = flat.vector(tree)
    assert list(flat.shapes) == ["b/0", "a/0"]
    assert vector.dtype == np.float32
    back = flat.params(vector)
    assert isinstance(back["a"], tuple) and back["b"][1] == {}
    assert leaves_equal(back, tree)


def test_the_loss_before_the_first_step_is_that_of_the_initial_parameters():
    """On the same images the training loss and the validation loss differ by their noise alone."""
    first = train(FLOW, TRAIN, TRAIN, **{**OPTIONS, "steps": 1}).history[0]
    assert first["step"] == 0
    assert np.isclose(first["train"], first["validation"], rtol=0.1)


def test_leaves_are_views_of_the_vector(start):
    flat, vector, _ = start
    for leaf in named_leaves(flat.params(vector)).values():
        assert np.shares_memory(leaf, vector)


def test_gradient_of_the_vector_is_that_of_the_tree(start):
    flat, vector, x = start
    _, gradient = bits_and_gradient(FLOW, flat, vector, x, 0.0, None)
    of_tree = grad(lambda params: mean_bits(FLOW, params, x))(flat.params(vector))
    # the same operations in the same order, but for the sums over uses of a leaf
    assert np.allclose(gradient, flat.vector(of_tree), rtol=1e-12, atol=1e-14)


def test_gradients_of_a_leaf_that_is_taken_twice_add_up(start):
    flat, vector, _ = start

    def twice(vector):
        first, second = (named_leaves(flat.params(vector))["top/mean"] for _ in range(2))
        return anp.sum(first * first * second)

    expected = 3 * named_leaves(flat.params(vector))["top/mean"] ** 2
    assert np.allclose(
        named_leaves(flat.params(grad(twice)(vector)))["top/mean"], expected, rtol=1e-13
    )


# ---- loss --------------------------------------------------------------------------------------


def test_loss_is_bits_per_dimension(start):
    flat, vector, x = start
    params = flat.params(vector)
    nats = -FLOW.log_prob(params, x).mean() + 16 * np.log(4)  # 16 pixels of 4 levels
    assert np.isclose(mean_bits(FLOW, params, x), nats / (16 * np.log(2)), rtol=1e-13)


def test_evaluation_does_not_depend_on_its_batches(start, monkeypatch):
    flat, vector, _ = start
    params = flat.params(vector)
    whole = evaluate(FLOW, params, TRAIN, np.random.default_rng(0))
    monkeypatch.setattr("cinc_ref.training.loss.EVALUATION_BATCH", 5)
    parts = evaluate(FLOW, params, TRAIN, np.random.default_rng(0))
    assert np.isclose(whole, parts, rtol=1e-12)


def test_loss_and_gradient_keep_float32(start):
    flat, vector, x = start
    vector, x = vector.astype(np.float32), x.astype(np.float32)
    _, gradient = bits_and_gradient(FLOW, flat, vector, x, 0.2, np.random.default_rng(0))
    assert gradient.dtype == np.float32
    assert mean_bits(FLOW, flat.params(vector), x).dtype == np.float32


# ---- dropout -----------------------------------------------------------------------------------


def network(dtype=np.float64, width=64):
    rng = np.random.default_rng(3)
    shapes = {"first": (width, 2, 3, 3), "second": (width, width, 1, 1), "last": (4, width, 3, 3)}
    return {
        name: {"weight": rng.choice([1, 2], shape).astype(dtype), "bias": np.ones(shape[0], dtype)}
        for name, shape in shapes.items()
    }


def unit_factors(before, after):
    """By what the units of both hidden layers are multiplied, from the second layer's weights."""
    factor = (after["second"]["weight"] / before["second"]["weight"])[:, :, 0, 0]
    outputs = after["second"]["bias"] / before["second"]["bias"]
    return factor, outputs


def test_dropout_silences_whole_units_and_scales_the_others():
    params = {"coupling": [network(np.float32)], "taps": np.ones(3, np.float32)}
    dropped = drop_units(params, 0.25, np.random.default_rng(0))
    before, after = params["coupling"][0], dropped["coupling"][0]
    factor, outputs = unit_factors(before, after)
    inputs = factor[outputs > 0][0] / outputs[outputs > 0][0]
    for per_unit in (inputs, outputs):
        assert np.allclose(np.unique(per_unit), [0, 1 / 0.75], rtol=1e-6)
    assert np.allclose(factor, outputs[:, None] * inputs, rtol=1e-6)
    assert after["second"]["weight"].dtype == after["second"]["bias"].dtype == np.float32
    for name in ("first", "last"):
        assert leaves_equal(after[name], before[name])
    assert dropped["taps"] is params["taps"]


def test_dropout_is_that_of_the_hidden_units():
    """The network with changed parameters is the network whose hidden images are multiplied."""
    rng = np.random.default_rng(0)
    params = init_network(rng, 2, 8, 3, np.float64)
    params = rebuild(
        params, (leaf + rng.normal(size=leaf.shape) for leaf in named_leaves(params).values())
    )
    x = rng.normal(size=(3, 2, 5, 4))
    dropped = drop_units(params, 0.4, np.random.default_rng(5))
    factor, outputs = unit_factors(params, dropped)
    inputs = factor[outputs > 0][0] / outputs[outputs > 0][0]
    first, second, last = params["first"], params["second"], params["last"]
    position = same_conv(np.ones((1, 1, 5, 4)), first["border"]) + first["bias"][:, None, None]
    h = np.maximum(same_conv(x, first["weight"]) + position, 0) * inputs[:, None, None]
    h = np.maximum(same_conv(h, second["weight"]) + second["bias"][:, None, None], 0)
    h = same_conv(h * outputs[:, None, None], last["weight"]) + last["bias"][:, None, None]
    assert 0 in inputs and 0 in outputs
    assert np.allclose(apply_network(dropped, x), h, rtol=1e-12, atol=1e-12)


def test_dropout_keeps_the_expected_weights_and_drops_at_its_rate():
    params, rng = network(width=8), np.random.default_rng(0)
    draws = np.array([drop_units(params, 0.3, rng)["second"]["bias"] for _ in range(4000)])
    # a mean of 4,000 draws of m / 0.7 has the standard error sqrt(0.3 / 0.7 / 4000) = 0.010
    assert np.allclose(draws.mean(axis=0) / params["second"]["bias"], 1, atol=0.05)
    assert abs((draws == 0).mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / draws.size)


def test_no_gradient_reaches_a_dropped_unit():
    params = network()
    silent = drop_units(params, 0.5, np.random.default_rng(0))["second"]["bias"] == 0

    def total(params):
        return anp.sum(drop_units(params, 0.5, np.random.default_rng(0))["second"]["weight"] ** 2)

    gradient = grad(total)(params)["second"]["weight"]
    assert not gradient[silent].any() and gradient[~silent].any(axis=1).all()


def test_rate_zero_changes_nothing():
    params = network()
    assert drop_units(params, 0.0, None) is params


# ---- optimizer ---------------------------------------------------------------------------------


def textbook_adam(parameter, gradients, rate):
    """One number at a time, as in algorithm 1 of Kingma and Ba."""
    m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        parameter -= rate * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)) ** 0.5 + 1e-8)
    return parameter


def test_adam_is_the_textbook_algorithm():
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=6), rng.normal(size=(20, 6))
    parameters, moments = start.copy(), np.zeros((2, 6))
    for step, gradient in enumerate(gradients, start=1):
        adam(parameters, gradient, moments, step, 0.1)
    expected = [textbook_adam(p, g, 0.1) for p, g in zip(start, gradients.T, strict=True)]
    assert np.allclose(parameters, expected, rtol=1e-12)


def test_the_first_step_of_adam_has_the_length_of_the_rate():
    parameters = np.zeros(3)
    adam(parameters, np.array([1e-3, -5.0, 1e3]), np.zeros((2, 3)), 1, 0.25)
    assert np.allclose(parameters, [-0.25, 0.25, -0.25], rtol=1e-4)  # epsilon over 1e-3


def textbook_adamax(parameter, gradients, rate, beta1, beta2):
    """Algorithm 2 of Kingma and Ba on one number."""
    m = u = 0.0
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        u = max(beta2 * u, abs(g))
        parameter -= rate / (1 - beta1**t) * m / u
    return parameter


def test_adamax_is_the_textbook_algorithm():
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(20, 5)) * rng.uniform(0.01, 10, 20)[:, None]
    start = rng.normal(size=5)
    parameters, moments = start.copy(), np.zeros((2, 5))
    for step, gradient in enumerate(gradients, start=1):
        adamax(parameters, gradient, moments, step, 0.1, 0.8, 0.7)
    expected = [
        textbook_adamax(p, g, 0.1, 0.8, 0.7) for p, g in zip(start, gradients.T, strict=True)
    ]
    np.testing.assert_allclose(parameters, expected, rtol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_keep_float32_and_survive_a_gradient_of_zero(name):
    parameters, moments = np.ones(3, np.float32), np.zeros((2, 3), np.float32)
    before = parameters
    OPTIMIZERS[name](parameters, np.array([0, 1, -1], np.float32), moments, 1, 0.1, 0.9, 0.0)
    assert parameters is before and parameters.dtype == np.float32
    np.testing.assert_allclose(parameters, [1, 0.9, 1.1], rtol=1e-5)


def test_clipping_bounds_the_norm_and_keeps_the_direction():
    gradient = np.array([3.0, 4.0])
    clip(gradient, norm(gradient), 1.0)
    assert np.allclose(gradient, [0.6, 0.8], rtol=1e-15)
    clip(gradient, norm(gradient), 7.0)
    clip(gradient, norm(gradient), None)
    assert np.allclose(gradient, [0.6, 0.8], rtol=1e-15)


def test_the_norm_of_large_float32_gradients_does_not_overflow():
    assert np.isclose(norm(np.full(4, 1e30, np.float32)), 2e30, rtol=1e-6)


@pytest.mark.parametrize("length", [1, 2**16 - 1, 2**16, 2**16 + 1, 200_000])
def test_every_entry_of_a_gradient_of_any_length_counts_once_in_the_norm(length):
    assert np.isclose(norm(np.ones(length, np.float32)), np.sqrt(length), rtol=1e-12)


def test_the_learning_rate_rises_then_falls_to_zero():
    rates = [learning_rate(2.0, step, 10, step / 100) for step in range(101)]
    assert np.isclose(rates[0], 0.2, rtol=1e-3)  # the cosine is still flat
    assert np.all(np.diff(rates[:10]) > 0) and np.all(np.diff(rates[10:]) < 0)
    assert max(rates) < 2 and rates[-1] == 0
    assert learning_rate(2.0, 0, 0, 0.5) == 1


def test_the_constant_schedule_stays_after_the_warm_up():
    rates = [learning_rate(2.0, step, 10, step / 100, "constant") for step in range(101)]
    np.testing.assert_allclose(rates[:10], np.linspace(0.2, 2, 10))
    assert rates[9:] == [2.0] * 92


def test_the_average_is_a_weighted_mean_of_all_parameters_seen():
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(30, 4))
    average = seen[0].copy()
    weights = np.array([1.0])
    for step in range(1, 30):
        update_average(average, seen[step], 0.8, step)
        decay = min(0.8, (1 + step) / (10 + step))
        weights = np.append(weights * decay, 1 - decay)
    assert np.isclose(weights.sum(), 1) and np.allclose(average, weights @ seen, rtol=1e-12)


# ---- runs --------------------------------------------------------------------------------------


def settings(**options):
    return Settings(**{"steps": 10, "batch_size": 8, "dtype": "float64", **options})


@pytest.mark.parametrize("batch_size", [8, 100])
def test_an_epoch_shows_no_image_twice_and_epochs_differ(batch_size):
    images = np.arange(22).astype(np.uint8).reshape(22, 1, 1, 1)
    batches = Batches(images, 32, settings(batch_size=batch_size))
    per_epoch = 22 // batches.size

    def epoch(number):
        steps = range(number * per_epoch, (number + 1) * per_epoch)
        shown = [batches.batch(step, np.random.default_rng(step)) for step in steps]
        assert all(len(batch) == batches.size for batch in shown)
        return np.floor((np.concatenate(shown).ravel() + 0.5) * 32).tolist()

    first, second = epoch(0), epoch(1)
    assert len(set(first)) == len(first) == per_epoch * batches.size
    assert first != second
    assert first == epoch(0)


def test_flipped_images_are_mirrored_left_to_right_about_half_of_the_time():
    images = np.random.default_rng(0).integers(0, 250, (9, 2, 3, 4)).astype(np.uint8)
    before = images.copy()
    batches = Batches(images, 256, settings(flip=True))
    plain = {image.tobytes() for image in images}
    mirrored = {image[:, :, ::-1].tobytes() for image in images}
    kept = []
    for step in range(12):
        for image in quantize(batches.batch(step, generator(0, STEP, step)), 256):
            assert (image.tobytes() in plain) != (image.tobytes() in mirrored)
            kept.append(image.tobytes() in plain)
    assert 0.3 < np.mean(kept) < 0.7
    assert np.array_equal(images, before)


def test_a_run_from_before_an_option_is_resumed(finished, tmp_path, monkeypatch):
    """The saved settings of older versions lack what was not yet an option."""
    removed = set()

    def write_as_before(path, header, arrays):
        if "run" in header:
            removed.update(LATER_OPTIONS)
            kept = header["run"].items()
            header = {**header, "run": {k: v for k, v in kept if k not in removed}}
        write(path, header, arrays)

    write = npz_file.write
    with monkeypatch.context() as patch:
        patch.setattr(npz_file, "write", write_as_before)
        fit(out=tmp_path)
    assert {"beta1", "beta2", "schedule", "flip"} <= removed
    assert leaves_equal(fit(out=tmp_path, resume=True).params, finished.params)
    with pytest.raises(OptionError, match="was trained with flip False; got True"):
        fit(out=tmp_path, resume=True, flip=True)


def test_the_names_in_a_saved_state_are_those_of_the_format(finished_folder):
    """Runs of other versions hold the same names: neither may be renamed with an attribute."""
    with np.load(finished_folder / "last.npz") as file:
        header = json.loads(file["header"].tobytes())
        arrays = {name for name in file if name.startswith("training/")}
    assert arrays == {"training/parameters", "training/average", "training/moments"}
    assert set(header["counters"]) == {
        "step", "seconds", "best_bits", "best_step", "stale", "loss_sum", "loss_count", "history"
    }  # fmt: skip


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_trains(optimizer):
    result = fit(optimizer=optimizer, steps=30, beta2=0.9, schedule="constant", flip=True)
    assert result.best_bits < result.history[0]["validation"] - 0.05
    assert result.history[-1]["learning_rate"] == OPTIONS["learning_rate"]


def test_every_use_has_random_numbers_of_its_own():
    draws = [
        generator(seed, stream, number).random()
        for seed in range(2)
        for stream in range(4)
        for number in range(3)
    ]
    assert len(set(draws)) == 24


def test_training_lowers_bits_per_dimension(finished):
    assert finished.best_bits < finished.history[0]["validation"] - 0.01
    assert finished.reason == "steps" and finished.step == 8
    assert [row["step"] for row in finished.history] == [0, 3, 6, 8]
    assert finished.history[-1]["train"] < finished.history[0]["train"]


def test_the_result_is_the_best_average_on_validation(finished):
    best = min(finished.history, key=lambda row: row["validation"])
    assert finished.best_bits == best["validation"] and finished.best_step == best["step"]
    noise = np.random.default_rng([0, VALIDATION, 0])
    assert evaluate(FLOW, finished.params, VALIDATE, noise) == finished.best_bits


def test_the_same_seed_gives_the_same_bits_and_another_does_not(finished):
    assert leaves_equal(finished.params, fit().params)
    assert not leaves_equal(finished.params, fit(seed=1).params)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parameters_have_the_dtype_that_was_asked_for(dtype):
    result = fit(steps=2, dtype=np.dtype(dtype))
    assert {leaf.dtype for leaf in named_leaves(result.params).values()} == {np.dtype(dtype)}


def test_stops_when_validation_no_longer_improves():
    result = fit(steps=1000, evaluate_every=1, patience=2, learning_rate=1e-12)
    assert result.reason == "patience" and result.step == result.best_step + 2
    assert "no longer improves" in result.message


def test_stops_when_time_is_up():
    result = fit(steps=None, minutes=0.5 / 60, patience=None)
    assert result.reason == "minutes" and result.seconds >= 0.5
    assert result.history[-1]["step"] == result.step


def test_the_processors_clock_stands_still_while_the_process_waits():
    def wait(state):
        time.sleep(0.3)

    # The last look at the clock comes after two of the three waits.
    assert fit(steps=3, patience=None, clock="wall", progress=wait).seconds >= 0.6
    began = time.process_time()
    seconds = fit(steps=3, patience=None, clock="processor", progress=wait).seconds
    assert 0 < seconds <= time.process_time() - began


def test_a_trainer_makes_the_steps_of_a_run_one_by_one(finished):
    trainer = Trainer(FLOW, TRAIN, VALIDATE, Settings(**OPTIONS))
    trainer.initialize()
    trainer.validate()
    bits = [trainer.step() for _ in range(3)]
    trainer.validate()
    assert trainer.state.history[1]["train"] == sum(bits) / 3
    for row, expected in zip(trainer.state.history, finished.history[:2], strict=True):
        assert {**row, "seconds": 0} == {**expected, "seconds": 0}


def test_a_step_clips_the_gradient():
    settings = Settings(**OPTIONS | {"clip": 1e-3})
    trainer = Trainer(FLOW, TRAIN, VALIDATE, settings)
    trainer.initialize()
    trainer.step()
    first = np.linalg.norm(trainer.state.moments[0]) / (1 - settings.beta1)
    assert np.isclose(first, 1e-3, rtol=1e-4)


@pytest.mark.parametrize("steps, expected", [(None, 0.25), (8, 0.5), (32, 0.25), (3, 1)])
def test_progress_is_the_larger_part_of_steps_and_minutes(steps, expected):
    trainer = Trainer(FLOW, TRAIN, VALIDATE, Settings(**OPTIONS | {"steps": steps, "minutes": 2}))
    trainer.initialize()
    assert trainer.progress == 0
    trainer.state.step, trainer.state.seconds = 4, 30.0
    assert trainer.progress == expected


def test_progress_is_reported_after_every_step():
    reports = []
    fit(progress=reports.append)
    assert [report["step"] for report in reports] == list(range(1, 9))
    assert reports[-1]["fraction"] == 1
    assert all(report["images_per_second"] > 0 for report in reports)


def test_the_bar_shows_bits_and_speed(capsys):
    fit(progress=True)
    shown = capsys.readouterr().err
    assert "step 8" in shown and "bits/dim" in shown and "images/s" in shown and "100%" in shown


# ---- stopping and resuming ---------------------------------------------------------------------


class StopAt:
    """Sends this process a signal after a step."""

    def __init__(self, step, number=signal.SIGINT):
        self.step, self.number = step, number

    def __call__(self, report):
        if report["step"] == self.step:
            os.kill(os.getpid(), self.number)


def child(out, step, number, resume, save_every):
    """What the subprocesses of the tests below run."""
    stop = StopAt(step, getattr(signal, number)) if step else None
    result = fit(out=out, resume=resume, save_every=save_every, progress=stop)
    print(result.message)


def run_child(
    out, step=None, number="SIGINT", resume=False, save_every=1e9, before="", exit_code=0
):
    code = f"{before}\nimport test_training as t; t.child({str(out)!r}, {step}, {number!r}, "
    code += f"{resume}, {save_every})"
    folder = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder.parent), str(folder)])}
    return run_code(code, exit_code=exit_code, env=environment, timeout=120)


def files(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("save_every, expected", [(0.0, [1, 2, 3, 4]), (3600.0, [0, 0, 0, 0])])
def test_a_run_is_saved_as_often_as_was_asked_for(save_every, expected, tmp_path):
    saved = []

    def look(report):
        with np.load(tmp_path / "last.npz") as file:
            saved.append(json.loads(file["header"].tobytes())["counters"]["step"])

    fit(steps=4, evaluate_every=2, save_every=save_every, out=tmp_path, progress=look)
    assert saved == expected


def test_a_finished_run_is_saved_so_that_resuming_it_makes_no_step(tmp_path):
    """A run whose intermediate saves are hours apart."""
    finished = fit(out=tmp_path, save_every=1e9)
    steps = []
    again = fit(out=tmp_path, resume=True, progress=lambda report: steps.append(report["step"]))
    assert steps == [] and again.step == finished.step == OPTIONS["steps"]
    assert leaves_equal(again.params, finished.params)


def test_a_run_stopped_by_ctrl_c_and_then_killed_ends_as_if_it_had_not(finished, tmp_path):
    """Killed after an evaluation, so that best.npz is newer than last.npz."""
    stopped = run_child(tmp_path, step=2)
    assert stopped.stdout.startswith("Interrupted after 2 steps")
    assert "--resume" in stopped.stdout and str(tmp_path) in stopped.stdout
    run_child(tmp_path, step=4, number="SIGKILL", resume=True, exit_code=-signal.SIGKILL)
    result = fit(out=tmp_path, resume=True)
    assert leaves_equal(result.params, finished.params)
    assert leaves_equal(load(tmp_path / "best.npz")[1], finished.params)
    timeless = [
        [{**row, "seconds": None} for row in history]
        for history in (result.history, finished.history)
    ]
    assert timeless[0] == timeless[1]
    assert files(tmp_path) == ["best.npz", "history.json", "last.npz"]


def test_a_run_killed_while_it_saves_ends_as_if_it_had_not(finished, tmp_path):
    die = (
        "import os, signal\n"
        "real, calls = os.replace, []\n"
        "def replace(*names):\n"
        "    calls.append(names)\n"
        "    os.kill(os.getpid(), signal.SIGKILL) if len(calls) == 6 else real(*names)\n"
        "os.replace = replace"
    )
    run_child(tmp_path, save_every=0.0, before=die, exit_code=-signal.SIGKILL)
    assert any(name.endswith(".tmp") for name in files(tmp_path))
    result = fit(out=tmp_path, resume=True)
    assert leaves_equal(result.params, finished.params)
    assert files(tmp_path) == ["best.npz", "history.json", "last.npz"]


def test_resuming_a_finished_run_gives_its_result_again(finished, tmp_path):
    fit(out=tmp_path)
    again = fit(out=tmp_path, resume=True)
    assert again.reason == "steps" and leaves_equal(again.params, finished.params)
    assert len(again.history) == len(finished.history)


def test_patience_counts_on_through_an_interruption(tmp_path):
    options = {"evaluate_every": 1, "patience": 4, "learning_rate": 1e-12, "out": tmp_path}
    stopped = fit(steps=100, progress=StopAt(3), **options)
    assert stopped.reason == "interrupted"
    resumed = fit(steps=100, resume=True, **options)
    assert resumed.reason == "patience" and resumed.step == 4


def test_without_a_folder_an_interrupted_run_says_that_it_is_lost():
    result = fit(progress=StopAt(3))
    assert result.reason == "interrupted" and result.step == 3
    assert "no output folder" in result.message


def test_the_second_ctrl_c_raises_and_the_handler_is_put_back():
    former = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interruptible() as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert interrupt.requested
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is former


def test_training_works_outside_the_main_thread(finished):
    results = []
    thread = threading.Thread(target=lambda: results.append(fit()))
    thread.start()
    thread.join()
    assert leaves_equal(results[0].params, finished.params)


# ---- what is not finite ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["levels/0/1/0/bias", "levels/1/1/1/taps", "top/log_std"])
def test_nan_in_a_parameter_is_named(start, name):
    flat, vector, x = start
    named_leaves(flat.params(vector))[name].flat[-1] = np.nan
    assert first_nonfinite_parameter(FLOW, flat, vector, x, None) == name


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("levels/0/1/0/log_scale", 800.0, "levels/0/1/0/log_scale"),  # exp overflows
        ("levels/1/1/1/log_diagonal", 800.0, "levels/1/1/1/log_diagonal"),
        ("top/log_std", -800.0, "top/log_std"),
    ],
)
def test_the_layer_whose_values_overflow_is_named(start, name, value, expected):
    flat, vector, x = start
    named_leaves(flat.params(vector))[name][...] = value
    assert first_nonfinite_parameter(FLOW, flat, vector, x, None) == expected


def test_the_last_layer_with_a_bad_gradient_is_named(start):
    """The backward pass carries what is not finite from there to all layers before."""
    flat, vector, x = start
    gradient = np.zeros_like(vector)
    name = "levels/0/1/2/0/second/weight"
    stop = flat.slices[list(flat.shapes).index(name)][1]
    gradient[:stop] = np.inf
    assert first_nonfinite_parameter(FLOW, flat, vector, x, gradient) == name


def test_a_finite_state_blames_the_loss(start):
    assert first_nonfinite_parameter(FLOW, *start, None) == "the loss"


def test_a_run_that_diverges_says_where_and_keeps_the_best_model(tmp_path):
    with pytest.raises(NonFiniteError, match=r"in step \d+, beginning at (levels|top)/") as caught:
        fit(learning_rate=1e4, clip=None, evaluate_every=1000, out=tmp_path)
    message = str(caught.value)
    assert str(tmp_path / "best.npz") in message and "learning rate below 10000" in message
    _, params = load(tmp_path / "best.npz")
    assert leaves_equal(params, caught.value.result.params)
    assert caught.value.result.reason == "diverged"
    assert "Not finite" in caught.value.result.message
    assert all(np.isfinite(leaf).all() for leaf in named_leaves(params).values())


def test_the_last_good_state_is_the_one_before_the_bad_step(tmp_path, monkeypatch):
    def broken(flow, flat, *rest):
        bits, gradient = bits_and_gradient(flow, flat, *rest)
        calls.append(1)
        if len(calls) == 6:
            flat.leaves(gradient)[2][...] = np.nan
        return bits, gradient

    calls = []
    monkeypatch.setattr("cinc_ref.training.trainer.bits_and_gradient", broken)
    with pytest.raises(NonFiniteError, match="gradient is not finite in step 6") as caught:
        fit(out=tmp_path)
    assert FlatParams.of(caught.value.result.params).name(2) in str(caught.value)
    monkeypatch.undo()
    assert leaves_equal(fit(out=tmp_path, resume=True).params, fit().params)


def test_a_layer_that_notices_first_leads_to_the_same_error(monkeypatch):
    def refuse(*arguments):
        raise NonFiniteError("kernel must be finite")

    monkeypatch.setattr("cinc_ref.training.trainer.bits_and_gradient", refuse)
    with pytest.raises(NonFiniteError, match=r"loss is not finite in step 1.*`result`"):
        fit()


def test_the_error_keeps_its_result_on_its_way_between_processes(finished):
    for kind in (NonFiniteStep, InverseTooIllConditioned):
        error = pickle.loads(pickle.dumps(kind("message", finished)))
        assert type(error) is kind and str(error) == "message"
        assert leaves_equal(error.result.params, finished.params)


def test_validation_that_is_not_finite_is_an_error(monkeypatch):
    monkeypatch.setattr("cinc_ref.training.trainer.evaluate", lambda *arguments: np.inf)
    with pytest.raises(NonFiniteError, match=r"after step 0.*there is no model yet"):
        fit()


# ---- options -----------------------------------------------------------------------------------


def test_options_have_one_default_in_one_place():
    parameters = inspect.signature(train).parameters
    own = ["flow", "train_images", "validation_images", "out", "resume", "progress", "origin"]
    names = [option.name for option in dataclasses.fields(Settings)]
    assert sorted(parameters) == sorted(own + names)
    for option in dataclasses.fields(Settings):
        assert parameters[option.name].default is option.default
        assert option.metadata["help"].strip()


def test_every_option_is_explained_in_the_order_of_the_signature():
    explained = re.findall(r"^([a-z_0-9, ]+) : ", inspect.getdoc(train), flags=re.MULTILINE)
    explained = [name for names in explained for name in names.split(", ")]
    assert explained == list(inspect.signature(train).parameters)


def test_every_setting_can_be_none_only_if_it_is_optional():
    for option in dataclasses.fields(Settings):
        values = {"minutes": 1.0, "steps": 1, option.name: None}
        if option.metadata.get("optional"):
            assert getattr(Settings(**values), option.name) is None
        else:
            with pytest.raises((OptionError, DtypeError), match=f"{option.name} must be .*None"):
                Settings(**values)


def test_a_run_is_told_from_others_by_what_its_parameters_depend_on():
    """The other options may differ when it is resumed."""
    may_change = {"save_every", "constant_memory", "clock"}
    names = {option.name for option in dataclasses.fields(Settings)}
    assert set(settings().reproducible()) == names - may_change
    assert set(LATER_OPTIONS) < names


# ---- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": None}, "minutes or steps"),
        ({"steps": 0}, "steps must be an integer >= 1; got 0"),
        ({"steps": 1.5}, "steps must be"),
        ({"minutes": 0}, "minutes must be a number > 0; got 0"),
        ({"clock": "sun"}, "clock must be one of wall, processor; got 'sun'"),
        ({"minutes": np.nan}, "minutes must be"),
        ({"seed": -1}, "seed must be an integer >= 0; got -1"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"learning_rate": "fast"}, "learning_rate must be a number > 0; got 'fast'"),
        ({"dropout": 1.0}, "dropout must be a number >= 0 and < 1; got 1.0"),
        ({"polyak": -0.1}, "polyak must be"),
        ({"clip": -1}, "clip must be"),
        ({"patience": True}, "patience must be"),
        ({"optimizer": "sgd"}, "optimizer must be one of adam, adamax; got 'sgd'"),
        ({"schedule": "linear"}, "schedule must be one of cosine, constant; got 'linear'"),
        ({"beta1": 1.0}, "beta1 must be a number >= 0 and < 1; got 1.0"),
        ({"beta2": -0.1}, "beta2 must be a number >= 0 and < 1; got -0.1"),
        ({"flip": "yes"}, "flip must be True or False; got 'yes'"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        fit(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resume": "yes"}, "resume must be True or False; got 'yes'"),
        ({"progress": "bar"}, "progress must be True or False; got 'bar'"),
        ({"save_every": np.nan}, "save_every must be a number >= 0; got nan"),
        ({"evaluate_every": True}, "evaluate_every must be an integer >= 1; got True"),
    ],
)
def test_options_outside_the_arithmetic_are_checked_too(options, message):
    with pytest.raises(OptionError, match=message):
        fit(**options)


@pytest.mark.parametrize("flow", [None, "cinc", FLOW.config()])
def test_what_is_no_flow_is_refused(flow, tmp_path, finished):
    with pytest.raises(OptionError, match=r"flow must be a Flow, .*; got "):
        train(flow, TRAIN, VALIDATE, **OPTIONS)
    with pytest.raises(OptionError, match=r"flow must be a Flow, .*; got "):
        save(tmp_path / "model.npz", flow, finished.params)


def test_other_dtypes_are_refused():
    with pytest.raises(DtypeError, match="float32 or float64; got 'float16'"):
        fit(dtype=np.float16)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (TRAIN[:, :, :2], r"train_images must have shape .*1, 4, 4.*got \(22, 1, 2, 4\)"),
        (TRAIN[:0], "at least one image"),
        (TRAIN + 2, "levels from 0 to 3"),
        (TRAIN / 4, "integers"),
    ],
)
def test_images_that_do_not_fit_are_refused(images, message):
    with pytest.raises(DataError, match=message):
        train(FLOW, images, VALIDATE, **OPTIONS)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*file.*choose another"):
        fit(out=tmp_path / "file" / "run")


def test_a_folder_that_holds_a_run_is_not_overwritten(tmp_path):
    fit(steps=1, out=tmp_path)
    before = (tmp_path / "last.npz").read_bytes()
    with pytest.raises(OutputError, match=r"holds another run .*--resume"):
        fit(out=tmp_path)
    assert (tmp_path / "last.npz").read_bytes() == before


def test_there_must_be_a_run_to_resume(tmp_path):
    with pytest.raises(CheckpointError, match=r"holds no run to resume .*last\.npz"):
        fit(out=tmp_path, resume=True)
    with pytest.raises(OptionError, match="out"):
        fit(resume=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 1}, "seed 0; got 1"),
        ({"learning_rate": 0.02}, "learning_rate 0.01; got 0.02"),
        ({"dtype": "float64"}, "dtype float32; got float64"),
    ],
)
def test_a_run_is_resumed_only_with_its_own_settings(finished_folder, options, message):
    with pytest.raises(OptionError, match=f"was trained with {message}: resume with the same"):
        fit(out=finished_folder, resume=True, **options)


def test_a_run_is_resumed_only_with_its_own_flow_and_images(finished_folder):
    wider = build(**{**FLOW.config(), "width": 5})
    with pytest.raises(OptionError, match="trained with width 4; got 5"):
        train(wider, TRAIN, VALIDATE, out=finished_folder, resume=True, **OPTIONS)
    with pytest.raises(OptionError, match="trained with train_images"):
        train(FLOW, TRAIN[::-1], VALIDATE, out=finished_folder, resume=True, **OPTIONS)


@pytest.fixture(scope="module")
def finished_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    fit(out=folder)
    return folder


def test_a_damaged_state_is_not_resumed(finished_folder, tmp_path):
    content = (finished_folder / "last.npz").read_bytes()
    (tmp_path / "last.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="damaged"):
        fit(out=tmp_path, resume=True)


def test_a_model_is_no_state(finished, tmp_path):
    save(tmp_path / "last.npz", FLOW, finished.params)
    with pytest.raises(CheckpointError, match="not a state"):
        fit(out=tmp_path, resume=True)


def test_every_error_is_one_line(finished_folder):
    for options in ({"out": finished_folder}, {"out": finished_folder, "resume": True, "seed": 3}):
        with pytest.raises(CincError) as caught:
            fit(**options)
        assert "\n" not in str(caught.value)
