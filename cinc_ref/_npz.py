"""The formats npy and npz, read strictly: nothing is evaluated, and no size is believed."""

import re
import struct
import zipfile
from math import prod
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from cinc_ref._reading import Budget, Stream

__all__ = ["NpyHeader", "open_npz", "read_npy_header"]

MAGIC = b"\x93NUMPY"
MAX_HEADER = 4096
"""Largest size of an npy header in bytes; that of eight axes needs 200."""

MAX_AXES = 8
"""Largest number of axes of an array."""

_ITEM = r"\s*'(descr|fortran_order|shape)'\s*:\s*('[^'\\]{1,16}'|True|False|\([\s\dL,]{0,200}\))\s*"
GRAMMAR = re.compile(rf"\{{{_ITEM},{_ITEM},{_ITEM},?\s*\}}\s*", re.ASCII)
"""The text of a header: a dict of exactly three items, in any order."""

SHAPE = re.compile(r"\(\s*((?:\d{1,18}L?\s*,\s*)*(?:\d{1,18}L?)?)\s*\)", re.ASCII)
"""A tuple of integers; Python 2 wrote an L behind long ones."""

DTYPE = re.compile(r"[<>|=]?(?:[biufc](?:1|2|4|8|16)|[US]\d{1,6})", re.ASCII)
"""Dtypes that are numbers or texts, as NumPy writes them."""

CENTRAL, END, END64 = b"PK\1\2", b"PK\5\6", b"PK\6\6"
"""Signatures of zip: an entry of the directory, the record of its end, the same with 64 bits."""

MAX_DIRECTORY = 2**25
"""Largest size of the directory of a zip archive in bytes: 300,000 entries."""

COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Kinds of compression that NumPy writes."""

ENCRYPTED = 0x1 | 0x40
"""Bits of a zip entry's flags that say it is encrypted."""


class NpyHeader(NamedTuple):
    """The header of an array: shape, dtype, memory order, and the header's own size in bytes."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    start: int

    @property
    def size(self) -> int:
        """Size of the array in bytes."""
        return prod(self.shape) * self.dtype.itemsize


def read_npy_header(stream: Stream) -> NpyHeader:
    """Read the header of an npy file, and leave the stream at the first byte of the array.

    Raises
    ------
    ValueError
        If it is not exactly a header as NumPy writes it, or the array holds no plain numbers.
    """
    start = _read(stream, 8)
    if start[:6] != MAGIC or start[6:] not in (b"\1\0", b"\2\0"):
        raise ValueError("it has no header of the npy format, version 1 or 2")
    field = _read(stream, 2 if start[6] == 1 else 4)
    size = int.from_bytes(field, "little")
    if size > MAX_HEADER:
        raise ValueError(f"its npy header claims to have {size:,} bytes")
    items = GRAMMAR.fullmatch(_read(stream, size).decode("latin-1"))
    values = dict(zip(items.groups()[::2], items.groups()[1::2], strict=True)) if items else {}
    shape = SHAPE.fullmatch(values.get("shape", ""))
    if len(values) < 3 or not shape or values["fortran_order"] not in ("True", "False"):
        raise ValueError("its npy header is damaged")
    axes = tuple(int(side.strip().rstrip("L")) for side in shape[1].split(",") if side.strip())
    if len(axes) > MAX_AXES:
        raise ValueError(f"its array has {len(axes)} axes")
    start_of_data = len(start) + len(field) + size
    return NpyHeader(
        axes, _dtype(values["descr"]), values["fortran_order"] == "True", start_of_data
    )


def _dtype(text):
    name = text[1:-1]
    if name.lstrip("|") == "O":
        raise ValueError("it holds pickled objects, which are never loaded")
    if text[0] != "'" or not DTYPE.fullmatch(name):
        raise ValueError(f"its array has the dtype {name}, which is no number")
    return np.dtype(name)


def _read(stream, count):
    data = b""
    while len(data) < count:
        more = stream.read(count - len(data))
        if not more:
            raise EOFError("it ends too early")
        data += more
    return data


def open_npz(file: BinaryIO, file_size: int, max_arrays: int) -> zipfile.ZipFile:
    """Open an npz after a look at its directory.

    The names of the entries differ, none is encrypted, each is stored or deflated, and all
    together they unpack to no more than a `Budget` allows.

    Parameters
    ----------
    file : binary file
    file_size : int
        Its size in bytes.
    max_arrays : int
        Largest number of entries.

    Raises
    ------
    ValueError, OSError, zipfile.BadZipFile
        If it is damaged, or something else.
    """
    _check_number_of_entries(file, file_size, max_arrays)
    archive = zipfile.ZipFile(file)
    infos = archive.infolist()
    budget = Budget(file_size)
    budget.check(sum(info.file_size for info in infos))
    if len({info.filename for info in infos}) < len(infos):
        raise ValueError("two arrays have the same name")
    for info in infos:
        if info.flag_bits & ENCRYPTED:
            raise ValueError(f"{info.filename} is encrypted")
        if info.compress_type not in COMPRESSION:
            raise ValueError(f"{info.filename} is compressed in an unknown way")
        stored = info.compress_type == zipfile.ZIP_STORED
        if info.compress_size > file_size or (stored and info.compress_size != info.file_size):
            raise ValueError(f"{info.filename} claims to be larger than the file")
    return archive


def _check_number_of_entries(file, file_size, most):
    """Refuse a directory with too many entries before it is read: each takes microseconds."""
    file.seek(max(0, file_size - 2**16 - 22))
    tail = file.read()
    position = tail.rfind(END)
    if position < 0 or len(tail) < position + 22:
        raise ValueError("it is no zip archive")
    _, size = struct.unpack("<HI", tail[position + 10 : position + 16])
    wide = tail.rfind(END64, 0, position)
    if wide >= 0 and len(tail) >= wide + 56:
        size = max(
            size if size < 2**32 - 1 else 0, *struct.unpack("<Q", tail[wide + 40 : wide + 48])
        )
    if size > min(file_size, MAX_DIRECTORY):
        raise ValueError(f"its directory claims to have {size:,} bytes")
    file.seek(max(0, file_size - len(tail) + position - size - 76))
    count = file.read(size + 76).count(CENTRAL)
    if count > most:
        raise ValueError(f"it has {count:,} entries, more than {most:,}")
