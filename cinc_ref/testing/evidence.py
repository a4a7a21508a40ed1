"""`Evidence`, what was observed of a layer without a judgement, and the names of its properties."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from cinc_ref._typing import Array

__all__ = ["EDGES", "MAX_ENTRIES", "STATEMENTS", "Evidence", "Observation", "Point"]

MAX_ENTRIES = 1024
"""The largest number of entries of an image whose whole Jacobian is computed: its square."""

STATEMENTS: dict[str, str] = {
    "usable_input": "x is a batch on which the layer can be tested",
    "returns_a_pair": "forward and inverse return (images, log_det)",
    "inputs_are_kept": "forward and inverse leave their inputs as they are",
    "dtype_is_kept": "images and log_det have the dtype of x",
    "image_shape": "forward keeps the number of images and of entries an image",
    "log_det_shape": "log_det has shape (N,): one figure an image",
    "finite": "images and log_det are finite",
    "calls_repeat": "a call gives the same result each time",
    "results_are_kept": "a result stays as it is when the layer is called again",
    "inverse_undoes_forward": "inverse(forward(x)) is x",
    "forward_undoes_inverse": "forward(inverse(y)) is y, for y between the images of x",
    "log_dets_are_antisymmetric": "log_det of inverse at y is minus that of forward at x",
    "conclusive": "the layer is smooth and well conditioned enough to be tested in this dtype",
    "log_det_is_that_of_the_jacobian": "log_det is log|det dy/dx|",
    "images_are_independent": "an image has the same result whatever other images the batch holds",
    "volume_is_preserved": "a layer that preserves volume has log_det 0",
    "not_vacuous": "the layer does something that can be tested",
    "other_sizes": "a layer that takes images of another size is right there too",
    "strided_input": "an array that is not contiguous gives the same result, or an error",
    "empty_batch": "an empty batch gives an empty result, or an error",
    "nan_stays": "NaN gives an error, or NaN in the result of that image alone",
    "gradients": "the gradients of images and log_det are the slopes of forward",
    "parameters_are_read_anew": "forward and inverse follow a change of the parameters",
}
"""The properties that are tried, by name, in the order of their consequences."""

EDGES = ("other_sizes", "empty_batch", "nan_stays")
"""The properties of other inputs than the batch: functions may be made for images of one size."""


class Observation(NamedTuple):
    """A property that does not hold: its name, facts for a message, and data for the diagnosis."""

    check: str
    facts: dict[str, Any]
    data: dict[str, Any]


@dataclass
class Point:
    """An image at which log|det J| is known: where it is in which batch, expected and got."""

    index: int
    images: Array  # the batch
    expected: float
    error: float
    got: float
    jacobian: Any = None


@dataclass
class Evidence:
    """The observations about a layer, and what was tried, in order.

    Parameters
    ----------
    x : ndarray
        The batch.
    tolerance : float
        The error of a round trip that is allowed, relative to the largest entry.
    """

    x: Array
    tolerance: float = np.nan
    observations: list[Observation] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    other_points: list[Point] = field(default_factory=list)
    y: Any = None
    log_det: Any = None

    @property
    def failed(self) -> dict[str, list[Observation]]:
        """The observations by the name of the property."""
        failed: dict[str, list[Observation]] = {}
        for observation in self.observations:
            failed.setdefault(observation.check, []).append(observation)
        return failed
