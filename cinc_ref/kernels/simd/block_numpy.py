"""The operations of `block` in NumPy, for NUMBA_DISABLE_JIT=1: a block is an array (rows, lanes).

The only difference is that products and sums are rounded separately here.
"""

import numpy as np

from cinc_ref._typing import Array, FloatArray, IntegerArray
from cinc_ref.kernels.simd.cpu import LINE_BYTES, VECTOR_BYTES

__all__ = [
    "add",
    "add_lane_sums",
    "add_outer",
    "gather",
    "gather_square",
    "integers",
    "lane_sum",
    "line_start",
    "load",
    "load_square",
    "multiply_add",
    "prefetch_third",
    "probe_nonfinite",
    "rectify",
    "scatter",
    "scatter_nontemporal",
    "side",
    "solve",
    "spread",
    "store",
    "transpose",
    "where_positive",
    "zeros",
]


def integers(array: Array, first: int, count: int) -> tuple[int, ...]:
    """Return the `count` elements of an array from `first` on, as a tuple."""
    return tuple(array[first : first + count].tolist())


def line_start(array: Array, index: int) -> int:
    """Return the first index from `index` on at which a cache line begins."""
    return index + -array[index:].ctypes.data % LINE_BYTES // array.itemsize


def zeros(array: FloatArray, rows: int, lanes: int) -> FloatArray:
    """Return a block of zeros of the dtype of `array`."""
    return np.zeros((rows, lanes), array.dtype)


def load(array: FloatArray, index: int, stride: int, rows: int, lanes: int) -> FloatArray:
    """Load a block: row r holds `lanes` elements of `array` from ``index + r * stride`` on."""
    return np.stack([array[index + r * stride :][:lanes] for r in range(rows)])


def side(array: FloatArray, part: int) -> int:
    """Return the numbers of `array` in a SIMD register divided by `part`."""
    return max(VECTOR_BYTES // array.itemsize // part, 1)


def load_square(array: FloatArray, index: int, stride: int, part: int) -> FloatArray:
    """Load a square block as `load` does; `side` is that of its rows and columns."""
    return load(array, index, stride, side(array, part), side(array, part))


def store(array: FloatArray, index: int, stride: int, block: FloatArray) -> None:
    """Store a block where `load` reads it."""
    for r, row in enumerate(block):
        array[index + r * stride :][: len(row)] = row


def gather(
    array: FloatArray, index: int, offsets: IntegerArray, first: int, rows: int, lanes: int
) -> FloatArray:
    """Load a block: row r holds `lanes` elements from ``index + offsets[first + r]`` on."""
    return np.stack([array[index + offsets[first + r] :][:lanes] for r in range(rows)])


def gather_square(
    array: FloatArray, index: int, offsets: IntegerArray, first: int, part: int
) -> FloatArray:
    """Load a square block as `gather` does; `side` is that of its rows and columns."""
    return gather(array, index, offsets, first, side(array, part), side(array, part))


def prefetch_third(
    array: FloatArray,
    index: int,
    offsets: IntegerArray,
    first: int,
    third: int,
    rows: int,
    lanes: int,
) -> None:
    """Do nothing."""


def scatter(
    array: FloatArray, index: int, offsets: IntegerArray, first: int, block: FloatArray
) -> None:
    """Store a block where `gather` reads it; the last row is written first."""
    for r, row in reversed(list(enumerate(block))):
        array[index + offsets[first + r] :][: len(row)] = row


scatter_nontemporal = scatter


def transpose(block: FloatArray) -> FloatArray:
    """Exchange rows and lanes."""
    return block.T


def multiply_add(
    block: FloatArray,
    array: FloatArray,
    index: int,
    stride: int,
    weights: FloatArray,
    first: int,
    count: int,
) -> FloatArray:
    """Add ``weights[first + t * rows + r] * vector t`` to every row r, for `count` vectors."""
    rows, lanes = block.shape
    for t in range(count):
        column = weights[first + t * rows :][:rows, None]
        block = block + column * array[index + t * stride :][:lanes]
    return block


def spread(array: FloatArray, first: int, rows: int, lanes: int) -> FloatArray:
    """Return a block whose row r holds ``array[first + r]`` in all lanes."""
    return np.repeat(array[first : first + rows, None], lanes, axis=1)


def rectify(block: FloatArray) -> FloatArray:
    """Return max(block, 0), number by number; NaN stays NaN."""
    return np.maximum(block, 0)


def where_positive(block: FloatArray, other: FloatArray) -> FloatArray:
    """Return the numbers of a block where those of another one are positive, and 0 elsewhere."""
    return np.where(other > 0, block, block.dtype.type(0))


def add(block: FloatArray, other: FloatArray) -> FloatArray:
    """Return the sum of two blocks."""
    return block + other


def probe_nonfinite(probe: FloatArray, block: FloatArray) -> FloatArray:
    """Add 0 times every row to the one row of `probe`: it stays 0 while all is finite, else NaN."""
    with np.errstate(invalid="ignore"):
        return probe + np.sum(0 * block, axis=0)


def lane_sum(block: FloatArray) -> float:
    """Return the sum of the one row."""
    return block.sum()


def solve(block: FloatArray, triangle: FloatArray, first: int, divide: bool) -> FloatArray:
    """Solve with a lower triangle, stored negated, one number behind every row; always divides."""
    rows = len(block)
    entries = triangle[first : first + rows * (rows + 1)].reshape(rows, rows + 1)
    for c in range(rows):
        block[c] /= -entries[c, c]
        block[c + 1 :] += entries[c + 1 :, c, None] * block[c]
    return block


def add_outer(
    block: FloatArray,
    left: FloatArray,
    index: int,
    right: FloatArray,
    start: int,
    stride: int,
    columns: int,
    count: int,
) -> FloatArray:
    """Add left[index + r * stride] * right[start + c * stride] to row r * columns + c.

    Only the first `count` numbers of the vectors are read where these are fewer than the lanes.
    """
    rows, lanes = block.shape
    count = min(count, lanes)
    factors = load(left, index, stride, rows // columns, count)
    vectors = load(right, start, stride, columns, count)
    block[:, :count] += (factors[:, None] * vectors).reshape(rows, count)
    return block


def add_lane_sums(array: FloatArray, index: int, block: FloatArray) -> None:
    """Add the sum over the lanes of row r to array[index + r]."""
    array[index : index + len(block)] += block.sum(axis=1)
