"""Unit dropout as a map of parameters: the layers know nothing of it."""

from autograd.builtins import isinstance  # also knows the boxes of traced dicts and lists


def drop_units(params, rate, rng):
    r"""Silence hidden units of every coupling network at random.

    A unit that is dropped feeds nothing: the weights that read it are multiplied by 0, those that
    read the others by 1 / (1 - rate), so that sums keep their expectation:

    .. math::
        W[:, u] \leftarrow W[:, u]\, m_u / (1 - \text{rate}),
        \qquad m_u \sim \text{Bernoulli}(1 - \text{rate})

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
        Of the same structure and dtypes.

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
            for name in ("second", "last"):
                dropped[name] = _drop_inputs(dropped[name], rate, rng)
        return dropped
    if isinstance(params, list | tuple):
        branches = [drop_units(params[k], rate, rng) for k in range(len(params))]
        return tuple(branches) if isinstance(params, tuple) else branches
    return params


def _drop_inputs(layer, rate, rng):
    weight = layer["weight"]
    kept = rng.random(weight.shape[1]) >= rate
    factor = (kept / (1 - rate)).astype(weight.dtype)
    return {**layer, "weight": weight * factor[:, None, None]}
