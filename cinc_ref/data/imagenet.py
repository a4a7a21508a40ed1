"""ImageNet downsampled to 32x32 or 64x64, from the npz batches in which it is distributed."""

import re

from cinc_ref._typing import Path
from cinc_ref.data.image_set import ImageSet
from cinc_ref.data.reading import arrays_in, existing, reading
from cinc_ref.data.rows import Rows
from cinc_ref.data.stack import split_last, stacked
from cinc_ref.errors import DataError

__all__ = ["imagenet32", "imagenet64"]

TEST = "val_data.npz"
"""Name of the test part's file."""

BATCH = re.compile(r"train_data_batch_(\d+)(\.npz)?")
"""Names of the training batches; those without ending are the pickled version."""


def imagenet32(path: Path) -> ImageSet:
    """Load ImageNet at 32x32.

    The validation part is the last hundredth of the training batches, the test part ``val_data``.
    Batches that are not compressed are memory-mapped; images are read when they are used.

    Parameters
    ----------
    path : path
        The folder that holds ``train_data_batch_1.npz`` and so on, and ``val_data.npz``.

    Returns
    -------
    ImageSet

    Raises
    ------
    DataError
        If a file is missing, truncated or something else, or pickled; the message names it.

    References
    ----------
    Chrabaszcz, Loshchilov and Hutter, A Downsampled Variant of ImageNet, 2017;
    https://image-net.org/download-images.php
    """
    return _downsampled("imagenet32", path, 32)


def imagenet64(path: Path) -> ImageSet:
    """Load ImageNet at 64x64, in the way of `imagenet32`.

    Parameters
    ----------
    path : path
        The folder that holds ``train_data_batch_1.npz`` and so on, and ``val_data.npz``.

    Returns
    -------
    ImageSet

    Raises
    ------
    DataError
        If a file is missing, truncated or something else, or pickled; the message names it.
    """
    return _downsampled("imagenet64", path, 64)


def _downsampled(name, path, side):
    folder = existing(path, "the folder with train_data_batch_1.npz and val_data.npz")
    shape = (3, side, side)
    images = stacked([_rows(file, shape) for file in _batches(folder)])
    train, validation = split_last(images, max(1, len(images) // 100))
    return ImageSet(name, train, validation, stacked([_rows(folder / TEST, shape)]), 256)


def _batches(folder):
    """List the training batches in order: 1, 2, and so on without a gap."""
    matches = [match for file in folder.glob("*") if (match := BATCH.fullmatch(file.name))]
    numbers = sorted(int(match[1]) for match in matches if match[2])
    if not numbers and matches:
        raise DataError(
            f"{folder / matches[0][0]} is pickled, and pickles are never loaded; "
            "get the npz version of the downsampled ImageNet"
        )
    for number in range(1, max(numbers, default=1) + 1):
        if number not in numbers:
            raise DataError(f"{folder / f'train_data_batch_{number}.npz'} is missing")
    return [folder / f"train_data_batch_{number}.npz" for number in numbers]


def _rows(path, shape):
    """Describe a batch, (N, 3 H W): the red, the green and the blue plane of each image."""
    columns = shape[0] * shape[1] * shape[2]
    expected = f"an npz with an array data of uint8, shape (N, {columns})"
    with reading(path, expected):
        array = arrays_in(path, "data")["data"]
    got, dtype = array.header.shape, array.header.dtype
    if dtype != "u1" or len(got) != 2 or got[1] != columns or not got[0] or array.header.fortran:
        order = ", in Fortran order" if array.header.fortran else ""
        raise DataError(f"{path} must be {expected}; got {dtype}, shape {got}{order}")
    return Rows(path, expected, (got[0], *shape), array.open, offset=array.offset)
