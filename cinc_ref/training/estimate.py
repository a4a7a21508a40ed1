"""Estimates of the time that a training takes, from a few of its steps."""

import time
from dataclasses import dataclass
from typing import Any

from cinc_ref._blas import one_blas_thread
from cinc_ref._display import fields_html, short_repr
from cinc_ref.flows import Flow
from cinc_ref.training.batches import INIT, generator
from cinc_ref.training.duration import duration
from cinc_ref.training.settings import Settings
from cinc_ref.training.trainer import Trainer

__all__ = ["Estimate", "estimate", "step_seconds"]

INIT_IMAGES = 16
"""Number of images from which the parameters are initialized, for only the time matters here."""


@dataclass(frozen=True)
class Estimate:
    """The estimated time of a training on one core.

    Attributes
    ----------
    step_seconds : float
        Seconds of one step, the faster of two.
    steps : int
    bits : float
        Bits per dimension of the first batch.
    """

    step_seconds: float
    steps: int
    bits: float

    __repr__ = short_repr
    _repr_html_ = fields_html

    @property
    def seconds(self) -> float:
        """Seconds of all steps, without evaluations."""
        return self.step_seconds * self.steps

    def __str__(self) -> str:
        return (
            f"{self.step_seconds:.3g} s a step, {self.steps:,} steps: "
            f"{duration(self.seconds)} on one core"
        )


def estimate(flow: Flow, images: Any, **options: Any) -> Estimate:
    """Make a few steps of training, and estimate the time that all would take.

    Parameters
    ----------
    flow : Flow
    images : array_like of integers, shape (N, C, H, W)
        Images to train on.
    **options
        Options of `cinc_ref.train`, with `steps` among them.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.flows import build
    >>> from cinc_ref.training.estimate import estimate
    >>> from cinc_ref.training.presets import preset
    >>> images = np.random.default_rng(0).integers(256, size=(8, 3, 8, 8))
    >>> flow = build(**preset("paper-cifar10").model | {"depth": 1, "width": 4, "levels": 2},
    ...              image_shape=(3, 8, 8))
    >>> found = estimate(flow, images, **preset("paper-cifar10").training(8))
    >>> found.steps, found.seconds == 4001 * found.step_seconds
    (4001, True)
    """
    seconds, bits = step_seconds(flow, images, repeat=2, **options)
    return Estimate(min(seconds), options["steps"], bits)


def step_seconds(
    flow: Flow, images: Any, *, repeat: int, **options: Any
) -> tuple[list[float], float]:
    """Time several steps of training, after one that compiles.

    Parameters
    ----------
    flow : Flow
    images : array_like of integers, shape (N, C, H, W)
    repeat : int
        Number of steps that are timed.
    **options
        Options of `cinc_ref.train`.

    Returns
    -------
    seconds : list of float
        Seconds of each step.
    bits : float
        Bits per dimension of the batch of the step before them.
    """
    trainer = Trainer(flow, images, images[:1], Settings(**{"steps": 1} | options))
    with one_blas_thread():
        _initialize_quickly(trainer)
        bits = trainer.step()
        return [_seconds(trainer.step) for _ in range(repeat)], bits


def _initialize_quickly(trainer):
    """Initialize from a part of one batch, without an evaluation."""
    seed = trainer.settings.seed
    x = trainer.batches.batch(0, generator(seed, INIT))[:INIT_IMAGES]
    trainer.start_from(trainer.flow.init(generator(seed, INIT), x))


def _seconds(step):
    began = time.perf_counter()
    step()
    return time.perf_counter() - began
