import numpy as np


def bits_per_dim(log_prob, shape, bins):
    """Multiply the density by the volume bins^-D of a level, and take -log2 per dimension."""
    dimensions = np.prod(shape)
    return -(log_prob - dimensions * np.log(bins)) / (dimensions * np.log(2))
