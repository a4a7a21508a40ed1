"""The compiled loops of `batched`: the walk through the pixels, and what it does at each one.

What they are told comes as one array of integers, a `Layout` and the tables of a `Plan` row by row,
and is read by place: an array for each table would take twice as long to compile.

An edit of `blocks` or `copying` must be followed by one here, or the disk cache goes on serving the
old code.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from cinc_ref.kernels.compiling import blocks, compiled, inlined
from cinc_ref.kernels.copying import ON_THE_WALK, Copy, copy_strip
from cinc_ref.kernels.tiling import VECTOR_BYTES, sides


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


@inlined
def _memory(length, like, filled):
    """Numbers that start on a cache line; they are 0, unless all will be filled anyway."""
    memory = np.empty(length + VECTOR_BYTES // like.itemsize, like.dtype)
    if not filled:
        memory[:] = 0
    start = line_start(memory)
    return memory[start : start + length]


@compiled
def line_start(memory):
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
    phase, column, begin = blocks.integers(tables, at + 2, 3)
    offsets, inside = layout.offsets + phase * runs, layout.inside + column * 2 * runs
    for k in range(begin, runs):
        if direct:
            blocks.prefetch(source, ahead, order, start + min(k * few, rows - few), few, lanes)
        first, last = blocks.integers(tables, inside + 2 * k, 2)
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
    first, last, _, shift = blocks.integers(tables, stretch, 4)
    for step in range(first, last):
        at, then = layout.walk + 6 * step, layout.walk + 6 * min(step + 1, last - 1)
        pixel, outer = begin + shift + tables[at], shift + tables[at + 1]
        place, ahead = n + tables[at + 5] * layout.pixel, n + tables[then + 5] * layout.pixel
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
def loops(rows, lanes, vector, general):
    """The compiled loops for one size of block; images are copied in squares of vectors.

    Unless they are `general`, there is at most one triangle, and its reciprocals serve: what else
    there can be is rare, and would take half as long again to compile.
    """
    _, half, quarter = sides(vector)
    narrow = lanes // 2
    few = -(-rows // 3)  # a 3x3 kernel has three runs of taps
    on_waves = lanes == vector  # known before compiling, so that what it guards is left out

    def run(source, result, tables, order, numbers, triangles, divide, doubts):
        layout = Layout(*blocks.integers(tables, 0, LAYOUT))
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
                first, last, stretches, end = blocks.integers(tables, strip, 4)
                if not direct:
                    copy = Copy(
                        n, together, 0, slots, stride, layout.homes, first, last, image, pixel,
                        mode, 1,
                    )  # fmt: skip
                    copy_strip(source, memory, order, tables, copy, vector, half, quarter)
                for k in range(min(layout.group, layout.tiles - tile)):
                    begin, nk = k * layout.length, tables[layout.starts + tile + k]
                    for s in range(stretches, end):
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
