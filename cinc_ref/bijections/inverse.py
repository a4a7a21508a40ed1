"""Inverses of layers, as layers."""

from dataclasses import dataclass
from typing import Any

from cinc_ref import _validate
from cinc_ref._display import short_repr
from cinc_ref.bijections.base import Bijection, Shape, template

__all__ = ["Inverse"]


@dataclass(frozen=True)
class Inverse(Bijection):
    r"""The inverse of a layer as a layer, with the same parameters.

    .. math::
        \text{Inverse}(f)(x) = f^{-1}(x), \qquad
        \log\left|\det \frac{\partial f^{-1}(x)}{\partial x}\right|
        = -\log\left|\det \frac{\partial f}{\partial y}\right|_{y = f^{-1}(x)}

    `init` starts the layer from a batch that has the right shape but is not mapped through the
    inverse, which has no parameters yet: a layer that normalizes does so for these statistics.

    Parameters
    ----------
    layer : Bijection
        The layer to invert.

    Raises
    ------
    OptionError
        If `layer` is no bijection.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.bijections import Inverse, Squeeze
    >>> y, _ = Inverse(Squeeze()).forward({}, np.ones((1, 4, 3, 3)))
    >>> y.shape
    (1, 1, 6, 6)
    """

    layer: Bijection

    __repr__ = short_repr

    def __post_init__(self) -> None:
        _validate.instance("layer", self.layer, Bijection, "a bijection")

    def _init(self, rng, x):
        return self.layer._init(rng, x.reshape(len(x), *self.layer.input_shape(x.shape[1:])))

    def _template(self, shape):
        return template(self.layer, self.layer.input_shape(shape)).tree

    def steps(self, params: Any) -> tuple[tuple[Bijection, Any], ...]:
        """List the inverses of the inner steps, the last first; see `Bijection.steps`."""
        steps = reversed(self.layer.steps(params))
        return tuple((Inverse(layer), layer_params) for layer, layer_params in steps)

    def convolutions(self, params: Any) -> tuple[tuple[Bijection, Any, tuple[int, int]], ...]:
        """List the convolutions of the inner layer; see `Bijection.convolutions`."""
        return self.layer.convolutions(params)

    def _forward(self, params, x):
        return self.layer._inverse(params, x)

    def _inverse(self, params, y):
        return self.layer._forward(params, y)

    def _record(self, program, params, x, inverse):
        return self.layer._record(program, params, x, not inverse)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the inner layer's `input_shape`."""
        return self.layer.input_shape(shape)

    def input_shape(self, shape: Shape) -> Shape:
        """Return the inner layer's `output_shape`."""
        return self.layer.output_shape(shape)
