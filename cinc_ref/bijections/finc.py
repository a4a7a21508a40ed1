"""The convolution of FInC Flow: four groups of channels, each padded at a corner of its own."""

from dataclasses import dataclass
from functools import cache, cached_property

import autograd.numpy as anp
import numpy as np

from cinc_ref.bijections.base import Bijection
from cinc_ref.bijections.conv import InvertibleConv
from cinc_ref.errors import ShapeError
from cinc_ref.interop import FINC_CORNERS
from cinc_ref.primitives.channels import take_channels


@dataclass(frozen=True)
class FincConv(Bijection):
    """Four causal convolutions side by side, one group of channels and one corner each.

    The groups follow one another as their corners do in `cinc_ref.interop.FINC_CORNERS`; they may
    differ by one channel, as in `numpy.array_split`. No group reads another.

    Parameters
    ----------
    kernel_size, corner_block, dilation, stable
        Of each convolution, as in `InvertibleConv`.
    seed : int
        Of the rotations at which "plu" and "dense" start.

    References
    ----------
    Kallappa, Nagar and Varma, "FInC Flow: Fast and Invertible k x k Convolutions for Normalizing
    Flows", 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.bijections import FincConv
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(2, 8, 5, 4))
    >>> layer = FincConv()
    >>> params = layer.init(rng, x)
    >>> y, log_det = layer.forward(params, x)
    >>> bool(np.allclose(layer.inverse(params, y)[0], x)), log_det
    (True, array([0., 0.]))
    >>> layer.count_parameters(12)
    300
    """

    kernel_size: int | tuple[int, int] = 3
    corner_block: str = "unit"
    dilation: int = 1
    seed: int = 0
    stable: bool = False

    def __post_init__(self):
        self._layers  # noqa: B018  refuses wrong options

    @cached_property
    def _layers(self):
        return tuple(
            InvertibleConv(
                self.kernel_size,
                corner_block=self.corner_block,
                corner=corner,
                dilation=self.dilation,
                seed=self.seed,
                stable=self.stable,
            )
            for corner in FINC_CORNERS
        )

    def count_parameters(self, channels):
        """How many numbers are learned for this many channels."""
        groups = zip(self._layers, _groups(channels), strict=True)
        return sum(layer.count_parameters(stop - start) for layer, (start, stop) in groups)

    def _init(self, rng, x):
        groups = zip(self._layers, _groups(x.shape[1]), strict=True)
        return [layer.init(rng, x[:, start:stop]) for layer, (start, stop) in groups]

    def _forward(self, params, x):
        return self._side_by_side("forward", params, x)

    def _inverse(self, params, y):
        return self._side_by_side("inverse", params, y)

    def _side_by_side(self, direction, params, images):
        parts, total = [], 0
        for layer, own, (start, stop) in self._convolutions(params):
            part, log_det = getattr(layer, direction)(own, take_channels(images, start, stop))
            parts.append(part)
            total = total + log_det
        return anp.concatenate(parts, axis=1), total

    def _convolutions(self, params):
        groups = _groups(self._channels_of(params))
        return tuple(zip(self._layers, params, groups, strict=True))

    def _channels_of(self, params):
        return sum(len(own["taps"]) for own in params)

    def _output_shape(self, shape):
        if shape[0] < 4:
            raise ShapeError(f"FincConv needs at least 4 channels; got images of shape {shape}")
        return shape


@cache
def _groups(channels):
    """(start, stop) of the channels of each group."""
    stops = np.cumsum([len(part) for part in np.array_split(np.arange(channels), 4)]).tolist()
    return tuple(zip([0, *stops[:-1]], stops, strict=True))
