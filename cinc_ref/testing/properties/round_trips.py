"""Both round trips of a layer and its inverse, and the log-determinants of the inverse."""

import numpy as np

from cinc_ref.testing.failure import difference
from cinc_ref.testing.jacobian import slogdet_of
from cinc_ref.testing.layer import InverseMissing
from cinc_ref.testing.properties.examination import (
    CallFailed,
    Examination,
    PropertySkipped,
    scale_of,
)
from cinc_ref.testing.properties.repeated_calls import results_are_kept

__all__ = ["round_trips"]


def round_trips(examination: Examination) -> None:
    """Try both round trips, and the log-determinants of the inverse."""
    evidence = examination.evidence
    if not examination.has_inverse:
        raise PropertySkipped("the layer has no inverse")
    if not np.isfinite(evidence.tolerance):
        evidence.tolerance = 1e5 * examination.eps
    x, y, log_det = evidence.x, evidence.y, evidence.log_det
    try:
        _round_trip(examination, "inverse_undoes_forward", "inverse", y, x, log_det)
    except InverseMissing:
        examination.has_inverse = False
        raise
    except CallFailed as error:
        facts = {"of": "inverse", "got": str(error)}
        examination.observe("returns_a_pair", facts, error=error, raised=True, direction="inverse")
        examination.has_inverse = False
        raise
    results_are_kept(examination, "inverse", y)
    points = _points_between(y)
    examination.try_call("forward", x)  # an inverse that remembers this is wrong at other points
    other = examination.call("inverse", points)
    if other.images.shape != x.shape:
        facts = {"of": "x from inverse(y)", "expected": f"shape {x.shape}"}
        facts["got"] = f"{other.images.shape}"
        examination.observe("image_shape", facts, shape=other.images.shape)
        return
    if np.isfinite(other.images).all():
        check = "forward_undoes_inverse"
        _round_trip(examination, check, "forward", other.images, points, other.log_det)


def _points_between(y):
    """Mix outputs to other points of the range of forward, if that is convex."""
    return (0.75 * y + 0.25 * np.roll(y, 1, axis=0)).astype(y.dtype)


def _round_trip(examination, check, direction, start, end, log_det):
    """Compare a direction at `start` with `end` and with minus the given log-determinants."""
    back = examination.call(direction, start)
    _note_that_it_is_tried(examination, check)
    part = f"the result of {direction}"
    if back.images.shape != end.shape:
        facts = {"of": part, "expected": f"shape {end.shape}", "got": f"{back.images.shape}"}
        examination.observe(check, facts, got=back.images, expected=end, start=start)
        return
    facts = difference(back.images, end, examination.tolerance_of() * scale_of(end))
    if facts:
        error = float(np.abs(back.images.astype(float) - end).max() / scale_of(end))
        data = {"got": back.images, "expected": end, "start": start, "error": error}
        data |= _clues(examination, check, start)
        examination.observe(check, {"of": part} | facts, **data)
    if back.log_det is None or log_det is None:
        return
    check = "log_dets_are_antisymmetric"
    _note_that_it_is_tried(examination, check)
    if not np.isfinite(log_det).all():
        return
    bound = examination.tolerance_of(log_det=True) * (1 + np.abs(log_det))
    differs = difference(-back.log_det, log_det, bound)
    if differs:
        part = f"minus the log_det of {direction}; expected that of the other direction"
        examination.observe(
            check, {"of": part} | differs,
            got=back.log_det, other=log_det, direction=direction, images_agree=not facts,
        )  # fmt: skip


def _note_that_it_is_tried(examination, check):
    if check not in examination.evidence.tried:
        examination.evidence.tried.append(check)


def _clues(examination, check, start):
    """Collect what tells the mistake of an inverse: forward again, and both Jacobians."""
    jacobians = examination.jacobians
    if check != "inverse_undoes_forward" or start[0].size > 256 or not jacobians:
        return {}
    clues = {"jacobian": jacobians[0].jacobian}
    try:
        images = start.reshape(examination.evidence.x.shape)
        clues["again"] = examination.call("forward", images).images
        estimate = slogdet_of(lambda y: examination.call("inverse", y).images, start[0])
        clues["backward"] = estimate.jacobian
    except (CallFailed, InverseMissing):
        pass
    return clues
