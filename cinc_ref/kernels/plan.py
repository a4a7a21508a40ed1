"""Tables for the fast kernels: where the pixels lie in working memory, and what each one reads.

The kernels of `batched` work in a memory of their own, whose unit is the vector: `lanes` numbers
side by side. A pixel owns `slots` vectors, one a channel, `stride` numbers apart. Two arrangements
fill it, and the kernels see no difference between them:

- `ring_plan`: the lanes are images. Only as many image rows as the taps reach back to are kept, in
  a ring; columns of zeros stand where taps reach beyond the left and right side.
- `wave_plan`: for few images. The lanes are the image rows, and within a row the images. Pixels of
  an anti-diagonal i + j = t depend on earlier diagonals only, so a whole diagonal is one vector.

Dilation, anchor, padded corner and half-planes are in these tables and nowhere else.
"""

from functools import cache
from typing import NamedTuple

import numpy as np


class Plan(NamedTuple):
    """One arrangement of images of one size in working memory.

    Attributes
    ----------
    length : int
        Numbers that the memory holds.
    stride : int
        From a channel of a pixel to the next.
    places : ndarray, shape (H * W,)
        Where pixel i * W + j of the first image lies.
    strips : ndarray, shape (S, 4)
        Parts that are copied in, walked and copied out one after the other: the first and the last
        pixel in `places`, the first and the last step of `walk`.
    walk : ndarray, shape (steps, 3)
        Where the pixel of each step lies, the row of `offsets` that holds for it, and the first run
        that lies inside the image.
    offsets : ndarray, shape (phases, runs)
        Where a run of consecutive vectors begins, relative to the pixel.
    counts : ndarray, shape (runs,)
        How many vectors; the last run goes on with the channels of the pixel itself.
    """

    length: int
    stride: int
    places: np.ndarray
    strips: np.ndarray
    walk: np.ndarray
    offsets: np.ndarray
    counts: np.ndarray


@cache
def reaching_taps(kernel_shape, size, dilation, anchor):
    """(rows up, columns left, kernel row, kernel column) of the taps before the anchor, in order.

    Of those only that can meet an image of this size.
    """
    (p, q), (height, width) = anchor, size
    taps = [
        ((p - a) * dilation, (q - b) * dilation, a, b)
        for a in range(p + 1)
        for b in range(kernel_shape[3] if a < p else q)
    ]
    return tuple(tap for tap in taps if tap[0] < height and abs(tap[1]) < width)


@cache
def ring_plan(size, taps, flips, slots, lanes, group):
    """Lanes are images; strips hold at least `group` pixels, where the image has as many."""
    height, width = size
    left = max(0, *(tap[1] for tap in taps), 0)
    right = max(0, *(-tap[1] for tap in taps), 0)
    up = max((tap[0] for tap in taps), default=0)
    rows = min(-(-group // width), height)  # in a strip; what is left over joins the last one
    cuts = [*range(0, height - rows + 1, rows), height]
    if cuts[-2] == height:
        del cuts[-1]
    ring = up + max(stop - start for start, stop in zip(cuts[:-1], cuts[1:], strict=True))
    pixel, line = slots * lanes, (left + width + right) * slots * lanes
    i, j = np.divmod(np.arange(height * width), width)
    walked = i % ring * line + (left + j) * pixel
    runs = _runs(taps, slots)
    ups = np.array([taps[first][0] if count else 0 for first, count in runs])
    lefts = [taps[first][1] if count else 0 for first, count in runs]
    phases = np.arange(ring)[:, np.newaxis]
    offsets = ((phases - ups) % ring - phases) * line - np.multiply(lefts, pixel)
    walk = np.stack([walked, i % ring, np.sum(ups > i[:, np.newaxis], axis=1)], axis=1)
    strips = [
        (*_pixel_range(start, stop, size, flips[0]), start * width, stop * width)
        for start, stop in zip(cuts[:-1], cuts[1:], strict=True)
    ]
    return Plan(
        ring * line,
        lanes,
        _flipped(walked, size, flips),
        np.array(strips, np.intp),
        walk.astype(np.intp),
        offsets.astype(np.intp),
        np.array([count for _, count in runs], np.intp),
    )


@cache
def wave_plan(size, taps, flips, slots, lanes, images):
    """Lanes are image rows, and within a row the images; steps go through the anti-diagonals.

    Right only if no tap reads to the right of its pixel: what is computed beyond the right side is
    not zero then, but only pixels beyond it read that.
    """
    height, width = size
    up = max((tap[0] for tap in taps), default=0)
    back = max((tap[0] + tap[1] for tap in taps), default=0)
    vectors = -(-height * images // lanes)
    margin = -(-up * images // lanes) * lanes  # zeros, as the rows above the image
    stride = margin + vectors * lanes
    i, j = np.divmod(np.arange(height * width), width)
    walked = (back + i + j) * slots * stride + margin + i * images
    diagonals = np.arange(back, back + height + width - 1) * slots * stride + margin
    steps = (diagonals[:, np.newaxis] + np.arange(vectors) * lanes).ravel()
    offsets = [-(tap[0] + tap[1]) * slots * stride - tap[0] * images for tap in taps]
    return Plan(
        (back + height + width - 1) * slots * stride,
        stride,
        _flipped(walked, size, flips),
        np.array([(0, height * width, 0, len(steps))], np.intp),
        np.stack([steps, 0 * steps, 0 * steps], axis=1).astype(np.intp),
        np.array([[*offsets, 0]], np.intp),
        np.array([*(slots for _ in taps), 0], np.intp),
    )


def _runs(taps, slots):
    """(first tap, vectors) of taps side by side; the last run, maybe empty, ends at the pixel."""
    runs = []
    for t, (up, left, _, _) in enumerate(taps):
        if runs and taps[t - 1][:2] == (up, left + 1):
            runs[-1][1] += slots
        else:
            runs.append([t, slots])
    if not taps or taps[-1][:2] != (0, 1):
        runs.append([len(taps), 0])
    return runs


def _pixel_range(start, stop, size, flipped):
    """The pixels of walked rows start to stop, which run from the bottom if flipped."""
    height, width = size
    if flipped:
        start, stop = height - stop, height - start
    return start * width, stop * width


def _flipped(walked, size, flips):
    """Places of the pixels as they lie in the image, from places in the order of the walk."""
    rows, columns = (slice(None, None, -1 if flip else 1) for flip in flips)
    return np.ascontiguousarray(walked.reshape(size)[rows, columns]).ravel()
