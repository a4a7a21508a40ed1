"""Opening files of images: the errors, which name the file, and the streams of their bytes."""

import os
import pathlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import NamedTuple

from cinc_ref._display import short_repr
from cinc_ref._npz import NpyHeader, open_npz, read_npy_header
from cinc_ref._reading import GzipStream, Stream, check_exists, open_regular, refusing
from cinc_ref._typing import Path
from cinc_ref._validate import instance
from cinc_ref.errors import DataError

__all__ = ["StoredArray", "arrays_in", "existing", "file_stream", "gzip_stream", "reading"]

MAX_ARRAYS = 1000
"""Largest number of arrays in an npz of images."""

LOCAL_HEADER = 30
"""Size of a zip member's header in bytes, without its name and its extra field."""


def reading(path: Path, expected: str) -> AbstractContextManager[None]:
    """Turn errors in this block into a `DataError`: the file at `path` is not what was expected.

    Parameters
    ----------
    path : path
    expected : str
        Description of the file that was expected.

    Raises
    ------
    DataError

    Examples
    --------
    >>> with reading("images.npy", "an npy file"):
    ...     raise ValueError("bad magic")
    Traceback (most recent call last):
    cinc_ref.errors.DataError: images.npy must be an npy file; it is something else, or damaged \
(bad magic)
    """
    return refusing(path, DataError, expected)


def existing(path: Path, expected: str) -> pathlib.Path:
    """Return a path at which there is a file or folder.

    Raises
    ------
    OptionError
        If the path is no path.
    DataError
        If nothing is there.
    """
    path = pathlib.Path(instance("path", path, str | os.PathLike, "a path"))
    check_exists(path, DataError, expected)
    return path


@contextmanager
def file_stream(path: Path, offset: int = 0) -> Iterator[Stream]:
    """Open a regular file at an offset in bytes."""
    with open_regular(path) as file:
        file.seek(offset)
        yield file


@contextmanager
def gzip_stream(path: Path, offset: int = 0) -> Iterator[Stream]:
    """Open a gzip file at an offset in the bytes that it unpacks to."""
    with open_regular(path) as file:
        stream = GzipStream(file)
        while offset:
            offset -= len(stream.read(offset)) or offset
        yield stream


class StoredArray(NamedTuple):
    """An array in a file: its header, and how to read its bytes.

    Attributes
    ----------
    header : NpyHeader
    open : callable
        Returns a context manager of a stream that stands at the first byte.
    offset : int or None
        The first byte in the file, or None if it is compressed.
    """

    header: NpyHeader
    open: Callable[[], AbstractContextManager[Stream]]
    offset: int | None

    __repr__ = short_repr


def arrays_in(path: Path, only: str | None = None) -> dict[str, StoredArray]:
    """Read the headers of all arrays in an npy or npz, or of the one with a name.

    The size of each is compared with its shape, so that no array claims to be larger than it is.

    Raises
    ------
    KeyError, ValueError, EOFError, OSError, zipfile.BadZipFile
        If the file is damaged or something else, or the name is missing.
    """
    with open_regular(path) as file:
        file_size = os.fstat(file.fileno()).st_size
        is_npz = file.read(2) == b"PK"
        file.seek(0)
        if not is_npz:
            header = read_npy_header(file)
            _check_size("its array", header, file_size)
            return {
                "array": StoredArray(header, partial(file_stream, path, header.start), header.start)
            }
        with open_npz(file, file_size, MAX_ARRAYS) as archive:
            infos = [archive.getinfo(f"{only}.npy")] if only else archive.infolist()
            return {
                info.filename.removesuffix(".npy"): _member(path, file, archive, info)
                for info in infos
            }


def _member(path, file, archive, info):
    name = info.filename.removesuffix(".npy")
    with archive.open(info) as member:
        header = read_npy_header(member)
    _check_size(name, header, info.file_size)
    stored = info.compress_size == info.file_size and not info.compress_type
    offset = _data_start(file, info) + header.start if stored else None
    return StoredArray(header, partial(_member_stream, path, info.filename, header.start), offset)


@contextmanager
def _member_stream(path, name, offset):
    with open_regular(path) as file:
        file_size = os.fstat(file.fileno()).st_size
        with open_npz(file, file_size, MAX_ARRAYS) as archive, archive.open(name) as member:
            member.read(offset)
            yield member


def _check_size(name, header, file_size):
    if header.start + header.size != file_size:
        raise ValueError(f"{name} does not have the size of shape {header.shape}")


def _data_start(file, info):
    """Return the offset of a member's bytes, behind a header of variable length."""
    file.seek(info.header_offset)
    header = file.read(LOCAL_HEADER)
    name, extra = (int.from_bytes(header[k : k + 2], "little") for k in (26, 28))
    return info.header_offset + LOCAL_HEADER + name + extra
