"""Optimizers on one flat vector, in place; the arithmetic keeps the vector's dtype.

An optimizer is a function of the parameters, their gradient, two moments, the number of this step
(counted from 1), the learning rate and two decays. It changes parameters and moments, and has no
other state.
"""

import math
from collections.abc import Callable

import numpy as np

from cinc_ref._typing import FloatArray
from cinc_ref.kernels._jit import compiled

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "adam",
    "adamax",
    "clip",
    "learning_rate",
    "norm",
    "update_average",
]


def adam(
    parameters: FloatArray,
    gradient: FloatArray,
    moments: FloatArray,
    step: int,
    learning_rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> None:
    r"""One step of Adam, with both moments corrected for their start at zero.

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad
        v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
        \theta \leftarrow \theta - \eta \frac{m / (1 - \beta_1^t)}
        {\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    Parameters
    ----------
    parameters, gradient : ndarray, shape (n,)
    moments : ndarray, shape (2, n)
        m and v, zeros before the first step.
    step : int
        t, from 1.
    learning_rate : float
    beta1, beta2 : float
        Decays of m and v, in [0, 1).
    epsilon : float

    References
    ----------
    Kingma and Ba, "Adam", 2015, algorithm 1.
    """
    step_size, correction = learning_rate / (1 - beta1**step), 1 / (1 - beta2**step)
    numbers = (1 - beta1, 1 - beta2, step_size, correction, epsilon)
    _adam_loop(parameters, gradient, moments, *map(parameters.dtype.type, numbers))


@compiled
def _adam_loop(
    parameters, gradient, moments, one_minus_beta1, one_minus_beta2, step_size, correction, epsilon
):
    """Update parameters and moments in one pass over memory.

    `step_size` is the learning rate over 1 - beta1^t, and `correction` is 1 / (1 - beta2^t). The
    numbers have the dtype of the arrays, or the arithmetic would be float64.
    """
    first, second = moments[0], moments[1]
    for n in range(len(parameters)):
        g = gradient[n]
        m = first[n] + one_minus_beta1 * (g - first[n])
        v = second[n] + one_minus_beta2 * (g * g - second[n])
        first[n], second[n] = m, v
        parameters[n] -= step_size * m / (np.sqrt(v * correction) + epsilon)


def adamax(
    parameters: FloatArray,
    gradient: FloatArray,
    moments: FloatArray,
    step: int,
    learning_rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> None:
    r"""One step of Adamax: Adam with the largest recent gradient instead of a second moment.

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad
        u \leftarrow \max(\beta_2 u, |g|), \quad
        \theta \leftarrow \theta - \frac{\eta}{1 - \beta_1^t} \frac{m}{u + \epsilon}

    Parameters
    ----------
    parameters, gradient : ndarray, shape (n,)
    moments : ndarray, shape (2, n)
        m and u, zeros before the first step.
    step : int
        t, from 1.
    learning_rate : float
    beta1, beta2 : float
        Decays of m and u, in [0, 1).
    epsilon : float
        Keeps a gradient of 0 from dividing by 0.

    References
    ----------
    Kingma and Ba, "Adam", 2015, algorithm 2.
    """
    first, largest = moments
    first += (1 - beta1) * (gradient - first)
    np.maximum(beta2 * largest, np.abs(gradient), out=largest)
    parameters -= (learning_rate / (1 - beta1**step)) * first / (largest + epsilon)


OPTIMIZERS: dict[str, Callable[..., None]] = {"adam": adam, "adamax": adamax}
"""The function of each optimizer, by its name."""


def clip(gradient: FloatArray, norm: float, limit: float | None) -> None:
    """Scale a gradient of this norm down, in place, to at most the limit; None means no limit."""
    if limit is not None and norm > limit:
        gradient *= limit / norm


def norm(gradient: FloatArray) -> float:
    """Compute the Euclidean norm in float64, so that no finite float32 gradient overflows."""
    total = 0.0
    for start in range(0, len(gradient), 2**16):  # a whole copy in float64 would double the memory
        part = gradient[start : start + 2**16].astype(np.float64)
        total += float(part @ part)
    return math.sqrt(total)


SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": lambda progress: 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))),
    "constant": lambda progress: 1.0,
}
"""Ratios of the learning rate to its peak by name, functions of the part of the budget spent."""


def learning_rate(
    peak: float, step: int, warmup: int, progress: float, schedule: str = "cosine"
) -> float:
    r"""Compute the learning rate of a step: a linear warm-up times a schedule.

    .. math::
        \eta = \eta_{peak} \min(1, (k + 1) / \text{warmup})\; s(p), \qquad
        s_{cosine}(p) = \tfrac12 (1 + \cos \pi p)

    Parameters
    ----------
    peak : float
    step : int
        k, from 0.
    warmup : int
        Steps of the warm-up; 0 for none.
    progress : float
        p, the part of the run's budget that is spent, from 0 to 1.
    schedule : {"cosine", "constant"}
        s: half a cosine, which falls to 0 at the end, or 1.

    Returns
    -------
    float
    """
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    return peak * rise * SCHEDULES[schedule](progress)


def update_average(average: FloatArray, parameters: FloatArray, decay: float, step: int) -> None:
    """Update the exponential (Polyak) average of the parameters, in place, after `step` steps.

    The decay starts at 2/11 and rises to its final value, so that the start is soon forgotten.

    Parameters
    ----------
    average, parameters : ndarray, shape (n,)
    decay : float
        The final value.
    step : int
    """
    decay = min(decay, (1 + step) / (10 + step))
    _average_loop(average, parameters, average.dtype.type(1 - decay))


@compiled
def _average_loop(average, values, weight):
    """Add weight * (values - average) to the average, in one pass over memory."""
    for n in range(len(average)):
        average[n] += weight * (values[n] - average[n])
