"""An empty batch, and NaN in one image of a batch: an error is no failure."""

import numpy as np

from cinc_ref.testing.failure import difference
from cinc_ref.testing.properties.examination import (
    Examination,
    PropertySkipped,
    are_comparable,
    scale_of,
)

__all__ = ["empty_batch", "nan_in_an_image"]


def empty_batch(examination: Examination) -> None:
    """Pass an empty batch: an error is no failure."""
    evidence = examination.evidence
    for direction, start, end in (
        ("forward", evidence.x, evidence.y),
        ("inverse", evidence.y, evidence.x),
    ):
        if direction == "inverse" and not examination.has_inverse:
            continue
        before = len(evidence.observations)
        result = examination.call(direction, start[:0])
        del evidence.observations[before:]  # the shape of nothing is no convention
        shape = (0, *end.shape[1:])
        if result.images.shape != shape:
            facts = {"of": direction, "expected": f"shape {shape}", "got": f"{result.images.shape}"}
            examination.observe("empty_batch", facts)


def nan_in_an_image(examination: Examination) -> None:
    """Put NaN into one image: an error is no failure."""
    evidence = examination.evidence
    x, y, log_det = evidence.x, evidence.y, evidence.log_det
    if examination.is_random:
        raise PropertySkipped("the layer draws random numbers")
    images = x.copy()
    images[1].reshape(-1)[x[0].size // 2] = np.nan
    result = examination.call("forward", images)
    if result.images.shape != y.shape:
        return
    others = [k for k in range(len(x)) if k != 1]
    bound = examination.tolerance_of() * scale_of(y)
    facts = difference(result.images[others], y[others], bound)
    if not facts and are_comparable(log_det, result.log_det):
        bound = examination.tolerance_of(log_det=True) * (1 + np.abs(log_det[others]))
        facts = difference(result.log_det[others], log_det[others], bound)
    if facts:
        part = "the other images of a batch with an image that holds NaN"
        examination.observe("nan_stays", {"of": part} | facts, kind="spread")
    elif np.isfinite(result.images[1]).all():
        facts = {"expected": "an error, or NaN in image 1", "got": "finite numbers in image 1"}
        examination.observe("nan_stays", facts, kind="silenced")
