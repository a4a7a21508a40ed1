"""Tables for the fast kernels: where the pixels lie in working memory, and what each one reads.

The `loops` work in a memory of their own, whose unit is the vector: `lanes` numbers
side by side. A pixel owns `slots` vectors, one a channel, `stride` numbers apart. Two arrangements
fill it, and the loops see no difference between them:

- `ring_plan`: the lanes are images. Only as many image rows as the taps reach back to are kept, in
  a ring; taps outside the image are skipped. Within a strip of rows the walk goes along diagonals,
  so that a pixel does not read the one just before it, whose division is still under way.
- `wave_plan`: for few images. The lanes are the image rows, and within a row the images. Pixels of
  an anti-diagonal i + j = t depend on earlier diagonals only, so a whole diagonal is one vector.
  Zeros stand around the image.

Dilation, anchor, padded corner and half-planes are in these tables and nowhere else.
"""

from functools import cache, lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np


class Plan(NamedTuple):
    """One arrangement of images of one size in working memory.

    Attributes
    ----------
    length, scratch : int
        Numbers that working memory and scratch memory hold.
    stride : int
        From a channel of a pixel to the next, in both.
    homes, places : ndarray, shape (H * W,)
        Where pixel i * W + j of the first image lies in working and in scratch memory.
    strips : ndarray, shape (S, 4)
        Parts that are copied in, walked and copied out one after the other: the first and the last
        pixel in `places`, the first and the last of `stretches`.
    stretches : ndarray, shape (stretches, 4)
        Parts of the walk: the first and the last step, whether half the lanes are enough, and the
        first of these.
    walk : ndarray, shape (steps, 6)
        Of each step: where its pixel lies in working memory, where in scratch memory, the rows of
        `offsets` and `inside` that hold for it, the first run that is not above the image, and
        which pixel i * W + j of the image it is (of a ring alone).
    offsets : ndarray, shape (phases, runs)
        Where a run of consecutive vectors begins, relative to the pixel.
    terms : ndarray, shape (runs + 1,)
        Where the weights of each run begin, counted in vectors; the last run goes on with the
        channels of the pixel itself.
    inside : ndarray, shape (columns, 2 * runs)
        The first and the last vector of each run that lie inside the image, side by side.
    """

    length: int
    scratch: int
    stride: int
    homes: np.ndarray
    places: np.ndarray
    strips: np.ndarray
    stretches: np.ndarray
    walk: np.ndarray
    offsets: np.ndarray
    terms: np.ndarray
    inside: np.ndarray


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


@lru_cache(maxsize=64)
def ring_plan(size, taps, flips, slots, lanes, pixels, least):
    """Lanes are images; strips hold so many pixels and rows at least, where the image has them."""
    height, width = size
    up = max((tap[0] for tap in taps), default=0)
    rows = min(max(-(-pixels // width), least), height)  # what is left joins the last strip
    cuts = [*range(0, height - rows + 1, rows), height]
    if cuts[-2] == height:
        del cuts[-1]
    ring = up + max(stop - start for start, stop in pairwise(cuts))
    pixel, line = slots * lanes, width * slots * lanes
    i, j = np.divmod(np.arange(height * width), width)
    walked = i % ring * line + j * pixel
    runs = _runs(taps)
    ups = np.array([run[0][0] if run else 0 for run in runs])
    lefts = np.array([run[0][1] if run else 0 for run in runs])
    lengths = np.array([len(run) for run in runs])
    phases, columns = np.arange(ring)[:, np.newaxis], np.arange(width)[:, np.newaxis]
    offsets = ((phases - ups) % ring - phases) * line - lefts * pixel
    inside = np.clip([lefts - columns, lefts - columns + width], 0, lengths) * slots
    numbers = _flipped(np.arange(height * width), size, flips)  # by step; also steps by number
    strips = np.array(
        [
            (*_pixel_range(start, stop, size, flips[0]), strip, strip + 1)
            for strip, (start, stop) in enumerate(pairwise(cuts))
        ]
    )
    stretches = [(start * width, stop * width, 0, 0) for start, stop in pairwise(cuts)]
    firsts = np.repeat(strips[:, 0], strips[:, 1] - strips[:, 0])  # of the strip of each step
    scratch = (numbers - firsts) * pixel
    begins = np.sum(ups > i[:, np.newaxis], axis=1)
    walk = np.stack([walked, scratch, i % ring, j, begins, numbers], axis=1)
    wave = j + i * (1 + max(0, *(-tap[1] for tap in taps), 0))
    strip_of = np.repeat(np.arange(len(strips)), strips[:, 1] - strips[:, 0])
    walk = walk[np.lexsort((i, wave, strip_of))]
    return Plan(  # a vector more, so that neighbouring tiles do not share the sets of a cache
        ring * line + lanes,
        int(np.max(strips[:, 1] - strips[:, 0])) * pixel + lanes,
        lanes,
        walked[numbers],
        scratch[numbers],
        strips.astype(np.intp),
        np.array(stretches, np.intp),
        walk.astype(np.intp),
        offsets.astype(np.intp),
        np.cumsum([0, *lengths]) * slots,
        np.moveaxis(inside, 0, -1).reshape(width, -1),
    )


@lru_cache(maxsize=64)
def wave_plan(size, taps, flips, slots, lanes, images):
    """Lanes are image rows, and within a row the images; steps go through the anti-diagonals.

    Right only if no tap reads to the right of its pixel: what is computed beyond the right side is
    not zero then, but only pixels beyond it read that.
    """
    height, width = size
    up = max((tap[0] for tap in taps), default=0)
    back = max((tap[0] + tap[1] for tap in taps), default=0)
    vectors = -(-height * images // lanes)
    margin = up * images  # zeros, as the rows above the image
    stride = margin + vectors * lanes
    i, j = np.divmod(np.arange(height * width), width)
    walked = (back + i + j) * slots * stride + margin + i * images
    t, vector = wave_steps(size, lanes, images)
    steps = (back + t) * slots * stride + margin + vector * lanes
    offsets = [-(tap[0] + tap[1]) * slots * stride - tap[0] * images for tap in taps]
    stretches = _stretches(size, lanes, images, t, vector)
    walk = np.stack([steps, steps, 0 * t, np.minimum(t, back), 0 * t, 0 * t], axis=1)
    length = (back + height + width - 1) * slots * stride
    reaches = np.array([*(tap[0] + tap[1] for tap in taps), back + 1])  # no run of the pixel's own
    first_diagonals = np.arange(back + 1)[:, np.newaxis]
    lasts = np.where(reaches <= first_diagonals, slots, 0)  # before diagonal 0 all is 0
    places = _flipped(walked, size, flips)
    return Plan(
        length,
        length,
        stride,
        places,
        places,
        np.array([(0, height * width, 0, len(stretches))], np.intp),
        stretches,
        walk.astype(np.intp),
        np.array([[*offsets, 0]], np.intp),
        np.minimum(np.arange(len(taps) + 2), len(taps)) * slots,
        np.stack([0 * lasts, lasts], axis=-1).reshape(back + 1, -1),
    )


def wave_steps(size, lanes, images):
    """(diagonal, vector) of the steps of a wave: of those only that meet the image."""
    height, width = size
    vectors = -(-height * images // lanes)
    t, vector = (grid.ravel() for grid in np.indices((height + width - 1, vectors)))
    first_row = vector * lanes // images
    last_row = np.minimum(((vector + 1) * lanes - 1) // images, height - 1)
    meets = (first_row <= t) & (t - last_row < width)
    return t[meets], vector[meets]


def _stretches(size, lanes, images, t, vector):
    """The `stretches` of a wave: where a diagonal begins and ends, half a vector may be enough."""
    height, width = size
    half = lanes // 2
    first = np.maximum(t - width + 1, 0) * images - vector * lanes
    last = (np.minimum(t, height - 1) + 1) * images - vector * lanes
    kinds = np.where(last <= half, 1, np.where(first >= half, 2, 0))  # lower half, upper half, both
    starts = np.flatnonzero(np.diff(kinds, prepend=-1))
    stops = np.append(starts[1:], len(kinds))
    narrow, shift = kinds[starts] > 0, half * (kinds[starts] == 2)
    return np.stack([starts, stops, narrow, shift], axis=1).astype(np.intp)


def _runs(taps):
    """Lists of taps side by side; the last list, maybe empty, ends at the pixel itself."""
    runs = []
    for t, tap in enumerate(taps):
        if t and taps[t - 1][:2] == (tap[0], tap[1] + 1):
            runs[-1].append(tap)
        else:
            runs.append([tap])
    if not taps or taps[-1][:2] != (0, 1):
        runs.append([])
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
