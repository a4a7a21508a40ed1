"""Couplings: blocks of channels shifted and scaled by functions of other blocks.

One scheme serves all three. The channels are split into blocks; the first block in sequence is
unchanged, and each further block is transformed with the output of a network that reads the
original values of all blocks before it. The inverse recovers the blocks in the same sequence. With
``unchanged="last"`` the sequence runs from the last block of channels to the first, so that a
network reads all blocks after its own.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias, get_args

import numpy as np

from cinc_ref import _validate
from cinc_ref.bijections.base import Bijection, Shape, per_image, store
from cinc_ref.bijections.channels import channel_groups
from cinc_ref.bijections.network import apply_network, init_network, record_network
from cinc_ref.errors import ShapeError
from cinc_ref.primitives.affine_coupling import (
    affine_coupling,
    log_scale_sum,
    record_affine_coupling,
)
from cinc_ref.primitives.channels import pad_channels, take_channels

__all__ = ["UNCHANGED", "AdditiveCoupling", "AffineCoupling", "QuadCoupling"]

Unchanged: TypeAlias = Literal["first", "last"]
"""The block of channels that is left unchanged."""

UNCHANGED: tuple[Unchanged, ...] = get_args(Unchanged)
"""Blocks of channels that can be left unchanged."""


@dataclass(frozen=True)
class _Coupling(Bijection):
    width: int = 64
    unchanged: Unchanged = "last"

    blocks: ClassVar[int] = 2
    scaled: ClassVar[bool] = True

    def __post_init__(self) -> None:
        store(
            self,
            width=_validate.integer("width", self.width, minimum=1),
            unchanged=_validate.one_of("unchanged", self.unchanged, UNCHANGED),
        )

    def _split(self, channels):
        """Return (start, stop) of each block of channels, the unchanged one first."""
        groups = channel_groups(channels, self.blocks)
        return groups if self.unchanged == "first" else groups[::-1]

    def _init(self, rng, x):
        networks, inputs = [], 0
        for start, stop in self._split(x.shape[1]):
            if inputs:
                outputs = (stop - start) * (2 if self.scaled else 1)
                networks.append(init_network(rng, inputs, self.width, outputs, x.dtype))
            inputs += stop - start
        return networks

    def _forward(self, params, x):
        y, log_det = x, per_image(0, x)
        for network, block in self._transformed_blocks(params, x):
            h = self._condition(network, x, block)
            y, block_log_det = self._merge(y, h, block, inverse=False)
            log_det = log_det + block_log_det
        return y, log_det

    def _inverse(self, params, y):
        x, log_det = y, per_image(0, y)
        for network, block in self._transformed_blocks(params, y):
            h = self._condition(network, x, block)  # reads blocks that are recovered already
            x, block_log_det = self._merge(x, h, block, inverse=True)
            log_det = log_det + block_log_det
        return x, log_det

    def _record(self, program, params, x, inverse):
        y, total = x, None
        if not inverse:  # the networks read the blocks as they were
            y = program.partner(x)
            program.add(np.copyto, y, x)
        for network, block in zip(params, self._split(len(x))[1:], strict=True):
            start, stop = block
            first, last = (0, start) if self.unchanged == "first" else (stop, len(x))
            h = record_network(program, network, x[first:last])
            log_det = self._record_merge(program, y[start:stop], h, inverse)
            if program.density:
                total = program.add_log_dets(total, log_det)
        return y, total

    def _record_merge(self, program, part, h, inverse):
        """Append the calls that transform a block of images in place; see `_merge`."""
        if not self.scaled:
            program.add(np.subtract if inverse else np.add, part, h, part)
            return np.zeros(program.count, program.dtype) if program.density else None
        return record_affine_coupling(program, part, h, inverse)

    def _transformed_blocks(self, params, images):
        """Pair each network with the (start, stop) of the block that it transforms."""
        return zip(params, self._split(images.shape[1])[1:], strict=True)

    def _condition(self, network, x, block):
        """Apply the network of a block to the blocks of x before it in sequence."""
        start, stop = block
        first, last = (0, start) if self.unchanged == "first" else (stop, x.shape[1])
        return apply_network(network, take_channels(x, first, last))

    def _merge(self, images, h, block, inverse):
        """Transform one block of images with a network's output h; also the log-determinant."""
        start, _ = block
        if self.scaled:
            log_det = log_scale_sum(h)
            return affine_coupling(images, h, start, inverse), -log_det if inverse else log_det
        shift = pad_channels(h, start, images.shape[1])
        return images - shift if inverse else images + shift, 0

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape itself, or raise an error for images that do not fit.

        Raises
        ------
        ShapeError
            If there are fewer channels than blocks.
        OptionError
            If the networks of this width do not fit into memory.
        """
        if shape[0] < self.blocks:
            raise ShapeError(
                f"{type(self).__name__} needs at least {self.blocks} channels; "
                f"got images of shape {shape}"
            )
        needed = 4 * self.width * (self.width + shape[0])  # the weights, in float32
        _validate.check_memory("width", self.width, needed, "use narrower networks")
        return shape

    def channels_of(self, params: Any) -> int:
        """Return the channels that the last network reads and shifts, which are all."""
        last = params[-1]
        shifted = last["last"]["weight"].shape[0] // (2 if self.scaled else 1)
        return last["first"]["weight"].shape[1] + shifted


@dataclass(frozen=True)
class AdditiveCoupling(_Coupling):
    r"""Additive coupling of two blocks of channels.

    .. math::
        y_2 = x_2,\quad y_1 = x_1 + t(x_2), \qquad \log|\det| = 0

    At the start t is 0.

    Parameters
    ----------
    width : int
        Hidden channels of the network that computes t.
    unchanged : {"last", "first"}
        Which block of channels stays as it is.

    Raises
    ------
    OptionError
        If an option is not as described.

    References
    ----------
    Dinh, Krueger and Bengio, "NICE: Non-linear Independent Components Estimation", 2014.

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
    r"""Affine coupling of two blocks of channels.

    .. math::
        y_2 = x_2,\quad y_1 = (x_1 + t(x_2))\,s(x_2), \qquad \log|\det| = \sum \log s

    with s = sigmoid(h + 2), as in the code released with CInC Flow. One network computes t and h;
    at the start both are 0.

    Parameters
    ----------
    width : int
        Hidden channels of the network.
    unchanged : {"last", "first"}
        Which block of channels stays as it is.

    Raises
    ------
    OptionError
        If an option is not as described.

    References
    ----------
    Dinh, Sohl-Dickstein and Bengio, "Density estimation using Real NVP", 2017.

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
    r"""Quad-coupling: four blocks, each shifted and scaled by functions of all the blocks after it.

    .. math::
        y_4 = x_4,\quad y_3 = (x_3 + t(x_4))\,s(x_4),\quad
        y_2 = (x_2 + t(x_3, x_4))\,s(x_3, x_4),\quad
        y_1 = (x_1 + t(x_2, x_3, x_4))\,s(x_2, x_3, x_4)

    with s = sigmoid(h + 2), and log det the sum of log s. Blocks may differ by one channel, as in
    `numpy.array_split`. The inverse recovers one block at a time.

    Parameters
    ----------
    width : int
        Hidden channels of each of the three networks.
    unchanged : {"last", "first"}
        Which block stays as it is; "first" mirrors the sequence, as the released code has it.

    Raises
    ------
    OptionError
        If an option is not as described.

    References
    ----------
    Nagar, Dufraisse and Varma, "CInC Flow", 2021, section 3, quad-coupling.

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
