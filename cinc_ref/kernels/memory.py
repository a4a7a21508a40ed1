"""Memory that starts on a cache line, for results and for what the loops work on.

The C library gives the memory of large arrays back to the system as soon as they are gone, and the
system clears each page of the next one: a quarter of the time of a call. So the memory of large
results is kept for the next ones. Meanwhile the system may take it when it is short of memory
(MADV_FREE), although it still counts as this process's, also by a limit on addresses (RLIMIT_AS);
`tracemalloc` does not see it.
"""

import ctypes
import mmap
import weakref
from contextlib import suppress
from pathlib import Path

import numpy as np

from cinc_ref.kernels.compiling import compiled, inlined
from cinc_ref.kernels.tiling import LINE_BYTES

CALLEES = "f6f13367"
"""Digest of `tiling`."""
ALIGNED_BYTES = 2**16
"""From which on a result had better start on a cache line; it takes time to see to it."""
LARGE_BYTES = 2**25
"""From which on the C library keeps no memory."""
MOST_KEPT_BYTES = 2**28

_kept = []
"""Pages that no array uses, those kept longest first."""


def empty_like(images):
    """New images of the same shape and dtype, which lie in memory batch-first or last as these."""
    if images.nbytes < ALIGNED_BYTES:
        return np.empty_like(images, subok=False)
    if images.nbytes >= LARGE_BYTES and SYSTEM_CAN_BE_LENT_PAGES:
        memory = _large(images.size, images)
    else:
        memory = aligned(images.size, images)
    if images.flags.c_contiguous:
        return memory.reshape(images.shape)
    count, *rest = images.shape
    return memory.reshape(*rest, count).transpose(3, 0, 1, 2)


def aligned(length, like):
    """A new array of the dtype of another that starts on a cache line."""
    memory = np.empty(length + LINE_BYTES // like.itemsize, like.dtype)
    start = _line_start(memory)
    return memory[start : start + length]


aligned_inlined = inlined(aligned)


@compiled
def _line_start(memory):
    """The number of an array with which a cache line starts; Python takes longer to find it."""
    return -memory.ctypes.data % LINE_BYTES // memory.itemsize


def _large(length, like):
    """A new array of the dtype of another, of pages that are kept when nothing uses them."""
    try:
        pages = _take(length * like.itemsize)
    except OSError:  # the system is short of memory: NumPy finds some, or says what it wanted
        _kept.clear()
        return aligned(length, like)
    # what any view of the array, or of its memory, comes down to
    owner = (ctypes.c_char * len(pages)).from_buffer(pages)
    weakref.finalize(owner, _keep, pages).atexit = False
    return np.frombuffer(owner, like.dtype, length)


def _take(size):
    """Pages of so many bytes, or up to twice as many."""
    fitting = [pages for pages in tuple(_kept) if size <= len(pages) <= 2 * size]
    for pages in sorted(fitting, key=len):
        with suppress(ValueError):  # another thread was faster
            _kept.remove(pages)
            return pages
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):
        pages.madvise(mmap.MADV_HUGEPAGE)
    return pages


def _keep(pages):
    """Lend pages to the system, and drop others where too many are kept."""
    if len(pages) > MOST_KEPT_BYTES:
        return
    try:
        pages.madvise(mmap.MADV_FREE)
    except OSError:  # where all memory is locked, say
        return
    _kept.append(pages)
    while sum(map(len, _kept)) > MOST_KEPT_BYTES:
        del _kept[:1]  # which, unlike pop, may find that another thread was faster


def _system_can_be_lent_pages():
    """Whether it knows how, and has huge pages; small ones come back no sooner than new ones."""
    if not (hasattr(mmap, "MADV_FREE") and hasattr(mmap, "MADV_HUGEPAGE")):
        return False
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    try:
        return "[never]" not in setting.read_text(encoding="ascii")
    except OSError:
        return False


SYSTEM_CAN_BE_LENT_PAGES = _system_can_be_lent_pages()
