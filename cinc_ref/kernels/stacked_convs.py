"""Stacked convolutions on zero-padded planes: the networks of couplings, and single convolutions.

A layer is an ordinary convolution with a bias by channel or by pixel, zero-padded so that the size
stays, and perhaps ReLU. Some images at a time go through all layers in memory that the caches hold.
There a plane is a channel of these images, image beside image at each pixel:

    margin | pixel (0, 0), ..., pixel (0, W - 1), zeros | pixel (1, 0), ..., zeros | ... | margin

The zeros behind a row serve as those before the next one, so that a tap of the kernel is the same
shift for all numbers of a plane, and a layer is a matrix product whose right side is read where the
images lie:

    target[o, :] = bias[o] + sum over taps and channels of weight[o, c, tap] * source[c, shifted]

It is computed by register blocks: `rows` output channels of `lanes` neighbouring numbers. What it
yields for the zeros is cleared afterwards. Taps come in raster order, channels ascending, and
multiply-adds are fused: the bits of an image do not depend on those beside it.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np

from cinc_ref._typing import FloatArray, IntegerArray
from cinc_ref.kernels._jit import block, compiled, inlined
from cinc_ref.kernels.simd.cpu import LINE_BYTES, MAX_BLOCK_ROWS, VECTOR_BYTES

__all__ = [
    "LINEAR",
    "PLACE_FIELDS",
    "RELU",
    "RELU_GRADIENT",
    "SIZES_FIELDS",
    "VECTORS",
    "Convs",
    "Layer",
    "Place",
    "Sizes",
    "Step",
    "apply",
    "apply_layer",
    "arrange",
    "compiled_convs",
    "decode",
    "pack",
    "padded",
    "prepare",
    "transfer",
]

NARROW, WIDE = ROWS = MAX_BLOCK_ROWS * 2 // 3, MAX_BLOCK_ROWS
"""Output channels of a register block: whichever of the two leaves fewer rows empty."""

VECTORS = 2
"""SIMD vectors of a row, which share the load of a weight."""

STEPS = 2
"""Input channels at a time; LLVM moves the loads of more of them so far ahead that registers
run out."""

COLUMNS = 1400
"""Numbers of a plane at most, unless one image has more: with 1,024 a flow of width 64 takes 6 %
longer, and with 2,200 as long, but twice the cache."""

BY_CHANNEL, BY_PIXEL, SPREAD_PIXELS = range(3)
"""Modes of a bias: by channel; by pixel, as it lies; by pixel, repeated for the images of a plane
beforehand."""

LINEAR, RELU, RELU_GRADIENT = range(3)
"""Activations of a sum: none; ReLU; 0 unless the number that the result replaces is positive."""


class Layer(NamedTuple):
    """A layer: weight (outputs, channels, k, k), bias (outputs,) or (outputs, H, W), and ReLU."""

    weight: FloatArray
    bias: FloatArray
    relu: bool


class Sizes(NamedTuple):
    """The sizes that all layers share, in integers.

    Attributes
    ----------
    images, tile, tiles : int
        Images, how many of them a plane holds, and how often planes are filled.
    inputs, outputs, height, width, gap : int
        Of the images and of the result; zeros between rows, in pixels.
    plane, origin, columns : int
        Numbers of a plane, those before pixel (0, 0), and those from there to the last gap.
    source, target : int
        Where the planes of the images and of the result begin.
    """

    images: int
    tile: int
    tiles: int
    inputs: int
    outputs: int
    height: int
    width: int
    gap: int
    plane: int
    origin: int
    columns: int
    source: int
    target: int


class Place(NamedTuple):
    """The place and the shape of a layer, in integers.

    Attributes
    ----------
    source, target : int
        Where the planes that are read and written begin.
    weights, bias, mode : int
        Where weights [block of rows][tap][channel][row] and biases begin, and the mode of these.
    wide, blocks, side, channels : int
        Whether the larger of `ROWS` is used; blocks of rows; side of the kernel; input planes.
    activation, clear : int
        What follows the sum, and whether the zeros of the planes are written again.
    """

    source: int
    target: int
    weights: int
    bias: int
    mode: int
    wide: int
    blocks: int
    side: int
    channels: int
    activation: int
    clear: int


class Step(NamedTuple):
    """A layer from one group of planes to another, before there are places.

    Attributes
    ----------
    source, target : int
        Numbers of the groups.
    outputs, side : int
        Channels of the result, and side of the kernel.
    by_pixel : bool
        Whether the bias is one by pixel.
    activation : int
    clear : bool
        Whether the zeros of the target are read later.
    """

    source: int
    target: int
    outputs: int
    side: int
    by_pixel: bool
    activation: int
    clear: bool


SIZES_FIELDS, PLACE_FIELDS = len(Sizes._fields), len(Place._fields)


class Convs(NamedTuple):
    """Layers on images of one shape: what `apply` needs to know besides the numbers.

    Attributes
    ----------
    descriptor : ndarray of intp
        `Sizes`, then a `Place` for each layer.
    packed_length, work_length : int
        Numbers of the packed layers and of working memory.
    lanes : int
        Numbers of a row of a register block.
    dtype : numpy.dtype
    """

    descriptor: IntegerArray
    packed_length: int
    work_length: int
    lanes: int
    dtype: "np.dtype[Any]"


def prepare(
    layers: Sequence[Layer], size: tuple[int, int], images: int, dtype: np.dtype[Any]
) -> Convs:
    """Return how these layers are applied to so many images of a size (H, W)."""
    shapes = tuple((*layer.weight.shape[:3], layer.bias.ndim > 1, layer.relu) for layer in layers)
    return _prepare(shapes, size, images, np.dtype(dtype))


@lru_cache(maxsize=256)
def _prepare(shapes, size, images, dtype):
    steps = [
        Step(k, k + 1, outputs, side, by_pixel, RELU if relu else LINEAR, _reads_zeros(shapes, k))
        for k, (outputs, _, side, by_pixel, relu) in enumerate(shapes)
    ]
    groups = [shapes[0][1], *(padded(shape[0]) for shape in shapes)]
    return arrange(groups, steps, size, images, dtype)


def _reads_zeros(shapes, k):
    return k + 1 < len(shapes) and shapes[k + 1][2] > 1


def arrange(
    groups: Sequence[int],
    steps: Sequence[Step],
    size: tuple[int, int],
    images: int,
    dtype: np.dtype[Any],
) -> Convs:
    """Return the places of layers between groups of planes, on images of a size (H, W).

    Parameters
    ----------
    groups : sequence of int
        Channels of each group: of the images first, and at least those of the result last.
    steps : sequence of Step
        The last one yields the result.
    size : (int, int)
    images : int
    dtype : numpy.dtype
    """
    lanes, line = VECTORS * VECTOR_BYTES // dtype.itemsize, LINE_BYTES // dtype.itemsize
    height, width = size
    gap = max(step.side // 2 for step in steps)
    row = width + gap
    tile = _tile(images, height * row, lanes)
    origin = gap * (row + 1) * tile
    columns = height * row * tile
    plane = origin + _up(columns, lanes) + max(origin, lanes)
    plane = (_up(plane, line) // line | 1) * line  # an odd number of lines: planes differ in sets
    counts = [_up(count, STEPS) for count in groups]
    starts = [sum(counts[:k]) * plane for k in range(len(counts))]
    places, packed = [], 0
    for source, target, outputs, side, by_pixel, activation, clear in steps:
        slots, wide = _padded(outputs)
        weights, bias = packed, packed + slots * side**2 * counts[source]
        mode = BY_CHANNEL if not by_pixel else BY_PIXEL if tile == 1 else SPREAD_PIXELS
        packed = bias + (slots * _pixels(size, gap, lanes) if by_pixel else slots)
        places.append(Place(
            starts[source], starts[target], weights, bias, mode, wide, slots // ROWS[wide], side,
            counts[source], activation, clear,
        ))  # fmt: skip
    sizes = Sizes(
        images, tile, -(-images // max(tile, 1)), groups[0], steps[-1].outputs, height, width,
        gap, plane, origin, columns, starts[0], starts[-1],
    )  # fmt: skip
    descriptor = np.concatenate([sizes, *places]).astype(np.intp)
    return Convs(descriptor, packed, sum(counts) * plane + line, lanes, dtype)


def _tile(images, pixels, lanes):
    """Return the images of a plane with which the numbers of all planes are fewest."""
    most = min(images, max(1, COLUMNS // pixels))
    options = range(1, most + 1)
    # a filling of the planes costs about as much as half a dozen blocks
    return min(
        options, key=lambda n: -(-images // n) * (_up(n * pixels, lanes) + 2 * lanes), default=0
    )


def padded(outputs: int) -> int:
    """Return the output channels with those that fill up the last block."""
    return _padded(outputs)[0]


def _padded(outputs):
    """Return the output channels with those that fill up the last block, and which of `ROWS`."""
    return min((_up(outputs, rows), wide) for wide, rows in enumerate(ROWS))


def _pixels(size, gap, lanes):
    """Return the length of a row of biases by pixel, gaps included."""
    return _up(size[0] * (size[1] + gap), lanes)


def _up(number, multiple):
    return -(-number // multiple) * multiple


def pack(convs: Convs, layers: Sequence[Layer]) -> FloatArray:
    """Return the weights and biases of the layers as one array, in the order of their use."""
    sizes, places = decode(convs.descriptor)
    packed = np.zeros(convs.packed_length, convs.dtype)
    pixels = _pixels((sizes.height, sizes.width), sizes.gap, convs.lanes)
    for place, (weight, bias, _) in zip(places, layers, strict=True):
        outputs, channels = weight.shape[:2]
        slots = place.blocks * ROWS[place.wide]
        matrix = np.zeros((slots, place.side**2, place.channels), packed.dtype)
        matrix[:outputs, :, :channels] = weight.reshape(outputs, channels, -1).swapaxes(1, 2)
        blocks = matrix.reshape(place.blocks, -1, place.side**2 * place.channels).swapaxes(1, 2)
        packed[place.weights : place.bias] = blocks.ravel()
        if bias.ndim == 1:
            packed[place.bias :][:outputs] = bias
        else:
            rows = packed[place.bias :][: slots * pixels].reshape(slots, pixels)
            used = sizes.height * (sizes.width + sizes.gap)
            rows = rows[:outputs, :used].reshape(outputs, sizes.height, -1)
            rows[:, :, : sizes.width] = bias
    return packed


def decode(descriptor: IntegerArray) -> tuple[Sizes, list[Place]]:
    """Return the sizes and the places of a descriptor."""
    rest = descriptor[SIZES_FIELDS:].reshape(-1, PLACE_FIELDS)
    return Sizes(*descriptor[:SIZES_FIELDS].tolist()), [Place(*row) for row in rest.tolist()]


def apply(convs: Convs, packed: FloatArray, x: FloatArray) -> FloatArray:
    """Apply packed layers to images (inputs, P, N): (outputs, P, N)."""
    sizes, _ = decode(convs.descriptor)
    y = np.empty((sizes.outputs, *x.shape[1:]), x.dtype)
    work = np.zeros(convs.work_length, x.dtype)
    compiled_convs(convs.lanes)(x.reshape(-1), packed, convs.descriptor, work, y.reshape(-1))
    return y


@cache
def compiled_convs(lanes: int) -> Any:
    """Return the compiled loops for vectors of so many numbers.

    ``loops(x, packed, descriptor, work, y)``: all flat. Working memory is zero before the first
    call, and can be used again with the same descriptor.
    """
    vector = lanes // VECTORS

    def convs(x, packed, descriptor, work, y):
        t = Sizes(*block.integers(descriptor, 0, SIZES_FIELDS))
        start = block.line_start(work, 0)
        for k in range(t.tiles):
            transfer(x, work, t, k, start + t.source, t.inputs, 1)
            for layer in range(SIZES_FIELDS, len(descriptor), PLACE_FIELDS):
                place = Place(*block.integers(descriptor, layer, PLACE_FIELDS))
                apply_layer(packed, work, t, place, start, lanes, vector)
            transfer(y, work, t, k, start + t.target, t.outputs, 0)

    return compiled(convs)


@inlined
def apply_layer(
    packed: FloatArray,
    work: FloatArray,
    t: Sizes,
    place: Place,
    start: int,
    lanes: int,
    vector: int,
) -> None:
    """Apply a layer to all images in the planes."""
    channels = place.blocks * (WIDE if place.wide else NARROW)
    if place.mode == SPREAD_PIXELS:
        _spread(packed, work, t, place, start, channels, lanes, vector)
    if place.wide:
        _convolve(packed, work, t, place, start, WIDE, lanes)
    else:
        _convolve(packed, work, t, place, start, NARROW, lanes)
    if place.clear:
        _clear(work, t, start + place.target, channels)


@inlined
def _convolve(packed, work, t, place, start, rows, lanes):
    """Compute a layer of all images in the planes."""
    source, target = start + place.source + t.origin, start + place.target + t.origin
    down, right = (t.width + t.gap) * t.tile, t.tile
    middle = place.side // 2
    pixels = -(-t.height * (t.width + t.gap) // lanes) * lanes
    for j in range(0, t.columns, lanes):
        weights = place.weights
        for b in range(0, place.blocks * rows, rows):
            here = target + b * t.plane + j
            if place.mode == BY_CHANNEL:
                total = block.spread(packed, place.bias + b, rows, lanes)
            elif place.mode == BY_PIXEL:
                total = block.load(packed, place.bias + b * pixels + j, pixels, rows, lanes)
            else:
                total = block.load(work, here, t.plane, rows, lanes)
            for tap in range(place.side * place.side):
                above, left = middle - tap // place.side, middle - tap % place.side
                tapped = source + j - above * down - left * right
                for c in range(0, place.channels, STEPS):
                    total = block.multiply_add(
                        total, work, tapped + c * t.plane, t.plane, packed, weights, STEPS
                    )
                    weights += STEPS * rows
            if place.activation == RELU:
                total = block.rectify(total)
            elif place.activation == RELU_GRADIENT:
                total = block.where_positive(total, block.load(work, here, t.plane, rows, lanes))
            block.store(work, here, t.plane, total)


@inlined
def _spread(packed, work, t, place, start, channels, lanes, vector):
    """Repeat biases by pixel for all images; what is written too far is overwritten next."""
    pixels = -(-t.height * (t.width + t.gap) // lanes) * lanes
    for o in range(channels):
        bias, target = place.bias + o * pixels, start + place.target + o * t.plane + t.origin
        for p in range(t.height * (t.width + t.gap)):
            value = block.spread(packed, bias + p, 1, vector)
            for n in range(0, t.tile, vector):
                block.store(work, target + p * t.tile + n, 0, value)


@inlined
def _clear(work, t, planes, count):
    """Set to zero what stands between the rows, and behind the last one."""
    row, gap = (t.width + t.gap) * t.tile, t.gap * t.tile
    for c in range(count):
        pixels = planes + c * t.plane + t.origin
        for i in range(1, t.height):
            for n in range(pixels + i * row - gap, pixels + i * row):
                work[np.uintp(n)] = 0
        for n in range(pixels + t.height * row - gap, planes + (c + 1) * t.plane):
            work[np.uintp(n)] = 0


@inlined
def transfer(
    images: FloatArray,
    work: FloatArray,
    t: Sizes,
    k: int,
    planes: int,
    channels: int,
    inward: int,
) -> None:
    """Copy tile k of the images to planes, or back; rows at a time if a plane holds all images.

    Where the last tile has fewer images than a plane holds, zeros stand for the others.
    """
    first = k * t.tile
    step = t.width if t.tile == t.images else 1
    length = step * t.tile
    inside = min(length, step * (t.images - first))
    for c in range(channels):
        for i in range(t.height):
            for j in range(0, t.width, step):
                outer = ((c * t.height + i) * t.width + j) * t.images + first
                inner = planes + c * t.plane + t.origin + (i * (t.width + t.gap) + j) * t.tile
                if inward:
                    for n in range(inside):
                        work[np.uintp(inner + n)] = images[np.uintp(outer + n)]
                    for n in range(inside, length):
                        work[np.uintp(inner + n)] = 0
                else:
                    for n in range(inside):
                        images[np.uintp(outer + n)] = work[np.uintp(inner + n)]
