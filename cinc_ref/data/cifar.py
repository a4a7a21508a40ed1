"""CIFAR-10 in its binary version: a folder of .bin files, or the archive that holds it."""

import tarfile

import numpy as np

from cinc_ref._typing import Path
from cinc_ref.data.image_set import ImageSet
from cinc_ref.data.reading import existing, reading
from cinc_ref.data.stack import split_last, stacked
from cinc_ref.errors import DataError

__all__ = ["cifar10"]

FOLDER, ARCHIVE = "cifar-10-batches-bin", "cifar-10-binary.tar.gz"
"""Names of the distributed folder, and of the archive that holds it."""

TRAIN = tuple(f"data_batch_{k}.bin" for k in range(1, 6))
TEST = "test_batch.bin"
SHAPE = (3, 32, 32)
"""(C, H, W) of an image."""

RECORD = 1 + 3 * 32 * 32
"""Size of a record in bytes: a label, then the red, the green and the blue plane."""

EXPECTED = "a file of CIFAR-10, binary version: records of a label 0-9 and 3,072 bytes"


def cifar10(path: Path) -> ImageSet:
    """Load CIFAR-10: 45,000 / 5,000 / 10,000 colour images, 32x32.

    The validation part is the last tenth of the training batches, the test part the test batch.

    Parameters
    ----------
    path : path
        The folder ``cifar-10-batches-bin``, the one that holds it or its archive
        ``cifar-10-binary.tar.gz``, or this archive. The Python version of CIFAR-10 is pickled, and
        unpickling runs whatever a file says: it is refused.

    Returns
    -------
    ImageSet

    Raises
    ------
    DataError
        If a file is missing, truncated or something else; the message names it.

    References
    ----------
    A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009;
    https://www.cs.toronto.edu/~kriz/cifar.html
    """
    batches = _batches(existing(path, f"the folder {FOLDER} or {ARCHIVE}"))
    images = stacked(batches[:-1], SHAPE)
    train, validation = split_last(images, max(1, len(images) // 10))
    return ImageSet("cifar10", train, validation, stacked(batches[-1:], SHAPE), bins=256)


def _batches(path):
    """Read the pixels, (N, 3072), of the five training batches and of the test batch."""
    if path.is_file():
        return _from_archive(path)
    for folder in (path, path / FOLDER):
        if any((folder / name).exists() for name in (*TRAIN, TEST)):
            return [_from_file(folder / name) for name in (*TRAIN, TEST)]
    if (path / ARCHIVE).exists():
        return _from_archive(path / ARCHIVE)
    pickled = any((path / name / "data_batch_1").exists() for name in ("", "cifar-10-batches-py"))
    hint = "it holds the Python version, which is pickled: get the binary version"
    raise DataError(
        f"{path / TRAIN[0]} is missing; "
        f"{hint if pickled else f'expected {FOLDER} or {ARCHIVE} in {path}'}"
    )


def _from_file(path):
    with reading(path, EXPECTED):
        return _pixels(np.memmap(path, np.uint8, "r"), path)


def _from_archive(path):
    """Read all batches in one pass through the archive; nothing is unpacked to the disk."""
    pixels = {}
    with reading(path, f"the archive {ARCHIVE}"), tarfile.open(path, "r|gz") as archive:
        for member in archive:
            name = member.name.rpartition("/")[2]
            if member.isfile() and name in (*TRAIN, TEST):
                content = archive.extractfile(member).read()
                pixels[name] = _pixels(np.frombuffer(content, np.uint8), f"{name} in {path}")
    for name in (*TRAIN, TEST):
        if name not in pixels:
            raise DataError(f"{name} is missing in {path}; expected the archive {ARCHIVE}")
    return [pixels[name] for name in (*TRAIN, TEST)]


def _pixels(content, name):
    if not len(content) or len(content) % RECORD:
        raise DataError(
            f"{name} must be {EXPECTED}; its {len(content):,} bytes are no multiple of {RECORD:,}: "
            "it is truncated, or something else"
        )
    records = content.reshape(-1, RECORD)
    if records[:, 0].max() > 9:
        raise DataError(f"{name} must be {EXPECTED}; got the label {records[:, 0].max()}")
    return records[:, 1:]
