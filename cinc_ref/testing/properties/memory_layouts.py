"""Arrays whose memory is in another order, has gaps, runs backwards or is read-only."""

import numpy as np

from cinc_ref.testing.failure import difference
from cinc_ref.testing.properties.examination import (
    CallFailed,
    Examination,
    PropertySkipped,
    are_comparable,
    scale_of,
)

__all__ = ["memory_layouts"]

REPEATED = "in which one image is repeated by a stride of 0"
"""The description of the view whose images are all the first one."""


def memory_layouts(examination: Examination) -> None:
    """Pass memory in another order, as transposing gives it."""
    if examination.is_random:
        raise PropertySkipped("the layer draws random numbers")
    evidence = examination.evidence
    x, y, log_det = evidence.x, evidence.y, evidence.log_det
    directions = [("forward", x, y, log_det)]
    if examination.has_inverse:
        back = examination.call("inverse", y)
        directions.append(("inverse", y, back.images, back.log_det))
    for direction, start, end, figures in directions:
        if not np.isfinite(end).all():
            continue
        arrays = [("in reverse order of axes", examination.framework.strided(start))]
        if isinstance(arrays[0][1], np.ndarray):
            arrays += _views(start)
            if not evidence.observations:  # where nothing is wrong yet
                arrays.append((REPEATED, np.broadcast_to(start[:1], start.shape)))
        for description, user_array in arrays:
            expected = end, figures
            if description == REPEATED:
                first = [0] * len(end)
                expected = end[first], figures if figures is None else figures[first]
            facts = _misreading(examination, direction, (description, user_array), expected)
            if facts:
                examination.observe(
                    "strided_input", {"of": f"{direction}, memory {description}"} | facts,
                    direction=direction, description=description,
                )  # fmt: skip
                break


def _misreading(examination, direction, described_array, expected):
    """Return how the result for an array differs from the expected one: {} if it is refused."""
    (description, user_array), (end, figures) = described_array, expected
    try:
        pair = examination.call_as_is(direction, user_array)
        result = examination.normalized(direction, *pair, len(end))
    except CallFailed as error:
        note = f"{direction} refuses memory {description}: {error}"
        examination.evidence.notes.append(note)
        return {}
    facts = difference(result.images, end, examination.tolerance_of() * scale_of(end))
    if not facts and are_comparable(figures, result.log_det):
        bound = examination.tolerance_of(log_det=True) * (1 + np.abs(figures))
        facts = difference(result.log_det, figures, bound)
    return facts


def _views(array):
    """Return views that a function of NumPy arrays may misread, with the entries of the array."""
    backwards = np.ascontiguousarray(array[..., ::-1])[..., ::-1]
    last_first = np.ascontiguousarray(array[::-1])[::-1]
    spaced = np.repeat(array, 2, axis=-1)[..., ::2]
    read_only = array.copy()
    read_only.flags.writeable = False
    return [
        ("with negative strides", backwards),
        ("with a negative stride of the batch", last_first),
        ("with gaps", spaced),
        ("that is read-only", read_only),
    ]
