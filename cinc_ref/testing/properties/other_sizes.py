"""Images of other heights and widths, for layers that take them."""

import numpy as np

from cinc_ref.testing.evidence import MAX_ENTRIES
from cinc_ref.testing.failure import difference
from cinc_ref.testing.jacobian import slogdet_of
from cinc_ref.testing.properties.examination import Examination, PropertySkipped
from cinc_ref.testing.properties.log_dets import compare_log_dets
from cinc_ref.testing.properties.rounding import difference_of_log_det, difference_of_round_trip

__all__ = ["other_sizes"]

FACTOR = 10
"""The allowed error at other sizes, as a multiple of the tolerance for images like x."""

LARGE_PIXELS = 210
"""A number of pixels, 14 by 15, above limits such as 200 or 14 x 14."""

LARGE_ENTRIES = 900
"""The largest number of entries of images of other sizes: a Jacobian of a third of a second."""


def other_sizes(examination: Examination) -> None:
    """Compare round trips and log_det for images of other sizes, where the layer takes them."""
    x = examination.evidence.x
    if examination.layer.shape is not None or x.ndim != 4 or examination.is_random:
        raise PropertySkipped("the layer takes entries of one shape")
    if np.isfinite(examination.layer.domain).any():
        raise PropertySkipped("the layer takes entries from an interval")
    taken = 0
    for shape in _sizes(examination.evidence):
        images = np.random.default_rng([examination.seed, *shape]).normal(size=(2, *shape))
        taken += _is_taken(examination, images.astype(x.dtype))
    if not taken:
        raise PropertySkipped("images of other sizes are refused")


def _sizes(evidence):
    """Return other shapes (C, H, W): oblong, square, and more than 200 pixels."""
    c, h, w = evidence.x.shape[1:]
    multiples = [(k * h, m * w) for k in range(2, 15) for m in range(2, 15)]
    enough = [size for size in multiples if size[0] * size[1] >= LARGE_PIXELS]
    larger = min(enough or [(h, w)], key=lambda size: (size[0] * size[1], sum(size)))
    sizes = [(2 * h, w), (h, 2 * w), (max(h, w), max(h, w))]
    if not evidence.observations:  # where nothing is wrong yet
        sizes.append(larger)
    sizes = [size for size in dict.fromkeys(sizes) if size != (h, w)]
    return [(c, *size) for size in sizes if c * size[0] * size[1] <= LARGE_ENTRIES]


def _is_taken(examination, images):
    """Try one other size; return whether the layer took it."""
    result = examination.try_call("forward", images)
    if result is None or result.images.size != images.size:
        return False
    if not np.isfinite(result.images).all():
        return False
    back = examination.try_call("inverse", result.images) if examination.has_inverse else None
    undone = back is not None and _is_undone(examination, result.images, back.images, images)
    too_large = images[0].size > MAX_ENTRIES
    if result.log_det is not None and not too_large and not examination.mixes_images:
        right = _is_right(examination, images, result.log_det)
        if right and undone and back is not None and back.log_det is not None:
            _compare_with_forward(examination, back.log_det, result, images)
    return True


def _is_undone(examination, y, back, images):
    """Compare what the inverse returned with the images; return whether they agree."""
    facts, explained = difference_of_round_trip(examination, y, back, images, FACTOR)
    if facts:
        facts = {"of": f"inverse(forward(x)), x {images.shape}"} | facts
        examination.observe("other_sizes", facts, what="inverse", shape=images.shape[1:])
    elif explained:
        examination.evidence.notes.append(
            f"inverse(forward(x)), x {images.shape}: so ill conditioned that little is decided"
        )
    return not facts and not explained


def _is_right(examination, images, log_det):
    """Compare log_det with differences of forward at the first image; return False if it differs.

    Where differences are too rough, it counts as right.
    """
    estimate = slogdet_of(examination.images_of_forward, images[0])
    points = examination.evidence.other_points
    compare_log_dets(examination, points, images, log_det, [0], [estimate], observe=False)
    point = points[-1] if points else None
    if point is None or point.images is not images:
        return True
    right = abs(point.got - point.expected) <= point.error
    if not right:
        figures = (np.full(1, value) for value in (point.got, point.expected, point.error))
        facts = {"of": f"log_det, x {images.shape}"} | difference(*figures)
        examination.observe("other_sizes", facts, what="log_det", shape=images.shape[1:])
    return right


def _compare_with_forward(examination, log_det, forward, images):
    """Compare the log_det of the inverse with minus forward's, if they agree for images like x."""
    if "log_dets_are_antisymmetric" in examination.evidence.failed:
        return
    facts = difference_of_log_det(examination, log_det, forward, images, FACTOR)
    if facts:
        facts = {"of": f"minus the log_det of the inverse, x {images.shape}"} | facts
        examination.observe("other_sizes", facts, what="inverse's log_det", shape=images.shape[1:])
