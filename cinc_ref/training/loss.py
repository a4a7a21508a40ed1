"""What is minimized: bits per dimension."""

import autograd.numpy as anp
import numpy as np
from autograd import value_and_grad

from cinc_ref.flows import bits_per_dim
from cinc_ref.training.dropout import drop_units

EVALUATION_BATCH = 256
"""Images at a time where no gradient is needed; it bounds the memory."""


def mean_bits(flow, params, x, constant_memory=False):
    """Mean bits per dimension of a batch of dequantized images (N, C, H, W)."""
    log_prob = flow.log_prob(params, x, constant_memory=constant_memory)
    mean = anp.sum(log_prob) / len(x)  # np.mean would turn float32 into float64
    return bits_per_dim(mean, int(np.prod(flow.image_shape)), flow.bins)


def bits_and_gradient(flow, layout, vector, x, dropout, rng, constant_memory=False):
    """Training loss of a batch and its gradient.

    Parameters
    ----------
    flow : Flow
    layout : Layout
    vector : ndarray, shape (n,)
        The parameters.
    x : ndarray, shape (N, C, H, W)
        Dequantized images, of the dtype of `vector`.
    dropout : float
        Rate of the unit dropout.
    rng : numpy.random.Generator
        Of the units that are dropped.
    constant_memory : bool
        Rebuild the steps' inputs instead of keeping them; see `Flow.log_prob`.

    Returns
    -------
    bits : float
        Per dimension.
    gradient : ndarray, shape (n,), dtype of `vector`
    """

    def loss(vector):
        params = drop_units(layout.params(vector), dropout, rng)
        return mean_bits(flow, params, x, constant_memory)

    bits, gradient = value_and_grad(loss)(vector)
    return float(bits), gradient


def evaluate(flow, params, images, rng):
    """Mean bits per dimension, a float, of integer images with one draw of noise."""
    total = 0.0
    for start in range(0, len(images), EVALUATION_BATCH):
        bits = flow.bits_per_dim(params, images[start : start + EVALUATION_BATCH], rng)
        total += float(np.sum(bits, dtype=np.float64))
    return total / len(images)
