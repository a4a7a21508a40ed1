"""Interpolation: it starts and ends at the given images and is straight in the latents."""

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref.data import IMAGE_SETS
from cinc_ref.errors import CincError, OptionError, ShapeError
from cinc_ref.flows import SYSTEMS, temperature_sweep
from cinc_ref.plots import image_table
from tests.support.commands import assert_one_line_error, few_digits, run
from tests.support.registry import perturbed


def _flow(system="cinc", shape=(1, 4, 8), levels=2, bins=17):
    flow = cr.flows.build(system, "affine", shape, levels, 1, 4, bins)
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (6, *shape))
    return flow, perturbed(flow.init(np.random.default_rng(0), x), 0.1), x


@pytest.mark.parametrize("system", SYSTEMS)
def test_interpolation_goes_from_a_to_b_along_a_line_of_latents(system):
    flow, params, x = _flow(system)
    way = cr.interpolate(flow, params, x[:3], x[3:], 5)
    assert way.shape == (5, 3, 1, 4, 8)
    np.testing.assert_allclose(way[0], x[:3], atol=1e-9)
    np.testing.assert_allclose(way[-1], x[3:], atol=1e-9)
    ends = flow.encode(params, x[:3]), flow.encode(params, x[3:])
    for k in range(5):
        for z, a, b in zip(flow.encode(params, way[k]), *ends, strict=True):
            np.testing.assert_allclose(z, a + (b - a) * k / 4, atol=1e-9)


def test_one_pair_and_float32():
    flow, params, x = _flow()
    whole = cr.interpolate(flow, params, x[:1], x[1:2], 4)
    one = cr.interpolate(flow, params, x[0], x[1], 4)
    assert one.shape == (4, 1, 4, 8)
    np.testing.assert_array_equal(one, whole[:, 0])
    single = cr.evaluation.cast(params, np.float32)
    way = cr.interpolate(flow, single, *x[:2].astype(np.float32), 3)
    assert way.dtype == np.float32
    np.testing.assert_allclose(way[0], x[0], atol=1e-4)


def test_a_sweep_scales_the_same_latents():
    flow, params, _ = _flow()
    images = temperature_sweep(flow, params, np.random.default_rng(3), 4, [0, 0.5, 2])
    assert images.shape == (3, 4, 1, 4, 8)
    assert np.ptp(images[0], axis=0).max() < 1e-12
    half, double = (flow.encode(params, part) for part in images[1:])
    for z, four_times in zip(half, double, strict=True):
        np.testing.assert_allclose(4 * z, four_times, atol=1e-8)
    assert np.std(np.concatenate([z.ravel() for z in half])) == pytest.approx(0.5, rel=0.2)


@pytest.mark.parametrize("steps", [1, 2.5, True])
def test_too_few_steps(steps):
    flow, params, x = _flow()
    with pytest.raises(OptionError, match="steps must be an integer >= 2"):
        cr.interpolate(flow, params, x[0], x[1], steps)


def test_images_that_do_not_fit():
    flow, params, x = _flow()
    with pytest.raises(ShapeError, match=r"one shape.*\(1, 4, 8\) and \(2, 1, 4, 8\)"):
        cr.interpolate(flow, params, x[0], x[1:3], 3)
    with pytest.raises(ShapeError, match="one shape"):
        cr.interpolate(flow, params, x[0, 0], x[1, 0], 3)
    with pytest.raises(CincError, match="for this model"):
        cr.interpolate(flow, params, x[0, :, :2], x[1, :, :2], 3)


@pytest.mark.parametrize("temperatures", [[], [-1], [np.nan], 1.0, [[1]]])
def test_temperatures_that_cannot_be(temperatures):
    flow, params, _ = _flow()
    with pytest.raises(OptionError, match="temperatures must be"):
        temperature_sweep(flow, params, np.random.default_rng(0), 1, temperatures)


def test_an_image_table_needs_a_heading_a_column():
    with pytest.raises(ShapeError, match="one heading a column"):
        image_table(np.zeros((2, 3, 1, 4, 4)), ["only one"])
    figure = image_table(np.zeros((2, 3, 3, 10, 20)), "abc")
    assert figure.axes[0].images[0].get_array().shape[:2] == (22, 64)
    middles = figure.axes[0].get_xticks()
    np.testing.assert_allclose(middles, [9.5, 31.5, 53.5])


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.setitem(IMAGE_SETS, "digits", few_digits)
    flow, params, _ = _flow(shape=(1, 8, 8))
    cr.save(tmp_path / "model.npz", flow, params)
    return tmp_path / "model.npz"


def test_the_command_draws_both_pictures(capsys, model, tmp_path):
    pictures = tmp_path / "way.png", tmp_path / "sweep.png"
    options = ("--pairs", 2, "--steps", 4, "--out", pictures[0], "--sweep", pictures[1])
    code, out, err = run(capsys, "interpolate", model, *options, "--temperatures", "0,1")
    assert (code, err) == (0, "")
    for picture in pictures:
        assert f"wrote {picture}" in out
        assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "options, expected, message",
    [
        (("--pairs", 4), 2, "pairs must be at most 3 for digits; got 4"),
        (("--pairs", 2, "--sweep", "s.png", "--temperatures", "hot"), 2, "got 'hot'"),
        (("--pairs", 2, "--out", "no/such/folder/way.png"), 1, "cannot write"),
    ],
)
def test_wrong_interpolations_give_one_line(
    capsys, model, tmp_path, monkeypatch, options, expected, message
):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "interpolate", model, *options)
    assert code == expected
    assert_one_line_error(err)
    assert message in err
