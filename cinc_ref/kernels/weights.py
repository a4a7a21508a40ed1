"""A kernel as the fast loops read it: packed in the order in which they need its numbers."""

from typing import NamedTuple

import numpy as np

from cinc_ref.kernels.compiling import blocks, compiled, inlined
from cinc_ref.kernels.textbook import corner_form, factor_corner
from cinc_ref.kernels.tiling import SQUARE

CALLEES = "b65452ab"
"""Digest of `blocks`, `textbook` and `tiling`."""


class Packing(NamedTuple):
    """What `pack` is told, in integers; the taps come behind them in the same array.

    Attributes
    ----------
    channels : int
        C.
    rows : int
        Of a block: output channels.
    solving : int
        1 if the kernel is to be inverted.
    exchanged : int
        1 if its input channels are taken as output channels, and the other way round.
    apart : int
        How far apart the channels of the images lie.
    taps : int
        How many there are.
    """

    channels: int
    rows: int
    solving: int
    exchanged: int
    apart: int
    taps: int


PACKING = len(Packing._fields)


def numbers_length(taps, channels, rows):
    """How long `numbers` may become."""
    slots = -(-channels // rows) * rows
    return (len(taps) + 1) * slots**2 + 2 * slots * (rows + 1)


@compiled
def pack(kernel, told, begins, numbers):
    """A kernel in blocks of `rows` output channels.

    Parameters
    ----------
    kernel : ndarray, shape (C, C, kh, kw)
    told : ndarray of int
        A `Packing`, and of a flat kernel of one input and one output channel the taps that are
        read, ascending, the anchor last.
    begins : ndarray, length 2 * slots
        Is filled. Where in the images the channel begins that slot s takes, and, `slots` further
        on, the one that it gives; slots beyond the last channel, in the same block as it, take it
        again and give nothing.
    numbers : ndarray
        Is filled, one after the other, with the taps [block][tap, slot][row], negated for
        substitution, the pixel's own slots last; a triangle for `blocks.substitute`,
        [block][row][column and 1 / diagonal], but for what stands above the diagonal, which is not
        read; of a corner block that is not triangular the second one, slots and rows descending,
        and what stands before its blocks, again as taps.

    Returns
    -------
    triangles : int
        0 for the convolution, otherwise 1 or 2.
    divide : bool
        Whether the reciprocals of `blocks.substitute` do not serve.
    doubtful : bool
        False if the kernel is finite and, where it is to be inverted, has a triangular corner
        block without a zero on the diagonal.

    Notes
    -----
    Arrays are passed in, since one that Numba makes and hands out takes more time. Slices, and
    functions of NumPy that make arrays, would be compiled for seconds.
    """
    packing = Packing(*blocks.integers(told, 0, PACKING))
    channels, rows, slots = packing.channels, packing.rows, len(begins) // 2
    flat, area = kernel.reshape(kernel.size), kernel.size // channels**2
    if slots > channels:  # of slots that take and give nothing all weights are 0
        for k in range(len(numbers)):
            numbers[k] = 0
    order = begins  # until the end, when the channels are known, it holds their numbers
    doubtful = False
    for k in range(len(flat)):
        doubtful |= flat[k] - flat[k] != 0  # NaN where it is not finite
    strides = (area, channels * area) if packing.exchanged else (channels * area, area)
    corner = np.empty((channels, channels), flat.dtype)
    anchor = told[PACKING + packing.taps - 1]
    for o in range(channels):
        for c in range(channels):
            corner[o, c] = flat[o * strides[0] + c * strides[1] + anchor]
    triangles, zero, own, upper = _in_order(corner, order, packing.solving)
    doubtful |= triangles > 1 or zero >= 0
    _put_taps(numbers, flat, strides, told, packing, own, order)
    backward = _reversed(upper, slots) if triangles > 1 else own
    divide = False
    at = packing.taps * slots**2
    for triangle in range(triangles):  # a loop, for to inline it twice is twice to compile
        divide |= _put_triangle(numbers, at, backward if triangle else own, slots, rows)
        at += slots * (rows + 1)
    if triangles > 1:
        for start in range(0, slots, rows):
            for e in range(slots):
                for s in range(start, start + rows):
                    numbers[at] = -backward[s, e]
                    at += 1
    for s in range(len(begins)):
        begins[s] = order[s] * packing.apart
    return triangles, divide, doubtful


@inlined
def _in_order(corner, order, solving):
    """Fill `order` with the channels that the slots take and give, and put the corner block in it.

    Return how many triangles it has, the first zero on its diagonal or -1, and the lower and upper
    triangle; of the convolution 0, -1 and the block.
    """
    channels, slots = len(corner), len(order) // 2
    triangles, zero, lower, upper = 0, -1, corner, corner
    for s in range(channels):
        order[s] = order[slots + s] = s
    if solving:
        above, below, zero = corner_form(corner)
        triangles = 2 if above and below else 1
        if triangles > 1:
            pivots, lower, upper = factor_corner(corner)
            for s in range(channels):
                order[s] = pivots[s]
        elif above:  # an upper triangle is a lower one with the channels in descending order
            lower = np.empty(corner.shape, corner.dtype)
            for s in range(channels):
                order[s] = order[slots + s] = channels - 1 - s
            for s in range(channels):
                for e in range(channels):
                    lower[s, e] = corner[order[s], order[e]]
    for s in range(channels, slots):
        order[s], order[slots + s] = order[channels - 1], order[slots + channels - 1]
    return triangles, zero, lower, upper


@inlined
def _reversed(upper, slots):
    """An upper triangle as a lower one, from the last slot to the first, and identity before it."""
    backward = np.zeros((slots, slots), upper.dtype)
    for s in range(slots):
        backward[s, s] = 1
    for s in range(len(upper)):
        for e in range(s, len(upper)):
            backward[slots - 1 - s, slots - 1 - e] = upper[s, e]
    return backward


@inlined
def _put_taps(numbers, flat, strides, told, packing, own, order):
    """Put [block][tap, slot][row], perhaps negated; `own`, already in order, as the last tap."""
    channels, rows, slots, negative = len(own), packing.rows, len(order) // 2, packing.solving
    before = packing.taps - 1
    sign = flat.dtype.type(-1 if negative else 1)
    reads, puts = np.empty(slots, np.intp), np.empty(before, np.intp)
    for s in range(slots):
        reads[s] = order[s] * strides[0]
    for tap in range(before):
        puts[tap] = tap * slots * rows
    # which the last one shows, since taps ascend
    in_one_piece = before >= SQUARE and told[PACKING + before - 1] - told[PACKING] == before - 1
    for start in range(0, channels, rows):
        most = min(rows, channels - start)
        for e in range(channels):
            at = start * packing.taps * slots + e * rows
            read = order[slots + e] * strides[1]
            if in_one_piece and most >= SQUARE:
                read += told[PACKING]
                for rows_before in range(0, most, SQUARE):  # the last ones begin earlier
                    r = min(rows_before, most - SQUARE)
                    for taps_before in range(0, before, SQUARE):
                        tap = min(taps_before, before - SQUARE)
                        square = blocks.gather(flat, read + tap, reads, start + r, SQUARE, SQUARE)
                        square = blocks.transposed(square)
                        if negative:
                            square = blocks.negated(square)
                        blocks.scatter(numbers, at + r, puts, tap, square)
            else:
                for tap in range(before):
                    here = read + told[PACKING + tap]
                    for r in range(most):  # unsigned, so that no negative index is looked for
                        weight = flat[np.uintp(reads[np.uintp(start + r)] + here)]
                        numbers[np.uintp(at + puts[tap] + r)] = sign * weight
            at += before * slots * rows
            for r in range(most):
                numbers[np.uintp(at + r)] = sign * own[start + r, e]


@inlined
def _put_triangle(numbers, at, matrix, slots, rows):
    """Put [block][row][column and 1 / diagonal], negated; beyond the last channel it is identity.

    Return whether some 1 / diagonal is not a normal number, and cannot replace the division.
    """
    divide = False
    for start in range(0, slots, rows):
        for s in range(start, start + rows):
            numbers[at + s - start] = -1
            if s < len(matrix):
                for e in range(start, s + 1):
                    numbers[at + e - start] = -matrix[s, e]
            numbers[at + rows] = -1 / numbers[at + s - start]  # read again, as rounded
            divide |= not np.finfo(numbers.dtype).tiny <= abs(numbers[at + rows]) < np.inf
            at += rows + 1
    return divide
