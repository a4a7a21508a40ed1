"""The response of the inverse to single pixels of the first row, in floating point.

Row by row of pixels, with T_u the taps u rows up,

    T_0 G_i = 1 (at i = 0) - sum over u of T_u G_{i-u},

and T_0 is solved from pixel to pixel. Arrays have the shape (H, W, C, sources).
"""

import numpy as np

from cinc_ref._typing import Array, FloatArray

__all__ = ["response", "subtract_taps"]


def response(
    kernel: FloatArray, anchor: tuple[int, int], size: tuple[int, int], sources: int
) -> tuple[FloatArray, FloatArray]:
    """Compute G on an image of a size, for the first `sources` (pixel, channel) of its first row.

    Returns
    -------
    response, rest : ndarray, shape (H, W, C, sources)
        G, and |1 - M G|.
    """
    (height, width), channels, (p, q) = size, len(kernel), anchor
    result = np.zeros((height, width, channels, sources))
    rest = np.zeros_like(result)
    impulse = np.zeros((width, channels, sources))
    impulse.reshape(-1, sources)[range(sources), range(sources)] = 1
    inverse = np.linalg.inv(kernel[:, :, p, q])
    for i in range(height):
        right = impulse.copy() if i == 0 else np.zeros_like(impulse)
        for a in range(max(0, p - i), p):
            subtract_taps(right, kernel[:, :, a], result[i - p + a], q)
        for j in range(width):
            pixel = right[j]
            for b in range(max(0, q - j), q):
                pixel = pixel - kernel[:, :, p, b] @ result[i, j - q + b]
            result[i, j] = inverse @ pixel
        subtract_taps(right, kernel[:, :, p], result[i], q)
        rest[i] = np.abs(right)
    return result, rest


def subtract_taps(right: Array, taps: Array, row: Array, q: int) -> None:
    """Subtract from pixels what the taps of one kernel row, shape (C, C, kw), read of a row."""
    width = len(row)
    for b in range(taps.shape[2]):
        left = q - b
        if abs(left) < width:
            start, stop = max(0, left), min(width, width + left)
            right[start:stop] -= taps[:, :, b] @ row[start - left : stop - left]
