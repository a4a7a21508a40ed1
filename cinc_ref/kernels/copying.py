"""Images from their memory to that of the loops and back, batch-last or batch-first."""

from typing import NamedTuple

import numba
import numpy as np

from cinc_ref.kernels.compiling import blocks, compiled, inlined

CALLEES = "a7164793"
"""Digest of `blocks` and `tiling`."""
ONE_BY_ONE, BATCH_FIRST, BATCH_LAST, ON_THE_WALK = range(4)
"""How images come in and out: number by number; as squares, transposed in registers; as vectors, of
some pixels at a time; not copied, but read and written as the walk comes to a pixel."""
PIXELS = 4
"""How many pixels of batch-last images are copied in one piece."""


def memory_strides(shape, batch_first):
    """From image to image, channel to channel and pixel to pixel in memory."""
    count, channels, height, width = shape
    pixels = height * width
    return (channels * pixels, pixels, 1) if batch_first else (1, pixels * count, count)


class Copy(NamedTuple):
    """What is copied between images and working memory, in integers.

    Attributes
    ----------
    n, together : int
        The first image, and how many; they lie side by side in memory.
    first_channel, channels : int
        Which of the `begins` are those of slots 0 to `channels`: where the channel begins in an
        image.
    stride : int
        From a slot to the next in memory.
    places, first, last : int
        Where the table of places in memory begins, and that the pixels from `first` up to `last`
        are copied.
    image_stride, pixel_stride : int
        Of the images.
    mode, inward : int
        How they come in or go out, and 1 if they come in.
    """

    n: int
    together: int
    first_channel: int
    channels: int
    stride: int
    places: int
    first: int
    last: int
    image_stride: int
    pixel_stride: int
    mode: int
    inward: int


@compiled
def copy_strip(images, memory, begins, tables, copy, vector, half, quarter):
    """Copy some pixels of some images, as the `Copy` says."""
    numba.literally(vector), numba.literally(half), numba.literally(quarter)
    if copy.mode == ONE_BY_ONE:
        _copy_one_by_one(images, memory, begins, tables, copy)
    elif copy.together >= vector:
        _copy_by(images, memory, begins, tables, copy, vector)
    elif copy.together >= half:
        _copy_by(images, memory, begins, tables, copy, half)
    else:
        _copy_by(images, memory, begins, tables, copy, quarter)


@inlined
def _copy_by(images, memory, begins, tables, copy, side):
    """As `copy_strip`, in squares; the last ones begin earlier, and copy some again."""
    first, last, image, pixel = copy.first, copy.last, copy.image_stride, copy.pixel_stride
    for s in range(copy.channels):
        base, slot = copy.n * image + begins[copy.first_channel + s], s * copy.stride
        if copy.mode == BATCH_FIRST:
            for start in range(first, last, side):
                p = min(start, last - side)
                for images_before in range(0, copy.together, side):
                    k = min(images_before, copy.together - side)
                    place, at = base + k * image + p, slot + k
                    if copy.inward:
                        tile = blocks.transposed(blocks.load(images, place, image, side, side))
                        blocks.scatter(memory, at, tables, copy.places + p, tile)
                    else:
                        tile = blocks.gather(memory, at, tables, copy.places + p, side, side)
                        blocks.store(images, place, image, blocks.transposed(tile))
        else:
            for start in range(first, last, PIXELS):
                p = min(start, last - PIXELS)
                for images_before in range(0, copy.together, side):
                    k = min(images_before, copy.together - side)
                    place, at = base + p * pixel + k, slot + k
                    if copy.inward:
                        tile = blocks.load(images, place, pixel, PIXELS, side)
                        blocks.scatter(memory, at, tables, copy.places + p, tile)
                    else:
                        tile = blocks.gather(memory, at, tables, copy.places + p, PIXELS, side)
                        blocks.store(images, place, pixel, tile)


@inlined
def _copy_one_by_one(images, memory, begins, tables, copy):
    """As `copy_strip`, number by number."""
    first, last = copy.first, copy.last
    fours = first + (last - first) // 4 * 4
    for s in range(copy.channels):
        for k in range(copy.together):
            place = (copy.n + k) * copy.image_stride + begins[copy.first_channel + s]
            at = s * copy.stride + k
            for start in range(first, fours, 4):  # in one turn, which takes less time
                for p in range(start, start + 4):
                    _copy_number(images, memory, place, at, tables, copy, p)
            for p in range(fours, last):
                _copy_number(images, memory, place, at, tables, copy, p)


@inlined
def _copy_number(images, memory, place, at, tables, copy, p):
    here = np.uintp(place + p * copy.pixel_stride)  # unsigned: no negative indices to look for
    there = np.uintp(at + tables[np.uintp(copy.places + p)])
    if copy.inward:
        memory[there] = images[here]
    else:
        images[here] = memory[there]
