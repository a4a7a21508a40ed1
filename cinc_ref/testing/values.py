"""Checks of kernels and images that hold NaN or infinity, and of singular kernels."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from cinc_ref.testing.base import Check
from cinc_ref.testing.correctness import compare_unless_masked
from cinc_ref.testing.failure import CheckFailure, CheckSkipped
from cinc_ref.testing.trial import INPUTS

__all__ = ["value_checks"]

SIZE = (3, 4)

HUGE = 1e6
"""The size of a result that shows that a matrix is singular, as rounding leaves it."""


def _answer(trial, operation, problem, **replaced):
    """Return the result as a list of arrays, or None if the operation raises."""
    try:
        with np.errstate(all="ignore"):
            result = trial.call(operation, problem, **replaced)
    except CheckFailure as failure:
        if failure.__cause__ is None:
            raise
        return None
    except CheckSkipped:
        return None
    return list(result) if isinstance(result, tuple) else [result]


def _require_an_answer(trial, operation, problem):
    """Skip a check whose error proves nothing, because the operation always raises."""
    if _answer(trial, operation, problem) is None:
        raise CheckSkipped(f"{operation} raises for finite arrays too")


def _shows_values(trial, operation, value, names):
    """Put a value into each input; every finite result is one that silences it."""
    problem = trial.problem(size=SIZE)
    _require_an_answer(trial, operation, problem)
    for name in names:
        places = _kernel_places if name == "kernel" else _image_places
        for place, index in places(trial, operation, problem).items():
            array = getattr(problem, name).copy()
            array[index] = value
            results = _answer(trial, operation, problem, **{name: array})
            if results is not None and all(np.isfinite(part).all() for part in results):
                got = f"finite numbers for {value} in {name}, {place}"
                facts = {"expected": "an error, or a result that is not finite", "got": got}
                raise trial.failure(problem, facts, operation, results[0])


def _kernel_places(trial, operation, problem):
    """Return indices of kernel entries that every implementation reads, by their names."""
    p, q = problem.anchor_tap
    diagonal = {"K_nn of the last channel": (-1, -1, p, q), "K_nn of the first": (0, 0, p, q)}
    if operation == "log_abs_det":
        return diagonal
    places = {"below B's diagonal": (-1, 0, p, q), "the first tap": (0, -1, 0, 0)}
    return places if trial.implementation.diagonal == "unit" else places | diagonal


def _image_places(trial, operation, problem):
    """Return indices of image entries in different rows, columns and channels, by their names."""
    return {
        "the first pixel": (slice(None), 0, 0, 0),
        "the last pixel of the last channel": (slice(None), -1, -1, -1),
        "the last row": (slice(None), slice(None), -1),
    }


def _shows_nan(trial, operation):
    """Put NaN into the kernel and into the images."""
    _shows_values(trial, operation, np.nan, _array_names(operation))


def _shows_infinity(trial, operation):
    """Put infinity into the images: a kernel that holds it has an inverse that does not."""
    names = [name for name in _array_names(operation) if name != "kernel"]
    for value in (np.inf, -np.inf):
        _shows_values(trial, operation, value, names)


def _array_names(operation):
    return [name for name in INPUTS[operation] if name != "size"]


def _notices_singular_kernels(trial, operation):
    """Pass kernels without inverse, with K_nn = 0 or equal rows: log|det M| is minus infinity."""
    if trial.implementation.diagonal != "any":
        raise CheckSkipped(f"the diagonal is {trial.implementation.diagonal}, by declaration")
    problem = trial.problem(size=SIZE)
    _require_an_answer(trial, operation, problem)
    p, q = problem.anchor_tap
    for channel in (0, problem.channels - 1):
        kernel = problem.kernel.copy()
        kernel[channel, :, p, q] = 0
        _require_notice(trial, operation, problem, kernel, "K_nn = 0")
    if problem.channels > 1 and trial.dtype == "float64":  # 1 / eps of float32 is no large number
        _notices_equal_rows(trial, operation)


def _notices_equal_rows(trial, operation):
    """Make two rows of a dense B equal, where dense blocks are neither refused nor masked."""
    problem = trial.problem(size=SIZE, corner_block="dense")
    if _answer(trial, operation, problem) is None:
        return
    try:
        compare_unless_masked(trial, operation, problem, trial.call(operation, problem))
    except (CheckFailure, CheckSkipped):  # drawn_blocks reports the former
        return
    p, q = problem.anchor_tap
    kernel = problem.kernel.copy()
    kernel[1, :, p, q] = kernel[0, :, p, q]
    _require_notice(trial, operation, problem, kernel, "a corner block with two equal rows")


def _require_notice(trial, operation, problem, kernel, cause):
    """Fail if the results for a singular kernel are numbers as of any kernel."""
    results = _answer(trial, operation, problem, kernel=kernel)
    if results is None:
        return
    if operation == "log_abs_det":
        noticed = not np.isfinite(results[0]).all() or float(np.max(results[0])) < -15
    else:
        noticed = any(not (np.abs(part) < HUGE).all() for part in results)
    if not noticed:
        expected = "an error, or a result that is not finite"
        facts = {"expected": expected, "got": f"numbers as of any kernel: {cause} is silenced"}
        raise trial.failure(problem, facts, operation, results[0])


ALL = ("conv", "conv_inverse", "log_abs_det", "conv_vjp", "conv_inverse_vjp")
SOLVERS = ("conv_inverse", "log_abs_det", "conv_inverse_vjp")
OF_IMAGES = tuple(operation for operation in ALL if operation != "log_abs_det")
VALUES: dict[str, tuple[str, tuple[str, ...], Callable[[Any, str], None]]] = {
    # suffix of the check's name: (description, operations, body)
    "shows_nan": ("of NaN in the kernel or the images is no finite number", ALL, _shows_nan),
    "shows_infinity": (
        "of infinity in the images is not finite everywhere",
        OF_IMAGES,
        _shows_infinity,
    ),
    "notices_singular_kernels": (
        "of a singular kernel is an error or not finite",
        SOLVERS,
        _notices_singular_kernels,
    ),
}


def value_checks(operation: str) -> Iterator[Check]:
    """Yield the checks of special values that concern an operation."""
    for suffix, (description, operations, body) in VALUES.items():
        if operation in operations:
            name, statement = f"{operation}_{suffix}", f"{operation} {description}"
            yield Check(name, statement, (operation,), (), partial(body, operation=operation))
