"""Second part: a flow of such convolutions, trained on the digits, inverted, sampled, timed."""

from dataclasses import dataclass

import numpy as np

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
"""Among those tried, the configuration with the best samples after 100 seconds."""

OPTIONS = {"learning_rate": 8e-3, "dropout": 0.1, "batch_size": 128, "evaluate_every": 25}
MINUTES = 100 / 60
SAMPLES = 100
TEMPERATURE = 0.8


@dataclass(frozen=True)
class TrainedFlow:
    """A trained flow and what was found out about it.

    Attributes
    ----------
    images : ImageSet
    training : TrainingResult
    test : Evaluation
        On the test images.
    errors : dict of float
        By dtype: largest error of a test image that went through the flow and back, in grey
        levels. The parameters are the same in both.
    samples : ndarray of integers, shape (100, 1, 8, 8)
        At temperature `TEMPERATURE`.
    sampling : Timing
        Of drawing as many.
    """

    images: ImageSet
    training: TrainingResult
    test: Evaluation
    errors: dict[str, float]
    samples: np.ndarray
    sampling: Timing


def train_and_sample(images, *, minutes=None, steps=None, seed=0, progress=False):
    """Train a flow on an image set, invert its test images, sample, and time sampling.

    The options are those of `cinc_ref.train`.

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
    """Test images, their latents arranged as images, and the images decoded from these.

    Images and decoded images are in grey levels, latents are standardized; all float32.

    Returns
    -------
    tuple of three ndarray, shape (count, 1, 8, 8)
    """
    flow, params = trained.training.flow, trained.training.params
    x = dequantize(trained.images.test[:count], flow.bins, np.random.default_rng(0), np.float32)
    latents = flow.encode(params, x)
    decoded = flow.decode(params, latents)
    half, bins = np.float32(0.5), np.float32(flow.bins)
    return (x + half) * bins, arrange(latents), (decoded + half) * bins


def arrange(latents):
    """Latents of a flow as images: every level's squeeze undone, nothing else.

    Parameters
    ----------
    latents : sequence of ndarray
        As `Flow.encode` returns them.

    Returns
    -------
    ndarray, shape (N, C, H, W)
    """
    squeeze = Squeeze()
    image, _ = squeeze.inverse({}, latents[-1])
    for leaving in reversed(latents[:-1]):
        image, _ = squeeze.inverse({}, np.concatenate([image, leaving], axis=1))
    return image
