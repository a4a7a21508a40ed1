"""Properties of the processor that the kernels are shaped by: the one that Numba compiles for.

That is this machine's, unless ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` name another. Machines
that share a cache of compiled code by them have to agree on the vectors too.
"""

from llvmlite import binding
from numba import config

__all__ = [
    "LATENCY",
    "LINE_BYTES",
    "MAX_ACCUMULATORS",
    "MAX_BLOCK_ROWS",
    "REGISTERS",
    "VECTOR_BYTES",
    "WAVEFRONT_BYTES",
]


def _features() -> set[str]:
    """Return the names of the features that the processor has."""
    if config.CPU_FEATURES is not None:
        signed = config.CPU_FEATURES.split(",")
        return {feature[1:] for feature in signed if feature.startswith("+")}
    try:
        features = binding.get_host_cpu_features()
    except RuntimeError:  # LLVM does not know this kind of machine
        return set()
    return {feature for feature, present in features.items() if present}


def _vector_bytes() -> int:
    """Find the width of the SIMD registers; a wrong guess costs speed alone."""
    features = _features()
    return 64 if "avx512f" in features else 32 if "avx2" in features else 16


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


def _name() -> str:
    """Return LLVM's name of the processor."""
    if config.CPU_NAME is not None:
        return config.CPU_NAME
    try:
        return binding.get_host_cpu_name()
    except RuntimeError:
        return ""


IS_AMD = _name().startswith("znver")

MAX_ACCUMULATORS = MAX_BLOCK_ROWS if IS_AMD else REGISTERS
"""Vectors of a register block at most.

Two vectors for each output channel share the load of a weight, which saves a tenth of the time. For
AMD's processors LLVM moves these loads so far ahead that the accumulators no longer fit into the
registers, and one vector takes two thirds of the time of two (``bench kernels``).
"""

WAVEFRONT_BYTES = 32 if VECTOR_BYTES == 64 and IS_AMD and _name() <= "znver4" else VECTOR_BYTES
"""Bytes of the vectors of a wavefront.

Short vectors fit the diagonals of an image better; they are as fast as long ones on a core that
splits a long one into two halves, as AMD's up to Zen 4 do.
"""

LATENCY = 4
"""Cycles until an accumulator can be added to again: the accumulators that keep a core busy."""
