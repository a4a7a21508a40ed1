"""`compare_moves`: moves of samples and the moves back would be accepted equally often."""

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.testing.densities.averages import Average, allowed_error, unequal
from cinc_ref.testing.densities.subject import Subject

__all__ = ["compare_moves"]

STEP = 0.3
"""The size of a move over the square root of the number of entries: most are accepted."""


def compare_moves(
    subject: Subject, earlier: Array, points: Array, log_p: Array, shifts: bool
) -> None:
    r"""Fail unless scalings T, and shifts if asked, satisfy detailed balance over samples x.

    .. math::
        E\,[\min(1, p(T x) |\det T| / p(x))] = E\,[\min(1, p(T^{-1} x) / (|\det T|\, p(x)))]

    Scalings are those of all entries and of a random half, about the mean of earlier samples;
    the shift is by a fraction of the deviation of each entry.
    """
    rng, d = subject.rng, points.shape[1]
    centre, deviation = earlier.mean(axis=0), earlier.std(axis=0)
    moves = {f"scaling all {d} entries": (_log_scale(np.ones(d, bool)), 0.0)}
    if d > 1:
        half = rng.permutation(d) < d // 2
        moves[f"scaling {half.sum()} of {d} entries"] = (_log_scale(half), 0.0)
    if shifts:
        moves[f"shifting all {d} entries"] = (np.zeros(d), STEP * deviation / np.sqrt(d))

    average = Average(np.full(len(moves), 2.0))
    differences = []
    for log_scale, shift in moves.values():
        there = centre + (points - centre) * np.exp(log_scale) + shift
        back = centre + (points - shift - centre) * np.exp(-log_scale)
        accepted = [
            _acceptance(subject.log_prob(moved) - log_p + sign * log_scale.sum())
            for moved, sign in ((there, 1), (back, -1))
        ]
        differences.append(accepted[0] - accepted[1])
    average.add(np.stack(differences, axis=1))
    names = [f"acceptance of {name}, less that of the move back" for name in moves]
    wrong = unequal(names, np.zeros(len(moves)), average.mean, allowed_error(average), "on average")
    if wrong:
        subject.fail("samples_follow_the_density", **wrong)


def _log_scale(chosen):
    """Return the logarithms of the factors that scale the chosen entries."""
    return np.where(chosen, STEP / np.sqrt(chosen.sum()), 0.0)


def _acceptance(log_ratio):
    with np.errstate(under="ignore"):
        return np.exp(np.minimum(0.0, log_ratio))
