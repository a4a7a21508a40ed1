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
    Copy,
    copy_strip,
    flat,
)
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
        runs = tuple(_kernel(rows, lanes, vector, general) for general in (0, 1))
        found.append((runs, _tables(options, starts, plan)))
    align = count >= vector and itemsize * math.prod(shape) >= ALIGNED_BYTES
    numbers = numbers_length(places, channels, rows)
    return Arrangement(np.array(places), rows, slots, numbers, align, found)


class Layout(NamedTuple):
    """What the compiled loops are told, in integers.

    Attributes
    ----------
    image, pixel : int
        Strides of the images.
    channels : int
        Of them.
    together, mode : int
        How many images of a tile are copied, and how.
    group : int
        Tiles that are walked side by side.
    filled : int
        Whether all working memory is copied or walked to before it is read.
    length, scratch, stride : int
        As in the `Plan`.
    tiles, parts, runs : int
        How many `starts`, `strips` and runs of taps there are.
    starts, homes, places, strips, stretches, walk, offsets, terms, inside : int
        Where these tables begin: the first image of each tile, and those of the `Plan`.
    """

    image: int
    pixel: int
    channels: int
    together: int
    mode: int
    group: int
    filled: int
    length: int
    scratch: int
    stride: int
    tiles: int
    parts: int
    runs: int
    starts: int
    homes: int
    places: int
    strips: int
    stretches: int
    walk: int
    offsets: int
    terms: int
    inside: int


LAYOUT = len(Layout._fields)


def _tables(options, starts, plan):
    """The `Layout` and its tables, one after the other: Numba takes one array in less time."""
    tables = [starts, *plan[3:]]
    counts = len(starts), len(plan.strips), plan.offsets.shape[1]
    places = LAYOUT + np.cumsum([0, *(table.size for table in tables[:-1])])
    numbers = *options, *plan[:3], *counts, *places
    return np.concatenate([numbers, *map(np.ravel, tables)]).astype(np.intp)


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
def _sum_taps(
    total, memory, pixel, tables, layout, at, own, numbers, w,
    source, ahead, order, start, direct, rows, lanes, few,
):  # fmt: skip
    """Add what a pixel reads: runs of vectors inside the image, the last prolonged by `own`.

    Meanwhile what the next pixel starts from is fetched, some at each run: all at once would keep
    the taps waiting.
    """
    runs, stride = layout.runs, layout.stride
    offsets = layout.offsets + tables[at + 2] * runs
    inside = layout.inside + tables[at + 3] * 2 * runs
    for k in range(tables[at + 4], runs):
        if direct:
            blocks.prefetch(source, ahead, order, start + min(k * few, rows - few), few, lanes)
        first, last = tables[inside + 2 * k], tables[inside + 2 * k + 1]
        place, weight = pixel + tables[offsets + k], w + tables[layout.terms + k] * rows
        for t in range(first, last + (own if k == runs - 1 else 0), rows):
            vectors = place + t * stride
            total = blocks.multiply_add(total, memory, vectors, stride, numbers, weight + t * rows)
    return total


@inlined
def _solve(block, numbers, triangle, divide, general):
    """Solve with a lower triangle."""
    if general and divide:
        return blocks.substitute(block, numbers, triangle, True)
    return blocks.substitute(block, numbers, triangle, False)


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
        x = _solve(x, numbers, triangle + start * (rows + 1), divide, True)
        blocks.store(memory, top - start * stride, -stride, x)
        seen = blocks.watch(seen, x)
    return seen


@inlined
def _walk(
    seen, memory, scratch, source, result, tables, layout, order, numbers, triangles,
    divide, begin, n, stretch, direct, rows, lanes, few, general,
):  # fmt: skip
    """Go through a stretch of the pixels of a tile, with blocks of so many channels and lanes.

    The tile's memory begins at `begin`, and n is its first image.
    """
    stride, slots = layout.stride, len(order) // 2
    terms = tables[layout.terms + layout.runs] + slots
    triangle = terms * slots  # where it begins
    shift = tables[stretch + 3]
    end = layout.walk + 6 * tables[stretch + 1]
    for at in range(layout.walk + 6 * tables[stretch], end, 6):
        pixel, outer = begin + shift + tables[at], shift + tables[at + 1]
        place = n + tables[at + 5] * layout.pixel
        ahead = n + tables[min(at + 6, end - 6) + 5] * layout.pixel
        if direct and triangles == 0:
            for start in range(0, slots, rows):
                x = blocks.gather(source, place, order, start, rows, lanes)
                blocks.store(memory, pixel + start * stride, stride, x)
        for start in range(0, slots, rows):
            y = blocks.zeros(memory, rows, lanes)
            own = slots
            if triangles > 0:
                own = start
                if direct:
                    y = blocks.gather(source, place, order, start, rows, lanes)
                else:
                    y = blocks.load(memory, pixel + start * stride, stride, rows, lanes)
            y = _sum_taps(
                y, memory, pixel, tables, layout, at, own, numbers, start * terms,
                source, ahead, order, start, direct, rows, lanes, few,
            )  # fmt: skip
            if triangles > 0:
                y = _solve(y, numbers, triangle + start * (rows + 1), divide, general)
                blocks.store(memory, pixel + start * stride, stride, y)
            elif not direct:
                blocks.store(scratch, outer + start * stride, stride, y)
            if direct and not (general and triangles > 1):
                blocks.scatter(result, place, order, slots + start, y)
            seen = blocks.watch(seen, y)
        if general and triangles > 1:
            second = triangle + slots * (rows + 1)
            seen = _substitute_back(
                seen, memory, pixel, stride, numbers, second, slots, rows, lanes, divide
            )
        if general and direct and triangles > 1:
            for start in range(0, slots, rows):
                x = blocks.load(memory, pixel + start * stride, stride, rows, lanes)
                blocks.scatter(result, place, order, slots + start, x)
    return seen


@cache
def _kernel(rows, lanes, vector, general):
    """The compiled loops for one size of block; images are copied in squares of vectors.

    Unless they are `general`, there is at most one triangle, and its reciprocals serve: what else
    there can be is rare, and would take half as long again to compile.
    """
    _, half, quarter = sides(vector)
    narrow = lanes // 2
    few = -(-rows // 3)  # a 3x3 kernel has three runs of taps
    on_waves = lanes == vector  # known before compiling, so that what it guards is left out

    def run(source, result, tables, order, numbers, triangles, divide, doubts):
        layout = Layout(*blocks.integers(tables, LAYOUT))
        image, pixel, together, mode = layout.image, layout.pixel, layout.together, layout.mode
        slots, stride, direct = len(order) // 2, layout.stride, mode == ON_THE_WALK
        memory = _memory(layout.group * layout.length, source, layout.filled)
        # x in the place of y: substitution reads a pixel before it writes it, and needs no scratch
        scratch, places = memory, layout.homes
        if triangles == 0 and not direct:
            scratch, places = _memory(layout.scratch, source, True), layout.places
        seen, seen_narrow = blocks.zeros(memory, 1, lanes), blocks.zeros(memory, 1, narrow)
        for tile in range(0, layout.tiles, layout.group):
            n = tables[layout.starts + tile]
            for strip in range(layout.strips, layout.strips + 4 * layout.parts, 4):
                first, last = tables[strip], tables[strip + 1]
                if not direct:
                    copy = Copy(
                        n, together, 0, slots, stride, layout.homes, first, last, image, pixel,
                        mode, 1,
                    )  # fmt: skip
                    copy_strip(source, memory, order, tables, copy, vector, half, quarter)
                for k in range(min(layout.group, layout.tiles - tile)):
                    begin, nk = k * layout.length, tables[layout.starts + tile + k]
                    for s in range(tables[strip + 2], tables[strip + 3]):
                        stretch = layout.stretches + 4 * s
                        if on_waves and tables[stretch + 2]:  # which is never walked directly
                            seen_narrow = _walk(
                                seen_narrow, memory, scratch, source, result, tables, layout,
                                order, numbers, triangles, divide, begin, nk, stretch, False,
                                rows, narrow, few, general,
                            )  # fmt: skip
                        else:
                            seen = _walk(
                                seen, memory, scratch, source, result, tables, layout,
                                order, numbers, triangles, divide, begin, nk, stretch, direct,
                                rows, lanes, few, general,
                            )  # fmt: skip
                if not direct:
                    copy = Copy(
                        n, together, slots, layout.channels, stride, places, first, last, image,
                        pixel, mode, 0,
                    )  # fmt: skip
                    copy_strip(result, scratch, order, tables, copy, vector, half, quarter)
        blocks.add_lane_sums(doubts, 0, seen)
        blocks.add_lane_sums(doubts, 0, seen_narrow)

    return compiled(run)
