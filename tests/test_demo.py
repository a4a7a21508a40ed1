"""The demonstration: what it computes and leaves, on a few digits and with a tiny flow."""

import numpy as np
import pytest

import cinc_ref as cr
import cinc_ref.demo
from cinc_ref.demo.convolution import RoundTrip, convolve_and_invert
from cinc_ref.demo.flow import arrange, there_and_back
from cinc_ref.errors import OptionError, OutputError
from cinc_ref.flows import build
from tests.support.commands import assert_one_line_error, few_digits, run, run_with_progress

TINY = {"system": "cinc", "coupling": "quad", "levels": 2, "depth": 1, "width": 4}


@pytest.fixture(autouse=True, scope="module")
def small_scale():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cinc_ref.demo, "digits", lambda: few_digits().train[:10])
        patch.setattr(cinc_ref.demo, "image_set", lambda name: few_digits())
        patch.setattr(cinc_ref.demo.flow, "MODEL", TINY)
        patch.setattr(cinc_ref.demo.flow, "SAMPLES", 10)
        yield


@pytest.fixture(scope="module")
def result(small_scale, tmp_path_factory):
    return cinc_ref.demo.run(tmp_path_factory.mktemp("demo"), steps=2)


def test_the_command_leaves_pictures_model_and_report(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, "demo", "--steps", 1)
    assert code == 0
    files = {path.name for path in (tmp_path / "demo").iterdir()}
    assert files == set(cinc_ref.demo.FILES)
    for text in ("largest error, float32", "largest error, float64", "bits/dim", " ms", *files):
        assert text in out
    report = (tmp_path / "demo" / "report.md").read_text(encoding="utf-8")
    for name in files - {"report.md", "model.npz"}:
        assert f"]({name})" in report
    assert run(capsys, "sample", "demo", "-n", 1)[0] == 0  # finds the model in the folder


def test_an_unwritable_folder_is_one_line(capsys, tmp_path):
    (tmp_path / "file").touch()
    code, _, err = run(capsys, "demo", "--out", tmp_path / "file" / "demo")
    assert code == 1
    assert_one_line_error(err)
    assert "cannot write" in err


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "inverse.png").mkdir()
    with pytest.raises(OutputError, match=r"inverse\.png"):
        cinc_ref.demo.run(tmp_path, steps=1)


def test_it_makes_a_number_of_steps_with_a_limit_of_time(monkeypatch, tmp_path):
    def refuse(images, **options):
        assert options["steps"] == cinc_ref.demo.STEPS
        assert options["minutes"] == cinc_ref.demo.MINUTES
        raise OutputError("enough")

    monkeypatch.setattr(cinc_ref.demo, "train_and_sample", refuse)
    with pytest.raises(OutputError, match="enough"):
        cinc_ref.demo.run(tmp_path)


def test_it_says_what_stopped_the_training(capsys, tmp_path, result):
    assert result.trained.extent.startswith("trained for all 2 steps, ")
    code, out, _ = run(capsys, "demo", "--minutes", 1e-9, "--out", tmp_path)
    assert code == 0
    cut = f"stopped by the limit of time after 0 of {cinc_ref.demo.STEPS:,} steps"
    assert cut in out
    assert cut in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_every_part_is_shown(capsys, tmp_path):
    err = run_with_progress(capsys, "demo", "--steps", 1, "--out", tmp_path)[2]
    for part in ("convolve", "train: 100%, step 1,", "evaluate", "float64", "sample", "pictures"):
        assert part in err


@pytest.mark.parametrize("options", [{"minutes": 0}, {"minutes": "long"}, {"steps": True}])
def test_an_impossible_budget_is_refused_before_anything_is_written(tmp_path, options):
    with pytest.raises(OptionError, match=f"{next(iter(options))} must be"):
        cinc_ref.demo.run(tmp_path / "demo", **options)
    assert not (tmp_path / "demo").exists()


def test_largest_error_is_absolute():
    images = np.zeros((1, 1, 2, 2))
    inverted = np.array([0.25, -0.5, 0, 0]).reshape(images.shape)
    assert RoundTrip(images, images, inverted).largest_error == 0.5


def test_one_convolution_is_inverted_as_exactly_as_the_precision_allows(result):
    inversion = result.inversion
    for trip in inversion.round_trips:
        assert trip.images.dtype == trip.inverted.dtype == np.dtype(trip.dtype)
        # At condition 22 an error is at most about 22 * 16 grey levels * a few eps.
        assert trip.largest_error < 1e4 * np.finfo(trip.dtype).eps
    assert inversion.log_abs_det == pytest.approx(64 * np.log(0.8), rel=1e-12)
    assert inversion.log_abs_det_of_matrix == pytest.approx(64 * np.log(0.8), rel=1e-12)


def test_the_demo_kernel_is_well_conditioned_and_far_from_the_identity():
    inversion = convolve_and_invert(few_digits().train)
    assert inversion.condition_number < 100
    images, convolved = inversion.round_trips[-1].images, inversion.round_trips[-1].convolved
    correlation = np.sum(images * convolved) / np.linalg.norm(images) / np.linalg.norm(convolved)
    assert abs(correlation) < 0.5


def test_the_flow_is_trained_inverted_sampled_and_timed(result):
    trained = result.trained
    assert trained.training.step == 2
    assert 0 < trained.errors["float64"] < 1e-10 < trained.errors["float32"] < 1e-3
    assert trained.samples.shape == (10, 1, 8, 8)
    assert trained.samples.max() <= 16
    assert trained.sampling.minimum > 0
    flow, params = cr.load(next(path for path in result.files if path.suffix == ".npz"))
    assert flow == trained.training.flow
    assert params["top"]["mean"].dtype == np.float32


def test_the_report_quotes_what_was_measured(result):
    report = result.files[0].read_text(encoding="utf-8")
    assert f"{result.trained.errors['float32']:.1e} grey levels" in report
    assert f"{result.trained.test.bits_per_dim:.3f}" in report
    assert f"{1000 * result.trained.sampling.median:.0f} ms" in report


def test_digits_there_and_back(result):
    digits, latents, decoded = there_and_back(result.trained, 3)
    assert digits.shape == latents.shape == decoded.shape == (3, 1, 8, 8)
    assert np.array_equal(np.floor(digits), few_digits().test[:3])
    assert np.abs(digits - decoded).max() < 1e-3  # float32, 17 grey levels


def test_arranged_latents_are_the_image_if_the_flow_does_nothing():
    """With one level and no steps but identities, latents are the squeezed image."""
    flow = build("cinc", "affine", (1, 8, 8), levels=2, depth=1, width=4)
    numbers = np.arange(64.0).reshape(1, 1, 8, 8)
    x, _ = flow.chains[0].layers[0].forward({}, numbers)
    kept, leaving = x[:, :2], x[:, 2:]
    top, _ = flow.chains[1].layers[0].forward({}, kept)
    assert np.array_equal(arrange((leaving, top)), numbers)


def test_a_demonstration_and_a_run_do_not_overwrite_each_other(tmp_path):
    (tmp_path / "last.npz").touch()
    with pytest.raises(OutputError, match="holds a training run"):
        cinc_ref.demo.run(tmp_path, steps=1)
    (tmp_path / "last.npz").rename(tmp_path / "model.npz")
    images = np.zeros((4, 1, 4, 4), int)
    flow = cr.flows.build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=2, bins=2)
    with pytest.raises(OutputError, match=r"another run \(model\.npz\); choose another"):
        cr.train(flow, images, images, steps=1, out=tmp_path)
