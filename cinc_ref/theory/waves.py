r"""Growth rates in floating point, of waves and within a row: they suggest, others decide.

Seen along the rows, a wave z = e^{i theta j}, the inverse is a recursion from one row of pixels to
the next,

    x_i = T_0(z)^{-1} (y_i - T_1(z) x_{i-1} - T_2(z) x_{i-2} - ...),

and within a row one from pixel to pixel. Each grows by the largest modulus of an eigenvalue of its
companion matrix. The largest rate over all waves is looked for on a grid, and refined.
"""

import numpy as np

from cinc_ref._typing import Array, FloatArray
from cinc_ref.theory.symbol import Symbol

__all__ = ["dominant", "rate_of_waves", "rate_within_a_row"]

WAVES = 128
"""The number of waves of the grid, from 0 to pi: real kernels are symmetric."""

REFINED = 8
"""The number of waves from which a larger rate is looked for, by steps that halve."""


def rate_within_a_row(symbol: Symbol) -> float:
    """Estimate the factor by which the response grows from pixel to pixel within a row."""
    q = symbol.anchor[1]
    return float(_radii(symbol.rows_up(symbol.normalized, 0)[None, :, :, q::-1])[0])


def dominant(coefficients: Array) -> complex:
    """Return the largest eigenvalue of A_0 x_i + A_1 x_{i-1} + ... = 0, all A stacked."""
    matrices, singular = _companions(np.moveaxis(coefficients, 0, -1)[None])
    if singular[0] or not np.isfinite(matrices).all():
        return complex(np.inf)
    values = np.linalg.eigvals(matrices[0])
    return complex(values[np.argmax(np.abs(values))])


def rate_of_waves(symbol: Symbol) -> tuple[float, float]:
    """Estimate the largest factor from row to row of a wave, and the angle of that wave."""
    if not symbol.anchor[0]:
        return 0.0, 0.0
    angles, step = np.linspace(0, np.pi, WAVES + 1, retstep=True)
    values = row_to_row_rates(symbol, angles)
    best = np.argsort(values)[-REFINED:]
    angles, values = angles[best], values[best]
    for width in step / 2.0 ** np.arange(1, 24):
        trial_angles = np.stack([angles, angles - width, angles + width])
        moved = row_to_row_rates(symbol, trial_angles[1:].ravel()).reshape(2, -1)
        trial = np.concatenate([values[None], moved])
        choice, column = np.argmax(trial, axis=0), np.arange(len(angles))
        angles, values = trial_angles[choice, column], trial[choice, column]
    largest = int(np.argmax(values))
    return float(values[largest]), float(angles[largest])


def row_to_row_rates(symbol: Symbol, angles: FloatArray) -> FloatArray:
    """Return the factor from one row of pixels to the next for the waves of these angles."""
    q = symbol.anchor[1]
    phases = np.exp(1j * np.outer(angles, q - np.arange(symbol.normalized.shape[3])))
    return _radii(np.einsum("ocab,nb->noca", symbol.normalized, phases)[..., ::-1])


def _radii(coefficients):
    """Return the growth of A_0 x_i + A_1 x_{i-1} + ... = 0 for a batch of A, (n, C, C, p + 1).

    Infinite where A_0 is singular.
    """
    if coefficients.shape[3] == 1:
        return np.zeros(len(coefficients))
    matrices, singular = _companions(coefficients)
    finite = np.isfinite(matrices).all(axis=(1, 2)) & ~singular
    radii = np.full(len(coefficients), np.inf)
    radii[finite] = np.abs(np.linalg.eigvals(matrices[finite])).max(axis=1)
    return radii


def _companions(coefficients):
    """Return the companion matrices, and where there is none because A_0 is singular."""
    count, channels, _, length = coefficients.shape
    with np.errstate(all="ignore"):
        singular = ~(np.abs(np.linalg.det(coefficients[..., 0])) > 0)
        first = np.where(singular[:, None, None], np.eye(channels), coefficients[..., 0])
        others = np.concatenate([coefficients[..., k] for k in range(1, length)], axis=2)
        top = -np.linalg.solve(first, others)
    matrices = np.zeros((count, (length - 1) * channels, (length - 1) * channels), top.dtype)
    matrices[:, :channels] = top
    below = np.arange(channels, matrices.shape[1])
    matrices[:, below, below - channels] = 1
    return matrices, singular
