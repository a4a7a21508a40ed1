"""Natural colour patches, cut from the two photographs that scikit-learn ships."""

import numpy as np

from cinc_ref._extras import extra
from cinc_ref._validate import is_integer, shown
from cinc_ref.data.image_set import ImageSet
from cinc_ref.errors import OptionError

__all__ = ["patches"]

SMALLEST, LARGEST = 8, 32
"""Bounds of the side of a patch in pixels; the largest fits into a band of `HELD_OUT`."""

WIDTH = 32
"""Width of a band of `HELD_OUT` in pixels."""

HELD_OUT = {"validation": (64, 224, 384, 544), "test": (144, 304, 464, 608)}
"""First columns of the bands of each photograph, 640 pixels wide; training has the other columns.

No two parts share a pixel. The bands alternate, so that all parts show similar things.
"""

OVERLAP = 4
"""Training patches start at every (side / 4)-th pixel; those of the other parts do not overlap."""


def patches(size: int = 16) -> ImageSet:
    """Cut square colour patches from photographs, in regions that the three parts do not share.

    The photographs are ``china.jpg`` and ``flower.jpg`` of scikit-learn, 427x640 each.

    Parameters
    ----------
    size : int
        Side of a patch, 8 to 32.

    Returns
    -------
    ImageSet

    Raises
    ------
    OptionError
        If size is out of range.
    MissingExtraError
        If scikit-learn is not installed.

    Examples
    --------
    >>> from cinc_ref.data import image_set
    >>> images = image_set("patches", size=16)
    >>> images.image_shape, [len(part) for part in (images.train, images.validation, images.test)]
    ((3, 16, 16), [14832, 416, 416])
    """
    if not is_integer(size) or not SMALLEST <= size <= LARGEST:
        raise OptionError(
            f"size must be an integer from {SMALLEST} to {LARGEST}; got {shown(size)}"
        )
    size = int(size)  # a small NumPy integer would overflow
    with extra("data"):
        from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images
    parts = {
        part: np.concatenate(
            [
                _cut(photograph[:, start:stop], size, size // OVERLAP if part == "train" else size)
                for photograph in photographs
                for start, stop in regions
            ]
        )
        for part, regions in _regions(photographs[0].shape[1]).items()
    }
    return ImageSet("patches", **parts, bins=256)


def _regions(width):
    """Return (first, last + 1) of the columns from which each part is cut."""
    held_out = {
        part: [(start, start + WIDTH) for start in starts] for part, starts in HELD_OUT.items()
    }
    bands = sorted(band for bands in held_out.values() for band in bands)
    starts, stops = [0, *(stop for _, stop in bands)], [*(start for start, _ in bands), width]
    between = [(start, stop) for start, stop in zip(starts, stops, strict=True) if start < stop]
    return {"train": between, **held_out}


def _cut(region, size, stride):
    """Cut all patches of a region (H, W, 3) on a grid, as (N, 3, size, size)."""
    windows = np.lib.stride_tricks.sliding_window_view(region, (size, size), axis=(0, 1))
    return windows[::stride, ::stride].reshape(-1, 3, size, size)
