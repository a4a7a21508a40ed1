"""Memory that starts on a cache line, and a pool of pages for large results.

The C library returns the memory of a large array to the system as soon as the array is gone, and
the system clears each page of the next one: a quarter of the time of a call. So a pool holds the
pages of large results for the next ones. Meanwhile the system may take them when it is short of
memory (MADV_FREE), although they still count as this process's, also by a limit on addresses
(RLIMIT_AS); `tracemalloc` does not see them.
"""

import ctypes
import mmap
import weakref
from contextlib import suppress
from pathlib import Path

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.kernels._jit import compiled
from cinc_ref.kernels.simd.cpu import LINE_BYTES

__all__ = ["ALIGNED_BYTES", "aligned", "empty_like"]

ALIGNED_BYTES = 2**16
"""Size in bytes of a result from which on it starts on a cache line; that costs a microsecond."""

LARGE_BYTES = 2**25
"""Size in bytes of a result from which on its pages come from the pool.

The C library returns memory of this size to the system at once.
"""

MAX_POOL_BYTES = 2**28
"""Size in bytes of the pages in the pool at most."""

_pool: list[mmap.mmap] = []
"""Pages that no array uses, the oldest first."""


def empty_like(images: Array) -> Array:
    """Return new images of this shape and dtype that lie in memory batch first or last as these."""
    if images.nbytes < ALIGNED_BYTES:
        return np.empty_like(images, subok=False)
    if images.nbytes >= LARGE_BYTES and SYSTEM_TAKES_FREE_PAGES:
        memory = _large(images.size, images)
    else:
        memory = aligned(images.size, images)
    if images.flags.c_contiguous:
        return memory.reshape(images.shape)
    count, *rest = images.shape
    return memory.reshape(*rest, count).transpose(3, 0, 1, 2)


def aligned(length: int, like: Array) -> Array:
    """Return a new flat array of the dtype of another that starts on a cache line."""
    memory = np.empty(length + LINE_BYTES // like.itemsize, like.dtype)
    start = _line_start(memory)
    return memory[start : start + length]


@compiled
def _line_start(memory):
    """Return the first index at which a cache line begins; Python takes longer to find it."""
    return -memory.ctypes.data % LINE_BYTES // memory.itemsize


def _large(length, like):
    """Return a new flat array of the dtype of another, in pages that return to the pool."""
    try:
        pages = _take(length * like.itemsize)
    except OSError:  # the system is short of memory: NumPy allocates it, or raises MemoryError
        _pool.clear()
        return aligned(length, like)
    # the object at the base of every view of the array, or of its memory
    owner = (ctypes.c_char * len(pages)).from_buffer(pages)
    weakref.finalize(owner, _put_back, pages).atexit = False
    return np.frombuffer(owner, like.dtype, length)


def _take(size):
    """Take pages of at least so many bytes, at most twice as many, from the pool; or new ones."""
    fitting = [pages for pages in tuple(_pool) if size <= len(pages) <= 2 * size]
    for pages in sorted(fitting, key=len):
        with suppress(ValueError):  # another thread was faster
            _pool.remove(pages)
            return pages
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):
        pages.madvise(mmap.MADV_HUGEPAGE)
    return pages


def _put_back(pages):
    """Return pages to the pool, lent to the system meanwhile; drop the oldest beyond its size."""
    if len(pages) > MAX_POOL_BYTES:
        return
    try:
        pages.madvise(mmap.MADV_FREE)
    except OSError:  # where all memory is locked, say
        return
    _pool.append(pages)
    while sum(map(len, _pool)) > MAX_POOL_BYTES:
        del _pool[:1]  # which, unlike pop, may find that another thread was faster


def _system_takes_free_pages():
    """Return whether the system has MADV_FREE and huge pages; small ones come back too slowly."""
    if not (hasattr(mmap, "MADV_FREE") and hasattr(mmap, "MADV_HUGEPAGE")):
        return False
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    try:
        return "[never]" not in setting.read_text(encoding="ascii")
    except OSError:
        return False


SYSTEM_TAKES_FREE_PAGES = _system_takes_free_pages()
