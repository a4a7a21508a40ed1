"""The estimator of scikit-learn: its conventions, the units of its densities, images as rows."""

import pickle

import numpy as np
import pytest

from cinc_ref.errors import OptionError
from tests.support.checkout import ROOT

pytest.importorskip("sklearn", minversion="1.6", reason='pip install ".[sklearn]"')

from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from cinc_ref.sklearn import EXPECTED_FAILED_CHECKS, FlowDensity
from tests.support.processes import run_code

TINY = {"depth": 1, "width": 2, "steps": 2, "batch_size": 16, "random_state": 0}


class Tiled(FlowDensity):
    """The estimator for any number of features, which are repeated until they are an image."""

    def _image_shape(self, features):
        return (1, 2, 2 * -(-features // 4))

    def _unit(self, X):
        u = super()._unit(X)
        return u[:, np.arange(np.prod(self.flow_.image_shape)) % u.shape[1]]


@parametrize_with_checks(
    [FlowDensity(**TINY)], expected_failed_checks=lambda estimator: EXPECTED_FAILED_CHECKS
)
def test_the_estimator_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@parametrize_with_checks([Tiled(**TINY)])
def test_all_of_them_where_the_features_are_an_image(estimator, check):
    """So that the number of features is the only reason for what is expected to fail."""
    check(estimator)


def test_each_expected_failure_is_one_of_features():
    from sklearn.utils.estimator_checks import check_estimator

    results = check_estimator(FlowDensity(**TINY), on_skip=None, on_fail=None)
    failed = {r["check_name"]: str(r["exception"]) for r in results if r["status"] == "failed"}
    assert failed.keys() == EXPECTED_FAILED_CHECKS.keys()
    assert all("shape must be given" in message for message in failed.values())


# ---- the density ---------------------------------------------------------------------------------


def smooth(rng, count):
    """Draw images 2x2 whose pixels are correlated, around 10."""
    return 10 + rng.normal(size=(count, 1)) + 0.5 * rng.normal(size=(count, 4))


@pytest.fixture(scope="module")
def fitted():
    X = smooth(np.random.default_rng(0), 400)
    return FlowDensity(**TINY | {"steps": 20, "width": 4}).fit(X), X


def test_the_density_integrates_to_one(fitted):
    """By importance sampling: 20,000 draws of a wide normal, whose weights vary little."""
    density, X = fitted
    rng, center, covariance = np.random.default_rng(1), X.mean(0), 2.0 * np.cov(X.T)
    draws = rng.multivariate_normal(center, covariance, 20_000)
    distance = np.einsum("ni,ij,nj->n", draws - center, np.linalg.inv(covariance), draws - center)
    log_q = -0.5 * (distance + np.linalg.slogdet(2 * np.pi * covariance)[1])
    weights = np.exp(density.score_samples(draws) - log_q)
    error = weights.std() / len(weights) ** 0.5
    assert error < 0.05
    assert weights.mean() == pytest.approx(1, abs=5 * error)


def test_units_are_those_of_the_features(fitted):
    density, X = fitted
    scaled = clone(density).fit(1000 * X - 7)
    expected = density.score_samples(X) - 4 * np.log(1000)
    # a value that rounds to another bin changes the training a little
    np.testing.assert_allclose(scaled.score_samples(1000 * X - 7), expected, atol=0.02)
    draws, other = density.sample(50, random_state=3), scaled.sample(50, random_state=3)
    np.testing.assert_allclose((other + 7) / 1000, draws, atol=0.02)


def test_samples_have_the_moments_of_their_density(fitted):
    density, X = fitted
    draws = density.sample(4000, random_state=0)
    assert draws.shape == (4000, 4)
    assert np.abs(draws.mean(0) - X.mean(0)).max() < 0.3 * X.std()
    assert np.array_equal(draws, density.sample(4000, random_state=0))
    assert not np.array_equal(draws, density.sample(4000, random_state=1))


def test_levels_are_the_middles_of_bins(fitted):
    X = np.clip(np.floor(smooth(np.random.default_rng(0), 300)) - 6, 0, 7)
    density = clone(fitted[0]).set_params(bins=8).fit(X)
    assert (density.low_, density.high_) == (-0.5, 7.5)
    u = ((X + 0.5) / 8 - 0.5).reshape(-1, 1, 2, 2)
    expected = density.flow_.log_prob(density.params_, u) - 4 * np.log(8)
    np.testing.assert_allclose(density.score_samples(X), expected, rtol=1e-12)
    draws = density.sample(200, random_state=0)
    assert np.array_equal(draws, np.floor(draws)) and draws.min() >= 0 and draws.max() <= 7
    bits = density.bits_per_dim(X)
    assert bits.shape == (300,)
    assert np.array_equal(bits, density.bits_per_dim(X))
    # a flow after 20 steps is smooth: the mean over a bin is about the value at its middle
    assert bits.mean() == pytest.approx(-density.score(X) / (4 * np.log(2)), abs=0.15)


@pytest.mark.parametrize("value", [-1, 8, 2.5])
def test_what_is_no_level_is_refused(value):
    X = np.random.default_rng(0).integers(0, 8, (20, 4)).astype(float)
    X[3, 1] = value
    with pytest.raises(OptionError, match=r"X must hold levels from 0 to 7 .*leave out bins"):
        FlowDensity(**TINY, bins=8).fit(X)


def test_the_flow_learns():
    X = smooth(np.random.default_rng(0), 600)
    few, many = (
        FlowDensity(**TINY | {"steps": steps, "width": 8, "depth": 2}).fit(X[:500]).score(X[500:])
        for steps in (1, 80)
    )
    assert many > few + 0.3


def test_a_density_is_that_of_images_one_by_one(fitted):
    density, X = fitted
    np.testing.assert_allclose(density.score_samples(X[7:8]), density.score_samples(X)[7:8])
    assert density.score(X) == pytest.approx(density.score_samples(X).mean())


# ---- scikit-learn's tools ------------------------------------------------------------------------


def test_it_is_repeatable_cloned_and_pickled(fitted):
    density, X = fitted
    again = clone(density).fit(X)
    assert np.array_equal(again.score_samples(X), density.score_samples(X))
    assert np.array_equal(
        pickle.loads(pickle.dumps(density)).score_samples(X), density.score_samples(X)
    )
    other = clone(density).set_params(random_state=np.random.RandomState(5)).fit(X)
    assert not np.array_equal(other.score_samples(X), density.score_samples(X))


def test_it_works_in_pipelines_and_searches():
    X = load_digits().data[:60]
    pipeline = make_pipeline(MinMaxScaler(), FlowDensity(**TINY))
    scores = cross_val_score(pipeline, X, cv=3)
    assert scores.shape == (3,) and np.isfinite(scores).all()
    search = GridSearchCV(pipeline, {"flowdensity__width": [2, 3]}, cv=2).fit(X)
    assert search.best_estimator_[-1].flow_.width == search.best_params_["flowdensity__width"]
    assert search.best_estimator_.score_samples(X).shape == (60,)


@pytest.mark.parametrize(
    "features, shape, expected, levels",
    [
        (64, None, (1, 8, 8), 2),
        (4, None, (1, 2, 2), 1),
        (36, None, (1, 6, 6), 1),
        (24, (3, 2, 4), (3, 2, 4), 1),
        (48, np.array([3, 4, 4]), (3, 4, 4), 2),
    ],
)
def test_rows_are_images(features, shape, expected, levels):
    X = np.random.default_rng(0).normal(size=(20, features))
    density = FlowDensity(shape, **TINY).fit(X)
    assert (density.flow_.image_shape, density.flow_.levels) == (expected, levels)
    assert density.sample(2).shape == (2, features)


@pytest.mark.parametrize(
    "features, shape, message",
    [
        (12, None, "shape must be given"),
        (9, None, "square of even side; got 9"),
        (12, (3, 2, 4), "with the 12 feature"),
        (12, (12,), "shape must be"),
        (12, "3x2x2", "shape must be"),
        (9, (1, 3, 3), "divisible by 2"),
    ],
)
def test_other_rows_are_refused(features, shape, message):
    X = np.random.default_rng(0).normal(size=(20, features))
    with pytest.raises(ValueError, match=message):
        FlowDensity(shape, **TINY).fit(X)


@pytest.mark.parametrize(
    "option, value",
    [
        ("bins", 0),
        ("system", "resnet"),
        ("depth", 0),
        ("steps", None),
        ("validation_fraction", 1.0),
        ("learning_rate", -1.0),
        ("stable", 1),
    ],
)
def test_impossible_options_are_found_in_fit(option, value):
    X = np.zeros((20, 4))
    with pytest.raises(OptionError, match=option):
        FlowDensity(**TINY | {option: value}).fit(X)


def test_equal_features_have_a_density():
    density = FlowDensity(**TINY).fit(np.full((20, 4), 3.0))
    assert np.isfinite(density.score_samples(np.full((2, 4), 3.0))).all()
    assert (density.low_, density.high_) == (2.5, 3.5)


def test_without_scikit_learn_the_extra_is_named():
    code = "import sys; sys.modules['sklearn'] = None; import cinc_ref.sklearn"
    result = run_code(code, exit_code=1, cwd=ROOT)
    assert 'sklearn is not installed; pip install ".[sklearn]" in the checkout' in result.stderr
