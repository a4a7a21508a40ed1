"""The second part of the demonstration: a flow that is trained, inverted, sampled and timed."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from cinc_ref import _progress
from cinc_ref._display import fields_html, short_repr
from cinc_ref._typing import Array, FloatArray, IntegerArray
from cinc_ref.bijections import Squeeze
from cinc_ref.data import ImageSet
from cinc_ref.evaluation import Evaluation, cast, evaluate, inversion_error
from cinc_ref.flows import build, dequantize, quantize
from cinc_ref.timing import Timing, measure
from cinc_ref.training import TrainingResult, train

__all__ = [
    "MINUTES",
    "STEPS",
    "TEMPERATURE",
    "TrainedFlow",
    "arrange",
    "stage",
    "there_and_back",
    "train_and_sample",
]

MODEL: dict[str, Any] = {
    "system": "cinc",
    "corner_block": "plu",
    "coupling": "affine",
    "levels": 2,
    "depth": 8,
    "width": 64,
}
"""Configuration with the best samples after some 100 seconds, among those tried."""

OPTIONS: dict[str, Any] = {
    "learning_rate": 8e-3,
    "dropout": 0.1,
    "batch_size": 64,
    "evaluate_every": 50,
    "patience": None,
}
"""Options of training, chosen with the configuration."""

STEPS = 1800
"""Number of steps to train, which take one to two minutes on a core that has nothing else to do."""

MINUTES = 4.0
"""Limit of the time to train, in minutes, so that the demonstration ends within eight minutes on a
core that is shared or three times slower."""

SAMPLES = 100
"""Number of images that are sampled."""

TEMPERATURE = 0.8
"""Temperature of the samples."""


@dataclass(frozen=True)
class TrainedFlow:
    """A trained flow with its evaluation, its samples and their time.

    Attributes
    ----------
    images : ImageSet
    training : TrainingResult
    steps : int
        The number of steps that were intended.
    test : Evaluation
        Evaluation on the test images.
    errors : dict of float
        Largest error, in grey levels, of test images that went through the flow and back, by
        dtype. The parameters are the same in both.
    samples : ndarray of integers, shape (100, 1, 8, 8)
        Samples at temperature `TEMPERATURE`.
    sampling : Timing
        The time of drawing `SAMPLES` samples.
    """

    images: ImageSet
    training: TrainingResult
    steps: int
    test: Evaluation
    errors: dict[str, float]
    samples: IntegerArray
    sampling: Timing

    __repr__ = short_repr
    _repr_html_ = fields_html

    @property
    def extent(self) -> str:
        """The steps that were made, and what stopped them before all were."""
        done = f"{self.training.step:,} of {self.steps:,} steps"
        stops = {
            "steps": f"trained for all {self.steps:,} steps",
            "minutes": f"stopped by the limit of time after {done}",
            "interrupted": f"stopped by Ctrl-C after {done}",
        }
        return f"{stops[self.training.reason]}, {self.training.seconds:.0f} s"


def train_and_sample(
    images: ImageSet,
    *,
    minutes: float | None = MINUTES,
    steps: int = STEPS,
    seed: int = 0,
    progress: bool = False,
) -> TrainedFlow:
    """Train a flow on an image set, invert it on the test images, sample, and time sampling.

    Parameters
    ----------
    images : ImageSet
    minutes, steps, seed, progress
        Options of `cinc_ref.train`.

    Returns
    -------
    TrainedFlow
    """
    flow = build(image_shape=images.image_shape, bins=images.bins, **MODEL)
    training = train(
        flow,
        images.train,
        images.validation,
        minutes=minutes,
        steps=steps,
        seed=seed,
        progress=progress,
        **OPTIONS,
    )
    params = training.params

    with stage("evaluate on test digits", progress):
        test = evaluate(flow, params, images.test)
    errors = {}
    for dtype in ("float32", "float64"):
        with stage(f"invert the flow in {dtype}", progress):
            errors[dtype] = inversion_error(flow, cast(params, dtype), images.test)
    with stage("sample new digits", progress):
        draw = partial(flow.sampler(params).draw, seed, SAMPLES, TEMPERATURE)
        samples, sampling = quantize(draw(), images.bins), measure(draw)
    return TrainedFlow(images, training, steps, test, errors, samples, sampling)


def stage(title: str, shown: bool) -> AbstractContextManager[object]:
    """Return a context that shows a part of the demonstration on the error stream, if wanted."""
    return _progress.progress(title) if shown else nullcontext()


def there_and_back(trained: TrainedFlow, count: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Encode test images, and decode their latents.

    Returns
    -------
    images, latents, decoded : ndarray of float32, shape (count, 1, 8, 8)
        Images and decoded images in grey levels; standardized latents, arranged as images.
    """
    flow, params = trained.training.flow, trained.training.params
    x = dequantize(trained.images.test[:count], flow.bins, np.random.default_rng(0), np.float32)
    latents = flow.encode(params, x)
    decoded = flow.decode(params, latents)
    half, bins = np.float32(0.5), np.float32(flow.bins)
    return (x + half) * bins, arrange(latents), (decoded + half) * bins


def arrange(latents: Sequence[Array]) -> Array:
    """Arrange the latents of a flow as images, by undoing every level's squeeze.

    Parameters
    ----------
    latents : sequence of ndarray
        Latents that `Flow.encode` returned.

    Returns
    -------
    ndarray, shape (N, C, H, W)
    """
    squeeze = Squeeze()
    image, _ = squeeze.inverse({}, latents[-1])
    for latent in reversed(latents[:-1]):
        image, _ = squeeze.inverse({}, np.concatenate([image, latent], axis=1))
    return image
