"""`collect`, which tries every property of a layer and writes down what it saw, without judging it.

A property that does not hold becomes an `Observation`; `diagnosis` turns observations into
findings. No property stops another one: what cannot be tried is skipped, with the reason.
"""

import sys
import warnings
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from cinc_ref._claims import exclusive
from cinc_ref._typing import Array
from cinc_ref.testing.failure import difference
from cinc_ref.testing.jacobian import probed_log_det, slogdet_of
from cinc_ref.testing.layer import InverseMissing, Layer

__all__ = ["EDGES", "MAX_ENTRIES", "STATEMENTS", "Evidence", "Observation", "Point", "collect"]

TOLERANCE_FACTOR = 1e3
"""The allowed error of a round trip in eps, as a multiple of Skeel's number of the Jacobian."""

MAX_LOG_DET_ERROR = 0.1
"""The error in nats up to which log|det J| by differences is used; it is larger near a kink."""

MAX_ENTRIES = 1024
"""The largest number of entries of an image whose whole Jacobian is computed: its square."""

BASE_POINTS = 3
"""The number of images at which the Jacobian is computed."""

LARGE_BATCH = 70
"""A batch that is larger than blocks of 64 images."""

LARGE_PIXELS = 210
"""A number of pixels, 14 by 15, above limits such as 200 or 14 x 14."""

LARGE_ENTRIES = 900
"""The largest number of entries of images of other sizes: a Jacobian of a third of a second."""

RANDOM_CALLS = 100
"""The number of seeds over which a random log-determinant is averaged."""

NOISES = (1e-12, 1e-9, 1e-6)
"""The noise levels, as of iterative solvers, that are assumed where eps explains no Jacobian."""

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


class CallFailed(Exception):
    """A layer raised an exception, which is the cause of this one."""


class Observation(NamedTuple):
    """A property that does not hold: its name, facts for a message, and data for the diagnosis."""

    check: str
    facts: dict[str, Any]
    data: dict[str, Any]


class Result(NamedTuple):
    """The result of a call as arrays: images, and log-determinants of shape (N,) or None."""

    images: Array
    log_det: Any


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


def collect(
    layer: Layer,
    x: Array,
    *,
    volume_preserving: bool | None = False,
    tolerance: float | None = None,
    seed: int = 0,
    edges: bool = True,
) -> Evidence:
    """Try every property of a layer at a batch.

    Parameters
    ----------
    layer : Layer
        The layer, as an adapter made it.
    x : ndarray, shape (N, ...)
        The batch, of float32 or float64.
    volume_preserving : bool or None
        Whether log_det has to be 0. None accepts a layer that only permutes its input.
    tolerance : float, optional
        The error of a round trip that is allowed, relative to the largest entry; by default it
        follows from the conditioning of the Jacobian.
    seed : int
        The seed of random vectors.
    edges : bool
        Whether the properties of `EDGES` are tried too.
    """
    examination = _Examination(layer, x, volume_preserving, tolerance, seed)
    with exclusive, warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        examination.run(edges)
    return examination.evidence


def _scale(array):
    return 1 + float(np.abs(array).max(initial=0))


def _first_line(error):
    """Return the class of an exception and the first line of its message."""
    line = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {line[:160]}".rstrip(": ")


def _comparable(log_det, other):
    """Return whether log-determinants were returned and the first ones are finite."""
    return log_det is not None and other is not None and bool(np.isfinite(log_det).all())


def _points_between(y):
    """Mix outputs to other points of the range of forward, if that is convex."""
    return (0.75 * y + 0.25 * np.roll(y, 1, axis=0)).astype(y.dtype)


class _Examination:
    """A layer under examination: calls with checks of every call, and the properties in order."""

    def __init__(self, layer, x, volume_preserving, tolerance, seed):
        self.layer, self.framework = layer, layer.framework
        self.volume_preserving, self.given_tolerance = volume_preserving, tolerance
        self.seed = self.current_seed = seed
        self.evidence = Evidence(x.copy())
        self.eps = float(np.finfo(x.dtype).eps)
        self.log_det_eps = self.eps
        self.random = False
        self.one_by_one = False
        self.has_inverse = layer.inverse is not None
        self.jacobians = []

    # ---- calls -----------------------------------------------------------------------------------

    def observe(self, check, facts, **data):
        """Write down that a property does not hold."""
        self.evidence.observations.append(Observation(check, facts, data))

    def observe_once(self, check, key, facts, **data):
        """Write down a property of all calls at the first of them."""
        for observation in self.evidence.observations:
            if observation.check == check and observation.data.get("key") == key:
                return
        self.observe(check, facts, key=key, **data)

    def raw(self, direction, user_array):
        """Call a direction on an array of the library, and return its pair."""
        function = self.layer.forward if direction == "forward" else self.layer.inverse
        context = self.framework.seeded(self.current_seed) if self.random else nullcontext()
        try:
            with context:
                return function(user_array)
        except InverseMissing:
            raise
        except Exception as error:
            raise CallFailed(_first_line(error)) from error

    def call(self, direction, array):
        """Call a direction on a copy of an array; see that the copy is kept."""
        user_array = self.framework.array(array)
        images, log_det = self.raw(direction, user_array)
        after = self.framework.to_numpy(user_array)
        if not np.array_equal(after, array, equal_nan=True):
            facts = difference(after, array, np.zeros(()))
            facts = {"of": f"the input of {direction}, after"} | facts
            self.observe_once("inputs_are_kept", direction, facts, direction=direction)
        return self.normalized(direction, images, log_det, len(array))

    def normalized(self, direction, images, log_det, count):
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

    def tolerance_of(self, log_det=False):
        """Return the allowed relative error of images or of log-determinants."""
        if self.given_tolerance is not None:
            return max(self.given_tolerance, self.evidence.tolerance)
        if log_det:
            return self.evidence.tolerance * self.log_det_eps / self.eps
        return self.evidence.tolerance

    # ---- the properties --------------------------------------------------------------------------

    def run(self, edges):
        """Try the properties, the first of which decides whether the others can be tried."""
        with self.trying("returns_a_pair") as trying:
            self.first_call()
        if trying.error is not None:
            reason = f"forward raised {trying.error}"
            facts = {"of": "forward", "got": str(trying.error)}
            self.observe("returns_a_pair", facts, error=trying.error, raised=True)
            self.evidence.skipped |= {name: reason for name in list(STATEMENTS)[4:]}
            return
        if self.evidence.y is None:
            return
        steps = (
            ("calls_repeat", self.calls_repeat),
            ("results_are_kept", lambda: self.results_are_kept("forward", self.evidence.x)),
            ("images_are_independent", self.independence_of_forward),
            ("log_det_is_that_of_the_jacobian", self.log_dets),
            ("inverse_undoes_forward", self.inverse),
            ("images_are_independent", self.independence_of_inverse),
            ("volume_is_preserved", self.volume),
            ("other_sizes", self.other_sizes),
            ("strided_input", self.strided),
            ("empty_batch", self.empty),
            ("nan_stays", self.nan),
            ("gradients", self.gradients),
            ("parameters_are_read_anew", self.parameters),
        )
        for name, step in steps:
            if edges or name not in EDGES:
                with self.trying(name):
                    step()

    @contextmanager
    def trying(self, name):
        """Note that a property is tried, or why it could not be."""
        outcome = _Outcome()
        try:
            yield outcome
        except (CallFailed, InverseMissing, _Skip) as reason:
            outcome.error = reason
            self.evidence.skipped.setdefault(name, str(reason))
        except Exception as error:  # results of a kind that cannot even be compared
            outcome.error = error
            self.evidence.skipped.setdefault(name, f"it ended in {_first_line(error)}")
        else:
            if name not in self.evidence.tried and name not in self.evidence.skipped:
                self.evidence.tried.append(name)

    def first_call(self):
        """Call forward once: shapes and finite numbers."""
        x = self.evidence.x
        y, log_det = self.call("forward", x)
        if y.ndim == 0 or len(y) != len(x) or y.size != x.size:
            expected = f"{len(x)} images of {x[0].size} entries"
            facts = {"expected": expected, "got": f"shape {y.shape}"}
            self.observe("image_shape", facts, shape=y.shape)
            return
        for part, what in ((y, "y"), (log_det, "log_det")):
            if part is not None and not np.isfinite(part).all():
                facts = {"of": what, "expected": "finite numbers", "got": "NaN or infinity"}
                self.observe("finite", facts, what=what, bad=~np.isfinite(part), values=part)
        self.evidence.y, self.evidence.log_det = y, log_det
        if not np.isfinite(y).all():
            self.evidence.y = None

    def calls_repeat(self):
        """Call forward again, after a call with other images."""
        x, y, log_det = self.evidence.x, self.evidence.y, self.evidence.log_det
        self._try_call("forward", self._other(x))
        again = self.call("forward", x)
        if self._same(again, y, log_det):
            return
        self.random = True
        first, second = (self.call("forward", x) for _ in range(2))
        if self._same(second, first.images, first.log_det):
            self.evidence.notes.append(
                "the layer draws random numbers: every call was given the same seed"
            )
            self.evidence.y, self.evidence.log_det = first.images, first.log_det
            self.one_by_one = True
            return
        self.random = False
        for part, before, what in ((again.images, y, "y"), (again.log_det, log_det, "log_det")):
            if part is not None and before is not None:
                scale = _scale(before) if what == "y" else 1 + np.abs(before)
                facts = difference(part, before, TOLERANCE_FACTOR * self.eps * scale)
                if facts:
                    third = self.call("forward", x)
                    later = third.images if what == "y" else third.log_det
                    changes = [
                        float(np.abs(b - a).max()) for a, b in ((before, part), (part, later))
                    ]
                    self.observe("calls_repeat", {"of": what} | facts, what=what, changes=changes)
                    return

    def _other(self, x):
        """Return images of the same shape with other entries inside their range."""
        return np.ascontiguousarray((0.5 * x + 0.25 * x[::-1]).astype(x.dtype))

    def _same(self, result, y, log_det):
        """Return whether a result equals an earlier one to a thousand roundings."""
        bound = TOLERANCE_FACTOR * self.eps
        if difference(result.images, y, bound * _scale(y)):
            return False
        if log_det is None or result.log_det is None:
            return log_det is result.log_det
        bad = ~np.isfinite(log_det)
        kept = difference(result.log_det[~bad], log_det[~bad], bound * (1 + np.abs(log_det[~bad])))
        return not kept

    def _try_call(self, direction, array):
        try:
            return self.call(direction, array)
        except CallFailed:
            return None

    def results_are_kept(self, direction, array):
        """Compare a result before and after a call with other images of the same shape."""
        pair = self.raw(direction, self.framework.array(array))
        results = [None if part is None else self.framework.to_numpy(part) for part in pair]
        copies = [None if part is None else part.copy() for part in results]
        self._try_call(direction, np.ascontiguousarray(array[::-1]))
        for part, before, name in zip(results, copies, ("images", "log_det"), strict=True):
            if part is not None and np.isfinite(before).all():
                facts = difference(part, before, np.zeros(()))
                if facts:
                    description = f"{name} of {direction} after the next call"
                    self.observe(
                        "results_are_kept", {"of": description} | facts, direction=direction
                    )

    # ---- batches ---------------------------------------------------------------------------------

    def independence_of_forward(self):
        """Compute images in other batches by forward."""
        y, log_det = self.evidence.y, self.evidence.log_det
        self._independence("forward", self.evidence.x, y, log_det)

    def independence_of_inverse(self):
        """Compute images in other batches by the inverse."""
        if not self.has_inverse:
            raise _Skip("the layer has no inverse")
        y = self.evidence.y
        result = self.call("inverse", y)
        self._independence("inverse", y, result.images, result.log_det)

    def _independence(self, direction, x, y, log_det):
        """Compute each image alone, among others, and in small and large batches."""
        if self.random:
            raise _Skip("the layer draws random numbers, other ones in other batches")
        if not np.isfinite(y).all():
            raise _Skip("the result is not finite")
        n = len(x)
        tolerance = self.provisional_tolerance()
        batches = [
            ("alone", x[:1], [0]),
            ("in reverse order", x[::-1], list(range(n))[::-1]),
            ("among other images", np.concatenate([x[:1], x[:0:-1] * x.dtype.type(0.5)]), [0]),
        ]
        for count in (4, 5, 7, 8, 16, LARGE_BATCH):
            if x[0].size * count <= 200_000:
                order = [k % n for k in range(count)]
                batches.append((f"in a batch of {count}", x[order], order))
        for description, batch, rows in batches:
            result = self._try_call(direction, np.ascontiguousarray(batch))
            if result is None:
                self.evidence.notes.append(f"{direction} raises {description}")
                continue
            if result.images.shape != (len(batch), *y.shape[1:]):
                facts = {
                    "expected": f"shape {(len(batch), *y.shape[1:])}",
                    "got": f"{result.images.shape}",
                }
                self._dependent(direction, "images", description, facts, len(batch), None)
                return
            compared = [("images", result.images, y, tolerance * _scale(y))]
            if log_det is not None and result.log_det is not None:
                bound = tolerance * self.log_det_eps / self.eps * (1 + np.abs(log_det[rows]))
                compared.append(("log_det", result.log_det, log_det, bound))
            wrong = False
            for what, got, expected, bound in compared:
                k = len(rows)
                facts = difference(got[:k], expected[rows], bound)
                if facts and np.isfinite(expected).all():
                    ratio = None
                    if what == "log_det":
                        ratio = got[:k] / expected[rows]
                    self._dependent(direction, what, description, facts, len(batch), ratio)
                    wrong = True
            if wrong:
                return

    def _dependent(self, direction, what, description, facts, count, ratio):
        part = f"{what} of {direction}, {description}"
        self.observe(
            "images_are_independent", {"of": part} | facts,
            direction=direction, what=what, description=description, count=count, ratio=ratio,
        )  # fmt: skip
        if direction == "forward" and what == "images":
            self.one_by_one = True

    def provisional_tolerance(self):
        """Return the tolerance, or a wide one before the conditioning is known."""
        if np.isfinite(self.evidence.tolerance):
            return self.tolerance_of()
        return max(1e5 * self.eps, self.given_tolerance or 0)

    # ---- log-determinants ------------------------------------------------------------------------

    def images_of_forward(self, batch):
        """Apply forward to images, one after another if they depend on their batch."""
        if not self.one_by_one:
            return self.call("forward", batch).images
        return np.concatenate([self.call("forward", image[None]).images for image in batch])

    def estimate(self, image):
        """Estimate log|det J| at an image, for a layer with noise if eps does not explain it."""
        if self.one_by_one and image.size > 64:
            raise _Skip("the images depend on one another, and are too many to be taken alone")
        if image.size > MAX_ENTRIES:
            return self.probe(image)
        noise = self.given_tolerance
        estimate = slogdet_of(self.images_of_forward, image, noise)
        for noise in NOISES:
            if estimate.error <= MAX_LOG_DET_ERROR:
                break
            other = slogdet_of(self.images_of_forward, image, noise)
            if other.error < estimate.error:
                estimate = other
        return estimate

    def probe(self, image):
        """Estimate log|det J| of a large image by random vectors."""

        def transposed(base, weights):
            gradient = self.framework.gradient(
                lambda x: self.raw("forward", x)[0], base, weights.astype(base.dtype)
            )
            if gradient is None:
                raise _Skip(
                    f"an image has {image.size} entries: the whole Jacobian is computed up to "
                    f"{MAX_ENTRIES}, and random vectors need the gradients of {self.framework.name}"
                    "; choose a smaller shape"
                )
            return gradient

        rng = np.random.default_rng([self.seed, 5])
        function = self.images_of_forward
        estimate = probed_log_det(function, transposed, image, rng)
        self.evidence.notes.append(
            f"log|det J| of {image.size} entries by random vectors, to {estimate.error:.1g} nats: "
            "a right layer is blamed with probability below 1e-6, a smaller error is not seen"
        )
        return estimate

    def log_dets(self):
        """Compare log_det with differences of forward at several images."""
        x, log_det = self.evidence.x, self.evidence.log_det
        count = min(len(x), BASE_POINTS) if x[0].size <= MAX_ENTRIES else 1
        estimates = [self.estimate(image) for image in x[:count]]
        self.jacobians = estimates
        conditioning = max(e.conditioning for e in estimates)
        if self.one_by_one:  # the conditioning of an image alone is not that of a batch
            conditioning = 100.0
        self.evidence.tolerance = TOLERANCE_FACTOR * self.eps * conditioning
        if log_det is None:
            raise _Skip("forward returns no log-determinant")
        uncertainty = None
        if self.random:
            log_det, uncertainty = self._average_log_det(log_det)
        elif self.one_by_one:
            alone = [self.call("forward", image[None]).log_det for image in x]
            log_det = np.concatenate(alone) if all(a is not None for a in alone) else log_det
        if uncertainty is not None:
            estimates = [
                replace(e, error=e.error + u) for e, u in zip(estimates, uncertainty, strict=False)
            ]
        wrong = self._compare(self.evidence.points, x, log_det, range(count), estimates)
        if wrong and count < len(x) <= 8 and x[0].size <= MAX_ENTRIES:
            rest = range(count, len(x))
            self._compare(
                self.evidence.points, x, log_det, rest, [self.estimate(x[k]) for k in rest], False
            )
        self._conclusive(estimates)
        if not wrong and x[0].size <= MAX_ENTRIES and not self.random:
            self._visit_far_branches()

    def _average_log_det(self, log_det):
        """Average a random log_det over seeds; return six standard errors too."""
        draws = []
        for seed in range(RANDOM_CALLS):
            self.current_seed = self.seed + 1 + seed
            draws.append(self.call("forward", self.evidence.x))
        self.current_seed = self.seed
        same_images = all(np.allclose(d.images, self.evidence.y, atol=1e-6) for d in draws)
        figures = np.array([d.log_det for d in draws])
        if not same_images or not np.ptp(figures):
            return log_det, None
        self.evidence.notes.append(
            f"log_det is random: its mean over {RANDOM_CALLS} seeds is compared"
        )
        return figures.mean(axis=0), 6 * figures.std(axis=0, ddof=1) / np.sqrt(RANDOM_CALLS)

    def _compare(self, points, images, log_det, indices, estimates, observe=True):
        """Keep points where log|det J| is known, and write down where log_det differs."""
        wrong = False
        for k, estimate in zip(indices, estimates, strict=True):
            if not estimate.error <= MAX_LOG_DET_ERROR and not (
                images[0].size > MAX_ENTRIES and np.isfinite(estimate.error)
            ):
                continue
            expected = estimate.log_abs_det
            bound = estimate.error + self.tolerance_of(log_det=True) * (1 + abs(expected))
            points.append(Point(k, images, expected, bound, float(log_det[k]), estimate.jacobian))
            if not abs(float(log_det[k]) - expected) <= bound:
                wrong = True
                if observe and np.isfinite(log_det[k]):
                    facts = difference(log_det[k : k + 1], np.full(1, expected), bound)
                    part = f"log_det of image {k}; expected from differences of forward"
                    self.observe("log_det_is_that_of_the_jacobian", {"of": part} | facts, index=k)
        return wrong

    def _conclusive(self, estimates):
        error = min(e.error for e in estimates)
        if self.evidence.x[0].size > MAX_ENTRIES:
            return
        if not error <= MAX_LOG_DET_ERROR:
            facts = {"expected": f"log|det J| by differences, to {MAX_LOG_DET_ERROR}"}
            fact = "J is singular" if np.isinf(error) else f"known to {error:.1g} only"
            data = {"singular": bool(np.isinf(error))}
            self.observe("conclusive", facts | {"got": f"{fact}: other x, or float64"}, **data)
        elif not self.evidence.tolerance <= 0.1:
            facts = {"expected": "round trips to 0.1 or better"}
            got = f"{self.evidence.tolerance:.1g}: use float64"
            self.observe("conclusive", facts | {"got": got}, singular=False)

    def _visit_far_branches(self):
        """Compare log_det at smaller and larger images, which may be on other branches."""
        x = self.evidence.x
        for factor in (0.1, 3.0):
            lower, upper = self.layer.domain
            if np.isfinite(lower) or np.isfinite(upper):
                return
            images = (x * x.dtype.type(factor)).astype(x.dtype)
            result = self._try_call("forward", images)
            if result is None or result.log_det is None or not np.isfinite(result.images).all():
                continue
            if not np.isfinite(result.log_det).all():
                continue
            self._compare(
                self.evidence.other_points, images, result.log_det, [0], [self.estimate(images[0])]
            )

    # ---- the inverse -----------------------------------------------------------------------------

    def inverse(self):
        """Try both round trips, and the log-determinants of the inverse."""
        if not self.has_inverse:
            raise _Skip("the layer has no inverse")
        if not np.isfinite(self.evidence.tolerance):
            self.evidence.tolerance = 1e5 * self.eps
        x, y, log_det = self.evidence.x, self.evidence.y, self.evidence.log_det
        try:
            self._round_trip("inverse_undoes_forward", "inverse", y, x, log_det)
        except InverseMissing:
            self.has_inverse = False
            raise
        except CallFailed as error:
            facts = {"of": "inverse", "got": str(error)}
            self.observe("returns_a_pair", facts, error=error, raised=True, direction="inverse")
            self.has_inverse = False
            raise
        self.results_are_kept("inverse", y)
        points = _points_between(y)
        self._try_call("forward", x)  # an inverse that remembers this is wrong at other points
        other = self.call("inverse", points)
        if other.images.shape != x.shape:
            facts = {"of": "x from inverse(y)", "expected": f"shape {x.shape}"}
            got = f"{other.images.shape}"
            self.observe("image_shape", facts | {"got": got}, shape=other.images.shape)
            return
        if np.isfinite(other.images).all():
            self._round_trip(
                "forward_undoes_inverse", "forward", other.images, points, other.log_det
            )

    def _round_trip(self, check, direction, start, end, log_det):
        """Compare a direction at `start` with `end` and with minus the given log-determinants."""
        tolerance = self.tolerance_of()
        back = self.call(direction, start)
        if check not in self.evidence.tried:
            self.evidence.tried.append(check)
        part = f"the result of {direction}"
        if back.images.shape != end.shape:
            facts = {"of": part, "expected": f"shape {end.shape}", "got": f"{back.images.shape}"}
            self.observe(check, facts, got=back.images, expected=end, start=start)
            return
        facts = difference(back.images, end, tolerance * _scale(end))
        if facts:
            error = float(np.abs(back.images.astype(float) - end).max() / _scale(end))
            data = {"got": back.images, "expected": end, "start": start, "error": error}
            self.observe(check, {"of": part} | facts, **data, **self._clues(check, start))
        if back.log_det is None or log_det is None:
            return
        check = "log_dets_are_antisymmetric"
        if check not in self.evidence.tried:
            self.evidence.tried.append(check)
        if not np.isfinite(log_det).all():
            return
        bound = self.tolerance_of(log_det=True) * (1 + np.abs(log_det))
        differs = difference(-back.log_det, log_det, bound)
        if differs:
            part = f"minus the log_det of {direction}; expected that of the other direction"
            self.observe(
                check, {"of": part} | differs,
                got=back.log_det, other=log_det, direction=direction, images_agree=not facts,
            )  # fmt: skip

    def _clues(self, check, start):
        """Collect what tells the mistake of an inverse: forward again, and both Jacobians."""
        if check != "inverse_undoes_forward" or start[0].size > 256 or not self.jacobians:
            return {}
        clues = {"jacobian": self.jacobians[0].jacobian}
        try:
            again = self.call("forward", start.reshape(self.evidence.x.shape)).images
            clues["again"] = again
            estimate = slogdet_of(lambda y: self.call("inverse", y).images, start[0])
            clues["backward"] = estimate.jacobian
        except (CallFailed, InverseMissing):
            pass
        return clues

    # ---- volume, other sizes, memory, NaN --------------------------------------------------------

    def volume(self):
        """Refuse a layer at the identity, and a log_det other than 0 where it must be 0."""
        x, y, log_det = self.evidence.x, self.evidence.y, self.evidence.log_det
        if log_det is None:
            raise _Skip("forward returns no log-determinant")
        if self.volume_preserving:
            bound = self.tolerance_of(log_det=True) * x[0].size
            facts = difference(log_det, np.zeros(len(x)), bound)
            if facts:
                self.observe("volume_is_preserved", {"of": "log_det"} | facts)
            return
        flat = (np.sort(a.reshape(len(x), -1), axis=1) for a in (x, y))
        if not log_det.any() and np.array_equal(*flat):
            if self.volume_preserving is None:
                self.evidence.notes.append(
                    "the layer permutes its input with log_det 0: most mistakes do not show here"
                )
                return
            facts = {
                "expected": "parameters away from their initial values, or volume_preserving=True",
                "got": "log_det 0 and y a permutation of x, where most mistakes do not show",
            }
            self.observe("not_vacuous", facts)

    def _sizes(self):
        """Return other heights and widths: oblong, square, and more than 200 pixels."""
        c, h, w = self.evidence.x.shape[1:]
        multiples = [(k * h, m * w) for k in range(2, 15) for m in range(2, 15)]
        enough = [size for size in multiples if size[0] * size[1] >= LARGE_PIXELS]
        larger = min(enough or [(h, w)], key=lambda size: (size[0] * size[1], sum(size)))
        sizes = [(2 * h, w), (h, 2 * w), (max(h, w), max(h, w))]
        if not self.evidence.observations:  # where nothing is wrong yet
            sizes.append(larger)
        sizes = [size for size in dict.fromkeys(sizes) if size != (h, w)]
        return [(c, *size) for size in sizes if c * size[0] * size[1] <= LARGE_ENTRIES]

    def other_sizes(self):
        """Compare round trips and log_det for images of other sizes, where the layer takes them."""
        x = self.evidence.x
        if self.layer.shape is not None or x.ndim != 4 or self.random:
            raise _Skip("the layer takes entries of one shape")
        lower, upper = self.layer.domain
        if np.isfinite(lower) or np.isfinite(upper):
            raise _Skip("the layer takes entries from an interval")
        taken = 0
        for shape in self._sizes():
            images = np.random.default_rng([self.seed, *shape]).normal(size=(2, *shape))
            taken += self._at_another_size(images.astype(x.dtype))
        if not taken:
            raise _Skip("images of other sizes are refused")

    def _at_another_size(self, images):
        """Try one other size; return whether the layer took it."""
        result = self._try_call("forward", images)
        if result is None or result.images.size != images.size:
            return False
        if not np.isfinite(result.images).all():
            return False
        if self.has_inverse:
            back = self._try_call("inverse", result.images)
            if back is not None:
                bound = 10 * self.tolerance_of() * _scale(images)
                facts = difference(back.images, images, bound)
                if facts:
                    self.observe(
                        "other_sizes", {"of": f"inverse(forward(x)), x {images.shape}"} | facts,
                        what="inverse", shape=images.shape[1:],
                    )  # fmt: skip
        if result.log_det is None or images[0].size > MAX_ENTRIES or self.one_by_one:
            return True
        estimate = slogdet_of(self.images_of_forward, images[0])
        self._compare(
            self.evidence.other_points, images, result.log_det, [0], [estimate], observe=False
        )
        point = self.evidence.other_points[-1] if self.evidence.other_points else None
        if point is not None and point.images is images:
            if not abs(point.got - point.expected) <= point.error:
                facts = difference(
                    np.full(1, point.got), np.full(1, point.expected), np.full(1, point.error)
                )
                self.observe(
                    "other_sizes", {"of": f"log_det, x {images.shape}"} | facts,
                    what="log_det", shape=images.shape[1:],
                )  # fmt: skip
        return True

    def strided(self):
        """Pass memory in another order, as transposing gives it."""
        if self.random:
            raise _Skip("the layer draws random numbers")
        x, y, log_det = self.evidence.x, self.evidence.y, self.evidence.log_det
        directions = [("forward", x, y, log_det)]
        if self.has_inverse:
            back = self.call("inverse", y)
            directions.append(("inverse", y, back.images, back.log_det))
        for direction, start, end, figures in directions:
            if not np.isfinite(end).all():
                continue
            arrays = [("in reverse order of axes", self.framework.strided(start))]
            if isinstance(arrays[0][1], np.ndarray):
                arrays += _numpy_views(start)
            for description, user_array in arrays:
                try:
                    result = self.normalized(
                        direction, *self.raw(direction, user_array), len(start)
                    )
                except CallFailed as error:
                    self.evidence.notes.append(f"{direction} refuses memory {description}: {error}")
                    continue
                facts = difference(result.images, end, self.tolerance_of() * _scale(end))
                if not facts and _comparable(figures, result.log_det):
                    bound = self.tolerance_of(log_det=True) * (1 + np.abs(figures))
                    facts = difference(result.log_det, figures, bound)
                if facts:
                    self.observe(
                        "strided_input", {"of": f"{direction}, memory {description}"} | facts,
                        direction=direction, description=description,
                    )  # fmt: skip
                    break

    def empty(self):
        """Pass an empty batch: an error is no failure."""
        x, y = self.evidence.x, self.evidence.y
        for direction, start, end in (("forward", x, y), ("inverse", y, x)):
            if direction == "inverse" and not self.has_inverse:
                continue
            before = len(self.evidence.observations)
            result = self.call(direction, start[:0])
            del self.evidence.observations[before:]  # the shape of nothing is no convention
            shape = (0, *end.shape[1:])
            if result.images.shape != shape:
                facts = {"of": direction, "expected": f"shape {shape}"}
                self.observe("empty_batch", facts | {"got": f"{result.images.shape}"})

    def nan(self):
        """Put NaN into one image: an error is no failure."""
        x, y, log_det = self.evidence.x, self.evidence.y, self.evidence.log_det
        if self.random:
            raise _Skip("the layer draws random numbers")
        images = x.copy()
        images[1].reshape(-1)[x[0].size // 2] = np.nan
        result = self.call("forward", images)
        if result.images.shape != y.shape:
            return
        others = [k for k in range(len(x)) if k != 1]
        facts = difference(result.images[others], y[others], self.tolerance_of() * _scale(y))
        if not facts and _comparable(log_det, result.log_det):
            bound = self.tolerance_of(log_det=True) * (1 + np.abs(log_det[others]))
            facts = difference(result.log_det[others], log_det[others], bound)
        if facts:
            part = "the other images of a batch with an image that holds NaN"
            self.observe("nan_stays", {"of": part} | facts, kind="spread")
        elif np.isfinite(result.images[1]).all():
            facts = {"expected": "an error, or NaN in image 1", "got": "finite numbers in image 1"}
            self.observe("nan_stays", facts, kind="silenced")

    # ---- gradients and parameters ----------------------------------------------------------------

    def gradients(self):
        """Compare gradients by x and by every parameter with slopes, in random directions."""
        if self.random or self.one_by_one:
            raise _Skip("the layer draws random numbers or mixes the images of a batch")
        x = self.evidence.x[:2]
        rng = np.random.default_rng([self.seed, 6])
        weights = [rng.normal(size=self.evidence.y[:2].shape), rng.normal(size=2)]
        for part, what in ((0, "images"), (1, "log_det")):
            if part and self.evidence.log_det is None:
                continue
            self._gradient_by_x(x, rng, weights[part], part, what)
        for name, parameter in (self.layer.parameters or dict)().items():
            for part, what in ((0, "images"), (1, "log_det")):
                if part and self.evidence.log_det is None:
                    continue
                self._gradient_by(name, parameter, x, rng, weights[part], (part, what))

    def _value(self, array, weight, part):
        """Compute <weight, images> or <weight, log_det>."""
        result = self.call("forward", array)[part].astype(np.float64)
        return float(np.sum(result.reshape(weight.shape) * weight))

    def _slope(self, value):
        """Difference a function of a step centrally; return the slope and its error."""
        step = 3e-6 if self.eps < 1e-10 else 3e-3
        slopes = [(value(s) - value(-s)) / (2 * s) for s in (step, 2 * step)]
        rounding = 100 * self.log_det_eps * (1 + abs(value(0.0))) / step
        return slopes[0], 3 * abs(slopes[1] - slopes[0]) + rounding

    def _gradient_by_x(self, x, rng, weight, part, what):
        direction = rng.normal(size=x.shape).astype(x.dtype)

        def function(user_array):
            result = self.raw("forward", user_array)[part]
            if part and not (getattr(result, "ndim", 0) == 1 and len(result) == len(x)):
                raise _Skip("log_det has no shape (N,)")
            return result

        try:
            gradient = self.framework.gradient(function, x, weight.astype(x.dtype))
        except CallFailed:
            raise
        except _Skip:
            return
        except Exception as error:  # a backward pass that raises
            self.observe(
                "gradients", {"of": what, "got": f"{type(error).__name__}: {error}"},
                what=what, by="x", kind="raises",
            )  # fmt: skip
            return
        if gradient is None and self.framework.name not in ("PyTorch",):
            raise _Skip(f"{self.framework.name} has no gradients")
        slope, error = self._slope(
            lambda s: self._value((x + s * direction).astype(x.dtype), weight, part)
        )
        got = 0.0 if gradient is None else float(np.sum(gradient.astype(np.float64) * direction))
        self._same_slope(got, slope, error, what, "x", gradient is None)

    def _gradient_by(self, name, parameter, x, rng, weight, of):
        torch = sys.modules["torch"]
        part, what = of
        direction = torch.from_numpy(rng.normal(size=tuple(parameter.shape))).to(parameter)
        held = parameter.detach().clone()

        def value(s):
            with torch.no_grad():
                parameter.copy_(held + s * direction)
            return self._value(x, weight, part)

        try:
            with torch.enable_grad():
                result = self.raw("forward", self.framework.array(x))[part]
                detached = not getattr(result, "requires_grad", False)
                got = 0.0
                if not detached:
                    factor = self.framework.array(weight).to(result.dtype)
                    if part and result.shape != factor.shape:
                        return
                    total = (result * factor.reshape(result.shape)).sum()
                    (gradient,) = torch.autograd.grad(total, parameter, allow_unused=True)
                    got = 0.0 if gradient is None else float((gradient * direction).sum())
                    detached = gradient is None
            slope, error = self._slope(value)
        except (CallFailed, RuntimeError):
            return
        finally:
            with torch.no_grad():
                parameter.copy_(held)
        self._same_slope(got, slope, error, what, name, detached)

    def _same_slope(self, got, slope, error, what, by, detached):
        bound = error + (1e-4 if self.eps < 1e-10 else 0.02) * abs(slope)
        if not np.isfinite(slope) or error > 0.1 * max(1.0, abs(slope)):
            return
        if not abs(got - slope) <= bound:
            facts = {
                "of": f"{what} by {by}, in a random direction",
                "expected": f"{slope:.6g}, to {bound:.1e}",
                "got": "none: it is detached" if detached else f"{got:.6g}",
            }
            self.observe(
                "gradients", facts, what=what, by=by, kind="detached" if detached else "wrong",
                ratio=got / slope if slope else np.nan,
            )  # fmt: skip

    def parameters(self):
        """Change the parameters between calls: forward and inverse have to follow."""
        if self.layer.perturb is None:
            raise _Skip("the layer has no parameters that can be moved")
        if not self.has_inverse:
            raise _Skip("the layer has no inverse")
        x = self.evidence.x
        self._try_call("inverse", self.evidence.y)
        moved = self.layer.perturb(np.random.default_rng([self.seed, 7]), 0.05)
        if not moved:
            raise _Skip("the layer has no trainable parameters")
        result = self.call("forward", x)
        if not np.isfinite(result.images).all():
            raise _Skip("the moved layer is not finite")
        if any(o.check == "inverse_undoes_forward" for o in self.evidence.observations):
            raise _Skip("the inverse is wrong from the start")
        back = self.call("inverse", result.images)
        bound = 100 * self.tolerance_of() * _scale(x)
        facts = difference(back.images, x, bound)
        if facts:
            error = float(np.abs(back.images - x).max() / _scale(x))
            facts = {"of": "inverse(forward(x)) after the parameters have moved"} | facts
            self.observe("parameters_are_read_anew", facts, error=error)
        if result.log_det is not None and x[0].size <= 256 and not self.one_by_one:
            estimate = slogdet_of(self.images_of_forward, x[0])
            bound = estimate.error + 10 * self.tolerance_of(log_det=True) * (
                1 + abs(estimate.log_abs_det)
            )
            right_before = not any(
                o.check == "log_det_is_that_of_the_jacobian" for o in self.evidence.observations
            )
            wrong = not abs(float(result.log_det[0]) - estimate.log_abs_det) <= bound
            if right_before and wrong and estimate.error < MAX_LOG_DET_ERROR:
                facts = {
                    "of": "log_det after the parameters have moved",
                    "expected": f"{estimate.log_abs_det:.6g}, to {bound:.1e}",
                    "got": f"{float(result.log_det[0]):.6g}",
                }
                self.observe("parameters_are_read_anew", facts, what="log_det", error=np.inf)


class _Outcome:
    """The reason why a property could not be tried, if there is one."""

    error: Any = None


class _Skip(Exception):
    """A property cannot be tried, for the reason in the message."""


def _numpy_views(array):
    """Return views that a function of NumPy arrays may misread: backwards, read-only, strided."""
    backwards = np.ascontiguousarray(array[..., ::-1])[..., ::-1]
    spaced = np.repeat(array, 2, axis=-1)[..., ::2]
    read_only = array.copy()
    read_only.flags.writeable = False
    return [
        ("with negative strides", backwards),
        ("with gaps", spaced),
        ("that is read-only", read_only),
    ]
