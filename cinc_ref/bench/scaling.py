"""Growth of the time of the exact inverse with batch and image size, and its memory."""

import tracemalloc
from collections.abc import Callable, Sequence
from functools import partial

import cinc_ref as cr
from cinc_ref.bench.convolution import TURN, case_name, multiply_adds, problem
from cinc_ref.bench.rows import Dtype, Row, timed
from cinc_ref.primitives.memory_order import batch_last
from cinc_ref.timing import measure_in_turn

__all__ = ["measure_batches", "measure_memory", "measure_sizes", "peak_memory"]

CHANNELS = 12

BATCHES = (4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 64, 65, 100, 128, 129, 256)
"""Numbers of images, at and next to multiples of the SIMD lanes."""

SIZES = (
    *((8, batch) for batch in (16, 100, 1024)),
    *((16, batch) for batch in (16, 100, 1024)),
    *((32, batch) for batch in (16, 100, 1024)),
    *((64, batch) for batch in (16, 100, 256)),
    *((128, batch) for batch in (16, 64)),
)
"""Sides and numbers of images; the largest arrays have 50 million bytes in float32."""


def _inverse_of(side, batch, dtype):
    images, kernel = problem(CHANNELS, (side, side), batch, dtype)
    return partial(cr.conv_inverse, batch_last(images), kernel)


def measure_batches(
    dtype: Dtype = "float32",
    batches: Sequence[int] = BATCHES,
    side: int = 16,
    rounds: int = 31,
    turn: float = TURN,
) -> list[Row]:
    """Measure the time per image for each batch size, over the least at any smaller one."""
    functions = {}
    for batch in batches:
        functions[batch] = _inverse_of(side, batch, dtype)
    timings = measure_in_turn(functions, repeat=rounds, turn=turn)
    return [
        timed(
            "conv_inverse by batch",
            case_name(CHANNELS, (side, side), batch),
            dtype,
            timing,
            multiply_adds(CHANNELS, (side, side), batch),
            {
                "least per image": max(
                    (timing.over(timings[n]) * n / batch for n in batches if n < batch),
                    default=None,
                )
            },
        )
        for batch, timing in timings.items()
    ]


def measure_sizes(
    dtype: Dtype = "float32",
    sizes: Sequence[tuple[int, int]] = SIZES,
    rounds: int = 31,
    turn: float = TURN,
) -> list[Row]:
    """Measure the time per multiply-add for each image size and batch, over the least."""
    functions, work = {}, {}
    for side, batch in sizes:
        name = case_name(CHANNELS, (side, side), batch)
        functions[name] = _inverse_of(side, batch, dtype)
        work[name] = multiply_adds(CHANNELS, (side, side), batch)
    timings = measure_in_turn(functions, repeat=rounds, turn=turn)
    return [
        timed(
            "conv_inverse by size",
            name,
            dtype,
            timing,
            work[name],
            {
                "least per multiply-add": max(
                    timing.over(other) * work[size] / work[name] for size, other in timings.items()
                )
            },
        )
        for name, timing in timings.items()
    ]


def measure_memory(dtype: Dtype = "float32", side: int = 64, batch: int = 100) -> list[Row]:
    """Measure the memory that the exact inverse allocates, with its result, over its input."""
    images, kernel = problem(CHANNELS, (side, side), batch, dtype)
    rows = []
    for order, y in (("batch-last", batch_last(images)), ("NCHW", images)):
        peak = peak_memory(lambda y=y: cr.conv_inverse(y, kernel))
        what, case = f"memory of conv_inverse, {order}", case_name(CHANNELS, (side, side), batch)
        rows.append(Row(what, case, dtype, ratios={"input": peak / y.nbytes}))
    return rows


def peak_memory(function: Callable[[], object]) -> int:
    """Return the most bytes that NumPy and Python held during a call beyond those before it."""
    function()  # compiles, and fills caches
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
