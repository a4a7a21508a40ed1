"""Any invertible layer, from its two directions alone."""

import numpy as np

from cinc_ref.testing.failure import CheckFailure, disagreement, to_numpy
from cinc_ref.testing.jacobian import slogdet_of

BASE_POINTS = 3
ROUNDING = 1e3
"""Rounding units allowed, times the layer's conditioning (Skeel's number of its Jacobian)."""
WORST_ERROR = 0.1
"""Of log|det J| by differences; a point that is worse, as beside a kink, decides nothing."""
LARGEST = 1024
"""How many entries an image may have: the Jacobian is the square of it."""


def check_bijection(forward, inverse, x, volume_preserving=False):
    r"""Fail unless a layer inverts itself and its log-determinants are right.

    Tried, each under a name that the failure gives: both round trips, log-determinants of shape
    (N,) that are antisymmetric and equal

    .. math::
        \log|\det \partial y / \partial x|

    of central differences at several images (their error is estimated and stated), images that do
    not see each other, repeated calls, inputs and earlier results left as they are, and the dtype.

    Parameters
    ----------
    forward, inverse : callable
        ``forward(x) -> (y, log_det)`` and ``inverse(y) -> (x, log_det)``; they receive what x is,
        NumPy arrays or PyTorch tensors, with any number of images.
    x : array_like or tensor, shape (N, ...)
        Images of at most 1024 entries each, float32 or (sharper) float64; three or more are best,
        and to a single one a second is added that is 3/4 of it.
    volume_preserving : bool
        Whether the log-determinant is 0 by design. Otherwise a layer that has log-determinant 0
        and only permutes its input is refused: at the identity nothing would be tested. Move its
        parameters away from their start first.

    Raises
    ------
    CheckFailure
        An AssertionError whose `check` is the name of what failed.

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
    layer = _Layer(forward, inverse, x)
    x = layer.x
    y, log_det = layer.call("forward", x)
    _shapes(layer, x, y, log_det)
    _repeats(layer, x, y, log_det)
    _results_stay(layer, "forward", x)
    jacobians = [slogdet_of(layer.forward_array, image) for image in x[:BASE_POINTS]]
    loose = ROUNDING * layer.eps * max(jacobian.conditioning for jacobian in jacobians)

    _round_trip(layer, "inverse_undoes_forward", "inverse", y, x, loose, log_det)
    _results_stay(layer, "inverse", y)
    points = _points_between(y)
    layer.call("forward", x)  # an inverse that remembers this is wrong at other points
    other, other_log_det = layer.call("inverse", points)
    layer.require_shape("image_shape", other, x.shape, "x from inverse(y)")
    _round_trip(layer, "forward_undoes_inverse", "forward", other, points, loose, other_log_det)
    _conclusive(layer, jacobians, loose)
    for k, jacobian in enumerate(jacobians):
        if jacobian.error <= WORST_ERROR:
            layer.close(
                "log_det_is_that_of_the_jacobian",
                log_det[k : k + 1],
                np.full(1, jacobian.log_abs_det),
                jacobian.error + loose * (1 + abs(jacobian.log_abs_det)),
                f"log_det of image {k}; expected from differences of forward",
            )
    _images_apart(layer, x, y, log_det, "forward", loose)
    _images_apart(layer, y, *layer.call("inverse", y), "inverse", loose)
    _not_vacuous(layer, x, y, log_det, volume_preserving, loose)


class _Layer:
    """The two directions as functions of NumPy arrays, watched while they run."""

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
        if not 0 < self.x[0].size <= LARGEST:
            facts = {"expected": f"images of 1 to {LARGEST} entries", "got": f"{self.x[0].size}"}
            self.fail("usable_input", facts)
        self.eps = float(np.finfo(dtype).eps)

    def call(self, direction, array):
        """(result, log_det) as arrays; the input must stay as it is."""
        theirs = self.theirs(array)
        result = self.raw(direction, theirs)
        facts = disagreement(to_numpy(theirs), array, np.zeros(()))
        if facts:
            self.fail("inputs_are_kept", {"of": f"the input of {direction}, after"} | facts)
        images, log_det = (to_numpy(part).copy() for part in result)
        for part, what in ((images, "images"), (log_det, "log_det")):
            if part.dtype != self.x.dtype:
                facts = {"expected": f"dtype {self.x.dtype}", "got": f"dtype {part.dtype}"}
                self.fail("dtype_is_kept", {"of": f"{what} of {direction}"} | facts)
        return images, log_det

    def theirs(self, array):
        """A copy of an array, a tensor if x is one."""
        return array.copy() if self.tensor is None else self.tensor.new_tensor(array)

    def raw(self, direction, theirs):
        """What a direction returns, as it is."""
        try:
            result = self.functions[direction](theirs)
        except Exception as error:
            facts = {"of": direction, "got": f"{type(error).__name__}: {error}"}
            self.fail("returns_a_pair", facts, error)
        if not (isinstance(result, tuple | list) and len(result) == 2):
            facts = {"expected": "a pair (images, log_det)", "got": type(result).__name__}
            self.fail("returns_a_pair", {"of": direction} | facts)
        return result

    def forward_array(self, array):
        """What forward makes of images, without the log-determinants."""
        return self.call("forward", array)[0]

    def close(self, check, got, expected, bound, part):
        """Fail unless got is within the bound."""
        facts = disagreement(got, np.asarray(expected), np.asarray(bound))
        if facts:
            self.fail(check, {"of": part} | facts)

    def require_shape(self, check, got, shape, part):
        """Fail unless got has this shape."""
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
    "images_are_independent": "an image has the same result whatever stands beside it",
    "calls_repeat": "a call gives the same result each time",
    "results_are_kept": "a result stays as it is when the layer is called again",
    "conclusive": "the layer is smooth and well conditioned enough to be tested in this dtype",
    "not_vacuous": "the layer does something that can be tested",
    "volume_is_preserved": "a layer that preserves volume has log_det 0",
}
"""The names under which `check_bijection` fails, and what each of them means."""


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


def _round_trip(layer, check, direction, start, end, loose, log_det):
    """The way back from `start` leads to `end`, with minus the log-determinant of the way there."""
    back, back_log_det = layer.call(direction, start)
    layer.require_shape(check, back, end.shape, f"what {direction} returns")
    layer.close(check, back, end, loose * _size(end), f"what {direction} returns")
    layer.require_shape("log_det_shape", back_log_det, (len(end),), f"log_det of {direction}")
    bound = loose * (1 + np.abs(log_det))
    part = f"minus the log_det of {direction}; expected that of the way there"
    layer.close("log_dets_are_antisymmetric", -back_log_det, log_det, bound, part)


def _conclusive(layer, jacobians, loose):
    """Refuse a test that could not fail."""
    error = min(jacobian.error for jacobian in jacobians)
    if not error <= WORST_ERROR:
        facts = {"expected": f"log|det J| by differences, to {WORST_ERROR}"}
        fact = "J is singular" if np.isinf(error) else f"known to {error:.1g} only"
        layer.fail("conclusive", facts | {"got": f"{fact}: other x, or float64"})
    if not loose <= 0.1:
        facts = {"expected": "round trips to 0.1 or better", "got": f"{loose:.1g}: use float64"}
        layer.fail("conclusive", facts)


def _size(array):
    return 1 + np.abs(array).max()


def _points_between(y):
    """Points that forward can reach wherever its range is convex, as for reals and (0, 1)."""
    mixed = 0.75 * y + 0.25 * np.roll(y, 1, axis=0)
    return mixed.astype(y.dtype)


def _images_apart(layer, x, y, log_det, direction, loose):
    """Each image beside other ones, and alone."""
    for batch, row in ((x[::-1], -1), (np.concatenate([x[:1], x[:0:-1] * 0.5]), 0), (x[:1], 0)):
        images, figures = layer.call(direction, np.ascontiguousarray(batch))
        part = f"image 0 of {direction} in a batch of {len(batch)}"
        check = "images_are_independent"
        layer.require_shape(check, figures, (len(batch),), f"log_det of {direction}")
        layer.close(check, images[row], y[0], loose * _size(y), part)
        layer.close(check, figures[row], log_det[0], loose * (1 + abs(log_det[0])), part)


def _repeats(layer, x, y, log_det):
    again, figures = layer.call("forward", x)
    layer.close("calls_repeat", again, y, 1e3 * layer.eps * _size(y), "y")
    bound = 1e3 * layer.eps * (1 + np.abs(log_det))
    layer.close("calls_repeat", figures, log_det, bound, "log_det")


def _results_stay(layer, direction, array):
    """Before and after a call with the same images in another order."""
    results = [to_numpy(part) for part in layer.raw(direction, layer.theirs(array))]
    before = [part.copy() for part in results]
    layer.call(direction, np.ascontiguousarray(array[::-1]))
    for part, kept, what in zip(results, before, ("images", "log_det"), strict=True):
        of = f"{what} of {direction} after the next call"
        layer.close("results_are_kept", part, kept, 0.0, of)


def _not_vacuous(layer, x, y, log_det, volume_preserving, loose):
    if volume_preserving:
        bound = loose * x[0].size
        layer.close("volume_is_preserved", log_det, np.zeros(len(x)), bound, "log_det")
        return
    flat = (np.sort(a.reshape(len(x), -1), axis=1) for a in (x, y))
    if not log_det.any() and np.array_equal(*flat):
        facts = {
            "expected": "parameters away from their start, or volume_preserving=True",
            "got": "log_det 0 and y a permutation of x, where most mistakes do not show",
        }
        layer.fail("not_vacuous", facts)
