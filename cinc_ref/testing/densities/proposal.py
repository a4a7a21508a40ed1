"""`Proposal`, a mixture of t distributions fitted to samples, for importance sampling."""

from typing import Any

import numpy as np
from scipy.special import gammaln, logsumexp

from cinc_ref._typing import Array
from cinc_ref.testing.densities.averages import centre_and_scale

__all__ = ["Proposal"]

DEGREES_OF_FREEDOM = 5
"""The degrees of freedom of the components: few, so that tails are heavier than a density's."""

COMPONENTS = 12
"""The number of components that follow the samples, as modes and bends of the density need."""

INFLATION = 1.2
"""The factor of covariances, so that no component is narrower than the density near it."""

WIDE_SHARE = 0.2
"""The probability of the component that covers all samples."""

MAX_FITTED = 10_000
"""The number of samples to which the mixture is fitted."""

FAR = 30.0
"""The distance from the median, in deviations, of samples of heavy tails that are not fitted."""


class Proposal:
    """A normalized density q that is nearly proportional to the one that was sampled.

    Parameters
    ----------
    rng : Generator
        The source of the centres of the components.
    points : ndarray, shape (n, d)
        The samples.
    """

    def __init__(self, rng: np.random.Generator, points: Array) -> None:
        points = _core(points[:MAX_FITTED])
        count = min(COMPONENTS, len(points) // (10 * points.shape[1]))
        covariance = np.atleast_2d(np.cov(points.T))
        groups = self._groups(rng, points, covariance, count) if count > 1 else []
        ridge = 0.02 * covariance
        parts = [(WIDE_SHARE if groups else 1.0, points.mean(axis=0), covariance)]
        for group in groups:
            share = (1 - WIDE_SHARE) * len(group) / sum(map(len, groups))
            parts.append((share, group.mean(axis=0), np.atleast_2d(np.cov(group.T)) + ridge))
        self._shares = np.array([share for share, _, _ in parts])
        self._means = [mean for _, mean, _ in parts]
        self._factors = [np.linalg.cholesky(INFLATION * covariance) for _, _, covariance in parts]

    @staticmethod
    def _groups(rng, points, covariance, count):
        """Divide the points among nearest centres, which are moved to their means a few times."""
        white = np.linalg.solve(np.linalg.cholesky(covariance), points.T).T
        centres = white[rng.choice(len(white), count, replace=False)]
        for _ in range(10):
            distances = (centres**2).sum(axis=1) - 2 * white @ centres.T
            nearest = distances.argmin(axis=1)
            used = [k for k in range(len(centres)) if (nearest == k).sum() > 2 * points.shape[1]]
            centres = np.array([white[nearest == k].mean(axis=0) for k in used])
        nearest = ((centres**2).sum(axis=1) - 2 * white @ centres.T).argmin(axis=1)
        groups = [points[nearest == k] for k in range(len(centres))]
        return [group for group in groups if len(group) > 2 * points.shape[1]]

    def draw(self, rng: np.random.Generator, n: int) -> Array:
        """Draw n points, shape (n, d)."""
        d = len(self._means[0])
        z = rng.normal(size=(n, d)) / np.sqrt(
            rng.chisquare(DEGREES_OF_FREEDOM, (n, 1)) / DEGREES_OF_FREEDOM
        )
        component = rng.choice(len(self._shares), n, p=self._shares)
        for k, (mean, factor) in enumerate(zip(self._means, self._factors, strict=True)):
            z[component == k] = mean + z[component == k] @ factor.T
        return z

    def log_density(self, points: Array) -> Any:
        """Return log q of points (n, d), shape (n,)."""
        nu, d = DEGREES_OF_FREEDOM, points.shape[1]
        constant = gammaln((nu + d) / 2) - gammaln(nu / 2) - d / 2 * np.log(nu * np.pi)
        terms = []
        for share, mean, factor in zip(self._shares, self._means, self._factors, strict=True):
            z = (points - mean) @ np.linalg.inv(factor).T
            log_t = constant - (nu + d) / 2 * np.log1p(np.sum(z**2, axis=1) / nu)
            terms.append(np.log(share) + log_t - np.log(np.diagonal(factor)).sum())
        return logsumexp(terms, axis=0)


def _core(points):
    """Leave out the points of heavy tails, if enough others remain."""
    centre, deviation = centre_and_scale(points)
    near = (np.abs(points - centre) <= FAR * deviation).all(axis=1)
    return points[near] if near.mean() > 0.5 else points
