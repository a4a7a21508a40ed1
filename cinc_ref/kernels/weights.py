"""A kernel as the fast loops read it: packed in the order in which they need its numbers."""

from functools import cache
from typing import NamedTuple

import numpy as np

from cinc_ref.kernels.compiling import compiled
from cinc_ref.kernels.textbook import corner_form, factor_corner


class Weights(NamedTuple):
    """A kernel as the loops read it: in blocks of `rows` output channels, flat.

    Attributes
    ----------
    source, target : ndarray, shape (C,)
        Slot s takes channel source[s] in, and gives channel target[s].
    taps : ndarray
        [block][tap, slot][row], negated for substitution; last the pixel's own slots.
    lower : ndarray
        [block][row][column]: triangles for `blocks.substitute`; empty for the convolution.
    upper, upper_taps : ndarray
        The second factor of a corner block that is not triangular, slots and rows descending;
        empty for any other.
    """

    source: np.ndarray
    target: np.ndarray
    taps: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    upper_taps: np.ndarray


def pack(kernel, taps, anchor, rows, solving):
    """The `Weights` of a kernel."""
    corner = np.ascontiguousarray(kernel[:, :, anchor[0], anchor[1]])
    ascending, slots = _ascending(len(corner)), -(-len(corner) // rows) * rows
    nothing = corner.ravel()[:0]

    def packed(own, source, target, sign):
        table = _tap_table(taps, kernel.shape[3])
        return _packed_taps(kernel.ravel(), table, own, source, target, rows, sign)

    if not solving:
        taps = packed(corner, ascending, ascending, 1)
        return Weights(ascending, ascending, taps, nothing, nothing, nothing)
    above, below, _ = corner_form(corner)
    if above and below:
        order, lower, upper = factor_corner(corner)
        backward = np.eye(slots, dtype=corner.dtype)
        backward[: len(corner), : len(corner)] = upper
        backward = np.ascontiguousarray(backward[::-1, ::-1])
        all_slots = _ascending(slots)
        upper_taps = _packed_taps(
            nothing, _tap_table((), 0), backward, all_slots, all_slots, rows, -1
        )
        upper = _packed_triangles(backward, rows)
        taps, lower = packed(lower, order, ascending, -1), _packed_triangles(lower, rows)
        return Weights(order, ascending, taps, lower, upper, upper_taps)
    order = ascending
    if above:  # an upper triangle is a lower one with the channels in descending order
        order, corner = ascending[::-1].copy(), np.ascontiguousarray(corner[::-1, ::-1])
    taps = packed(corner, order, order, -1)
    return Weights(order, order, taps, _packed_triangles(corner, rows), nothing, nothing)


@cache
def _ascending(count):
    return np.arange(count)


@cache
def _tap_table(taps, width):
    """Where the taps are in a flat kernel of one input and one output channel."""
    return np.array([tap[2] * width + tap[3] for tap in taps], np.intp)


@compiled
def _packed_taps(kernel, taps, own, source, target, rows, sign):
    """Weights [block][tap, slot][row], 0 where a slot has no channel, those of `own` last; flat."""
    channels = len(own)
    slots = -(-channels // rows) * rows
    block = (len(taps) + 1) * slots * rows
    area = len(kernel) // channels**2
    weights = np.zeros(slots // rows * block, own.dtype)
    sign = own.dtype.type(sign)
    for s in range(channels):
        first = s // rows * block + s % rows
        for e in range(channels):
            read = (source[s] * channels + target[e]) * area
            for t in range(len(taps)):
                weights[first + (t * slots + e) * rows] = sign * kernel[read + taps[t]]
            weights[first + (len(taps) * slots + e) * rows] = sign * own[s, e]
    return weights


@compiled
def _packed_triangles(triangle, rows):
    """Triangles [block][row][column], negated but for the diagonal, which is 1 beyond the last."""
    channels = len(triangle)
    slots = -(-channels // rows) * rows
    triangles = np.zeros(slots * rows, triangle.dtype)
    for s in range(slots):
        triangles[s * rows + s % rows] = triangle[s, s] if s < channels else 1
        if s < channels:
            for e in range(s // rows * rows, s):
                triangles[s * rows + e % rows] = -triangle[s, e]
    return triangles
