"""The operations of `textbook`, fast: many images at once, each SIMD lane an image.

Substitution is sequential over pixels but not over images, so `lanes` images go through it side by
side (for few images: the pixels of a diagonal; see `plan`). What is read again lies in a small
working memory, where a pixel's channels are vectors side by side. A register block (`blocks`) holds
`rows` channels of one pixel; it starts as y, loses what the pixels before contribute, and is solved
with the triangle of the corner block:

    load y; for each earlier pixel and channel: multiply and add; substitute; store x.

Images are (N, C, H, W) and may lie batch-last in memory, as contiguous (C, H, W, N); results lie as
they do. Tiles of whole vectors of batch-last images are read and written on the walk, what the next
pixel starts from prefetched; others are copied to working memory and back, strip by strip,
batch-first ones transposed in registers.

One order of summation, taps in raster order and channels ascending (descending where the corner
block is an upper triangle), with fused multiply-adds throughout: an image has the same bits in any
batch, however many lanes there are. Taps outside the image are skipped, or multiply zeros.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from cinc_ref.kernels.copying import (
    BATCH_FIRST,
    BATCH_LAST,
    ON_THE_WALK,
    ONE_BY_ONE,
    PIXELS,
    flat,
)
from cinc_ref.kernels.loops import Layout, line_start, loops
from cinc_ref.kernels.plan import reaching_taps, ring_plan, wave_plan
from cinc_ref.kernels.tiling import ROWS, VECTOR_BYTES, parts, sides
from cinc_ref.kernels.weight_gradient import conv_weight_grad
from cinc_ref.kernels.weights import numbers_length, pack

__all__ = ["conv", "conv_transpose", "conv_weight_grad", "substitute", "substitute_transpose"]

WALKED_BYTES = 3 * 2**13
"""Of a strip that is copied in, walked and copied out, all within the first cache."""
SIDE_BY_SIDE_BYTES = 2**21
"""Of the memory of tiles that are walked side by side, about a second cache: a strip of one after
the same strip of the other, so that images are read almost as they lie."""
ALIGNED_BYTES = 2**16
"""From which on a result had better start on a cache line; it takes time to see to it."""


def conv(x, kernel, dilation, anchor, flips=(False, False), doubts=None):
    """y = M x; `flips` say whether rows and columns are walked backwards, from another corner.

    `doubts` are two zeros that stay 0 if all is well: the first with the result, which is finite;
    the second with the kernel, which is finite too and, where it is to be inverted, has a
    triangular corner block without a zero on the diagonal. They may change although all is well.
    """
    return _run(x, kernel, dilation, anchor, flips, doubts, solving=False)


def conv_transpose(g, kernel, dilation, anchor, flips=(False, False), doubts=None):
    """M^T g: the convolution from the opposite corner with channels exchanged."""
    return conv(g, *_transposed(kernel, dilation, anchor, flips), doubts)


def substitute(y, kernel, dilation, anchor, flips=(False, False), doubts=None):
    """x = M^{-1} y; `doubts` as in `conv`."""
    return _run(y, kernel, dilation, anchor, flips, doubts, solving=True)


def substitute_transpose(g, kernel, dilation, anchor, flips=(False, False), doubts=None):
    """M^{-T} g."""
    return substitute(g, *_transposed(kernel, dilation, anchor, flips), doubts)


def _transposed(kernel, dilation, anchor, flips):
    exchanged = np.ascontiguousarray(kernel.transpose(1, 0, 2, 3))
    return exchanged, dilation, anchor, (not flips[0], not flips[1])


def _run(images, kernel, dilation, anchor, flips, doubts, solving):
    """Pack the kernel, and run the compiled loops on each part of the batch."""
    source, strides = flat(images)
    found = _arrangement(
        kernel.shape, images.shape, strides, images.itemsize, dilation, anchor, flips
    )
    doubts = np.zeros(2, images.dtype) if doubts is None else doubts
    order = np.empty(2 * found.slots, np.intp)
    numbers = np.zeros(found.numbers, images.dtype)
    triangles, divide = pack(
        kernel.reshape(-1), len(kernel), found.taps, found.rows, solving, strides[1], order,
        numbers, doubts,
    )  # fmt: skip
    result = _aligned(source) if found.align else np.empty(len(source), source.dtype)
    general = triangles > 1 or divide
    for runs, tables in found.parts:
        runs[general](source, result, tables, order, numbers, triangles, divide, doubts)
    if strides[2] == 1:
        return result.reshape(images.shape)
    count, channels, height, width = images.shape
    return result.reshape(channels, height, width, count).transpose(3, 0, 1, 2)


class Arrangement(NamedTuple):
    """What a call depends on but for the numbers.

    Attributes
    ----------
    taps : ndarray
        As `pack` wants them.
    rows, slots : int
        Of a block, and of all blocks.
    numbers : int
        As many as `pack` may need.
    align : bool
        Whether the result should start on a cache line.
    parts : list of tuples
        Of the batch: the compiled loops, plain and general, and what they are told.
    """

    taps: np.ndarray
    rows: int
    slots: int
    numbers: int
    align: bool
    parts: list


@lru_cache(maxsize=64)
def _arrangement(kernel_shape, shape, strides, itemsize, dilation, anchor, flips):
    """The `Arrangement` of a call; looked up, for with few images it would outlast the loops."""
    count, channels, height, width = shape
    size = (height, width)
    taps = reaching_taps(kernel_shape, size, dilation, anchor)
    places = [a * kernel_shape[3] + b for _, _, a, b in (*taps, (0, 0, *anchor))]
    rows = -(-channels // -(-channels // ROWS))
    slots = -(-channels // rows) * rows
    vector = VECTOR_BYTES // itemsize
    quadrant = all(tap[1] >= 0 for tap in taps)
    uses = (len(taps) + 1) * slots // rows  # of each number that is copied in
    found = []
    for starts, lanes, together, wave in parts(count, size, rows, uses, vector, quadrant):
        if wave:
            plan = wave_plan(size, taps, flips, slots, lanes, together)
        else:
            pixels = max(vector, WALKED_BYTES // (slots * lanes * itemsize))
            plan = ring_plan(size, taps, flips, slots, lanes, pixels)
        filled = not wave and together == lanes  # all working memory
        mode, group = _copying(strides, height * width, together, vector, filled), 1
        if mode == ON_THE_WALK:
            group = min(max(SIDE_BY_SIDE_BYTES // (itemsize * plan.length), 1), len(starts))
        options = strides[0], strides[2], channels, together, mode, group, filled
        runs = tuple(loops(rows, lanes, vector, general) for general in (0, 1))
        found.append((runs, _tables(options, starts, plan)))
    align = count >= vector and itemsize * math.prod(shape) >= ALIGNED_BYTES
    numbers = numbers_length(places, channels, rows)
    return Arrangement(np.array(places), rows, slots, numbers, align, found)


def _tables(options, starts, plan):
    """The `Layout` and its tables, one after the other: Numba takes one array in less time."""
    tables = [starts, *plan[3:]]
    counts = len(starts), len(plan.strips), plan.offsets.shape[1]
    begins = len(Layout._fields) + np.cumsum([0, *(table.size for table in tables[:-1])])
    layout = Layout(*options, *plan[:3], *counts, *begins)
    return np.concatenate([layout, *map(np.ravel, tables)]).astype(np.intp)


def _copying(strides, pixels, together, vector, filled):
    """How the images of a tile come in and out."""
    batch_last = strides[0] == 1
    if batch_last and filled:
        return ON_THE_WALK
    side = max((side for side in sides(vector) if side <= together), default=0)
    if side == 0 or pixels < (PIXELS if batch_last else side):
        return ONE_BY_ONE
    return BATCH_LAST if batch_last else BATCH_FIRST


def _aligned(like):
    """A new array of the same length that starts on a cache line."""
    memory = np.empty(len(like) + VECTOR_BYTES // like.itemsize, like.dtype)
    start = line_start(memory)
    return memory[start : start + len(like)]
