"""The conditioning of the inverses inside a flow, convolution by convolution.

Diagnostics name a convolution by its level, its step and the layer that applies it, for instance
"level 1, step 2, InvertibleConv".
"""

import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from cinc_ref._autodiff import value_of
from cinc_ref._display import table_html
from cinc_ref._typing import FloatArray, Params
from cinc_ref.bijections import Bijection, Chain, Inverse, InvertibleConv
from cinc_ref.errors import IllConditionedWarning, ParamsError, SingularKernelError
from cinc_ref.primitives.diagnostics import warn_if_ill_conditioned, warn_if_nonfinite
from cinc_ref.theory.conditioning import Stability, condition_and_digits, stability

if TYPE_CHECKING:
    from cinc_ref.flows.multiscale import Flow

__all__ = [
    "StabilityByLayer",
    "checked_inverse",
    "leaf_layers",
    "named_convolutions",
    "stability_by_layer",
    "worst_conditioned",
]

PACKAGE = __name__.partition(".")[0] + "."
"""Prefix of the names of all modules of this package."""


def named_convolutions(
    flow: "Flow", params: Params
) -> Iterator[tuple[str, InvertibleConv, FloatArray, tuple[int, int]]]:
    """Yield (name, layer, kernel, (H, W)) of every invertible convolution, from data to latent."""
    flow.check_params(params)
    shape = flow.image_shape
    for level, chain in enumerate(flow.chains):
        shape = chain.output_shape(shape)
        for name, layer, layer_params in leaf_layers(chain, params["levels"][level], level):
            for convolution, conv_params, _ in layer.convolutions(layer_params):
                inner = _convolution_name(name, convolution)
                with _named(inner):
                    kernel = value_of(convolution.kernel(conv_params))
                yield inner, convolution, kernel, shape[1:]
        shape = (shape[0] // 2, *shape[1:])


class StabilityByLayer(dict[str, Stability]):
    """The `Stability` of convolutions by name: a dict that notebooks show as a table."""

    def __repr__(self) -> str:
        verdicts = Counter(item.verdict for item in self.values())
        counts = ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in sorted(verdicts))
        return f"StabilityByLayer({len(self)} convolutions: {counts})"

    def _repr_html_(self) -> str:
        names = ("size", "condition_number", "skeel_number", "verdict", "rate")
        rows = [(layer, *(getattr(item, name) for name in names)) for layer, item in self.items()]
        return table_html(("layer", *names), rows)


def stability_by_layer(flow: "Flow", params: Params) -> StabilityByLayer:
    """Return the `Stability` of every invertible convolution by name."""
    return StabilityByLayer(
        (name, stability(kernel, size, dilation=layer.dilation, anchor=layer.anchor))
        for name, layer, kernel, size in named_convolutions(flow, params)
    )


def worst_conditioned(flow: "Flow", params: Params) -> tuple[str, float, float]:
    """Find the convolution whose inverse keeps the fewest digits; quicker than `Flow.stability`.

    Returns
    -------
    name : str
    condition_number : float
        Condition number of its matrix in the 1-norm.
    digits : float
        Decimal digits of the largest pixel that are kept in the dtype of the parameters.
    """
    conditions = []
    for name, layer, kernel, size in named_convolutions(flow, params):
        condition, digits = condition_and_digits(kernel, size, layer.geometry, kernel.dtype)
        conditions.append((name, condition, digits))
    return min(conditions, key=lambda entry: (entry[2], -entry[1]))


def checked_inverse(
    chain: Chain, params: Any, y: FloatArray, level: int, check: bool
) -> FloatArray:
    """Apply chain.inverse layer by layer, and warn of the layer whose result is not finite.

    With `check` it also warns of every convolution whose inverse leaves a large residual or keeps
    too few digits. All warnings are `IllConditionedWarning`; warnings and errors name the layer.
    """
    for name, layer, layer_params in reversed(list(leaf_layers(chain, params, level))):
        with _named(name):
            x, _ = layer._inverse(layer_params, y)
        _check_layer(name, layer, layer_params, value_of(x), value_of(y), check)
        y = x
    return y


def leaf_layers(chain: Chain, params: Any, level: int) -> Iterator[tuple[str, Bijection, Any]]:
    """Yield (name, layer, its parameters) of the layers of a level that are no compositions.

    The squeeze stands before step 1.
    """
    for k, (layer, layer_params) in enumerate(chain.steps(params)):
        step = f", step {k}" if k else ""
        yield from _leaves(layer, layer_params, f"level {level + 1}{step}, ")


def _check_layer(name, layer, params, x, y, check):
    """Warn if x, the computed inverse of y, cannot be trusted."""
    if not np.isfinite(y).all():  # the warning named a layer before this one
        return
    if isinstance(layer, Inverse) or not layer.convolutions(params):  # nothing is solved
        if not np.isfinite(x).all():
            _warn(name, f"the inverse of {name} is not finite in {x.dtype}, although its input is")
        return
    for convolution, conv_params, (start, stop) in layer.convolutions(params):
        kernel = value_of(convolution.kernel(conv_params))
        part, source = x[:, start:stop], y[:, start:stop]
        options = {
            "layer": _convolution_name(name, convolution),
            "stacklevel": _stacklevel() + 1,  # which counts the function that warns
        }
        if check:
            warn_if_ill_conditioned(part, source, kernel, convolution.geometry, **options)
        else:
            warn_if_nonfinite((part,), source, kernel, convolution.geometry, **options)


@contextmanager
def _named(name):
    """Put the name of a layer before errors about its parameters."""
    try:
        yield
    except (ParamsError, SingularKernelError) as error:
        raise type(error)(f"{name}: {error}") from error


def _warn(name, message):
    warning = IllConditionedWarning(message, name, np.inf, 0.0)
    warnings.warn(warning, stacklevel=_stacklevel())


def _stacklevel():
    """Return the `stacklevel` with which a warning of the caller names the user's line."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(PACKAGE):
        frame, level = frame.f_back, level + 1
    return level


def _leaves(layer, params, step, owner=""):
    """Yield the leaves inside a layer, each under the name of the outermost layer but chains."""
    layer_name = type(layer.layer if isinstance(layer, Inverse) else layer).__name__
    owner = owner or ("" if layer_name == Chain.__name__ else layer_name)
    steps = layer.steps(params)
    for inner, inner_params in steps:
        yield from _leaves(inner, inner_params, step, owner)
    if not steps:
        yield step + owner, layer, params


def _convolution_name(name, convolution):
    """Add the corner to the name where a layer has several convolutions."""
    alone = name.endswith(type(convolution).__name__)
    return name if alone else f"{name} {convolution.corner}"
