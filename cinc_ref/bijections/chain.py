"""One layer after another."""

from dataclasses import dataclass

from cinc_ref.bijections.base import Bijection


@dataclass(frozen=True)
class Chain(Bijection):
    """The composition of layers, the first applied first; its parameters are the list of theirs.

    Parameters
    ----------
    layers : iterable of Bijection

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

    layers: tuple[Bijection, ...]

    def __post_init__(self):
        object.__setattr__(self, "layers", tuple(self.layers))

    def _steps(self, params):
        return tuple(zip(self.layers, params, strict=True))

    def _init(self, rng, x):
        params = []
        for layer in self.layers:
            params.append(layer.init(rng, x))
            x, _ = layer.forward(params[-1], x)
        return params

    def _forward(self, params, x):
        total = 0
        for layer, own in zip(self.layers, params, strict=True):
            x, log_det = layer.forward(own, x)
            total = total + log_det
        return x, total

    def _inverse(self, params, y):
        total = 0
        for layer, own in zip(reversed(self.layers), reversed(params), strict=True):
            y, log_det = layer.inverse(own, y)
            total = total + log_det
        return y, total

    def _output_shape(self, shape):
        for layer in self.layers:
            shape = layer._output_shape(shape)
        return shape

    def _input_shape(self, shape):
        for layer in reversed(self.layers):
            shape = layer._input_shape(shape)
        return shape
