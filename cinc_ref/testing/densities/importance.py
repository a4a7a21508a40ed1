"""`compare_averages`: averages over the density by importance sampling, and over samples."""

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.testing.densities.averages import LOG_CHANCE, Average, allowed_error, unequal
from cinc_ref.testing.densities.proposal import Proposal
from cinc_ref.testing.densities.statistics import Statistics
from cinc_ref.testing.densities.subject import CHUNK, Subject

__all__ = ["compare_averages"]

POINTS = 5
"""The number of points of the proposal for each sample of the second call."""

MAX_INTEGRAL_ERROR = 0.5
"""The error of the integral above which nothing can be said about it."""

CUTOFFS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9999, 1.0)
"""The quantiles of p / q at samples that are tried as its bound W."""


def compare_averages(
    subject: Subject, first: Array, second: Array, log_p_first: Array, log_p_second: Array
) -> None:
    r"""Fail unless averages over a proposal q, fitted to the first call, are those of the second.

    .. math::
        E_q\,[f\, 1\, p / q] = E_{\text{samples}}\,[f\, 1], \qquad 1 = [p \le W q]

    where f = 1 tests the integral of p: the share of samples for which p > W q is added to it.
    """
    rng = subject.rng
    proposal = Proposal(rng, first)
    statistics = Statistics(rng, first, log_p_first)
    log_ratio = log_p_first - proposal.log_density(first)
    centre = float(np.median(log_ratio))  # so that a wrong constant does not overflow
    bound = _cutoff(np.exp(log_ratio - centre), len(second))

    def ratios(points, log_p):
        """Compute p / q in units of its median."""
        with np.errstate(all="ignore"):
            return np.exp(log_p - proposal.log_density(points) - centre)[:, None]

    whole = Average(np.zeros(1))
    weighted = Average(bound * np.append(1.0, statistics.widths))
    sampled = Average(np.append(1.0, statistics.widths))
    for part in _parts(len(second)):
        points, log_p = second[part], log_p_second[part]
        inside = ratios(points, log_p) <= bound
        sampled.add(inside * _with_one(statistics.columns(points, log_p)))
    for part in _parts(POINTS * len(second)):
        points = proposal.draw(rng, part.stop - part.start).astype(subject.dtype)
        points = points.astype(np.float64)  # the points at which log_prob is computed
        log_p = subject.log_prob(points)
        ratio = ratios(points, log_p)
        whole.add(ratio)
        columns = _with_one(statistics.columns(points, log_p))
        weighted.add(np.where(ratio <= bound, ratio, 0.0) * columns)
    factor = float(np.exp(min(centre, 700.0)))
    expected, got = factor * weighted.mean, sampled.mean
    error = factor * allowed_error(weighted) + allowed_error(sampled)
    unbounded = factor * whole.mean[0], factor * allowed_error(whole)[0]
    _look_at_integral(subject, expected[0] + 1 - got[0], error[0], unbounded)
    wrong = unequal(statistics.names, expected[1:], got[1:], error[1:], "over the density")
    if wrong:
        subject.fail("samples_follow_the_density", **wrong)


def _parts(total):
    """Return slices of at most `CHUNK` that cover a number of points."""
    return [slice(k, min(k + CHUNK, total)) for k in range(0, total, CHUNK)]


def _with_one(columns):
    """Put a column of ones, whose average is the integral, before the others."""
    return np.hstack([np.ones((len(columns), 1)), columns])


def _cutoff(ratios, n):
    """Choose the bound W of p / q for which the error of the integral is likely to be smallest."""

    def error(bound):
        inside = ratios <= bound
        share = inside.mean()
        variance = np.mean(ratios * inside)  # E_q[w^2] = E_p[w]
        proposed, drawn = LOG_CHANCE / (POINTS * n), LOG_CHANCE / n
        of_samples = np.sqrt(2 * drawn * share * (1 - share))
        return np.sqrt(2 * proposed * variance) + 7 / 3 * proposed * bound + of_samples

    return float(min(np.quantile(ratios, CUTOFFS), key=error))


def _look_at_integral(subject, integral, error, unbounded):
    """Fail unless the integral is 1.

    The samples are at fault if the integral without the bound W, whose error is only an estimate,
    is 1 to better than that.
    """
    facts = {"of": "integral over the region of the samples", "expected": "1.0000"}
    facts["got"] = f"{integral:.4f}, to {error:.1e}"
    gap = abs(integral - 1)
    if not gap <= error:
        is_one = abs(unbounded[0] - 1) <= unbounded[1] <= gap
        check = "samples_follow_the_density" if is_one else "density_integrates_to_one"
        subject.fail(check, **facts)
    if error > MAX_INTEGRAL_ERROR:
        subject.fail("conclusive", **facts)
