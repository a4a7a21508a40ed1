import numpy as np


def matrix(kernel, size):
    """Fill in one block of C x C entries for each pixel and tap."""
    channels, kh, kw = kernel.shape[1:]
    height, width = size
    m = np.zeros((height, width, channels, height, width, channels))
    for i, j, a, b in np.ndindex(height, width, kh, kw):
        row, column = i - (kh - 1 - a), j - (kw - 1 - b)
        if row >= 0 and column >= 0:
            m[i, j, :, row, column, :] = kernel[:, :, a, b]
    return m.reshape(height * width * channels, height * width * channels)
