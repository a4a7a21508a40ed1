"""The errors of a round trip of each image that rounding alone explains."""

from typing import Any, NamedTuple

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.testing.failure import difference
from cinc_ref.testing.properties.examination import Examination, Result, scale_of

__all__ = [
    "Rounding",
    "difference_of_log_det",
    "difference_of_round_trip",
    "rounding_of_round_trip",
]

DRAWS = 3
"""The number of random perturbations by rounding errors."""

UNITS = 2.0
"""The largest relative perturbation of an entry in eps: a few rounding errors."""

FACTOR = 1e3
"""The allowed error as a multiple of the movement that perturbations of a few eps make."""


class Rounding(NamedTuple):
    """The allowed errors of a round trip by rounding, one an image: of images and of log_det."""

    images: Array
    log_det: Array

    def is_conclusive(self, end: Array) -> Array:
        """Return for each image whether a round trip tells more than rounding errors."""
        return self.images < 0.1 * scale_of(end)

    def of_entries(self, end: Array) -> Array:
        """Return the allowed errors of images in a shape that broadcasts with them."""
        return self.images.reshape(-1, *[1] * (end.ndim - 1))

    def fill_in(self, back: Result, end: Array, log_det: Any) -> Result:
        """Put the expected values where rounding errors are unbounded, so that nothing differs."""
        images = np.where(np.isinf(self.of_entries(end)), end, back.images)
        if back.log_det is None or log_det is None:
            return Result(images, back.log_det)
        return Result(images, np.where(np.isinf(self.log_det), -log_det, back.log_det))


def rounding_of_round_trip(
    examination: Examination, direction: str, start: Array, end: Array
) -> Rounding:
    """Measure how far a round trip moves when its input and the point between move by a few eps.

    Where an inverse grows exponentially from pixel to pixel, both directions may be right and
    their round trip may still return nothing of its input. A right round trip of an input that
    moves by a few eps then misses it by another error; that of a wrong one misses it by the same.

    Parameters
    ----------
    examination : Examination
        The examination, which calls the layer.
    direction : str
        The second direction of the round trip, "forward" or "inverse".
    start : ndarray, shape (N, ...)
        The point between: what the first direction returned for `end`.
    end : ndarray, shape (N, ...)
        The input of the round trip, and the expected result.
    """
    first = "inverse" if direction == "forward" else "forward"
    rng = np.random.default_rng([examination.seed, 11])
    before = examination.call(first, end)
    back = examination.call(direction, start)
    images, log_dets = np.zeros(len(end)), np.zeros(len(end))
    for _ in range(DRAWS):
        moved_end = _moved(examination, rng, end)
        between = examination.call(first, moved_end)
        moved_back = examination.call(direction, between.images)
        error = moved_back.images.astype(float) - moved_end
        images = np.maximum(images, _largest(error - (back.images.astype(float) - end)))
        log_dets = np.maximum(log_dets, _change(between.log_det, before.log_det))
        log_dets = np.maximum(log_dets, _change(moved_back.log_det, back.log_det))
        other = examination.call(direction, _moved(examination, rng, start))
        images = np.maximum(images, _largest(other.images.astype(float) - back.images))
        log_dets = np.maximum(log_dets, _change(other.log_det, back.log_det))
    exploded = _largest(start) > examination.eps**-0.5 * scale_of(end)
    images, log_dets = (
        np.where(np.isfinite(movement) | exploded, movement, 0.0) for movement in (images, log_dets)
    )  # results that are not finite are explained by a point far away alone
    return Rounding(
        _allowed(examination, images, scale_of(end)),
        _allowed(examination, log_dets, 1 + np.abs(_finite(before.log_det))),
    )


def difference_of_round_trip(
    examination: Examination, y: Array, back: Array, x: Array, factor: float
) -> tuple[dict[str, str], bool]:
    """Compare what the inverse returned for y with x, to a multiple of the tolerance.

    Returns
    -------
    facts : dict
        The difference beyond rounding; empty if there is none.
    explained : bool
        Whether there is a difference, and rounding alone may explain it.
    """
    bound = factor * examination.tolerance_of() * scale_of(x)
    facts = difference(back, x, bound)
    if not facts or back.shape != x.shape:
        return facts, False
    rounding = rounding_of_round_trip(examination, "inverse", y, x)
    facts = difference(back, x, bound + rounding.of_entries(x))
    return facts, not facts


def difference_of_log_det(
    examination: Examination, log_det: Array, forward: Result, x: Array, factor: float
) -> dict[str, str]:
    """Compare the log_det of the inverse with minus that of forward at x, if it is finite.

    Returns
    -------
    dict
        The difference beyond rounding; empty if there is none.
    """
    expected = forward.log_det
    if expected is None or not np.isfinite(expected).all():
        return {}
    bound = factor * examination.tolerance_of(log_det=True) * (1 + np.abs(expected))
    facts = difference(-log_det, expected, bound)
    if facts:
        rounding = rounding_of_round_trip(examination, "inverse", forward.images, x)
        facts = difference(-log_det, expected, bound + rounding.log_det)
    return facts


def _moved(examination, rng, array):
    """Move every entry by a few rounding errors of its own."""
    noise = 1 + UNITS * examination.eps * rng.uniform(-1, 1, array.shape)
    return (array.astype(np.longdouble) * noise).astype(array.dtype)


def _largest(array):
    """Return the largest entry of each image; infinity where one is not finite."""
    largest = np.abs(array.reshape(len(array), -1)).max(axis=1, initial=0)
    return np.where(np.isfinite(largest), largest, np.inf)


def _change(log_det: Any, other: Any):
    return 0.0 if log_det is None or other is None else _largest(log_det - other)


def _finite(log_det: Any):
    return 0.0 if log_det is None else np.nan_to_num(log_det.astype(float))


def _allowed(examination, movement, scale):
    """Return the allowed errors; where rounding leaves nothing, errors of one size vary widely."""
    chaotic = FACTOR * movement > scale
    return movement * np.where(chaotic, max(FACTOR, examination.eps**-0.5), FACTOR)
