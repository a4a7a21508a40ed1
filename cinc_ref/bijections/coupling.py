"""Couplings: blocks of channels shifted and scaled by functions of the blocks that came before.

One scheme serves all three. The channels are cut into blocks; the unchanged block comes first, and
each further block is changed by a network that reads the original values of all blocks before it.
The inverse recovers the blocks in the same sequence. With ``unchanged="last"`` the sequence runs
from the last block of channels to the first, so that a network reads all blocks after its own.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cinc_ref.bijections.base import Bijection, per_image
from cinc_ref.bijections.network import apply_network, init_network
from cinc_ref.errors import OptionError, ShapeError
from cinc_ref.primitives.affine_coupling import affine_coupling, log_scale_sum
from cinc_ref.primitives.channels import pad_channels, take_channels


@dataclass(frozen=True)
class _Coupling(Bijection):
    width: int = 64
    unchanged: str = "last"

    blocks: ClassVar[int] = 2
    scaled: ClassVar[bool] = True

    def __post_init__(self):
        if self.unchanged not in ("first", "last"):
            raise OptionError(f"unchanged must be 'first' or 'last'; got {self.unchanged!r}")
        if not isinstance(self.width, int) or self.width < 1:
            raise OptionError(f"width must be an integer >= 1; got {self.width!r}")

    def _sequence(self, channels):
        """(start, stop) of each block of channels, the unchanged one first."""
        cuts = [len(part) for part in np.array_split(np.arange(channels), self.blocks)]
        stops = np.cumsum(cuts).tolist()
        bounds = list(zip([0, *stops[:-1]], stops, strict=True))
        return bounds if self.unchanged == "first" else bounds[::-1]

    def _context(self, known, start, stop):
        """The channels of `known` images that the network of this block reads."""
        if self.unchanged == "first":
            return take_channels(known, 0, start)
        return take_channels(known, stop, known.shape[1])

    def _init(self, rng, x):
        networks = []
        inputs = 0
        for start, stop in self._sequence(x.shape[1]):
            if inputs:
                outputs = (stop - start) * (2 if self.scaled else 1)
                networks.append(init_network(rng, inputs, self.width, outputs, x.dtype))
            inputs += stop - start
        return networks

    def _forward(self, params, x):
        y, total = x, per_image(0, x)
        for network, (start, stop) in self._changes(params, x):
            h = apply_network(network, self._context(x, start, stop))
            y, log_det = self._change(y, h, start, inverse=False)
            total = total + log_det
        return y, total

    def _inverse(self, params, y):
        x, total = y, per_image(0, y)
        for network, (start, stop) in self._changes(params, y):
            h = apply_network(network, self._context(x, start, stop))
            x, log_det = self._change(x, h, start, inverse=True)
            total = total + log_det
        return x, total

    def _changes(self, params, x):
        """(network, (start, stop)) of each block of channels that changes, in sequence."""
        return zip(params, self._sequence(x.shape[1])[1:], strict=True)

    def _change(self, x, h, start, inverse):
        """x with one block changed by what the network says, and the log-determinant."""
        if self.scaled:
            log_det = log_scale_sum(h)
            return affine_coupling(x, h, start, inverse), -log_det if inverse else log_det
        shift = pad_channels(h, start, x.shape[1])
        return x - shift if inverse else x + shift, 0

    def _output_shape(self, shape):
        if shape[0] < self.blocks:
            raise ShapeError(
                f"{type(self).__name__} needs at least {self.blocks} channels; "
                f"got images of shape {shape}"
            )
        return shape

    def _channels_of(self, params):
        """The last network reads every block but its own, which is as large as its shift."""
        last = params[-1]
        own = last["last"]["weight"].shape[0] // (2 if self.scaled else 1)
        return last["first"]["weight"].shape[1] + own


@dataclass(frozen=True)
class AdditiveCoupling(_Coupling):
    """Two blocks: y2 = x2, y1 = x1 + t(x2); log det 0 (Dinh et al., "NICE", 2014).

    Parameters
    ----------
    width : int
        Hidden channels of the network.
    unchanged : {"last", "first"}
        Which block of channels stays as it is.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.bijections import AdditiveCoupling
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(2, 4, 3, 3))
    >>> layer = AdditiveCoupling(width=8)
    >>> y, log_det = layer.forward(layer.init(rng, x), x)
    >>> log_det
    array([0., 0.])
    """

    scaled: ClassVar[bool] = False


@dataclass(frozen=True)
class AffineCoupling(_Coupling):
    r"""Two blocks: y2 = x2, y1 = (x1 + t(x2)) s(x2), s = sigmoid(h + 2).

    Its log det is the sum of log s. One network yields t and h; at the start both are 0 (Dinh et
    al., "Real NVP", 2017; the scale as in the code released with CInC Flow).

    Parameters
    ----------
    width : int
        Hidden channels of the network.
    unchanged : {"last", "first"}
        Which block of channels stays as it is.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.bijections import AffineCoupling
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(2, 5, 3, 3))
    >>> layer = AffineCoupling(width=8)
    >>> params = layer.init(rng, x)
    >>> bool(np.allclose(layer.inverse(params, layer.forward(params, x)[0])[0], x))
    True
    """


@dataclass(frozen=True)
class QuadCoupling(_Coupling):
    r"""Four blocks, each shifted and scaled by functions of all the blocks after it.

    .. math::
        y_4 = x_4,\quad y_3 = (x_3 + t(x_4))\,s(x_4),\quad
        y_2 = (x_2 + t(x_3, x_4))\,s(x_3, x_4),\quad
        y_1 = (x_1 + t(x_2, x_3, x_4))\,s(x_2, x_3, x_4)

    with s = sigmoid(h + 2); blocks may differ by one channel, as in `numpy.array_split`. The
    inverse goes back one block at a time (CInC Flow, section 3, quad-coupling).

    Parameters
    ----------
    width : int
        Hidden channels of each of the three networks.
    unchanged : {"last", "first"}
        Which block stays as it is; "first" mirrors the sequence, as the released code has it.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.bijections import QuadCoupling
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(2, 6, 3, 3))
    >>> layer = QuadCoupling(width=8)
    >>> params = layer.init(rng, x)
    >>> bool(np.allclose(layer.inverse(params, layer.forward(params, x)[0])[0], x))
    True
    """

    blocks: ClassVar[int] = 4
