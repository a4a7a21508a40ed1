"""Tiles, into which a batch is cut for the sweep, at the least cost by a model of the processor."""

from typing import NamedTuple

import numpy as np

from cinc_ref._typing import IntegerArray
from cinc_ref.kernels.causal.schedule import wavefront_steps
from cinc_ref.kernels.causal.transfer import square_side
from cinc_ref.kernels.simd.cpu import (
    LATENCY,
    MAX_ACCUMULATORS,
    REGISTERS,
    VECTOR_BYTES,
    WAVEFRONT_BYTES,
)

__all__ = ["Tiles", "cut_batch"]

PART_COST = 25
"""Cycles that a part of the batch costs besides its sweep, per channel of a register block."""

COPY_COST, SCALAR_COST = 2, 8
"""Cycles to copy a number to working memory and back, in square blocks and number by number."""

WAVEFRONT_COST = 5 / 4
"""Time of a step of a wavefront over that of a tile: it waits for the diagonal before it."""

SINGLE_VECTOR_COST = 1.1
"""Time of two tiles of one vector over that of one tile of two, which share loads of weights."""


class Tiles(NamedTuple):
    """Tiles of one kind: their first images, images in each, and whether they are wavefronts."""

    first_images: IntegerArray
    images: int
    wavefront: bool


def cut_batch(
    count: int,
    size: tuple[int, int],
    rows: int,
    multiply_adds_per_value: float,
    vector: int,
    quadrant: bool,
) -> tuple[int, tuple[Tiles, ...]]:
    """Cut a batch into full tiles and a rest, all with the same number of lanes.

    Parameters
    ----------
    count : int
        Images.
    size : (int, int)
        Height and width.
    rows : int
        Output channels of a register block.
    multiply_adds_per_value : float
        Register blocks that each number of an image is used for.
    vector : int
        Numbers of a SIMD register.
    quadrant : bool
        Whether no tap reads to the right of its pixel, as wavefronts need.

    Returns
    -------
    lanes : int
    parts : tuple of Tiles
    """
    short = max(vector * WAVEFRONT_BYTES // VECTOR_BYTES, 1)
    options = []
    for lanes in sorted({*_tile_lanes(rows, vector), short}, reverse=True):
        tiles, rest = divmod(count, lanes)
        tile_cost = size[0] * size[1] * _step_cost(rows, lanes, vector)
        cost, parts = tiles * tile_cost, []
        if tiles:
            parts.append(Tiles(np.arange(tiles) * lanes, lanes, False))
        if rest:
            copies = SCALAR_COST if square_side(rest, vector) == 0 else COPY_COST
            cost += PART_COST * rows
            wavefront = np.inf
            if quadrant:
                steps = len(wavefront_steps(size, lanes, rest)[0])
                wavefront = WAVEFRONT_COST * steps * _step_cost(rows, lanes, vector)
                wavefront += rest * size[0] * size[1] * copies / multiply_adds_per_value
            if wavefront < tile_cost:
                parts.append(Tiles(np.array([count - rest]), rest, True))
            elif tiles:  # a last tile begins earlier and does some images again
                parts.append(Tiles(np.array([count - lanes]), lanes, False))
            else:
                parts.append(Tiles(np.array([0]), rest, False))
            cost += min(wavefront, tile_cost)
        options.append((cost, lanes, tuple(parts)))
    return min(options, key=lambda option: option[0])[1:]


def _step_cost(rows, lanes, vector):
    """Cycles of a step for each vector that is read."""
    vectors = max(lanes / vector, 1)
    shared = SINGLE_VECTOR_COST if vectors == 1 else 1
    return max(rows * vectors * shared, LATENCY)


def _tile_lanes(rows, vector):
    """Return lanes of a tile, descending: registers hold accumulators, operands and a weight."""

    def fits(vectors):
        return vectors * rows <= MAX_ACCUMULATORS and vectors * (rows + 1) + 1 <= REGISTERS

    return [vectors * vector for vectors in (8, 4, 2, 1) if fits(vectors) or vectors == 1]
