"""`Statistics`, the bounded functions of a sample whose averages tell two distributions apart."""

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.testing.densities.averages import centre_and_scale

__all__ = ["Statistics"]

BOUND = 5.0
"""The number of standard deviations at which entries are cut off, so that powers are bounded."""

WAVES = 24
"""The number of random directions in which waves are averaged."""

LOWEST = (0.001, 0.01, 0.1)
"""The shares of samples with the lowest log_prob, whose tails are counted."""


class Statistics:
    """Columns of numbers for each point, which lie in intervals of known widths.

    The columns are the entries and the products of two, standardized and cut off; waves in random
    directions; log_prob, standardized, and the indicators of its tails; and the indicator of a
    point outside the range of the samples in an entry or a random direction.

    Parameters
    ----------
    rng : Generator
        The source of the directions.
    samples : ndarray, shape (n, d)
        The samples that determine scales, tails and ranges.
    log_p : ndarray, shape (n,)
        Their log_prob.
    """

    def __init__(self, rng: np.random.Generator, samples: Array, log_p: Array) -> None:
        d = samples.shape[1]
        self._centre, self._scale = centre_and_scale(samples)
        self._log_p_centre, self._log_p_scale = centre_and_scale(log_p)
        self._directions = rng.normal(size=(d, WAVES))
        self._pairs = np.triu_indices(d)
        self._tails = np.quantile(log_p, LOWEST)
        self._range = _extremes(*self._standardized(samples))
        squares = np.where(self._pairs[0] == self._pairs[1], BOUND**2, 2 * BOUND**2)
        indicators = np.ones(len(LOWEST) + 1)
        self.widths: Array = np.concatenate(
            [np.full(d, 2 * BOUND), squares, np.full(2 * WAVES, 2.0), [2 * BOUND], indicators]
        )
        self.names: list[str] = self._names(d)

    def _names(self, d):
        names = [f"entry {k}, standardized" for k in range(d)]
        names += [
            f"entry {i} times entry {j}, standardized" for i, j in zip(*self._pairs, strict=True)
        ]
        waves = [f"<{w.round(2).tolist()}, x>" for w in self._directions.T]
        names += [f"{f}({wave})" for f in ("cos", "sin") for wave in waves]
        names += ["log_prob, standardized"]
        names += [f"log_prob in its lowest {100 * share:g} %" for share in LOWEST]
        return [*names, "being outside the range of earlier samples"]

    def _standardized(self, points):
        z = (points - self._centre) / self._scale
        return z, z @ self._directions

    def columns(self, points: Array, log_p: Array) -> Array:
        """Compute the columns, shape (n, m), of points (n, d) with their log_prob."""
        z, phases = self._standardized(points)
        lower, upper = self._range
        seen = np.hstack([z, phases])
        outside = ((seen < lower) | (seen > upper)).any(axis=1)
        z = np.clip(z, -BOUND, BOUND)
        with np.errstate(all="ignore"):
            energy = np.clip((log_p - self._log_p_centre) / self._log_p_scale, -BOUND, BOUND)
        return np.hstack(
            [
                z,
                z[:, self._pairs[0]] * z[:, self._pairs[1]],
                np.cos(phases),
                np.sin(phases),
                energy[:, None],
                log_p[:, None] < self._tails,
                outside[:, None],
            ]
        )


def _extremes(z, phases):
    seen = np.hstack([z, phases])
    return seen.min(axis=0), seen.max(axis=0)
