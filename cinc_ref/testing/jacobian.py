"""The log-determinant of a batched function at one image: by central differences, or by probes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cinc_ref._typing import Array

__all__ = ["LogDetEstimate", "probed_log_det", "slogdet_of"]

STEPS = (1.0, 1 / 4, 1 / 16)
"""The steps in units of the cube root of eps, tried until one is accurate enough."""

ACCURATE = 1e-3
"""The error in nats at which no smaller step is tried."""

PROBES = 12
"""The number of random vectors of `probed_log_det`."""

LANCZOS_STEPS = 40
"""The dimension of the Krylov space of each random vector: 80 calls of the layer in all."""

PROBE_QUANTILE = 9.6
"""Student's t for 11 degrees of freedom that is exceeded, on either side, once in a million."""


@dataclass(frozen=True)
class LogDetEstimate:
    """The estimate of log|det J|, its error, and Skeel's number of J, which magnifies rounding."""

    log_abs_det: float
    error: float
    conditioning: float
    jacobian: Any = None


def slogdet_of(
    function: Callable[..., Any], image: Array, noise: float | None = None
) -> LogDetEstimate:
    """Compute log|det| of the derivative of `function` at `image`, by central differences.

    Where the function is smooth, doubling the step changes the differences little and doubles the
    gap between those ahead and behind. Deviations from this, as near the kink of a ReLU, count as
    error, and so does rounding, `noise` |y| / step in each entry, where the noise is eps unless
    given. The inverse of the Jacobian propagates them to the log-determinant.
    """
    tried = []
    for step in STEPS:
        tried.append(_slogdet(function, image, step, noise))
        if tried[-1].error < ACCURATE:
            break
    return min(tried, key=lambda slogdet: slogdet.error)


def _slogdet(function, image, relative_step, noise):
    eps = float(np.finfo(image.dtype).eps)
    noise = eps if noise is None else max(eps, noise)
    step = relative_step * noise ** (1 / 3) * (1 + np.abs(image).max())
    (ahead, behind, far_ahead, far_behind), size = _quotients(function, image, step)
    jacobian, doubled = (ahead + behind) / 2, (far_ahead + far_behind) / 2
    log_abs_det = float(np.linalg.slogdet(jacobian)[1])
    try:
        inverse = np.abs(np.linalg.inv(jacobian))
        conditioning = float(np.max(np.sum(inverse @ np.abs(jacobian), axis=1)))
    except np.linalg.LinAlgError:
        conditioning = np.inf
    if not conditioning < 1 / eps:  # no inverse, or NaN
        return LogDetEstimate(log_abs_det, np.inf, 1.0, jacobian)
    gaps = np.abs(doubled - jacobian)
    gaps += np.abs(2 * (ahead - behind) - (far_ahead - far_behind))
    entries = 3 * gaps + 10 * noise * size / step
    error = np.sqrt(np.sum((inverse.T * entries) ** 2))
    error += abs(np.linalg.slogdet(doubled)[1] - log_abs_det)
    return LogDetEstimate(log_abs_det, float(error), conditioning, jacobian)


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


def probed_log_det(
    function: Callable[..., Any],
    transposed: Callable[..., Any],
    image: Array,
    rng: np.random.Generator,
) -> LogDetEstimate:
    r"""Estimate log|det| of the derivative of `function` by stochastic Lanczos quadrature.

    .. math::
        \log|\det J| = \tfrac12 \operatorname{tr} \log(J^T J)
                     = \tfrac12 \, E[v^T \log(J^T J) \, v], \qquad v \in \{-1, 1\}^D

    Each random vector spans a Krylov space, in which the logarithm is taken (Ubaru, Chen and Saad
    2017). J v is a central difference and J^T u comes from `transposed(images, u)`. The error is
    such that the estimate is farther off once in a million runs, by Student's t over the vectors.
    """
    size, eps = image.size, float(np.finfo(image.dtype).eps)
    step = eps ** (1 / 3) * (1 + np.abs(image).max()) * np.sqrt(size)
    base = np.repeat(image[None], PROBES, axis=0)

    def gram(vectors):
        offset = (step * vectors).reshape(base.shape)
        ahead, behind = (function((base + s * offset).astype(image.dtype)) for s in (1, -1))
        images = ((ahead.astype(np.float64) - behind) / (2 * step)).reshape(ahead.shape)
        return np.asarray(transposed(base, images), np.float64).reshape(PROBES, size)

    start = rng.choice([-1.0, 1.0], (PROBES, size)) / np.sqrt(size)
    steps = min(LANCZOS_STEPS, size)
    diagonals, off_diagonals = _lanczos(gram, start, steps)
    estimates, shorter = (
        np.array(
            [_quadrature(a[:m], b[: m - 1]) for a, b in zip(diagonals, off_diagonals, strict=True)]
        )
        * size
        / 2
        for m in (steps, max(1, steps - 8))
    )
    error = PROBE_QUANTILE * estimates.std(ddof=1) / np.sqrt(PROBES)
    error += 10 * abs(estimates.mean() - shorter.mean())
    return LogDetEstimate(float(estimates.mean()), float(error), 1e4)


def _lanczos(gram, start, steps):
    """Tridiagonalize a symmetric operator from several start vectors, with reorthogonalization."""
    basis = np.zeros((steps + 1, *start.shape))
    basis[0] = start
    diagonals, off_diagonals = [], []
    for k in range(steps):
        image = gram(basis[k])
        diagonals.append(np.sum(image * basis[k], axis=1))
        known = basis[: k + 1]
        for _ in range(2):
            image = image - np.einsum("kp,kpd->pd", np.einsum("kpd,pd->kp", known, image), known)
        norm = np.linalg.norm(image, axis=1, keepdims=True)
        off_diagonals.append(norm[:, 0])
        basis[k + 1] = image / np.maximum(norm, 1e-300)
    return np.array(diagonals).T, np.array(off_diagonals).T


def _quadrature(diagonal, off_diagonal):
    """Compute e_1^T log(T) e_1 for a tridiagonal T; a Krylov space that is exhausted ends early."""
    small = np.flatnonzero(off_diagonal < 1e-9 * np.abs(diagonal).max())
    end = int(small[0]) + 1 if len(small) else len(diagonal)
    diagonal, off_diagonal = diagonal[:end], off_diagonal[: end - 1]
    matrix = np.diag(diagonal) + np.diag(off_diagonal, 1) + np.diag(off_diagonal, -1)
    values, vectors = np.linalg.eigh(matrix)
    return float(np.sum(vectors[0] ** 2 * np.log(np.maximum(values, 1e-300))))
