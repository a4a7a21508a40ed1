"""Checks of what an implementation remembers between calls: kernels, exceptions, threads."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from cinc_ref.testing.base import Check
from cinc_ref.testing.correctness import compare
from cinc_ref.testing.failure import CheckFailure, CheckSkipped
from cinc_ref.testing.trial import INPUTS

__all__ = ["memory_checks"]

SIZE = (3, 4)

THREADS = 4
"""The number of threads that call an operation at the same time."""

ROUNDS = 6
"""The number of calls of each thread."""


def _inputs(operation, problem):
    values = [getattr(problem, name) for name in INPUTS[operation]]
    return [np.array(a, order="C") if isinstance(a, np.ndarray) else a for a in values]


def _follows_the_kernel(trial, operation):
    """Change the kernel in place between two calls, so that neither its id nor its sum changes."""
    problem = trial.problem(size=SIZE)
    inputs = _inputs(operation, problem)
    kernel = inputs[INPUTS[operation].index("kernel")]
    compare(trial, operation, problem, trial.call_on(operation, problem, inputs))
    for change in ("scaled", "permuted"):
        changed = _changed(problem, change)
        kernel[...] = changed
        got = trial.call_on(operation, problem, inputs)
        expected = trial.call(operation, problem, kernel=changed.copy())
        part = f"the result for a kernel that was {change} in place"
        for mine, fresh in zip(*map(_parts, (got, expected)), strict=True):
            bound = 1e4 * trial.eps * (1 + np.abs(fresh).max(initial=0))  # of another alignment
            trial.assert_within(operation, problem, mine, fresh, bound, part)
    _differs(trial, operation, problem, got)


def _parts(result):
    return result if isinstance(result, tuple) else (result,)


def _changed(problem, change):
    """Return another kernel of the same shape: twice it, or with the same entries elsewhere."""
    if change == "scaled":
        return 2 * problem.kernel
    kernel = problem.kernel.copy()
    p, q = problem.anchor_tap
    taps = kernel.reshape(*kernel.shape[:2], -1)
    before = p * kernel.shape[3] + q
    taps[:, :, :before] = taps[:, :, :before][:, :, ::-1].copy()
    diagonal = np.arange(problem.channels)
    kernel[diagonal, diagonal, p, q] = kernel[diagonal, diagonal, p, q][::-1].copy()
    return kernel


def _differs(trial, operation, problem, got):
    """Fail if the result for the changed kernel is that for the first one."""
    first = _parts(trial.call(operation, problem))[0]
    if operation != "log_abs_det" and np.array_equal(first, _parts(got)[0]):
        facts = {"expected": "another result for another kernel", "got": "the same"}
        raise trial.failure(problem, facts, operation, first)


def _follows_new_kernels(trial, operation):
    """Pass kernels of the same sum, one after another, each freed before the next is made.

    Entries are small integers, whose sum is exact in any order.
    """
    problem = trial.problem(size=SIZE, integers=True)
    for _ in range(3):
        first = trial.call(operation, problem)
        compare(trial, operation, problem, first)
        inputs = _inputs(operation, problem)
        inputs[INPUTS[operation].index("kernel")] = _changed(problem, "permuted")
        got = trial.call_on(operation, problem, inputs, ("kernel",))
        if operation != "log_abs_det" and np.array_equal(_parts(first)[0], _parts(got)[0]):
            facts = {"expected": "another result for another kernel", "got": "the same"}
            raise trial.failure(problem, facts, operation, _parts(got)[0])
        del inputs


def _recovers_from_errors(trial, operation):
    """Call with arrays that do not fit, whatever happens then, and with right ones again."""
    problem = trial.problem(size=SIZE)
    wrong = [getattr(problem, name) for name in INPUTS[operation]]
    spoiled = []
    for k, value in enumerate(wrong):
        if isinstance(value, np.ndarray):
            spoiled.append([*wrong[:k], np.full_like(value, np.nan), *wrong[k + 1 :]])
            spoiled.append([*wrong[:k], np.zeros_like(value), *wrong[k + 1 :]])
            spoiled.append([*wrong[:k], value[:, :1], *wrong[k + 1 :]])
            if INPUTS[operation][k] != "kernel":
                spoiled.append([*wrong[:k], np.repeat(value, 2, axis=1), *wrong[k + 1 :]])
    for inputs in spoiled:
        copies = [a.copy() if isinstance(a, np.ndarray) else a for a in inputs]
        try:
            with np.errstate(all="ignore"):
                trial.call_on(operation, problem, copies)
        except (CheckFailure, CheckSkipped):
            pass
        compare(trial, operation, problem, trial.call(operation, problem))


def _works_in_threads(trial, operation):
    """Call from several threads at once, each with images and a kernel of its own."""
    problems = [
        trial.problem(size=SIZE, images=2 + k % 2, diagonal=("mixed", "large", "small")[k % 3])
        for k in range(THREADS)
    ]

    def work(problem):
        return [trial.call(operation, problem) for _ in range(ROUNDS)]

    for problem in problems:  # whatever is prepared once
        trial.call(operation, problem)
    with ThreadPoolExecutor(THREADS) as pool:
        outcomes = list(pool.map(work, problems))
    for problem, results in zip(problems, outcomes, strict=True):
        for result in results:
            compare(trial, operation, problem, result)


MEMORY: dict[str, tuple[str, Callable[[Any, str], None]]] = {
    # suffix of the check's name: (description, body)
    "follows_the_kernel": ("follows a kernel that is changed in place", _follows_the_kernel),
    "follows_new_kernels": ("tells kernels of one shape and sum apart", _follows_new_kernels),
    "recovers_from_errors": ("is right after a call that failed", _recovers_from_errors),
    "works_in_threads": ("is right in several threads at once", _works_in_threads),
}


def memory_checks(operation: str) -> Iterator[Check]:
    """Yield the checks of what an operation remembers."""
    for suffix, (description, body) in MEMORY.items():
        name, statement = f"{operation}_{suffix}", f"{operation} {description}"
        yield Check(name, statement, (operation,), (), partial(body, operation=operation))
