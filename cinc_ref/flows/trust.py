"""How far the inverses inside a flow can be trusted: every convolution by its name."""

import warnings

import numpy as np

from cinc_ref._autodiff import value_of
from cinc_ref.bijections import Chain, Inverse
from cinc_ref.errors import IllConditionedWarning
from cinc_ref.primitives.diagnostics import warn_if_ill_conditioned, warn_if_nonfinite
from cinc_ref.theory.conditioning import condition_and_digits, stability


def named_convolutions(flow, params):
    """Yield (name, layer, kernel, (H, W)) of every invertible convolution, from data to latent."""
    shape = flow.image_shape
    for level, chain in enumerate(flow.chains):
        shape = chain._output_shape(shape)
        for name, layer, own in leaf_layers(chain, params["levels"][level], level):
            for convolution, its, _ in layer._convolutions(own):
                kernel = value_of(convolution.kernel(its))
                yield _convolution_name(name, convolution), convolution, kernel, shape[1:]
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
    for name, layer, own in reversed(list(leaf_layers(chain, params, level))):
        x, _ = layer.inverse(own, y)
        _look(name, layer, own, value_of(x), value_of(y), check)
        y = x
    return y


def leaf_layers(chain, params, level):
    """Yield (name, layer, its parameters) of a level in order, going into all compositions.

    The squeeze stands before step 1.
    """
    for k, (layer, own) in enumerate(chain._steps(params)):
        step = f", step {k}" if k else ""
        yield from _leaves(layer, own, f"level {level + 1}{step}, ")


def _look(name, layer, params, x, y, check):
    if not np.isfinite(y).all():  # a layer before has been named
        return
    if isinstance(layer, Inverse) or not layer._convolutions(params):  # nothing is solved
        if not np.isfinite(x).all():
            message = (
                f"the inverse of {name} is not finite in {x.dtype.name}, although its input is"
            )
            warnings.warn(IllConditionedWarning(message, name, np.inf, 0.0), stacklevel=5)
        return
    watch = warn_if_ill_conditioned if check else lambda x, *rest: warn_if_nonfinite((x,), *rest)
    for convolution, own, (start, stop) in layer._convolutions(params):
        kernel = value_of(convolution.kernel(own))
        full_name = _convolution_name(name, convolution)
        watch(x[:, start:stop], y[:, start:stop], kernel, convolution.geometry, full_name)


def _leaves(layer, params, step, owner=""):
    """The leaves inside a layer, each under the name of the outermost layer that has one."""
    own_name = type(layer.layer if isinstance(layer, Inverse) else layer).__name__
    owner = owner or ("" if own_name == Chain.__name__ else own_name)
    steps = layer._steps(params)
    for inner, own in steps:
        yield from _leaves(inner, own, step, owner)
    if not steps:
        yield step + owner, layer, params


def _convolution_name(name, convolution):
    """What people call a convolution: by its corner, where a layer has several."""
    alone = name.endswith(type(convolution).__name__)
    return name if alone else f"{name} {convolution.corner}"
