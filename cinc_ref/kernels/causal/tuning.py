"""Sizes of what the kernels work on at a time.

Images do not depend on them, weight gradients by the rounding of their sums alone.
"""

from typing import NamedTuple

__all__ = ["TUNING", "Tuning"]


class Tuning(NamedTuple):
    """Target sizes, measured with ``python -m cinc_ref bench kernels`` and ``bench scaling``.

    Attributes
    ----------
    strip_bytes : int
        A strip, which is transferred, swept and transferred back: half of a 48 KiB first-level
        data cache. Sizes from 16 to 32 KiB differ by 2 %.
    strip_rows : int
        Rows of a strip at least: pixels of two rows, in turn, need not wait for one another's sums.
    tile_group_bytes : int
        Working memory of tiles that are swept in turn, strip by strip: a second-level cache. Images
        are then read almost in the order of memory.
    nontemporal_min_bytes : int
        A result from which on it is stored past the caches: a larger one would drive everything
        else out of them.
    gradient_tile_bytes : int
        Pixels that a weight gradient reads for one tap after the other, from the first-level cache.
    gradient_copy_bytes : int
        Batch-first images, and their gradients, that a weight gradient copies at a time: they stay
        in the second-level cache.
    """

    strip_bytes: int = 3 * 2**13
    strip_rows: int = 2
    tile_group_bytes: int = 2**21
    nontemporal_min_bytes: int = 2**22
    gradient_tile_bytes: int = 5 * 2**13
    gradient_copy_bytes: int = 2**19


TUNING = Tuning()
