"""Checks that results scale with the kernel and with gradients: nothing is clamped or added."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from cinc_ref.testing.base import Check
from cinc_ref.testing.correctness import compare_with
from cinc_ref.testing.failure import CheckSkipped
from cinc_ref.testing.trial import Trial, reference_results

__all__ = ["scaling_checks"]

SIZE = (3, 3)

KERNEL_SCALES = (2.0**-20, 2.0**12)
"""The factors of the kernel, exact in any dtype: entries of 1e-6, and of some thousands."""

GRADIENT_SCALES = (2.0**-40, 2.0**40)
"""The factors of g, exact in any dtype."""

KERNEL_POWERS: dict[str, tuple[int, ...]] = {
    "conv": (1,), "conv_inverse": (-1,), "conv_vjp": (1, 0), "conv_inverse_vjp": (-1, -2),
}  # fmt: skip
"""The powers of s by which each part of a result changes when the kernel is multiplied by s."""


def scaling_checks(operation: str) -> Iterator[Check]:
    """Yield the checks of the results of an operation at scaled arguments."""
    changes: list[tuple[str, str, Callable[[Trial, str], None]]] = [
        ("scales_with_the_kernel", "of 2^-20 K and of 4096 K is that of K, scaled", _of_the_kernel)
    ]
    if operation.endswith("vjp"):
        description = "of 2^-40 g and of 2^40 g is that of g, scaled"
        changes.append(("is_homogeneous", description, _of_gradients))
    for suffix, description, body in changes:
        name, statement = f"{operation}_{suffix}", f"{operation} {description}"
        yield Check(name, statement, (operation,), (), partial(body, operation=operation))


def _of_the_kernel(trial, operation):
    """Multiply the kernel; an implementation may refuse this, as one of a fixed diagonal does."""
    if trial.implementation.diagonal == "unit":
        raise CheckSkipped("the diagonal is unit, by declaration")
    problem = trial.problem(size=SIZE)
    for scale in KERNEL_SCALES:
        kernel = (scale * problem.kernel).astype(trial.dtype)
        result = trial.call_unless_refused(operation, problem, kernel=kernel)
        if operation == "log_abs_det":
            entries = problem.channels * problem.size[0] * problem.size[1]
            expected, _ = reference_results(operation, problem)[0]
            expected = np.full(result.shape, expected + entries * np.log(scale))
            bound = 100 * trial.eps * (1 + np.abs(expected))
            trial.assert_within(operation, problem, result, expected, bound)
            continue
        powers = [scale**power for power in KERNEL_POWERS[operation]]
        _compare(trial, operation, problem, result, powers, f" for {scale:.0e} K")


def _of_gradients(trial, operation):
    """Multiply g: both parts of the result are linear in it."""
    problem = trial.problem(size=SIZE)
    for scale in GRADIENT_SCALES:
        result = trial.call(operation, problem, g=(scale * problem.g).astype(trial.dtype))
        _compare(trial, operation, problem, result, [scale, scale], f" for {scale:.0e} g")


def _compare(trial, operation, problem, result, scales, case):
    """Compare each part of a result with that of the problem times a scale."""
    references = reference_results(operation, problem)
    scaled = [
        (s * expected, s * rounding)
        for s, (expected, rounding) in zip(scales, references, strict=True)
    ]
    compare_with(trial, operation, problem, result, scaled, case)
