"""The second part of the demonstration: a flow that is trained, inverted, sampled and timed."""

from dataclasses import dataclass

import numpy as np

from cinc_ref._display import fields_html, short_repr
from cinc_ref.bijections import Squeeze
from cinc_ref.data import ImageSet
from cinc_ref.evaluation import Evaluation, cast, evaluate, inversion_error
from cinc_ref.flows import build, dequantize, quantize
from cinc_ref.timing import Timing, measure
from cinc_ref.training import TrainingResult, train

MODEL = {
    "system": "cinc",
    "corner_block": "plu",
    "coupling": "affine",
    "levels": 2,
    "depth": 8,
    "width": 64,
}
"""Configuration with the best samples after 100 seconds, among those tried."""

OPTIONS = {"learning_rate": 8e-3, "dropout": 0.1, "batch_size": 128, "evaluate_every": 25}
"""Options of training, chosen with the configuration."""

MINUTES = 100 / 60
"""Minutes to train, so that the demonstration takes less than three."""

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
    test: Evaluation
    errors: dict[str, float]
    samples: np.ndarray
    sampling: Timing

    __repr__ = short_repr
    _repr_html_ = fields_html


def train_and_sample(images, *, minutes=None, steps=None, seed=0, progress=False):
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

    def draw():
        return flow.sample(params, np.random.default_rng(seed), SAMPLES, temperature=TEMPERATURE)

    return TrainedFlow(
        images=images,
        training=training,
        test=evaluate(flow, params, images.test),
        errors={
            dtype: inversion_error(flow, cast(params, dtype), images.test)
            for dtype in ("float32", "float64")
        },
        samples=quantize(draw(), images.bins),
        sampling=measure(draw),
    )


def there_and_back(trained, count):
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


def arrange(latents):
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
