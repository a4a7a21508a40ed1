"""The fast convolution, its inverse and the transposes of both: how a call is done, and doing it.

A plan depends on shapes and memory order alone. It cuts the batch into tiles (`tiles`), lays out
working memory (`schedule`), and encodes both for the compiled loops (`descriptor`). A call packs
the kernel (`packing`) and sweeps through the pixels (`sweep`), each SIMD lane an image.

Images are (N, C, H, W) and may lie batch-last in memory, as contiguous (C, H, W, N); results lie as
they do. Full tiles of batch-last images are read and written by the sweep itself; others are
transferred to working memory and back, strip by strip (`transfer`).

There is one order of summation, taps in raster order and channels ascending (descending where the
corner block is an upper triangle), with fused multiply-adds throughout: an image has the same bits
in any batch, however many lanes there are. Taps outside the image are skipped, or multiply zeros.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np

from cinc_ref._typing import FloatArray, IntegerArray
from cinc_ref.kernels.causal.descriptor import encode
from cinc_ref.kernels.causal.packing import (
    CHECK_KERNEL,
    DESCENDING,
    DIVIDE,
    FACTORED,
    pack,
    pack_lu,
    packing,
)
from cinc_ref.kernels.causal.schedule import (
    Placement,
    Tap,
    reaching_taps,
    row_ring_schedule,
    wavefront_schedule,
)
from cinc_ref.kernels.causal.sweep import compiled_sweep
from cinc_ref.kernels.causal.tiles import cut_batch
from cinc_ref.kernels.causal.transfer import (
    BATCH_FIRST,
    BATCH_LAST,
    IN_PLACE,
    SCALAR,
    memory_strides,
    square_side,
)
from cinc_ref.kernels.causal.tuning import TUNING, Tuning
from cinc_ref.kernels.simd.cpu import LINE_BYTES, MAX_BLOCK_ROWS, VECTOR_BYTES
from cinc_ref.kernels.simd.pages import empty_like

__all__ = [
    "CHECK_RESULT",
    "CONV",
    "CONV_TRANSPOSE",
    "SOLVE",
    "SOLVE_TRANSPOSE",
    "ConvPlan",
    "make_plan",
    "pack_kernel",
    "run",
]

CONV, CONV_TRANSPOSE, SOLVE, SOLVE_TRANSPOSE = product((False, True), repeat=2)
"""Operations: whether the kernel is inverted, and whether it is transposed."""

CHECK_RESULT = 1
"""Flag of a status, beside `packing.CHECK_KERNEL`: the result may not be finite."""


class ConvPlan(NamedTuple):
    """A plan of a call: all that it depends on but for the numbers.

    Attributes
    ----------
    block : (int, int)
        Rows and lanes of the register blocks.
    sweep : callable
        The compiled sweep for all but rare corner blocks.
    tables : ndarray of intp
        How the kernel is packed.
    descriptor : ndarray of intp
        What the sweep needs to know; at its end where the channels lie in an image, those that the
        sweep reads, then those that it writes, in ascending and in descending sequence.
    channels : (int, int)
        Where these two tables begin.
    packed_length, work_length : int
        Numbers of the packed kernel, which working memory begins with, and of that memory.
    tiny : float
        The smallest normal number of the dtype.
    solve : bool
        Whether the kernel is inverted.
    """

    block: tuple[int, int]
    sweep: Callable[..., bool]
    tables: IntegerArray
    descriptor: IntegerArray
    channels: tuple[int, int]
    packed_length: int
    work_length: int
    tiny: float
    solve: bool


def run(plan: ConvPlan, images: FloatArray, kernel: FloatArray) -> tuple[FloatArray, int]:
    """Carry out a plan.

    Parameters
    ----------
    plan : ConvPlan
    images : ndarray, shape (N, C, H, W)
        Of the shape, dtype and memory order that the plan was made for.
    kernel : ndarray, shape (C, C, kh, kw)
        Contiguous, of the same dtype.

    Returns
    -------
    result : ndarray, shape (N, C, H, W)
    status : int
        0 if the result is finite, and the kernel is finite and invertible where it is inverted.
        Otherwise a sum of `CHECK_RESULT` and `CHECK_KERNEL`: either may be the case.
    """
    work = np.empty(plan.work_length, images.dtype)
    result = empty_like(images)
    flags, sweep, tables, channels, stages = pack_kernel(plan, kernel, work)
    if not images.size:
        return result, CHECK_KERNEL
    is_finite = sweep(work, images.ravel("K"), result.ravel("K"), tables, channels, stages)
    return result, flags & CHECK_KERNEL | (0 if is_finite else CHECK_RESULT)


def pack_kernel(
    plan: ConvPlan, kernel: FloatArray, work: FloatArray
) -> tuple[int, Callable[..., bool], IntegerArray, int, int]:
    """Pack a kernel at the beginning of working memory.

    Parameters
    ----------
    plan : ConvPlan
    kernel : ndarray, shape (C, C, kh, kw)
        As for `run`.
    work : ndarray, shape (plan.work_length,)

    Returns
    -------
    flags : int
        Those of `pack`.
    sweep : callable
        ``sweep(work, images, result, tables, channels, stages)``; images and result are flat.
    tables, channels, stages : ndarray, int, int
        The last arguments of `sweep`.
    """
    flags = pack(kernel.reshape(-1), work, plan.tables, plan.tiny)
    tables, channels = plan.descriptor, plan.channels[flags & DESCENDING > 0]
    stages = int(plan.solve)
    if flags & FACTORED:
        order = np.empty(kernel.shape[0], np.intp)
        flags = pack_lu(kernel.reshape(-1), work, plan.tables, plan.tiny, order)
        channels, stages = len(tables), 2
        ascending = tables[plan.channels[0] : plan.channels[1]]
        tables = np.concatenate([tables, _permuted(ascending, order)])
    is_general = stages == 2 or flags & DIVIDE > 0
    sweep = compiled_sweep(*plan.block, True) if is_general else plan.sweep
    return flags, sweep, tables, channels, stages


def _permuted(channel_offsets, order):
    """Permute the channels that the sweep reads; padded ones repeat the last."""
    slots = len(channel_offsets) // 2
    padded = order[np.minimum(np.arange(slots), len(order) - 1)]
    return np.concatenate([channel_offsets[padded], channel_offsets[slots:]])


@lru_cache(maxsize=256)
def make_plan(
    operation: tuple[bool, bool],
    kernel_shape: tuple[int, ...],
    shape: tuple[int, ...],
    batch_first: bool,
    itemsize: int,
    geometry: Placement,
    tuning: Tuning = TUNING,
) -> ConvPlan:
    """Plan a call.

    Parameters
    ----------
    operation : (bool, bool)
        `CONV`, `CONV_TRANSPOSE`, `SOLVE` or `SOLVE_TRANSPOSE`.
    kernel_shape, shape : tuple of int
        Of the kernel and of the images.
    batch_first : bool
        Whether images lie as contiguous (N, C, H, W) in memory, or as (C, H, W, N).
    itemsize : int
        Bytes of a number.
    geometry : Placement
    tuning : Tuning

    Returns
    -------
    ConvPlan
    """
    solve, transposed = operation
    dilation, anchor, flips = geometry
    if transposed:
        flips = not flips[0], not flips[1]
    count, channels, *size = shape
    strides = memory_strides(shape, batch_first)
    taps = reaching_taps(kernel_shape, tuple(size), dilation, anchor)
    rows = -(-channels // -(-channels // MAX_BLOCK_ROWS))
    slots = -(-channels // rows) * rows
    vector = VECTOR_BYTES // itemsize
    places = tuple((a, b) for _, _, a, b in (*taps, (0, 0, *anchor)))
    packed = packing(kernel_shape, places, anchor, rows, slots, solve, transposed)
    lanes, tiles = cut_batch(
        count, tuple(size), rows, (len(taps) + 1) * slots // rows, vector,
        all(tap[1] >= 0 for tap in taps),
    )  # fmt: skip
    layout = _Layout(shape, strides, itemsize, taps, flips, slots, lanes, tuning)
    parts = [_part(layout, part) for part in tiles]
    channel = np.minimum(np.arange(slots), channels - 1)
    orders = [np.tile(order * strides[1], 2) for order in (channel, channels - 1 - channel)]
    common = {
        "channels": channels, "padded_channels": slots, "image_stride": strides[0],
        "pixel_stride": strides[2], "weights_per_channel": packed.weights_per_channel,
        "packed_length": packed.length,
    }  # fmt: skip
    descriptor = encode([common | fields for fields, _ in parts])
    memory = max((length for _, length in parts), default=0)
    return ConvPlan(
        block=(rows, lanes),
        sweep=compiled_sweep(rows, lanes, False),
        tables=packed.tables,
        descriptor=np.concatenate([descriptor, *orders]),
        channels=(len(descriptor), len(descriptor) + 2 * slots),
        packed_length=packed.length,
        work_length=packed.length + LINE_BYTES // itemsize + memory,
        tiny=float(np.finfo(f"f{itemsize}").tiny),
        solve=solve,
    )


class _Layout(NamedTuple):
    """The facts that the parts of a batch have in common."""

    shape: tuple[int, ...]
    strides: tuple[int, int, int]
    itemsize: int
    taps: tuple[Tap, ...]
    flips: tuple[bool, bool]
    padded_channels: int
    lanes: int
    tuning: Tuning


def _part(layout, tiles):
    """Return the fields of a `descriptor.Part`, and the numbers of working memory that it takes."""
    shape, strides, itemsize, taps, flips, slots, lanes, tuning = layout
    count, _, *size = shape
    vector = VECTOR_BYTES // itemsize
    fully_written = not tiles.wavefront and tiles.images == lanes
    mode = _transfer_mode(strides, math.prod(size), tiles.images, vector, fully_written)
    if tiles.wavefront:
        schedule = wavefront_schedule(tuple(size), taps, flips, slots, lanes, tiles.images)
    else:
        pixels = max(vector, tuning.strip_bytes // (slots * lanes * itemsize))
        # one row is enough where a pixel's channels are several vectors each; fewer cache lines
        # are then shared by two tiles, or lie in the same sets of a cache
        strip_rows = 1 if mode == IN_PLACE and lanes > vector else tuning.strip_rows
        schedule = row_ring_schedule(tuple(size), taps, flips, slots, lanes, pixels, strip_rows)
    fields = schedule._asdict()
    scratch_length = fields.pop("scratch_length")
    group, nontemporal = 1, False
    if mode == IN_PLACE:
        edges = np.append(tiles.first_images, (count, lanes)) * itemsize
        whole_lines = not np.any(edges % LINE_BYTES)
        nontemporal = whole_lines and itemsize * math.prod(shape) >= tuning.nontemporal_min_bytes
        fitting = tuning.tile_group_bytes // (itemsize * schedule.memory_length)
        group = min(max(fitting, 1), len(tiles.first_images))
        fields["steps"] = schedule.steps * [1, 0, 1, 1, 1, 1]  # one pixel of scratch memory
    fields |= {
        "mode": mode, "nontemporal": nontemporal, "fully_written": fully_written,
        "images_per_tile": tiles.images, "tile_count": len(tiles.first_images),
        "tiles_in_group": group, "first_images": tiles.first_images,
        "strip_count": len(schedule.strips), "run_count": schedule.run_offsets.shape[1],
    }  # fmt: skip
    return fields, group * schedule.memory_length + scratch_length


def _transfer_mode(strides, pixels, images, vector, fully_written):
    """Choose how the images of a tile are transferred."""
    batch_last = strides[0] == 1
    if batch_last and fully_written:
        return IN_PLACE
    side = square_side(images, vector)
    if side == 0 or pixels < side:
        return SCALAR
    return BATCH_LAST if batch_last else BATCH_FIRST
