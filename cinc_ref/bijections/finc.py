"""The convolution of FInC Flow: four groups of channels, each padded at another corner."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import autograd.numpy as anp

from cinc_ref import _validate
from cinc_ref.bijections.base import Bijection, Shape, store
from cinc_ref.bijections.channels import channel_groups
from cinc_ref.bijections.conv import CornerBlock, InvertibleConv
from cinc_ref.errors import ShapeError
from cinc_ref.geometry import CORNERS
from cinc_ref.primitives.channels import take_channels

__all__ = ["FincConv"]


@dataclass(frozen=True)
class FincConv(Bijection):
    """Four causal convolutions side by side, for each group of channels one with its own corner.

    The groups are padded at the top left, top right, bottom left and bottom right, in this order.
    They differ by at most one channel, as in `numpy.array_split`. No group reads another. The
    parameters are the list of those of the four convolutions.

    Parameters
    ----------
    kernel_size : int or (int, int)
        Height and width of the four kernels.
    corner_block : {"unit", "triangular", "plu", "dense"}
        Form of the four corner blocks, as in `InvertibleConv`.
    dilation : int
        Distance between neighbouring taps, in pixels.
    seed : int
        Seed of the rotations at which "plu" and "dense" start.
    stable : bool
        Whether the inverses are kept bounded, as in `InvertibleConv`.

    Raises
    ------
    OptionError
        If an option is not as described.

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
    corner_block: CornerBlock = "unit"
    dilation: int = 1
    seed: int = 0
    stable: bool = False

    def __post_init__(self) -> None:
        first = self._layers[0]  # has validated the options
        size = self.kernel_size
        store(
            self,
            kernel_size=first.kernel_size[0] if _validate.is_integer(size) else first.kernel_size,
            corner_block=first.corner_block,
            dilation=first.dilation,
            seed=first.seed,
            stable=first.stable,
        )

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
            for corner in CORNERS
        )

    def count_parameters(self, channels: int) -> int:
        """Count the numbers that are learned for images of some channels.

        Parameters
        ----------
        channels : int

        Returns
        -------
        int

        Raises
        ------
        OptionError
            If `channels` is no integer >= 4.
        """
        channels = _validate.integer("channels", channels, minimum=len(CORNERS))
        groups = zip(self._layers, _groups(channels), strict=True)
        return sum(layer.count_parameters(stop - start) for layer, (start, stop) in groups)

    def _init(self, rng, x):
        groups = zip(self._layers, _groups(x.shape[1]), strict=True)
        return [layer._init(rng, x[:, start:stop]) for layer, (start, stop) in groups]

    def _forward(self, params, x):
        return self._apply_to_groups(InvertibleConv._forward, params, x)

    def _inverse(self, params, y):
        return self._apply_to_groups(InvertibleConv._inverse, params, y)

    def _record(self, program, params, x, inverse):
        y, total = program.partner(x), None
        for layer, layer_params, (start, stop) in self.convolutions(params):
            parts = x[start:stop], y[start:stop]
            log_det = layer._record_into(program, layer_params, *parts, inverse)
            if program.density:
                total = program.add_log_dets(total, log_det)
        return y, total

    def _apply_to_groups(self, apply, params, images):
        parts, total = [], 0
        for layer, layer_params, (start, stop) in self.convolutions(params):
            part, log_det = apply(layer, layer_params, take_channels(images, start, stop))
            parts.append(part)
            total = total + log_det
        return anp.concatenate(parts, axis=1), total

    def convolutions(self, params: Any) -> tuple[tuple[Bijection, Any, tuple[int, int]], ...]:
        """List the four convolutions; see `Bijection.convolutions`."""
        groups = _groups(self.channels_of(params))
        return tuple(zip(self._layers, params, groups, strict=True))

    def channels_of(self, params: Any) -> int:
        """Return the sum over the four groups; see `Bijection.channels_of`."""
        return sum(len(layer_params["taps"]) for layer_params in params)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape itself, or raise `ShapeError` below four channels."""
        if shape[0] < len(CORNERS):
            raise ShapeError(f"FincConv needs at least 4 channels; got images of shape {shape}")
        return shape


def _groups(channels):
    return channel_groups(channels, len(CORNERS))
