"""Right densities with samplers, as pairs (log_prob, sample) of a seed, for `check_density`."""

import numpy as np
from scipy import stats

from tests.support.layers import density

LOG_2PI = np.log(2 * np.pi)


def normal(shape, scale=1.0, dtype=np.float64):
    """Make a normal density of images of a shape."""

    def log_prob(x):
        z = x.reshape(len(x), -1) / scale
        return -0.5 * np.sum(z**2, axis=1) - z.shape[1] * (LOG_2PI / 2 + np.log(scale))

    return log_prob, lambda rng, n: (scale * rng.normal(size=(n, *shape))).astype(dtype)


def student(entries, degrees=3):
    """Make the density of independent entries with heavy tails."""
    law = stats.t(degrees)
    return lambda x: law.logpdf(x).sum(axis=1), lambda rng, n: law.rvs(
        (n, entries), random_state=rng
    )


def cauchy(entries):
    """Make a density without moments."""
    return student(entries, degrees=1)


def uniform(entries):
    """Make the density of a cube."""

    def log_prob(x):
        return np.where(np.all((0 <= x) & (x < 1), axis=1), 0.0, -np.inf)

    return log_prob, lambda rng, n: rng.random((n, entries))


def exponential(entries):
    """Make a density of positive entries, NaN elsewhere, as logarithms give it."""

    def log_prob(x):
        with np.errstate(invalid="ignore"):
            return np.where(x > 0, -x, np.log(np.minimum(x, 0))).sum(axis=1)

    return log_prob, lambda rng, n: rng.exponential(size=(n, entries))


def two_modes(share=0.02, distance=10.0, sampled=True, entries=2):
    """Make a mixture of two normal densities, whose second mode may be left out of the samples."""

    def log_prob(x):
        first = -0.5 * np.sum(x**2, axis=1) + np.log1p(-share)
        second = -0.5 * np.sum((x - distance) ** 2, axis=1) + np.log(share)
        return np.logaddexp(first, second) - entries / 2 * LOG_2PI

    def sample(rng, n):
        far = rng.random((n, 1)) < (share if sampled else 0)
        return rng.normal(size=(n, entries)) + distance * far

    return log_prob, sample


def curved():
    """Make a density along a parabola, which no normal density covers well."""

    def log_prob(x):
        z = np.stack([x[:, 0], (x[:, 1] - x[:, 0] ** 2) / 0.3], axis=1)
        return -0.5 * np.sum(z**2, axis=1) - LOG_2PI - np.log(0.3)

    def sample(rng, n):
        z = rng.normal(size=(n, 2))
        return np.stack([z[:, 0], 0.3 * z[:, 1] + z[:, 0] ** 2], axis=1)

    return log_prob, sample


RIGHT_DENSITIES = {
    "quad coupling": density,
    "normal": lambda seed: normal((1, 2, 2), 3.0),
    "one entry": lambda seed: normal((1,)),
    "float32": lambda seed: normal((1, 1, 2), 0.2, np.float32),
    "one entry in float32": lambda seed: normal((1,), 1.0, np.float32),
    "twelve entries": lambda seed: normal((3, 2, 2), 0.5),
    "3 x 32 x 32": lambda seed: normal((3, 32, 32), 0.5, np.float32),
    "heavy tails": lambda seed: student(3),
    "no moments": lambda seed: cauchy(2),
    "a cube": lambda seed: uniform(3),
    "positive": lambda seed: exponential(2),
    "two modes": lambda seed: two_modes(),
    "two near modes": lambda seed: two_modes(0.4, 4.0, entries=4),
    "a parabola": lambda seed: curved(),
}
"""The right densities by name, as functions of a seed."""
