"""Images from their memory to that of the loops and back, batch-last or batch-first.

An edit of `blocks` must be followed by one here, or the disk cache goes on serving the old code.
"""

import numba
import numpy as np

from cinc_ref.kernels.compiling import blocks, compiled, inlined

ONE_BY_ONE, BATCH_FIRST, BATCH_LAST, ON_THE_WALK = range(4)
"""How images come in and out: number by number; as squares, transposed in registers; as vectors, of
some pixels at a time; not copied, but read and written as the walk comes to a pixel."""
PIXELS = 4
"""How many pixels of batch-last images are copied in one piece."""


def flat(images):
    """The memory of contiguous or batch-last images, and the strides of image, channel, pixel."""
    count, channels, height, width = images.shape
    pixels = height * width
    batch_first = images.flags.c_contiguous
    strides = (channels * pixels, pixels, 1) if batch_first else (1, pixels * count, count)
    return images.ravel(order="K"), strides


@compiled
def copy_strip(images, memory, places, strip, copy, inward, vector, half, quarter):
    """A strip of the images from n on, to (`inward`) or from its places in memory.

    The channel that begins at channels[s] is slot s, and images lie side by side.
    """
    numba.literally(vector), numba.literally(half), numba.literally(quarter)
    together, mode = copy[1], copy[5]
    if mode == ONE_BY_ONE:
        _copy_one_by_one(images, memory, places, strip, copy, inward)
    elif together >= vector:
        _copy_by(images, memory, places, strip, copy, inward, vector)
    elif together >= half:
        _copy_by(images, memory, places, strip, copy, inward, half)
    else:
        _copy_by(images, memory, places, strip, copy, inward, quarter)


@inlined
def _copy_by(images, memory, places, strip, copy, inward, side):
    """As `copy_strip`, in squares; the last ones begin earlier, and copy some again."""
    n, together, channels, stride, (image, _, pixel), mode = copy
    first, last = strip[0], strip[1]
    for s in range(len(channels)):
        base, slot = n * image + channels[s], s * stride
        if mode == BATCH_FIRST:
            for start in range(first, last, side):
                p = min(start, last - side)
                for images_before in range(0, together, side):
                    k = min(images_before, together - side)
                    place, at = base + k * image + p, slot + k
                    if inward:
                        tile = blocks.transposed(blocks.load(images, place, image, side, side))
                        blocks.scatter(memory, at, places, p, tile)
                    else:
                        tile = blocks.transposed(blocks.gather(memory, at, places, p, side, side))
                        blocks.store(images, place, image, tile)
        else:
            for start in range(first, last, PIXELS):
                p = min(start, last - PIXELS)
                for images_before in range(0, together, side):
                    k = min(images_before, together - side)
                    place, at = base + p * pixel + k, slot + k
                    if inward:
                        tile = blocks.load(images, place, pixel, PIXELS, side)
                        blocks.scatter(memory, at, places, p, tile)
                    else:
                        tile = blocks.gather(memory, at, places, p, PIXELS, side)
                        blocks.store(images, place, pixel, tile)


@inlined
def _copy_one_by_one(images, memory, places, strip, copy, inward):
    """As `copy_strip`, number by number."""
    n, together, channels, stride, (image, _, pixel), _ = copy
    first, last = strip[0], strip[1]
    fours = first + (last - first) // 4 * 4
    for s in range(len(channels)):
        for k in range(together):
            place, at = (n + k) * image + channels[s], s * stride + k
            for start in range(first, fours, 4):  # in one turn, which takes less time
                for p in range(start, start + 4):
                    _copy_number(images, memory, place + p * pixel, at, places, p, inward)
            for p in range(fours, last):
                _copy_number(images, memory, place + p * pixel, at, places, p, inward)


@inlined
def _copy_number(images, memory, place, at, places, p, inward):
    here = np.uintp(place)  # unsigned: no negative indices to look for
    there = np.uintp(at + places[np.uintp(p)])
    if inward:
        memory[there] = images[here]
    else:
        images[here] = memory[there]
