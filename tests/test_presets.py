"""The trainings of the paper: their settings, a step of each, and what the whole would take."""

import inspect
import tracemalloc

import numpy as np
import pytest

from cinc_ref.data import IMAGE_SETS
from cinc_ref.errors import OptionError
from cinc_ref.flows import Flow, build
from cinc_ref.training import train
from cinc_ref.training.duration import duration
from cinc_ref.training.estimate import estimate, step_seconds
from cinc_ref.training.presets import PRESETS, preset

SIZES = {  # as the released settings have them: side, levels, depth, batch
    "paper-cifar10": (32, 3, 32, 64),
    "paper-imagenet32": (32, 3, 48, 64),
    "paper-imagenet64": (64, 4, 48, 16),
    "paper-galaxy": (32, 3, 32, 64),
}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_have_the_released_settings(name):
    side, levels, depth, batch = SIZES[name]
    found = preset(name)
    flow = build(image_shape=(3, side, side), **found.model)
    assert (flow.levels, flow.depth, flow.width) == (levels, depth, 512)
    assert (flow.system, flow.coupling, flow.bins) == ("cinc", "quad", 256)
    assert found.data in IMAGE_SETS
    options = found.training(50_000)
    epoch = 50_000 // batch
    expected = {"optimizer": "adamax", "learning_rate": 0.001, "beta1": 0.9, "batch_size": batch}
    expected |= {"beta2": 1 - 1 / epoch, "warmup": 10 * epoch, "polyak": 1 - 1 / epoch}
    expected |= {"steps": 4001 * epoch, "constant_memory": False}
    assert {key: options[key] for key in expected} == expected
    assert set(options) <= set(inspect.signature(train).parameters)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_make_a_step_at_a_smaller_width_and_reckon(name):
    side = 16
    found = preset(name)
    small = {"depth": 1, "width": 4}
    flow = build(image_shape=(3, side, side), **found.model | small)
    images = np.random.default_rng(0).integers(256, size=(8, 3, side, side)).astype(np.uint8)
    options = found.training(len(images), batch_size=4)
    result = estimate(flow, images, **options)
    assert result.steps == 4001 * 2
    assert 0 < result.step_seconds < 60
    assert result.seconds == result.steps * result.step_seconds
    assert np.isfinite(result.bits)
    assert f"{result.steps:,} steps" in str(result)


@pytest.mark.parametrize("repeat", [1, 3])
def test_steps_are_timed_without_a_budget(repeat):
    flow = build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=4, bins=4)
    images = np.random.default_rng(0).integers(4, size=(8, 1, 4, 4))
    seconds, bits = step_seconds(flow, images, repeat=repeat, batch_size=4)
    assert len(seconds) == repeat and all(0 < value < 60 for value in seconds)
    assert np.isfinite(bits)


@pytest.mark.parametrize("wanted", [True, False])
def test_the_steps_of_an_estimate_rebuild_their_inputs_if_wanted(monkeypatch, wanted):
    seen = []

    def log_prob(self, params, x, *, constant_memory=False):
        seen.append(constant_memory)
        return plain(self, params, x, constant_memory=constant_memory)

    plain = Flow.log_prob
    monkeypatch.setattr(Flow, "log_prob", log_prob)
    small = {"depth": 1, "width": 4, "levels": 1}
    flow = build(image_shape=(3, 4, 4), **preset("paper-cifar10").model | small)
    images = np.random.default_rng(0).integers(256, size=(4, 3, 4, 4)).astype(np.uint8)
    estimate(flow, images, **preset("paper-cifar10").training(4) | {"constant_memory": wanted})
    assert seen == [wanted] * 3


def peak_of_an_estimate(depth, constant_memory):
    """Most bytes that it held, all arrays included."""
    found = preset("paper-cifar10")
    small = {"depth": depth, "width": 8, "levels": 1}
    flow = build(image_shape=(3, 16, 16), **found.model | small)
    images = np.random.default_rng(0).integers(256, size=(128, 3, 16, 16)).astype(np.uint8)
    options = found.training(len(images), batch_size=128) | {"constant_memory": constant_memory}
    estimate(flow, images, **options)  # compiles
    tracemalloc.start()
    estimate(flow, images, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_constant_memory_is_that_of_an_estimate_too(interpreted):
    if interpreted:
        pytest.skip("so many images through ten steps take minutes without the compiler")
    # What grows is the state of the training: parameters, their average, moments and gradient,
    # 1.2 times in all; with stored inputs it is 3.4 times, and 3.2 times as much at this depth.
    deep = peak_of_an_estimate(10, constant_memory=True)
    assert deep < 1.4 * peak_of_an_estimate(2, constant_memory=True)
    assert deep < 0.5 * peak_of_an_estimate(10, constant_memory=False)


@pytest.mark.parametrize(
    "seconds, text",
    [(0.4, "0.4 seconds"), (1, "1 seconds"), (59, "59 seconds"), (60, "1 minutes"),
     (90, "1.5 minutes"), (3600, "1 hours"), (7200, "2 hours"), (86_400, "1 days"),
     (86_400 * 40, "40 days"), (3.15576e7, "1 years"), (3.15576e7 * 1234.5, "1,234.5 years")],
)  # fmt: skip
def test_durations_are_told_in_the_unit_that_suits_them(seconds, text):
    assert duration(seconds) == text


def test_an_unknown_preset_lists_the_known_ones():
    with pytest.raises(OptionError, match=r"one of paper-cifar10.*got 'paper'"):
        preset("paper")
