"""MNIST, and other images in idx files of the same names."""

import os
import re
from functools import partial

from cinc_ref._reading import CHUNK, Budget
from cinc_ref._typing import Path
from cinc_ref.data.image_set import ImageSet
from cinc_ref.data.reading import existing, file_stream, gzip_stream, reading
from cinc_ref.data.rows import Rows, read_images
from cinc_ref.data.stack import split_last
from cinc_ref.errors import DataError

__all__ = ["emnist", "mnist"]

TRAIN, TEST = "train-images-idx3-ubyte", "t10k-images-idx3-ubyte"
EMNIST_TRAIN, EMNIST_TEST = "train-images-idx3-ubyte", "test-images-idx3-ubyte"
EMNIST = re.compile(rf"(emnist-\w+)-{EMNIST_TRAIN}(\.gz)?")
"""Names of the files with the images to train of EMNIST's sets."""

MAGIC = 0x00000803
"""First four bytes of the files: unsigned bytes in three axes (image, row, column)."""

HEADER = 16
"""Size of the header in bytes: magic number, images, rows, columns."""

EXPECTED = "an idx file of images: unsigned bytes, three axes"


def mnist(path: Path) -> ImageSet:
    """Load MNIST: 54,000 / 6,000 / 10,000 grey images, 28x28.

    The validation part is the last tenth of the training file.

    Parameters
    ----------
    path : path
        The folder that holds ``train-images-idx3-ubyte`` and ``t10k-images-idx3-ubyte``, each with
        or without ``.gz``.

    Returns
    -------
    ImageSet

    Raises
    ------
    DataError
        If a file is missing, truncated or something else; the message names it.

    References
    ----------
    LeCun, Cortes and Burges, The MNIST database of handwritten digits.
    """
    folder = existing(path, f"the folder with {TRAIN}.gz and {TEST}.gz")
    return _image_set("mnist", _images(folder, TRAIN), _images(folder, TEST), folder)


def emnist(path: Path) -> ImageSet:
    """Load a set of EMNIST: grey images of letters and digits, 28x28, turned upright.

    Its files hold every image transposed, which this function undoes; `mnist` reads files as they
    are. The validation part is the last tenth of the training file.

    Parameters
    ----------
    path : path
        The folder that holds ``emnist-SET-train-images-idx3-ubyte`` and
        ``emnist-SET-test-images-idx3-ubyte``, each with or without ``.gz``. Where there are
        several sets (balanced, byclass, bymerge, digits, letters, mnist), the file of the one.

    Returns
    -------
    ImageSet

    Raises
    ------
    DataError
        If a file is missing, truncated or something else, or there are several sets; the message
        names them.

    References
    ----------
    Cohen, Afshar, Tapson and van Schaik, EMNIST: an extension of MNIST to handwritten letters,
    2017; https://www.nist.gov/itl/products-and-services/emnist-dataset
    """
    path = existing(path, f"a folder with emnist-SET-{EMNIST_TRAIN}.gz, or this file")
    folder = path if path.is_dir() else path.parent
    files = list(path.iterdir()) if path.is_dir() else [path]
    matches = [EMNIST.fullmatch(file.name) for file in files]
    sets = sorted({match[1] for match in matches if match})
    if len(sets) != 1:
        held = f"the sets {', '.join(sets)}: give the file of one" if sets else "none"
        raise DataError(f"{path} must hold one set, emnist-SET-{EMNIST_TRAIN}.gz; it holds {held}")
    train, test = (
        _images(folder, f"{sets[0]}-{name}").swapaxes(2, 3) for name in (EMNIST_TRAIN, EMNIST_TEST)
    )
    return _image_set("emnist", train, test, folder)


def _image_set(name, images, test, folder):
    """Cut the validation part from the images to train."""
    if images.shape[1:] != test.shape[1:]:
        raise DataError(
            f"the files of {name} must hold images of one shape; "
            f"got {images.shape[1:]} and {test.shape[1:]} in {folder}"
        )
    return ImageSet(name, *split_last(images, max(1, len(images) // 10)), test, bins=256)


def _images(folder, name):
    for file, stream in ((folder / name, file_stream), (folder / f"{name}.gz", gzip_stream)):
        if file.exists():
            with reading(file, EXPECTED):
                return _read(file, stream)
    raise DataError(f"{folder / name}.gz is missing; expected {EXPECTED}")


def _read(path, open_stream):
    with open_stream(path) as stream:
        header = bytearray()
        while len(header) < HEADER and (more := stream.read(HEADER - len(header))):
            header += more
    if len(header) < HEADER or int.from_bytes(header[:4], "big") != MAGIC:
        raise DataError(f"{path} must be {EXPECTED}; its first bytes are {bytes(header[:4])!r}")
    count, height, width = (int.from_bytes(header[k : k + 4], "big") for k in (4, 8, 12))
    stream_of_pixels = partial(open_stream, path, HEADER)
    rows = Rows(path, EXPECTED, (count, 1, height, width), stream_of_pixels, offset=HEADER)
    _check_size(rows, open_stream)
    return rows.mapped() if open_stream is file_stream else read_images([rows])


def _check_size(rows, open_stream):
    """Compare the size that the header declares with that of the file, before any is allocated."""
    size = os.stat(rows.path).st_size
    if open_stream is gzip_stream:
        size = _unpacked_size(rows, Budget(size))
    if not rows.size or size - HEADER != rows.size:
        count, _, height, width = rows.shape
        raise DataError(
            f"{rows.path} must hold {count:,} images of {height}x{width}, {rows.size:,} bytes; "
            f"it holds {size - HEADER:,}: it is truncated, or damaged"
        )


def _unpacked_size(rows, budget):
    """Unpack a file to nowhere, to know its size, but no more than is declared and one chunk."""
    size = 0
    with gzip_stream(rows.path) as stream:
        while size <= HEADER + rows.size and (data := stream.read(CHUNK)):
            budget.spend(len(data))
            size += len(data)
    return size
