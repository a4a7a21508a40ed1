"""Output files, which are written whole or not at all, and the error where they cannot be."""

import errno
import io
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Protocol

from cinc_ref import _typing
from cinc_ref._reading import KINDS
from cinc_ref.errors import OutputError

__all__ = [
    "check_file",
    "check_folder",
    "check_replaceable",
    "make_folder",
    "output_errors",
    "put_in_place",
    "remove_unfinished",
    "write_atomically",
    "write_figure",
    "write_text",
]

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a full disk, a spent quota and a limit of the size of files: room helps."""


class Drawing(Protocol):
    """An object that draws itself as matplotlib's figures do."""

    def savefig(self, fname: Any, /, *, format: str) -> object:
        """Write the picture to a file object."""
        ...


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
    cinc_ref.errors.OutputError: cannot write picture.png: No space left on device; make room, or \
choose another place
    """
    try:
        yield
    except OutputError:
        raise
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
        final = check_replaceable(path)
        temporary = final.with_name(f"{_temporary_prefix(final)}{secrets.token_hex(4)}.tmp")
        try:
            with open(temporary, "x" if encoding else "xb", encoding=encoding) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            put_in_place(temporary, final)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
    except OutputError:
        raise
    except OSError as error:
        raise _output_error(path, error) from error


def put_in_place(temporary: Path, final: Path) -> None:
    """Give its name to a file or folder that is complete and on the disk.

    Parameters
    ----------
    temporary : Path
        In the folder of `final`, or in one of the same file system.
    final : Path
        A file of this name is replaced, and the new one has its mode. A folder takes the place of
        no other but an empty one.

    Raises
    ------
    OSError
        If the system refuses it.
    """
    with suppress(OSError):  # a new file's mode is that of the process
        os.chmod(temporary, stat.S_IMODE(os.stat(final).st_mode))
    os.replace(temporary, final)
    _sync_folder(final.parent)


def write_text(path: _typing.Path, text: str) -> None:
    """Write a text in UTF-8, whole or not at all.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with write_atomically(path, "utf-8") as file:
        file.write(text)


def write_figure(path: _typing.Path, figure: Drawing) -> None:
    """Write a picture in the format of the file's ending, whole or not at all.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    picture = io.BytesIO()  # drawing takes long, and a process that is killed leaves no file
    figure.savefig(picture, format=Path(path).suffix[1:].lower())
    with write_atomically(path) as file:
        file.write(picture.getbuffer())


def check_replaceable(path: _typing.Path) -> Path:
    """Return where a file is written, behind links; refuse what is there and no regular file.

    Raises
    ------
    OutputError
        If it is a folder, a device, a pipe or a socket, or the path holds a NUL character.
    """
    path = _checked_path(path)
    with output_errors(path):
        try:
            kind = stat.S_IFMT(os.stat(path).st_mode)
        except (FileNotFoundError, NotADirectoryError):  # the latter is found again by who writes
            kind = stat.S_IFREG
        if kind != stat.S_IFREG:
            reason = f"it is {KINDS.get(kind, 'something else')}, not a regular file"
            raise _output_error(path, OSError(errno.EINVAL, reason))
        return path.resolve()


def remove_unfinished(path: _typing.Path) -> None:
    """Remove the temporary files that killed processes left of a file of this name."""
    final = Path(path).resolve()
    for file in final.parent.glob(_temporary_prefix(final) + "*.tmp"):
        file.unlink(missing_ok=True)


def make_folder(path: _typing.Path) -> Path:
    """Return a folder as a `Path`, made with its parents if it is not there.

    Raises
    ------
    OutputError
        If it cannot be made.
    """
    path = _checked_path(path)
    with output_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def check_file(path: _typing.Path) -> None:
    """Refuse a name under which no file can be written, before there is anything to write.

    Raises
    ------
    OutputError
        If its folder is missing or not writable, or something else than a regular file has the
        name.
    """
    final = check_replaceable(path)
    with output_errors(path):
        if not final.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, f"there is no folder {final.parent}")
        _check_writable(final.parent)  # a new file takes the place of the former
        if final.exists():
            _check_writable(final)


def check_folder(path: _typing.Path) -> None:
    """Refuse a folder that cannot be made or written, before there is anything to write.

    Raises
    ------
    OutputError
        If it, or the nearest of its parents that exists, is a file or not writable.
    """
    path = _checked_path(path)
    with output_errors(path):
        nearest = path.resolve()
        while not nearest.exists() and nearest != nearest.parent:
            nearest = nearest.parent
        if not nearest.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{nearest} is a file")
        _check_writable(nearest)


def _checked_path(path):
    """Return it as a `Path`, if the system can have a file of this name."""
    path = Path(path)
    try:
        named = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        raise OutputError(
            f"a path must be text that file names can hold; got {str(path)!r}"
        ) from None
    if not named:
        raise OutputError(f"a path must hold no NUL character; got {str(path)!r}")
    return path


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
    advice = (
        "make room, or choose another place" if error.errno in NO_ROOM else "choose another place"
    )
    return OutputError(f"cannot write {path}: {error.strerror or error}; {advice}")
