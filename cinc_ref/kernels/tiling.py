"""How a batch is cut into tiles for the fast loops, and what they must know of the processor."""

from functools import cache
from typing import NamedTuple

import numpy as np
from llvmlite import binding

from cinc_ref.kernels.plan import wave_steps


def _vector_bytes():
    """The width of the registers; a wrong guess costs speed alone."""
    try:
        features = binding.get_host_cpu_features()
    except RuntimeError:  # LLVM does not know this kind of machine
        return 16
    return 64 if features.get("avx512f") else 32 if features.get("avx2") else 16


LINE_BYTES = 64
"""Of the caches of x86 and most ARM processors. Longer lines are prefetched twice; what must start
on one starts on a vector then."""
VECTOR_BYTES = _vector_bytes()
REGISTERS = 32 if VECTOR_BYTES == 64 else 16
ROWS = 12 if VECTOR_BYTES == 64 else 6
"""The most channels in one block."""


def _most_sums():
    """The most vectors in one block.

    Two of each channel share the load of a weight, and two substitutions run side by side. AMD's
    cores up to Zen 4, which start one multiply-add of 64 bytes a cycle, do not need it, and their
    first caches are small.
    """
    name = binding.get_host_cpu_name()
    one_a_cycle = VECTOR_BYTES == 64 and name.startswith("znver") and name <= "znver4"
    return ROWS if one_a_cycle else REGISTERS


SUMS = _most_sums()
SQUARE = 4
"""Numbers that are loaded from as many rows and stored as columns, where taps are put in order."""
LATENCY = 4
"""Cycles until a sum may be added to again: the fewest accumulators that keep the core busy."""


class Part(NamedTuple):
    """Some of a batch: first images, of tiles that `together` images fill, and if it is a wave."""

    starts: np.ndarray
    lanes: int
    together: int
    wave: bool


@cache
def parts(count, size, rows, uses, vector, quadrant):
    """The batch in parts.

    As many tiles of the most lanes as fit, then what costs least. A last tile that would reach
    beyond the batch begins earlier and does some images again.
    """
    lanes = _tile_sizes(rows, vector)[0]
    tiles, rest = divmod(count, lanes)
    found = [Part(np.arange(tiles) * lanes, lanes, lanes, False)] if tiles else []
    for images, lanes, wave in _cheapest(rest, size, rows, uses, vector, quadrant)[1]:
        first, together = count - rest, images
        if not wave and lanes <= count:
            first, together = min(first, count - lanes), lanes
        found.append(Part(np.array([first]), lanes, together, wave))
        rest -= images
    return tuple(found)


@cache
def _cheapest(rest, size, rows, uses, vector, quadrant):
    """Cost of a few images, about in cycles a term, and their parts (images, lanes, wave)."""
    if rest == 0:
        return 0, ()
    height, width = size
    call = 25 * rows
    options = []
    if quadrant:
        steps = len(wave_steps(size, vector, rest)[0])
        copies = rest * height * width * (8 if rest < sides(vector)[-1] else 2) / uses
        waits = 5 / 4  # for the diagonal before
        cost = call + copies + waits * steps * max(rows, LATENCY)
        options.append((cost, ((rest, vector, True),)))
    for lanes in _tile_sizes(rows, vector):
        images = min(rest, lanes)
        later, parts = _cheapest(rest - images, size, rows, uses, vector, quadrant)
        cost = call + height * width * max(rows * lanes // vector, LATENCY) + later
        options.append((cost, ((images, lanes, False), *parts)))
    return min(options)


def _tile_sizes(rows, vector):
    """Lanes of a tile, descending: registers hold the sums, what is read, and a weight."""

    def fits(vectors):
        return vectors * rows <= SUMS and vectors * (rows + 1) + 1 <= REGISTERS

    return [vectors * vector for vectors in (8, 4, 2, 1) if fits(vectors) or vectors == 1]


def sides(vector):
    """How many images may be copied at once, descending; as many pixels make it a square."""
    return vector, max(vector // 2, 1), max(vector // 4, 1)
