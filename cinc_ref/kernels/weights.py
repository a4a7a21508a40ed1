"""A kernel as the fast loops read it: packed in the order in which they need its numbers.

An edit of `textbook` must be followed by one here, or the disk cache goes on serving the old code.
"""

import numpy as np

from cinc_ref.kernels.compiling import compiled, inlined
from cinc_ref.kernels.textbook import corner_form, factor_corner


def numbers_length(taps, channels, rows):
    """How long `numbers` may become."""
    slots = -(-channels // rows) * rows
    return (len(taps) + 1) * slots**2 + 2 * slots * (rows + 1)


@compiled
def pack(kernel, taps, rows, solving, apart, order, numbers, doubts):
    """A kernel in blocks of `rows` output channels.

    Parameters
    ----------
    kernel : ndarray, shape (C, C, kh, kw)
    taps : ndarray
        Of a flat kernel of one input and one output channel those that are read, the anchor last.
    rows : int
    solving : bool
        Whether the kernel is to be inverted.
    apart : int
        How far apart the channels of the images lie.
    order : ndarray, length 2 * slots
        Is filled. Where in the images the channel begins that slot s takes, and, `slots` further
        on, the one that it gives; slots beyond the last channel, in the same block as it, take it
        again and give nothing.
    numbers : ndarray
        Of zeros; is filled, one after the other, with the taps [block][tap, slot][row], negated
        for substitution, the pixel's own slots last; a triangle for `blocks.substitute`,
        [block][row][column and 1 / diagonal]; of a corner block that is not triangular the second
        one, slots and rows descending, and what stands before its blocks, again as taps.
    doubts : ndarray
        As of `batched.conv`.

    Returns
    -------
    triangles : int
        0 for the convolution, otherwise 1 or 2.
    divide : bool
        Whether the reciprocals of `blocks.substitute` do not serve.

    Notes
    -----
    Arrays are passed in, since one that Numba makes and hands out takes more time.
    """
    channels = len(kernel)
    area = kernel.shape[2] * kernel.shape[3]
    slots = -(-channels // rows) * rows
    flat = kernel.reshape(-1)
    doubt = False
    for k in range(len(flat)):
        doubt |= flat[k] - flat[k] != 0  # NaN where it is not finite
    corner = kernel.reshape(channels, channels, area)[:, :, taps[-1]].copy()
    upper = corner
    # no slices are set in this function: Numba would compile their errors for seconds
    for s in range(channels):
        order[s] = order[slots + s] = s
    triangles, divide = 0, False
    if solving:
        above, below, zero = corner_form(corner)
        triangles = 1
        if above and below:
            triangles = 2
            rows_taken, corner, upper = factor_corner(corner)
            for s in range(channels):
                order[s] = rows_taken[s]
        elif above:  # an upper triangle is a lower one with the channels in descending order
            for s in range(channels):
                order[s] = order[slots + s] = channels - 1 - s
            corner = corner[::-1, ::-1].copy()
        doubt |= triangles > 1 or zero >= 0
    for s in range(channels, slots):
        order[s], order[slots + s] = order[channels - 1], order[slots + channels - 1]
    if doubt:
        doubts[1] = 1
    first = len(taps) * slots**2
    second = first + slots * (rows + 1)
    third = second + slots * (rows + 1)
    _put_taps(numbers, flat, area, taps, corner, order, slots, rows, solving)
    if triangles > 0:
        divide |= _put_triangles(numbers[first:], corner, slots, rows)
    if triangles > 1:
        backward = np.eye(slots, dtype=kernel.dtype)
        for s in range(channels):
            for e in range(channels):
                backward[slots - 1 - s, slots - 1 - e] = upper[s, e]
        divide |= _put_triangles(numbers[second:], backward, slots, rows)
        at = third
        for start in range(0, slots, rows):
            for e in range(slots):
                for s in range(start, start + rows):
                    numbers[at] = -backward[s, e]
                    at += 1
    for s in range(len(order)):
        order[s] *= apart
    return triangles, divide


@inlined
def _put_taps(numbers, flat, area, taps, corner, order, slots, rows, negative):
    """Put [block][tap, slot][row], perhaps negated; `corner`, already in order, as the last tap."""
    channels, stride = len(corner), slots * rows
    for s in range(channels):
        block, row = divmod(s, rows)
        for e in range(channels):
            read = (order[s] * channels + order[slots + e]) * area
            at = (block * len(taps) * slots + e) * rows + row
            for tap in range(len(taps) - 1):  # unsigned, so that no negative index is looked for
                weight = flat[np.uintp(read + taps[tap])]
                numbers[np.uintp(at + tap * stride)] = -weight if negative else weight
            own = corner[s, e]
            numbers[at + (len(taps) - 1) * stride] = -own if negative else own


@inlined
def _put_triangles(numbers, matrix, slots, rows):
    """Put [block][row][column and 1 / diagonal], negated; beyond the last channel it is identity.

    Return whether some 1 / diagonal is not a normal number, and cannot replace the division.
    """
    at = 0
    extreme = False
    for start in range(0, slots, rows):
        for s in range(start, start + rows):
            numbers[at + s - start] = -1
            if s < len(matrix):
                for e in range(start, s + 1):
                    numbers[at + e - start] = -matrix[s, e]
            numbers[at + rows] = -1 / numbers[at + s - start]
            extreme |= not np.finfo(numbers.dtype).tiny <= abs(numbers[at + rows]) < np.inf
            at += rows + 1
    return extreme
