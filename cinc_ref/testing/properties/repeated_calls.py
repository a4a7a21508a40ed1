"""Calls that are repeated: the same result each time, and results that later calls leave alone."""

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.testing.failure import difference
from cinc_ref.testing.properties.examination import TOLERANCE_FACTOR, Examination, scale_of

__all__ = ["forward_results_are_kept", "repeated_calls", "results_are_kept"]


def repeated_calls(examination: Examination) -> None:
    """Call forward again, after a call with other images."""
    evidence = examination.evidence
    x, y, log_det = evidence.x, evidence.y, evidence.log_det
    examination.try_call("forward", _other_images(x))
    again = examination.call("forward", x)
    if _agree(again, y, log_det, examination.eps):
        return
    examination.is_random = True
    first, second = (examination.call("forward", x) for _ in range(2))
    if _agree(second, first.images, first.log_det, examination.eps):
        evidence.notes.append("the layer draws random numbers: every call was given the same seed")
        evidence.y, evidence.log_det = first.images, first.log_det
        examination.mixes_images = True
        return
    examination.is_random = False
    for part, before, what in ((again.images, y, "y"), (again.log_det, log_det, "log_det")):
        if part is not None and before is not None:
            scale = scale_of(before) if what == "y" else 1 + np.abs(before)
            facts = difference(part, before, TOLERANCE_FACTOR * examination.eps * scale)
            if facts:
                third = examination.call("forward", x)
                later = third.images if what == "y" else third.log_det
                changes = [float(np.abs(b - a).max()) for a, b in ((before, part), (part, later))]
                examination.observe(
                    "calls_repeat", {"of": what} | facts, what=what, changes=changes
                )
                return


def _other_images(x):
    """Return images of the same shape with other entries inside their range."""
    return np.ascontiguousarray((0.5 * x + 0.25 * x[::-1]).astype(x.dtype))


def _agree(result, y, log_det, eps):
    """Return whether a result equals an earlier one to a thousand roundings."""
    bound = TOLERANCE_FACTOR * eps
    if difference(result.images, y, bound * scale_of(y)):
        return False
    if log_det is None or result.log_det is None:
        return log_det is result.log_det
    bad = ~np.isfinite(log_det)
    kept = difference(result.log_det[~bad], log_det[~bad], bound * (1 + np.abs(log_det[~bad])))
    return not kept


def forward_results_are_kept(examination: Examination) -> None:
    """Compare a result of forward before and after another call; see `results_are_kept`."""
    results_are_kept(examination, "forward", examination.evidence.x)


def results_are_kept(examination: Examination, direction: str, array: Array) -> None:
    """Compare a result before and after a call with other images of the same shape."""
    framework = examination.framework
    pair = examination.call_as_is(direction, framework.array(array))
    results = [None if part is None else framework.to_numpy(part) for part in pair]
    copies = [None if part is None else part.copy() for part in results]
    examination.try_call(direction, np.ascontiguousarray(array[::-1]))
    for part, before, name in zip(results, copies, ("images", "log_det"), strict=True):
        if part is not None and np.isfinite(before).all():
            facts = difference(part, before, np.zeros(()))
            if facts:
                description = f"{name} of {direction} after the next call"
                examination.observe(
                    "results_are_kept", {"of": description} | facts, direction=direction
                )
