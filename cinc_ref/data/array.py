"""Images in one npy or npz file of your own."""

import numpy as np

from cinc_ref._reading import Budget, read_exactly
from cinc_ref._typing import Path
from cinc_ref._validate import is_integer, shown
from cinc_ref.data.image_set import ImageSet
from cinc_ref.data.parts import PARTS, complete_orders, parts_by_name
from cinc_ref.data.reading import arrays_in, existing, reading
from cinc_ref.data.rows import Rows, read_images
from cinc_ref.errors import DataError

__all__ = ["array"]

SHAPES = "(N, H, W), (N, C, H, W) or (N, H, W, C) with C = 1 or 3"
MAX_BINS = 256
"""Number of levels of an unsigned byte."""

LARGEST_BINS = 4096
"""Largest size of the array "bins" in bytes that is read at all."""

WITHOUT_ALPHA = {2: 1, 4: 3}
"""Number of channels of images with transparency: without it. Only the last axis has so few."""

EXPECTED = f"an npy or npz of images: unsigned bytes, shape {SHAPES}"


def array(path: Path) -> ImageSet:
    """Load images of uint8 from one file, memory-mapped where it is not compressed.

    An npz holds the parts as "train", "validation" and "test" or under similar names ("x_train",
    "val"), or all images as its only array. That array, or the array of an npy, is shuffled with a
    fixed seed and divided 8 : 1 : 1. A part that is missing is cut from "train" alone, a tenth of
    it. An integer "bins" in an npz is the number of levels, if it is not 256.

    In an array of four axes the channels are the second axis, or the last if that is 1 or 3 and the
    second is neither.

    Parameters
    ----------
    path : path
        The file. Arrays have the shape (N, H, W), (N, C, H, W) or (N, H, W, C) with C = 1 or 3.

    Returns
    -------
    ImageSet

    Raises
    ------
    DataError
        If the file is missing, damaged or something else, or holds pickled objects.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from cinc_ref.data import image_set
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "images.npz")
    ...     np.savez(path, images=np.zeros((20, 8, 8), np.uint8), bins=17)
    ...     images = image_set("array", path=path)
    >>> images.train.shape, images.bins
    ((16, 1, 8, 8), 17)
    """
    path = existing(path, EXPECTED)
    with reading(path, EXPECTED):
        arrays = arrays_in(path)
        bins = _bins(arrays.pop("bins"), path) if "bins" in arrays else MAX_BINS
        names = _names_of_parts(arrays, path)
        given = {
            part: _rows(arrays[name], path, path if len(arrays) == 1 else f"{name} in {path}")
            for part, name in names.items()
        }
        if len({rows.image_shape for rows in given.values()}) > 1:
            shapes = ", ".join(str(rows.image_shape) for rows in given.values())
            raise DataError(f"the parts in {path} must hold images of one shape; got {shapes}")
        orders = complete_orders({part: len(rows) for part, rows in given.items()}, str(path))
        return ImageSet("array", **_read(given, orders), bins=bins)


def _names_of_parts(arrays, path):
    """Return the name of the array of each part; a single array is that to train."""
    names = parts_by_name(arrays, str(path))
    if not names and len(arrays) == 1:
        return {"train": next(iter(arrays))}
    if not names:
        raise DataError(
            f"{path} must hold one array, or {', '.join(PARTS)}; got {', '.join(arrays)}"
        )
    return names


def _bins(array, path):
    header = array.header
    if header.size > LARGEST_BINS:
        raise DataError(f"bins in {path} must be an integer >= 2; got an array {header.shape}")
    content = bytearray(header.size)
    with array.open() as stream:
        read_exactly(stream, content, Budget(len(content)))
    values = np.frombuffer(content, header.dtype).reshape(header.shape)
    value = values.item() if values.size == 1 else values
    if not is_integer(value) or value < 2:
        raise DataError(f"bins in {path} must be an integer >= 2; got {shown(value)}")
    if value > MAX_BINS:
        raise DataError(
            f"bins in {path} must be at most {MAX_BINS}, the levels of a byte; got {value}"
        )
    return int(value)


def _rows(array, path, name):
    """Describe an array of images; the channels are the last axis only if no other can be."""
    shape, dtype = array.header.shape, array.header.dtype
    if dtype != np.uint8 or len(shape) not in (3, 4) or 0 in shape:
        raise DataError(f"{name} must be {EXPECTED}; got {dtype}, shape {shape}")
    stored, axes = (shape[0], 1, *shape[1:]) if len(shape) == 3 else shape, (0, 1, 2, 3)
    if stored[1] not in (1, 3) and stored[3] in (1, 3):
        axes = (0, 3, 1, 2)
    elif stored[1] > max(WITHOUT_ALPHA) and stored[3] in WITHOUT_ALPHA:
        raise DataError(
            f"{name} has shape {shape}, as images with transparency (N, H, W, {stored[3]}) have: "
            f"lay them on a background and save (N, H, W, {WITHOUT_ALPHA[stored[3]]})"
        )
    return Rows(
        path, EXPECTED, stored, array.open, axes, array.offset, fortran=array.header.fortran
    )


def _read(given, orders):
    """Read the parts; those that are cut from one array are views of one array."""
    parts = {}
    for source, rows in given.items():
        cut = {part: order for part, (name, order) in orders.items() if name == source}
        if cut[source] is None:
            parts[source] = rows.mapped() if rows.can_be_mapped else read_images([rows])
            continue
        images = read_images([rows], np.concatenate(list(cut.values())))
        ends = np.cumsum([len(order) for order in cut.values()])
        parts |= zip(cut, np.split(images, ends[:-1]), strict=True)
    return parts
