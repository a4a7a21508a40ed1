"""The loss of training, in bits per dimension, and its gradient."""

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import value_and_grad

from cinc_ref._typing import FloatArray, Params
from cinc_ref.flows import Flow, bits_per_dim
from cinc_ref.training.dropout import drop_units
from cinc_ref.training.flat_params import FlatParams

__all__ = ["EVALUATION_BATCH", "bits_and_gradient", "evaluate", "mean_bits"]

EVALUATION_BATCH = 256
"""Number of images evaluated at a time where no gradient is needed, which bounds the memory."""


def mean_bits(flow: Flow, params: Params, x: FloatArray, constant_memory: bool = False) -> Any:
    """Compute the mean bits per dimension of a batch of dequantized images (N, C, H, W)."""
    log_prob = flow.log_prob(params, x, constant_memory=constant_memory)
    mean = anp.sum(log_prob) / len(x)  # np.mean would turn float32 into float64
    return bits_per_dim(mean, int(np.prod(flow.image_shape)), flow.bins)


def bits_and_gradient(
    flow: Flow,
    flat: FlatParams,
    vector: FloatArray,
    x: FloatArray,
    dropout: float,
    rng: np.random.Generator,
    constant_memory: bool = False,
) -> tuple[float, FloatArray]:
    """Compute the training loss of a batch and its gradient.

    Parameters
    ----------
    flow : Flow
    flat : FlatParams
    vector : ndarray, shape (n,)
        The parameters.
    x : ndarray, shape (N, C, H, W)
        Dequantized images, of the dtype of `vector`.
    dropout : float
        Probability that a hidden unit is dropped.
    rng : numpy.random.Generator
        Chooses the units that are dropped.
    constant_memory : bool
        Rebuild the steps' inputs instead of keeping them; see `Flow.log_prob`.

    Returns
    -------
    bits : float
        Bits per dimension.
    gradient : ndarray, shape (n,), dtype of `vector`
    """

    def loss(vector):
        params = drop_units(flat.params(vector), dropout, rng)
        return mean_bits(flow, params, x, constant_memory)

    bits, gradient = value_and_grad(loss)(vector)
    return float(bits), gradient


def evaluate(flow: Flow, params: Params, images: Any, rng: np.random.Generator) -> float:
    """Compute the mean bits per dimension, a float, of integer images with one draw of noise."""
    total = 0.0
    for start in range(0, len(images), EVALUATION_BATCH):
        bits = flow.bits_per_dim(params, images[start : start + EVALUATION_BATCH], rng)
        total += float(np.sum(bits, dtype=np.float64))
    return total / len(images)
