"""The random streams of a run, and the batches that they choose."""

from functools import lru_cache
from typing import Any

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.flows import dequantize
from cinc_ref.training.settings import Settings

__all__ = ["INIT", "ORDER", "STEP", "VALIDATION", "Batches", "generator"]

INIT, ORDER, STEP, VALIDATION = range(4)
"""Streams of random numbers: initialization, order of the images, steps, validation."""


def generator(seed: int, stream: int, number: int = 0) -> np.random.Generator:
    """Return the generator of one use, seeded by all three numbers.

    No generator outlives its use, so a run saves none.
    """
    return np.random.default_rng([seed, stream, number])


class Batches:
    """The batches of training images, chosen by the number of the step alone.

    Parameters
    ----------
    images : array_like of integers, shape (N, C, H, W)
    bins : int
        Number of levels of the images.
    settings : Settings

    Attributes
    ----------
    size : int
        Images in a batch: a small set is one batch.
    """

    images: Any
    bins: int
    settings: Settings
    size: int

    def __init__(self, images: Any, bins: int, settings: Settings) -> None:
        self.images, self.bins, self.settings = images, bins, settings
        self.size = min(settings.batch_size, len(images))

    def batch(self, step: int, rng: np.random.Generator) -> Array:
        """Return the dequantized images of a step; each epoch has an order of its own."""
        epoch, position = divmod(step, len(self.images) // self.size)
        order = _permutation(self.settings.seed, epoch, len(self.images))
        images = self.images[order[position * self.size : (position + 1) * self.size]]
        if self.settings.flip:
            mirrored = rng.random(len(images)) < 0.5
            images[mirrored] = images[mirrored, :, :, ::-1]
        return dequantize(images, self.bins, rng, self.settings.dtype)


@lru_cache(maxsize=1)
def _permutation(seed, epoch, count):
    return generator(seed, ORDER, epoch).permutation(count)
