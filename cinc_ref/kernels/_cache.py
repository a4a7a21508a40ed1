"""The cache of compiled functions on disk: what is damaged in it is found, and compiled anew.

Numba takes what it finds in its files for granted: a file that is cut stops every later call, and
machine code with a wrong bit would be run. Here every file begins with its SHA-256, and an entry
says which function and types it belongs to. Neither a damaged file nor a full disk keeps a function
from being compiled.
"""

import hashlib
import logging
import os
import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache, IndexDataCacheFile

__all__ = ["UNWRITABLE", "KernelCache", "warn_once"]

LOGGER = logging.getLogger("cinc_ref")

_warned: set[str] = set()


def warn_once(key: str, message: str, *arguments: object) -> None:
    """Log a message of level WARNING, once in a process for each key."""
    if key not in _warned:
        _warned.add(key)
        LOGGER.warning(message, *arguments)


class DamagedFileError(Exception):
    """A file whose content is not what was written."""


class CheckedFile(IndexDataCacheFile):
    """The files of one function: an index, and one file for each combination of types."""

    def save(self, key: Any, data: Any) -> None:
        """Write an entry with its key; see `IndexDataCacheFile.save`."""
        super().save(key, (self._source_stamp, key, data))

    def load(self, key: Any) -> Any:
        """Return the entry of a key; None where there is none, or where it is that of another."""
        stored = super().load(key)
        if stored is None or stored[:2] != (self._source_stamp, key):
            return None  # a write that failed may leave an older file under this name
        return stored[2]

    def discard_damaged(self, key: Any) -> None:
        """Remove the index if it cannot be read, and otherwise the file of the key's entry."""
        try:
            name = self._load_index().get(key)
        except Exception:  # whatever is wrong with it
            _remove(self._index_path)
        else:
            if name is not None:
                _remove(self._data_path(name))

    def _dump(self, obj):
        data = super()._dump(obj)
        return hashlib.sha256(data).digest() + data

    def _load_index(self):
        content = _read(self._index_path)
        if content is None:
            return {}
        version, stamp, overloads = self._unpickle(content)
        return overloads if (version, stamp) == (self._version, self._source_stamp) else {}

    def _save_index(self, overloads):
        content = self._dump((self._version, self._source_stamp, overloads))
        with self._open_for_write(self._index_path) as file:
            file.write(content)

    def _load_data(self, name):
        content = _read(self._data_path(name))
        return None if content is None else self._unpickle(content)

    def _unpickle(self, content):
        size = hashlib.sha256().digest_size
        if hashlib.sha256(content[size:]).digest() != content[:size]:
            raise DamagedFileError("the checksum differs")
        return pickle.loads(content[size:])


def _read(path):
    """Return the bytes of a file, or None if there is none."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return None


def _remove(path):
    """Remove a file, or an empty folder, as far as that is possible."""
    with suppress(OSError):
        os.rmdir(path) if os.path.isdir(path) else os.unlink(path)


class KernelCache(FunctionCache):
    """The cache of one function, which warns where Numba's own would raise.

    Parameters
    ----------
    function : callable
    stamp : object
        The state of the source: entries with another one are not used.

    Raises
    ------
    RuntimeError
        If there is no folder for the files.
    """

    def __init__(self, function: Callable[..., Any], stamp: Any) -> None:
        super().__init__(function)
        name = f"{self._impl.filename_base}.sha256"  # files of Numba's own format are not read
        self._cache_file = CheckedFile(self._cache_path, name, stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled function, or None if it has to be compiled."""
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # no bytes of a file may stop a call
            warn_once(
                "damaged",
                "a file of compiled functions in %s cannot be used (%s): what it held is compiled "
                "and written anew",
                self._cache_path,
                _reason(error),
            )
            self._discard_damaged(sig, target_context.codegen())
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Write a compiled function if that is possible."""
        try:
            try:
                super().save_overload(sig, data)
            except Exception:  # something stands where a file belongs
                self._discard_damaged(sig, data.codegen)
                super().save_overload(sig, data)
        except Exception as error:  # the function is compiled all the same
            warn_once("unwritable", UNWRITABLE, f"in {self._cache_path} ({_reason(error)})")

    def _discard_damaged(self, sig, codegen):
        self._cache_file.discard_damaged(self._index_key(sig, codegen))


UNWRITABLE = (
    "compiled functions cannot be kept %s: every new process compiles them again; make room there "
    "or set NUMBA_CACHE_DIR to a folder that can be written"
)
"""Warning where no file can be written."""


def _reason(error):
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
