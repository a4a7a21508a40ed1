"""Compilation ahead of use: calls on small random arrays, which compile what later calls need."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import autograd.numpy as anp
import numpy as np
from autograd import make_vjp
from numpy.typing import DTypeLike

from cinc_ref import _validate, convolution
from cinc_ref._display import short_repr
from cinc_ref._trees import named_leaves, rebuild
from cinc_ref.bijections import Bijection
from cinc_ref.errors import OptionError
from cinc_ref.flows import Flow
from cinc_ref.flows.dequantize import check_dtype
from cinc_ref.kernels._jit import expected_compilation
from cinc_ref.primitives.memory_order import batch_first, batch_last
from cinc_ref.training import train
from cinc_ref.training.loss import EVALUATION_BATCH
from cinc_ref.training.settings import Settings

__all__ = ["Task", "tasks", "warm_up"]


def __dir__() -> list[str]:
    return __all__


CHANNELS, LAYER_CHANNELS = (3, 12), (12,)
"""Channels for which operations and layers are compiled by default: a colour image, squeezed or
not. Register blocks hold up to 12 channels, so 12 also serve 24, 36 and 48."""

BATCHES = (1, 100)
"""Numbers of images for which code is compiled by default: their SIMD lanes differ."""

SIDES = (8, 16, 32)
"""Heights and widths in pixels of the images for operations and layers: the SIMD lanes that suit a
number of images depend on them."""

DTYPES = ("float32", "float64")
"""Dtypes for which operations and layers are compiled by default; a flow trains in the first."""

SMALL: dict[str, int] = {"depth": 2, "width": 16}
"""Sizes of a flow at most: the compiled code does not depend on them, but the time to run does."""


@dataclass(frozen=True)
class Task:
    """A call that compiles something.

    Attributes
    ----------
    title : str
    run : callable
        Takes no arguments.
    """

    title: str
    run: Callable[[], object]

    __repr__ = short_repr


def warm_up(
    obj: Flow | Bijection | None = None,
    *,
    channels: int | None = None,
    batch: int | None = None,
    dtype: DTypeLike | None = None,
    gradients: bool = False,
) -> float:
    """Compile what a flow, a layer or the operations need, so that later calls do not wait.

    Compiled code is cached on disk: this happens once on a machine. The code depends on the dtype,
    on the number of channels, on the number of images (by its SIMD lanes) and a little on their
    size, so that calls on arrays of other kinds may still compile something.

    Parameters
    ----------
    obj : Flow or Bijection, optional
        By default the operations `conv` and `conv_inverse` with a triangular corner block.
    channels : int, optional
        Channels of the images; 3 and 12 by default for the operations, 12 for a layer. A flow
        knows its own.
    batch : int, optional
        Number of images; 1 and 100 by default, and for the training of a flow the default of
        `train`.
    dtype : {float32, float64}, optional
        By default float32 for a flow, and both for the operations and a layer.
    gradients : bool
        Whether to compile the gradients too: `conv_vjp` and `conv_inverse_vjp`, the backward pass
        of a layer, or the training of a flow with its optimizer.

    Returns
    -------
    float
        The time that it took, in seconds.

    Raises
    ------
    OptionError, DtypeError
        If an option is not as described.
    ShapeError
        If square images of 8, 16 and 32 pixels a side with so many channels do not fit the layer.

    See Also
    --------
    cinc_ref.bijections.Bijection, cinc_ref.flows.build

    Notes
    -----
    The logger "cinc_ref" receives a record of level INFO for each function that is compiled, and
    none for a function that is found in the cache on disk. Elsewhere than here it first receives
    one of level WARNING, which Python prints; ``logging.getLogger("cinc_ref").setLevel("ERROR")``
    silences it. A damaged file of the cache, or no room for one, is a warning of this logger too:
    the function is compiled and used all the same.

    Examples
    --------
    >>> import cinc_ref as cr
    >>> seconds = cr.warm_up(channels=3, batch=10, dtype="float64")
    >>> flow = cr.flows.build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=4, bins=4)
    >>> cr.warm_up(flow, batch=10) > 0
    True
    """
    started = time.perf_counter()
    with expected_compilation():
        for task in tasks(obj, channels=channels, batch=batch, dtype=dtype, gradients=gradients):
            task.run()
    return time.perf_counter() - started


def tasks(
    obj: Flow | Bijection | None = None,
    *,
    channels: int | None = None,
    batch: int | None = None,
    dtype: DTypeLike | None = None,
    gradients: bool = False,
) -> list[Task]:
    """List the calls that `warm_up` makes, as `Task` objects; the arguments are the same."""
    batches = BATCHES if batch is None else (_validate.integer("batch", batch, minimum=1),)
    counts = None if channels is None else (_validate.integer("channels", channels, minimum=1),)
    dtypes = None if dtype is None else (check_dtype(dtype),)
    _validate.check_memory("batch", batch, 8 * max(batches), "use a smaller one")
    kernel = 8 * max(counts or (1,)) ** 2
    _validate.check_memory("channels", channels, kernel, "use fewer")
    gradients = _validate.boolean("gradients", gradients)
    if isinstance(obj, Flow):
        if counts is not None:
            raise OptionError(f"channels must not be given with a flow; got {channels}")
        return _flow_tasks(obj, batches, batch, dtypes or DTYPES[:1], gradients)
    if obj is None:
        run, default = _run_operations, CHANNELS
    else:
        _validate.instance("obj", obj, Bijection, "a flow, a layer or None")
        run, default = partial(_run_layer, obj), LAYER_CHANNELS
    return [
        Task(f"{c} channels, N = {n}, {np.dtype(d)}", partial(run, c, n, np.dtype(d), gradients))
        for d, c, n in product(dtypes or DTYPES, counts or default, batches)
    ]


def _run_operations(channels, batch, dtype, gradients):
    rng = np.random.default_rng(0)
    kernel = (rng.normal(size=(channels, channels, 3, 3)) / (30 * channels)).astype(dtype)
    kernel[:, :, 2, 2] = np.eye(channels)
    for side in SIDES:
        x = rng.normal(size=(batch, channels, side, side)).astype(dtype)
        y = convolution.conv(x, kernel)
        convolution.conv_inverse(y, kernel)
        if gradients:
            convolution.conv_vjp(x, kernel, y)
            convolution.conv_inverse_vjp(y, kernel, x)


def _run_layer(layer, channels, batch, dtype, gradients):
    rng = np.random.default_rng(0)
    for side in SIDES:
        images = rng.uniform(-0.5, 0.5, (batch, channels, side, side)).astype(dtype)
        params = _perturbed(layer.init(rng, images), rng)
        for x in (batch_first(images), batch_last(images)):  # layers of a flow get the latter
            y = layer.forward(params, x)[0]
            layer.inverse(params, y)
            if gradients:
                _pull_back(layer.forward, params, x)
                _pull_back(layer.inverse, params, y)


def _pull_back(function, params, images):
    """Run the backward pass of a layer's function by parameters and images."""

    def total(arguments):
        result, log_det = function(*arguments)
        return anp.sum(result * result) + anp.sum(log_det)

    pull_back, value = make_vjp(total)((params, images))
    pull_back(np.ones_like(value))


def _flow_tasks(flow, batches, batch, dtypes, gradients):
    flow = replace(flow, **{name: min(getattr(flow, name), most) for name, most in SMALL.items()})
    dtypes = [np.dtype(dtype) for dtype in dtypes]
    result = [
        Task(f"both directions, N = {n}, {dtype}", partial(_run_flow, flow, n, dtype))
        for dtype, n in product(dtypes, batches)
    ]
    if gradients:
        batch = Settings.__dataclass_fields__["batch_size"].default if batch is None else batch
        result += [
            Task(f"training, N = {batch}, {dtype}", partial(_train, flow, batch, dtype))
            for dtype in dtypes
        ]
    return result


def _run_flow(flow, batch, dtype):
    rng = np.random.default_rng(0)
    x = rng.uniform(-0.5, 0.5, (batch, *flow.image_shape)).astype(dtype)
    params = _perturbed(flow.init(rng, x), rng)
    flow.log_prob(params, x)
    flow.decode(params, flow.encode(params, x))
    flow.sampler(params).draw(rng, batch)


def _train(flow, batch, dtype):
    """Train for two steps: only in the second are all parameters away from their start."""
    rng = np.random.default_rng(0)
    count = max(batch, EVALUATION_BATCH)
    images = rng.integers(flow.bins, size=(2 * count, *flow.image_shape))
    options = {"steps": 2, "warmup": 0, "learning_rate": 1e-3, "clip": None}
    train(flow, images[:count], images[count:], batch_size=batch, dtype=str(dtype), **options)


def _perturbed(params, rng):
    """Move all parameters a little: at the start some corner blocks are simpler than later."""
    leaves = (
        leaf + 0.01 * rng.normal(size=leaf.shape).astype(leaf.dtype)
        for leaf in named_leaves(params).values()
    )
    return rebuild(params, leaves)
