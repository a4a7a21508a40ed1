"""The operations of `textbook`, fast: many images at once, each SIMD lane an image.

A call packs its kernel (`weights`), cuts the batch into parts (`tiling`), plans what lies and is
read where (`plan`), and runs the compiled `loops` on each part.

Images are (N, C, H, W) and may lie batch-last in memory, as contiguous (C, H, W, N); results lie as
they do. Tiles of whole vectors of batch-last images are read and written on the walk, what the next
pixel starts from prefetched; others are copied to working memory and back, strip by strip,
batch-first ones transposed in registers.

One order of summation, taps in raster order and channels ascending (descending where the corner
block is an upper triangle), with fused multiply-adds throughout: an image has the same bits in any
batch, however many lanes there are. Taps outside the image are skipped, or multiply zeros.
"""

import math
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

import numpy as np

from cinc_ref.kernels.copying import (
    BATCH_FIRST,
    BATCH_LAST,
    ON_THE_WALK,
    ONE_BY_ONE,
    PIXELS,
    memory_strides,
)
from cinc_ref.kernels.layout import laid_out
from cinc_ref.kernels.loops import (
    KERNEL_DOUBTFUL,
    NOT_GENERAL,
    RESULT_DOUBTFUL,
    compiled_loops,
)
from cinc_ref.kernels.memory import empty_like
from cinc_ref.kernels.plan import reaching_taps, ring_plan, wave_plan
from cinc_ref.kernels.tiling import LINE_BYTES, ROWS, VECTOR_BYTES, parts, sides
from cinc_ref.kernels.weight_gradient import conv_weight_grad
from cinc_ref.kernels.weights import packed_length

__all__ = ["conv", "conv_transpose", "conv_weight_grad", "substitute", "substitute_transpose"]

STRIP_BYTES = 3 * 2**13
"""Of a strip that is copied in, walked and copied out, all within the first cache."""
STRIP_ROWS = 2
"""The fewest of a strip: pixels of two rows, in turn, have sums that need not wait for one another.
One is enough where a pixel's channels are several vectors each, which need not wait either; if that
is read and written on the walk, cache lines that two tiles share, and those of a pixel in all the
channels, had better be few."""
SIDE_BY_SIDE_BYTES = 2**21
"""Of the memory of tiles that are walked side by side, about a second cache: a strip of one after
the same strip of the other, so that images are read almost as they lie."""
PAST_CACHES_BYTES = 2**22
"""Of results that would drive all else out of the caches: they are written past them, and must
start on a cache line, as `empty_like` lets results of this size."""
NOTHING = {4: np.empty(0, np.float32), 8: np.empty(0, np.float64)}
"""What loops share that are called once, by the size of a number."""


def conv(x, kernel, dilation, anchor, flips=(False, False), doubts=None):
    """y = M x; `flips` say whether rows and columns are walked backwards, from another corner.

    `doubts`, a list, becomes two booleans, which are False if all is well: the first with the
    result, which is finite; the second with the kernel, which is finite too and, where it is to be
    inverted, has a triangular corner block without a zero on the diagonal. They may be True
    although all is well.
    """
    return _run(x, kernel, dilation, anchor, flips, doubts, solving=False)


def conv_transpose(g, kernel, dilation, anchor, flips=(False, False), doubts=None):
    """M^T g: the convolution from the opposite corner with channels exchanged."""
    flips = not flips[0], not flips[1]
    return _run(g, kernel, dilation, anchor, flips, doubts, solving=False, exchanged=True)


def substitute(y, kernel, dilation, anchor, flips=(False, False), doubts=None):
    """x = M^{-1} y; `doubts` as in `conv`."""
    return _run(y, kernel, dilation, anchor, flips, doubts, solving=True)


def substitute_transpose(g, kernel, dilation, anchor, flips=(False, False), doubts=None):
    """M^{-T} g."""
    flips = not flips[0], not flips[1]
    return _run(g, kernel, dilation, anchor, flips, doubts, solving=True, exchanged=True)


def _run(images, kernel, dilation, anchor, flips, doubts, solving, exchanged=False):
    """Pack the kernel, and run the compiled loops on each part of the batch."""
    found = _arrangement(
        kernel.shape, images.shape, images.flags.c_contiguous, images.itemsize, dilation, anchor,
        flips, solving, exchanged,
    )  # fmt: skip
    shared = np.empty(found.shared, images.dtype) if found.shared else NOTHING[images.itemsize]
    result = empty_like(images)
    arrays, said = (kernel, shared, images.ravel("K"), result.ravel("K")), 0
    for plain, general, tables in found.calls:
        answer = plain(*arrays, tables)
        said |= general(*arrays, tables) if answer == NOT_GENERAL else answer
    if doubts is not None:
        doubts[:] = said & RESULT_DOUBTFUL, said & KERNEL_DOUBTFUL
    return result


class Arrangement(NamedTuple):
    """What a call depends on but for the numbers.

    Attributes
    ----------
    calls : list of tuples
        Of each part of the batch: the compiled loops, plain and general, and what they are told.
    shared : int
        How many numbers the loops share; 0 if they are called once.
    """

    calls: list
    shared: int


@lru_cache(maxsize=256)
def _arrangement(
    kernel_shape, shape, batch_first, itemsize, dilation, anchor, flips, solving, exchanged
):
    """The `Arrangement` of a call; looked up, for with few images it would outlast the loops."""
    count, channels, height, width = shape
    size, strides = (height, width), memory_strides(shape, batch_first)
    taps = reaching_taps(kernel_shape, size, dilation, anchor)
    read = [a * kernel_shape[3] + b for _, _, a, b in (*taps, (0, 0, *anchor))]
    rows = -(-channels // -(-channels // ROWS))
    slots = -(-channels // rows) * rows
    vector = VECTOR_BYTES // itemsize
    quadrant = all(tap[1] >= 0 for tap in taps)
    uses = (len(taps) + 1) * slots // rows  # of each number that is copied in
    calls = []
    cut = parts(count, size, rows, uses, vector, quadrant)
    for lanes, same in groupby(cut, key=lambda part: part[1]):
        planned = _beside(
            [_planned(part, shape, strides, itemsize, taps, flips, slots) for part in same]
        )
        tables = laid_out(
            read, planned, packs=not calls, channels=channels, slots=slots, solving=solving,
            exchanged=exchanged, image_stride=strides[0], channel_stride=strides[1],
            pixel_stride=strides[2],
        )  # fmt: skip
        loops = (compiled_loops(rows, lanes, vector, general) for general in (False, True))
        calls.append((*loops, tables))
    return Arrangement(calls, packed_length(slots, len(read), rows) if len(calls) > 1 else 0)


def _planned(part, shape, strides, itemsize, taps, flips, slots):
    """A part of the batch as `laid_out` takes it."""
    starts, lanes, together, wave = part
    count, _, *size = shape
    vector, filled = VECTOR_BYTES // itemsize, not wave and together == lanes  # all working memory
    mode = _copying(strides, math.prod(size), together, vector, filled)
    walked = mode == ON_THE_WALK
    if wave:
        plan = wave_plan(tuple(size), taps, flips, slots, lanes, together)
    else:
        pixels = max(vector, STRIP_BYTES // (slots * lanes * itemsize))
        least = 1 if walked and lanes > vector else STRIP_ROWS
        plan = ring_plan(tuple(size), taps, flips, slots, lanes, pixels, least)
    group, past_caches = 1, False
    if walked:
        whole_lines = not np.any(np.append(starts, (count, lanes)) * itemsize % LINE_BYTES)
        past_caches = whole_lines and itemsize * math.prod(shape) >= PAST_CACHES_BYTES
        group = min(max(SIDE_BY_SIDE_BYTES // (itemsize * plan.length), 1), len(starts))
    options = {
        "together": together, "mode": mode, "group": group, "past_caches": past_caches,
        "filled": filled, "keeps": 0, "beside": 0,
    }  # fmt: skip
    return starts, plan, options


def _beside(planned):
    """A few images beside a tile are done first, for it to write their results with its own.

    Each of their numbers is in a cache line of its own, which would be fetched twice.
    """
    if [options["mode"] for *_, options in planned] == [ON_THE_WALK, ONE_BY_ONE]:
        tile, few = (options for *_, options in planned)
        few["keeps"], tile["beside"] = 1, few["together"]
        planned = planned[::-1]
    return planned


def _copying(strides, pixels, together, vector, filled):
    """How the images of a tile come in and out."""
    batch_last = strides[0] == 1
    if batch_last and filled:
        return ON_THE_WALK
    side = max((side for side in sides(vector) if side <= together), default=0)
    if side == 0 or pixels < (PIXELS if batch_last else side):
        return ONE_BY_ONE
    return BATCH_LAST if batch_last else BATCH_FIRST
