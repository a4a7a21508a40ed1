"""Memory that starts on a cache line, for results and for what the loops work on."""

import numpy as np

from cinc_ref.kernels.compiling import compiled, inlined

LINE_BYTES = 64
"""Of a cache; no vector is longer."""
ALIGNED_BYTES = 2**16
"""From which on a result had better start on a cache line; it takes time to see to it."""


def empty_like(images):
    """New images of the same shape and dtype, which lie in memory batch-first or last as these."""
    if images.nbytes < ALIGNED_BYTES:
        return np.empty_like(images)
    memory = aligned_in_python(images.size, images)
    if images.flags.c_contiguous:
        return memory.reshape(images.shape)
    count, *rest = images.shape
    return memory.reshape(*rest, count).transpose(3, 0, 1, 2)


def aligned_in_python(length, like):
    """A new array of the dtype of another that starts on a cache line."""
    memory = np.empty(length + LINE_BYTES // like.itemsize, like.dtype)
    start = _line_start(memory)
    return memory[start : start + length]


aligned = inlined(aligned_in_python)


@compiled
def _line_start(memory):
    """The number of an array with which a cache line starts; Python takes longer to find it."""
    return -memory.ctypes.data % LINE_BYTES // memory.itemsize
