"""The emerging convolution: two causal convolutions from opposite corners."""

from dataclasses import dataclass, field
from typing import Any

from cinc_ref import _validate
from cinc_ref._display import short_repr
from cinc_ref.bijections.base import Bijection, store
from cinc_ref.bijections.chain import Chain
from cinc_ref.bijections.conv import CornerBlock, InvertibleConv
from cinc_ref.errors import OptionError

__all__ = ["EmergingConv"]


@dataclass(frozen=True)
class EmergingConv(Chain):
    r"""Two quadrants whose composition reads a whole square of pixels, without its 1x1 convolution.

    .. math::
        y = \mathrm{conv}(\mathrm{conv}(x, K_1; \text{bottom-right}), K_2; \text{top-left})

    Each kernel has the side (k + 1) / 2, so that the receptive field of both is k x k. The corner
    block of :math:`K_1` is lower and that of :math:`K_2` upper triangular, as in the released
    code, so that no order of the channels is left over. Flows put a 1x1 convolution before it.

    Parameters
    ----------
    kernel_size : int
        Side k of the receptive field, an odd number.
    corner_block : {"unit", "triangular", "plu", "dense"}
        Form of both corner blocks, as in `InvertibleConv`.
    dilation : int
        Distance between neighbouring taps, in pixels.
    stable : bool
        Whether both inverses are kept bounded, as in `InvertibleConv`.

    Raises
    ------
    OptionError
        If an option is not as described.

    References
    ----------
    Hoogeboom, van den Berg and Welling, "Emerging Convolutions for Generative Normalizing Flows",
    2019, section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.bijections import EmergingConv
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(2, 3, 5, 4))
    >>> layer = EmergingConv()
    >>> params = layer.init(rng, x)
    >>> y, log_det = layer.forward(params, x)
    >>> bool(np.allclose(layer.inverse(params, y)[0], x))
    True
    >>> layer.count_parameters(12)  # 6 n² + n (n + 1)
    1020
    """

    layers: tuple[Bijection, ...] = field(init=False)
    kernel_size: int = 3
    corner_block: CornerBlock = "triangular"
    dilation: int = 1
    stable: bool = False

    def __repr__(self) -> str:
        return short_repr(self)

    def __post_init__(self) -> None:
        k = _validate.integer("kernel_size", self.kernel_size, minimum=1)
        if k % 2 == 0:
            raise OptionError(f"kernel_size must be an odd integer >= 1; got {k}")
        convolutions = tuple(
            InvertibleConv(
                (k + 1) // 2,
                corner_block=self.corner_block,
                corner=corner,
                dilation=self.dilation,
                seed=seed,
                stable=self.stable,
                triangle=triangle,
            )
            for seed, (corner, triangle) in enumerate(
                (("bottom-right", "lower"), ("top-left", "upper"))
            )
        )
        first = convolutions[0]  # has validated the other options
        store(
            self,
            layers=convolutions,
            kernel_size=k,
            corner_block=first.corner_block,
            dilation=first.dilation,
            stable=first.stable,
        )

    def channels_of(self, params: Any) -> int:
        """Return the channels of the first kernel; see `Bijection.channels_of`."""
        return self.layers[0].channels_of(params[0])

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
            If `channels` is no integer >= 1.
        """
        return sum(layer.count_parameters(channels) for layer in self.layers)
