"""Interpolation in the latents of a flow: between two images, and over temperatures."""

from collections.abc import Sequence

import numpy as np

from cinc_ref import _validate
from cinc_ref._arrays import plain_array
from cinc_ref._typing import Array, Params, RealArrayLike, Seed
from cinc_ref.errors import OptionError, ShapeError
from cinc_ref.flows.multiscale import Flow, check_flow

__all__ = ["interpolate", "temperature_sweep"]


def interpolate(
    flow: Flow, params: Params, a: RealArrayLike, b: RealArrayLike, steps: int
) -> Array:
    r"""Interpolate between images a and b, along the straight line between their latents.

    .. math::
        x_k = f^{-1}\left((1 - t_k) f(a) + t_k f(b)\right), \qquad t_k = k / (\text{steps} - 1)

    Parameters
    ----------
    flow : Flow
    params : tree of ndarray
        Parameters as `Flow.init` returns them.
    a, b : array_like, shape (C, H, W) or (N, C, H, W)
        Float images in [-1/2, 1/2), the dtype of the parameters.
    steps : int
        Number of images, a and b among them; at least 2.

    Returns
    -------
    ndarray, shape (steps, C, H, W) or (steps, N, C, H, W), dtype of the parameters
        The images; the first is a and the last b, to rounding.

    Raises
    ------
    OptionError
        If `flow` is no flow, or `steps` no integer >= 2.
    ParamsError
        If the parameters do not fit the flow, or are not finite.
    ShapeError, DataError, DtypeError, NonFiniteError
        If a and b differ in shape, or do not fit the flow.

    Examples
    --------
    >>> import numpy as np
    >>> import cinc_ref as cr
    >>> flow = cr.flows.build("cinc", "affine", (1, 4, 4), levels=1, depth=2, width=4)
    >>> rng = np.random.default_rng(0)
    >>> a, b = x = rng.uniform(-0.5, 0.5, (2, 1, 4, 4))
    >>> way = cr.interpolate(flow, flow.init(rng, x), a, b, steps=5)
    >>> way.shape, bool(np.allclose(way[0], a)), bool(np.allclose(way[-1], b))
    ((5, 1, 4, 4), True, True)
    """
    check_flow(flow)
    steps = _validate.integer("steps", steps, minimum=2)
    a, b = plain_array(a, "a"), plain_array(b, "b")
    if a.shape != b.shape or a.ndim not in (3, 4):
        raise ShapeError(
            f"a and b must have one shape, (C, H, W) or (N, C, H, W); got {a.shape} and {b.shape}"
        )
    _validate.check_memory("steps", steps, steps * a.nbytes, "use fewer")
    ends = [flow.encode(params, x.reshape(-1, *a.shape[-3:])) for x in (a, b)]
    t = np.linspace(0, 1, steps, dtype=ends[0][0].dtype).reshape(-1, 1, 1, 1, 1)
    latents = [
        ((1 - t) * start + t * end).reshape(-1, *start.shape[1:])
        for start, end in zip(*ends, strict=True)
    ]
    return flow.decode(params, latents).reshape(steps, *a.shape)


def temperature_sweep(
    flow: Flow, params: Params, rng: Seed, n: int, temperatures: Sequence[float]
) -> Array:
    """Decode the same random latents at several temperatures.

    Parameters
    ----------
    flow : Flow
    params : tree of ndarray
        Parameters as `Flow.init` returns them.
    rng : numpy.random.Generator, int or None
        Source of the latents; whatever `numpy.random.default_rng` takes.
    n : int
        Number of images at each temperature.
    temperatures : sequence of float
        Standard deviations of the latents, each >= 0; 0 is the mode.

    Returns
    -------
    ndarray, shape (len(temperatures), n, C, H, W), dtype of the parameters

    Raises
    ------
    OptionError
        If `flow` is no flow, `n` no integer >= 0, a temperature negative or not finite, or there is
        no temperature, or `rng` is no seed.
    ParamsError
        If the parameters do not fit the flow, or are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.flows import build, temperature_sweep
    >>> flow = build("cinc", "affine", (1, 4, 4), levels=1, depth=2, width=4)
    >>> rng = np.random.default_rng(0)
    >>> params = flow.init(rng, rng.uniform(-0.5, 0.5, (2, 1, 4, 4)))
    >>> temperature_sweep(flow, params, rng, 3, [0, 0.5, 1]).shape
    (3, 3, 1, 4, 4)
    """
    check_flow(flow)
    n = _validate.integer("n", n, minimum=0)
    temperatures = _check_temperatures(temperatures)
    seed = _validate.generator("rng", rng).integers(2**32)  # the same latents every time
    return np.stack(
        [flow.sample(params, np.random.default_rng(seed), n, value) for value in temperatures]
    )


def _check_temperatures(temperatures):
    is_sequence = isinstance(temperatures, tuple | list) or np.ndim(temperatures) == 1
    if not is_sequence or not len(temperatures):
        raise OptionError(
            f"temperatures must be a sequence of numbers >= 0; got {_validate.shown(temperatures)}"
        )
    return [_validate.number("temperatures", value, minimum=0) for value in temperatures]
