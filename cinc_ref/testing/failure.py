"""The outcomes of a check other than success: a failure that can be repeated, or a skip."""

import unittest
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cinc_ref._typing import Array

__all__ = ["CheckFailure", "CheckSkipped", "NotChecked", "difference", "to_numpy"]


class CheckFailure(AssertionError):
    """An AssertionError: an implementation does not have the property that a check states.

    Parameters
    ----------
    check : str
        The name of the check, which is also an attribute.
    statement : str
        The property that a right implementation has.
    facts : dict
        Facts about the failure, as label and value; those that are None are left out.
    snippet : list of str
        Lines of Python that repeat the failure.

    Examples
    --------
    >>> from cinc_ref.testing import CheckFailure, check_bijection
    >>> import numpy as np
    >>> try:
    ...     check_bijection(lambda x: x, lambda y: y, np.ones((3, 2)))
    ... except CheckFailure as failure:
    ...     print(failure.check)
    returns_a_pair
    """

    def __init__(self, check: str, statement: str, facts: dict[str, Any], snippet: list[str]):
        lines = [f"{check}: {statement}"]
        lines += [f"  {label:<9}{value}" for label, value in facts.items() if value is not None]
        lines += ["  repeat", *(f"    {line}" for line in snippet)]
        super().__init__("\n".join(lines))
        self.check = check


class CheckSkipped(unittest.SkipTest):
    """A check does not apply to an implementation, for the reason in the message.

    It is a `unittest.SkipTest`: pytest and unittest count the test as skipped.

    Examples
    --------
    >>> import cinc_ref as cr
    >>> try:
    ...     dict(cr.testing.checks())["conv_tall"](cr.testing.Implementation(log_abs_det=abs))
    ... except cr.testing.CheckSkipped as reason:
    ...     print(reason)
    conv was not given
    """


NotChecked = CheckSkipped
"""The former public name of `CheckSkipped`."""


def to_numpy(value: Any) -> Array:
    """Convert anything array-like to an array, PyTorch tensors that require gradients included."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.asarray(value)


def difference(got: Array, expected: Array, bound: ArrayLike) -> dict[str, Any]:
    """Describe where two arrays differ by more than a bound, as facts of a failure message.

    Parameters
    ----------
    got : ndarray
    expected : ndarray
    bound : ndarray or float
        The largest difference that is allowed, elementwise.

    Returns
    -------
    dict
        Empty if nothing differs by more.
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
    first, count = _first(wrong), int(wrong.sum())
    place = f"index {index}"
    if gap.size > 1:
        place += (
            f", the worst of {count} wrong entries in {gap.size}"
            if count > 1
            else (f", the only wrong entry in {gap.size}")
        )
    return {
        "expected": f"{float(expected[index])!r}, to {float(limit):.1e}",
        "got": repr(float(got[index])),
        "where": place,
        "first": None
        if first == index
        else f"index {first}: {float(got[first])!r}, not {float(expected[first])!r}",
    }


def _first(wrong):
    """Find the first wrong entry in raster order: pixel after pixel, its channels together."""
    order = [0, *range(2, wrong.ndim), 1] if wrong.ndim > 2 else list(range(wrong.ndim))
    place = np.argwhere(wrong.transpose(order))[0]
    return tuple(int(place[order.index(axis)]) for axis in range(wrong.ndim))
