"""The shape of an entry and the interval of its numbers, as a layer declares them."""

from typing import Any

import numpy as np

__all__ = ["event_shape", "interval"]


def event_shape(obj: Any) -> tuple[int, ...] | None:
    """Return the shape that a layer declares for one entry of a batch, or None."""
    for name in ("event_shape", "shape"):
        shape = getattr(obj, name, None)
        if isinstance(shape, tuple | list) and all(isinstance(n, int) for n in shape) and shape:
            return tuple(shape)
    return None


def interval(constraint: Any) -> tuple[float, float]:
    """Return the interval of a constraint of torch.distributions or NumPyro."""
    name = type(constraint).__name__.lower()
    bounds = [getattr(constraint, side, None) for side in ("lower_bound", "upper_bound")]
    if name.startswith("independent") and hasattr(constraint, "base_constraint"):
        return interval(constraint.base_constraint)
    if constraint is None or all(bound is None for bound in bounds):
        return (0.0, 1.0) if "unit" in name else (-np.inf, np.inf)
    lower, upper = (
        end if bound is None else float(np.asarray(bound))
        for bound, end in zip(bounds, (-np.inf, np.inf), strict=True)
    )
    return lower, upper
