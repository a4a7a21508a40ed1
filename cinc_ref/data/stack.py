"""Images in several arrays as one array, read from the disk when they are used."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from cinc_ref._typing import Array, IntegerArray
from cinc_ref.data.rows import Rows, read_images

__all__ = ["Stack", "split_last", "stacked"]

SMALL = 2**29
"""Size in bytes up to which images are held in memory: half a gigabyte fits everywhere."""


def stacked(parts: Sequence[Rows]) -> IntegerArray:
    """Join the images of several files: an array, or a `Stack` where that would be large.

    Parameters
    ----------
    parts : sequence of Rows
        Files with images of one shape. What is compressed becomes an array in any case.

    Returns
    -------
    ndarray or Stack, shape (N, C, H, W)
    """
    if sum(part.size for part in parts) <= SMALL or not all(part.can_be_mapped for part in parts):
        return read_images(parts)
    return cast(IntegerArray, Stack([part.mapped() for part in parts], parts[0].image_shape))


class Stack:
    """The rows of several arrays as one; slices and lists of rows are read as arrays.

    It has the `shape`, `dtype` and `len` of the array that `numpy.asarray` would make of it.

    Examples
    --------
    >>> import numpy as np
    >>> stack = Stack([np.zeros((2, 4)), np.ones((3, 4))], (1, 2, 2))
    >>> stack.shape
    (5, 1, 2, 2)
    >>> stack[[4, 0]][:, 0, 0, 0]
    array([1., 0.])
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    ndim: int

    def __init__(
        self, parts: Sequence[IntegerArray], shape: tuple[int, ...], shift: int = 0
    ) -> None:
        self._parts, self._shift = list(parts), shift
        self._ends = np.cumsum([len(part) for part in self._parts])
        self.shape = (int(self._ends[-1]), *shape)
        self.dtype = self._parts[0].dtype
        self.ndim = len(self.shape)

    def __repr__(self) -> str:
        return f"Stack(shape {self.shape}, {self.dtype}, in {len(self._parts)} arrays)"

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> IntegerArray:
        rows = np.arange(len(self))[rows]
        flat = np.atleast_1d(rows)
        images = np.empty((len(flat), *self.shape[1:]), self.dtype)
        owner = np.searchsorted(self._ends, flat, side="right")
        for k in np.unique(owner):
            in_part = owner == k
            start = self._ends[k] - len(self._parts[k])
            images[in_part] = self._parts[k][flat[in_part] - start].reshape(-1, *self.shape[1:])
        if self._shift:
            images >>= self._shift
        return images if np.ndim(rows) else images[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[:], dtype)

    def split(self, count: int) -> "tuple[Stack, Stack]":
        """Split off the last `count` rows."""
        return self._rows(0, len(self) - count), self._rows(len(self) - count, len(self))

    def shifted(self, bits: int) -> "Stack":
        """Return the images without their lowest bits."""
        return Stack(self._parts, self.shape[1:], self._shift + bits)

    def _rows(self, start, stop):
        starts = self._ends - [len(part) for part in self._parts]
        cut = [
            part[max(start - first, 0) : max(stop - first, 0)]
            for part, first in zip(self._parts, starts.tolist(), strict=True)
        ]
        return Stack([part for part in cut if len(part)], self.shape[1:], self._shift)


def split_last(images: Any, count: int) -> tuple[Any, Any]:
    """Split off the last `count` images; both parts are views, or stacks."""
    if isinstance(images, Stack):
        return images.split(count)
    return images[: len(images) - count], images[len(images) - count :]
