"""The operations of `textbook`, fast: many images at once, each SIMD lane an image.

Substitution is sequential over pixels but not over images, so `lanes` images go through it side by
side (for few images: the pixels of a diagonal; see `plan`). They are copied to a small working
memory, strip by strip, where a pixel's channels are vectors that lie side by side. A register block
(`blocks`) holds `rows` channels of one pixel; it starts as y, loses what the pixels before
contribute, and is solved with the triangle of the corner block:

    load y; for each earlier pixel and channel: multiply and add; substitute; store x.

Images are (N, C, H, W) and may lie batch-last in memory, as contiguous (C, H, W, N); results lie as
they do. Batch-first images are transposed in registers on their way in and out.

One order of summation, taps in raster order and channels ascending, with fused multiply-adds
throughout: an image has the same bits in any batch, however many lanes there are. Taps outside the
image are skipped, or multiply zeros.

An edit of `blocks` must be followed by one here, or the disk cache goes on serving the old code.
"""

from functools import cache
from typing import NamedTuple

import numba
import numpy as np
from llvmlite import binding

from cinc_ref.kernels.plan import reaching_taps, ring_plan, wave_plan
from cinc_ref.kernels.textbook import factor_corner

if numba.config.DISABLE_JIT:
    from cinc_ref.kernels import blocks_interpreted as blocks
else:
    from cinc_ref.kernels import blocks


def _vector_bytes():
    """The width of the registers; a wrong guess costs speed alone."""
    try:
        features = binding.get_host_cpu_features()
    except RuntimeError:  # LLVM does not know this kind of machine
        return 16
    return 64 if features.get("avx512f") else 32 if features.get("avx2") else 16


VECTOR_BYTES = _vector_bytes()
ROWS = 12 if VECTOR_BYTES == 64 else 6
"""The most channels in one block: 32 registers with AVX-512, else 16, hold it without spilling."""
LATENCY = 4
"""Cycles until a sum may be added to again: the fewest accumulators that keep the core busy."""
ONE_BY_ONE, BATCH_LAST, BATCH_FIRST = range(3)
"""How images are copied in and out: any way; whole vectors; or transposed in registers."""


def conv(x, kernel, dilation, anchor, flips=(False, False)):
    """y = M x; `flips` say whether rows and columns are walked backwards, from another corner."""
    return _run(x, kernel, dilation, anchor, flips, solving=False)


def conv_transpose(g, kernel, dilation, anchor, flips=(False, False)):
    """M^T g: the convolution from the opposite corner with channels exchanged."""
    return conv(g, *_transposed(kernel, dilation, anchor, flips))


def substitute(y, kernel, dilation, anchor, flips=(False, False)):
    """x = M^{-1} y."""
    return _run(y, kernel, dilation, anchor, flips, solving=True)


def substitute_transpose(g, kernel, dilation, anchor, flips=(False, False)):
    """M^{-T} g."""
    return substitute(g, *_transposed(kernel, dilation, anchor, flips))


def _transposed(kernel, dilation, anchor, flips):
    exchanged = np.ascontiguousarray(kernel.transpose(1, 0, 2, 3))
    return exchanged, dilation, anchor, (not flips[0], not flips[1])


class Weights(NamedTuple):
    """A kernel as the loops read it: in blocks of `rows` output channels, flat.

    Attributes
    ----------
    source, target : ndarray, shape (C,)
        Slot s takes channel source[s] in, and gives channel target[s].
    taps : ndarray
        [block][tap, slot][row], negated for substitution; last the pixel's own slots.
    lower : ndarray
        [block][row][column]: triangles for `blocks.substitute`; empty for the convolution.
    upper, upper_taps : ndarray
        The second factor of a corner block that is not triangular, slots and rows descending;
        empty for any other.
    """

    source: np.ndarray
    target: np.ndarray
    taps: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    upper_taps: np.ndarray


def _run(images, kernel, dilation, anchor, flips, solving):
    """Lay out tables and memory for each part of the batch, and run the compiled kernel on it."""
    count, channels, height, width = images.shape
    taps = reaching_taps(kernel.shape, (height, width), dilation, anchor)
    rows = -(-channels // -(-channels // ROWS))
    weights = _weights(kernel, taps, anchor, rows, solving)
    slots = -(-channels // rows) * rows
    source, strides = _flat(images)
    target = np.empty_like(source)
    quadrant = all(tap[1] >= 0 for tap in taps)
    parts = _parts(count, (height, width), rows, VECTOR_BYTES // images.itemsize, quadrant)
    for starts, lanes, together, wave in parts:
        square = min(lanes, VECTOR_BYTES // images.itemsize)
        if wave:
            plan = wave_plan((height, width), taps, flips, slots, lanes, together)
        else:
            plan = ring_plan((height, width), taps, flips, slots, lanes, square)
        if wave or count < lanes or (strides[0] != 1 and height * width < square):
            mode = ONE_BY_ONE
        else:
            mode = BATCH_LAST if strides[0] == 1 else BATCH_FIRST
        memory = _zeros(plan.length * (1 if solving else 2), images.dtype)
        run = _kernel(rows, lanes, square)
        shift = 0 if solving else plan.length
        run(source, target, memory, plan, weights, starts, strides, (together, shift, mode))
    if images.flags.c_contiguous:
        return target.reshape(images.shape)
    return target.reshape(channels, height, width, count).transpose(3, 0, 1, 2)


def _flat(images):
    """The memory of contiguous or batch-last images, and the strides of image, channel, pixel."""
    count, channels, height, width = images.shape
    if images.flags.c_contiguous:
        return images.reshape(-1), (channels * height * width, height * width, 1)
    return images.transpose(1, 2, 3, 0).reshape(-1), (1, height * width * count, count)


def _zeros(length, dtype):
    """Memory that starts on a cache line."""
    memory = np.zeros(length + VECTOR_BYTES, dtype)
    start = -memory.ctypes.data % VECTOR_BYTES // memory.itemsize
    return memory[start : start + length]


@cache
def _parts(count, size, rows, vector, quadrant):
    """The batch in parts: (first images, lanes, images side by side, whether on a wave).

    As many tiles of the most lanes as fit, then what costs least. A last tile that would reach
    beyond the batch begins earlier and does some images again.
    """
    lanes = _tile_sizes(rows, vector)[0]
    tiles, rest = divmod(count, lanes)
    parts = [(np.arange(tiles) * lanes, lanes, lanes, False)] if tiles else []
    for images, lanes, wave in _cheapest(rest, size, rows, vector, quadrant)[1]:
        first, together = count - rest, images
        if not wave and lanes <= count:
            first, together = min(first, count - lanes), lanes
        parts.append((np.array([first]), lanes, together, wave))
        rest -= images
    return tuple(parts)


@cache
def _cheapest(rest, size, rows, vector, quadrant):
    """Cost of a few images, about in cycles a term, and their parts (images, lanes, wave)."""
    if rest == 0:
        return 0, ()
    height, width = size
    call = 25 * rows
    options = []
    if quadrant:
        steps = -(-height * rest // vector) * (height + width - 1)
        options.append((call + steps * max(rows, LATENCY), ((rest, vector, True),)))
    for lanes in _tile_sizes(rows, vector):
        images = min(rest, lanes)
        cycles = rows * max(lanes / vector, 0.5)  # half a vector takes half the time, less does not
        later, parts = _cheapest(rest - images, size, rows, vector, quadrant)
        cost = call + height * width * max(cycles, LATENCY) + later
        options.append((cost, ((images, lanes, False), *parts)))
    return min(options)


def _tile_sizes(rows, vector):
    """Lanes of a tile, descending: vectors as long as registers are free for them, then half one."""
    lanes = [vectors * vector for vectors in (8, 4, 2) if vectors * rows <= ROWS]
    return [*lanes, vector, vector // 2]


def _jit(function, **options):
    try:
        return numba.njit(cache=True, error_model="numpy", **options)(function)
    except RuntimeError:  # read-only installation and no writable cache folder
        return numba.njit(error_model="numpy", **options)(function)


def _inlined(function):
    """Becomes part of the kernel that calls it, where the size of a block is a literal."""
    return numba.njit(inline="always", error_model="numpy")(function)


@_inlined
def _copy_in(source, memory, plan, part, n, channels, strides, mode, together, lanes, square):
    """Images from n on to their places in working memory; slot s receives channels[s]."""
    image, channel, pixel = strides
    first, last = plan.strips[part, 0], plan.strips[part, 1]
    for s in range(len(channels)):
        base, slot = n * image + channels[s] * channel, s * plan.stride
        if mode == BATCH_LAST:
            for p in range(first, last):
                vector = blocks.load(source, base + p * pixel, 0, 1, lanes)
                blocks.store(memory, plan.places[p] + slot, 0, vector)
        elif mode == BATCH_FIRST:
            for start in range(first, last, square):
                p = min(start, last - square)
                for k in range(0, lanes, square):
                    tile = blocks.load(source, base + k * image + p, image, square, square)
                    blocks.scatter(memory, slot + k, plan.places, p, blocks.transposed(tile))
        else:
            for p in range(first, last):
                for k in range(together):
                    memory[plan.places[p] + slot + k] = source[base + p * pixel + k * image]


@_inlined
def _copy_out(memory, result, plan, part, n, channels, strides, mode, together, lanes, square):
    """The inverse of `_copy_in`; channels[s] receives slot s."""
    image, channel, pixel = strides
    first, last = plan.strips[part, 0], plan.strips[part, 1]
    for s in range(len(channels)):
        base, slot = n * image + channels[s] * channel, s * plan.stride
        if mode == BATCH_LAST:
            for p in range(first, last):
                vector = blocks.load(memory, plan.places[p] + slot, 0, 1, lanes)
                blocks.store(result, base + p * pixel, 0, vector)
        elif mode == BATCH_FIRST:
            for start in range(first, last, square):
                p = min(start, last - square)
                for k in range(0, lanes, square):
                    tile = blocks.gather(memory, slot + k, plan.places, p, square, square)
                    blocks.store(result, base + k * image + p, image, blocks.transposed(tile))
        else:
            for p in range(first, last):
                for k in range(together):
                    result[base + p * pixel + k * image] = memory[plan.places[p] + slot + k]


@_inlined
def _sum_taps(total, memory, place, stride, offsets, counts, begin, own, weights, w, rows):
    """Add the runs of vectors that a pixel reads, the last one prolonged by `own`."""
    for k in range(len(counts)):
        if k >= begin:
            at = place + offsets[k]
            for t in range(counts[k] + (own if k == len(counts) - 1 else 0)):
                total = blocks.multiply_add(total, memory, at + t * stride, weights, w + t * rows)
        w += counts[k] * rows
    return total


@_inlined
def _substitute_back(memory, place, stride, slots, triangles, weights, rows, lanes):
    """Solve with an upper triangle: as with a lower one, from the last slot to the first."""
    top = place + (slots - 1) * stride
    for start in range(0, slots, rows):
        x = blocks.load(memory, top - start * stride, -stride, rows, lanes)
        for t in range(start):
            w = start * slots + t * rows
            x = blocks.multiply_add(x, memory, top - t * stride, weights, w)
        x = blocks.substitute(x, triangles, start * rows)
        blocks.store(memory, top - start * stride, -stride, x)


@cache
def _kernel(rows, lanes, square):
    """The compiled loops for one size of block; images are transposed in squares."""

    def run(source, result, memory, plan, weights, starts, strides, options):
        together, shift, mode = options
        stride, counts = plan.stride, plan.counts
        solving = len(weights.lower) > 0
        slots = -(-len(weights.source) // rows) * rows
        terms = counts.sum() + slots
        for n in starts:
            for part in range(len(plan.strips)):
                _copy_in(
                    source, memory, plan, part, n, weights.source, strides, mode, together, lanes, square
                )
                for step in range(plan.strips[part, 2], plan.strips[part, 3]):
                    place, phase, begin = plan.walk[step]
                    offsets = plan.offsets[phase]
                    for start in range(0, slots, rows):
                        x = blocks.zeros(memory, rows, lanes)
                        own = slots
                        if solving:
                            x = blocks.load(memory, place + start * stride, stride, rows, lanes)
                            own = start
                        x = _sum_taps(
                            x, memory, place, stride, offsets, counts, begin, own,
                            weights.taps, start * terms, rows,
                        )
                        if solving:
                            x = blocks.substitute(x, weights.lower, start * rows)
                        blocks.store(memory, place + shift + start * stride, stride, x)
                    if len(weights.upper):
                        _substitute_back(
                            memory, place, stride, slots, weights.upper, weights.upper_taps, rows, lanes
                        )
                _copy_out(
                    memory[shift:], result, plan, part, n, weights.target, strides, mode, together, lanes, square
                )

    return _jit(run)


def _weights(kernel, taps, anchor, rows, solving):
    """The `Weights` of a kernel."""
    corner = np.ascontiguousarray(kernel[:, :, anchor[0], anchor[1]])
    ascending, slots = _ascending(len(corner)), -(-len(corner) // rows) * rows
    nothing = corner.ravel()[:0]

    def packed(own, source, target, sign):
        table = _tap_table(taps, kernel.shape[3])
        return _packed_taps(kernel.ravel(), table, own, source, target, rows, sign)

    if not solving:
        taps = packed(corner, ascending, ascending, 1)
        return Weights(ascending, ascending, taps, nothing, nothing, nothing)
    above, below = _filled_triangles(corner)
    if above and below:
        order, lower, upper = factor_corner(corner)
        backward = np.eye(slots, dtype=corner.dtype)
        backward[: len(corner), : len(corner)] = upper
        backward = np.ascontiguousarray(backward[::-1, ::-1])
        all_slots = _ascending(slots)
        upper_taps = _packed_taps(
            nothing, _tap_table((), 0), backward, all_slots, all_slots, rows, -1
        )
        upper = _packed_triangles(backward, rows)
        taps, lower = packed(lower, order, ascending, -1), _packed_triangles(lower, rows)
        return Weights(order, ascending, taps, lower, upper, upper_taps)
    order = ascending
    if above:  # an upper triangle is a lower one with the channels in descending order
        order, corner = ascending[::-1].copy(), np.ascontiguousarray(corner[::-1, ::-1])
    taps = packed(corner, order, order, -1)
    return Weights(order, order, taps, _packed_triangles(corner, rows), nothing, nothing)


@cache
def _ascending(count):
    return np.arange(count)


@cache
def _tap_table(taps, width):
    """Where the taps are in a flat kernel of one input and one output channel."""
    return np.array([tap[2] * width + tap[3] for tap in taps], np.intp)


@_jit
def _filled_triangles(corner):
    """Whether anything stands above the diagonal, and whether anything stands below."""
    above = below = False
    for o in range(len(corner)):
        for c in range(o):
            above |= corner[c, o] != 0
            below |= corner[o, c] != 0
    return above, below


@_jit
def _packed_taps(kernel, taps, own, source, target, rows, sign):
    """Weights [block][tap, slot][row], 0 where a slot has no channel, those of `own` last; flat."""
    channels = len(own)
    slots = -(-channels // rows) * rows
    block = (len(taps) + 1) * slots * rows
    area = len(kernel) // channels**2
    weights = np.zeros(slots // rows * block, own.dtype)
    sign = own.dtype.type(sign)
    for s in range(channels):
        first = s // rows * block + s % rows
        for e in range(channels):
            read = (source[s] * channels + target[e]) * area
            for t in range(len(taps)):
                weights[first + (t * slots + e) * rows] = sign * kernel[read + taps[t]]
            weights[first + (len(taps) * slots + e) * rows] = sign * own[s, e]
    return weights


@_jit
def _packed_triangles(triangle, rows):
    """Triangles [block][row][column], negated but for the diagonals, which are 1 beyond the last."""
    channels = len(triangle)
    slots = -(-channels // rows) * rows
    triangles = np.zeros(slots * rows, triangle.dtype)
    for s in range(slots):
        triangles[s * rows + s % rows] = triangle[s, s] if s < channels else 1
        if s < channels:
            for e in range(s // rows * rows, s):
                triangles[s * rows + e % rows] = -triangle[s, e]
    return triangles
