"""The density of standard normal latents."""

import autograd.numpy as anp
import numpy as np

from cinc_ref._typing import Array

__all__ = ["log_normal"]


def log_normal(z: Array) -> Array:
    """Return log N(z; 0, I) of each latent, in nats."""
    dimensions = z.shape[1] * z.shape[2] * z.shape[3]
    return -0.5 * anp.sum(z * z, axis=(1, 2, 3)) - 0.5 * dimensions * float(np.log(2 * np.pi))
