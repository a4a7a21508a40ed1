"""The gradient of a convolution with respect to its kernel, fast.

That of a tap is the sum of the products of g and the moved x, over all pixels of all images. With
the batch last, a row of pixels of all images lies in one piece in memory, and the lanes are any
numbers of it. A register block holds the sums of some output times some input channels; it reads a
few rows, or a part of one, for one tap after the other, from the first cache.
"""

import math
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from cinc_ref.kernels.compiling import blocks, compiled, inlined
from cinc_ref.kernels.copying import BATCH_FIRST, ONE_BY_ONE, Copy, copy_strip, memory_strides
from cinc_ref.kernels.plan import reaching_taps
from cinc_ref.kernels.tiling import SQUARE, VECTOR_BYTES, sides

CALLEES = "25684518"
"""Digest of `blocks`, `copying` and `tiling`."""
OUTER = (4, 6) if VECTOR_BYTES == 64 else (2, 4)
"""Output times input channels whose weight gradients are summed in registers."""
SUMMED_BYTES = 5 * 2**13
"""Of what a weight gradient reads for a tap, and again for the next one from the first cache."""
SECOND_CACHE_BYTES = 2**19
"""Of the batch-first images that a weight gradient copies at a time, and of their gradients."""


def conv_weight_grad(x, g, kernel_shape, dilation, anchor, flips=(False, False)):
    """The gradient of <g, conv(x, K)> with respect to K; 0 at taps after the anchor."""
    strides = memory_strides(x.shape, x.flags.c_contiguous)
    found = _arrangement(kernel_shape, x.shape, strides, x.itemsize, dilation, anchor, flips)
    gradients = np.ascontiguousarray(g if strides[2] == 1 else g.transpose(1, 2, 3, 0)).reshape(-1)
    result = np.zeros(math.prod(kernel_shape), x.dtype)
    found.run(x.ravel("K"), gradients, x.shape, strides, found.taps, found.options, result)
    return result.reshape(kernel_shape)


class Arrangement(NamedTuple):
    """What a weight gradient depends on but for the numbers.

    Attributes
    ----------
    run : callable
        The compiled loops.
    taps : ndarray, shape (T, 3)
        Of each tap that can meet the images: how many rows up and columns left it reads, negative
        where they are flipped, and its number in a flat kernel of one channel.
    options : (int, int, int)
        Images, and rows and columns of pixels, that are summed over before the lanes are added up.
    """

    run: object
    taps: np.ndarray
    options: tuple


@lru_cache(maxsize=64)
def _arrangement(kernel_shape, shape, strides, itemsize, dilation, anchor, flips):
    """The `Arrangement` of a call, looked up."""
    count, channels, height, width = shape
    signs = [-1 if flip else 1 for flip in flips]
    reaching = (*reaching_taps(kernel_shape, (height, width), dilation, anchor), (0, 0, *anchor))
    taps = [
        (up * signs[0], left * signs[1], a * kernel_shape[3] + b) for up, left, a, b in reaching
    ]
    block = tuple(-(-channels // -(-channels // most)) for most in OUTER)
    lanes, images = VECTOR_BYTES // itemsize, max(count, 1)
    if strides[0] != 1 and count > 1:  # they are copied, so many at a time
        fitting = SECOND_CACHE_BYTES // (2 * itemsize * channels * height * width)
        side = sides(lanes)[1]
        images = min(images, max(fitting - fitting % side, side))
    pixels = max(SUMMED_BYTES // (sum(block) * images * itemsize), 1)
    rows, columns = max(pixels // width, 1), min(pixels, width)
    options = (
        images,
        *(-(-side // -(-side // most)) for side, most in ((height, rows), (width, columns))),
    )
    return Arrangement(_kernel(*block, lanes), np.array(taps), options)


@inlined
def _copy_batch_last(images, memory, n, shape, strides, stride, vector, half, quarter):
    """Copy images (N, C, H, W) from n on to memory as (C, H, W, N), channels `stride` apart."""
    count, channels, height, width = shape
    pixels = height * width
    side = vector if count >= vector else half if count >= half else quarter
    mode = BATCH_FIRST if min(count, pixels) >= side else ONE_BY_ONE
    begins, places = np.arange(channels) * strides[1], np.arange(pixels) * count
    copy = Copy(
        n=n, together=count, first_channel=0, channels=channels, stride=stride, places=0, first=0,
        last=pixels, image_stride=strides[0], pixel_stride=strides[2], mode=mode, inward=1,
    )  # fmt: skip
    copy_strip(images, memory, begins, places, copy, vector, half, quarter)


@inlined
def _sum_pixels(total, g, here, x, there, stride, pixels, tap, shape, right, lanes):
    """Add the products of some pixels of g with those that a tap reads of x, if in the image.

    The first channel of a block lies at `here` in g, at `there` in x.
    """
    count, _, height, width = shape
    up, back = tap[0], tap[1]
    first, last = max(pixels[0], up), min(pixels[1], height + up)
    start, stop = max(pixels[2], back), min(pixels[3], width + back)
    length = max(stop - start, 0) * count
    if length == width * count:  # the rows lie in one piece
        length, last = length * (last - first), min(last, first + 1)
    whole = length - length % lanes
    for row in range(first, last):
        to = here + (row * width + start) * count
        of = there + ((row - up) * width + start - back) * count
        for k in range(0, whole, lanes):
            total = blocks.add_outer(total, g, to + k, x, of + k, stride, right, lanes)
        if whole < length:
            total = blocks.add_outer(
                total, g, to + whole, x, of + whole, stride, right, length - whole
            )
    return total


@inlined
def _add_products(sums, x, g, shape, stride, taps, together, left, right, rows, lanes):
    """Add the weight gradient of images, batch-last, to sums [block, block][tap][output, input]."""
    _, channels, height, width = shape
    for i in range(0, height, together[0]):
        for j in range(0, width, together[1]):
            pixels = i, min(i + together[0], height), j, min(j + together[1], width)
            at = 0
            for out in range(0, channels, left):
                for into in range(0, channels, right):  # a last block begins earlier
                    here = min(out, channels - left) * stride
                    there = min(into, channels - right) * stride
                    for tap in range(len(taps)):
                        total = blocks.zeros(x, rows, lanes)
                        total = _sum_pixels(
                            total, g, here, x, there, stride, pixels, taps[tap], shape, right, lanes
                        )
                        blocks.add_lane_sums(sums, at, total)
                        at += rows


@inlined
def _put_in_order(result, sums, channels, taps, left, right):
    """The sums [block, block][tap][output, input] as a flat kernel, in squares if it has them.

    Taps ascend.
    """
    area, rows, count = len(result) // channels**2, left * right, len(taps)
    in_one_piece = count >= SQUARE and taps[count - 1, 2] - taps[0, 2] == count - 1
    begin = 0
    for out in range(0, channels, left):
        for into in range(0, channels, right):  # a last block begins earlier, and so do squares
            here, there = min(out, channels - left), min(into, channels - right)
            for o in range(left):
                at, to = begin + o * right, ((here + o) * channels + there) * area
                if in_one_piece and right >= SQUARE:
                    for inputs_before in range(0, right, SQUARE):
                        c = min(inputs_before, right - SQUARE)
                        for taps_before in range(0, count, SQUARE):
                            t = min(taps_before, count - SQUARE)
                            square = blocks.load(sums, at + t * rows + c, rows, SQUARE, SQUARE)
                            place = to + c * area + taps[0, 2] + t
                            blocks.store(result, place, area, blocks.transposed(square))
                else:
                    for c in range(right):
                        for t in range(count):
                            result[to + c * area + taps[t, 2]] = sums[at + t * rows + c]
            begin += rows * count


@cache
def _kernel(left, right, lanes):
    """The compiled weight gradient for blocks of `left` output times `right` input channels."""
    rows, (_, half, quarter) = left * right, sides(lanes)

    def run(source, gradients, shape, strides, taps, options, result):
        count, channels, height, width = shape
        images, together = options[0], options[1:]
        copied = strides[0] != 1 and count > 1
        x, g, stride = source, gradients, height * width * count
        if copied:  # a vector more, so that the channels do not share the sets of a cache
            stride = height * width * images + lanes
            x, g = np.empty(channels * stride, x.dtype), np.empty(channels * stride, x.dtype)
        blocks_of_both = -(-channels // left) * -(-channels // right)
        sums = np.zeros(blocks_of_both * len(taps) * rows, source.dtype)
        for n in range(0, count, images):
            part = min(images, count - n), channels, height, width
            if copied:
                _copy_batch_last(source, x, n, part, strides, stride, lanes, half, quarter)
                _copy_batch_last(gradients, g, n, part, strides, stride, lanes, half, quarter)
            _add_products(sums, x, g, part, stride, taps, together, left, right, rows, lanes)
        _put_in_order(result, sums, channels, taps, left, right)

    return compiled(run)
