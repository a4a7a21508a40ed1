"""A kernel as the fast loops read it: packed in the order in which they need its numbers."""

import numpy as np

from cinc_ref.kernels.compiling import compiled, inlined
from cinc_ref.kernels.textbook import corner_form, factor_corner

CALLEES = "c23f4cef"
"""Digest of `textbook`."""


def numbers_length(taps, channels, rows):
    """How long `numbers` may become."""
    slots = -(-channels // rows) * rows
    return (len(taps) + 1) * slots**2 + 2 * slots * (rows + 1)


@compiled
def pack(flat, channels, taps, rows, solving, exchanged, apart, begins, numbers, doubts):
    """A kernel in blocks of `rows` output channels.

    Parameters
    ----------
    flat : ndarray, length C * C * kh * kw
        The kernel.
    channels : int
        C.
    taps : ndarray
        Of a flat kernel of one input and one output channel those that are read, the anchor last.
    rows : int
        Of a block: output channels.
    solving : bool
        Whether the kernel is to be inverted.
    exchanged : bool
        Whether its input channels are taken as output channels, and the other way round.
    apart : int
        How far apart the channels of the images lie.
    begins : ndarray, length 2 * slots
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
    Arrays are passed in, since one that Numba makes and hands out takes more time. Slices, and
    functions of NumPy that make arrays, would be compiled for seconds.
    """
    slots, area = len(begins) // 2, len(flat) // channels**2
    order = begins  # until the end, when the channels are known, it holds their numbers
    doubt = False
    for k in range(len(flat)):
        doubt |= flat[k] - flat[k] != 0  # NaN where it is not finite
    strides = (area, channels * area) if exchanged else (channels * area, area)
    corner = np.empty((channels, channels), flat.dtype)
    for o in range(channels):
        for c in range(channels):
            corner[o, c] = flat[o * strides[0] + c * strides[1] + taps[-1]]
    triangles, zero, own, upper = _in_order(corner, order, solving)
    if doubt or triangles > 1 or zero >= 0:
        doubts[1] = 1
    _put_taps(numbers, flat, strides, taps, own, order, rows, solving)
    backward = _reversed(upper, slots) if triangles > 1 else own
    divide = False
    at = len(taps) * slots**2
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
        begins[s] = order[s] * apart
    return triangles, divide


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
def _put_taps(numbers, flat, strides, taps, own, order, rows, negative):
    """Put [block][tap, slot][row], perhaps negated; `own`, already in order, as the last tap."""
    channels, slots = len(own), len(order) // 2
    sign = flat.dtype.type(-1 if negative else 1)
    for start in range(0, channels, rows):
        most = min(rows, channels - start)
        for e in range(channels):
            at = start * len(taps) * slots + e * rows
            for tap in range(len(taps) - 1):
                read = order[slots + e] * strides[1] + taps[tap]
                for r in range(most):  # unsigned, so that no negative index is looked for
                    weight = flat[np.uintp(order[np.uintp(start + r)] * strides[0] + read)]
                    numbers[np.uintp(at + r)] = sign * weight
                at += slots * rows
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
