"""`Subject`, the density under test: its sampler and log_prob as functions of NumPy arrays."""

import inspect
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.testing.failure import CheckFailure, to_numpy

__all__ = ["STATEMENTS", "Subject"]

CHUNK = 50_000
"""The number of points that log_prob receives at once, so that memory stays small."""

STATEMENTS = {
    "sample_shape": "sample(n) returns n images",
    "log_prob_shape": "log_prob(x) has shape (N,): nats of each image",
    "finite": "samples and their log_prob are finite",
    "calls_are_independent": "another call of sample draws other samples",
    "samples_are_distinct": "samples of a density differ from each other, in every entry",
    "density_integrates_to_one": "exp(log_prob) integrates to 1",
    "samples_follow_the_density": "samples are distributed as log_prob says",
    "conclusive": "the estimate is sharp enough to tell",
}
"""The properties that `check_density` tries, by the name that a failure gives."""


class Subject:
    """A log-density and its sampler, whose results are looked at whenever they are called.

    Parameters
    ----------
    log_prob, sample : callable
        The user's functions.
    seed : int
        The seed of all random numbers.
    """

    def __init__(
        self, log_prob: Callable[[Any], Any], sample: Callable[..., Any], seed: int
    ) -> None:
        self.user_log_prob: Callable[[Any], Any] = log_prob
        self.user_sample: Callable[..., Any] = sample
        self.seed: int = seed
        self.rng: np.random.Generator = np.random.default_rng(seed)
        self.shape: tuple[int, ...] = ()
        self.dtype: Any = None
        self.images: Any = None

    def draw(self, n: int) -> Array:
        """Draw n images, each flattened to a row, in their dtype."""
        self.images = _draw(self.user_sample, self.rng, n)
        array = to_numpy(self.images).copy()
        self.shape, self.dtype = array.shape, array.dtype
        if array.ndim < 2 or len(array) != n or not array[0].size:
            self.fail("sample_shape", expected=f"({n}, ...)", got=f"shape {array.shape}")
        if array.dtype.kind != "f":
            self.fail("sample_shape", expected="images of floats", got=f"{array.dtype}")
        if not np.isfinite(array).all():
            self.fail("finite", of="samples", expected="finite numbers", got="NaN or infinity")
        return array.reshape(n, -1)

    def log_prob(self, points: Array) -> Array:
        """Compute log_prob at points (n, d) in float64; NaN, as of logarithms, becomes -inf."""
        parts = np.array_split(points, max(1, -(-len(points) // CHUNK)))
        with np.errstate(all="ignore"):
            log_p = np.concatenate([self._log_prob(part) for part in parts])
        return np.where(np.isnan(log_p), -np.inf, log_p)

    def _log_prob(self, points):
        array = points.reshape(-1, *self.shape[1:]).astype(self.dtype)
        user_array = self.images.new_tensor(array) if hasattr(self.images, "new_tensor") else array
        result = to_numpy(self.user_log_prob(user_array))
        if result.shape != (len(points),):
            expected = f"shape ({len(points)},)"
            self.fail("log_prob_shape", expected=expected, got=f"shape {result.shape}")
        return result.astype(np.float64)

    def fail(self, check: str, **facts: Any) -> NoReturn:
        """Raise the failure of a property."""
        facts |= {"shapes": f"samples {self.shape}", "dtype": str(self.dtype), "seed": self.seed}
        snippet = [
            "from cinc_ref.testing import check_density",
            f"check_density(log_prob, sample, seed={self.seed})",
        ]
        raise CheckFailure(check, STATEMENTS[check], facts, snippet)


def _draw(sample, rng, n):
    """Call sample(n) or sample(rng, n), depending on its parameters."""
    try:
        parameters = inspect.signature(sample).parameters.values()
    except (TypeError, ValueError):
        return sample(n)
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [p for p in parameters if p.kind in positional and p.default is p.empty]
    return sample(rng, n) if len(needed) >= 2 else sample(n)
