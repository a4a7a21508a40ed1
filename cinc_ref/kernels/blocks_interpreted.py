"""The operations of `blocks` in NumPy, for NUMBA_DISABLE_JIT=1: a block is an array (rows, lanes).

The only difference is that products and sums are rounded separately here.
"""

import numpy as np


def load(array, index, places, first, rows, lanes):
    """Row r holds the `lanes` elements of `array` from ``index + places[first + r]`` on."""
    starts = [index + places[first + r] for r in range(rows)]
    return np.stack([array[start : start + lanes] for start in starts])


def zeros(array, rows, lanes):
    """A block of zeros, of the dtype of `array`."""
    return np.zeros((rows, lanes), array.dtype)


def store(array, index, places, first, block):
    """The inverse of `load`; the last row is written first."""
    rows, lanes = block.shape
    for r in reversed(range(rows)):
        start = index + places[first + r]
        array[start : start + lanes] = block[r]


def multiply_add(block, array, index, weights, first):
    """Add ``weights[first + r] * array[index : index + lanes]`` to every row r."""
    rows, lanes = block.shape
    return block + weights[first : first + rows, None] * array[index : index + lanes]


def substitute(block, triangle, first):
    """Solve with a lower triangle, stored negated but for its diagonal."""
    rows = len(block)
    entries = triangle[first : first + rows * rows].reshape(rows, rows)
    for c in range(rows):
        block[c] /= entries[c, c]
        block[c + 1 :] += entries[c + 1 :, c, None] * block[c]
    return block
