"""Repeated samples: of another call, in a call, of single values, and at the ends of a range."""

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.testing.densities.subject import Subject

__all__ = ["compare_calls", "look_for_repeats"]

MAX_REPEATS = 10
"""The largest number of equal samples, or of samples at an end of their range, by rounding."""

MAX_SHARE = 0.1
"""The largest share of samples that rounding makes equal where samples are single floats."""

FLOATS_PER_SAMPLE = 10
"""The number of floats for each sample from which on few samples share one by rounding."""


def compare_calls(subject: Subject, first: Array, second: Array) -> None:
    """Fail if samples of the second call are those of the first."""
    if first.shape != second.shape:
        subject.fail("sample_shape", expected=f"{first.shape} again", got=f"{second.shape}")
    equal = int((first == second).all(axis=1).sum())
    if equal == len(first) or equal > max(MAX_REPEATS, MAX_SHARE * len(first)):
        subject.fail(
            "calls_are_independent",
            expected="other samples in the second call",
            got=f"{equal} of {len(first)} are those of the first: a fixed seed",
        )


def look_for_repeats(subject: Subject, points: Array) -> None:
    """Fail if samples, values of an entry, or the ends of its range are repeated."""
    n = len(points)
    fine = [_floats_between(entry.min(), entry.max()) > FLOATS_PER_SAMPLE * n for entry in points.T]
    for k in np.flatnonzero(fine):
        _look_at_entry(subject, int(k), points[:, k])
    distinct = len(np.unique(points, axis=0))
    allowed = MAX_REPEATS if sum(fine) > 1 else max(MAX_REPEATS, MAX_SHARE * n)
    if any(fine) and distinct < n - allowed:
        _fail(subject, f"{distinct} different ones", n)


def _floats_between(low, high):
    """Estimate the number of floats of the array's dtype between the ends of a range."""
    eps, low, high = float(np.finfo(low.dtype).eps), float(low), float(high)
    largest = max(abs(low), abs(high))
    return (high - low) / (eps * largest) if largest else 0.0


def _look_at_entry(subject, k, entry):
    n = len(entry)
    for end, word in ((entry.min(), "smallest"), (entry.max(), "largest")):
        repeats = int((entry == end).sum())
        if repeats > MAX_REPEATS:
            _fail(subject, f"the {word} value {end:.6g} of entry {k} {repeats} times", n)
    values = len(np.unique(entry))
    if values < n // 2:
        _fail(subject, f"{values} values of entry {k}", n)


def _fail(subject, got, n):
    subject.fail("samples_are_distinct", expected="no repeated values", got=f"{got} in {n} samples")
