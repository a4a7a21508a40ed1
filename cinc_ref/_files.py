"""Output files, which are written whole or not at all, and the error where they cannot be."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from cinc_ref import _typing
from cinc_ref.errors import OutputError

__all__ = [
    "check_file",
    "check_folder",
    "make_folder",
    "output_errors",
    "remove_unfinished",
    "write_atomically",
]


@contextmanager
def output_errors(path: _typing.Path) -> Iterator[None]:
    """Turn an `OSError` in this block into an `OutputError` that names the file.

    Parameters
    ----------
    path : path
        The file that is written, or the folder of several; the file that the system names goes
        first.

    Raises
    ------
    OutputError

    Examples
    --------
    >>> with output_errors("picture.png"):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    cinc_ref.errors.OutputError: cannot write picture.png: No space left on device; choose \
another place
    """
    try:
        yield
    except OSError as error:
        raise _output_error(error.filename or path, error) from error


@contextmanager
def write_atomically(path: _typing.Path, encoding: str | None = None) -> Iterator[IO[Any]]:
    """Open a file that takes its name only when it is complete and on the disk.

    A file of that name which was there before stays until then, and stays if anything fails. A
    link stays a link: the file that it points to is replaced.

    Parameters
    ----------
    path : path
    encoding : str, optional
        Encoding of a text file; without it the file takes bytes.

    Yields
    ------
    file object

    Raises
    ------
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "letters.txt")
    ...     with write_atomically(path, "utf-8") as file:
    ...         _ = file.write("abc")
    ...     path.read_text()
    'abc'
    """
    try:
        final = Path(path).resolve()
        temporary = final.with_name(f"{_temporary_prefix(final)}{os.getpid()}.tmp")
        try:
            with open(temporary, "w" if encoding else "wb", encoding=encoding) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, final)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        _sync_folder(final.parent)
    except OSError as error:
        raise _output_error(path, error) from error


def remove_unfinished(path: _typing.Path) -> None:
    """Remove the temporary files that killed processes left of a file of this name."""
    path = Path(path)
    for file in path.parent.glob(_temporary_prefix(path) + "*.tmp"):
        file.unlink()


def make_folder(path: _typing.Path) -> Path:
    """Return a folder as a `Path`, made with its parents if it is not there.

    Raises
    ------
    OutputError
        If it cannot be made.
    """
    path = Path(path)
    with output_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def check_file(path: _typing.Path) -> None:
    """Refuse a name under which no file can be written, before there is anything to write.

    Raises
    ------
    OutputError
        If its folder is missing or not writable, or the name is that of a folder.
    """
    path = Path(path)
    with output_errors(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        folder = path.resolve().parent
        if not folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, f"there is no folder {folder}")
        _check_writable(path if path.exists() else folder)


def check_folder(path: _typing.Path) -> None:
    """Refuse a folder that cannot be made or written, before there is anything to write.

    Raises
    ------
    OutputError
        If it, or the nearest of its parents that exists, is a file or not writable.
    """
    path = Path(path)
    with output_errors(path):
        nearest = path.resolve()
        while not nearest.exists() and nearest != nearest.parent:
            nearest = nearest.parent
        if not nearest.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{nearest} is a file")
        _check_writable(nearest)


def _check_writable(path):
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, f"{path} is not writable")


def _temporary_prefix(path):
    return f".{path.name}."


def _sync_folder(folder):
    """Make the new name itself survive a power failure; Windows cannot open folders."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _output_error(path, error):
    return OutputError(f"cannot write {path}: {error.strerror or error}; choose another place")
