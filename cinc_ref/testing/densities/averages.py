"""`Average`, the means and variances of bounded columns, and how far they may be off."""

import numpy as np

from cinc_ref._typing import Array

__all__ = ["LOG_CHANCE", "Average", "allowed_error", "centre_and_scale", "unequal"]

LOG_CHANCE = float(np.log(4 * 400 / 1e-6))
"""The logarithm of 4 / delta: 400 averages are all right with probability 1 - 10^-6."""


class Average:
    """The running mean and variance of rows whose columns lie in intervals of known width.

    Parameters
    ----------
    widths : ndarray, shape (m,)
        The widths of the intervals, largest less smallest value.
    """

    def __init__(self, widths: Array) -> None:
        self.widths: Array = widths
        self.count: int = 0
        self.mean: Array = np.zeros(len(widths))
        self.squares: Array = np.zeros(len(widths))

    def add(self, rows: Array) -> None:
        """Take rows (n, m) into account."""
        n, mean = len(rows), rows.mean(axis=0)
        total, shift = self.count + n, mean - self.mean
        self.squares += ((rows - mean) ** 2).sum(axis=0) + shift**2 * (self.count * n / total)
        self.mean = self.mean + shift * (n / total)
        self.count = total


def allowed_error(average: Average) -> Array:
    r"""Return the bound of every column's error, by the empirical Bernstein inequality.

    .. math::
        |\bar X - E X| \le \sqrt{2 V \ln(4/\delta) / n} + 7 w \ln(4/\delta) / (3 (n - 1))

    with the variance V and the width w of the interval in which X lies.
    """
    n = average.count
    variance = average.squares / max(n - 1, 1)
    return np.sqrt(2 * variance * LOG_CHANCE / n) + 7 * average.widths * LOG_CHANCE / (
        3 * max(n - 1, 1)
    )


def unequal(
    names: list[str], expected: Array, got: Array, error: Array, where: str
) -> dict[str, str] | None:
    """Return the facts of the average that differs most, if it differs by more than its error."""
    excess = np.abs(got - expected) / error
    worst = int(np.argmax(excess))
    if excess[worst] <= 1:
        return None
    return {
        "of": names[worst],
        "expected": f"{expected[worst]:.4f} {where}",
        "got": f"{got[worst]:.4f}, to {error[worst]:.1e}",
    }


def centre_and_scale(values: Array) -> tuple[Array, Array]:
    """Return the median and half of the width of the central 68 %, which heavy tails leave alone.

    The width is 0 where most values are equal, as log_prob of a uniform density; any does then.
    """
    low, centre, high = np.quantile(values, [0.16, 0.5, 0.84], axis=0)
    return centre, np.maximum((high - low) / 2, 1e-12 * (1 + np.abs(centre)))
