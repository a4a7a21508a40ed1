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
    rows, slots : int
        Of a block, and of all: output channels.
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
    slots: int
    solving: int
    exchanged: int
    apart: int
    taps: int


PACKING = len(Packing._fields)


def numbers_length(packing):
    """How long `numbers` may become."""
    slots = packing.slots
    return (packing.taps + 1) * slots**2 + 2 * slots * (packing.rows + 1)


@compiled
def pack(kernel, told, numbers):
    """A kernel in blocks of `rows` output channels.

    Parameters
    ----------
    kernel : ndarray, shape (C, C, kh, kw)
    told : ndarray of int
        A `Packing`, and of a flat kernel of one input and one output channel the taps that are
        read, ascending, the anchor last.
    numbers : ndarray
        Is filled, one after the other, with the taps [block][tap, slot][row], negated for
        substitution, the pixel's own slots last; and a triangle for `blocks.substitute`,
        [block][row][column and 1 / diagonal], but for what stands above the diagonal, which is not
        read.

    Returns
    -------
    triangles : int
        0 for the convolution, otherwise 1; or 2 if the corner block is not triangular, and
        `pack_factored` has to do it.
    descending : int
        1 if the slots take the channels in descending order, by which an upper triangle is a
        lower one.
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
    packing, flat, strides, corner = _begin(kernel, told, numbers)
    channels, slots, own = packing.channels, packing.slots, corner
    above, below, zero = False, False, -1
    if packing.solving:
        above, below, zero = corner_form(corner)
        if above and below:
            return 2, 0, False, True
    doubtful = zero >= 0
    for k in range(len(flat)):
        doubtful |= flat[k] - flat[k] != 0  # NaN where it is not finite
    order = np.empty(2 * slots, np.intp)
    for s in range(channels):
        order[s] = order[slots + s] = channels - 1 - s if above else s
    if above:
        own = np.empty(corner.shape, corner.dtype)
        for s in range(channels):
            for e in range(channels):
                own[s, e] = corner[order[s], order[e]]
    _put_taps(numbers, flat, strides, told, packing, own, order)
    divide = False
    if packing.solving:
        divide = _put_triangle(numbers, packing.taps * slots**2, own, slots, packing.rows)
    return packing.solving, int(above), divide, doubtful


@compiled
def pack_factored(kernel, told, begins, numbers):
    """The same for substitution with a corner block that is not triangular, P B = L U.

    Parameters
    ----------
    kernel, told
        As of `pack`.
    begins : ndarray, length 2 * slots
        Is filled. Where in the images the channel begins that slot s takes, and, `slots` further
        on, the one that it gives; slots beyond the last channel, in the same block as it, take it
        again and give nothing.
    numbers : ndarray
        Is filled as by `pack`, with L, and behind it U: its triangle, slots and rows descending,
        and what stands before its blocks, again as taps.

    Returns
    -------
    divide : bool
        As of `pack`.
    """
    packing, flat, strides, corner = _begin(kernel, told, numbers)
    channels, rows, slots = packing.channels, packing.rows, packing.slots
    pivots, lower, upper = factor_corner(corner)
    order = begins  # until the end, when the channels are known, it holds their numbers
    for s in range(slots):
        order[s] = pivots[min(s, channels - 1)]
        order[slots + s] = min(s, channels - 1)
    _put_taps(numbers, flat, strides, told, packing, lower, order)
    backward = _reversed(upper, slots)
    divide = False
    at = packing.taps * slots**2
    for triangle in range(2):  # a loop, for to inline it twice is twice to compile
        divide |= _put_triangle(numbers, at, backward if triangle else lower, slots, rows)
        at += slots * (rows + 1)
    for start in range(0, slots, rows):
        for e in range(slots):
            for s in range(start, start + rows):
                numbers[at] = -backward[s, e]
                at += 1
    for s in range(len(begins)):
        begins[s] = order[s] * packing.apart
    return divide


@inlined
def _begin(kernel, told, numbers):
    """The `Packing`; the kernel, flat, from output and from input channel to the next in it.

    And its corner block. Of slots beyond the last channel all weights are 0.
    """
    packing = Packing(*blocks.integers(told, 0, PACKING))
    channels = packing.channels
    flat, area = kernel.reshape(kernel.size), kernel.size // channels**2
    if packing.slots > channels:
        for k in range(len(numbers)):
            numbers[k] = 0
    strides = (area, channels * area) if packing.exchanged else (channels * area, area)
    corner = np.empty((channels, channels), flat.dtype)
    anchor = told[PACKING + packing.taps - 1]
    for o in range(channels):
        for c in range(channels):
            corner[o, c] = flat[o * strides[0] + c * strides[1] + anchor]
    return packing, flat, strides, corner


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
    channels, rows, slots = packing.channels, packing.rows, packing.slots
    before = packing.taps - 1
    sign = flat.dtype.type(-1 if packing.solving else 1)
    reads, puts = np.empty(channels, np.intp), np.empty(before, np.intp)
    for s in range(channels):
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
                        if packing.solving:
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
