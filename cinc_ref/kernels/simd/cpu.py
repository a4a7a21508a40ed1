"""Properties of the processor that the kernels are shaped by."""

from llvmlite import binding

__all__ = [
    "LATENCY",
    "LINE_BYTES",
    "MAX_ACCUMULATORS",
    "MAX_BLOCK_ROWS",
    "REGISTERS",
    "VECTOR_BYTES",
    "WAVEFRONT_BYTES",
]


def _vector_bytes() -> int:
    """Find the width of the SIMD registers; a wrong guess costs speed alone."""
    try:
        features = binding.get_host_cpu_features()
    except RuntimeError:  # LLVM does not know this kind of machine
        return 16
    return 64 if features.get("avx512f") else 32 if features.get("avx2") else 16


VECTOR_BYTES = _vector_bytes()
"""Bytes of a SIMD register."""

LINE_BYTES = 64
"""Bytes of a cache line of x86 and most ARM processors.

Longer lines are prefetched twice; what must start on a line starts on a vector then.
"""

REGISTERS = 32 if VECTOR_BYTES == 64 else 16
"""SIMD registers that a core has."""

MAX_BLOCK_ROWS = 12 if VECTOR_BYTES == 64 else 6
"""Output channels of a register block at most.

Their accumulators, one vector that is read and one weight must fit into the registers; more rows
let each vector that is loaded serve more multiply-adds (``bench kernels``).
"""


def _host() -> str:
    try:
        return binding.get_host_cpu_name()
    except RuntimeError:
        return ""


IS_AMD = _host().startswith("znver")

MAX_ACCUMULATORS = MAX_BLOCK_ROWS if IS_AMD else REGISTERS
"""Vectors of a register block at most.

Two vectors for each output channel share the load of a weight, which saves a tenth of the time. For
AMD's processors LLVM moves these loads so far ahead that the accumulators no longer fit into the
registers, and one vector takes two thirds of the time of two (``bench kernels``).
"""

WAVEFRONT_BYTES = 32 if VECTOR_BYTES == 64 and IS_AMD and _host() <= "znver4" else VECTOR_BYTES
"""Bytes of the vectors of a wavefront.

Short vectors fit the diagonals of an image better; they are as fast as long ones on a core that
splits a long one into two halves, as AMD's up to Zen 4 do.
"""

LATENCY = 4
"""Cycles until an accumulator can be added to again: the accumulators that keep a core busy."""
