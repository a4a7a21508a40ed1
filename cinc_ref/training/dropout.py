"""Dropout of hidden units as a map of parameters, of which the layers know nothing."""

from typing import Any

import numpy as np
from autograd.builtins import isinstance  # also knows the boxes of traced dicts and lists

from cinc_ref.primitives.channels import scale_axes

__all__ = ["drop_units"]


def drop_units(params: Any, rate: float, rng: np.random.Generator) -> Any:
    r"""Silence hidden units of every coupling network at random.

    The output of a dropped unit is 0, and that of the others is multiplied by 1 / (1 - rate), so
    that sums keep their expectation:

    .. math::
        h_u \leftarrow h_u\, f_u, \qquad f_u = m_u / (1 - \text{rate}),
        \qquad m_u \sim \text{Bernoulli}(1 - \text{rate})

    for the hidden units of both layers. Only the second layer's parameters change, which are the
    fewest: its columns read the units of the first layer, and its rows and bias make its own
    units, since relu(f h) = f relu(h) where f >= 0. Deep flows thus need little memory for changed
    weights.

    One draw serves a whole batch. Differentiable by autograd.

    Parameters
    ----------
    params : tree
        The networks in it are dicts with the keys "first", "second" and "last".
    rate : float
        Probability that a unit is dropped, in [0, 1).
    rng : numpy.random.Generator

    Returns
    -------
    tree
        Parameters of the same structure and dtypes.

    References
    ----------
    Srivastava et al., "Dropout", 2014; its variant that drops whole channels: Tompson et al.,
    2015.
    """
    if rate == 0:
        return params
    if isinstance(params, dict):
        dropped = {name: drop_units(branch, rate, rng) for name, branch in params.items()}
        if {"first", "second", "last"} <= dropped.keys():
            dropped["second"] = _drop_both_sides(dropped["second"], rate, rng)
        return dropped
    if isinstance(params, list | tuple):
        branches = [drop_units(params[k], rate, rng) for k in range(len(params))]
        return tuple(branches) if isinstance(params, tuple) else branches
    return params


def _drop_both_sides(layer, rate, rng):
    weight, bias = layer["weight"], layer["bias"]
    outputs, inputs = (
        ((rng.random(units) >= rate) / (1 - rate)).astype(weight.dtype)
        for units in weight.shape[:2]
    )
    return {
        **layer,
        "weight": scale_axes(weight, outputs, inputs),
        "bias": scale_axes(bias, outputs),
    }
