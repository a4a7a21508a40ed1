"""CIFAR-10 in its binary version: a folder of .bin files, or the archive that holds it."""

import os
from functools import partial

import numpy as np

from cinc_ref._reading import Budget, open_regular
from cinc_ref._typing import Path
from cinc_ref.data.image_set import ImageSet
from cinc_ref.data.reading import existing, file_stream, gzip_stream, reading
from cinc_ref.data.rows import Rows
from cinc_ref.data.stack import split_last, stacked
from cinc_ref.data.tar import members, skip
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
    images, test = _images(existing(path, f"the folder {FOLDER} or {ARCHIVE}"))
    train, validation = split_last(images, max(1, len(images) // 10))
    return ImageSet("cifar10", train, validation, test, bins=256)


def _images(path):
    """Read the images of the five training batches, and those of the test batch."""
    if path.is_file():
        return _from_archive(path)
    for folder in (path, path / FOLDER):
        if any((folder / name).exists() for name in (*TRAIN, TEST)):
            return _from_files(folder)
    if (path / ARCHIVE).exists():
        return _from_archive(path / ARCHIVE)
    pickled = any((path / name / "data_batch_1").exists() for name in ("", "cifar-10-batches-py"))
    hint = "it holds the Python version, which is pickled: get the binary version"
    raise DataError(
        f"{path / TRAIN[0]} is missing; "
        f"{hint if pickled else f'expected {FOLDER} or {ARCHIVE} in {path}'}"
    )


def _from_files(folder):
    rows = {}
    for name in (*TRAIN, TEST):
        path = folder / name
        with reading(path, EXPECTED), open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            rows[name] = _rows(path, size, path, file_stream)
    return stacked([rows[name] for name in TRAIN]), stacked([rows[TEST]])


def _from_archive(path):
    """Read all batches in two passes through the archive; nothing is unpacked to the disk.

    The first learns the sizes, so that the second reads every image to where it belongs.
    """
    with reading(path, f"the archive {ARCHIVE}"):
        rows = {}
        for name, size, stream, budget in _batches_in(path):
            if name in rows:
                raise DataError(f"{path} holds {name} twice; expected the archive {ARCHIVE}")
            rows[name] = _rows(path, size, f"{name} in {path}", gzip_stream)
            skip(stream, size, budget)
        for name in (*TRAIN, TEST):
            if name not in rows:
                raise DataError(f"{name} is missing in {path}; expected the archive {ARCHIVE}")
        images = np.empty((sum(len(rows[name]) for name in TRAIN), *SHAPE), np.uint8)
        test = np.empty((len(rows[TEST]), *SHAPE), np.uint8)
        ends = dict(
            zip(TRAIN, np.cumsum([len(rows[name]) for name in TRAIN]).tolist(), strict=True)
        )
        for name, _, stream, _ in _batches_in(path):
            target, end = (test, len(test)) if name == TEST else (images, ends[name])
            rows[name].read_from(stream, target, slice(end - len(rows[name]), end))
    return images, test


def _batches_in(path):
    """Yield the name, the size and the stream of each batch in an archive, and its budget."""
    with gzip_stream(path) as stream:
        budget = Budget(os.stat(path).st_size)
        for member, size in members(stream, budget):
            name = member.rpartition("/")[2]
            if name in (*TRAIN, TEST):
                yield name, size, stream, budget
            else:
                skip(stream, size, budget)


def _rows(path, size, name, open_stream):
    """Describe a batch of a size in bytes, which is compared with that of its records."""
    if not size or size % RECORD:
        raise DataError(
            f"{name} must be {EXPECTED}; its {size:,} bytes are no multiple of {RECORD:,}: "
            "it is truncated, or something else"
        )
    return Rows(
        path,
        EXPECTED,
        (size // RECORD, *SHAPE),
        partial(open_stream, path),
        offset=0 if open_stream is file_stream else None,
        skipped=1,
        check=partial(_check_labels, name),
    )


def _check_labels(name, labels):
    if labels.max() > 9:
        raise DataError(f"{name} must be {EXPECTED}; got the label {labels.max()}")
