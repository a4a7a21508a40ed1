"""Images that are split for training."""

from dataclasses import dataclass, replace

import numpy as np

from cinc_ref.data.stack import Stack
from cinc_ref.errors import DataError, OptionError


@dataclass(frozen=True)
class ImageSet:
    """Integer images in three parts: to train on, to decide when to stop, and to be judged by.

    Attributes
    ----------
    name : str
    train, validation, test : ndarray of integers, shape (N, C, H, W)
        Levels 0 to bins - 1. Parts that are too large for the memory are a `Stack`, which reads
        rows from the disk when they are asked for.
    bins : int
    """

    name: str
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    bins: int

    @property
    def image_shape(self):
        """(C, H, W) of one image."""
        return self.train.shape[1:]

    def with_bits(self, bits):
        """The same images with 2**bits levels: the lowest bits of every level are dropped.

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
            If the images have no power of two of levels, or fewer.

        Examples
        --------
        >>> import numpy as np
        >>> levels = np.array([0, 127, 128, 255], np.uint8).reshape(4, 1, 1, 1)
        >>> ImageSet("ramp", levels, levels, levels, 256).with_bits(1).train.ravel()
        array([0, 0, 1, 1], dtype=uint8)
        """
        have = self.bins.bit_length() - 1
        if 2**have != self.bins or bits not in range(1, have + 1):
            raise OptionError(
                f"n_bits must be an integer from 1 to the bits of the images; got {bits!r} for "
                f"{self.name} with {self.bins} levels"
            )
        drop = have - bits
        parts = {name: _shifted(getattr(self, name), drop) for name in PARTS}
        return replace(self, **parts, bins=2**bits)


PARTS = ("train", "validation", "test")


def _shifted(images, bits):
    return images.shifted(bits) if isinstance(images, Stack) else images >> bits


def shuffled_parts(images):
    """Images shuffled with a fixed seed, divided 8 : 1 : 1 into train, validation and test.

    Raises
    ------
    DataError
        If there are fewer than three.
    """
    count = len(images)
    if count < 3:
        raise DataError(f"images must be at least 3, one for each part; got {count}")
    tenth = max(1, count // 10)
    order = np.random.default_rng(0).permutation(count)
    return tuple(images[part] for part in np.split(order, [count - 2 * tenth, count - tenth]))
