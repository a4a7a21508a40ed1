"""An output of many chunks that survives kills, and takes its name when all chunks are there.

Until then it is in a folder beside, ``NAME.unfinished``, with the settings of the run and a
record of the chunks that are written, each with its checksum. The same run goes on where a former
one was killed; a chunk whose bytes are not those of the record is written again.
"""

import json
import re
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from cinc_ref._chunk_stores import ChunkStore
from cinc_ref._files import (
    make_folder,
    output_errors,
    put_in_place,
    remove_unfinished,
    write_text,
)
from cinc_ref._locks import locked
from cinc_ref._reading import open_regular, refusing
from cinc_ref._schema import SCHEMA, has_schema, schema
from cinc_ref._typing import Array
from cinc_ref.errors import CheckpointError, NonFiniteError, OptionError

__all__ = ["SUFFIX", "Unfinished", "unfinished"]

SUFFIX = ".unfinished"
"""End of the folder's name, after that of the output."""

SETTINGS, RECORD, DATA = "run.json", "chunks.txt", "data"
"""Names in the folder: the settings, the chunks that are written, and the output itself."""

MAX_SETTINGS, MAX_RECORD = 2**16, 2**26
"""Bytes of the settings and of the record that are read; a line of the record has about 15."""

LINE = re.compile(rb"^(\d{1,12}) ([0-9a-f]{8})\n", re.MULTILINE)
"""A line of the record: the index of a chunk, and the CRC-32 of its bytes."""


class Unfinished:
    """The chunks of an output, of which some are written; `unfinished` opens one.

    Attributes
    ----------
    checksums : dict of int to int
        The CRC-32 of each chunk that is written, by its index.
    """

    checksums: dict[int, int]

    def __init__(self, folder: Path, store: ChunkStore, settings: dict[str, Any]) -> None:
        self.checksums = {}
        self._folder, self._store, self._settings = folder, store, settings

    def write(self, index: int, rows: Array) -> None:
        """Write a chunk, and then enter it in the record."""
        self._store.write(index, rows)
        self.checksums[index] = zlib.crc32(np.ascontiguousarray(rows))
        with open(self._folder / RECORD, "ab", buffering=0) as record:
            record.write(self._line(index).encode())

    def take_up(self) -> None:
        """Read which chunks a former run has written, and compare them with their checksums.

        Raises
        ------
        OptionError
            If the former run had other settings.
        CheckpointError
            If the settings cannot be read.
        """
        recorded = self._recorded()
        if recorded and self._is_of_this_run() and self._store.open():
            self.checksums = {i: crc for i, crc in recorded.items() if self._holds(i, crc)}

    def begin(self) -> None:
        """Make the output anew unless there are chunks, and write the record of these alone."""
        if not self.checksums:
            self._store.create()
            content = {SCHEMA: schema("samples"), **self._settings}
            write_text(self._folder / SETTINGS, json.dumps(content, indent=1) + "\n")
        write_text(self._folder / RECORD, "".join(map(self._line, self.checksums)))

    def publish(self, final: Path) -> None:
        """Give the complete output its name."""
        self._store.close()
        put_in_place(self._store.path, final)
        self.discard()

    def discard(self) -> None:
        """Remove all that is in the folder."""
        with suppress(OSError):
            self._store.close()
        for name in (RECORD, SETTINGS):
            remove_unfinished(self._folder / name)
            (self._folder / name).unlink(missing_ok=True)
        if self._store.path.is_dir():
            shutil.rmtree(self._store.path)
        else:
            self._store.path.unlink(missing_ok=True)

    def _line(self, index):
        return f"{index} {self.checksums[index]:08x}\n"

    def _recorded(self):
        """Return the checksums by index that a former run entered, but for a line that was cut."""
        try:
            with open_regular(self._folder / RECORD) as file:
                lines = LINE.findall(file.read(MAX_RECORD))
        except (OSError, ValueError):
            return {}
        pairs = ((int(index), int(crc, 16)) for index, crc in lines)
        return {index: crc for index, crc in pairs if index < self._store.count}

    def _is_of_this_run(self):
        """Return whether there are settings; refuse those of another run."""
        path = self._folder / SETTINGS
        if not path.exists():
            return False
        with refusing(path, CheckpointError, "the settings of samples"), open_regular(path) as file:
            former = json.loads(file.read(MAX_SETTINGS))
            readable = has_schema(former, "samples")
        if not readable:
            raise CheckpointError(
                f"{path} has schema {former[SCHEMA]}, this cinc_ref reads {schema('samples')}: "
                f"use the cinc_ref that wrote it, or delete {self._folder}"
            )
        for name, value in self._settings.items():
            if former.get(name) != value:
                raise OptionError(
                    f"{self._folder} was begun with {name} {former.get(name)}; got {value}: repeat "
                    "the command with the same options, or delete the folder to begin anew"
                )
        return True

    def _holds(self, index, checksum):
        rows = self._store.read(index)
        return rows is not None and zlib.crc32(np.ascontiguousarray(rows)) == checksum


@contextmanager
def unfinished(
    final: Path, store: type[ChunkStore], settings: dict[str, Any], *array: Any
) -> Iterator[Unfinished]:
    """Open an output whose chunks are written in this block, after which it has its name.

    If the block ends by an error or by Ctrl-C, the chunks that are written stay for the next run.
    Nothing stays if there are none, or if it is a `NonFiniteError`, to which every run would come.

    Parameters
    ----------
    final : Path
    store : class
        The subclass of `ChunkStore` of the format.
    settings : dict
        JSON values on which the bytes depend.
    *array
        Shape, dtype and rows of a chunk, as `ChunkStore` takes them.

    Yields
    ------
    Unfinished

    Raises
    ------
    OptionError
        If the chunks that are there have other settings.
    CheckpointError
        If the settings that are there cannot be read.
    OutputError
        If it cannot be written, or another process or thread writes it.
    """
    folder = make_folder(final.with_name(final.name + SUFFIX))
    try:
        with locked(folder), output_errors(final):
            data = folder / f"{DATA}{final.suffix}"
            output = Unfinished(folder, store(data, *array, settings), settings)
            output.take_up()
            try:
                output.begin()
                yield output
            except BaseException as error:
                if not output.checksums or isinstance(error, NonFiniteError):
                    output.discard()
                raise
            output.publish(final)
    finally:
        with suppress(OSError):
            folder.rmdir()  # unless chunks are in it, or the lock of the next run
