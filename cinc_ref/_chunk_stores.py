"""Arrays on the disk that are written a chunk at a time: one NumPy file, or a Zarr array.

A chunk is a number of rows, the same for all chunks but the last. Chunks come in any order, and
memory holds one of them.
"""

import io
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np

from cinc_ref._extras import extra
from cinc_ref._typing import Array

__all__ = ["STORES", "ChunkStore", "NpyStore", "ZarrStore"]


class ChunkStore(ABC):
    """An array on the disk whose chunks are written and read one by one.

    Parameters
    ----------
    path : Path
    shape : tuple of int
        That of the array; the first axis counts the rows.
    dtype : numpy.dtype
    rows : int
        Rows in a chunk.
    attributes : dict
        JSON values that describe the array, for formats that hold such.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        rows: int,
        attributes: dict[str, Any],
    ) -> None:
        self.path, self.shape, self.dtype = path, shape, dtype
        self.rows, self.attributes = rows, attributes

    @property
    def count(self) -> int:
        """The number of chunks."""
        return -(-self.shape[0] // self.rows)

    def extent(self, index: int) -> slice:
        """Return the rows of a chunk."""
        return slice(self.rows * index, min(self.rows * (index + 1), self.shape[0]))

    @abstractmethod
    def create(self) -> None:
        """Begin the array anew, in the place of whatever is there."""

    @abstractmethod
    def open(self) -> bool:
        """Open the array to go on; return whether it is there, with this shape and dtype."""

    @abstractmethod
    def write(self, index: int, rows: Array) -> None:
        """Write a chunk."""

    @abstractmethod
    def read(self, index: int) -> Array | None:
        """Return a chunk, or None if it cannot be read."""

    @abstractmethod
    def close(self) -> None:
        """Close the array; all of it is on the disk then."""


class NpyStore(ChunkStore):
    """The file that `numpy.save` writes; see `ChunkStore`."""

    _file: Any = None

    def create(self) -> None:
        """Write the header, and reserve the place of all chunks."""
        self.close()
        self._file = open(self.path, "w+b")
        self._file.write(self._header)
        self._file.truncate(self._offset(self.shape[0]))

    def open(self) -> bool:
        """Compare the header and the size of the file with those that it must have."""
        try:
            self._file = open(self.path, "r+b")
        except FileNotFoundError:
            return False
        size = os.fstat(self._file.fileno()).st_size
        header = self._file.read(len(self._header))
        return header == self._header and size == self._offset(self.shape[0])

    def write(self, index: int, rows: Array) -> None:
        """Write a chunk at its place."""
        self._file.seek(self._offset(self.extent(index).start))
        self._file.write(np.ascontiguousarray(rows, self.dtype).data)
        self._file.flush()

    def read(self, index: int) -> Array | None:
        """Read a chunk from its place."""
        extent = self.extent(index)
        self._file.seek(self._offset(extent.start))
        shape = (extent.stop - extent.start, *self.shape[1:])
        data = self._file.read(self._offset(extent.stop) - self._offset(extent.start))
        return np.frombuffer(data, self.dtype).reshape(shape)

    def close(self) -> None:
        """Close the file, after the disk has it."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    @property
    def _header(self):
        header = io.BytesIO()
        description = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": self.shape,
        }
        np.lib.format.write_array_header_1_0(header, description)
        return header.getvalue()

    def _offset(self, row):
        """Return the place of a row in the file."""
        return len(self._header) + row * int(np.prod(self.shape[1:])) * self.dtype.itemsize


class ZarrStore(ChunkStore):
    """A Zarr array of version 3 with a file for each chunk; see `ChunkStore`.

    Raises
    ------
    MissingExtraError
        If zarr is not installed.
    """

    def __init__(self, *arguments: Any) -> None:
        with extra("stream"):
            import zarr
        self._zarr, self._array = zarr, None
        super().__init__(*arguments)

    def create(self) -> None:
        """Write the metadata."""
        self._array = self._zarr.create_array(
            store=str(self.path),
            shape=self.shape,
            chunks=(min(self.rows, self.shape[0]), *self.shape[1:]),
            dtype=self.dtype,
            attributes=self.attributes,
            dimension_names=("image", "channel", "row", "column"),
            zarr_format=3,
            overwrite=True,
        )

    def open(self) -> bool:
        """Compare the metadata with those that the array must have."""
        try:
            self._array = self._zarr.open_array(store=str(self.path), mode="r+", zarr_format=3)
        except Exception:  # a parser of damaged metadata raises anything
            return False
        return self._array.shape == self.shape and self._array.dtype == self.dtype

    def write(self, index: int, rows: Array) -> None:
        """Write the file of a chunk."""
        self._array[self.extent(index)] = rows

    def read(self, index: int) -> Array | None:
        """Read the file of a chunk, if it is whole."""
        try:
            return self._array[self.extent(index)]
        except Exception:  # as in `open`
            return None

    def close(self) -> None:
        """Wait until the disk has all files."""
        self._array = None
        for file in self.path.rglob("*"):
            if file.is_file():
                with file.open("rb") as handle:
                    os.fsync(handle.fileno())


STORES: dict[str, type[ChunkStore]] = {".npy": NpyStore, ".zarr": ZarrStore}
"""The class for each ending of a file's name."""
