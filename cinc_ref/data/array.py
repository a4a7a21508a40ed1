"""Images in one npy or npz file of your own."""

import zipfile

import numpy as np

from cinc_ref._typing import Path
from cinc_ref._validate import is_integer, shown
from cinc_ref.data.image_set import ImageSet
from cinc_ref.data.parts import PARTS, complete_orders, parts_by_name
from cinc_ref.data.reading import existing, npz_names, read_npz, reading
from cinc_ref.errors import DataError

__all__ = ["array"]

SHAPES = "(N, H, W), (N, C, H, W) or (N, H, W, C) with C = 1 or 3"
RGBA = 4
"""Number of channels of images with transparency."""

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
        arrays = _arrays(path)
        bins = _bins(arrays.pop("bins", np.array(256)), path)
        given = {
            part: _images(arrays[name], path if len(arrays) == 1 else f"{name} in {path}")
            for part, name in _names_of_parts(arrays, path).items()
        }
        counts = {part: len(images) for part, images in given.items()}
        parts = [
            given[source] if order is None else given[source][order]
            for source, order in complete_orders(counts, str(path)).values()
        ]
    if len({part.shape[1:] for part in parts}) > 1:
        shapes = ", ".join(str(part.shape[1:]) for part in parts)
        raise DataError(f"the parts in {path} must hold images of one shape; got {shapes}")
    return ImageSet("array", *parts, bins=bins)


def _arrays(path):
    if zipfile.is_zipfile(path):
        return {name: read_npz(path, name) for name in npz_names(path)}
    return {"array": np.load(path, mmap_mode="r", allow_pickle=False)}


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
    value = array.item() if array.size == 1 else array
    if not is_integer(value) or value < 2:
        raise DataError(f"bins in {path} must be an integer >= 2; got {shown(value)}")
    return value


def _images(images, name):
    """Arrange images as (N, C, H, W); the channels are the last axis only if no other can be."""
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or 0 in images.shape:
        raise DataError(f"{name} must be {EXPECTED}; got {images.dtype}, shape {images.shape}")
    if images.ndim == 3:
        return images[:, np.newaxis]
    if images.shape[1] not in (1, 3) and images.shape[3] in (1, 3):
        return images.transpose(0, 3, 1, 2)
    if images.shape[1] > RGBA == images.shape[3]:
        raise DataError(
            f"{name} has shape {images.shape}, as images with transparency (N, H, W, 4) have: lay "
            "them on a background and save the three colours, (N, H, W, 3)"
        )
    return images
