"""Images in one npy or npz of your own."""

import zipfile

import numpy as np

from cinc_ref.data.image_set import ImageSet, shuffled_parts
from cinc_ref.data.reading import existing, npz_names, read_npz, reading
from cinc_ref.errors import DataError

PARTS = ("train", "validation", "test")
SHAPES = "(N, H, W), (N, C, H, W) or (N, H, W, C) with C = 1 or 3"
EXPECTED = f"an npy or npz of images: unsigned bytes, shape {SHAPES}"


def array(path):
    """Images of uint8 in one file, memory-mapped where it is not compressed.

    An npz holds them as "train", "validation" and "test", or as its only array; this, and what an
    npy holds, is shuffled with a fixed seed and divided 8 : 1 : 1. An integer "bins" says how
    many levels there are, if not 256.

    Parameters
    ----------
    path : path

    Returns
    -------
    ImageSet

    Raises
    ------
    DataError
        If the file is missing, damaged or something else, or holds pickled objects.
    """
    path = existing(path, EXPECTED)
    with reading(path, EXPECTED):
        arrays = _arrays(path)
        bins = int(arrays.pop("bins", 256))
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


def _images(images, name):
    """As (N, C, H, W): the channels are the second axis, unless only the last can be."""
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or 0 in images.shape:
        raise DataError(f"{name} must be {EXPECTED}; got {images.dtype}, shape {images.shape}")
    if images.ndim == 3:
        return images[:, np.newaxis]
    if images.shape[1] not in (1, 3) and images.shape[3] in (1, 3):
        return images.transpose(0, 3, 1, 2)
    return images
