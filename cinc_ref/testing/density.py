"""`check_density`, the test of a density and its sampler by each other on small images."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import gammaln

from cinc_ref import _validate
from cinc_ref.testing.failure import CheckFailure, to_numpy

__all__ = ["check_density"]

MAX_ENTRIES = 12
"""The largest number of entries of an image: importance sampling degrades with every one."""

STATEMENTS = {
    "sample_shape": "sample(n) returns n images of few entries",
    "log_prob_shape": "log_prob(x) has shape (N,): nats of each image",
    "finite": "samples and their log_prob are finite",
    "density_integrates_to_one": "exp(log_prob) integrates to 1",
    "samples_follow_the_density": "samples are distributed as log_prob says",
    "conclusive": "the estimate is sharp enough to tell",
}
"""The properties that `check_density` tries, by the name that a failure gives."""

DEGREES_OF_FREEDOM = 5
"""The degrees of freedom of the proposal: few, so that its tails are heavier than the density's."""

MAX_SIGMAS = 6
"""The largest deviation in standard errors: one of 200 averages exceeds it once in 10^6 runs."""

WAVES = 50
"""The number of random directions in which waves are averaged."""


def check_density(
    log_prob: Callable[[Any], Any],
    sample: Callable[[int], Any],
    *,
    seed: int = 0,
    draws: int = 20_000,
) -> None:
    r"""Fail unless a log-density is normalized and its sampler draws from it.

    A heavy-tailed proposal q is fitted to samples. Then

    .. math::
        E_q\,[p / q] = 1, \qquad E_q\,[f\, p / q] = E_{\text{samples}}\,[f]

    for f each coordinate, each square and product of two, and waves in random directions. Both
    sides are averages, and the check fails beyond six standard errors.

    Parameters
    ----------
    log_prob : callable
        ``log_prob(x) -> (N,)`` in nats, for x of the kind and dtype of the samples.
    sample : callable
        ``sample(n)`` or ``sample(rng, n)`` returns n images of at most 12 entries each.
    seed : int
        The seed of the generator; a ``sample(n)`` with a generator of its own is not repeated.
    draws : int
        The number of samples, and that of points of the proposal.

    Raises
    ------
    OptionError
        If `seed` is no integer >= 0 or `draws` no integer >= 1.
    CheckFailure
        An AssertionError whose `check` is the name of the property that failed.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.testing import check_density
    >>> def log_prob(x):
    ...     return -0.5 * np.sum((x / 3) ** 2, axis=(1, 2, 3)) - 2 * np.log(2 * np.pi * 9)
    >>> check_density(log_prob, lambda rng, n: 3 * rng.normal(size=(n, 1, 2, 2)))
    """
    seed = _validate.integer("seed", seed, minimum=0)
    draws = _validate.integer("draws", draws, minimum=1)
    rng = np.random.default_rng(seed)
    images = _draw(sample, rng, draws)
    array = to_numpy(images).copy()
    fail = _failures(array, seed)
    if array.ndim < 2 or len(array) != draws or not 0 < array[0].size <= MAX_ENTRIES:
        facts = {"expected": f"({draws}, ...), at most {MAX_ENTRIES} entries an image"}
        fail("sample_shape", facts | {"got": f"shape {array.shape}"})
    if not np.isfinite(array).all():
        fail("finite", {"of": "samples", "expected": "finite numbers", "got": "NaN or infinity"})
    evaluate = _evaluator(log_prob, images, array, fail)
    log_density = evaluate(array)
    if not np.isfinite(log_density).all():
        facts = {
            "of": "log_prob of samples",
            "expected": "finite numbers",
            "got": "NaN or infinity",
        }
        fail("finite", facts)

    points = array.reshape(draws, -1).astype(np.float64)
    if np.linalg.matrix_rank(np.cov(points.T)) < points.shape[1]:
        facts = {"expected": "samples that fill the space", "got": "a singular covariance"}
        fail("samples_follow_the_density", facts)
    proposal, log_q = _student(rng, points)
    with np.errstate(over="ignore", invalid="ignore"):
        weights = np.exp(evaluate(proposal.reshape(array.shape)) - log_q)
    _compare(fail, "density_integrates_to_one", weights[:, None], np.ones((1, 1)), ["integral"])
    names, statistic = _statistics(rng, points.mean(axis=0), points.std(axis=0))
    statistics, at_proposal = statistic(points), statistic(proposal)
    _compare(fail, "samples_follow_the_density", weights[:, None] * at_proposal, statistics, names)


def _draw(sample, rng, n):
    """Call sample(n) or sample(rng, n), depending on its parameters."""
    try:
        parameters = inspect.signature(sample).parameters.values()
    except (TypeError, ValueError):
        return sample(n)
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [p for p in parameters if p.kind in positional and p.default is p.empty]
    return sample(rng, n) if len(needed) >= 2 else sample(n)


def _evaluator(log_prob, images, array, fail):
    """Make log_prob a function of arrays that returns float64 and checks the shape."""

    def evaluate(points):
        points = points.astype(array.dtype)
        user_array = images.new_tensor(points) if hasattr(images, "new_tensor") else points
        result = to_numpy(log_prob(user_array))
        if result.shape != (len(points),):
            facts = {"expected": f"shape ({len(points)},)", "got": f"shape {result.shape}"}
            fail("log_prob_shape", facts)
        return result.astype(np.float64)

    return evaluate


def _student(rng, points):
    """Draw from a multivariate t distribution as wide as the points; return the log-density too."""
    n, d = points.shape
    factor = np.linalg.cholesky(np.cov(points.T).reshape(d, d) * 1.2)
    normal, chi = rng.normal(size=(n, d)), rng.chisquare(DEGREES_OF_FREEDOM, n)
    z = normal / np.sqrt(chi / DEGREES_OF_FREEDOM)[:, None]
    log_density = (
        gammaln((DEGREES_OF_FREEDOM + d) / 2)
        - gammaln(DEGREES_OF_FREEDOM / 2)
        - d / 2 * np.log(DEGREES_OF_FREEDOM * np.pi)
        - np.log(np.diagonal(factor)).sum()
        - (DEGREES_OF_FREEDOM + d) / 2 * np.log1p(np.sum(z**2, axis=1) / DEGREES_OF_FREEDOM)
    )
    return points.mean(axis=0) + z @ factor.T, log_density


def _statistics(rng, mean, deviation):
    """Return the names of moments and waves, and the function that computes a column of each."""
    d = len(mean)
    pairs = np.triu_indices(d)
    directions = rng.normal(size=(d, WAVES))
    names = [f"mean of entry {k}" for k in range(d)]
    names += [f"mean of entry {i} times entry {j}" for i, j in zip(*pairs, strict=True)]
    names += [
        f"mean of {f}(<{w.round(2).tolist()}, x>)" for f in ("cos", "sin") for w in directions.T
    ]

    def statistic(points):
        z = (points - mean) / deviation
        phases = z @ directions
        return np.hstack([z, z[:, pairs[0]] * z[:, pairs[1]], np.cos(phases), np.sin(phases)])

    return names, statistic


def _compare(fail, check, left, right, names):
    """Fail where two averages differ by more than their standard errors allow.

    Averages that are not known to 0.1, such as squares under heavy tails, are ignored.
    """
    error = np.sqrt(sum(a.var(axis=0) / len(a) for a in (left, right)))
    got, expected = left.mean(axis=0), right.mean(axis=0)
    sigmas = np.abs(got - expected) / (error + 1e-3 / MAX_SIGMAS)
    sharp = error < 0.1 * np.maximum(1, np.abs(got))
    worst = int(np.argmax(np.where(sharp, sigmas, -1)))
    facts = {
        "of": f"{names[worst]} (entries flat, standardized)" if len(names) > 1 else names[0],
        "expected": f"{float(expected[worst]):.4f}",
        "got": f"{float(got[worst]):.4f}, standard error {float(error[worst]):.1e}",
    }
    if not sharp.any():
        fail("conclusive", facts)
    if sigmas[worst] > MAX_SIGMAS:
        fail(check, facts)


def _failures(array, seed):
    """Make the function that raises the failure of a named property."""

    def fail(check, facts):
        facts = facts | {"shapes": f"samples {array.shape}", "dtype": str(array.dtype)}
        snippet = [
            "from cinc_ref.testing import check_density",
            f"check_density(log_prob, sample, seed={seed})",
        ]
        raise CheckFailure(check, STATEMENTS[check], facts | {"seed": seed}, snippet)

    return fail
