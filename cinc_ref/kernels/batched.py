"""The operations of `textbook`, fast: many images at once, each SIMD lane an image.

Images are contiguous (C, H, W, N) here. Substitution is sequential over pixels but not over
images, so `lanes` images go through it side by side. A register block (`blocks`) holds `rows`
channels of one pixel; it starts as y, loses what the pixels before contribute, and is solved with
the triangle of the corner block:

    load y; for each earlier pixel and channel: multiply and add; substitute; store x.

The last rows of x stay in a small ring buffer (row, column, channel, lane), which the cache holds.
Where a term of the sum lies, relative to the pixel, stands in a table: dilation, anchor and
half-planes are in the tables and nowhere else. Taps outside the image are skipped, not multiplied.

One order of summation, taps in raster order and channels ascending, with fused multiply-adds
throughout: an image has the same bits in any batch, however many lanes there are.

An edit of `blocks` must be followed by one here, or the disk cache goes on serving the old code.
"""

from functools import cache
from typing import NamedTuple

import numba
import numpy as np
from llvmlite import binding

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


def conv(x, kernel, dilation, anchor, flips=(False, False)):
    """y = M x; `flips` say whether rows and columns are walked backwards, from another corner."""
    return _run(x, kernel, dilation, anchor, flips, ())


def conv_transpose(g, kernel, dilation, anchor, flips=(False, False)):
    """M^T g: the convolution from the opposite corner with channels exchanged."""
    exchanged = np.ascontiguousarray(kernel.transpose(1, 0, 2, 3))
    return conv(g, exchanged, dilation, anchor, (not flips[0], not flips[1]))


def substitute(y, kernel, dilation, anchor, flips=(False, False)):
    """x = M^{-1} y."""
    sweeps = _sweeps(np.ascontiguousarray(kernel[:, :, anchor[0], anchor[1]]))
    return _run(y, kernel, dilation, anchor, flips, sweeps)


def substitute_transpose(g, kernel, dilation, anchor, flips=(False, False)):
    """M^{-T} g."""
    exchanged = np.ascontiguousarray(kernel.transpose(1, 0, 2, 3))
    return substitute(g, exchanged, dilation, anchor, (not flips[0], not flips[1]))


def conv_weight_grad(x, g, kernel_shape, dilation, anchor, flips=(False, False)):
    """The gradient of <g, conv(x, K)> with respect to K, as one matrix product over all taps."""
    channels, height, width, _ = x.shape
    x, g = (a[:, :: -1 if flips[0] else 1, :: -1 if flips[1] else 1] for a in (x, g))
    taps = _taps(kernel_shape, height, width, dilation, anchor, True)
    read = np.zeros((len(taps), *x.shape), x.dtype)
    for t, (up, left, _, _) in enumerate(taps):
        to, from_ = (
            slice(max(left, 0), width + min(left, 0)),
            slice(max(-left, 0), width - max(left, 0)),
        )
        read[t][:, up:, to] = x[:, : height - up, from_]
    products = g.reshape(channels, -1) @ read.reshape(len(taps) * channels, -1).T
    gradient = np.zeros(kernel_shape, x.dtype)
    for t, (_, _, a, b) in enumerate(taps):
        gradient[:, :, a, b] = products[:, t * channels : (t + 1) * channels]
    return gradient


def _run(images, kernel, dilation, anchor, flips, sweeps):
    """Pad the batch to whole vectors, prepare the tables, and run the compiled kernel."""
    channels, height, width, count = images.shape
    rows = -(-channels // -(-channels // ROWS))
    lanes = _lanes(images.dtype.itemsize, rows, count)
    padded = images
    if count < lanes:
        padded = np.zeros((channels, height, width, lanes), images.dtype)
        padded[..., :count] = images
    result = np.empty_like(padded)
    taps = _taps(kernel.shape, height, width, dilation, anchor, not sweeps)
    tables = _tables(padded.shape, padded.dtype, taps, flips, lanes)
    if sweeps:
        forward, backward = (_packed(s, rows, padded.shape, lanes) for s in sweeps)
        weights = _tap_weights(-kernel, taps, sweeps[0].source, rows)
        run = _solve_kernel(rows, lanes)
        run(padded.ravel(), result.ravel(), tables, weights, forward, backward)
    else:
        ascending = np.arange(channels)
        weights = _tap_weights(kernel, taps, ascending, rows)
        outside = _places(ascending, rows, result[0].size)
        inside = _places(ascending, rows, lanes)
        run = _conv_kernel(rows, lanes)
        run(padded.ravel(), result.ravel(), tables, weights, outside, inside)
    return result if count == padded.shape[3] else np.ascontiguousarray(result[..., :count])


def _lanes(itemsize, rows, images):
    """Images side by side: one vector of them, or more where few rows leave registers free."""
    lanes = VECTOR_BYTES // itemsize
    for vectors in (8, 4, 2):
        if vectors * rows <= ROWS and vectors * lanes <= images:
            return vectors * lanes
    return lanes


class Sweep(NamedTuple):
    """One substitution: row s takes channel `source[s]` and gives channel `target[s]`."""

    source: np.ndarray
    target: np.ndarray
    triangle: np.ndarray


def _sweeps(corner):
    """The substitutions that solve with the corner block: first forward, then backward if any.

    An upper triangle is a lower one with the channels in descending order.
    """
    channels = len(corner)
    order, lower, upper = factor_corner(corner)
    ascending, descending = np.arange(channels), np.arange(channels)[::-1].copy()
    backward = Sweep(descending, descending, np.ascontiguousarray(upper[::-1, ::-1]))
    nothing = Sweep(ascending[:0], ascending[:0], corner[:0])
    if not np.any(np.triu(corner, 1)):
        return Sweep(ascending, ascending, corner), nothing
    if not np.any(np.tril(corner, -1)):
        return backward, nothing
    return Sweep(order, ascending, lower), backward


def _jit(function):
    try:
        return numba.njit(cache=True, error_model="numpy")(function)
    except RuntimeError:  # read-only installation and no writable cache folder
        return numba.njit(error_model="numpy")(function)


class Tables(NamedTuple):
    """Where things lie, for one image size and one set of taps.

    `origin`, `down` and `right` lead from pixel to pixel outside; `offsets` [ring row][term] to the
    terms in the buffer, relative to the pixel; terms of tap row k at column j run from
    `bounds[j, k, 0]` to `bounds[j, k, 1]`, and `above[i]` tap rows lie above the image at row i.
    """

    shape: tuple[int, int, int, int]
    origin: int
    down: int
    right: int
    ring: int
    offsets: np.ndarray
    bounds: np.ndarray
    above: np.ndarray
    buffer: np.ndarray


class Packed(NamedTuple):
    """A `Sweep` as the kernel reads it; of a sweep that is not there all arrays are empty."""

    source: np.ndarray
    target: np.ndarray
    slots: np.ndarray
    earlier: np.ndarray
    triangles: np.ndarray


def _tables(shape, dtype, taps, flips, lanes):
    channels, height, width, images = shape
    origin, down, right = 0, width * images, images
    if flips[0]:
        origin, down = origin + (height - 1) * down, -down
    if flips[1]:
        origin, right = origin + (width - 1) * right, -right
    ring, bounds, above = _reach(taps, height, width, channels)
    offsets = _tap_offsets(taps, ring, width, channels, lanes)
    buffer = _aligned(ring * width * channels * lanes, dtype)
    return Tables(shape, origin, down, right, ring, offsets, bounds, above, buffer)


def _aligned(length, dtype):
    """Memory that starts on a cache line."""
    memory = np.empty(length + VECTOR_BYTES, dtype)
    start = -memory.ctypes.data % VECTOR_BYTES // memory.itemsize
    return memory[start : start + length]


def _packed(sweep, rows, shape, lanes):
    stride = shape[1] * shape[2] * shape[3]
    earlier, triangles = _triangle_weights(sweep.triangle, rows)
    return Packed(
        _places(sweep.source, rows, stride),
        _places(sweep.target, rows, stride),
        _places(sweep.target, rows, lanes),
        earlier,
        triangles,
    )


@cache
def _conv_kernel(rows, lanes):
    """The compiled convolution for one size of block."""

    def run(source, result, tables, weights, outside, inside):
        channels, height, width, images = tables.shape
        bounds, buffer = tables.bounds, tables.buffer
        stride = tables.offsets.shape[1] * rows
        for tile in range(0, images, lanes):
            first = tables.origin + min(tile, images - lanes)
            for i in range(height):
                offsets = tables.offsets[i % tables.ring]
                for j in range(width):
                    place = first + i * tables.down + j * tables.right
                    pixel = (i % tables.ring * width + j) * channels * lanes
                    for start in range(0, len(inside), rows):
                        x = blocks.load(source, place, outside, start, rows, lanes)
                        blocks.store(buffer, pixel, inside, start, x)
                    for block in range(len(inside) // rows):
                        y = blocks.zeros(source, rows, lanes)
                        for k in range(tables.above[i], bounds.shape[1]):
                            for t in range(bounds[j, k, 0], bounds[j, k, 1]):
                                w = block * stride + t * rows
                                y = blocks.multiply_add(y, buffer, pixel + offsets[t], weights, w)
                        blocks.store(result, place, outside, block * rows, y)

    return _jit(run)


@cache
def _solve_kernel(rows, lanes):
    """The compiled substitution for one size of block."""

    def run(source, result, tables, weights, forward, backward):
        channels, height, width, images = tables.shape
        bounds, buffer = tables.bounds, tables.buffer
        stride = tables.offsets.shape[1] * rows
        for tile in range(0, images, lanes):
            first = tables.origin + min(tile, images - lanes)
            for i in range(height):
                offsets = tables.offsets[i % tables.ring]
                for j in range(width):
                    place = first + i * tables.down + j * tables.right
                    pixel = (i % tables.ring * width + j) * channels * lanes
                    for start in range(0, len(forward.slots), rows):
                        x = blocks.load(source, place, forward.source, start, rows, lanes)
                        for k in range(tables.above[i], bounds.shape[1]):
                            for t in range(bounds[j, k, 0], bounds[j, k, 1]):
                                w = start // rows * stride + t * rows
                                x = blocks.multiply_add(x, buffer, pixel + offsets[t], weights, w)
                        for e in range(start):
                            w = start * channels + e * rows
                            slot = pixel + forward.slots[e]
                            x = blocks.multiply_add(x, buffer, slot, forward.earlier, w)
                        x = blocks.substitute(x, forward.triangles, start * rows)
                        blocks.store(buffer, pixel, forward.slots, start, x)
                        blocks.store(result, place, forward.target, start, x)
                    for start in range(0, len(backward.slots), rows):
                        x = blocks.load(buffer, pixel, backward.slots, start, rows, lanes)
                        for e in range(start):
                            w = start * channels + e * rows
                            slot = pixel + backward.slots[e]
                            x = blocks.multiply_add(x, buffer, slot, backward.earlier, w)
                        x = blocks.substitute(x, backward.triangles, start * rows)
                        blocks.store(buffer, pixel, backward.slots, start, x)
                        blocks.store(result, place, backward.target, start, x)

    return _jit(run)


@_jit
def _taps(shape, height, width, dilation, anchor, whole):
    """(rows up, columns left, kernel row, kernel column) of the taps that can meet the image.

    In raster order, up to the anchor; the anchor is one of them if `whole`.
    """
    p, q = anchor
    taps = np.empty((shape[2] * shape[3], 4), np.intp)
    count = 0
    for a in range(p + 1):
        for b in range(shape[3] if a < p else q + whole):
            up, left = (p - a) * dilation, (q - b) * dilation
            if up < height and abs(left) < width:
                taps[count] = (up, left, a, b)
                count += 1
    return taps[:count]


@_jit
def _reach(taps, height, width, channels):
    """The rows that the taps reach, the current one included; `bounds` and `above` of `Tables`."""
    lines = np.zeros(len(taps), np.intp)  # which of the kernel rows in use each tap is in
    for t in range(1, len(taps)):
        lines[t] = lines[t - 1] + (taps[t, 2] != taps[t - 1, 2])
    count = lines[-1] + 1 if len(taps) else 0
    ring = 1
    above = np.zeros(height, np.intp)
    bounds = np.zeros((width, count, 2), np.intp)
    for t in range(len(taps)):
        ring = max(ring, taps[t, 0] + 1)
        for i in range(min(taps[t, 0], height)):
            above[i] = max(above[i], lines[t] + 1)
        for j in range(width):
            if 0 <= j - taps[t, 1] < width:
                if bounds[j, lines[t], 1] == 0:
                    bounds[j, lines[t], 0] = t * channels
                bounds[j, lines[t], 1] = (t + 1) * channels
    return ring, bounds, above


@_jit
def _tap_weights(kernel, taps, source, rows):
    """Weights [block][tap, channel][row], 0 for rows beyond the last channel; flat."""
    channels = len(kernel)
    count = -(-channels // rows)
    weights = np.zeros((count, len(taps) * channels, rows), kernel.dtype)
    for s in range(channels):
        for t in range(len(taps)):
            for c in range(channels):
                weight = kernel[source[s], c, taps[t, 2], taps[t, 3]]
                weights[s // rows, t * channels + c, s % rows] = weight
    return weights.ravel()


@_jit
def _triangle_weights(triangle, rows):
    """Weights [block][earlier row][row] and triangles [block][row][column]; flat.

    All are negated, to be added, but the diagonals; rows beyond the last have the diagonal 1.
    """
    channels = len(triangle)  # none, where there is no such sweep
    count = -(-channels // rows)
    earlier = np.zeros((count, channels, rows), triangle.dtype)
    triangles = np.zeros((count, rows, rows), triangle.dtype)
    for block in range(count):
        for r in range(rows):
            s = block * rows + r
            triangles[block, r, r] = 1
            if s < channels:
                for e in range(block * rows):
                    earlier[block, e, r] = -triangle[s, e]
                for e in range(r):
                    triangles[block, r, e] = -triangle[s, block * rows + e]
                triangles[block, r, r] = triangle[s, s]
    return earlier.ravel(), triangles.ravel()


@_jit
def _tap_offsets(taps, ring, width, channels, lanes):
    """For each row of the ring: where the terms lie in the buffer, relative to the pixel."""
    offsets = np.empty((ring, len(taps) * channels), np.intp)
    for row in range(ring):
        for t in range(len(taps)):
            rows_down = (row - taps[t, 0]) % ring - row
            pixels = rows_down * width - taps[t, 1]
            for c in range(channels):
                offsets[row, t * channels + c] = (pixels * channels + c) * lanes
    return offsets


@_jit
def _places(channels, rows, stride):
    """stride * channel for the rows of all blocks; rows beyond the last channel repeat it."""
    places = np.empty(-(-len(channels) // rows) * rows, np.intp)
    for s in range(len(places)):
        places[s] = channels[min(s, len(channels) - 1)] * stride
    return places
