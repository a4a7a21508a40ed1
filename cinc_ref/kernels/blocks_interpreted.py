"""The operations of `blocks` in NumPy, for NUMBA_DISABLE_JIT=1: a block is an array (rows, lanes).

The only difference is that products and sums are rounded separately here.
"""

import numpy as np


def integers(array, first, count):
    """The `count` elements of an array from `first` on, as a tuple."""
    return tuple(array[first : first + count].tolist())


def zeros(array, rows, lanes):
    """A block of zeros, of the dtype of `array`."""
    return np.zeros((rows, lanes), array.dtype)


def load(array, index, stride, rows, lanes):
    """Row r holds the `lanes` elements of `array` from ``index + r * stride`` on."""
    return np.stack([array[index + r * stride :][:lanes] for r in range(rows)])


def store(array, index, stride, block):
    """The inverse of `load`."""
    for r, row in enumerate(block):
        array[index + r * stride :][: len(row)] = row


def gather(array, index, places, first, rows, lanes):
    """Row r holds the `lanes` elements of `array` from ``index + places[first + r]`` on."""
    return np.stack([array[index + places[first + r] :][:lanes] for r in range(rows)])


def prefetch(array, index, places, first, rows, lanes):
    """Nothing."""


def scatter(array, index, places, first, block):
    """The inverse of `gather`; the last row is written first."""
    for r, row in reversed(list(enumerate(block))):
        array[index + places[first + r] :][: len(row)] = row


scatter_past_caches = scatter


def transposed(block):
    """Rows and lanes exchanged."""
    return block.T


def negated(block):
    """Every number with the other sign."""
    return -block


def multiply_add(block, array, index, stride, weights, first):
    """Add ``weights[first + t * rows + r] * vector t`` to every row r, for `rows` vectors."""
    rows, lanes = block.shape
    for t in range(rows):
        column = weights[first + t * rows :][:rows, None]
        block = block + column * array[index + t * stride :][:lanes]
    return block


def watch(seen, block):
    """Add 0 times every row to the one row of `seen`: it stays 0 while all is finite, else NaN."""
    with np.errstate(invalid="ignore"):
        return seen + np.sum(0 * block, axis=0)


def lane_sum(block):
    """The sum of the one row."""
    return block.sum()


def substitute(block, triangle, first, divide):
    """Solve with a lower triangle, stored negated, one number behind every row; always divides."""
    rows = len(block)
    entries = triangle[first : first + rows * (rows + 1)].reshape(rows, rows + 1)
    for c in range(rows):
        block[c] /= -entries[c, c]
        block[c + 1 :] += entries[c + 1 :, c, None] * block[c]
    return block


def add_outer(block, left, index, right, start, stride, columns, count):
    """Add left[index + r * stride] * right[start + c * stride] to row r * columns + c.

    Of the vectors only the first `count` numbers, where these are fewer than the lanes.
    """
    rows, lanes = block.shape
    count = min(count, lanes)
    factors = load(left, index, stride, rows // columns, count)
    vectors = load(right, start, stride, columns, count)
    block[:, :count] += (factors[:, None] * vectors).reshape(rows, count)
    return block


def add_lane_sums(array, index, block):
    """Add the sum over the lanes of row r to array[index + r]."""
    array[index : index + len(block)] += block.sum(axis=1)
