"""`another_map`: an implementation that is no causal convolution at all, as one with a bias."""

from typing import Any

import numpy as np

from cinc_ref.testing.failure import CheckFailure, CheckSkipped
from cinc_ref.testing.implementation import Implementation
from cinc_ref.testing.trial import Trial

__all__ = ["another_map"]

ADVICE = "cinc_ref.testing.check tests any layer"

LARGE = 1e-3
"""The relative size of a result that rounding does not explain, also not that of a transform."""


def another_map(implementation: Implementation, seed: int) -> tuple[str, str] | None:
    """Return the check that shows that this is no causal convolution, and the reason, or None.

    Other checks are beside the point then, and `cinc_ref.testing.check` is the test to take.
    Results of a wrong kind or shape decide nothing: other checks report them.
    """
    trial = Trial(implementation, "another_map", "", seed, implementation.dtypes[-1])
    try:
        problem = trial.problem(size=(4, 5))
        operation = "conv" if implementation.conv is not None else "conv_inverse"
        if getattr(implementation, operation) is None:
            return None
        of_zero, y = (
            trial.call(operation, problem, x=x) for x in (np.zeros_like(problem.x), problem.x)
        )
        alike = not _differ(of_zero, np.broadcast_to(of_zero[:1], of_zero.shape), y)
        if alike and _differ(of_zero, np.zeros_like(problem.x), y):
            reason = f"{operation}(0) is not 0, as with a bias; {ADVICE}"
            return f"{operation}_of_zero_is_zero", reason
        if operation == "conv":
            moved = problem.x.copy()
            moved[:, :, -1, -1] += 1
            earlier = np.s_[:, :, :-1]
            if _differ(trial.call("conv", problem, x=moved)[earlier], y[earlier], y):
                reason = f"conv reads later pixels, as with another padding; {ADVICE}"
                return "conv_reads_earlier_pixels_only", reason
    except (CheckFailure, CheckSkipped, TypeError, ValueError, IndexError):
        pass
    return None


def _differ(got: Any, expected: Any, result: Any) -> bool:
    """Return whether finite results of the same shape differ by more than rounding."""
    if got.shape != expected.shape or not (np.isfinite(got).all() and np.isfinite(expected).all()):
        return False
    return bool(np.abs(got - expected).max(initial=0) > LARGE * np.abs(result).max(initial=0))
