"""The log-determinant of a batched function at one image by central differences."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cinc_ref._typing import Array

__all__ = ["slogdet_of"]

STEPS = (1.0, 1 / 4, 1 / 16)
"""The steps in units of the cube root of eps, tried until one is accurate enough."""

ACCURATE = 1e-3
"""The error in nats at which no smaller step is tried."""


@dataclass(frozen=True)
class Slogdet:
    """The estimate of log|det J|, its error, and Skeel's number of J, which magnifies rounding."""

    log_abs_det: float
    error: float
    conditioning: float


def slogdet_of(function: Callable[..., Any], image: Array) -> Slogdet:
    """Compute log|det| of the derivative of `function` at `image`, by central differences.

    Where the function is smooth, doubling the step changes the differences little and doubles the
    gap between those ahead and behind. Deviations from this, as near the kink of a ReLU, count as
    error, and so does rounding, eps |y| / step in each entry. The inverse of the Jacobian
    propagates them to the log-determinant.
    """
    tried = []
    for step in STEPS:
        tried.append(_slogdet(function, image, step))
        if tried[-1].error < ACCURATE:
            break
    return min(tried, key=lambda slogdet: slogdet.error)


def _slogdet(function, image, relative_step):
    eps = float(np.finfo(image.dtype).eps)
    step = relative_step * eps ** (1 / 3) * (1 + np.abs(image).max())
    (ahead, behind, far_ahead, far_behind), size = _quotients(function, image, step)
    jacobian, doubled = (ahead + behind) / 2, (far_ahead + far_behind) / 2
    log_abs_det = float(np.linalg.slogdet(jacobian)[1])
    try:
        inverse = np.abs(np.linalg.inv(jacobian))
        conditioning = float(np.max(np.sum(inverse @ np.abs(jacobian), axis=1)))
    except np.linalg.LinAlgError:
        conditioning = np.inf
    if not conditioning < 1 / eps:  # no inverse, or NaN
        return Slogdet(log_abs_det, np.inf, 1.0)
    gaps = np.abs(doubled - jacobian)
    gaps += np.abs(2 * (ahead - behind) - (far_ahead - far_behind))
    entries = 3 * gaps + 10 * eps * size / step
    error = np.sqrt(np.sum((inverse.T * entries) ** 2))
    error += abs(np.linalg.slogdet(doubled)[1] - log_abs_det)
    return Slogdet(log_abs_det, float(error), conditioning)


def _quotients(function, image, step):
    """Compute (f(x + s e_k) - f(x)) / s as columns for s = 1, -1, 2, -2 steps, and max |f(x)|."""
    units = np.eye(image.size).reshape(image.size, *image.shape)
    quotients = []
    for offset in (step, -step, 2 * step, -2 * step):
        moved = (image + offset * units).astype(image.dtype)
        taken = (moved.astype(np.float64) - image).reshape(image.size, -1).sum(axis=1)
        results = function(np.concatenate([image[None], moved])).astype(np.float64)
        start, results = results[0].ravel(), results[1:].reshape(image.size, -1)
        quotients.append(((results - start) / taken[:, None]).T)
    return quotients, np.abs(start).max()
