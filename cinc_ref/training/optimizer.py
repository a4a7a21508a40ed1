"""Optimizers on one flat vector, in place; the arithmetic keeps the vector's dtype.

An optimizer is a function of the parameters, their gradient, two moments, the number of this step
(counted from 1) and the learning rate. It changes parameters and moments, and keeps nothing else.
"""

import math

import numpy as np

from cinc_ref.kernels import elementwise


def adam(parameters, gradient, moments, step, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
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

    References
    ----------
    Kingma and Ba, "Adam", 2015, algorithm 1.
    """
    rate, unbiased = learning_rate / (1 - beta1**step), 1 / (1 - beta2**step)
    numbers = (1 - beta1, 1 - beta2, rate, unbiased, epsilon)
    elementwise.adam(parameters, gradient, *moments, *map(parameters.dtype.type, numbers))


def adamax(
    parameters, gradient, moments, step, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8
):
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

    References
    ----------
    Kingma and Ba, "Adam", 2015, algorithm 2; epsilon keeps a gradient of 0 from dividing by 0.
    """
    first, largest = moments
    first += (1 - beta1) * (gradient - first)
    np.maximum(beta2 * largest, np.abs(gradient), out=largest)
    parameters -= (learning_rate / (1 - beta1**step)) * first / (largest + epsilon)


OPTIMIZERS = {"adam": adam, "adamax": adamax}
"""Name of an optimizer: its function."""


def clip(gradient, norm, limit):
    """Scale a gradient of this norm down, in place, to at most the limit; None is no limit."""
    if limit is not None and norm > limit:
        gradient *= limit / norm


def norm(gradient):
    """Euclidean norm, summed in float64 so that no finite float32 gradient overflows."""
    total = 0.0
    for start in range(0, len(gradient), 2**16):  # no whole copy in float64
        part = gradient[start : start + 2**16].astype(np.float64)
        total += float(part @ part)
    return math.sqrt(total)


SCHEDULES = {
    "cosine": lambda progress: 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))),
    "constant": lambda progress: 1.0,
}
"""Name of a schedule: the part of the peak rate, after the part of the budget that is spent."""


def learning_rate(peak, step, warmup, progress, schedule="cosine"):
    r"""The rate of a step: a linear warm-up, under a schedule that may fall to 0 at the end.

    .. math::
        \eta = \eta_{peak} \min(1, (k + 1) / \text{warmup})\; s(p), \qquad
        s_{cosine}(p) = \tfrac12 (1 + \cos \pi p)

    Parameters
    ----------
    peak : float
    step : int
        k, from 0.
    warmup : int
        Steps until the warm-up ends; 0 is none.
    progress : float
        p, the part of the run's budget that is spent, from 0 to 1.
    schedule : {"cosine", "constant"}
        s, half a cosine or 1.
    """
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    return peak * rise * SCHEDULES[schedule](progress)


def update_average(average, parameters, decay, step):
    """Exponential (Polyak) average, in place, as after `step` steps.

    The decay starts at 2/11 and rises to its final value, so that the start is soon forgotten.
    """
    decay = min(decay, (1 + step) / (10 + step))
    elementwise.approach(average, parameters, average.dtype.type(1 - decay))
