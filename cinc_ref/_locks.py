"""Locks of folders, in which one thread of one process works at a time."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cinc_ref import _typing
from cinc_ref._files import check_replaceable, output_errors
from cinc_ref._reading import open_regular
from cinc_ref.errors import OutputError

__all__ = ["check_unlocked", "locked"]

LOCK, HOLDER = ".lock", ".lock.holder"
"""Names of the file that the system locks, and of that which names its holder."""

MAX_HOLDER = 300
"""Bytes of the holder's name that are shown: a host's name has up to 253."""

PATIENCE, PAUSE = 1.0, 0.01
"""Seconds to wait for a lock whose holder has no name, and between two trials. It has none before
it is written, and where a process only looks whether the folder is free."""


@contextmanager
def locked(folder: _typing.Path) -> Iterator[None]:
    """Keep all other processes and threads that ask for its lock out of a folder in this block.

    The system releases the lock of a process that ends in whatever way, so that a file which a
    killed process left does not block. Locks of ``flock`` hold between the machines that share a
    folder by NFS if its server has locks. Where the system has none, `filelock` uses a file
    with the process in it, and warns.

    Parameters
    ----------
    folder : path
        A folder that exists.

    Raises
    ------
    OutputError
        If it is locked, with its holder, or no file can be made in it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with locked(folder), locked(folder):
    ...         pass
    Traceback (most recent call last):
    cinc_ref.errors.OutputError: ... is in use by process ...: wait until it ends, or choose ...
    """
    folder = Path(folder)
    lock = _acquired(folder)
    try:
        with suppress(OSError):  # on a full disk the holder has no name
            name = f"process {os.getpid()} on {socket.gethostname()}"
            (folder / HOLDER).write_text(name, encoding="utf-8")
        yield
    finally:
        _release(folder, lock)


def check_unlocked(folder: _typing.Path) -> None:
    """Refuse a folder that is locked, before there is any work to do in it.

    Raises
    ------
    OutputError
        If it is locked, with its holder.
    """
    if Path(folder, LOCK).exists():
        _release(Path(folder), _acquired(Path(folder)))


def _acquired(folder):
    from filelock import FileLock, Timeout  # slow to import

    deadline = time.monotonic() + PATIENCE
    with output_errors(folder / LOCK):
        lock = FileLock(check_replaceable(folder / LOCK), thread_local=False)
        while not lock.is_locked:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                holder = _holder(folder)
                if holder or time.monotonic() > deadline:
                    raise OutputError(
                        f"{folder} is in use by {holder or 'another process'}: wait until it ends, "
                        "or choose another folder"
                    ) from None
                time.sleep(PAUSE)
    with suppress(OSError):
        (folder / HOLDER).unlink()  # of a process that was killed
    return lock


def _release(folder, lock):
    for name in (HOLDER, LOCK):  # one who waits notices that the file has lost its name
        with suppress(OSError):
            (folder / name).unlink()
    lock.release()


def _holder(folder):
    """Return the holder in words, as far as it can be read; anybody may have written the file."""
    try:
        with open_regular(folder / HOLDER) as file:
            words = file.read(MAX_HOLDER).decode().split()
    except (OSError, ValueError):
        words = []
    return " ".join(words)
