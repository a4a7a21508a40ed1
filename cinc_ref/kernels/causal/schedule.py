"""Schedules: where pixels lie in working memory, what each reads, and in which order they come.

The sweep works in a memory of its own, whose unit is the vector: `lanes` numbers side by side. A
pixel owns one vector for each channel, `channel_stride` numbers apart. There are two schedules, and
the sweep sees no difference between them:

- `row_ring_schedule`: the lanes are images. A ring holds as many image rows as the taps reach back
  to; taps outside the image are skipped. Within a strip of rows the steps go along diagonals, so
  that a pixel does not read the one just before it, whose division is still under way.
- `wavefront_schedule`: for few images. The lanes are the image rows, and within a row the images.
  Pixels of an anti-diagonal i + j = t depend on earlier diagonals only, so a whole diagonal is one
  vector. Zeros stand around the image.

Dilation, anchor, padded corner and half-planes are in these tables and nowhere else.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np

from cinc_ref._typing import IntegerArray

__all__ = [
    "Placement",
    "Schedule",
    "Tap",
    "reaching_taps",
    "row_ring_schedule",
    "wavefront_schedule",
    "wavefront_steps",
]

Tap: TypeAlias = tuple[int, int, int, int]
"""Rows up and columns left that a tap reads, and its row and column in the kernel."""

Placement: TypeAlias = tuple[int, tuple[int, int], tuple[bool, bool]]
"""Dilation, anchor, and whether rows and columns run backwards."""


class Schedule(NamedTuple):
    """A sweep through images of one size.

    Attributes
    ----------
    memory_length, scratch_length : int
        Numbers that working memory and scratch memory hold.
    channel_stride : int
        Distance from a channel of a pixel to the next, in both.
    pixel_offsets, scratch_offsets : ndarray, shape (H * W,)
        Where pixel i * W + j of the first image lies in working and in scratch memory.
    strips : ndarray, shape (strips, 4)
        Parts that are transferred, swept and transferred back one after the other: first and last
        pixel, first and last step.
    steps : ndarray, shape (H * W or more, 6)
        For each step: where its pixel lies in working memory and in scratch memory, the rows of
        `run_offsets` and `run_bounds` that hold for it, the first run that is not above the image,
        and the number i * W + j of the pixel (row rings only).
    run_offsets : ndarray, shape (phases, runs)
        Where a run of consecutive vectors begins, relative to the pixel.
    run_weights : ndarray, shape (runs + 1,)
        Where the weights of each run begin, in vectors; the last run goes on with the channels of
        the pixel itself.
    run_bounds : ndarray, shape (columns, 2 * runs)
        The first and the last vector of each run that lie inside the image, side by side. Of the
        first row the last run is empty.
    """

    memory_length: int
    scratch_length: int
    channel_stride: int
    pixel_offsets: IntegerArray
    scratch_offsets: IntegerArray
    strips: IntegerArray
    steps: IntegerArray
    run_offsets: IntegerArray
    run_weights: IntegerArray
    run_bounds: IntegerArray


def reaching_taps(
    kernel_shape: Sequence[int], size: tuple[int, int], dilation: int, anchor: tuple[int, int]
) -> tuple[Tap, ...]:
    """List the taps before the anchor that can meet an image of this size, in raster order.

    Each is (rows up, columns left, kernel row, kernel column).
    """
    (p, q), (height, width) = anchor, size
    taps = [
        ((p - a) * dilation, (q - b) * dilation, a, b)
        for a in range(p + 1)
        for b in range(kernel_shape[3] if a < p else q)
    ]
    return tuple(tap for tap in taps if tap[0] < height and abs(tap[1]) < width)


def row_ring_schedule(
    size: tuple[int, int],
    taps: Sequence[Tap],
    flips: tuple[bool, bool],
    padded_channels: int,
    lanes: int,
    strip_pixels: int,
    strip_rows: int,
) -> Schedule:
    """Schedule a tile whose lanes are images.

    A strip holds at least `strip_pixels` pixels and `strip_rows` rows, where the image has them.
    """
    height, width = size
    cuts = _strip_cuts(size, strip_pixels, strip_rows)
    up = max((tap[0] for tap in taps), default=0)
    ring = up + max(stop - start for start, stop in pairwise(cuts))
    pixel, line = padded_channels * lanes, width * padded_channels * lanes
    i, j = np.divmod(np.arange(height * width), width)
    swept = i % ring * line + j * pixel
    numbers = _flipped(np.arange(height * width), size, flips)  # by step; also steps by number
    strips = np.array(
        [
            (*_pixel_range(start, stop, size, flips[0]), start * width, stop * width)
            for start, stop in pairwise(cuts)
        ]
    )
    strip_lengths = strips[:, 1] - strips[:, 0]
    scratch = (numbers - np.repeat(strips[:, 0], strip_lengths)) * pixel
    runs = _runs(taps)
    ups = np.array([run[0][0] if run else 0 for run in runs])
    first_runs = np.sum(ups > i[:, np.newaxis], axis=1)
    steps = np.stack([swept, scratch, 1 + i % ring, 1 + j, first_runs, numbers], axis=1)
    diagonal = j + i * (1 + max(0, *(-tap[1] for tap in taps), 0))
    strip = np.repeat(np.arange(len(strips)), strip_lengths)
    return Schedule(
        # one vector more, so that neighbouring tiles do not share the sets of a cache
        memory_length=ring * line + lanes,
        scratch_length=int(np.max(strip_lengths)) * pixel + lanes,
        channel_stride=lanes,
        pixel_offsets=swept[numbers],
        scratch_offsets=scratch[numbers],
        strips=strips,
        steps=steps[np.lexsort((i, diagonal, strip))],
        **_row_ring_runs(runs, width, ring, padded_channels, pixel, line),
    )


def _strip_cuts(size, strip_pixels, strip_rows):
    """Return the rows at which strips begin and end; the remainder joins the last strip."""
    height, width = size
    rows = min(max(-(-strip_pixels // width), strip_rows), height)
    return [*range(0, height - rows + 1, rows), height]


def _row_ring_runs(runs, width, ring, padded_channels, pixel, line):
    """Tables of the runs of a row ring: offsets by row of the ring, bounds by column."""
    ups = np.array([run[0][0] if run else 0 for run in runs])
    lefts = np.array([run[0][1] if run else 0 for run in runs])
    lengths = np.array([len(run) for run in runs])
    phases, columns = np.arange(ring)[:, np.newaxis], np.arange(width)[:, np.newaxis]
    offsets = ((phases - ups) % ring - phases) * line - lefts * pixel
    inside = np.clip([lefts - columns, lefts - columns + width], 0, lengths) * padded_channels
    return {
        "run_offsets": _with_zero_row(offsets),
        "run_weights": np.cumsum([0, *lengths]) * padded_channels,
        "run_bounds": _with_zero_row(np.moveaxis(inside, 0, -1).reshape(width, -1)),
    }


def wavefront_schedule(
    size: tuple[int, int],
    taps: Sequence[Tap],
    flips: tuple[bool, bool],
    padded_channels: int,
    lanes: int,
    images: int,
) -> Schedule:
    """Schedule a few images whose rows are the lanes, in steps along the anti-diagonals.

    No tap may read to the right of its pixel: what is computed beyond the right side is not zero
    then, but only pixels beyond it read that.
    """
    height, width = size
    up = max((tap[0] for tap in taps), default=0)
    back = max((tap[0] + tap[1] for tap in taps), default=0)
    margin = up * images  # zeros, as the rows above the image
    stride = margin + -(-height * images // lanes) * lanes
    diagonal = padded_channels * stride
    i, j = np.divmod(np.arange(height * width), width)
    swept = (back + i + j) * diagonal + margin + i * images
    t, vector = wavefront_steps(size, lanes, images)
    places = (back + t) * diagonal + margin + vector * lanes
    steps = np.stack([places, places, 0 * t + 1, 1 + np.minimum(t, back), 0 * t, 0 * t], axis=1)
    length = (back + height + width - 1) * diagonal
    offsets = [-(tap[0] + tap[1]) * diagonal - tap[0] * images for tap in taps]
    reaches = np.array([*(tap[0] + tap[1] for tap in taps), back + 1])  # no run of the pixel's own
    first_diagonals = np.arange(back + 1)[:, np.newaxis]
    lasts = np.where(reaches <= first_diagonals, padded_channels, 0)  # before diagonal 0 all is 0
    pixel_offsets = _flipped(swept, size, flips)
    return Schedule(
        memory_length=length,
        scratch_length=length,
        channel_stride=stride,
        pixel_offsets=pixel_offsets,
        scratch_offsets=pixel_offsets,
        strips=np.array([(0, height * width, 0, len(steps))]),
        steps=steps,
        run_offsets=_with_zero_row(np.array([[*offsets, 0]])),
        run_weights=np.minimum(np.arange(len(taps) + 2), len(taps)) * padded_channels,
        run_bounds=_with_zero_row(np.stack([0 * lasts, lasts], axis=-1).reshape(back + 1, -1)),
    )


def wavefront_steps(
    size: tuple[int, int], lanes: int, images: int
) -> tuple[IntegerArray, IntegerArray]:
    """List (diagonal, vector) of the steps of a wavefront: those that meet the image."""
    height, width = size
    vectors = -(-height * images // lanes)
    t, vector = (grid.ravel() for grid in np.indices((height + width - 1, vectors)))
    first_row = vector * lanes // images
    last_row = np.minimum(((vector + 1) * lanes - 1) // images, height - 1)
    meets = (first_row <= t) & (t - last_row < width)
    return t[meets], vector[meets]


def _runs(taps):
    """List the taps in runs side by side; the last run, maybe empty, ends at the pixel itself."""
    runs = []
    for t, tap in enumerate(taps):
        if t and taps[t - 1][:2] == (tap[0], tap[1] + 1):
            runs[-1].append(tap)
        else:
            runs.append([tap])
    if not taps or taps[-1][:2] != (0, 1):
        runs.append([])
    return runs


def _with_zero_row(table):
    """Put a row of zeros first: with it, a pixel reads its own channels alone."""
    return np.vstack([np.zeros_like(table[:1]), table])


def _pixel_range(start, stop, size, flipped):
    """The pixels of swept rows start to stop, which run from the bottom if flipped."""
    height, width = size
    if flipped:
        start, stop = height - stop, height - start
    return start * width, stop * width


def _flipped(values, size, flips):
    """Reorder one value for each pixel from the order of the sweep to that of the image."""
    rows, columns = (slice(None, None, -1 if flip else 1) for flip in flips)
    return np.ascontiguousarray(values.reshape(size)[rows, columns]).ravel()
