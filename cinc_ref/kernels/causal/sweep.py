"""The compiled sweep: through the pixels in raster order, and what is done at each of them.

Substitution is sequential over pixels but not over images, so `lanes` images go through it side by
side; for few images the lanes are the pixels of a diagonal (`schedule`). A register block holds
`rows` channels of one pixel. At each pixel, block by block:

1. load y (a convolution starts at 0);
2. add what the taps read: x of earlier pixels, times weights that are negated for substitution;
3. solve with the corner block (substitution only);
4. store x, and pass it on to the image where the sweep itself writes it.

The weights are packed in the order in which they are read (`packing`), and lie in front of the
working memory.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from cinc_ref.kernels._jit import block, compiled, inlined
from cinc_ref.kernels.causal.descriptor import PART_FIELDS, Part
from cinc_ref.kernels.causal.transfer import IN_PLACE, Transfer, transfer

__all__ = ["Reads", "Strip", "compiled_sweep"]


class Strip(NamedTuple):
    """A strip of a tile, in integers.

    Attributes
    ----------
    stages : int
        Triangles to solve with: 0 for a convolution, 2 for a factored corner block.
    channels : int
        Where the table of channel offsets begins.
    memory, scratch : int
        Where the working memory of the tile and its scratch memory begin.
    first_image : int
        First image of the tile.
    first_pixel, last_pixel, first_step, last_step : int
        As in `Schedule.strips`.
    """

    stages: int
    channels: int
    memory: int
    scratch: int
    first_image: int
    first_pixel: int
    last_pixel: int
    first_step: int
    last_step: int


class Reads(NamedTuple):
    """The reads of the taps of a register block.

    Attributes
    ----------
    origin, channel_stride : int
        The place of the pixel, and from one channel of a pixel to the next.
    offsets, bounds : int
        Rows of the tables of runs that hold for the pixel.
    first_run : int
        The first run that is not above the image.
    weights, own_channels : int
        Where the weights begin, and how many of the pixel's own channels are read.
    next_pixel, channels : int
        Where the next pixel lies in the images, and the channel offsets of the block.
    """

    origin: int
    channel_stride: int
    offsets: int
    bounds: int
    first_run: int
    weights: int
    own_channels: int
    next_pixel: int
    channels: int


@inlined
def _add_taps(total, work, source, tables, part, reads, rows, lanes):
    """Add what the taps read, run by run; the last run goes on with the pixel's own channels."""
    stride = reads.channel_stride
    for run in range(reads.first_run, part.run_count):
        if part.mode == IN_PLACE:  # a third at each run: all at once would keep the taps waiting
            block.prefetch_third(source, reads.next_pixel, tables, reads.channels, run, rows, lanes)
        first, last = block.integers(tables, reads.bounds + 2 * run, 2)
        if run == part.run_count - 1:
            last += reads.own_channels
        vectors = reads.origin + tables[reads.offsets + run]
        weights = reads.weights + tables[part.run_weights + run] * rows
        for t in range(first, last, rows):
            place, weight = vectors + t * stride, weights + t * rows
            total = block.multiply_add(total, work, place, stride, work, weight, rows)
    return total


@inlined
def _sweep_strip(probe, work, source, result, tables, part, strip, general, rows, lanes):
    """Sweep through a strip; return the probe, which is 0 while all results are finite.

    Only a `general` sweep can solve with two triangles, or by division (`block.solve`).
    """
    slots, in_place, solve = part.padded_channels, part.mode == IN_PLACE, strip.stages > 0
    triangles, triangle_length = part.weights_per_channel * slots, slots * (rows + 1)
    for step in range(strip.first_step, strip.last_step):
        next_step = step + 1 if step + 1 < strip.last_step else step
        memory, scratch, phase, column, first_run, number = block.integers(
            tables, part.steps + 6 * step, 6
        )
        pixel = strip.memory + memory
        place = strip.first_image + number * part.pixel_stride
        next_pixel = strip.first_image + tables[part.steps + 6 * next_step + 5] * part.pixel_stride
        offsets = part.run_offsets + phase * part.run_count
        bounds = part.run_bounds + 2 * column * part.run_count
        origin, stride = pixel, part.channel_stride
        weights, weights_per_channel = 0, part.weights_per_channel
        if in_place and (general or not solve):
            for c in range(0, slots, rows):
                x = block.gather(source, place, tables, strip.channels + c, rows, lanes)
                block.store(work, pixel + c * stride, stride, x)
        for stage in range(max(strip.stages, 1) if general else 1):
            if general and stage == 1:  # U: the pixel's own channels alone, in descending order
                origin, stride = pixel + (slots - 1) * stride, -stride
                offsets, bounds, first_run = part.run_offsets, part.run_bounds, part.run_count - 1
                weights = (
                    triangles + 2 * triangle_length - tables[part.run_weights + first_run] * rows
                )
                weights_per_channel = slots
            for c in range(0, slots, rows):
                channels, own_channels = strip.channels + c, slots
                y = block.zeros(work, rows, lanes)
                if solve:  # 1. load y
                    own_channels = c
                    if in_place and not general:
                        y = block.gather(source, place, tables, channels, rows, lanes)
                    else:
                        y = block.load(work, origin + c * stride, stride, rows, lanes)
                reads = Reads(
                    origin, stride, offsets, bounds, first_run, weights + c * weights_per_channel,
                    own_channels, next_pixel, channels,
                )  # fmt: skip
                # 2. add what the taps read
                y = _add_taps(y, work, source, tables, part, reads, rows, lanes)
                if solve:  # 3. solve with the corner block, and 4. store x
                    triangle = triangles + stage * triangle_length + c * (rows + 1)
                    y = block.solve(y, work, triangle, general)
                    block.store(work, origin + c * stride, stride, y)
                elif not in_place:
                    block.store(work, strip.scratch + scratch + c * stride, stride, y)
                probe = block.probe_nonfinite(probe, y)
                if in_place and not (general and solve):  # 4. pass it on to the image
                    if part.nontemporal:
                        block.scatter_nontemporal(result, place, tables, channels + slots, y)
                    else:
                        block.scatter(result, place, tables, channels + slots, y)
        if general and solve and in_place:
            for c in range(0, slots, rows):
                x = block.load(
                    work, pixel + c * part.channel_stride, part.channel_stride, rows, lanes
                )
                block.scatter(result, place, tables, strip.channels + slots + c, x)
    return probe


@inlined
def _transfer_strip(images, work, tables, part, strip, inward):
    """Transfer a strip in, all padded channels; or out, from scratch memory for a convolution."""
    slots = part.padded_channels
    channels, count, memory, offsets = strip.channels, slots, strip.memory, part.pixel_offsets
    if not inward:
        channels, count, memory = channels + slots, part.channels, strip.scratch
        offsets = part.pixel_offsets if strip.stages else part.scratch_offsets
    task = Transfer(
        inward, part.mode, strip.first_image, part.images_per_tile, part.image_stride,
        part.pixel_stride, channels, count, strip.first_pixel, strip.last_pixel, offsets, memory,
        part.channel_stride,
    )  # fmt: skip
    transfer(images, work, tables, task)


@cache
def compiled_sweep(rows: int, lanes: int, general: bool) -> Callable[..., bool]:
    """Return the sweep for register blocks of one size.

    Corner blocks that need a `general` sweep are rare, and it takes half as long again to compile.

    Parameters
    ----------
    rows, lanes : int
        Output channels, and numbers side by side.
    general : bool
        Whether the corner block may be factored, or have a diagonal whose reciprocals are not
        normal numbers.

    Returns
    -------
    callable
        ``sweep(work, source, result, tables, channels, stages)`` returns whether all results are
        finite. The arrays are flat; `tables` is the descriptor.
    """

    def sweep(work, source, result, tables, channels, stages):
        probe = block.zeros(work, 1, lanes)
        for p in range(1, 1 + tables[0] * PART_FIELDS, PART_FIELDS):
            part = Part(*block.integers(tables, p, PART_FIELDS))
            memory = block.line_start(work, part.packed_length)
            end = memory + part.tiles_in_group * part.memory_length
            if not part.fully_written:
                for k in range(memory, end):
                    work[np.uintp(k)] = 0
            scratch = memory if stages else end
            for tile in range(0, part.tile_count, part.tiles_in_group):
                group = min(part.tiles_in_group, part.tile_count - tile)
                for s in range(part.strips, part.strips + 4 * part.strip_count, 4):
                    strip = Strip(
                        stages, channels, memory, scratch, tables[part.first_images + tile],
                        *block.integers(tables, s, 4),
                    )  # fmt: skip
                    if part.mode != IN_PLACE:
                        _transfer_strip(source, work, tables, part, strip, 1)
                    for k in range(group):
                        strip = Strip(
                            stages, channels, memory + k * part.memory_length, scratch,
                            tables[part.first_images + tile + k], *block.integers(tables, s, 4),
                        )  # fmt: skip
                        probe = _sweep_strip(
                            probe, work, source, result, tables, part, strip, general, rows, lanes
                        )
                    if part.mode != IN_PLACE:
                        _transfer_strip(result, work, tables, part, strip, 0)
        return block.lane_sum(probe) == 0

    return compiled(sweep)
