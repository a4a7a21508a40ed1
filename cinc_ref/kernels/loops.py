"""The compiled loops of `batched`: the walk through the pixels, and what it does at each one.

Substitution is sequential over pixels but not over images, so `lanes` images go through it side by
side (for few images: the pixels of a diagonal; see `plan`). What is read again lies in a small
working memory, where a pixel's channels are vectors side by side. A register block (`blocks`) holds
`rows` channels of one pixel; it starts as y, loses what the pixels before contribute, and is solved
with the triangle of the corner block:

    load y; for each earlier pixel and channel: multiply and add; substitute; store x.

The kernel is packed by the same call, since a call from Python takes half as long as to pack it.
What is told comes as one array of integers (`layout`).
"""

from functools import cache

import numpy as np

from cinc_ref.kernels.compiling import blocks, compiled, inlined
from cinc_ref.kernels.copying import ON_THE_WALK, Copy, copy_strip
from cinc_ref.kernels.layout import LAYOUT, Layout
from cinc_ref.kernels.memory import aligned_inlined
from cinc_ref.kernels.tiling import sides
from cinc_ref.kernels.weights import pack, pack_factored, packed_length_inlined, unpack

CALLEES = "c8a894a2"
"""Digest of `blocks`, `copying`, `layout`, `memory`, `tiling` and `weights`."""
RESULT_DOUBTFUL, KERNEL_DOUBTFUL, NOT_GENERAL = 1, 2, 4
"""What the loops return, added up: the result may not be finite; the kernel may not be, or not be
invertible; no image was touched, since only loops that are `general` can."""


@inlined
def _sum_taps(
    total, memory, pixel, tables, layout, reads, own, packed, w,
    source, ahead, begins, start, direct, rows, lanes, few,
):  # fmt: skip
    """Add what a pixel reads: runs of vectors inside the image, the last prolonged by `own`.

    Meanwhile what the next pixel starts from is fetched, some at each run: all at once would keep
    the taps waiting.
    """
    (phase, column, first_run), runs, stride = reads, layout.run_count, layout.stride
    offsets, inside = layout.offsets + phase * runs, layout.inside + column * 2 * runs
    for k in range(first_run, runs):
        if direct:
            blocks.prefetch(source, ahead, begins, start + min(k * few, rows - few), few, lanes)
        first, last = blocks.integers(tables, inside + 2 * k, 2)
        place, weight = pixel + tables[offsets + k], w + tables[layout.terms + k] * rows
        for t in range(first, last + (own if k == runs - 1 else 0), rows):
            vectors = place + t * stride
            total = blocks.multiply_add(total, memory, vectors, stride, packed, weight + t * rows)
    return total


@inlined
def _solve(block, packed, triangle, divide, general):
    """Solve with a lower triangle."""
    if general and divide:
        return blocks.substitute(block, packed, triangle, True)
    return blocks.substitute(block, packed, triangle, False)


@inlined
def _substitute_back(
    seen, memory, place, stride, packed, triangle, slots, rows, lanes, divide
):  # fmt: skip
    """Solve with an upper triangle: as with a lower one, from the last slot to the first."""
    top = place + (slots - 1) * stride
    taps = triangle + slots * (rows + 1)
    for start in range(0, slots, rows):
        x = blocks.load(memory, top - start * stride, -stride, rows, lanes)
        for t in range(0, start, rows):
            w = taps + start * slots + t * rows
            x = blocks.multiply_add(x, memory, top - t * stride, -stride, packed, w)
        x = _solve(x, packed, triangle + start * (rows + 1), divide, True)
        blocks.store(memory, top - start * stride, -stride, x)
        seen = blocks.watch(seen, x)
    return seen


@inlined
def _walk(
    seen, memory, scratch, kept, source, result, tables, layout, begins, packed, triangles,
    divide, tile, n, stretch, beside, direct, rows, lanes, few, general,
):  # fmt: skip
    """Go through a stretch of the pixels of a tile, with blocks of so many channels and lanes.

    The tile's memory begins at `tile`, and n is its first image. So many images as are `beside` it
    are done, and `kept`.
    """
    stride, slots = layout.stride, layout.slots
    terms = tables[layout.terms + layout.run_count] + slots
    triangle = terms * slots  # where it begins
    first, last, _, shift = blocks.integers(tables, stretch, 4)
    for step in range(first, last):
        at, then = layout.walk + 6 * step, layout.walk + 6 * min(step + 1, last - 1)
        home, outer, phase, column, first_run, number = blocks.integers(tables, at, 6)
        pixel, outer, reads = tile + shift + home, shift + outer, (phase, column, first_run)
        place = n + number * layout.pixel_stride
        ahead = n + tables[then + 5] * layout.pixel_stride
        if direct and triangles == 0:
            for start in range(0, slots, rows):
                x = blocks.gather(source, place, begins, start, rows, lanes)
                blocks.store(memory, pixel + start * stride, stride, x)
        for start in range(0, slots, rows):
            y = blocks.zeros(memory, rows, lanes)
            own = slots
            if triangles > 0:
                own = start
                if direct:
                    y = blocks.gather(source, place, begins, start, rows, lanes)
                else:
                    y = blocks.load(memory, pixel + start * stride, stride, rows, lanes)
            y = _sum_taps(
                y, memory, pixel, tables, layout, reads, own, packed, start * terms,
                source, ahead, begins, start, direct, rows, lanes, few,
            )  # fmt: skip
            if triangles > 0:
                y = _solve(y, packed, triangle + start * (rows + 1), divide, general)
                blocks.store(memory, pixel + start * stride, stride, y)
            elif not direct:
                blocks.store(scratch, outer + start * stride, stride, y)
            if direct and not (general and triangles > 1):
                if layout.past_caches:
                    blocks.scatter_past_caches(result, place, begins, slots + start, y)
                else:
                    blocks.scatter(result, place, begins, slots + start, y)
            seen = blocks.watch(seen, y)
        if general and triangles > 1:
            second = triangle + slots * (rows + 1)
            seen = _substitute_back(
                seen, memory, pixel, stride, packed, second, slots, rows, lanes, divide
            )
            if direct:
                for start in range(0, slots, rows):
                    x = blocks.load(memory, pixel + start * stride, stride, rows, lanes)
                    blocks.scatter(result, place, begins, slots + start, x)
        for k in range(beside):
            there = tables[layout.places_before + number] + k
            for start in range(0, slots, rows):
                x = blocks.load(
                    kept, there + start * layout.stride_before, layout.stride_before, rows, 1
                )
                blocks.scatter(result, place + lanes + k, begins, slots + start, x)
    return seen


@inlined
def _copy(
    images, memory, begins, tables, layout, n, strip, places, inward, vector, half, quarter
):  # fmt: skip
    """Copy a strip of the images from n on, all slots into memory or all channels out of it."""
    channel, channels = (0, layout.slots) if inward else (layout.slots, layout.channels)
    copy = Copy(
        n, layout.together, channel, channels, layout.stride, places, tables[strip],
        tables[strip + 1], layout.image_stride, layout.pixel_stride, layout.mode, inward,
    )  # fmt: skip
    copy_strip(images, memory, begins, tables, copy, vector, half, quarter)


@cache
def compiled_loops(rows, lanes, vector, general):
    """The compiled loops for one size of block; images are copied in squares of vectors.

    Unless they are `general`, there is at most one triangle, and its reciprocals serve
    (`blocks.substitute`). What else there can be is rare and takes half as long again to compile:
    it is done at the first such kernel. (One whose reciprocals do not serve is found by the plain
    loops, which are compiled for that.)
    """
    _, half, quarter = sides(vector)
    narrow = lanes // 2
    few = -(-rows // 3)  # a 3x3 kernel has three runs of taps
    on_waves = lanes == vector  # known before compiling, so that what it guards is left out

    def run(kernel, shared, source, result, tables):
        layout = Layout(*blocks.integers(tables, 0, LAYOUT))
        packed, begins = shared, np.empty(2 * layout.slots, np.intp)
        if len(shared) == 0:
            length = packed_length_inlined(layout.slots, layout.tap_count, rows)
            packed = np.empty(length, source.dtype)
        kernel_doubtful = False
        if layout.packs:
            kernel_doubtful, triangles = pack(kernel, tables, layout, rows, packed)
            if general and triangles > 1:
                pack_factored(kernel, tables, layout, rows, packed)
        triangles, divide = unpack(packed, layout, begins)
        if not general and (triangles > 1 or divide):
            return NOT_GENERAL
        seen, seen_narrow = blocks.zeros(packed, 1, lanes), blocks.zeros(packed, 1, narrow)
        kept, part = packed, 0  # nothing is kept yet
        while True:
            layout = Layout(*blocks.integers(tables, part, LAYOUT))
            direct = layout.mode == ON_THE_WALK
            memory = aligned_inlined(layout.group * layout.length, source)
            if not layout.filled:
                memory[:] = 0
            # x in the place of y: substitution reads a pixel before it writes it
            scratch, places = memory, layout.homes
            if triangles == 0 and not direct:
                scratch, places = aligned_inlined(layout.scratch, source), layout.places
            for tile in range(0, layout.tile_count, layout.group):
                group = min(layout.group, layout.tile_count - tile)
                n = tables[layout.starts + tile]
                for strip in range(layout.strips, layout.strips + 4 * layout.strip_count, 4):
                    if not direct:
                        _copy(
                            source, memory, begins, tables, layout, n, strip, layout.homes, 1,
                            vector, half, quarter,
                        )  # fmt: skip
                    for k in range(group):
                        at, nk = k * layout.length, tables[layout.starts + tile + k]
                        beside = 0
                        if on_waves and tile + k + 1 == layout.tile_count:
                            beside = layout.beside
                        for s in range(tables[strip + 2], tables[strip + 3]):
                            stretch = layout.stretches + 4 * s
                            if on_waves and tables[stretch + 2]:  # which is never walked directly
                                seen_narrow = _walk(
                                    seen_narrow, memory, scratch, kept, source, result, tables,
                                    layout, begins, packed, triangles, divide, at, nk, stretch,
                                    0, False, rows, narrow, few, general,
                                )  # fmt: skip
                            else:
                                seen = _walk(
                                    seen, memory, scratch, kept, source, result, tables,
                                    layout, begins, packed, triangles, divide, at, nk, stretch,
                                    beside, direct, rows, lanes, few, general,
                                )  # fmt: skip
                    if not direct and not layout.keeps:
                        _copy(
                            result, scratch, begins, tables, layout, n, strip, places, 0,
                            vector, half, quarter,
                        )  # fmt: skip
            if layout.after == 0:
                break
            kept, part = scratch, layout.after
        finite = blocks.lane_sum(seen) + blocks.lane_sum(seen_narrow) == 0
        return (0 if finite else RESULT_DOUBTFUL) + (KERNEL_DOUBTFUL if kernel_doubtful else 0)

    return compiled(run)
