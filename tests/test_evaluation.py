"""Judging and sampling a model: means over noise, errors in grey levels, files."""

import numpy as np
import pytest

from cinc_ref.errors import DataError, OptionError, OutputError
from cinc_ref.evaluation import cast, evaluate, inversion_error
from cinc_ref.flows import build, dequantize, quantize
from cinc_ref.sampling import sample_to_file

FLOW = build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=4, bins=4)
IMAGES = np.random.default_rng(0).integers(4, size=(9, 1, 4, 4))


def params(dtype=np.float64):
    rng = np.random.default_rng(1)
    return FLOW.init(rng, dequantize(IMAGES, 4, rng, dtype))


def test_evaluate_averages_over_draws_of_noise():
    found = evaluate(FLOW, params(), IMAGES, draws=4, seed=5)
    generators = [np.random.default_rng([5, draw]) for draw in range(4)]
    means = [FLOW.bits_per_dim(params(), IMAGES, rng).mean() for rng in generators]
    assert found.bits_per_dim == pytest.approx(np.mean(means), rel=1e-12)
    assert found.standard_deviation == pytest.approx(np.std(means, ddof=1), rel=1e-9)
    assert (found.images, found.draws) == (9, 4)
    assert found.seconds > 0


def test_one_draw_has_no_deviation():
    assert evaluate(FLOW, params(), IMAGES, draws=1).standard_deviation == 0


def test_the_inversion_error_is_in_grey_levels(monkeypatch):
    """A decoder that is off by 0.1, in units in which a level is 1/4, is off by 0.4 levels."""
    former = type(FLOW).decode
    monkeypatch.setattr(type(FLOW), "decode", lambda *args: former(*args) - 0.1)
    assert inversion_error(FLOW, params(), IMAGES) == pytest.approx(0.4, abs=1e-9)


def test_the_inversion_error_follows_the_precision():
    single, double = params(np.float32), cast(params(np.float32), np.float64)
    # Two scales between which 16 channels of a well-conditioned flow cannot be mistaken.
    assert inversion_error(FLOW, double, IMAGES) < 1e-11
    assert 1e-9 < inversion_error(FLOW, single, IMAGES) < 1e-3


def test_many_images_are_judged_in_batches(monkeypatch):
    whole = inversion_error(FLOW, params(), IMAGES)
    monkeypatch.setattr("cinc_ref.evaluation.EVALUATION_BATCH", 4)
    assert inversion_error(FLOW, params(), IMAGES) == pytest.approx(whole, rel=1, abs=1e-15)


def test_nonsense_is_refused():
    with pytest.raises(DataError, match="at least one"):
        evaluate(FLOW, params(), IMAGES[:0])
    with pytest.raises(DataError, match=r"\(1, 4, 4\).*\(9, 4, 4\)"):
        evaluate(FLOW, params(), IMAGES[:, 0])
    with pytest.raises(DataError, match="bins"):
        evaluate(FLOW, params(), IMAGES + 1)
    for options in ({"draws": 0}, {"seed": -1}):
        with pytest.raises(OptionError, match=next(iter(options))):
            evaluate(FLOW, params(), IMAGES, **options)


def test_quantize_undoes_dequantize():
    levels = np.arange(17)
    x = dequantize(levels, 17, np.random.default_rng(0))
    assert np.array_equal(quantize(x, 17), levels)
    assert quantize(x, 300).dtype == np.uint16


def test_samples_are_a_function_of_the_seed(tmp_path):
    first, again, other = (
        sample_to_file(tmp_path / "a.npy", FLOW, params(), 20, temperature=1.0, seed=seed)
        for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_upper_case_ending_is_kept(tmp_path):
    images = sample_to_file(tmp_path / "A.NPY", FLOW, params(), 2)
    assert np.array_equal(np.load(tmp_path / "A.NPY"), images)


@pytest.mark.parametrize("options", [{"count": 0}, {"temperature": -1.0}, {"temperature": np.nan}])
def test_samples_of_nonsense_are_refused(tmp_path, options):
    with pytest.raises(OptionError, match=next(iter(options))):
        sample_to_file(tmp_path / "a.npy", FLOW, params(), **{"count": 1, **options})


def test_a_folder_in_the_way_is_named(tmp_path):
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*a\.npz"):
        sample_to_file(tmp_path / "a.npz", FLOW, params(), 1)
