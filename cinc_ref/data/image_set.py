"""Image sets that are split for training, and the table of those that have a name."""

from dataclasses import dataclass

import numpy as np

from cinc_ref.data.bundled import digits
from cinc_ref.errors import OptionError


@dataclass(frozen=True)
class ImageSet:
    """Integer images in three parts: to train on, to decide when to stop, and to be judged by.

    Attributes
    ----------
    name : str
    train, validation, test : ndarray of integers, shape (N, C, H, W)
        Levels 0 to bins - 1.
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


def digits_set():
    """The digits of `digits`, shuffled with a fixed seed: 1,437 / 180 / 180 images, 17 levels.

    The order is ``numpy.random.default_rng(0).permutation(1797)``.

    Returns
    -------
    ImageSet

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.
    """
    images = digits()
    shuffled = images[np.random.default_rng(0).permutation(len(images))]
    return ImageSet("digits", *np.split(shuffled, [1437, 1617]), bins=17)


IMAGE_SETS = {"digits": digits_set}
"""Name of an image set: the function that loads it."""


def image_set(name):
    """An image set by its name in `IMAGE_SETS`.

    Parameters
    ----------
    name : {"digits"}

    Returns
    -------
    ImageSet

    Raises
    ------
    OptionError
        For an unknown name; the message lists the known ones.
    MissingExtraError
        If a package that brings the images is not installed.

    Examples
    --------
    >>> from cinc_ref.data import image_set
    >>> digits = image_set("digits")
    >>> [len(part) for part in (digits.train, digits.validation, digits.test)]
    [1437, 180, 180]
    >>> digits.image_shape, digits.bins
    ((1, 8, 8), 17)
    """
    if name not in IMAGE_SETS:
        raise OptionError(f"data must be one of {', '.join(IMAGE_SETS)}; got {name!r}")
    return IMAGE_SETS[name]()
