"""Geometry of a convolution: the padded corner, the dilation and the anchor.

This is the only place that interprets the name of a corner. A convolution that is padded at
another corner than the top left one is the top-left one between two flips of the images,

    y = flip(conv(flip(x), K)),

so a corner is a pair of flips everywhere else.
"""

from typing import Any, NamedTuple, get_args

import numpy as np

from cinc_ref import _validate
from cinc_ref._typing import Array, Corner, Size
from cinc_ref.errors import OptionError

__all__ = ["CORNERS", "Geometry", "check_geometry", "check_options", "flip", "flips"]


def __dir__() -> list[str]:
    return __all__


CORNERS: tuple[Corner, ...] = get_args(Corner)
"""The corners in raster order, which is also that of the four groups of FInC."""


MAX_DILATION = 2**31 - 1
"""Largest dilation in pixels, whose products with the taps of a kernel fit 64 bits."""


class Geometry(NamedTuple):
    """The positions of the taps of a kernel around the pixel that they produce.

    `corner` is the image corner that is padded, `dilation` the distance between neighbouring taps
    in pixels, `anchor` the (row, column) of the tap that reads the pixel itself.
    """

    corner: Corner = "top-left"
    dilation: int = 1
    anchor: tuple[int, int] = (0, 0)

    @property
    def flips(self) -> tuple[bool, bool]:
        """Two booleans: rows, columns run backwards, seen from the padded corner."""
        return flips(self.corner)


def flips(corner: Corner) -> tuple[bool, bool]:
    """Return whether (rows, columns) run backwards, seen from a corner of this name."""
    rows, columns = corner.split("-")
    return rows == "bottom", columns == "right"


def flip(array: Array, corner: Corner, axes: tuple[int, int] = (-2, -1)) -> Array:
    """View an array from a corner, with its two image axes reversed where `flips` is true."""
    reversed_axes = tuple(
        axis for axis, backwards in zip(axes, flips(corner), strict=True) if backwards
    )
    return np.flip(array, reversed_axes)


def check_geometry(
    kernel: Array, corner: Any = "top-left", dilation: Any = 1, anchor: Any = None
) -> Geometry:
    """Validate the options of a convolution and return them as a `Geometry`."""
    geometry = check_options(kernel.shape[2:], corner, dilation, anchor)
    _check_later_taps(kernel, geometry.anchor)
    return geometry


def check_options(
    kernel_size: Size, corner: Any = "top-left", dilation: Any = 1, anchor: Any = None
) -> Geometry:
    """Validate the options of a convolution by the size of its kernel alone."""
    corner = _validate.one_of("corner", corner, CORNERS)
    dilation = _validate.integer("dilation", dilation, minimum=1)
    if dilation > MAX_DILATION:
        raise OptionError(f"dilation must be at most {MAX_DILATION}; got {dilation}")
    return Geometry(corner, dilation, _check_anchor(kernel_size, anchor))


def _check_anchor(kernel_size, anchor):
    height, width = kernel_size
    if anchor is None:
        return height - 1, width - 1
    row, column = _validate.integers(anchor, 2, minimum=0) or (height, width)
    if row >= height or column >= width:
        raise OptionError(
            f"anchor must be (row, column) of a tap of the {height}x{width} kernel; "
            f"got {_validate.shown(anchor)}"
        )
    return row, column


def _check_later_taps(kernel, anchor):
    first = anchor[0] * kernel.shape[3] + anchor[1] + 1
    later = np.argwhere(kernel.reshape(*kernel.shape[:2], -1)[:, :, first:] != 0)
    if len(later):
        o, c, tap = (int(i) for i in later[0])
        a, b = divmod(first + tap, kernel.shape[3])
        raise OptionError(
            f"taps after the anchor {anchor} in raster order must be 0 (they would read "
            f"later pixels); got kernel[{o}, {c}, {a}, {b}] = {kernel[o, c, a, b]}"
        )
