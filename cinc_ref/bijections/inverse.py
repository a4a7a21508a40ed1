"""A layer the other way round."""

from dataclasses import dataclass

from cinc_ref.bijections.base import Bijection


@dataclass(frozen=True)
class Inverse(Bijection):
    """The inverse of a layer as a layer: forward is its inverse, with the same parameters.

    Parameters
    ----------
    layer : Bijection
        `init` hands it the batch mapped to where the layer itself starts only in shape: layers
        that normalize by statistics do so for what comes in here.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.bijections import Inverse, Squeeze
    >>> y, _ = Inverse(Squeeze()).forward({}, np.ones((1, 4, 3, 3)))
    >>> y.shape
    (1, 1, 6, 6)
    """

    layer: Bijection

    def _init(self, rng, x):
        return self.layer.init(rng, x.reshape(len(x), *self.layer._input_shape(x.shape[1:])))

    def _steps(self, params):
        return tuple((Inverse(layer), own) for layer, own in reversed(self.layer._steps(params)))

    def _convolutions(self, params):
        return self.layer._convolutions(params)

    def _forward(self, params, x):
        return self.layer.inverse(params, x)

    def _inverse(self, params, y):
        return self.layer.forward(params, y)

    def _output_shape(self, shape):
        return self.layer._input_shape(shape)

    def _input_shape(self, shape):
        return self.layer._output_shape(shape)
