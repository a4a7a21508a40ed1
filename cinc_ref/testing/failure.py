"""What a check says: a failure with everything needed to repeat it, or why it was not tried."""

import unittest

import numpy as np


class CheckFailure(AssertionError):
    """A check has failed.

    Attributes
    ----------
    check : str
        The name of the check.
    """

    def __init__(self, check, statement, facts, snippet):
        lines = [f"{check}: {statement}"]
        lines += [f"  {label:<9}{value}" for label, value in facts.items() if value is not None]
        lines += ["  repeat", *(f"    {line}" for line in snippet)]
        super().__init__("\n".join(lines))
        self.check = check


class NotChecked(unittest.SkipTest):
    """A check does not apply; the message says why. pytest and unittest count it as skipped."""


def to_numpy(value):
    """An array from anything array-like, PyTorch tensors that require gradients included."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.asarray(value)


def disagreement(got, expected, bound):
    """What differs, as the facts of a failure message; empty if nothing does.

    Parameters
    ----------
    got : ndarray
    expected : ndarray
    bound : ndarray or float
        Largest difference allowed, elementwise.
    """
    if got.shape != expected.shape:
        return {"expected": f"shape {expected.shape}", "got": f"shape {got.shape}"}
    if got.dtype.kind not in "fiu":
        return {"expected": "an array of real numbers", "got": f"dtype {got.dtype}"}
    gap = np.abs(got.astype(np.longdouble) - expected)
    wrong = ~(gap <= bound)  # also where it is NaN
    if not wrong.any():
        return {}
    excess = np.where(np.isnan(gap), np.inf, gap / np.maximum(bound, np.finfo(float).tiny))
    index = tuple(int(i) for i in np.unravel_index(np.argmax(excess * wrong), gap.shape))
    limit = np.broadcast_to(bound, gap.shape)[index]
    first = _first(wrong)
    return {
        "expected": f"{float(expected[index])!r}, to {float(limit):.1e}",
        "got": repr(float(got[index])),
        "where": f"index {index}, the worst of {int(wrong.sum())} wrong entries in {gap.size}",
        "first": None
        if first == index
        else f"index {first}: {float(got[first])!r}, not {float(expected[first])!r}",
    }


def _first(wrong):
    """The first wrong entry in raster order: pixel after pixel, its channels together."""
    order = [0, *range(2, wrong.ndim), 1] if wrong.ndim > 2 else list(range(wrong.ndim))
    place = np.argwhere(wrong.transpose(order))[0]
    return tuple(int(place[order.index(axis)]) for axis in range(wrong.ndim))
