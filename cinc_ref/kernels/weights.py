"""A kernel as the fast loops read it: packed in the order in which they need its numbers."""

import numpy as np

from cinc_ref.kernels.compiling import blocks, compiled, inlined
from cinc_ref.kernels.textbook import corner_form, factor_corner
from cinc_ref.kernels.tiling import SQUARE

CALLEES = "abc3830a"
"""Digest of `blocks`, `layout`, `textbook` and `tiling`."""


def packed_length(slots, tap_count, rows):
    """How long `packed` is."""
    return (tap_count + 1) * slots**2 + 2 * slots * (rows + 1) + 2 * slots + 2


packed_length_inlined = inlined(packed_length)


@compiled
def pack(kernel, tables, layout, rows, packed):
    """A kernel in blocks of `rows` output channels.

    Parameters
    ----------
    kernel : ndarray, shape (C, C, kh, kw)
    tables, layout
        What the loops are told, and the `Layout` at its beginning.
    rows : int
        Of a block.
    packed : ndarray
        Is filled, one after the other, with the taps [block][tap, slot][row], negated for
        substitution, the pixel's own slots last; with a triangle for `blocks.substitute`,
        [block][row][column and 1 / diagonal], but for what stands above the diagonal, which is not
        read; and at its end with what `unpack` reads: which channels the slots take and give, how
        many triangles there are, whether the reciprocals of `blocks.substitute` do not serve.
        An upper triangle is a lower one to slots that take the channels in descending order.

    Returns
    -------
    doubtful : bool
        False if the kernel is finite and, where it is to be inverted, has a triangular corner
        block without a zero on the diagonal.
    triangles : int
        0 for the convolution, otherwise 1; or 2 if the corner block is not triangular, and
        `pack_factored` has to do it.

    Notes
    -----
    Slices, and functions of NumPy that make arrays, would be compiled for seconds.
    """
    flat, strides, corner = _begin(kernel, tables, layout, packed)
    channels, slots, own = layout.channels, layout.slots, corner
    above, below, zero = False, False, -1
    if layout.solving:
        above, below, zero = corner_form(corner)
    order = np.empty(2 * slots, np.intp)
    for s in range(slots):
        channel = min(s, channels - 1)
        order[s] = order[slots + s] = channels - 1 - channel if above else channel
    if above and below:
        _end(packed, order, 2, False)
        return True, 2
    doubtful = zero >= 0
    for k in range(len(flat)):
        doubtful |= flat[k] - flat[k] != 0  # NaN where it is not finite
    if above:
        own = np.empty(corner.shape, corner.dtype)
        for s in range(channels):
            for e in range(channels):
                own[s, e] = corner[order[s], order[e]]
    _put_taps(packed, flat, strides, tables, layout, rows, own, order)
    divide = False
    if layout.solving:
        divide = _put_triangle(packed, layout.tap_count * slots**2, own, slots, rows)
    _end(packed, order, layout.solving, divide)
    return doubtful, layout.solving


@compiled
def pack_factored(kernel, tables, layout, rows, packed):
    """The same for substitution with a corner block that is not triangular, P B = L U.

    Packed are the taps and L as by `pack`; behind it U: its triangle, slots and rows descending,
    and what stands before its blocks, again as taps.
    """
    flat, strides, corner = _begin(kernel, tables, layout, packed)
    channels, slots = layout.channels, layout.slots
    pivots, lower, upper = factor_corner(corner)
    order = np.empty(2 * slots, np.intp)
    for s in range(slots):
        order[s] = pivots[min(s, channels - 1)]
        order[slots + s] = min(s, channels - 1)
    _put_taps(packed, flat, strides, tables, layout, rows, lower, order)
    backward = _reversed(upper, slots)
    divide = False
    at = layout.tap_count * slots**2
    for triangle in range(2):  # a loop, for to inline it twice is twice to compile
        divide |= _put_triangle(packed, at, backward if triangle else lower, slots, rows)
        at += slots * (rows + 1)
    for start in range(0, slots, rows):
        for e in range(slots):
            for s in range(start, start + rows):
                packed[at] = -backward[s, e]
                at += 1
    _end(packed, order, 2, divide)


@inlined
def unpack(packed, layout, begins):
    """How many triangles there are, whether to divide, and of slots where their channels begin.

    That is, in the images: of the channel that slot s takes begins[s], of that which it gives
    begins[slots + s]. Slots beyond the last channel, in the same block as it, take it again and
    give nothing.
    """
    at = len(packed) - len(begins) - 2
    for s in range(len(begins)):
        begins[s] = int(packed[at + s]) * layout.channel_stride
    at += len(begins)
    return int(packed[at]), packed[at + 1] != 0


@inlined
def _begin(kernel, tables, layout, packed):
    """The kernel, flat; from output and from input channel to the next in it; its corner block.

    Of slots beyond the last channel all weights are 0.
    """
    channels = layout.channels
    flat, area = kernel.reshape(kernel.size), kernel.size // channels**2
    if layout.slots > channels:
        for k in range(len(packed)):
            packed[k] = 0
    strides = (area, channels * area) if layout.exchanged else (channels * area, area)
    corner = np.empty((channels, channels), flat.dtype)
    anchor = tables[layout.taps + layout.tap_count - 1]
    for o in range(channels):
        for c in range(channels):
            corner[o, c] = flat[o * strides[0] + c * strides[1] + anchor]
    return flat, strides, corner


@inlined
def _end(packed, order, triangles, divide):
    """Put what `unpack` reads."""
    at = len(packed) - len(order) - 2
    for s in range(len(order)):
        packed[at + s] = order[s]
    at += len(order)
    packed[at], packed[at + 1] = triangles, divide


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
def _put_taps(packed, flat, strides, tables, layout, rows, own, order):
    """Put [block][tap, slot][row], perhaps negated; `own`, already in order, as the last tap."""
    channels, slots, taps = layout.channels, layout.slots, layout.taps
    before = layout.tap_count - 1
    sign = flat.dtype.type(-1 if layout.solving else 1)
    reads, puts = np.empty(channels, np.intp), np.empty(before, np.intp)
    for s in range(channels):
        reads[s] = order[s] * strides[0]
    for tap in range(before):
        puts[tap] = tap * slots * rows
    # which the last one shows, since taps ascend
    in_one_piece = before >= SQUARE and tables[taps + before - 1] - tables[taps] == before - 1
    for start in range(0, channels, rows):
        most = min(rows, channels - start)
        for e in range(channels):
            at = start * layout.tap_count * slots + e * rows
            read = order[slots + e] * strides[1]
            if in_one_piece and most >= SQUARE:
                read += tables[taps]
                for rows_before in range(0, most, SQUARE):  # the last ones begin earlier
                    r = min(rows_before, most - SQUARE)
                    for taps_before in range(0, before, SQUARE):
                        tap = min(taps_before, before - SQUARE)
                        square = blocks.gather(flat, read + tap, reads, start + r, SQUARE, SQUARE)
                        square = blocks.transposed(square)
                        if layout.solving:
                            square = blocks.negated(square)
                        blocks.scatter(packed, at + r, puts, tap, square)
            else:
                for tap in range(before):
                    here = read + tables[taps + tap]
                    for r in range(most):  # unsigned, so that no negative index is looked for
                        weight = flat[np.uintp(reads[np.uintp(start + r)] + here)]
                        packed[np.uintp(at + puts[tap] + r)] = sign * weight
            at += before * slots * rows
            for r in range(most):
                packed[np.uintp(at + r)] = sign * own[start + r, e]


@inlined
def _put_triangle(packed, at, matrix, slots, rows):
    """Put [block][row][column and 1 / diagonal], negated; beyond the last channel it is identity.

    Return whether some 1 / diagonal is not a normal number, and cannot replace the division.
    """
    divide = False
    for start in range(0, slots, rows):
        for s in range(start, start + rows):
            packed[at + s - start] = -1
            if s < len(matrix):
                for e in range(start, s + 1):
                    packed[at + e - start] = -matrix[s, e]
            packed[at + rows] = -1 / packed[at + s - start]  # read again, as rounded
            divide |= not np.finfo(packed.dtype).tiny <= abs(packed[at + rows]) < np.inf
            at += rows + 1
    return divide
