"""Natural colour patches, cut from the two photographs that scikit-learn ships."""

import numpy as np

from cinc_ref._extras import extra
from cinc_ref.data.image_set import ImageSet
from cinc_ref.errors import OptionError

SMALLEST, LARGEST = 8, 32
REGIONS = {
    "train": ((0, 192), (256, 448), (512, 640)),
    "validation": ((192, 256),),
    "test": ((448, 512),),
}
"""Columns of each photograph, 640 wide, from which a part is cut: no two parts share a pixel."""

OVERLAP = 4
"""Training patches start at every (side / 4)-th pixel; those of the other parts do not overlap."""


def patches(size=16):
    """Square colour patches of photographs, from regions that the three parts do not share.

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
    ((3, 16, 16), [24514, 208, 208])
    """
    if not isinstance(size, int | np.integer) or not SMALLEST <= size <= LARGEST:
        raise OptionError(f"size must be an integer from {SMALLEST} to {LARGEST}; got {size!r}")
    with extra("data"):
        from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images
    parts = {
        part: np.concatenate(
            [
                _cut(photograph[:, start:stop], size, size // OVERLAP if part == "train" else size)
                for photograph in photographs
                for start, stop in columns
            ]
        )
        for part, columns in REGIONS.items()
    }
    return ImageSet("patches", **parts, bins=256)


def _cut(region, size, stride):
    """All patches of a region (H, W, 3) on a grid, as (N, 3, size, size)."""
    windows = np.lib.stride_tricks.sliding_window_view(region, (size, size), axis=(0, 1))
    return windows[::stride, ::stride].reshape(-1, 3, size, size)
