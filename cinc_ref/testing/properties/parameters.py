"""Parameters that change between calls: forward and inverse have to follow."""

import numpy as np

from cinc_ref.testing.jacobian import slogdet_of
from cinc_ref.testing.properties.examination import Examination, PropertySkipped, scale_of
from cinc_ref.testing.properties.log_dets import MAX_LOG_DET_ERROR
from cinc_ref.testing.properties.rounding import difference_of_log_det, difference_of_round_trip

__all__ = ["moved_parameters"]

FACTOR = 100
"""The allowed error of the moved layer, as a multiple of the tolerance of the layer as it was."""

MAX_COMPARED_ENTRIES = 256
"""The largest number of entries of an image whose Jacobian is computed again: its square."""


def moved_parameters(examination: Examination) -> None:
    """Change the parameters between calls: forward and inverse have to follow."""
    if examination.layer.perturb is None:
        raise PropertySkipped("the layer has no parameters that can be moved")
    if not examination.has_inverse:
        raise PropertySkipped("the layer has no inverse")
    x = examination.evidence.x
    examination.try_call("inverse", examination.evidence.y)
    moved = examination.layer.perturb(np.random.default_rng([examination.seed, 7]), 0.05)
    if not moved:
        raise PropertySkipped("the layer has no trainable parameters")
    result = examination.call("forward", x)
    if not np.isfinite(result.images).all():
        raise PropertySkipped("the moved layer is not finite")
    failed = examination.evidence.failed
    if "inverse_undoes_forward" in failed:
        raise PropertySkipped("the inverse is wrong from the start")
    back = examination.call("inverse", result.images)
    facts, explained = difference_of_round_trip(examination, result.images, back.images, x, FACTOR)
    if facts:
        error = float(np.abs(back.images - x).max() / scale_of(x))
        facts = {"of": "inverse(forward(x)) after the parameters have moved"} | facts
        examination.observe("parameters_are_read_anew", facts, error=error)
    elif explained:
        examination.evidence.notes.append(
            "inverse(forward(x)) after the parameters have moved: so ill conditioned that little "
            "is decided"
        )
    elif back.log_det is not None and "log_dets_are_antisymmetric" not in failed:
        facts = difference_of_log_det(examination, back.log_det, result, x, FACTOR)
        if facts:
            of = "minus the log_det of the inverse after the parameters have moved"
            data = {"what": "inverse's log_det", "error": np.inf}
            examination.observe("parameters_are_read_anew", {"of": of} | facts, **data)
    if result.log_det is not None and not examination.mixes_images:
        _compare_log_det(examination, result.log_det)


def _compare_log_det(examination, log_det):
    """Compare log_det with differences of forward, if it was right before and images are small."""
    x = examination.evidence.x
    wrong_before = "log_det_is_that_of_the_jacobian" in examination.evidence.failed
    if wrong_before or x[0].size > MAX_COMPARED_ENTRIES:
        return
    estimate = slogdet_of(examination.images_of_forward, x[0])
    bound = estimate.error + 10 * examination.tolerance_of(log_det=True) * (
        1 + abs(estimate.log_abs_det)
    )
    wrong = not abs(float(log_det[0]) - estimate.log_abs_det) <= bound
    if wrong and estimate.error < MAX_LOG_DET_ERROR:
        facts = {
            "of": "log_det after the parameters have moved",
            "expected": f"{estimate.log_abs_det:.6g}, to {bound:.1e}",
            "got": f"{float(log_det[0]):.6g}",
        }
        examination.observe("parameters_are_read_anew", facts, what="log_det", error=np.inf)
