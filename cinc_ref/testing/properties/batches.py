"""Images in other batches: each has the same result alone, among others and in large batches."""

import numpy as np

from cinc_ref.testing.failure import difference
from cinc_ref.testing.properties.examination import Examination, PropertySkipped, scale_of

__all__ = ["independence_of_forward", "independence_of_inverse"]

LARGE_BATCH = 70
"""A batch that is larger than blocks of 64 images."""

COUNTS = (2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 32, 33, LARGE_BATCH)
"""The numbers of images of other batches: each remainder by 8, and blocks of 16 and 32."""

MAX_BATCH_ENTRIES = 200_000
"""The largest number of entries of a batch, which keeps the time of a call short."""


def independence_of_forward(examination: Examination) -> None:
    """Compute images in other batches by forward."""
    evidence = examination.evidence
    _independence(examination, "forward", evidence.x, evidence.y, evidence.log_det)


def independence_of_inverse(examination: Examination) -> None:
    """Compute images in other batches by the inverse."""
    if not examination.has_inverse:
        raise PropertySkipped("the layer has no inverse")
    y = examination.evidence.y
    result = examination.call("inverse", y)
    _independence(examination, "inverse", y, result.images, result.log_det)


def _independence(examination, direction, x, y, log_det):
    """Compute each image alone, among others, and in small and large batches."""
    if examination.is_random:
        raise PropertySkipped("the layer draws random numbers, other ones in other batches")
    if not np.isfinite(y).all():
        raise PropertySkipped("the result is not finite")
    for description, batch, rows in _batches(x):
        result = examination.try_call(direction, np.ascontiguousarray(batch))
        if result is None:
            examination.evidence.notes.append(f"{direction} raises {description}")
            continue
        dependent = _dependent_parts(examination, result, (y, log_det), rows, len(batch))
        for what, facts, ratio in dependent:
            examination.observe(
                "images_are_independent",
                {"of": f"{what} of {direction}, {description}"} | facts,
                direction=direction, what=what, description=description, count=len(batch),
                ratio=ratio,
            )  # fmt: skip
            if direction == "forward" and what == "images":
                examination.mixes_images = True
        if dependent:
            return


def _batches(x):
    """Return other batches: a description, the images, and the rows of x that come first."""
    n = len(x)
    among_others = np.concatenate([x[:1], x[:0:-1] * x.dtype.type(0.5)])
    batches = [
        ("alone", x[:1], [0]),
        ("in reverse order", x[::-1], list(range(n))[::-1]),
        ("among other images", among_others, [0]),
    ]
    for count in COUNTS:
        if x[0].size * count <= MAX_BATCH_ENTRIES:
            order = [k % n for k in range(count)]
            batches.append((f"in a batch of {count}", x[order], order))
    return batches


def _dependent_parts(examination, result, expected, rows, count):
    """Return what differs from the expected (y, log_det): the part, facts, ratio of log_dets."""
    y, log_det = expected
    if result.images.shape != (count, *y.shape[1:]):
        facts = {"expected": f"shape {(count, *y.shape[1:])}", "got": f"{result.images.shape}"}
        return [("images", facts, None)]
    tolerance, dependent = examination.provisional_tolerance(), []
    facts = difference(result.images[: len(rows)], y[rows], tolerance * scale_of(y))
    if facts:
        dependent.append(("images", facts, None))
    if log_det is not None and result.log_det is not None and np.isfinite(log_det).all():
        bound = tolerance * examination.log_det_eps / examination.eps * (1 + np.abs(log_det[rows]))
        got = result.log_det[: len(rows)]
        facts = difference(got, log_det[rows], bound)
        if facts:
            dependent.append(("log_det", facts, got / log_det[rows]))
    return dependent
