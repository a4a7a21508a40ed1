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

An edit of `blocks` or `copying` must be followed by one here, or the disk cache goes on serving the
old code.
"""

import math
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from cinc_ref.kernels.compiling import blocks, compiled, inlined
from cinc_ref.kernels.copying import (
    BATCH_FIRST,
    BATCH_LAST,
    ON_THE_WALK,
    ONE_BY_ONE,
    PIXELS,
    copy_strip,
    flat,
)
from cinc_ref.kernels.plan import Plan, reaching_taps, ring_plan, wave_plan
from cinc_ref.kernels.tiling import ROWS, VECTOR_BYTES, parts, sides
from cinc_ref.kernels.weight_gradient import conv_weight_grad
from cinc_ref.kernels.weights import Weights, numbers_length, pack

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
    order = np.empty((2, found.slots), np.intp)
    numbers = np.zeros(found.numbers, images.dtype)
    triangles, extreme = pack(kernel, found.taps, found.rows, solving, order, numbers, doubts)
    weights = order, numbers, triangles  # no `Weights`: Numba takes a plain tuple in less time
    result = _aligned(source) if found.align else np.empty(len(source), source.dtype)
    for runs, tables in found.parts:
        runs[extreme](source, result, tables, weights, doubts)
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
        Of the batch: the compiled loops, without and with divisions, and what they are told.
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
        options = *strides, channels, together, mode, group, filled
        runs = tuple(_kernel(rows, lanes, vector, divide) for divide in (0, 1))
        found.append((runs, _packed([options, starts, plan[:3], *plan[3:]])))
    align = count >= vector and itemsize * math.prod(shape) >= ALIGNED_BYTES
    numbers = numbers_length(places, channels, rows)
    return Arrangement(np.array(places), rows, slots, numbers, align, found)


def _packed(tables):
    """Tables of integers, one after the other, in one array, which Numba takes in less time.

    Before them, of each: where it begins, and how many rows and columns it has.
    """
    tables = [np.atleast_2d(table).astype(np.intp) for table in tables]
    sizes = [table.size for table in tables]
    places = np.cumsum([3 * len(tables), *sizes[:-1]])
    heads = [(place, *table.shape) for place, table in zip(places, tables, strict=True)]
    return np.concatenate([np.ravel(heads), *map(np.ravel, tables)])


@inlined
def _table(packed, number):
    """The table of this number, two-dimensional."""
    place, rows, columns = packed[3 * number], packed[3 * number + 1], packed[3 * number + 2]
    return packed[place : place + rows * columns].reshape((rows, columns))


@inlined
def _plan(packed):
    """The `Plan` that follows two other tables."""
    sizes = _table(packed, 2)[0]
    homes, places, strips = _table(packed, 3)[0], _table(packed, 4)[0], _table(packed, 5)
    stretches, walk, offsets = _table(packed, 6), _table(packed, 7), _table(packed, 8)
    terms, inside = _table(packed, 9)[0], _table(packed, 10)
    tables = homes, places, strips, stretches, walk, offsets, terms, inside
    return Plan(sizes[0], sizes[1], sizes[2], *tables)


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
    start = _line_start(memory)
    return memory[start : start + len(like)]


@inlined
def _memory(length, like, filled):
    """Numbers that start on a cache line; they are 0, unless all will be filled anyway."""
    memory = np.empty(length + VECTOR_BYTES // like.itemsize, like.dtype)
    if not filled:
        memory[:] = 0
    start = _line_start(memory)
    return memory[start : start + length]


@compiled
def _line_start(memory):
    """The number of an array with which a cache line starts; Python takes longer to find it."""
    return -memory.ctypes.data % VECTOR_BYTES // memory.itemsize


@inlined
def _sum_taps(total, memory, place, plan, step, own, weights, w, coming, rows, lanes, few):
    """Add what a pixel reads: runs of vectors inside the image, the last prolonged by `own`.

    Meanwhile what the next pixel starts from is fetched, some at each run: all at once would keep
    the taps waiting.
    """
    images, ahead, channels, start, direct = coming
    phase, column, begin = plan.walk[step, 2], plan.walk[step, 3], plan.walk[step, 4]
    runs = plan.offsets.shape[1]
    for k in range(begin, runs):
        if direct:
            blocks.prefetch(images, ahead, channels, start + min(k * few, rows - few), few, lanes)
        at, weight = place + plan.offsets[phase, k], w + plan.terms[k] * rows
        first, last = plan.inside[column, 2 * k], plan.inside[column, 2 * k + 1]
        for t in range(first, last + (own if k == runs - 1 else 0), rows):
            vectors = at + t * plan.stride
            total = blocks.multiply_add(
                total, memory, vectors, plan.stride, weights, weight + t * rows
            )
    return total


@inlined
def _substitute_back(
    seen, memory, place, stride, numbers, triangle, slots, rows, lanes, divide
):  # fmt: skip
    """Solve with an upper triangle: as with a lower one, from the last slot to the first."""
    top = place + (slots - 1) * stride
    taps = triangle + slots * (rows + 1)
    for start in range(0, slots, rows):
        x = blocks.load(memory, top - start * stride, -stride, rows, lanes)
        for t in range(0, start, rows):
            w = taps + start * slots + t * rows
            x = blocks.multiply_add(x, memory, top - t * stride, -stride, numbers, w)
        x = blocks.substitute(x, numbers, triangle + start * (rows + 1), divide)
        blocks.store(memory, top - start * stride, -stride, x)
        seen = blocks.watch(seen, x)
    return seen


@inlined
def _walk(
    seen, memory, scratch, images, at, plan, stretch, weights, slots, rows, lanes, few, divide
):  # fmt: skip
    """Go through a stretch of the pixels of a tile, with blocks of so many channels and lanes."""
    source, result, taken, given, apart, direct = images
    solving, twofold = weights.triangles > 0, weights.triangles > 1
    stride, numbers = plan.stride, weights.numbers
    terms = plan.terms[-1] + slots
    triangle = terms * slots  # where it begins
    for step in range(stretch[0], stretch[1]):
        pixel, outer = at[0] + plan.walk[step, 0], at[1] + plan.walk[step, 1]
        place = at[2] + plan.walk[step, 5] * apart
        ahead = at[2] + plan.walk[min(step + 1, stretch[1] - 1), 5] * apart
        if direct and not solving:
            for start in range(0, slots, rows):
                x = blocks.gather(source, place, taken, start, rows, lanes)
                blocks.store(memory, pixel + start * stride, stride, x)
        for start in range(0, slots, rows):
            y = blocks.zeros(memory, rows, lanes)
            own = slots
            if solving:
                own = start
                if direct:
                    y = blocks.gather(source, place, taken, start, rows, lanes)
                else:
                    y = blocks.load(memory, pixel + start * stride, stride, rows, lanes)
            coming = source, ahead, taken, start, direct
            w = start * terms
            y = _sum_taps(
                y, memory, pixel, plan, step, own, numbers, w, coming, rows, lanes, few
            )  # fmt: skip
            if solving:
                y = blocks.substitute(y, numbers, triangle + start * (rows + 1), divide)
                blocks.store(memory, pixel + start * stride, stride, y)
            elif not direct:
                blocks.store(scratch, outer + start * stride, stride, y)
            if direct and not twofold:
                blocks.scatter(result, place, given, start, y)
            seen = blocks.watch(seen, y)
        if twofold:
            second = triangle + slots * (rows + 1)
            seen = _substitute_back(
                seen, memory, pixel, stride, numbers, second, slots, rows, lanes, divide
            )
        if direct and twofold:
            for start in range(0, slots, rows):
                x = blocks.load(memory, pixel + start * stride, stride, rows, lanes)
                blocks.scatter(result, place, given, start, x)
    return seen


@cache
def _kernel(rows, lanes, vector, divide):
    """The compiled loops for one size of block; images are copied in squares of vectors.

    `divide` is 1 where the reciprocals of `blocks.substitute` do not serve.
    """
    _, half, quarter = sides(vector)
    narrow = lanes // 2
    few = -(-rows // 3)  # a 3x3 kernel has three runs of taps
    on_waves = lanes == vector  # known before compiling, so that what it guards is left out

    def run(source, result, tables, weights, doubts):
        options, starts, plan = _table(tables, 0)[0], _table(tables, 1)[0], _plan(tables)
        strides, channels = (options[0], options[1], options[2]), options[3]
        together, mode, group, filled = options[4], options[5], options[6], options[7]
        weights = Weights(*weights)
        stride, direct = plan.stride, mode == ON_THE_WALK
        places = weights.order * strides[1]  # where channels begin in an image
        taken, given, slots = places[0], places[1], places.shape[1]
        images = source, result, taken, given, strides[2], direct
        copied = source, result, taken, given, strides[2], False  # half vectors are of waves alone
        memory = _memory(group * plan.length, source, filled)
        # x in the place of y: substitution reads a pixel before it writes it, and needs no scratch
        scratch, homes = memory, plan.homes
        if weights.triangles == 0 and not direct:
            scratch, homes = _memory(plan.scratch, source, True), plan.places
        seen, seen_narrow = blocks.zeros(memory, 1, lanes), blocks.zeros(memory, 1, narrow)
        for tile in range(0, len(starts), group):
            for part in range(len(plan.strips)):
                strip = plan.strips[part]
                if not direct:
                    copy = starts[tile], together, taken, stride, strides, mode
                    copy_strip(source, memory, plan.homes, strip, copy, True, vector, half, quarter)
                for k in range(min(group, len(starts) - tile)):
                    for s in range(strip[2], strip[3]):
                        stretch = plan.stretches[s]
                        at = k * plan.length + stretch[3], stretch[3], starts[tile + k]
                        if on_waves and stretch[2]:
                            seen_narrow = _walk(
                                seen_narrow, memory, scratch, copied, at, plan, stretch, weights,
                                slots, rows, narrow, few, divide,
                            )  # fmt: skip
                        else:
                            seen = _walk(
                                seen, memory, scratch, images, at, plan, stretch, weights,
                                slots, rows, lanes, few, divide,
                            )  # fmt: skip
                if not direct:
                    copy = starts[tile], together, given[:channels], stride, strides, mode
                    copy_strip(result, scratch, homes, strip, copy, False, vector, half, quarter)
        blocks.add_lane_sums(doubts, 0, seen)
        blocks.add_lane_sums(doubts, 0, seen_narrow)

    return compiled(run)
