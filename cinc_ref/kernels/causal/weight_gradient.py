"""The gradient of a convolution with respect to its kernel, fast.

For each tap it is the sum, over all pixels of all images, of the products of g and the shifted x.
With the batch last, a row of pixels of all images lies in one piece in memory, and the lanes are
any numbers of it. A register block holds the sums of some output times some input channels; it
reads a few rows, or a part of one, for one tap after the other, from the first-level cache.
"""

import math
from collections.abc import Callable
from functools import cache, lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np

from cinc_ref._typing import FloatArray, IntegerArray
from cinc_ref.kernels._jit import block, compiled, inlined
from cinc_ref.kernels.causal.schedule import Placement, reaching_taps
from cinc_ref.kernels.causal.transfer import (
    BATCH_FIRST,
    SCALAR,
    Transfer,
    memory_strides,
    square_side,
    transfer,
)
from cinc_ref.kernels.causal.tuning import TUNING, Tuning
from cinc_ref.kernels.simd.cpu import VECTOR_BYTES

__all__ = ["Call", "Part", "WeightGradientPlan", "conv_weight_grad"]

MAX_OUTPUTS, MAX_INPUTS = (4, 6) if VECTOR_BYTES == 64 else (2, 4)
"""Output and input channels of a register block at most: their products are the accumulators."""


class WeightGradientPlan(NamedTuple):
    """The plan of a weight gradient: all that it depends on but for the numbers.

    Attributes
    ----------
    loops : callable
        The compiled loops.
    tables : ndarray of intp
        A `Call` and the tables that it points to.
    work_length, sums_length : int
        Numbers of the copies of x and g, and of the sums.
    batch_first : bool
        Whether x and g lie as contiguous (N, C, H, W) in memory.
    """

    loops: Callable[..., None]
    tables: IntegerArray
    work_length: int
    sums_length: int
    batch_first: bool


class Call(NamedTuple):
    """A weight gradient in integers; names of tables stand for the place where they begin.

    Attributes
    ----------
    channels, height, width : int
    image_stride, pixel_stride : int
        Strides of the images.
    tile_height, tile_width : int
        Pixels that are summed over before the lanes are added up.
    part_count, copied : int
        Parts of the batch, and whether they are copied.
    channel_stride : int
        Between two channels of the images, or of their copies.
    tap_count : int
    taps : table, shape (taps, 3)
        Rows up and columns left that a tap reads, negative where the images are flipped, and its
        number in a kernel of one channel.
    parts : table, shape (parts, 4)
        First image, images, how they are copied, and where the table of the pixels begins.
    channel_offsets : table, shape (C,)
        Where the channels lie in an image.
    order : table
        Where each sum belongs in the flat kernel; sums are ordered as [block of outputs][block of
        inputs][tap][output, input], and the last blocks overlap.
    """

    channels: int
    height: int
    width: int
    image_stride: int
    pixel_stride: int
    tile_height: int
    tile_width: int
    part_count: int
    copied: int
    channel_stride: int
    tap_count: int
    taps: int
    parts: int
    channel_offsets: int
    order: int


CALL_FIELDS = len(Call._fields)


class Part(NamedTuple):
    """A part of the batch: where it lies in x and in g, and how many images it has."""

    x: int
    g: int
    images: int


def conv_weight_grad(
    x: FloatArray,
    g: FloatArray,
    kernel_shape: tuple[int, ...],
    geometry: Placement,
    tuning: Tuning = TUNING,
) -> FloatArray:
    """Return the gradient of <g, conv(x, K)> with respect to K; it is 0 at taps after the anchor.

    Parameters
    ----------
    x, g : ndarray, shape (N, C, H, W)
        Contiguous as (N, C, H, W) or as (C, H, W, N).
    kernel_shape : (int, int, int, int)
    geometry : Placement
    tuning : Tuning
    """
    plan = _make_plan(kernel_shape, x.shape, x.flags.c_contiguous, x.itemsize, geometry, tuning)
    in_order = np.ascontiguousarray(g if plan.batch_first else g.transpose(1, 2, 3, 0))
    result = np.zeros(math.prod(kernel_shape), x.dtype)
    work = np.empty(plan.work_length, x.dtype)
    sums = np.zeros(plan.sums_length, x.dtype)
    arrays = x.ravel("K"), in_order.reshape(-1), work, sums, result
    plan.loops(*arrays, plan.tables)
    return result.reshape(kernel_shape)


@lru_cache(maxsize=64)
def _make_plan(kernel_shape, shape, batch_first, itemsize, geometry, tuning):
    dilation, anchor, flips = geometry
    count, channels, height, width = shape
    strides = memory_strides(shape, batch_first)
    batch_first = strides[2] == 1
    signs = [-1 if flip else 1 for flip in flips]
    reaching = (*reaching_taps(kernel_shape, (height, width), dilation, anchor), (0, 0, *anchor))
    taps = [
        (up * signs[0], left * signs[1], a * kernel_shape[3] + b) for up, left, a, b in reaching
    ]
    outputs, inputs = (-(-channels // -(-channels // most)) for most in (MAX_OUTPUTS, MAX_INPUTS))
    vector, images = VECTOR_BYTES // itemsize, max(count, 1)
    copied = strides[0] != 1 and count > 1
    channel_stride = height * width * count
    if copied:
        fitting = tuning.gradient_copy_bytes // (2 * itemsize * channels * height * width)
        side = max(vector // 2, 1)
        images = min(images, max(fitting - fitting % side, side))
        # a vector more, so that the channels do not share the sets of a cache
        channel_stride = height * width * images + vector
    pixels = max(tuning.gradient_tile_bytes // ((outputs + inputs) * images * itemsize), 1)
    tile_height, tile_width = (
        -(-side // -(-side // most))
        for side, most in ((height, max(pixels // width, 1)), (width, min(pixels, width)))
    )
    firsts = range(0, count, images)
    sizes = [min(images, count - first) for first in firsts]
    offsets = {
        size: np.arange(height * width) * size for size in sorted({*sizes} if copied else ())
    }
    parts_at = CALL_FIELDS + 3 * len(taps)
    offsets_at = parts_at + 4 * len(sizes)
    places = {size: offsets_at + k * height * width for k, size in enumerate(offsets)}
    channels_at = offsets_at + len(offsets) * height * width
    parts = [
        (first, size, _copy_mode(size, height * width, vector), places.get(size, 0))
        for first, size in zip(firsts, sizes, strict=True)
    ]
    order = _order_of_sums(channels, outputs, inputs, kernel_shape, [tap[2] for tap in taps])
    call = Call(
        channels, height, width, strides[0], strides[2],
        tile_height, tile_width, len(parts), copied, channel_stride, len(taps), CALL_FIELDS,
        parts_at, channels_at, channels_at + channels,
    )  # fmt: skip
    tables = call, taps, parts, *offsets.values(), np.arange(channels) * strides[1], order
    return WeightGradientPlan(
        loops=_compiled_loops(outputs, inputs, vector),
        tables=np.concatenate([np.ravel(table) for table in tables]).astype(np.intp),
        work_length=2 * channels * channel_stride if copied else 0,
        sums_length=order.size,
        batch_first=batch_first,
    )


def _copy_mode(images, pixels, vector):
    side = square_side(images, vector)
    return BATCH_FIRST if 0 < side <= pixels else SCALAR


def _order_of_sums(channels, outputs, inputs, kernel_shape, flat_taps):
    """Places in the flat kernel of the sums [block, block][tap][output, input]."""
    flat = np.arange(math.prod(kernel_shape)).reshape(channels, channels, -1)[:, :, flat_taps]
    starts = [
        [min(start, channels - most) for start in range(0, channels, most)]
        for most in (outputs, inputs)
    ]
    return np.concatenate(
        [
            flat[o : o + outputs, c : c + inputs].transpose(2, 0, 1).ravel()
            for o, c in product(*starts)
        ]
    )


@inlined
def _sum_pixels(total, g, x, places, call, images, pixels, shift, inputs, lanes):
    """Add the products of some pixels of g with those that a tap reads of x inside the image.

    `places` are those of the first channel of a block in g and in x.
    """
    (g_at, x_at), (up, left), stride = places, shift, call.channel_stride
    first, last = max(pixels[0], up), min(pixels[1], call.height + up)
    start, stop = max(pixels[2], left), min(pixels[3], call.width + left)
    length = max(stop - start, 0) * images
    if length == call.width * images:  # the rows lie in one piece
        length, last = length * (last - first), min(last, first + 1)
    whole = length - length % lanes
    for row in range(first, last):
        of_g = g_at + (row * call.width + start) * images
        of_x = x_at + ((row - up) * call.width + start - left) * images
        for k in range(0, whole, lanes):
            total = block.add_outer(total, g, of_g + k, x, of_x + k, stride, inputs, lanes)
        if whole < length:
            of_g, of_x, rest = of_g + whole, of_x + whole, length - whole
            total = block.add_outer(total, g, of_g, x, of_x, stride, inputs, rest)
    return total


@inlined
def _add_products(sums, x, g, tables, call, part, outputs, inputs, rows, lanes):
    """Add the weight gradient of a part of the batch to the sums."""
    channels, stride = call.channels, call.channel_stride
    for i in range(0, call.height, call.tile_height):
        for j in range(0, call.width, call.tile_width):
            pixels = (
                i, min(i + call.tile_height, call.height), j, min(j + call.tile_width, call.width),
            )  # fmt: skip
            at = 0
            for o in range(0, channels, outputs):
                for c in range(0, channels, inputs):  # a last block begins earlier
                    g_at = part.g + min(o, channels - outputs) * stride
                    x_at = part.x + min(c, channels - inputs) * stride
                    for tap in range(call.taps, call.taps + 3 * call.tap_count, 3):
                        total = block.zeros(x, rows, lanes)
                        total = _sum_pixels(
                            total, g, x, (g_at, x_at), call, part.images, pixels,
                            (tables[tap], tables[tap + 1]), inputs, lanes,
                        )  # fmt: skip
                        block.add_lane_sums(sums, at, total)
                        at += rows


@cache
def _compiled_loops(outputs, inputs, lanes):
    """Compile the weight gradient for register blocks of `outputs` times `inputs` channels."""
    rows = outputs * inputs

    def weight_gradient(source, gradients, work, sums, result, tables):
        call = Call(*block.integers(tables, 0, CALL_FIELDS))
        x, g = (work, work) if call.copied else (source, gradients)
        for p in range(call.parts, call.parts + 4 * call.part_count, 4):
            first, images, mode, offsets = block.integers(tables, p, 4)
            part = Part(0, call.channels * call.channel_stride if call.copied else 0, images)
            if call.copied:
                for images_of, memory in ((source, part.x), (gradients, part.g)):
                    pixels = call.height * call.width
                    task = Transfer(
                        1, mode, first, images, call.image_stride, call.pixel_stride,
                        call.channel_offsets, call.channels, 0, pixels, offsets, memory,
                        call.channel_stride,
                    )  # fmt: skip
                    transfer(images_of, work, tables, task)
            _add_products(sums, x, g, tables, call, part, outputs, inputs, rows, lanes)
        for k in range(len(sums)):
            result[np.uintp(tables[np.uintp(call.order + k)])] = sums[np.uintp(k)]

    return compiled(weight_gradient)
