"""Compositions of layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cinc_ref import _validate
from cinc_ref._display import short_repr, table_html
from cinc_ref.bijections.base import Bijection, Shape, store, template
from cinc_ref.errors import OptionError

__all__ = ["Chain"]


@dataclass(frozen=True)
class Chain(Bijection):
    r"""The composition of layers, the first applied first.

    .. math::
        f = f_m \circ \dots \circ f_1, \qquad
        \log\left|\det \frac{\partial f(x)}{\partial x}\right|
        = \sum_k \log\left|\det \frac{\partial f_k}{\partial x_{k-1}}\right|

    Its parameters are the list of the parameters of its layers.

    Parameters
    ----------
    layers : iterable of Bijection

    Raises
    ------
    OptionError
        If this is no iterable, or holds anything but bijections.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.bijections import ActNorm, Chain, InvertibleConv, Squeeze
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(4, 1, 6, 6))
    >>> layer = Chain([Squeeze(), ActNorm(), InvertibleConv()])
    >>> params = layer.init(rng, x)
    >>> y, log_det = layer.forward(params, x)
    >>> back, minus_log_det = layer.inverse(params, y)
    >>> bool(np.allclose(back, x)), bool(np.allclose(minus_log_det, -log_det))
    (True, True)
    """

    layers: Sequence[Bijection]

    __repr__ = short_repr

    def _repr_html_(self) -> str:
        rows = [(k, repr(layer)) for k, layer in enumerate(self.layers)]
        return table_html(("", "layer"), rows, caption=f"{type(self).__name__}, in order")

    def __post_init__(self) -> None:
        layers = tuple(self.layers) if np.iterable(self.layers) else None
        if layers is None or not all(isinstance(layer, Bijection) for layer in layers):
            raise OptionError(
                f"layers must be an iterable of bijections; got {_validate.shown(self.layers)}"
            )
        store(self, layers=layers)

    def steps(self, params: Any) -> tuple[tuple[Bijection, Any], ...]:
        """List the layers with their parameters; see `Bijection.steps`."""
        return tuple(zip(self.layers, params, strict=True))

    def _init(self, rng, x):
        params = []
        for layer in self.layers:
            params.append(layer._init(rng, x))
            x, _ = layer._forward(params[-1], x)
        return params

    def _template(self, shape):
        params = []
        for layer in self.layers:
            params.append(template(layer, shape).tree)
            shape = layer.output_shape(shape)
        return params

    def _forward(self, params, x):
        total = 0
        for layer, layer_params in zip(self.layers, params, strict=True):
            x, log_det = layer._forward(layer_params, x)
            total = total + log_det
        return x, total

    def _inverse(self, params, y):
        total = 0
        for layer, layer_params in zip(reversed(self.layers), reversed(params), strict=True):
            y, log_det = layer._inverse(layer_params, y)
            total = total + log_det
        return y, total

    def _record(self, program, params, x, inverse):
        steps, total = list(zip(self.layers, params, strict=True)), None
        for layer, layer_params in reversed(steps) if inverse else steps:
            x, log_det = layer._record(program, layer_params, x, inverse)
            if program.density:
                total = program.add_log_dets(total, log_det)
        return x, total

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape after the last layer; see `Bijection.output_shape`."""
        for layer in self.layers:
            shape = layer.output_shape(shape)
        return shape

    def input_shape(self, shape: Shape) -> Shape:
        """Return the shape before the first layer; see `Bijection.input_shape`."""
        for layer in reversed(self.layers):
            shape = layer.input_shape(shape)
        return shape
