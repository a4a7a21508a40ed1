"""Validation of arguments at the public edge, in one voice: what was expected, what came.

Every check looks at plain values, so that it also works on the boxes with which autograd traces
a function, and touches nothing.
"""

from math import isfinite
from typing import NamedTuple

import numpy as np
from autograd.tracer import getval, isbox

from cinc_ref.errors import DtypeError, NonFiniteError, OptionError, ShapeError

CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")
INTEGERS = (int, np.integer)


class Geometry(NamedTuple):
    """Where the taps of a kernel lie around the pixel that they produce.

    `corner` is the image corner that is padded, `dilation` the distance between neighbouring taps,
    `anchor` the (row, column) of the tap that reads the pixel itself.
    """

    corner: str = "top-left"
    dilation: int = 1
    anchor: tuple[int, int] = (0, 0)


def plain(value):
    """The NumPy value inside however many autograd boxes."""
    if type(value) is np.ndarray:
        return value
    while isbox(value):
        value = getval(value)
    return np.asarray(value)


def as_array(value):
    """An array (a box of one stays as it is), from anything array-like."""
    return value if isbox(value) else np.asarray(value)


def as_images(images):
    """An array; what reads its rows from the disk when it is indexed stays as it is."""
    reads_rows = hasattr(images, "shape") and hasattr(images, "__getitem__")
    return images if reads_rows and not isbox(images) else np.asarray(images)


def in_chunks(images, rows=4096):
    """Yield images a few thousand at a time, as arrays."""
    for start in range(0, len(images), rows):
        yield images[start : start + rows]


def check_float(array, name):
    """Refuse anything but float32 and float64, in either byte order."""
    if array.dtype.char not in "fd":
        raise DtypeError(
            f"{name} must be float32 or float64; got {array.dtype}: convert it with .astype(...)"
        )


def check_exact_or_float(array, name):
    """Refuse all but real numbers; Python integers and Fractions come as objects."""
    if array.dtype.kind not in "iufO":
        raise DtypeError(f"{name} must hold real numbers; got {array.dtype}")


def check_same_dtype(first, first_name, second, second_name):
    """Refuse all but two float arrays of one dtype: which of two is meant cannot be guessed."""
    if first.dtype.char != second.dtype.char:  # which says nothing of the byte order
        check_float(first, first_name)
        raise DtypeError(
            f"{first_name} and {second_name} must have the same dtype; "
            f"got {first.dtype} and {second.dtype}"
        )


def check_same_shape(array, name, other, other_name):
    """Refuse an array whose shape is not that of another."""
    if array.shape != other.shape:
        raise ShapeError(
            f"{name} must have the shape of {other_name}, {other.shape}; got {array.shape}"
        )


def all_finite(array):
    """Whether no float is NaN or infinity: a finite sum of squares shows it in one quick pass."""
    numbers = array.ravel(order="K")
    squares = np.vdot(numbers, numbers)  # np.dot would warn of overflow
    return isfinite(squares) or bool(np.isfinite(array).all())


def check_finite(array, name):
    """Refuse NaN and infinity, naming the first index that holds one."""
    if array.dtype.kind == "f" and not all_finite(array):
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise NonFiniteError(f"{name} must be finite; got {array[index]} at index {index}")


def check_kernel_shape(kernel):
    """Refuse a kernel that is not of shape (C, C, kh, kw)."""
    shape = kernel.shape
    if len(shape) != 4 or shape[0] != shape[1] or 0 in shape:
        raise ShapeError(f"kernel must have shape (C, C, kh, kw); got {shape}")


def check_images_shape(x, channels, name):
    """Refuse images that are not of shape (N, channels, H, W) with at least one pixel."""
    shape = x.shape
    if len(shape) != 4 or 0 in shape[1:]:
        raise ShapeError(f"{name} must have shape (N, C, H, W) with C, H, W >= 1; got {shape}")
    if shape[1] != channels:
        raise ShapeError(f"{name} must have the kernel's {channels} channels; got shape {shape}")


def check_size(size):
    """The image size as two positive integers."""
    values = tuple(size) if np.iterable(size) else ()
    if len(values) != 2 or not all(_is_integer(v) and v >= 1 for v in values):
        raise ShapeError(f"size must be (H, W), two integers >= 1; got {size!r}")
    return int(values[0]), int(values[1])


def check_geometry(kernel, corner="top-left", dilation=1, anchor=None):
    """The options of a convolution as a `Geometry`, or the error that says which one is wrong."""
    if corner not in CORNERS:
        raise OptionError(f"corner must be one of {', '.join(CORNERS)}; got {corner!r}")
    if not (_is_integer(dilation) and dilation >= 1):
        raise OptionError(f"dilation must be an integer >= 1; got {dilation!r}")
    corner = CORNERS[CORNERS.index(corner)]  # a plain string, also of an Enum's member
    return Geometry(corner, int(dilation), _check_anchor(kernel, anchor))


def _check_anchor(kernel, anchor):
    height, width = kernel.shape[2:]
    if anchor is None:
        return height - 1, width - 1
    values = tuple(anchor) if np.iterable(anchor) else ()
    if not (
        len(values) == 2
        and all(map(_is_integer, values))
        and 0 <= values[0] < height
        and 0 <= values[1] < width
    ):
        raise OptionError(
            f"anchor must be (row, column) of a tap of the {height}x{width} kernel; got {anchor!r}"
        )
    row, column = int(values[0]), int(values[1])
    later = np.argwhere(
        kernel.reshape(*kernel.shape[:2], -1)[:, :, row * width + column + 1 :] != 0
    )
    if len(later):
        o, c, tap = (int(i) for i in later[0])
        a, b = divmod(row * width + column + 1 + tap, width)
        raise OptionError(
            f"taps after the anchor {(row, column)} in raster order must be 0 (they would read "
            f"later pixels); got kernel[{o}, {c}, {a}, {b}] = {kernel[o, c, a, b]}"
        )
    return row, column


def _is_integer(value):
    return isinstance(value, INTEGERS) and not isinstance(value, bool)
