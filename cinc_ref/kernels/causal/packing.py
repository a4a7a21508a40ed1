"""Packing: a kernel in the order in which the sweep reads its weights.

The order depends on the shapes alone, but for the sequence of the channels. So it is a table of
places in the kernel, and packing is one loop through that table. Substitution goes through a lower
triangle. An upper triangle is a lower one to channels in descending order; any other corner block
is factored, P B = L U, by `pack_lu`.

Working memory begins with, one after the other:

- the weights [block of rows][tap, channel][row], negated for substitution, the corner block last;
- for substitution its triangle [block][row][column and 1 / diagonal], negated; what stands above
  the diagonal is not read;
- for a factored corner block the triangle of U, rows and columns descending, and in the same order
  what stands before its blocks, as weights. The sweep divides by its diagonal.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from cinc_ref._typing import FloatArray, IntegerArray
from cinc_ref.kernels._jit import compiled, internal

__all__ = [
    "CHECK_KERNEL",
    "DESCENDING",
    "DIVIDE",
    "FACTORED",
    "Packing",
    "pack",
    "pack_lu",
    "packing",
]

CHECK_KERNEL, DESCENDING, FACTORED, DIVIDE = 2, 4, 8, 16
"""Flags that `pack` returns, added up.

The kernel may not be finite, or not be invertible; the channels come in descending order; the
corner block must be factored; a reciprocal of its diagonal is not a normal number, so that the
sweep must divide.
"""

HEADER = 9
"""Integers in front of the table of places."""

OUTSIDE = -(2**30)
"""Place of what belongs to no channel; with that of a channel added, it is still below half."""


class Packing(NamedTuple):
    """Tables that pack the kernels of one shape.

    Attributes
    ----------
    tables : ndarray of int32
        What `pack` needs: integers, the places in the kernel for ascending and for descending
        channels, and the places in working memory that are 0 because they belong to no channel.
    weights_per_channel : int
        Weights of one output channel.
    length : int
        Numbers at the beginning of working memory.
    """

    tables: IntegerArray
    weights_per_channel: int
    length: int


@lru_cache(maxsize=128)
def packing(
    kernel_shape: tuple[int, ...],
    taps: tuple[tuple[int, int], ...],
    anchor: tuple[int, int],
    rows: int,
    padded_channels: int,
    solve: bool,
    transposed: bool,
) -> Packing:
    """Return the `Packing` of kernels for an operation.

    Parameters
    ----------
    kernel_shape : (int, int, int, int)
    taps : tuple of (int, int)
        Row and column of the taps that are read, the anchor last.
    anchor : (int, int)
    rows, padded_channels : int
        Of a register block, and of a pixel.
    solve, transposed : bool
        Whether the kernel is inverted; whether its input channels are taken as output channels.
    """
    channels, _, height, width = kernel_shape
    area = height * width
    strides = (area, channels * area) if transposed else (channels * area, area)
    flat_taps = np.array([a * width + b for a, b in taps])
    weights = len(taps) * padded_channels
    channel = np.arange(channels)
    places = [
        _places(order, flat_taps, strides, rows, padded_channels, solve)
        for order in ((channel, channel[::-1]) if solve else (channel,))
    ]
    padding = np.flatnonzero(places[0] <= OUTSIDE // 2)
    padding_start = HEADER + sum(map(len, places))
    header = [
        channels, padded_channels, rows, *strides, flat_taps[-1], weights, solve, padding_start,
    ]  # fmt: skip
    length = weights * padded_channels
    if solve:
        length += 2 * padded_channels * (rows + 1) + padded_channels**2
    tables = np.concatenate([header, np.maximum(np.concatenate(places), 0), padding])
    return Packing(tables.astype(np.int32), weights, length)


def _places(order, flat_taps, strides, rows, padded_channels, solve):
    """Places in the flat kernel of all packed numbers; -1 in the column of reciprocals."""
    outside = np.full(padded_channels - len(order), OUTSIDE)
    outer, inner = (np.append(order * stride, outside) for stride in strides)
    outer = outer.reshape(-1, 1, 1, rows)
    places = outer + inner[:, np.newaxis] + flat_taps[:, np.newaxis, np.newaxis]
    if not solve:
        return places.ravel()
    blocks = np.arange(len(places))
    corner = places[:, -1].reshape(len(blocks), -1, rows, rows)[blocks, blocks]
    triangle = np.full((len(blocks), rows, rows + 1), -1)  # with a column of reciprocals
    triangle[:, :, :rows] = corner.transpose(0, 2, 1)
    return np.concatenate([places.ravel(), triangle.ravel()])


@compiled
def pack(kernel: FloatArray, work: FloatArray, tables: IntegerArray, tiny: float) -> int:
    """Pack a kernel at the beginning of working memory.

    Parameters
    ----------
    kernel : ndarray, shape (C * C * kh * kw,)
    work : ndarray, shape (at least Packing.length,)
    tables : ndarray of int32
        Those of the `Packing`.
    tiny : float
        The smallest normal number of the dtype.

    Returns
    -------
    int
        Flags; if it is `FACTORED`, nothing is packed yet.
    """
    channels, slots, rows = tables[0], tables[1], tables[2]
    out_stride, in_stride, anchor = tables[3], tables[4], tables[5]
    weights, solve, padding = tables[6] * slots, tables[7], tables[8]
    above = below = nonfinite = False
    flags, sign, places, length = 0, kernel.dtype.type(1), HEADER, weights
    if solve:
        for o in range(channels):
            corner = o * out_stride + anchor
            for c in range(channels):
                stands = kernel[np.uintp(corner + c * in_stride)] != 0
                above |= stands and c > o
                below |= stands and c < o
                if c == o and not stands:
                    flags |= CHECK_KERNEL
        if above and below:
            return CHECK_KERNEL | FACTORED
        sign, length = -sign, weights + slots * (rows + 1)
        if above:
            flags |= DESCENDING
            places += length
    for k in range(length):
        work[np.uintp(k)] = sign * kernel[np.uintp(tables[np.uintp(places + k)])]
    taps = tables[6] // slots
    if taps * channels**2 < len(kernel):  # some taps are not read, and do not show in the result
        for k in range(len(kernel)):
            value = kernel[np.uintp(k)]
            nonfinite |= value - value != 0  # NaN unless it is finite
        if nonfinite:
            flags |= CHECK_KERNEL
    for k in range(padding, len(tables)):
        work[np.uintp(tables[np.uintp(k)])] = 0
    if not solve:
        return flags
    for s in range(slots):
        row = weights + s * (rows + 1)
        diagonal, reciprocal = np.uintp(row + s % rows), np.uintp(row + rows)
        if s >= channels:  # identity behind the last channel
            work[diagonal] = -1
        work[reciprocal] = -1 / work[diagonal]
        if not tiny <= abs(work[reciprocal]) < np.inf:  # read again, as rounded
            flags |= DIVIDE | CHECK_KERNEL  # what is divided by infinity is finite
    return flags


@compiled
def pack_lu(
    kernel: FloatArray, work: FloatArray, tables: IntegerArray, tiny: float, order: IntegerArray
) -> int:
    """Pack a kernel whose corner block B must be factored, P B = L U with partial pivoting.

    The equation P y = L U x + ... is that of a kernel whose output channels are permuted and whose
    corner block is L, which `pack` can do; behind it comes U, as a lower triangle to channels in
    descending order.

    Parameters
    ----------
    kernel, work, tables, tiny
        As for `pack`.
    order : ndarray of intp, shape (C,)
        Receives the permutation: (P y)[c] = y[order[c]].

    Returns
    -------
    int
        The flags of `pack`; `CHECK_KERNEL` always.
    """
    channels, slots, rows = tables[0], tables[1], tables[2]
    out_stride, in_stride, anchor = tables[3], tables[4], tables[5]
    area = len(kernel) // channels**2
    factors = np.empty((channels, channels), kernel.dtype)
    for o in range(channels):
        for c in range(channels):
            factors[o, c] = kernel[o * out_stride + c * in_stride + anchor]
    factor(factors, order)
    permuted = np.empty_like(kernel)
    for o in range(channels):
        for c in range(channels):
            place, source = o * out_stride + c * in_stride, order[o] * out_stride + c * in_stride
            for tap in range(area):
                permuted[place + tap] = kernel[source + tap]
            permuted[place + anchor] = factors[o, c] if c < o else 1 if c == o else 0
    flags = pack(permuted, work, tables, tiny) | CHECK_KERNEL
    start = tables[6] * slots + slots * (rows + 1)
    weights = start + slots * (rows + 1)
    for s in range(slots):
        first = s - s % rows
        for c in range(slots):
            value = _descending(factors, slots, s, c)
            if c == s:
                value += value - value  # NaN for an infinite pivot: 1 / inf would hide the overflow
            if c < first:
                work[weights + first * slots + c * rows + s - first] = -value
            elif c <= s:
                work[start + s * (rows + 1) + c - first] = -value
    return flags


@internal
def _descending(upper, slots, row, column):
    """Return an entry of U with rows and columns in descending order; identity before them."""
    padding = slots - len(upper)
    if row < padding:
        return upper.dtype.type(row == column)
    if column < padding:
        return upper.dtype.type(0)
    return upper[slots - 1 - row, slots - 1 - column]


@internal
def factor(matrix: FloatArray, order: IntegerArray) -> None:
    """Factor P A = L U in place with partial pivoting; `order` receives the rows of P A.

    L, whose diagonal is 1, stands below the diagonal, U on and above it.
    """
    size = len(matrix)
    for c in range(size):
        order[c] = c
    for c in range(size):
        pivot = c
        for o in range(c + 1, size):
            if abs(matrix[o, c]) > abs(matrix[pivot, c]):
                pivot = o
        if pivot != c:
            order[c], order[pivot] = order[pivot], order[c]
            for k in range(size):
                matrix[c, k], matrix[pivot, k] = matrix[pivot, k], matrix[c, k]
        for o in range(c + 1, size):
            matrix[o, c] /= matrix[c, c]
            for k in range(c + 1, size):
                matrix[o, k] -= matrix[o, c] * matrix[c, k]
