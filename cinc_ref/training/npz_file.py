"""The format of checkpoints: one npz without pickles, with a JSON header inside.

An npz is a zip archive with one npy file for each array. These are stored uncompressed, so an array
cannot be larger than the file: shapes are read and compared with the file's size before anything is
allocated. The header is an array of bytes. Zip keeps a checksum of every array, which is compared
whenever one is read.
"""

import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import Any, NamedTuple

import numpy as np

from cinc_ref._display import short_repr
from cinc_ref._files import write_atomically
from cinc_ref._npz import NpyHeader, open_npz, read_npy_header
from cinc_ref._reading import Budget, check_exists, open_regular, read_exactly, why_unreadable
from cinc_ref._typing import Array, FloatArray, Path
from cinc_ref.errors import CheckpointError

__all__ = ["Entry", "NpzFile", "opened", "write"]

FORMAT = "cinc_ref checkpoint"
VERSION = 1
"""Name and version of the format, which the header of every file holds."""

HEADER = "header"
"""Name of the array whose bytes are the JSON header."""

MAX_HEADER = 2**26
"""Largest size of the JSON header in bytes: 200,000 rows of history."""

DTYPES = ("<f4", "<f8")
"""Dtypes of the other arrays, little-endian on every machine."""

BYTES_PER_ENTRY = 30 + 46 + 64
"""Least size of an array in a zip archive in bytes: two headers of zip, and one of npy."""

EXPECTED = "a file that cinc_ref saved"


class Entry(NamedTuple):
    """The shape and dtype of an array, from its header in the file."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    __repr__ = short_repr


def write(path: Path, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
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
def opened(path: Path) -> "Iterator[NpzFile]":
    """Open a file to read from it.

    Yields
    ------
    NpzFile

    Raises
    ------
    CheckpointError
        If the file is missing, foreign or damaged, or the block finds it wrong.
    """
    check_exists(path, CheckpointError, EXPECTED)
    try:
        if os.path.isdir(path):
            raise CheckpointError(f"{path} is a folder; expected {EXPECTED}")
        with open_regular(path) as file:
            file_size = os.fstat(file.fileno()).st_size
            with open_npz(file, file_size, file_size // BYTES_PER_ENTRY) as archive:
                yield NpzFile(archive, file_size)
    except CheckpointError:
        raise
    except PermissionError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
    except Exception as error:  # damaged files raise errors of many classes
        raise CheckpointError(
            f"{path} is no checkpoint of cinc_ref, or is damaged ({why_unreadable(error)})"
        ) from error


class NpzFile:
    """An open checkpoint, whose header and array headers are checked.

    Attributes
    ----------
    header : dict
        JSON values.
    entries : dict of str to Entry
        The arrays by name.
    """

    header: dict[str, Any]
    entries: dict[str, Entry]

    def __init__(self, archive: zipfile.ZipFile, file_size: int) -> None:
        self._archive, self._budget = archive, Budget(file_size)
        infos = archive.infolist()
        if sum(info.file_size for info in infos) > file_size:
            raise ValueError("its arrays claim to be larger than the file")
        if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
            raise ValueError("an array is compressed")
        self._infos = {info.filename.removesuffix(".npy"): info for info in infos}
        if len(self._infos) < len(infos):
            raise ValueError("two arrays have the same name")
        self.header = self._read_header()
        self.entries = {name: self._entry(name) for name in self._infos if name != HEADER}

    def read(self, name: str) -> FloatArray:
        """Read the array of this name into new memory."""
        entry = self.entries[name]
        data = np.empty(entry.shape, entry.dtype)
        with self._archive.open(self._infos[name]) as file:
            read_npy_header(file)
            read_exactly(file, data.reshape(-1), self._budget)
            file.read(1)  # at the end the checksum is compared
        return data.astype(entry.dtype.type, copy=False)

    @property
    def total_size(self) -> int:
        """The number of entries of all arrays together."""
        return sum(prod(entry.shape) for entry in self.entries.values())

    def _read_header(self):
        if HEADER not in self._infos:
            raise ValueError("it holds no header")
        array = self._npy_header(HEADER)
        if array.dtype != np.uint8 or len(array.shape) != 1 or array.size > MAX_HEADER:
            raise ValueError("its header is not ours")
        text = bytearray(array.size)
        with self._archive.open(self._infos[HEADER]) as file:
            read_npy_header(file)
            read_exactly(file, text, self._budget)
            file.read(1)  # at the end the checksum is compared
        header = json.loads(text)
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise ValueError("its header is not ours")
        if header.get("version") != VERSION:
            raise ValueError(
                f"it has version {header.get('version')} of the format, this cinc_ref reads "
                f"version {VERSION}: update cinc_ref"
            )
        return header

    def _entry(self, name):
        array = self._npy_header(name)
        if array.fortran or array.dtype.str not in DTYPES:
            raise ValueError(f"{name} is not a plain float32 or float64 array")
        return Entry(array.shape, array.dtype)

    def _npy_header(self, name) -> NpyHeader:
        """Read the header of an array, whose size is that of its entry in the archive."""
        info = self._infos[name]
        with self._archive.open(info) as file:
            array = read_npy_header(file)
        if array.start + array.size != info.file_size:
            raise ValueError(f"{name} does not have the size of shape {array.shape}")
        return array
