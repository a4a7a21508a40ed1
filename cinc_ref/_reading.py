"""The door through which files are read: regular files only."""

import os
import stat
from typing import BinaryIO

from cinc_ref._typing import Path

__all__ = ["open_regular"]

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
"""Names of what may stand in the place of a regular file."""


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
