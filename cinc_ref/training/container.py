"""The file format: one npz without pickles, a JSON header inside, checked before it is used.

An npz is a zip archive with one npy file an array. Ours are stored uncompressed, so an array cannot
be larger than the file: shapes are read and compared with the file's size before anything is
allocated. The header is an array of bytes. Zip keeps a checksum of every array, which is compared
whenever one is read.
"""

import json
import os
import zipfile
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib import format as npy

from cinc_ref.errors import CheckpointError, CincError, OutputError

FORMAT = "cinc_ref checkpoint"
VERSION = 1
HEADER = "header"
DTYPES = ("<f4", "<f8")

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
"""What reading a damaged file raises."""


class Entry(NamedTuple):
    """Shape and dtype of an array, as its header in the file says."""

    shape: tuple[int, ...]
    dtype: np.dtype


def write(path, header, arrays):
    """Write a header (JSON values) and arrays (by name), all or nothing.

    The file appears under its name only when it is complete and on the disk.

    Raises
    ------
    OutputError
        If it cannot be written; a file that was there before is still there.
    """
    path = Path(path)
    try:
        _replace(path.resolve(), header, arrays)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"cannot write {path}: {reason}; choose another place") from error


def _replace(path, header, arrays):
    temporary = path.with_name(f"{temporary_prefix(path.name)}{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            _write_archive(file, header, arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def temporary_prefix(name):
    """How the names of temporary files begin, from which the file of this name is made."""
    return f".{name}."


def _write_archive(file, header, arrays):
    content = {"format": FORMAT, "version": VERSION, **header}
    text = json.dumps(content, allow_nan=False).encode()
    np.savez(file, **{HEADER: np.frombuffer(text, np.uint8)}, **arrays)


def _sync_folder(folder):
    """Make the new name itself survive a power failure; Windows cannot open folders."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def opened(path):
    """A `Container` to read from.

    Raises
    ------
    CheckpointError
        If the file is missing, foreign or damaged; also for whatever the block raises over it.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise CheckpointError(
                f"{path} is {'a folder' if path.is_dir() else 'missing'}; "
                "expected a file that cinc_ref saved"
            )
        with zipfile.ZipFile(path) as archive:
            yield Container(archive, path.stat().st_size)
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


class Container:
    """An open checkpoint: `header`, the `entries` of its arrays, and `read`."""

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
        """The array of this name, new memory."""
        entry = self.entries[name]
        with self._archive.open(self._infos[name]) as file:
            _read_npy_header(file)
            data = file.read()  # to the end, where the checksum is compared
        return np.frombuffer(data, entry.dtype).reshape(entry.shape).astype(entry.dtype.type)

    @property
    def numbers(self):
        """How many numbers all arrays hold together."""
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
