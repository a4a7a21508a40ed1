"""The times of a model: sampling, the part of it in the invertible convolutions, training."""

import statistics

import numpy as np

from cinc_ref.flows.cost import timed_decode
from cinc_ref.timing import measure, one_core
from cinc_ref.training.estimate import step_seconds

SAMPLES = 100
REPEAT = 7
STEPS = 5


def times(flow, params, images, training):
    """Times on one core, medians, as a dict of JSON values.

    Parameters
    ----------
    flow : Flow
    params : tree of ndarray
    images : array_like of integers, shape (N, C, H, W)
        To train on.
    training : dict
        Options of `cinc_ref.train`.

    Returns
    -------
    dict
        "sampling_seconds" of 100 images, "convolution_share" of that, "training_images_per_second"
        and the "conditions" of the measurement.
    """

    # At temperature 0 the arithmetic is the same, and no draw lies so far out that a search for the
    # layer at which it ceases to be finite is timed as well.
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


def convolution_share(flow, params):
    """The part of a decoding of 100 latents that is spent in the invertible convolutions."""
    rng, dtype = np.random.default_rng(0), params["top"]["mean"].dtype
    latents = [rng.standard_normal((SAMPLES, *shape), dtype) for shape in flow.latent_shapes]
    with one_core():
        parts = [timed_decode(flow, params, latents) for _ in range(REPEAT)]
    return statistics.median(inside / whole for whole, inside in parts)
