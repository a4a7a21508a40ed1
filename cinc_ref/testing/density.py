"""`check_density`, the test of a density and its sampler by each other."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cinc_ref import _validate
from cinc_ref.testing.densities.importance import compare_averages
from cinc_ref.testing.densities.moves import compare_moves
from cinc_ref.testing.densities.repeats import compare_calls, look_for_repeats
from cinc_ref.testing.densities.subject import Subject

__all__ = ["check_density"]

MAX_ENTRIES = 12
"""The largest number of entries of an image whose density is integrated by importance sampling."""

MAX_VALUES = 4_000_000
"""The largest number of entries of all samples of a call: fewer large images are drawn."""

FEW = 100
"""The number of samples of the first call of all, which shows their shape and scale."""


def check_density(
    log_prob: Callable[[Any], Any],
    sample: Callable[[int], Any],
    *,
    seed: int = 0,
    draws: int = 400_000,
) -> None:
    r"""Fail unless a log-density is normalized and its sampler draws from it.

    Samples of two calls must be finite and distinct. A heavy-tailed proposal q is fitted to the
    first call. With p = exp(log_prob) and the indicator 1 of p <= W q,

    .. math::
        E_q\,[f\, 1\, p / q] = E_{\text{samples}}\,[f\, 1]

    for f = 1, which tests the integral of p, and for bounded f: powers and products of entries,
    waves in random directions, log_prob and its tails, and the range of the samples. For scalings T

    .. math::
        E\,[\min(1, p(T x) |\det T| / p(x))] = E\,[\min(1, p(T^{-1} x) / (|\det T|\, p(x)))]

    over samples x. Both sides are averages of bounded numbers, compared by the empirical Bernstein
    inequality [1]_, so that a right density fails with a probability of 10^-6 at most. Images of
    more than 12 entries are tested by moves alone, which do not show a wrong constant in log_prob.

    Parameters
    ----------
    log_prob : callable
        ``log_prob(x) -> (N,)`` in nats, for x of the kind and dtype of the samples.
    sample : callable
        ``sample(n)`` or ``sample(rng, n)`` returns n images.
    seed : int
        The seed of the generator; a ``sample(n)`` with a generator of its own is not repeated.
    draws : int
        The number of samples, drawn in two calls; fewer if images are large. The density is
        evaluated at up to eight times as many points.

    Raises
    ------
    OptionError
        If `seed` is no integer >= 0 or `draws` no integer >= 1.
    CheckFailure
        An AssertionError whose `check` is the name of the property that failed.

    References
    ----------
    .. [1] A. Maurer, M. Pontil, Empirical Bernstein bounds and sample-variance penalization,
       COLT 2009, theorem 4.

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
    subject = Subject(log_prob, sample, seed)
    few = subject.draw(min(FEW, draws))
    entries = few.shape[1]
    count = max(2, min((draws + 1) // 2, MAX_VALUES // entries))
    first, second = subject.draw(count), subject.draw(count)
    compare_calls(subject, first, second)
    look_for_repeats(subject, np.concatenate([first, second]))
    few, first, second = (samples.astype(np.float64) for samples in (few, first, second))
    log_p = subject.log_prob(first), subject.log_prob(second)
    _look_at_samples(subject, first, np.concatenate(log_p))
    if entries <= MAX_ENTRIES:
        compare_averages(subject, first, second, *log_p)
    both = np.concatenate([first, second])
    compare_moves(subject, few, both, np.concatenate(log_p), shifts=entries > MAX_ENTRIES)


def _look_at_samples(subject, samples, log_p):
    """Fail if log_prob of samples is not finite, or if they do not fill the space."""
    if not np.isfinite(log_p).all():
        expected = {"expected": "finite numbers", "got": "NaN or infinity"}
        subject.fail("finite", of="log_prob of samples", **expected)
    n, entries = samples.shape
    if entries > MAX_ENTRIES:
        return
    if n < 10 * entries:
        subject.fail("conclusive", expected=f"{20 * entries} draws or more", got=f"{2 * n}")
    scaled = (samples - samples.mean(axis=0)) / np.maximum(samples.std(axis=0), 1e-300)
    if np.linalg.matrix_rank(scaled.T @ scaled / n, hermitian=True) < entries:
        got = "a singular covariance"
        subject.fail("samples_follow_the_density", expected="samples that fill the space", got=got)
