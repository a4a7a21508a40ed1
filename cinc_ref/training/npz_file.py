"""The format of checkpoints: one npz without pickles, with a JSON header inside.

An npz is a zip archive with one npy file for each array. These are stored uncompressed, so an array
cannot be larger than the file: shapes are read and compared with the file's size before anything is
allocated. The header is an array of bytes. Zip keeps a checksum of every array, which is compared
whenever one is read.
"""

import json
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib import format as npy

from cinc_ref._display import short_repr
from cinc_ref._files import write_atomically
from cinc_ref.errors import CheckpointError, CincError

FORMAT = "cinc_ref checkpoint"
VERSION = 1
"""Name and version of the format, which the header of every file holds."""

HEADER = "header"
"""Name of the array whose bytes are the JSON header."""

DTYPES = ("<f4", "<f8")
"""Dtypes of the other arrays, little-endian on every machine."""

DAMAGE = (
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""The errors that reading a damaged file can raise."""


class Entry(NamedTuple):
    """The shape and dtype of an array, from its header in the file."""

    shape: tuple[int, ...]
    dtype: np.dtype

    __repr__ = short_repr


def write(path, header, arrays):
    """Write a header (JSON values) and arrays (by name) to a file, all or nothing.

    Raises
    ------
    OutputError
        If it cannot be written; a file that was there before is still there.
    """
    content = {"format": FORMAT, "version": VERSION, **header}
    text = json.dumps(content, allow_nan=False).encode()
    with write_atomically(path) as file:
        np.savez(file, **{HEADER: np.frombuffer(text, np.uint8)}, **arrays)


@contextmanager
def opened(path):
    """Open a file to read from it.

    Yields
    ------
    NpzFile

    Raises
    ------
    CheckpointError
        If the file is missing, foreign or damaged, or the block finds it wrong.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise CheckpointError(
                f"{path} is {'a folder' if path.is_dir() else 'missing'}; "
                "expected a file that cinc_ref saved"
            )
        with zipfile.ZipFile(path) as archive:
            yield NpzFile(archive, path.stat().st_size)
    except CheckpointError:
        raise
    except PermissionError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
    except (*DAMAGE, CincError) as error:
        raise CheckpointError(
            f"{path} is no checkpoint of cinc_ref, or is damaged ({_first_line(error)})"
        ) from error


def _first_line(error):
    return (str(error) or type(error).__name__).splitlines()[0]


class NpzFile:
    """An open checkpoint, whose header and array headers are checked.

    Attributes
    ----------
    header : dict
        JSON values.
    entries : dict of str to Entry
        The arrays by name.
    """

    def __init__(self, archive, file_size):
        self._archive = archive
        infos = archive.infolist()
        names = [info.filename.removesuffix(".npy") for info in infos]
        if len(set(names)) < len(names):
            raise ValueError("two arrays have the same name")
        if sum(info.file_size for info in infos) > file_size:
            raise ValueError("its arrays claim to be larger than the file")
        self._infos = dict(zip(names, infos, strict=True))
        self.header = self._read_header()
        self.entries = {
            name: self._entry(info) for name, info in self._infos.items() if name != HEADER
        }

    def read(self, name):
        """Read the array of this name into new memory."""
        entry = self.entries[name]
        with self._archive.open(self._infos[name]) as file:
            _read_npy_header(file)
            data = file.read()  # to the end, where the checksum is compared
        return np.frombuffer(data, entry.dtype).reshape(entry.shape).astype(entry.dtype.type)

    @property
    def total_size(self):
        """The number of entries of all arrays together."""
        return sum(int(np.prod(entry.shape)) for entry in self.entries.values())

    def _read_header(self):
        if HEADER not in self._infos:
            raise ValueError("it holds no header")
        with self._archive.open(self._infos[HEADER]) as file:
            _read_npy_header(file)
            header = json.loads(file.read())
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise ValueError("its header is not ours")
        if header.get("version") != VERSION:
            raise ValueError(
                f"it has version {header.get('version')} of the format, this cinc_ref reads "
                f"version {VERSION}: update cinc_ref"
            )
        return header

    def _entry(self, info):
        if info.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{info.filename} is compressed")
        with self._archive.open(info) as file:
            shape, fortran, dtype = _read_npy_header(file)
            start = file.tell()
        if fortran or dtype.str not in DTYPES:
            raise ValueError(f"{info.filename} is not a plain float32 or float64 array")
        if any(side < 0 for side in shape) or start + _bytes(shape, dtype) != info.file_size:
            raise ValueError(f"{info.filename} does not have the size of shape {shape}")
        return Entry(shape, dtype)


def _read_npy_header(file):
    if npy.read_magic(file) != (1, 0):
        raise ValueError("an array has an unknown format")
    return npy.read_array_header_1_0(file)


def _bytes(shape, dtype):
    size = dtype.itemsize
    for side in shape:  # Python integers do not overflow
        size *= side
    return size
