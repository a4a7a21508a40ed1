"""Sets of images that are split for training."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cinc_ref._display import images_html, table_html
from cinc_ref._images import HANDWRITING, digest
from cinc_ref._typing import IntegerArray
from cinc_ref._validate import integer, is_integer, shown
from cinc_ref.data.parts import PARTS
from cinc_ref.data.stack import Stack
from cinc_ref.errors import OptionError

__all__ = ["ImageSet"]

SHOWN_IMAGES = 10
"""Number of images that a notebook shows, in one row."""


@dataclass(frozen=True)
class ImageSet:
    """Integer images in three parts: to train, to decide when to stop, and to judge the result.

    Parameters
    ----------
    name : str
    train, validation, test : ndarray of integers, shape (N, C, H, W)
        Levels 0 to bins - 1. Parts that are too large for the memory are a `Stack`, which reads
        rows from the disk when they are used.
    bins : int
        Number of levels, at least 2.
    options : dict
        The options with which `image_set` loaded the images, as JSON values.

    Raises
    ------
    OptionError
        If `bins` is no integer of at least 2.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.data import ImageSet
    >>> images = np.random.default_rng(0).integers(0, 4, (30, 1, 8, 8))
    >>> ImageSet("noise", images[:20], images[20:25], images[25:], bins=4).image_shape
    (1, 8, 8)
    """

    name: str
    train: IntegerArray
    validation: IntegerArray
    test: IntegerArray
    bins: int
    options: dict[str, Any] = field(default_factory=dict, kw_only=True)

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(getattr(self, part))} {part}" for part in PARTS)
        return f"ImageSet({self.name!r}, {counts}, shape {self.image_shape}, {self.bins} levels)"

    def _repr_html_(self) -> str:
        first = np.asarray(self.train[:SHOWN_IMAGES])
        row = images_html(first, self.bins, dark=self.name in HANDWRITING) if first.size else ""
        shape = str(self.image_shape)
        rows = [(part, len(getattr(self, part)), shape, self.bins) for part in PARTS]
        return table_html(("part", "images", "shape", "levels"), rows, caption=self.name) + row

    def __post_init__(self) -> None:
        object.__setattr__(self, "bins", integer("bins", self.bins, minimum=2))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The shape (C, H, W) of one image."""
        _, channels, height, width = self.train.shape
        return channels, height, width

    def with_bits(self, bits: int) -> "ImageSet":
        """Return the images with 2**bits levels, without the lowest bits of every level.

        Parameters
        ----------
        bits : int
            At least 1, at most as many as the images have.

        Returns
        -------
        ImageSet

        Raises
        ------
        OptionError
            If the number of levels is no power of two, or is less than 2**bits.

        Examples
        --------
        >>> import numpy as np
        >>> levels = np.array([0, 127, 128, 255], np.uint8).reshape(4, 1, 1, 1)
        >>> ImageSet("ramp", levels, levels, levels, 256).with_bits(1).train.ravel()
        array([0, 0, 1, 1], dtype=uint8)
        """
        have = self.bins.bit_length() - 1
        if 2**have != self.bins or not is_integer(bits) or bits not in range(1, have + 1):
            raise OptionError(
                f"n_bits must be an integer from 1 to the bits of the images; got {shown(bits)} "
                f"for {self.name} with {self.bins} levels"
            )
        bits = int(bits)  # a small NumPy integer would overflow
        drop = have - bits
        parts = {name: _shifted(getattr(self, name), drop) for name in PARTS}
        return replace(self, **parts, bins=2**bits)

    def origin(self) -> dict[str, Any]:
        """Return JSON values that say where the images come from, for the files of a run.

        Returns
        -------
        dict
            The "name" and the "options" that `image_set` takes, and a digest of the
            "test_images".

        Examples
        --------
        >>> from cinc_ref.data import image_set
        >>> image_set("digits").origin()["options"]
        {}
        """
        return {"name": self.name, "options": self.options, "test_images": digest(self.test)}


def _shifted(images, bits):
    return images.shifted(bits) if isinstance(images, Stack) else images >> bits
