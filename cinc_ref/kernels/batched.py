"""The operations of `textbook`, fast: many images at once, each SIMD lane an image.

The batch is cut into parts (`tiling`), and planned what lies and is read where (`plan`). The
compiled `loops` pack the kernel (`weights`) and go through the parts, those of the same lanes in
one call.

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
from itertools import groupby, product
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
from cinc_ref.kernels.textbook import corner_form
from cinc_ref.kernels.tiling import LINE_BYTES, ROWS, VECTOR_BYTES, parts, sides
from cinc_ref.kernels.weight_gradient import conv_weight_grad
from cinc_ref.kernels.weights import packed_length

__all__ = [
    "CONV",
    "CONV_TRANSPOSE",
    "KERNEL_DOUBTFUL",
    "RESULT_DOUBTFUL",
    "SUBSTITUTE",
    "SUBSTITUTE_TRANSPOSE",
    "arrangement",
    "conv",
    "conv_transpose",
    "conv_weight_grad",
    "run",
    "substitute",
    "substitute_transpose",
]

CONV, CONV_TRANSPOSE, SUBSTITUTE, SUBSTITUTE_TRANSPOSE = product((False, True), repeat=2)
"""Operations: whether the kernel is to be inverted, and whether transposed."""
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


def conv(x, kernel, dilation, anchor, flips=(False, False)):
    """y = M x; `flips` say whether rows and columns are walked backwards, from another corner."""
    return _run(CONV, x, kernel, dilation, anchor, flips)


def conv_transpose(g, kernel, dilation, anchor, flips=(False, False)):
    """M^T g: the convolution from the opposite corner with channels exchanged."""
    return _run(CONV_TRANSPOSE, g, kernel, dilation, anchor, flips)


def substitute(y, kernel, dilation, anchor, flips=(False, False)):
    """x = M^{-1} y."""
    return _run(SUBSTITUTE, y, kernel, dilation, anchor, flips)


def substitute_transpose(g, kernel, dilation, anchor, flips=(False, False)):
    """M^{-T} g."""
    return _run(SUBSTITUTE_TRANSPOSE, g, kernel, dilation, anchor, flips)


def _run(operation, images, kernel, dilation, anchor, flips):
    batch_first = images.flags.c_contiguous
    found = arrangement(
        operation, kernel.shape, images.shape, batch_first, images.itemsize, dilation, anchor, flips
    )
    return run(found, images, kernel)[0]


def run(arranged, images, kernel):
    """An operation as it was arranged, and whether its result and kernel are yet to be checked.

    That is `RESULT_DOUBTFUL` where the result may not be finite, and `KERNEL_DOUBTFUL` where the
    kernel may not be or, if it is to be inverted, has no triangular corner block or a zero on its
    diagonal; added up. All may be well although they are reported.
    """
    calls, shared, corner = arranged
    packed = np.empty(shared, images.dtype) if shared else NOTHING[images.itemsize]
    result = empty_like(images)
    arrays = kernel, packed, images.ravel("K"), result.ravel("K")
    doubts = 0 if calls else KERNEL_DOUBTFUL
    for plain, general, tables in calls:
        said = NOT_GENERAL
        # a dense corner block is no reason to compile what cannot do it
        if getattr(plain, "overloads", True) or not corner or _is_triangular(kernel, corner):
            said = plain(*arrays, tables)
        doubts |= general(*arrays, tables) if said == NOT_GENERAL else said
    return result, doubts


def _is_triangular(kernel, corner):
    above, below, _ = corner_form(np.ascontiguousarray(kernel[:, :, corner[0], corner[1]]))
    return not (above and below)


class Arrangement(NamedTuple):
    """What a call depends on but for the numbers.

    Attributes
    ----------
    calls : list of tuples
        The compiled loops, plain and general, and what they are told, of each call: of the parts
        of the batch that have the same lanes.
    shared : int
        How many numbers the calls share, the packed kernel; 0 if there is one call.
    corner : (int, int), optional
        The tap whose block is to be solved with.
    """

    calls: list
    shared: int
    corner: tuple | None


@lru_cache(maxsize=256)
def arrangement(operation, kernel_shape, shape, batch_first, itemsize, dilation, anchor, flips):
    """The `Arrangement` of a call; looked up, for with few images it would outlast the loops."""
    solving, transposed = operation
    if transposed:
        flips = not flips[0], not flips[1]
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
    for lanes, same in groupby(cut, key=lambda part: part.lanes):
        planned = [_planned(part, shape, strides, itemsize, taps, flips, slots) for part in same]
        tables = laid_out(
            read, _beside(planned), packs=not calls, channels=channels, slots=slots,
            solving=solving, exchanged=transposed, image_stride=strides[0],
            channel_stride=strides[1], pixel_stride=strides[2],
        )  # fmt: skip
        loops = (compiled_loops(rows, lanes, vector, general) for general in (False, True))
        calls.append((*loops, tables))
    shared = packed_length(slots, len(read), rows) if len(calls) > 1 else 0
    return Arrangement(calls, shared, anchor if solving else None)


def _planned(part, shape, strides, itemsize, taps, flips, slots):
    """A part of the batch, its `Plan` and its options, as `laid_out` takes them."""
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
    return part, plan, options


def _beside(planned):
    """A few images on a wave are done before the tile beside them, which writes their results.

    Each of their numbers is in a cache line of its own, which would be fetched twice.
    """
    if [options["mode"] for *_, options in planned] != [ON_THE_WALK, ONE_BY_ONE]:
        return planned
    (_, _, tile), (few, _, wave) = planned
    if few.wave:  # all of whose images stay in memory
        wave["keeps"], tile["beside"] = 1, few.together
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
