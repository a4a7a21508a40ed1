"""Images in one npy or npz file of your own."""

import zipfile

import numpy as np

from cinc_ref._typing import Path
from cinc_ref._validate import is_integer, shown
from cinc_ref.data.image_set import PARTS, ImageSet, shuffled_parts
from cinc_ref.data.reading import existing, npz_names, read_npz, reading
from cinc_ref.errors import DataError

__all__ = ["array"]

SHAPES = "(N, H, W), (N, C, H, W) or (N, H, W, C) with C = 1 or 3"
EXPECTED = f"an npy or npz of images: unsigned bytes, shape {SHAPES}"


def array(path: Path) -> ImageSet:
    """Load images of uint8 from one file, memory-mapped where it is not compressed.

    An npz holds the parts as "train", "validation" and "test", or all images as its only array.
    That array, or the array of an npy, is shuffled with a fixed seed and divided 8 : 1 : 1. An
    integer "bins" in an npz is the number of levels, if it is not 256.

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
        if set(arrays) == set(PARTS):
            parts = [_images(arrays[name], f"{name} in {path}") for name in PARTS]
        elif len(arrays) == 1:
            parts = shuffled_parts(_images(next(iter(arrays.values())), path))
        else:
            raise DataError(
                f"{path} must hold one array, or {', '.join(PARTS)}; got {', '.join(arrays)}"
            )
    if len({part.shape[1:] for part in parts}) > 1:
        shapes = ", ".join(str(part.shape[1:]) for part in parts)
        raise DataError(f"the parts in {path} must hold images of one shape; got {shapes}")
    return ImageSet("array", *parts, bins=bins)


def _arrays(path):
    if zipfile.is_zipfile(path):
        return {name: read_npz(path, name) for name in npz_names(path)}
    return {"array": np.load(path, mmap_mode="r", allow_pickle=False)}


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
    return images
