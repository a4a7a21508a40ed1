"""The Jacobian of a batched function at one image by central differences, with a stated error."""

from dataclasses import dataclass

import numpy as np

STEPS = (1.0, 1 / 4, 1 / 16)
"""Steps tried, in units of the cube root of eps: the best by its own estimate is taken."""


@dataclass(frozen=True)
class Slogdet:
    """log|det J|, how wrong it may be, and how J magnifies rounding (Skeel's number)."""

    log_abs_det: float
    error: float
    conditioning: float


def slogdet_of(function, image):
    """log|det| of the derivative of `function` at `image`.

    The error is that of the differences, seen when the step is doubled, and that of rounding,
    eps |y| / step in each entry; both reach the log-determinant through the inverse.
    """
    return min((_slogdet(function, image, step) for step in STEPS), key=lambda s: s.error)


def _slogdet(function, image, relative_step):
    eps = float(np.finfo(image.dtype).eps)
    step = relative_step * eps ** (1 / 3) * (1 + np.abs(image).max())
    jacobian, size = _differences(function, image, step)
    doubled, _ = _differences(function, image, 2 * step)
    if not (np.isfinite(jacobian).all() and np.linalg.matrix_rank(jacobian) == len(jacobian)):
        return Slogdet(float(np.linalg.slogdet(jacobian)[1]), np.inf, 1.0)
    inverse = np.abs(np.linalg.inv(jacobian))
    log_abs_det = np.linalg.slogdet(jacobian)[1]
    truncation = abs(np.linalg.slogdet(doubled)[1] - log_abs_det)
    rounding = eps * size / step * np.sqrt(np.sum(inverse**2))
    conditioning = np.max(np.sum(inverse @ np.abs(jacobian), axis=1))
    return Slogdet(float(log_abs_det), float(truncation + 10 * rounding), float(conditioning))


def _differences(function, image, step):
    """J in float64 and the largest |y|; both sides of all coordinates as one batch."""
    units = np.eye(image.size).reshape(image.size, *image.shape)
    batch = np.concatenate([image + step * units, image - step * units]).astype(image.dtype)
    results = function(batch).reshape(2, image.size, -1).astype(np.float64)
    apart = (batch[: image.size] - batch[image.size :]).astype(np.float64)
    steps = apart.reshape(image.size, -1).sum(axis=1)  # as rounding has made them
    return ((results[0] - results[1]) / steps[:, None]).T, np.abs(results).max()
