"""`Examination`, a layer under examination: calls with checks of every call, and tolerances."""

from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.testing.evidence import Evidence, Observation
from cinc_ref.testing.failure import difference
from cinc_ref.testing.jacobian import LogDetEstimate
from cinc_ref.testing.layer import InverseMissing, Layer

__all__ = [
    "TOLERANCE_FACTOR", "CallFailed", "Examination", "PropertySkipped", "Result", "are_comparable",
    "first_line", "scale_of",
]  # fmt: skip

TOLERANCE_FACTOR = 1e3
"""The allowed error of a round trip in eps, as a multiple of Skeel's number of the Jacobian."""


class CallFailed(Exception):
    """A layer raised an exception, which is the cause of this one."""


class PropertySkipped(Exception):
    """A property cannot be tried, for the reason in the message."""


class Result(NamedTuple):
    """The result of a call as arrays: images, and log-determinants of shape (N,) or None."""

    images: Array
    log_det: Any


class Examination:
    """A layer under examination: its calls, with checks of every call, and what is known of it.

    Parameters
    ----------
    layer : Layer
        The layer.
    x : ndarray
        The batch.
    volume_preserving : bool or None
        Whether log_det has to be 0; None accepts a layer that only permutes its input.
    given_tolerance : float or None
        The error of a round trip that is allowed by the user, relative to the largest entry.
    seed : int
        The seed of random vectors.
    """

    def __init__(
        self,
        layer: Layer,
        x: Array,
        volume_preserving: bool | None,
        given_tolerance: float | None,
        seed: int,
    ):
        self.layer = layer
        self.framework: Any = layer.framework
        self.volume_preserving: bool | None = volume_preserving
        self.given_tolerance: float | None = given_tolerance
        self.seed: int = seed
        self.current_seed: int = seed
        self.evidence: Evidence = Evidence(x.copy())
        self.eps: float = float(np.finfo(x.dtype).eps)
        self.log_det_eps: float = self.eps
        self.is_random: bool = False
        self.mixes_images: bool = False
        self.has_inverse: bool = layer.inverse is not None
        self.jacobians: list[LogDetEstimate] = []

    # ---- observations ----------------------------------------------------------------------------

    def observe(self, check: str, facts: dict[str, Any], **data: Any) -> None:
        """Write down that a property does not hold."""
        self.evidence.observations.append(Observation(check, facts, data))

    def observe_once(self, check: str, key: Any, facts: dict[str, Any], **data: Any) -> None:
        """Write down a property of all calls at the first of them."""
        for observation in self.evidence.observations:
            if observation.check == check and observation.data.get("key") == key:
                return
        self.observe(check, facts, key=key, **data)

    # ---- calls -----------------------------------------------------------------------------------

    def call_as_is(self, direction: str, user_array: Any) -> tuple[Any, Any]:
        """Call a direction on an array of the library, and return its pair."""
        function: Any = self.layer.forward if direction == "forward" else self.layer.inverse
        context = self.framework.seeded(self.current_seed) if self.is_random else nullcontext()
        try:
            with context:
                return function(user_array)
        except InverseMissing:
            raise
        except Exception as error:
            raise CallFailed(first_line(error)) from error

    def call(self, direction: str, array: Array) -> Result:
        """Call a direction on a copy of an array; see that the copy stays as it is."""
        user_array = self.framework.array(array)
        images, log_det = self.call_as_is(direction, user_array)
        after = self.framework.to_numpy(user_array)
        if not np.array_equal(after, array, equal_nan=True):
            facts = difference(after, array, np.zeros(()))
            facts = {"of": f"the input of {direction}, after"} | facts
            self.observe_once("inputs_are_kept", direction, facts, direction=direction)
        return self.normalized(direction, images, log_det, len(array))

    def try_call(self, direction: str, array: Array) -> Result | None:
        """Call a direction; return None if it raises."""
        try:
            return self.call(direction, array)
        except CallFailed:
            return None

    def normalized(self, direction: str, images: Any, log_det: Any, count: int) -> Result:
        """Return a result as arrays, after a look at dtypes and at the shape of log_det."""
        images = self.framework.to_numpy(images).copy()
        self._look_at_dtype(direction, "images", images)
        if log_det is None:
            facts = {"of": direction, "expected": "a pair (images, log_det)", "got": "images alone"}
            self.observe_once("returns_a_pair", direction, facts, direction=direction)
            return Result(images, None)
        log_det = self.framework.to_numpy(log_det).copy()
        self._look_at_dtype(direction, "log_det", log_det)
        return Result(images, self._one_figure_an_image(direction, log_det, count))

    def images_of_forward(self, batch: Array) -> Array:
        """Apply forward to images, one after another if they depend on their batch."""
        if not self.mixes_images:
            return self.call("forward", batch).images
        return np.concatenate([self.call("forward", image[None]).images for image in batch])

    def _look_at_dtype(self, direction, what, array):
        if array.dtype == self.evidence.x.dtype:
            return
        facts = {
            "of": f"{what} of {direction}",
            "expected": f"dtype {self.evidence.x.dtype}",
            "got": f"dtype {array.dtype}",
        }
        data = {"direction": direction, "what": what, "dtype": str(array.dtype)}
        data["zero"] = not array.any()
        self.observe_once("dtype_is_kept", (direction, what), facts, **data)
        if array.dtype.kind == "f" and what == "log_det":
            self.log_det_eps = max(self.log_det_eps, float(np.finfo(array.dtype).eps))

    def _one_figure_an_image(self, direction, log_det, count):
        """Bring log_det to shape (N,), writing down that it had another one."""
        if log_det.shape == (count,):
            return log_det
        facts = {
            "of": f"log_det of {direction}",
            "expected": f"shape ({count},)",
            "got": f"{log_det.shape}",
        }
        kind, values = "other", None
        if log_det.size == 1:
            kind, values = "scalar", np.full(count, log_det.ravel()[0])
        elif log_det.size == count and len(log_det) == count:
            kind, values = "column", log_det.reshape(count)
        elif log_det.ndim and len(log_det) == count and log_det.size:
            kind, values = "sum", log_det.reshape(count, -1).sum(axis=1)
        data = {"direction": direction, "kind": kind, "shape": log_det.shape}
        self.observe_once("log_det_shape", direction, facts, **data)
        return values

    # ---- tolerances ------------------------------------------------------------------------------

    def tolerance_of(self, log_det: bool = False) -> float:
        """Return the allowed relative error of images or of log-determinants."""
        if self.given_tolerance is not None:
            return max(self.given_tolerance, self.evidence.tolerance)
        if log_det:
            return self.evidence.tolerance * self.log_det_eps / self.eps
        return self.evidence.tolerance

    def provisional_tolerance(self) -> float:
        """Return the tolerance, or a wide one before the conditioning is known."""
        if np.isfinite(self.evidence.tolerance):
            return self.tolerance_of()
        return max(1e5 * self.eps, self.given_tolerance or 0)


def scale_of(array: Array) -> float:
    """Return the size by which errors of images are measured: 1 + the largest entry."""
    return 1 + float(np.abs(array).max(initial=0))


def first_line(error: BaseException) -> str:
    """Return the class of an exception and the first line of its message."""
    line = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {line[:160]}".rstrip(": ")


def are_comparable(log_det: Any, other: Any) -> bool:
    """Return whether log-determinants were returned and the first ones are finite."""
    return log_det is not None and other is not None and bool(np.isfinite(log_det).all())
