"""Images in a file as rows of bytes, which are read a chunk at a time to where they belong."""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import prod

import numpy as np

from cinc_ref._display import short_repr
from cinc_ref._reading import CHUNK, Budget, Stream, open_regular, read_exactly, refusing
from cinc_ref._typing import Array, IntegerArray, Path
from cinc_ref.errors import DataError

__all__ = ["Rows", "read_images"]


@dataclass(frozen=True)
class Rows:
    """Images in one file: their shape there, and how to read their bytes.

    Parameters
    ----------
    path : path
        The file.
    expected : str
        Description of the file, for errors.
    shape : tuple of int
        Number of images, and three axes of each as they are stored.
    open : callable
        Returns a context manager of a stream that stands at the first byte.
    axes : tuple of int
        The stored axes that are image, channel, row and column.
    offset : int, optional
        The first byte in the file, where it is not compressed.
    skipped : int
        Number of bytes before each image.
    check : callable, optional
        Receives the skipped bytes of some images, (n, skipped), and raises an error.
    fortran : bool
        Whether the first axis varies fastest.
    """

    path: Path
    expected: str
    shape: tuple[int, int, int, int]
    open: Callable[[], AbstractContextManager[Stream]]
    axes: tuple[int, int, int, int] = (0, 1, 2, 3)
    offset: int | None = None
    skipped: int = 0
    check: Callable[[Array], None] | None = None
    fortran: bool = False

    __repr__ = short_repr

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The shape (C, H, W) of an image."""
        _, channels, height, width = (self.shape[axis] for axis in self.axes)
        return channels, height, width

    @property
    def size(self) -> int:
        """The size of all images in bytes."""
        return prod(self.shape)

    @property
    def can_be_mapped(self) -> bool:
        """True if the bytes stand in the file as they are, image after image."""
        return self.offset is not None and not self.fortran

    def mapped(self) -> IntegerArray:
        """Return the images as a memory map, (N, C, H, W)."""
        row = self.skipped + prod(self.shape[1:])
        with self._refusing(), open_regular(self.path) as file:
            records = np.memmap(file, np.uint8, "r", self.offset or 0, (len(self), row))
        if self.check:
            for start in range(0, len(self), CHUNK):
                self.check(records[start : start + CHUNK, : self.skipped])
        return records[:, self.skipped :].reshape(self.shape).transpose(self.axes)

    def read(self, images: IntegerArray, places: Array | slice) -> None:
        """Read all images into an array (M, C, H, W), to the places of its first axis."""
        with self._refusing(), self.open() as stream:
            self.read_from(stream, images, places)

    def _refusing(self):
        return refusing(self.path, DataError, self.expected)

    def read_from(self, stream: Stream, images: IntegerArray, places: Array | slice) -> None:
        """Read all images from a stream, in the way of `read`."""
        stored = images.transpose(np.argsort(self.axes))
        budget = Budget(os.stat(self.path).st_size)
        if self.fortran:
            slab = np.empty(self.shape[2::-1], np.uint8)
            for k in range(self.shape[3]):
                read_exactly(stream, slab, budget)
                stored[places, :, :, k] = slab.T
            return
        row = self.skipped + prod(self.shape[1:])
        count = max(1, CHUNK // row)
        chunk = np.empty((min(count, len(self)), row), np.uint8)
        targets = np.arange(len(images))[places]
        for start in range(0, len(self), count):
            rows = chunk[: len(self) - start]
            read_exactly(stream, rows, budget)
            if self.check:
                self.check(rows[:, : self.skipped])
            values = rows[:, self.skipped :].reshape(-1, *self.shape[1:])
            stored[targets[start : start + count]] = values


def read_images(parts: Sequence[Rows], order: Array | None = None) -> IntegerArray:
    """Read the images of several files into one array, in the order of the files or another.

    Parameters
    ----------
    parts : sequence of Rows
        Files with images of one shape.
    order : sequence of int, optional
        The numbers of the images, for one file: image k of the result is image order[k] of it.

    Returns
    -------
    ndarray of uint8, shape (N, C, H, W)
    """
    count = sum(map(len, parts))
    images = np.empty((count, *parts[0].image_shape), np.uint8)
    if order is not None:
        places = np.empty(count, np.intp)
        places[order] = np.arange(count)
        parts[0].read(images, places)
        return images
    start = 0
    for part in parts:
        part.read(images, slice(start, start + len(part)))
        start += len(part)
    return images
