"""`check_density` on right densities of many kinds, and on those with planted mistakes."""

import numpy as np
import pytest

from cinc_ref.testing import CheckFailure, check_density
from tests.conftest import INTERPRETED
from tests.support import planted_bugs
from tests.support.densities import LOG_2PI, RIGHT_DENSITIES, cauchy, normal, uniform
from tests.support.layers import small_flow

DRAWS = 20_000
"""The number of samples in tests that need no sharp estimate."""


def log_prob_of_normal(x):
    return -0.5 * np.sum(x**2, axis=1) - x.shape[1] / 2 * LOG_2PI


def caught(make, seed, **options):
    """Return the name of the property that fails."""
    with pytest.raises(CheckFailure) as raised:
        check_density(*make(seed), seed=seed, **options)
    return raised.value.check


@pytest.mark.parametrize("description", planted_bugs.DENSITIES)
def test_gross_mistakes_are_caught(description):
    name, make = planted_bugs.DENSITIES[description]
    for seed in range(5):
        assert caught(make, seed, draws=DRAWS) == name


@pytest.mark.parametrize("description", planted_bugs.SUBTLE_DENSITIES)
def test_subtle_mistakes_are_caught(description):
    """One seed of each: `tools.false_alarms` tries right densities at many."""
    name, make = planted_bugs.SUBTLE_DENSITIES[description]
    assert caught(make, 1) == name


@pytest.mark.parametrize("name", RIGHT_DENSITIES)
def test_right_densities_pass(name):
    for seed in range(2):
        check_density(*RIGHT_DENSITIES[name](seed), seed=seed, draws=DRAWS)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_our_flow_is_the_density_of_its_samples(dtype):
    flow, params, _ = small_flow(0, shape=(1, 2, 2), levels=1, dtype=dtype)
    check_density(
        lambda x: flow.log_prob(params, x),
        lambda rng, n: flow.sample(params, rng, n),
        draws=2000 if INTERPRETED else 20_000,
    )


def test_either_kind_of_sampler():
    generator = np.random.default_rng(0)
    for sample in (
        lambda n: generator.normal(size=(n, 2)),
        lambda rng, n: rng.normal(size=(n, 2)),
        lambda rng, n, scale=1.0: scale * rng.normal(size=(n, 2)),
    ):
        check_density(log_prob_of_normal, sample, draws=DRAWS)


def test_tensors():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    law = torch.distributions.Normal(torch.zeros(3), 2.0)
    torch.manual_seed(0)
    check_density(lambda x: law.log_prob(x).sum(1), lambda n: law.sample((n,)), draws=DRAWS)


def test_large_images_are_not_refused():
    check_density(*normal((3, 32, 32), 0.5, np.float32), draws=DRAWS)


def test_log_prob_that_is_not_finite():
    make = (lambda x: np.inf * x[:, 0], lambda rng, n: rng.normal(size=(n, 2)))
    assert caught(lambda seed: make, 0, draws=DRAWS) == "finite"


def test_samples_that_do_not_fill_the_space():
    make = (log_prob_of_normal, lambda rng, n: rng.normal(size=(n, 1)) * [1, 2])
    with pytest.raises(CheckFailure, match="fill the space"):
        check_density(*make, draws=DRAWS)


def test_samples_that_all_agree():
    make = (log_prob_of_normal, lambda n: np.ones((n, 2)))
    assert caught(lambda seed: make, 0, draws=DRAWS) == "calls_are_independent"


def test_few_draws_are_not_conclusive():
    for draws in (1, 30):
        assert caught(lambda seed: normal((1, 2, 2)), 0, draws=draws) == "conclusive"


def test_an_integral_that_is_not_known_is_not_conclusive():
    """Wrong by a factor of 26, and known to 3 at best."""
    log_prob, sample = normal((1, 2, 2))
    with pytest.raises(CheckFailure, match="integral") as raised:
        check_density(lambda x: log_prob(x) + np.log(26), sample, draws=2000)
    assert raised.value.check == "density_integrates_to_one"
    with pytest.raises(CheckFailure, match="integral") as raised:
        check_density(*cauchy(6), draws=200)
    assert raised.value.check == "conclusive"


def test_samples_converted_from_single_precision_are_distinct_enough():
    sample = lambda rng, n: rng.standard_normal((n, 1), np.float32).astype(float)  # noqa: E731
    check_density(log_prob_of_normal, sample, draws=DRAWS)


def test_scales_may_differ():
    scale = np.array([1e-9, 1.0, 1e6])

    def log_prob(x):
        return log_prob_of_normal(x / scale) - np.log(scale).sum()

    check_density(log_prob, lambda rng, n: scale * rng.normal(size=(n, 3)), draws=DRAWS)


def test_the_argument_of_log_prob_may_be_changed_by_it():
    log_prob, sample = uniform(3)

    def changing(x):
        value = log_prob(x)
        x[:] = 0
        return value

    check_density(changing, sample, draws=DRAWS)
