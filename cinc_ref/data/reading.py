"""Files of images: what cannot be read, said in one sentence that names the file."""

import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from cinc_ref.errors import DataError

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
"""What reading a damaged or foreign file raises."""

LOCAL_HEADER = 30
"""Bytes of a zip member's header, before its name and its extra field."""


@contextmanager
def reading(path, expected):
    """Explain what fails in this block: the file at `path` is not what was expected.

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
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(
            f"{path} must be {expected}; it is something else, or damaged ({reason})"
        ) from error


def existing(path, expected):
    """The path, if something is there.

    Raises
    ------
    DataError
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path} is missing; expected {expected}")
    return path


def read_npz(path, name):
    """One array of an npz, memory-mapped unless it is compressed; pickled objects are refused.

    Raises
    ------
    KeyError, ValueError
        If it is not there, or not numbers.
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


def npz_names(path):
    """The names of the arrays in an npz, in order."""
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def _header(file):
    version = npy.read_magic(file)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"version {version} of the npy format is unknown")
    return read(file)


def _data_start(path, info):
    """Where a member's bytes begin: behind a header whose name and extra field vary in length."""
    with open(path, "rb") as file:
        file.seek(info.header_offset)
        header = file.read(LOCAL_HEADER)
    name, extra = (int.from_bytes(header[k : k + 2], "little") for k in (26, 28))
    return info.header_offset + LOCAL_HEADER + name + extra
