"""How far the inverses inside a flow can be trusted: every convolution by its name."""

import warnings

import numpy as np

from cinc_ref import _checks
from cinc_ref.bijections import Chain, InvertibleConv
from cinc_ref.errors import IllConditionedWarning
from cinc_ref.primitives.trust import warn_unless_finite, warn_unless_trusted
from cinc_ref.theory.conditioning import condition_and_digits, stability


def named_convolutions(flow, params):
    """Yield (name, layer, kernel, (H, W)) of every invertible convolution, from data to latent."""
    shape = flow.image_shape
    for level, chain in enumerate(flow.chains):
        shape = chain._output_shape(shape)
        for place, layer, own in _leaf_layers(chain, params["levels"][level], ()):
            if isinstance(layer, InvertibleConv):
                kernel = _checks.plain(layer.kernel(own))
                yield _name(level, place, layer), layer, kernel, shape[1:]
        shape = (shape[0] // 2, *shape[1:])


def stability_by_layer(flow, params):
    """The `Stability` of every invertible convolution, by name."""
    return {
        name: stability(kernel, size, dilation=layer.dilation, anchor=layer.anchor)
        for name, layer, kernel, size in named_convolutions(flow, params)
    }


def worst_conditioned(flow, params):
    """(name, condition number, digits kept) of the convolution that keeps the fewest digits.

    The digits are those of the parameters' dtype; quicker than `stability_by_layer`.
    """
    found = []
    for name, layer, kernel, size in named_convolutions(flow, params):
        condition, digits = condition_and_digits(kernel, size, layer.geometry, kernel.dtype)
        found.append((name, condition, digits))
    return min(found, key=lambda entry: (entry[2], -entry[1]))


def watched_inverse(chain, params, y, level, check):
    """chain.inverse(params, y) layer by layer, each looked at: an inverse that fails is named.

    With `check` every convolution is held to its residual and its digits as well.
    """
    for place, layer, own in reversed(list(_leaf_layers(chain, params, ()))):
        x, _ = layer.inverse(own, y)
        _look(_name(level, place, layer), layer, own, _checks.plain(x), _checks.plain(y), check)
        y = x
    return y


def _look(name, layer, params, x, y, check):
    if not np.isfinite(y).all():  # a layer before has been named
        return
    if isinstance(layer, InvertibleConv):
        kernel = _checks.plain(layer.kernel(params))
        watch = warn_unless_trusted if check else lambda x, *rest: warn_unless_finite((x,), *rest)
        watch(x, y, kernel, layer.geometry, name)
    elif not np.isfinite(x).all():
        message = f"the inverse of {name} is not finite in {x.dtype.name}, although its input is"
        warnings.warn(IllConditionedWarning(message, name, np.inf, 0.0), stacklevel=5)


def _leaf_layers(layer, params, place):
    """Yield (place, layer, its parameters) in order, going into chains."""
    if isinstance(layer, Chain):
        for k, (inner, own) in enumerate(zip(layer.layers, params, strict=True)):
            yield from _leaf_layers(inner, own, (*place, k))
    else:
        yield place, layer, params


def _name(level, place, layer):
    """What people call a layer: the squeeze stands before step 1."""
    step = f", step {place[0]}" if len(place) > 1 else ""
    return f"level {level + 1}{step}, {type(layer).__name__}"
