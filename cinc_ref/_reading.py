"""The door through which files are read: regular files only, within a budget of bytes and time."""

import os
import stat
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Protocol

from cinc_ref._typing import Path
from cinc_ref.errors import CincError

__all__ = [
    "CHUNK",
    "Budget",
    "GzipStream",
    "Stream",
    "check_exists",
    "open_regular",
    "read_exactly",
    "refusing",
    "why_unreadable",
]

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
"""Names of what may stand in the place of a regular file."""

FREE_BYTES, BYTES_PER_BYTE = 2**26, 100
"""Packed data may unpack to 64 MiB, or to 100 times their size: images seldom exceed 20 times."""

SECONDS, BYTES_PER_SECOND = 30.0, 2**20
"""Reading may take 30 seconds, and one more for each MiB: slow disks do 10 MiB a second."""

PIECE = 2**13
"""Bytes of packed data that are unpacked at a time."""

CHUNK = 2**20
"""Bytes that are read at a time."""


class Stream(Protocol):
    """An object whose bytes can be read one after another."""

    def read(self, count: int, /) -> bytes:
        """Return up to `count` bytes, and none at the end."""
        ...


# ---- which files ---------------------------------------------------------------------------------


def check_exists(path: Path, error: type[CincError], expected: str) -> None:
    """Raise an error of this class, which names the path, if nothing can be read there."""
    try:
        os.stat(path)
    except ValueError as reason:
        raise error(f"a path must hold no NUL character; got {os.fspath(path)!r}") from reason
    except (FileNotFoundError, NotADirectoryError) as reason:
        raise error(f"{path} is missing; expected {expected}") from reason
    except OSError as reason:
        raise error(f"cannot read {path}: {reason.strerror}") from reason


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read bytes; never wait for a writer, and never start a device.

    Raises
    ------
    ValueError
        If it is a folder, a pipe, a socket or a device; the message does not name the file.
    OSError
        If it cannot be opened.
    """
    _check_regular(os.stat(path))
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    file = os.fdopen(os.open(path, flags), "rb")
    try:
        _check_regular(os.fstat(file.fileno()))  # another file may have taken its place
    except BaseException:
        file.close()
        raise
    return file


def _check_regular(status):
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        raise ValueError(f"it is {KINDS.get(kind, 'something else')}, not a regular file")


@contextmanager
def refusing(path: Path, error: type[CincError], expected: str) -> Iterator[None]:
    """Turn whatever a file makes the code in this block raise into one class of error.

    Parsers of damaged files raise errors of many classes. Those of this package pass through.

    Parameters
    ----------
    path : path
    error : class
        The class of `CincError` to raise.
    expected : str
        Description of the file that was expected.
    """
    try:
        yield
    except CincError:
        raise
    except FileNotFoundError as reason:
        raise error(f"{path} is missing; expected {expected}") from reason
    except PermissionError as reason:
        raise error(f"cannot read {path}: {reason.strerror}") from reason
    except Exception as reason:
        raise error(
            f"{path} must be {expected}; it is something else, or damaged "
            f"({why_unreadable(reason)})"
        ) from reason


def why_unreadable(error: BaseException) -> str:
    """Return the reason for which a file could not be read, in one line.

    Examples
    --------
    >>> why_unreadable(IsADirectoryError(21, "Is a directory", "images"))
    'Is a directory'
    >>> why_unreadable(ValueError("Object arrays cannot be loaded when allow_pickle=False"))
    'it holds pickled objects, which are never loaded'
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    if "pickle" in reason or "Python objects" in reason:  # NumPy would invite to load them
        return "it holds pickled objects, which are never loaded"
    return reason


# ---- how much ------------------------------------------------------------------------------------


class Budget:
    """The bytes and the seconds that may be spent on unpacking a file.

    Parameters
    ----------
    packed : int
        Size of the file in bytes.
    """

    def __init__(self, packed: int) -> None:
        self.limit: int = max(FREE_BYTES, BYTES_PER_BYTE * packed)
        self._spent = 0
        self._seconds = SECONDS + self.limit / BYTES_PER_SECOND
        self._deadline = time.monotonic() + self._seconds

    def check(self, count: int) -> None:
        """Refuse a number of bytes that is more than is left.

        Raises
        ------
        ValueError
        """
        if self._spent + count > self.limit:
            raise ValueError(f"it unpacks to more than {self.limit:,} bytes")

    def spend(self, count: int) -> None:
        """Count bytes that were unpacked, and refuse more than the limits.

        Raises
        ------
        ValueError
        """
        self.check(count)
        self._spent += count
        if time.monotonic() > self._deadline:
            raise ValueError(f"it takes longer than {self._seconds:.0f} seconds to read")


def read_exactly(stream: Stream, buffer: Any, budget: Budget) -> None:
    """Fill a buffer (an array of bytes, a bytearray) from a stream, a chunk at a time.

    Raises
    ------
    EOFError
        If the stream ends before.
    """
    view = memoryview(buffer).cast("B")
    position = 0
    while position < len(view):
        data = stream.read(min(CHUNK, len(view) - position))
        if not data:
            raise EOFError(f"it ends {len(view) - position:,} bytes too early")
        budget.spend(len(data))
        view[position : position + len(data)] = data
        position += len(data)


class GzipStream:
    """The bytes that a gzip file unpacks to, one after another; its checksums are compared.

    Parameters
    ----------
    file : binary file
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._packed = file, b""
        self._member = zlib.decompressobj(wbits=31)

    def read(self, count: int) -> bytes:
        """Return between 1 and `count` bytes, or none at the end.

        Raises
        ------
        EOFError, ValueError, zlib.error
            If the file is damaged.
        """
        while True:
            if self._member.eof and not self._next_member():
                return b""
            if not self._packed:
                self._packed = self._file.read(PIECE)
                if not self._packed:
                    raise EOFError("it ends too early")
            data = self._member.decompress(self._packed, count)
            member = self._member
            self._packed = member.unused_data if member.eof else member.unconsumed_tail
            if data:
                return data

    def _next_member(self):
        """Go on to what follows a whole member: another, padding, or nothing."""
        self._packed = self._packed.lstrip(b"\0") or self._file.read(PIECE).lstrip(b"\0")
        if self._packed:
            self._member = zlib.decompressobj(wbits=31)
        return bool(self._packed)
