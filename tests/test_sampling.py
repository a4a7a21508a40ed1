"""Samples of a model: the time they took, draws that are lost, and files that cannot be written."""

import os
import sys
import time
import warnings

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref import sampling
from cinc_ref.cli._common import COMPILING
from cinc_ref.errors import IllConditionedWarning, NonFiniteError, OutputError
from cinc_ref.flows import quantize
from cinc_ref.flows.sampler import Sampler
from cinc_ref.sampling import draw, sample_to_file, write
from tests.support.commands import assert_one_line_error, run
from tests.support.processes import run_module


@pytest.fixture(scope="module")
def model():
    flow = cr.flows.build("cinc", "affine", (1, 8, 8), levels=2, depth=1, width=4, bins=17)
    images = np.random.default_rng(0).uniform(-0.5, 0.5, (8, 1, 8, 8)).astype(np.float32)
    return flow, flow.init(0, images)


@pytest.fixture
def file(model, tmp_path):
    cr.save(tmp_path / "model.npz", *model)
    return tmp_path / "model.npz"


def overflowing(params):
    """Return finite parameters whose activation normalization overflows in the inverse."""
    leaf = params["levels"][0][1][0]["log_scale"]
    steps = [list(level) for level in params["levels"]]
    steps[0][1] = [{**params["levels"][0][1][0], "log_scale": leaf - 200}, *steps[0][1][1:]]
    return {**params, "levels": steps}


def test_draw_gives_the_samples_of_the_flow(model):
    flow, params = model
    samples = draw(flow, params, 5, temperature=0.7, seed=3)
    expected = flow.sample(params, np.random.default_rng(3), 5, 0.7)
    assert np.array_equal(samples.samples, expected)
    assert np.array_equal(samples.images, quantize(expected, 17))
    assert len(repr(samples)) < 200 and "5 images of shape (1, 8, 8)" in repr(samples)


def test_the_seconds_are_those_of_one_draw_without_what_comes_first(model, monkeypatch):
    """As if the first call had to compile for half a second."""
    calls = []

    def slow_at_first(sampler, rng, n, temperature=1.0):
        calls.append(n)
        time.sleep(0.5 if len(calls) == 1 else 0.05)
        return drawn(sampler, rng, n, temperature)

    drawn = Sampler.draw
    monkeypatch.setattr(Sampler, "draw", slow_at_first)
    samples = draw(*model, 200)
    assert 0.05 <= samples.seconds < 0.5
    assert samples.images_per_second == pytest.approx(200 / samples.seconds)
    assert calls[0] < 200 and calls[1:] == [200]


def test_the_command_prints_seconds_and_images_a_second(capsys, file, tmp_path):
    code, out, err = run(capsys, "sample", file, "-n", 7, "--out", tmp_path / "s.npy")
    assert (code, err) == (0, "")
    first, second = out.splitlines()
    assert first.startswith(f"wrote {tmp_path / 's.npy'}: 7 images")
    words = second.split()
    seconds, rate = float(words[2]), float(words[4].replace(",", ""))
    assert rate == pytest.approx(7 / seconds, rel=0.02)
    assert second.endswith("images a second (without compilation)")


@pytest.mark.parametrize("lost", [1, 3])
def test_lost_draws_are_counted_and_nothing_is_written(capsys, monkeypatch, file, tmp_path, lost):
    def lose(sampler, rng, n, temperature=1.0):
        x = drawn(sampler, rng, n, temperature)
        x[:lost, 0, 2, 2] = np.nan if lost > 1 else np.inf
        return x

    drawn = Sampler.draw
    monkeypatch.setattr(Sampler, "draw", lose)
    for name in ("s.png", "s.npy", "s.npz"):
        code, out, err = run(capsys, "sample", file, "-n", 6, "--out", tmp_path / name)
        assert (code, out) == (1, "")
        assert_one_line_error(err)
        assert f"{lost} of 6" in err and "temperature" in err
        assert not (tmp_path / name).exists()


def test_samples_that_overflow_are_an_error_with_the_layer_and_no_warning(model):
    flow, params = model
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(NonFiniteError, match=r"4 of 4 .*level 1, step 1, ActNorm"):
            draw(flow, overflowing(params), 4)


def test_interpolations_that_overflow_are_an_error(capsys, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flow, params = model
    cr.save("model.npz", flow, overflowing(params))
    with pytest.warns(IllConditionedWarning, match="ActNorm"):
        code, out, err = run(capsys, "interpolate", "model.npz", "--pairs", 2, "--steps", 3)
    assert (code, out) == (1, "")
    assert "of 6 are not" in err
    assert not (tmp_path / "interpolation.png").exists()


def test_a_warning_is_one_sentence_without_code(model, tmp_path):
    cr.save(tmp_path / "model.npz", model[0], overflowing(model[1]))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    result = run_module("cinc_ref", "evaluate", "model.npz", cwd=tmp_path, env=environment)
    lines = result.stderr.splitlines()
    assert lines and any("ActNorm is not finite" in line for line in lines)
    others = [line for line in lines if line != COMPILING and not line.startswith("[")]  # progress
    assert all(line.startswith("warning: ") for line in others)


def test_warnings_of_samples_that_are_whole_are_given_on(model, monkeypatch):
    def warn(sampler, rng, n, temperature=1.0):
        warnings.warn(IllConditionedWarning("few digits"), stacklevel=2)
        return drawn(sampler, rng, n, temperature)

    drawn = Sampler.draw
    monkeypatch.setattr(Sampler, "draw", warn)
    with pytest.warns(IllConditionedWarning, match="few digits") as caught:
        draw(*model, 4)
    assert len(caught) == 1


@pytest.mark.parametrize("command", ["sample", "evaluate"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_model_with_lost_parameters_is_one_line(capsys, file, monkeypatch, command, value):
    with np.load(file) as arrays:
        content = dict(arrays)
    content["params/top/mean"][...] = value
    with open(file, "wb") as handle:
        np.savez(handle, **content)
    code, out, err = run(capsys, command, file)
    assert (code, out) == (1, "")
    assert_one_line_error(err)
    assert "top/mean" in err and "finite" in err


def test_a_missing_folder_is_found_before_anything_is_drawn(model, monkeypatch, tmp_path):
    monkeypatch.setattr(sampling, "draw", None)
    with pytest.raises(OutputError, match="there is no folder"):
        sample_to_file(tmp_path / "missing" / "s.npy", *model, 3)
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(OutputError, match="it is a folder"):
        sample_to_file(tmp_path / "folder.npy", *model, 3)


def test_write_takes_the_samples_of_draw(model, tmp_path):
    samples = draw(*model, 3)
    write(tmp_path / "s.npz", samples)
    with np.load(tmp_path / "s.npz") as arrays:
        assert np.array_equal(arrays["images"], samples.images)
        assert np.array_equal(arrays["samples"], samples.samples)
