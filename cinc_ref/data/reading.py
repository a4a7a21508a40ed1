"""Reading files of images: the errors, which name the file, and arrays in npz files."""

import pathlib
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike

import numpy as np
from numpy.lib import format as npy

from cinc_ref._files import why_unreadable
from cinc_ref._typing import Array, Path
from cinc_ref._validate import instance
from cinc_ref.errors import DataError

__all__ = ["existing", "npz_names", "read_npz", "reading"]

DAMAGE = (
    EOFError,
    KeyError,
    OSError,
    TypeError,
    ValueError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
"""The errors that reading a damaged or foreign file can raise."""

LOCAL_HEADER = 30
"""Size of a zip member's header in bytes, without its name and its extra field."""


@contextmanager
def reading(path: Path, expected: str) -> Iterator[None]:
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
    try:
        yield
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; expected {expected}") from error
    except PermissionError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except DAMAGE as error:
        reason = why_unreadable(error)
        raise DataError(
            f"{path} must be {expected}; it is something else, or damaged ({reason})"
        ) from error


def existing(path: Path, expected: str) -> pathlib.Path:
    """Return a path at which there is a file or folder.

    Raises
    ------
    OptionError
        If the path is no path.
    DataError
        If nothing is there.
    """
    path = pathlib.Path(instance("path", path, str | PathLike, "a path"))
    if not path.exists():
        raise DataError(f"{path} is missing; expected {expected}")
    return path


def read_npz(path: Path, name: str) -> Array:
    """Read one array of an npz, memory-mapped unless it is compressed; refuse pickled objects.

    Raises
    ------
    KeyError, ValueError
        If it is missing, or does not hold numbers.
    """
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(name + ".npy")
        with archive.open(info) as member:
            shape, fortran, dtype = _header(member)
            start = member.tell()
            if dtype.hasobject:
                raise ValueError(f"{name} holds pickled objects, which are never loaded")
            if info.compress_type != zipfile.ZIP_STORED or fortran:
                return npy.read_array(archive.open(info), allow_pickle=False)
    length = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if start + length != info.file_size:
        raise ValueError(f"{name} does not have the size of shape {shape}")
    return np.memmap(path, dtype, "r", _data_start(path, info) + start, shape)


def npz_names(path: Path) -> list[str]:
    """Return the names of the arrays in an npz, in order."""
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def _header(file):
    version = npy.read_magic(file)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"version {version} of the npy format is unknown")
    return read(file)


def _data_start(path, info):
    """Return the offset of a member's bytes, behind a header of variable length."""
    with open(path, "rb") as file:
        file.seek(info.header_offset)
        header = file.read(LOCAL_HEADER)
    name, extra = (int.from_bytes(header[k : k + 2], "little") for k in (26, 28))
    return info.header_offset + LOCAL_HEADER + name + extra
