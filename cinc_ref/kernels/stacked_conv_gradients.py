"""Gradients of stacked convolutions, on the planes of `stacked_convs`.

A tile of images goes forward through the layers, as it would without a gradient, and back:

    d[last] = g
    weight_bar[o, c, tap] = sum over numbers of d[o, :] * h[c, shifted as by the tap]
    bias_bar[o]           = sum over numbers of d[o, :]
    d[layer before]       = layer(d, with the weight flipped and its channels exchanged), 0 where
                            ReLU gave 0

where h are the planes that a layer reads and d the gradient by what it yields before ReLU. The
gradient by h takes the place of h, which nothing needs any more. The zeros between the rows of h
are positive nowhere, so that d is zero there, and sums may run over whole planes.

A sum is computed by register blocks of some outputs times some channels, whose lanes are added up
for each tile. Hidden layers are computed anew, which takes no longer than to store them.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from cinc_ref._typing import FloatArray, IntegerArray
from cinc_ref.kernels import stacked_convs
from cinc_ref.kernels._jit import block, compiled, inlined
from cinc_ref.kernels.simd.cpu import VECTOR_BYTES
from cinc_ref.kernels.stacked_convs import (
    LINEAR,
    PLACE_FIELDS,
    RELU,
    RELU_GRADIENT,
    SIZES_FIELDS,
    VECTORS,
    Convs,
    Layer,
    Place,
    Sizes,
    Step,
    apply_layer,
    padded,
    transfer,
)

__all__ = ["gradients"]

OUTPUTS, CHANNELS = (4, 6) if VECTOR_BYTES == 64 else (2, 4)
"""Outputs and channels of a register block of sums: their products are the accumulators."""
SUMS = OUTPUTS * CHANNELS


class Sums(NamedTuple):
    """The gradient of a layer by its weight and bias, as sums, in integers.

    Attributes
    ----------
    gradient, source : int
        Where the planes d and h begin.
    outputs, channels, side : int
        Outputs and channels, both rounded up to blocks, and the side of the kernel.
    weight, bias : int
        Where sums [block of outputs][block of channels][tap][output, channel] begin, and those of
        the bias, [output][number].
    bias_length, by_pixel : int
        Numbers of the sum of a bias, and whether they are those of a plane, or one by channel.
    """

    gradient: int
    source: int
    outputs: int
    channels: int
    side: int
    weight: int
    bias: int
    bias_length: int
    by_pixel: int


SUMS_FIELDS = len(Sums._fields)


class Plan(NamedTuple):
    """The gradients of layers for images of one shape: what does not depend on the numbers.

    Attributes
    ----------
    convs : Convs
        The layers but for the last one, then all of them backwards.
    table : ndarray of intp
        Where the planes of g begin, and their number; then `Sums` of each layer, the last one
        first.
    sums_length : int
        Numbers of all sums.
    """

    convs: Convs
    table: IntegerArray
    sums_length: int


def gradients(
    layers: Sequence[Layer], x: FloatArray, size: tuple[int, int], g: FloatArray
) -> tuple[FloatArray, list[tuple[FloatArray, FloatArray]]]:
    """Return gradients of <g, layers(x)>: by x, and by weight and bias of each layer.

    Images x (inputs, P, N) and gradients g (outputs, P, N) are contiguous, P = H W; size is (H, W).
    No ReLU follows the last layer.
    """
    shapes = tuple((*layer.weight.shape[:3], layer.bias.ndim > 1, layer.relu) for layer in layers)
    plan = _prepare(shapes, size, x.shape[2], x.dtype)
    convs = plan.convs
    packed = stacked_convs.pack(convs, [*layers[:-1], *map(_adjoint, reversed(layers))])
    work, sums = np.zeros(convs.work_length, x.dtype), np.zeros(plan.sums_length, x.dtype)
    x_bar = np.empty_like(x)
    _compiled_gradients(convs.lanes)(
        x.reshape(-1), g.reshape(-1), packed, convs.descriptor, plan.table, work, sums,
        x_bar.reshape(-1),
    )  # fmt: skip
    return x_bar, _layer_gradients(plan, layers, sums)


def _adjoint(layer):
    """Return the layer that maps gradients back, without the gradient of ReLU."""
    weight = layer.weight[:, :, ::-1, ::-1].swapaxes(0, 1)
    return Layer(weight, np.zeros(len(weight), weight.dtype), False)


@lru_cache(maxsize=256)
def _prepare(shapes, size, images, dtype):
    inputs, outputs = shapes[0][1], shapes[-1][0]
    hidden = [padded(shape[0]) for shape in shapes[:-1]]
    x_bar = len(shapes) + 1
    forward = [
        Step(k, k + 1, outputs, side, by_pixel, RELU if relu else LINEAR, True)
        for k, (outputs, _, side, by_pixel, relu) in enumerate(shapes[:-1])
    ]
    backward = [
        Step(k + 1, k or x_bar, channels, side, False, *_follows(shapes, k))
        for k, (_, channels, side, _, _) in reversed(list(enumerate(shapes)))
    ]
    groups = [inputs, *hidden, outputs, padded(inputs)]
    convs = stacked_convs.arrange(groups, [*forward, *backward], size, images, dtype)
    table, length = _place_sums(convs, shapes)
    return Plan(convs, np.array(table, np.intp), length)


def _follows(shapes, k):
    """Return the activation behind layer k on the way back, and whether zeros are written then."""
    if k == 0:
        return LINEAR, False
    return (RELU_GRADIENT, False) if shapes[k - 1][4] else (LINEAR, True)


def _place_sums(convs, shapes):
    """Return the table of a `Plan` and the length of its sums."""
    sizes, places = stacked_convs.decode(convs.descriptor)
    backward = places[len(shapes) - 1 :]
    table, length = [backward[0].source, shapes[-1][0]], 0
    for place, (outputs, channels, side, by_pixel, _) in zip(backward, shapes[::-1], strict=True):
        rows, columns = _up(outputs, OUTPUTS), _up(channels, CHANNELS)
        source = sizes.source if place is backward[-1] else place.target
        bias, lanes = length + rows * columns * side**2, convs.lanes // VECTORS
        bias_length = _up(sizes.columns, lanes) if by_pixel else 1
        table += Sums(
            place.source, source, rows, columns, side, length, bias, bias_length, by_pixel
        )
        length = bias + rows * bias_length
    return table, length


def _up(number, multiple):
    return -(-number // multiple) * multiple


def _layer_gradients(plan, layers, sums):
    """Return the gradients by weight and bias of each layer."""
    sizes, _ = stacked_convs.decode(plan.convs.descriptor)
    records = plan.table[2:].reshape(len(layers), -1)[::-1].tolist()
    return [
        (_weight(Sums(*record), layer, sums), _bias(Sums(*record), layer, sums, sizes))
        for record, layer in zip(records, layers, strict=True)
    ]


def _weight(s, layer, sums):
    outputs, channels, side, _ = layer.weight.shape
    blocks = sums[s.weight : s.bias].reshape(
        s.outputs // OUTPUTS, s.channels // CHANNELS, side**2, OUTPUTS, CHANNELS
    )
    weight = blocks.transpose(0, 3, 1, 4, 2).reshape(s.outputs, s.channels, side, side)
    return weight[:outputs, :channels]


def _bias(s, layer, sums, sizes):
    rows, count = sums[s.bias :], len(layer.bias)
    if not s.by_pixel:
        return rows[:count]
    grid = count, sizes.height, sizes.width + sizes.gap
    rows = rows[: count * s.bias_length].reshape(count, s.bias_length)
    images = rows[:, : sizes.columns].reshape(prod(grid), sizes.tile)
    pixels = images @ np.ones(sizes.tile, sums.dtype)  # a product: sums of few numbers are slow
    return pixels.reshape(grid)[:, :, : sizes.width]


@cache
def _compiled_gradients(lanes):
    """Compile the loops for vectors of so many numbers; all arrays are flat."""
    vector = lanes // VECTORS

    def conv_gradients(x, g, packed, descriptor, table, work, sums, x_bar):
        t = Sizes(*block.integers(descriptor, 0, SIZES_FIELDS))
        planes, outputs = block.integers(table, 0, 2)
        start = block.line_start(work, 0)
        backward = len(descriptor) - (len(table) - 2) // SUMS_FIELDS * PLACE_FIELDS
        for k in range(t.tiles):
            transfer(x, work, t, k, start + t.source, t.inputs, 1)
            transfer(g, work, t, k, start + planes, outputs, 1)
            record = 2
            for layer in range(SIZES_FIELDS, len(descriptor), PLACE_FIELDS):
                if layer >= backward:
                    s = Sums(*block.integers(table, record, SUMS_FIELDS))
                    _add_products(sums, work, t, s, start, vector)
                    _add_biases(sums, work, t, s, start, vector)
                    record += SUMS_FIELDS
                place = Place(*block.integers(descriptor, layer, PLACE_FIELDS))
                apply_layer(packed, work, t, place, start, lanes, vector)
            transfer(x_bar, work, t, k, start + t.target, t.outputs, 0)

    return compiled(conv_gradients)


@inlined
def _add_products(sums, work, t, s, start, lanes):
    """Add the gradient of a weight of the images in the planes; blocks may read planes behind."""
    gradient, source = start + s.gradient + t.origin, start + s.source + t.origin
    row, middle, place = (t.width + t.gap) * t.tile, s.side // 2, s.weight
    for o in range(gradient, gradient + s.outputs * t.plane, OUTPUTS * t.plane):
        for c in range(source, source + s.channels * t.plane, CHANNELS * t.plane):
            for tap in range(s.side * s.side):
                above, left = middle - tap // s.side, middle - tap % s.side
                tapped = c - above * row - left * t.tile
                total = block.zeros(work, SUMS, lanes)
                for j in range(0, t.columns, lanes):
                    total = block.add_outer(
                        total, work, o + j, work, tapped + j, t.plane, CHANNELS, lanes
                    )
                block.add_lane_sums(sums, place, total)
                place += SUMS


@inlined
def _add_biases(sums, work, t, s, start, lanes):
    """Add the gradient of a bias of the images in the planes."""
    for o in range(0, s.outputs, OUTPUTS):
        gradient, place = start + s.gradient + t.origin + o * t.plane, s.bias + o * s.bias_length
        total = block.zeros(work, OUTPUTS, lanes)
        for j in range(0, t.columns, lanes):
            change = block.load(work, gradient + j, t.plane, OUTPUTS, lanes)
            if s.by_pixel:
                change = block.add(
                    change, block.load(sums, place + j, s.bias_length, OUTPUTS, lanes)
                )
                block.store(sums, place + j, s.bias_length, change)
            else:
                total = block.add(total, change)
        if not s.by_pixel:
            block.add_lane_sums(sums, place, total)
