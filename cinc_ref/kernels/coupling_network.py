"""The gradient of coupling networks as matrix products on tiles that stay in the cache.

Images are contiguous (C, P, N) here, P = H*W pixels in raster order. A network is k x k, 1x1 and
k x k convolutions with ReLU between them, which `stacked_convs` applies. Its hidden layers are ten
times as large as the images: written to memory and read again, they would cost half as much time
as the arithmetic. So a tile, a run of neighbouring pixels of some images, goes through all layers
at once. The forward pass is

    stack the taps of the inputs; product, bias, ReLU; product, bias, ReLU;
    product to the taps of all outputs, each added to the pixel that it is for.

The backward pass is made of the same moves: what was stacked is added, and what was added is
stacked. The gradient of a weight is one more product, summed over the tiles.

Weights are matrices here: `first` (width, taps * inputs), `second` (width, width) and `last`
(taps * outputs, width).
"""

from typing import TypeAlias

import numpy as np

from cinc_ref._typing import FloatArray
from cinc_ref.kernels._jit import compiled, internal

__all__ = ["COLUMNS", "network_gradient", "stack_taps"]

ALONG, AGAINST, FIRST = np.intp(1), np.intp(-1), np.intp(0)
"""The way of a tap or the other way, and a first row. Of Python's integers, which Numba takes as
literals, it would compile a version each."""
Weights: TypeAlias = tuple[FloatArray, FloatArray, FloatArray]
"""The matrices `first`, `second` and `last`."""

COLUMNS = 128
"""Pixels times images in a tile; the fastest of 100 to 800, at widths 64 and 512 alike."""
LINE = 16
"""Numbers in a cache line, or two."""


def network_gradient(
    x: FloatArray,
    size: tuple[int, int],
    weights: Weights,
    position: FloatArray,
    second_bias: FloatArray,
    g: FloatArray,
) -> tuple[FloatArray, Weights, FloatArray, FloatArray]:
    """Gradients of <g, network(x)>: by x, by the weights, by both hidden biases at each pixel.

    position (width, P) is the bias of the first layer, by pixel; second_bias is (width, 1).

    The hidden layers are computed again: that takes no longer than to keep them in memory.
    """
    width = len(weights[1])
    tile = _tile(*x.shape[1:])
    height = 2 * weights[0].shape[1] + 4 * width + len(weights[2])
    ones, sums = np.ones(tile[1], x.dtype), np.empty(width * tile[0], x.dtype)
    x_bar, weights_bar = np.zeros_like(x), tuple(map(np.zeros_like, weights))
    biases_bar = np.zeros_like(position), np.zeros_like(position)
    memory = _memory(height, tile, x), tuple(map(np.empty_like, weights)), ones, sums
    arguments = x, size, weights, position, second_bias, g
    _network_gradient(arguments, memory, tile, x_bar, weights_bar, biases_bar)
    return x_bar, weights_bar, *biases_bar


def _tile(pixels, images):
    """Return (pixels, images) of a tile: many pixels of all images, or one pixel of many images."""
    tiles = max(1, -(-images // COLUMNS))
    columns = max(1, -(-images // tiles))
    return max(1, min(pixels, COLUMNS // columns)), columns


def _memory(height, tile, like):
    """Allocate a tile's matrices of so many rows together, with rows of whole cache lines."""
    rows, columns = tile
    return np.empty((height, -(-rows * columns // LINE) * LINE), like.dtype)


@compiled
def _network_gradient(arguments, working_memory, tile, x_bar, weights_bar, biases_bar):
    """Add the gradients of `network` to arrays of zeros."""
    x, size, (first, second, last), position, second_bias, g = arguments
    memory, (first_part, second_part, last_part), ones, sums = working_memory
    first_bar, second_bar, last_bar = weights_bar
    position_bar, second_bias_bar = biases_bar
    inputs, pixels, images = x.shape
    width, outputs = len(second), len(g)
    taps = len(last) // outputs
    rows, columns = tile
    read, made = taps * inputs, taps * outputs
    for n in range(0, images, columns):
        t = min(columns, images - n)
        for p in range(0, pixels, rows):
            s = min(rows, pixels - p)
            stack = _matrix(memory, FIRST, read, s * t)
            h1 = _matrix(memory, read, width, s * t)
            h2 = _matrix(memory, read + width, width, s * t)
            stack_taps(x, size, ALONG, p, n, stack.reshape(taps, inputs, s, t))
            _hidden_layers(stack, first, position, second, second_bias, p, s, h1, h2)

            products = _matrix(memory, read + 2 * width, read, s * t)
            d1 = _matrix(memory, 2 * (read + width), width, s * t)
            d2 = _matrix(memory, 2 * (read + width) + width, width, s * t)
            g_stack = _matrix(memory, 2 * (read + 2 * width), made, s * t)
            stack_taps(g, size, AGAINST, p, n, g_stack.reshape(taps, outputs, s, t))
            np.dot(g_stack, h2.T, last_part)
            np.dot(last.T, g_stack, d2)
            _relu_gradient(d2, h2)
            np.dot(d2, h1.T, second_part)
            np.dot(second.T, d2, d1)
            _relu_gradient(d1, h1)
            np.dot(d1, stack.T, first_part)
            np.dot(first.T, d1, products)
            _add_taps(products.reshape(taps, inputs, s, t), size, AGAINST, p, n, x_bar)
            _add(first_bar, first_part)
            _add(second_bar, second_part)
            _add(last_bar, last_part)
            _add_image_sums(position_bar, p, s, d1, ones[:t], sums[: width * s])
            _add_image_sums(second_bias_bar, p, s, d2, ones[:t], sums[: width * s])


@internal
def _matrix(memory, start, rows, columns):
    """View some rows of the memory from `start` on as a matrix; the last tiles are smaller."""
    flat = memory.reshape(-1)[start * memory.shape[1] :]
    return flat[: rows * columns].reshape(rows, columns)


@internal
def _hidden_layers(stack, first, position, second, second_bias, start, pixels, h1, h2):
    """Compute both hidden layers of a tile, into h1 and h2."""
    width, columns = h1.shape
    tile = (width, pixels, columns // pixels)
    np.dot(first, stack, h1)
    _add_bias_relu(h1.reshape(tile), position, start)
    np.dot(second, h1, h2)
    _add_bias_relu(h2.reshape(tile), second_bias, start)


@compiled
def stack_taps(
    images: FloatArray,
    size: tuple[int, int],
    sign: int | np.intp,
    start: int | np.intp,
    first: int | np.intp,
    stack: FloatArray,
) -> None:
    """stack[tap, c, p, n] = images[c, start + p moved by sign * tap, first + n], 0 outside.

    A stack of several pixels holds all images, so that a run of pixels is contiguous in both.
    """
    taps, channels, pixels, tile = stack.shape
    count = images.shape[2]
    flat, sources = stack.reshape(taps, channels, -1), images.reshape(channels, -1)
    k = round(taps**0.5)
    for tap in range(taps):
        down, right = sign * (tap // k - k // 2), sign * (tap % k - k // 2)
        for row in range(start // size[1], (start + pixels - 1) // size[1] + 1):
            begin, inside, outside, end = _run(size, start, start + pixels, row, down, right)
            place = (inside + down * size[1] + right) * count + first
            moved = (outside - inside) * tile
            to = (inside - start) * tile
            for c in range(channels):
                for n in range((begin - start) * tile, to):
                    flat[tap, c, n] = 0
                for n in range(to + moved, (end - start) * tile):
                    flat[tap, c, n] = 0
                if moved:
                    target = flat[tap, c, to : to + moved]
                    source = sources[c, place : place + moved]
                    for n in range(moved):
                        target[n] = source[n]


@internal
def _add_taps(products, size, sign, start, first, total):
    """total[c, start + p moved by -sign * tap, first + n] += products[tap, c, p, n]."""
    taps, channels, pixels, tile = products.shape
    count = total.shape[2]
    flat, targets = products.reshape(taps, channels, -1), total.reshape(channels, -1)
    k = round(taps**0.5)
    for tap in range(taps):
        down, right = sign * (k // 2 - tap // k), sign * (k // 2 - tap % k)
        for row in range(start // size[1], (start + pixels - 1) // size[1] + 1):
            _, inside, outside, _ = _run(size, start, start + pixels, row, down, right)
            place = (inside + down * size[1] + right) * count + first
            moved, from_ = (outside - inside) * tile, (inside - start) * tile
            for c in range(channels if moved else 0):
                source = flat[tap, c, from_ : from_ + moved]
                target = targets[c, place : place + moved]
                for n in range(moved):
                    target[n] += source[n]


@internal
def _run(size, start, stop, row, down, right):
    """Return begin, begin and end of what moves inside, and end, of pixels start..stop in a row."""
    height, width = size
    begin, end = max(start, row * width), min(stop, (row + 1) * width)
    if not 0 <= row + down < height:
        return begin, end, end, end
    inside = min(max(begin, row * width - right), end)
    return begin, inside, max(inside, min(end, (row + 1) * width - right)), end


@internal
def _add_bias_relu(h, bias, start):
    """h = max(h + bias, 0) in place, the bias by pixel or for all pixels; NaN stays NaN.

    The first pixel of the tile is `start`.
    """
    rows, pixels, tile = h.shape
    zero = h.dtype.type(0)
    for r in range(rows):
        for p in range(pixels):
            b = bias[r, min(start + p, bias.shape[1] - 1)]
            row = h[r, p]
            for n in range(tile):
                value = row[n] + b
                row[n] = zero if value < zero else value


@internal
def _relu_gradient(d, h):
    """d = 0 where h is, in place."""
    zero = h.dtype.type(0)
    for r in range(len(h)):
        change, value = d[r], h[r]
        for n in range(len(value)):
            change[n] = change[n] if value[n] > zero else zero


@internal
def _add(total, part):
    """total += part, which would be compiled for half a second wherever it stands."""
    for r in range(len(total)):
        for c in range(total.shape[1]):
            total[r, c] += part[r, c]


@internal
def _add_image_sums(total, start, pixels, d, ones, sums):
    """Add the sums over the images of a tile, by row and pixel; a product is faster than a loop."""
    np.dot(d.reshape(len(sums), len(ones)), ones, sums)
    for r in range(len(d)):
        for p in range(pixels):  # one by one: a slice would be compiled for seconds
            total[r, start + p] += sums[r * pixels + p]
