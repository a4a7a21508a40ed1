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
from cinc_ref.testing.properties.rounding import rounding_of_round_trip

__all__ = ["round_trips"]

SHARES = (0.25, 0.05, 0.01)
"""The shares of another output in points between images, tried until rounding leaves a result."""


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
    _between_images(examination)


def _between_images(examination):
    """Try the inverse at points that forward has not returned, where rounding leaves a result.

    The inverse may grow exponentially there, though it is well conditioned at images of forward:
    closer points are tried then.
    """
    x, y, check = examination.evidence.x, examination.evidence.y, "forward_undoes_inverse"
    for share in SHARES:
        points = ((1 - share) * y + share * np.roll(y, 1, axis=0)).astype(y.dtype)
        examination.try_call("forward", x)  # an inverse that remembers this is wrong elsewhere
        other = examination.call("inverse", points)
        if other.images.shape != x.shape:
            facts = {"of": "x from inverse(y)", "expected": f"shape {x.shape}"}
            facts["got"] = f"{other.images.shape}"
            examination.observe("image_shape", facts, shape=other.images.shape)
            return
        if not np.isfinite(other.images).all():
            continue
        ends = other.images, points, other.log_det
        observed = _differences(examination, check, "forward", *ends)
        decided = True
        if observed:
            rounding = rounding_of_round_trip(examination, "forward", other.images, points)
            decided = rounding.is_conclusive(points).all()
            observed = _differences(examination, check, "forward", *ends, rounding)
        if observed or decided:
            _write_down(examination, check, observed)
            return
    examination.evidence.skipped[check] = (
        "the inverse is too ill conditioned, or not finite, between the images of forward"
    )


def _round_trip(examination, check, direction, start, end, log_det):
    """Compare a direction at `start` with `end` and with minus the given log-determinants."""
    observed = _differences(examination, check, direction, start, end, log_det)
    _write_down(examination, check, observed)


def _write_down(examination, check, observed):
    _note_that_it_is_tried(examination, check)
    for name, facts, data in observed:
        examination.observe(name, facts, **data)


def _differences(examination, check, direction, start, end, log_det, rounding=None):
    """Return what differs from `end` and minus log_det, beyond the given effects of rounding."""
    back = examination.call(direction, start)
    part = f"the result of {direction}"
    if back.images.shape != end.shape:
        facts = {"of": part, "expected": f"shape {end.shape}", "got": f"{back.images.shape}"}
        return [(check, facts, {"got": back.images, "expected": end, "start": start})]
    bound = examination.tolerance_of() * scale_of(end)
    if rounding is not None:
        bound, back = bound + rounding.of_entries(end), rounding.fill_in(back, end, log_det)
    observed = []
    facts = difference(back.images, end, bound)
    if facts:
        error = float(np.abs(back.images.astype(float) - end).max() / scale_of(end))
        data = {"got": back.images, "expected": end, "start": start, "error": error}
        data |= _clues(examination, check, start)
        observed.append((check, {"of": part} | facts, data))
    if back.log_det is None or log_det is None:
        return observed
    check = "log_dets_are_antisymmetric"
    _note_that_it_is_tried(examination, check)
    if not np.isfinite(log_det).all():
        return observed
    bound = examination.tolerance_of(log_det=True) * (1 + np.abs(log_det))
    if rounding is not None:
        bound = bound + rounding.log_det
    differs = difference(-back.log_det, log_det, bound)
    if differs:
        part = f"minus the log_det of {direction}; expected that of the other direction"
        data = {"got": back.log_det, "other": log_det, "direction": direction}
        data["images_agree"] = not facts
        observed.append((check, {"of": part} | differs, data))
    return observed


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
