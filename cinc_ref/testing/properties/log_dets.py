"""Log-determinants compared with differences of forward, and those of layers that keep volumes."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.testing.evidence import MAX_ENTRIES, Point
from cinc_ref.testing.failure import difference
from cinc_ref.testing.jacobian import LogDetEstimate, probed_log_det, slogdet_of
from cinc_ref.testing.properties.examination import (
    TOLERANCE_FACTOR,
    Examination,
    PropertySkipped,
)

__all__ = ["MAX_LOG_DET_ERROR", "compare_log_dets", "log_dets", "volume"]

MAX_LOG_DET_ERROR = 0.1
"""The error in nats up to which log|det J| by differences is used; it is larger near a kink."""

BASE_POINTS = 3
"""The number of images at which the Jacobian is computed."""

RANDOM_CALLS = 100
"""The number of seeds over which a random log-determinant is averaged."""

NOISES = (1e-12, 1e-9, 1e-6)
"""The noise levels, as of iterative solvers, that are assumed where eps explains no Jacobian."""


def log_dets(examination: Examination) -> None:
    """Compare log_det with differences of forward at several images."""
    evidence = examination.evidence
    x, log_det = evidence.x, evidence.log_det
    count = min(len(x), BASE_POINTS) if x[0].size <= MAX_ENTRIES else 1
    estimates = [_estimate(examination, image) for image in x[:count]]
    examination.jacobians = estimates
    conditioning = max(e.conditioning for e in estimates)
    if examination.mixes_images:  # the conditioning of an image alone is not that of a batch
        conditioning = 100.0
    evidence.tolerance = TOLERANCE_FACTOR * examination.eps * conditioning
    if log_det is None:
        raise PropertySkipped("forward returns no log-determinant")
    uncertainty = None
    if examination.is_random:
        log_det, uncertainty = _average_log_det(examination, log_det)
    elif examination.mixes_images:
        alone = [examination.call("forward", image[None]).log_det for image in x]
        log_det = np.concatenate(alone) if all(a is not None for a in alone) else log_det
    if uncertainty is not None:
        estimates = [
            replace(e, error=e.error + u) for e, u in zip(estimates, uncertainty, strict=False)
        ]
    wrong = compare_log_dets(examination, evidence.points, x, log_det, range(count), estimates)
    if wrong and count < len(x) <= 8 and x[0].size <= MAX_ENTRIES:
        rest = range(count, len(x))
        others = [_estimate(examination, x[k]) for k in rest]
        compare_log_dets(examination, evidence.points, x, log_det, rest, others, observe=False)
    _is_conclusive(examination, estimates)
    if not wrong and x[0].size <= MAX_ENTRIES and not examination.is_random:
        _visit_far_branches(examination)


def _estimate(examination, image):
    """Estimate log|det J| at an image, for a layer with noise if eps does not explain it."""
    if examination.mixes_images and image.size > 64:
        raise PropertySkipped(
            "the images depend on one another, and are too many to be taken alone"
        )
    if image.size > MAX_ENTRIES:
        return _probe(examination, image)
    estimate = slogdet_of(examination.images_of_forward, image, examination.given_tolerance)
    for noise in NOISES:
        if estimate.error <= MAX_LOG_DET_ERROR:
            break
        other = slogdet_of(examination.images_of_forward, image, noise)
        if other.error < estimate.error:
            estimate = other
    return estimate


def _probe(examination, image):
    """Estimate log|det J| of a large image by random vectors."""
    framework = examination.framework

    def transposed(base, weights):
        gradient = framework.gradient(
            lambda x: examination.call_as_is("forward", x)[0], base, weights.astype(base.dtype)
        )
        if gradient is None:
            raise PropertySkipped(
                f"an image has {image.size} entries: the whole Jacobian is computed up to "
                f"{MAX_ENTRIES}, and random vectors need the gradients of {framework.name}"
                "; choose a smaller shape"
            )
        return gradient

    rng = np.random.default_rng([examination.seed, 5])
    estimate = probed_log_det(examination.images_of_forward, transposed, image, rng)
    examination.evidence.notes.append(
        f"log|det J| of {image.size} entries by random vectors, to {estimate.error:.1g} nats: "
        "a right layer is blamed with probability below 1e-6, a smaller error is not seen"
    )
    return estimate


def _average_log_det(examination, log_det):
    """Average a random log_det over seeds; return six standard errors too."""
    draws = []
    for seed in range(RANDOM_CALLS):
        examination.current_seed = examination.seed + 1 + seed
        draws.append(examination.call("forward", examination.evidence.x))
    examination.current_seed = examination.seed
    same_images = all(np.allclose(d.images, examination.evidence.y, atol=1e-6) for d in draws)
    figures = np.array([d.log_det for d in draws])
    if not same_images or not np.ptp(figures):
        return log_det, None
    examination.evidence.notes.append(
        f"log_det is random: its mean over {RANDOM_CALLS} seeds is compared"
    )
    return figures.mean(axis=0), 6 * figures.std(axis=0, ddof=1) / np.sqrt(RANDOM_CALLS)


def compare_log_dets(
    examination: Examination,
    points: list[Point],
    images: Array,
    log_det: Array,
    indices: Iterable[int],
    estimates: list[LogDetEstimate],
    observe: bool = True,
) -> bool:
    """Append to `points` where log|det J| is known; return whether log_det differs at one of them.

    Parameters
    ----------
    examination : Examination
        The examination, which gives the tolerance.
    points : list of Point
        The list to which points are appended.
    images, log_det : ndarray
        The batch, and the result of forward.
    indices : iterable of int
        The images at which log|det J| was estimated.
    estimates : list of LogDetEstimate
        The estimates at these images.
    observe : bool
        Whether differences are written down too.
    """
    wrong = False
    for k, estimate in zip(indices, estimates, strict=True):
        if not estimate.error <= MAX_LOG_DET_ERROR and not (
            images[0].size > MAX_ENTRIES and np.isfinite(estimate.error)
        ):
            continue
        expected = estimate.log_abs_det
        bound = estimate.error + examination.tolerance_of(log_det=True) * (1 + abs(expected))
        points.append(Point(k, images, expected, bound, float(log_det[k]), estimate.jacobian))
        if not abs(float(log_det[k]) - expected) <= bound:
            wrong = True
            if observe and np.isfinite(log_det[k]):
                facts = difference(log_det[k : k + 1], np.full(1, expected), bound)
                part = f"log_det of image {k}; expected from differences of forward"
                facts = {"of": part} | facts
                examination.observe("log_det_is_that_of_the_jacobian", facts, index=k)
    return wrong


def _is_conclusive(examination, estimates):
    """Write down that nothing is known of a layer that is singular or too badly conditioned."""
    evidence = examination.evidence
    error = min(e.error for e in estimates)
    if evidence.x[0].size > MAX_ENTRIES:
        return
    if not error <= MAX_LOG_DET_ERROR:
        facts = {"expected": f"log|det J| by differences, to {MAX_LOG_DET_ERROR}"}
        fact = "J is singular" if np.isinf(error) else f"known to {error:.1g} only"
        data = {"singular": bool(np.isinf(error))}
        examination.observe("conclusive", facts | {"got": f"{fact}: other x, or float64"}, **data)
    elif not evidence.tolerance <= 0.1:
        facts = {"expected": "round trips to 0.1 or better"}
        got = f"{evidence.tolerance:.1g}: use float64"
        examination.observe("conclusive", facts | {"got": got}, singular=False)


def _visit_far_branches(examination):
    """Compare log_det at smaller and larger images, which may be on other branches."""
    evidence = examination.evidence
    if np.isfinite(examination.layer.domain).any():
        return
    for factor in (0.1, 3.0):
        images = (evidence.x * evidence.x.dtype.type(factor)).astype(evidence.x.dtype)
        result = examination.try_call("forward", images)
        if result is None or result.log_det is None or not np.isfinite(result.images).all():
            continue
        if not np.isfinite(result.log_det).all():
            continue
        estimates = [_estimate(examination, images[0])]
        points = evidence.other_points
        compare_log_dets(examination, points, images, result.log_det, [0], estimates)


def volume(examination: Examination) -> None:
    """Refuse a layer at the identity, and a log_det other than 0 where it must be 0."""
    evidence = examination.evidence
    x, y, log_det = evidence.x, evidence.y, evidence.log_det
    if log_det is None:
        raise PropertySkipped("forward returns no log-determinant")
    if examination.volume_preserving:
        bound = examination.tolerance_of(log_det=True) * x[0].size
        facts = difference(log_det, np.zeros(len(x)), bound)
        if facts:
            examination.observe("volume_is_preserved", {"of": "log_det"} | facts)
        return
    flat = (np.sort(a.reshape(len(x), -1), axis=1) for a in (x, y))
    if not log_det.any() and np.array_equal(*flat):
        if examination.volume_preserving is None:
            evidence.notes.append(
                "the layer permutes its input with log_det 0: most mistakes do not show here"
            )
            return
        facts = {
            "expected": "parameters away from their initial values, or volume_preserving=True",
            "got": "log_det 0 and y a permutation of x, where most mistakes do not show",
        }
        examination.observe("not_vacuous", facts)
