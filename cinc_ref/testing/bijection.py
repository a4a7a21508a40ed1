"""`check_bijection`, the test of any invertible layer by its two directions."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cinc_ref import _validate
from cinc_ref.testing.failure import CheckFailure, difference, to_numpy
from cinc_ref.testing.jacobian import slogdet_of

__all__ = ["check_bijection"]

BASE_POINTS = 3
"""The number of images at which the Jacobian is computed."""

TOLERANCE_FACTOR = 1e3
"""The allowed error of a round trip in eps, as a multiple of Skeel's number of the Jacobian."""

MAX_LOG_DET_ERROR = 0.1
"""The error in nats up to which log|det J| by differences is used; it is larger near a kink."""

MAX_ENTRIES = 1024
"""The largest number of entries of an image, because the Jacobian has its square."""


def check_bijection(
    forward: Callable[[Any], Any],
    inverse: Callable[[Any], Any],
    x: Any,
    volume_preserving: bool = False,
) -> None:
    r"""Fail unless a layer inverts itself and its log-determinants are right.

    Both round trips are tried, and whether the log-determinants have shape (N,), are antisymmetric
    and equal

    .. math::
        \log|\det \partial y / \partial x|

    by central differences at several images (their error is estimated and stated); whether images
    are independent of each other, calls repeat, inputs and earlier results stay as they are, and
    the dtype is that of x. A failure gives the name of the property.

    Parameters
    ----------
    forward, inverse : callable
        ``forward(x) -> (y, log_det)`` and ``inverse(y) -> (x, log_det)`` with log_det of shape (N,)
        in nats. They receive NumPy arrays, or PyTorch tensors if x is one, of any number of images.
    x : array_like or tensor, shape (N, ...)
        Images of at most 1024 entries each, in float32 or (sharper) float64. Three or more are
        best; a single one is completed by a second that is 3/4 of it.
    volume_preserving : bool
        Whether the log-determinant is 0 by design. Otherwise a layer that has log-determinant 0
        and only permutes its input is refused, because nothing can be tested at the identity: move
        its parameters away from their initial values first.

    Raises
    ------
    OptionError
        If `volume_preserving` is no truth value.
    CheckFailure
        An AssertionError whose `check` is the name of the property that failed.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.testing import check_bijection
    >>> x = np.random.default_rng(0).normal(size=(3, 2, 2, 2))
    >>> def forward(x):
    ...     return 3 * x + 1, np.full(len(x), x[0].size * np.log(3))
    >>> def inverse(y):
    ...     return (y - 1) / 3, np.full(len(y), -y[0].size * np.log(3))
    >>> check_bijection(forward, inverse, x)
    """
    volume_preserving = _validate.boolean("volume_preserving", volume_preserving)
    layer = _Layer(forward, inverse, x)
    x = layer.x
    y, log_det = layer.call("forward", x)
    _shapes(layer, x, y, log_det)
    _repeats(layer, x, y, log_det)
    _results_are_kept(layer, "forward", x)
    jacobians = [slogdet_of(layer.forward_array, image) for image in x[:BASE_POINTS]]
    tolerance = TOLERANCE_FACTOR * layer.eps * max(jacobian.conditioning for jacobian in jacobians)

    _round_trip(layer, "inverse_undoes_forward", "inverse", y, x, tolerance, log_det)
    _results_are_kept(layer, "inverse", y)
    points = _points_between(y)
    layer.call("forward", x)  # an inverse that remembers this is wrong at other points
    other, other_log_det = layer.call("inverse", points)
    layer.require_shape("image_shape", other, x.shape, "x from inverse(y)")
    _round_trip(layer, "forward_undoes_inverse", "forward", other, points, tolerance, other_log_det)
    _conclusive(layer, jacobians, tolerance)
    for k, jacobian in enumerate(jacobians):
        if jacobian.error <= MAX_LOG_DET_ERROR:
            layer.assert_within(
                "log_det_is_that_of_the_jacobian",
                log_det[k : k + 1],
                np.full(1, jacobian.log_abs_det),
                jacobian.error + tolerance * (1 + abs(jacobian.log_abs_det)),
                f"log_det of image {k}; expected from differences of forward",
            )
    _images_apart(layer, x, y, log_det, "forward", tolerance)
    _images_apart(layer, y, *layer.call("inverse", y), "inverse", tolerance)
    _not_vacuous(layer, x, y, log_det, volume_preserving, tolerance)


class _Layer:
    """The two directions as functions of NumPy arrays, with checks of every call."""

    def __init__(self, forward, inverse, x):
        self.functions = {"forward": forward, "inverse": inverse}
        self.tensor = x if hasattr(x, "new_tensor") else None
        self.x = to_numpy(x).copy()
        dtype = self.x.dtype
        if dtype not in (np.float32, np.float64):
            self.fail("usable_input", {"expected": "x of float32 or float64", "got": f"{dtype}"})
        if self.x.ndim < 2 or not len(self.x):
            facts = {"expected": "images (N, ...), N >= 1", "got": f"shape {self.x.shape}"}
            self.fail("usable_input", facts)
        if len(self.x) == 1:
            self.x = np.concatenate([self.x, self.x * dtype.type(0.75)])
        if not 0 < self.x[0].size <= MAX_ENTRIES:
            facts = {
                "expected": f"images of 1 to {MAX_ENTRIES} entries",
                "got": f"{self.x[0].size}",
            }
            self.fail("usable_input", facts)
        self.eps = float(np.finfo(dtype).eps)

    def call(self, direction, array):
        """Call a direction; return (images, log_det) as arrays and check that the input is kept."""
        user_array = self.to_user_array(array)
        result = self.call_user(direction, user_array)
        facts = difference(to_numpy(user_array), array, np.zeros(()))
        if facts:
            self.fail("inputs_are_kept", {"of": f"the input of {direction}, after"} | facts)
        images, log_det = (to_numpy(part).copy() for part in result)
        for part, what in ((images, "images"), (log_det, "log_det")):
            if part.dtype != self.x.dtype:
                facts = {"expected": f"dtype {self.x.dtype}", "got": f"dtype {part.dtype}"}
                self.fail("dtype_is_kept", {"of": f"{what} of {direction}"} | facts)
        return images, log_det

    def to_user_array(self, array):
        """Copy an array, to a tensor if x is one."""
        return array.copy() if self.tensor is None else self.tensor.new_tensor(array)

    def call_user(self, direction, user_array):
        """Call a direction and return its pair without conversion."""
        try:
            result = self.functions[direction](user_array)
        except Exception as error:
            facts = {"of": direction, "got": f"{type(error).__name__}: {error}"}
            self.fail("returns_a_pair", facts, error)
        if not (isinstance(result, tuple | list) and len(result) == 2):
            facts = {"expected": "a pair (images, log_det)", "got": type(result).__name__}
            self.fail("returns_a_pair", {"of": direction} | facts)
        return result

    def forward_array(self, array):
        """Apply forward to images, without the log-determinants."""
        return self.call("forward", array)[0]

    def assert_within(self, check, got, expected, bound, part):
        """Fail unless `got` is within the bound of the expected array."""
        facts = difference(got, np.asarray(expected), np.asarray(bound))
        if facts:
            self.fail(check, {"of": part} | facts)

    def require_shape(self, check, got, shape, part):
        """Fail unless `got` has this shape."""
        if got.shape != shape:
            self.fail(check, {"of": part, "expected": f"shape {shape}", "got": f"{got.shape}"})

    def fail(self, check, facts, cause=None):
        """Raise the failure of a named check."""
        facts = facts | {"shapes": f"x {self.x.shape}", "dtype": str(self.x.dtype)}
        facts["seed"] = "none: everything follows from x"
        snippet = [
            "from cinc_ref.testing import check_bijection",
            "check_bijection(forward, inverse, x)",
        ]
        raise CheckFailure(check, STATEMENTS[check], facts, snippet) from cause


STATEMENTS = {
    "usable_input": "x is a batch on which the layer can be tested",
    "returns_a_pair": "forward and inverse return (images, log_det)",
    "inputs_are_kept": "forward and inverse leave their inputs as they are",
    "dtype_is_kept": "images and log_det have the dtype of x",
    "image_shape": "forward keeps the number of images and of entries an image",
    "log_det_shape": "log_det has shape (N,): one figure an image",
    "finite": "images and log_det are finite",
    "inverse_undoes_forward": "inverse(forward(x)) is x",
    "forward_undoes_inverse": "forward(inverse(y)) is y, for y between the images of x",
    "log_dets_are_antisymmetric": "log_det of inverse at y is minus that of forward at x",
    "log_det_is_that_of_the_jacobian": "log_det is log|det dy/dx|",
    "images_are_independent": "an image has the same result whatever other images the batch holds",
    "calls_repeat": "a call gives the same result each time",
    "results_are_kept": "a result stays as it is when the layer is called again",
    "conclusive": "the layer is smooth and well conditioned enough to be tested in this dtype",
    "not_vacuous": "the layer does something that can be tested",
    "volume_is_preserved": "a layer that preserves volume has log_det 0",
}
"""The properties that `check_bijection` tries, by the name that a failure gives."""


def _shapes(layer, x, y, log_det):
    if y.ndim == 0 or len(y) != len(x) or y.size != x.size:
        facts = {"expected": f"{len(x)} images of {x[0].size} entries", "got": f"shape {y.shape}"}
        layer.fail("image_shape", facts)
    layer.require_shape("log_det_shape", log_det, (len(x),), "log_det of forward")
    for part, what in ((y, "y"), (log_det, "log_det")):
        if not np.isfinite(part).all():
            layer.fail(
                "finite", {"of": what, "expected": "finite numbers", "got": "NaN or infinity"}
            )


def _round_trip(layer, check, direction, start, end, tolerance, log_det):
    """Fail unless a direction maps `start` to `end` with minus the given log-determinant."""
    back, back_log_det = layer.call(direction, start)
    layer.require_shape(check, back, end.shape, f"the result of {direction}")
    layer.assert_within(check, back, end, tolerance * _scale(end), f"the result of {direction}")
    layer.require_shape("log_det_shape", back_log_det, (len(end),), f"log_det of {direction}")
    bound = tolerance * (1 + np.abs(log_det))
    part = f"minus the log_det of {direction}; expected that of the other direction"
    layer.assert_within("log_dets_are_antisymmetric", -back_log_det, log_det, bound, part)


def _conclusive(layer, jacobians, tolerance):
    """Fail if the Jacobian is known too badly for the test to be able to fail."""
    error = min(jacobian.error for jacobian in jacobians)
    if not error <= MAX_LOG_DET_ERROR:
        facts = {"expected": f"log|det J| by differences, to {MAX_LOG_DET_ERROR}"}
        fact = "J is singular" if np.isinf(error) else f"known to {error:.1g} only"
        layer.fail("conclusive", facts | {"got": f"{fact}: other x, or float64"})
    if not tolerance <= 0.1:
        facts = {"expected": "round trips to 0.1 or better", "got": f"{tolerance:.1g}: use float64"}
        layer.fail("conclusive", facts)


def _scale(array):
    return 1 + np.abs(array).max()


def _points_between(y):
    """Mix outputs to other points of the range of forward, if that is convex."""
    mixed = 0.75 * y + 0.25 * np.roll(y, 1, axis=0)
    return mixed.astype(y.dtype)


def _images_apart(layer, x, y, log_det, direction, tolerance):
    """Compute each image among other ones, and alone."""
    for batch, row in ((x[::-1], -1), (np.concatenate([x[:1], x[:0:-1] * 0.5]), 0), (x[:1], 0)):
        images, figures = layer.call(direction, np.ascontiguousarray(batch))
        part = f"image 0 of {direction} in a batch of {len(batch)}"
        check = "images_are_independent"
        layer.require_shape(check, figures, (len(batch),), f"log_det of {direction}")
        layer.assert_within(check, images[row], y[0], tolerance * _scale(y), part)
        layer.assert_within(
            check, figures[row], log_det[0], tolerance * (1 + abs(log_det[0])), part
        )


def _repeats(layer, x, y, log_det):
    again, figures = layer.call("forward", x)
    layer.assert_within("calls_repeat", again, y, TOLERANCE_FACTOR * layer.eps * _scale(y), "y")
    bound = TOLERANCE_FACTOR * layer.eps * (1 + np.abs(log_det))
    layer.assert_within("calls_repeat", figures, log_det, bound, "log_det")


def _results_are_kept(layer, direction, array):
    """Compare a result before and after a call with the same images in another order."""
    pair = layer.call_user(direction, layer.to_user_array(array))
    results = [to_numpy(part) for part in pair]
    copies = [part.copy() for part in results]
    layer.call(direction, np.ascontiguousarray(array[::-1]))
    for part, before, name in zip(results, copies, ("images", "log_det"), strict=True):
        description = f"{name} of {direction} after the next call"
        layer.assert_within("results_are_kept", part, before, 0.0, description)


def _not_vacuous(layer, x, y, log_det, volume_preserving, tolerance):
    if volume_preserving:
        bound = tolerance * x[0].size
        layer.assert_within("volume_is_preserved", log_det, np.zeros(len(x)), bound, "log_det")
        return
    flat = (np.sort(a.reshape(len(x), -1), axis=1) for a in (x, y))
    if not log_det.any() and np.array_equal(*flat):
        facts = {
            "expected": "parameters away from their initial values, or volume_preserving=True",
            "got": "log_det 0 and y a permutation of x, where most mistakes do not show",
        }
        layer.fail("not_vacuous", facts)
