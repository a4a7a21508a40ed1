"""A density and its sampler, held against each other on an image of a few entries."""

import inspect

import numpy as np
from scipy.special import gammaln

from cinc_ref.testing.failure import CheckFailure, to_numpy

LARGEST = 12
"""How many entries an image may have: importance sampling degrades with every one."""

STATEMENTS = {
    "sample_shape": "sample(n) returns n images of few entries",
    "log_prob_shape": "log_prob(x) has shape (N,): nats of each image",
    "finite": "samples and their log_prob are finite",
    "density_integrates_to_one": "exp(log_prob) integrates to 1",
    "samples_follow_the_density": "samples are distributed as log_prob says",
    "conclusive": "the estimate is sharp enough to tell",
}
"""The names under which `check_density` fails, and what each of them means."""

DEGREES, SIGMAS, WAVES = 5, 6, 50


def check_density(log_prob, sample, *, seed=0, draws=20_000):
    r"""Fail unless a log-density is normalized and its sampler draws from it.

    A heavy-tailed proposal q is fitted to samples. Then

    .. math::
        E_q\,[p / q] = 1, \qquad E_q\,[f\, p / q] = E_{\text{samples}}\,[f]

    for f each coordinate, each square and product of two, and waves in random directions. Both
    sides are averages, and the check fails beyond six standard errors.

    Parameters
    ----------
    log_prob : callable
        ``log_prob(x) -> (N,)`` in nats.
    sample : callable
        ``sample(n)`` or ``sample(rng, n)`` returns n images of at most 12 entries each.
    seed : int
        Of the generator; a ``sample(n)`` that draws otherwise is not repeated by it.
    draws : int
        How many samples and how many points of the proposal.

    Raises
    ------
    CheckFailure
        An AssertionError whose `check` is the name of what failed.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.testing import check_density
    >>> def log_prob(x):
    ...     return -0.5 * np.sum((x / 3) ** 2, axis=(1, 2, 3)) - 2 * np.log(2 * np.pi * 9)
    >>> check_density(log_prob, lambda rng, n: 3 * rng.normal(size=(n, 1, 2, 2)))
    """
    rng = np.random.default_rng(seed)
    images = _draw(sample, rng, draws)
    array = to_numpy(images).copy()
    fail = _failures(array, seed)
    if array.ndim < 2 or len(array) != draws or not 0 < array[0].size <= LARGEST:
        facts = {"expected": f"({draws}, ...), at most {LARGEST} entries an image"}
        fail("sample_shape", facts | {"got": f"shape {array.shape}"})
    if not np.isfinite(array).all():
        fail("finite", {"of": "samples", "expected": "finite numbers", "got": "NaN or infinity"})
    evaluate = _evaluator(log_prob, images, array, fail)
    own = evaluate(array)
    if not np.isfinite(own).all():
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
    """Call sample(n) or sample(rng, n), whichever it takes."""
    try:
        parameters = inspect.signature(sample).parameters.values()
    except (TypeError, ValueError):
        return sample(n)
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [p for p in parameters if p.kind in positional and p.default is p.empty]
    return sample(rng, n) if len(needed) >= 2 else sample(n)


def _evaluator(log_prob, images, array, fail):
    """log_prob as a function of arrays, in float64, its shape checked."""

    def evaluate(points):
        points = points.astype(array.dtype)
        theirs = images.new_tensor(points) if hasattr(images, "new_tensor") else points
        result = to_numpy(log_prob(theirs))
        if result.shape != (len(points),):
            facts = {"expected": f"shape ({len(points)},)", "got": f"shape {result.shape}"}
            fail("log_prob_shape", facts)
        return result.astype(np.float64)

    return evaluate


def _student(rng, points):
    """Draws of a multivariate t distribution as wide as the points, and their log-density."""
    n, d = points.shape
    factor = np.linalg.cholesky(np.cov(points.T).reshape(d, d) * 1.2)
    normal, chi = rng.normal(size=(n, d)), rng.chisquare(DEGREES, n) / DEGREES
    z = normal / np.sqrt(chi)[:, None]
    log_density = (
        gammaln((DEGREES + d) / 2)
        - gammaln(DEGREES / 2)
        - d / 2 * np.log(DEGREES * np.pi)
        - np.log(np.diagonal(factor)).sum()
        - (DEGREES + d) / 2 * np.log1p(np.sum(z**2, axis=1) / DEGREES)
    )
    return points.mean(axis=0) + z @ factor.T, log_density


def _statistics(rng, mean, deviation):
    """Names, and the function that gives each of them a column: moments and waves."""
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

    Averages that are not known to 0.1, as of squares under heavy tails, decide nothing.
    """
    error = np.sqrt(sum(a.var(axis=0) / len(a) for a in (left, right)))
    got, expected = left.mean(axis=0), right.mean(axis=0)
    sigmas = np.abs(got - expected) / (error + 1e-3 / SIGMAS)
    sharp = error < 0.1 * np.maximum(1, np.abs(got))
    worst = int(np.argmax(np.where(sharp, sigmas, -1)))
    facts = {
        "of": f"{names[worst]} (entries flat, standardized)" if len(names) > 1 else names[0],
        "expected": f"{float(expected[worst]):.4f}",
        "got": f"{float(got[worst]):.4f}, standard error {float(error[worst]):.1e}",
    }
    if not sharp.any():
        fail("conclusive", facts)
    if sigmas[worst] > SIGMAS:
        fail(check, facts)


def _failures(array, seed):
    """A function that raises the failure of a named check."""

    def fail(check, facts):
        facts = facts | {"shapes": f"samples {array.shape}", "dtype": str(array.dtype)}
        snippet = [
            "from cinc_ref.testing import check_density",
            f"check_density(log_prob, sample, seed={seed})",
        ]
        raise CheckFailure(check, STATEMENTS[check], facts | {"seed": seed}, snippet)

    return fail
