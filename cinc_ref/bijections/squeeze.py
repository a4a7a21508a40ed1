"""Squares of pixels as channels."""

from dataclasses import dataclass

import numpy as np

from cinc_ref.bijections.base import Bijection, Shape, per_image
from cinc_ref.errors import ShapeError
from cinc_ref.primitives.channels import squeeze, unsqueeze
from cinc_ref.primitives.program import batch_first_view

__all__ = ["Squeeze"]


@dataclass(frozen=True)
class Squeeze(Bijection):
    """The map of (N, C, H, W) to (N, 4C, H/2, W/2), each 2x2 square of pixels to four channels.

    Channel 4c + 2i + j holds the pixels (i, j) of the squares, as PyTorch's pixel_unshuffle
    orders them. It has no parameters and preserves volume: log det is 0.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.bijections import Squeeze
    >>> y, log_det = Squeeze().forward({}, np.arange(16.0).reshape(1, 1, 4, 4))
    >>> y[0, 1]
    array([[ 1.,  3.],
           [ 9., 11.]])
    """

    def _forward(self, params, x):
        return squeeze(x), per_image(0, x)

    def _inverse(self, params, y):
        return unsqueeze(y), per_image(0, y)

    def _record(self, program, params, x, inverse):
        shape = (self.input_shape if inverse else self.output_shape)(x.shape[:3])
        y = program.array((*shape, program.count))
        (channels, height, width, count), images = min((x, y), key=len).shape, min((x, y), key=len)
        squares = images.reshape(channels, height // 2, 2, width // 2, 2, count)
        squares = squares.transpose(0, 2, 4, 1, 3, 5)
        stacked = max((x, y), key=len).reshape(squares.shape)
        program.add(np.copyto, *((squares, stacked) if inverse else (stacked, squares)))
        return y, per_image(0, batch_first_view(x)) if program.density else None

    def output_shape(self, shape: Shape) -> Shape:
        """Return (4C, H/2, W/2), or raise `ShapeError` where a side is odd."""
        channels, height, width = shape
        if height % 2 or width % 2:
            raise ShapeError(f"Squeeze needs even height and width; got images of shape {shape}")
        return 4 * channels, height // 2, width // 2

    def input_shape(self, shape: Shape) -> Shape:
        """Return (C/4, 2H, 2W), or raise `ShapeError` where 4 does not divide the channels."""
        channels, height, width = shape
        if channels % 4:
            raise ShapeError(
                f"the inverse of Squeeze needs a multiple of 4 channels; got shape {shape}"
            )
        return channels // 4, 2 * height, 2 * width
