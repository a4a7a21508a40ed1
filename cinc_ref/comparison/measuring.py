"""The times of a model in sampling, of its convolutions in that, and in training."""

import statistics
from typing import Any

import numpy as np

from cinc_ref._typing import IntegerArray, Params
from cinc_ref.flows import Flow
from cinc_ref.flows.cost import timed_decode
from cinc_ref.timing import measure, one_core
from cinc_ref.training.estimate import step_seconds

__all__ = ["convolution_share", "times"]

SAMPLES = 100
"""Number of images that are sampled, as in the paper's table."""

REPEAT = 7
"""Number of measurements of sampling, of which the median counts."""

STEPS = 5
"""Number of training steps that are timed, of which the median counts."""


def times(
    flow: Flow, params: Params, images: IntegerArray, training: dict[str, Any]
) -> dict[str, Any]:
    """Measure medians of times on one core.

    Parameters
    ----------
    flow : Flow
    params : tree of ndarray
    images : array_like of integers, shape (N, C, H, W)
        Images to train on.
    training : dict
        Options of `cinc_ref.train`.

    Returns
    -------
    dict of JSON values
        "sampling_seconds" of 100 images, the "convolution_share" of that,
        "training_images_per_second", and the "conditions" of the measurement.
    """

    # At temperature 0 the arithmetic is the same, and no draw can become infinite, for which the
    # search for the responsible layer would be timed as well.
    def sample():
        flow.sample(params, np.random.default_rng(0), SAMPLES, temperature=0.0)

    sampling = measure(sample, repeat=REPEAT)
    steps = {name: value for name, value in training.items() if name not in ("minutes", "steps")}
    with one_core():
        seconds, _ = step_seconds(flow, images, repeat=STEPS, **steps)
    batch = min(training["batch_size"], len(images))
    return {
        "sampling_seconds": sampling.median,
        "convolution_share": convolution_share(flow, params),
        "training_images_per_second": batch / statistics.median(seconds),
        "conditions": str(sampling.conditions),
    }


def convolution_share(flow: Flow, params: Params) -> float:
    """Measure the part of the time of decoding 100 latents that the convolutions take."""
    rng, dtype = np.random.default_rng(0), params["top"]["mean"].dtype
    latents = [rng.standard_normal((SAMPLES, *shape), dtype) for shape in flow.latent_shapes]
    with one_core():
        parts = [timed_decode(flow, params, latents) for _ in range(REPEAT)]
    return statistics.median(inside / whole for whole, inside in parts)
