"""`grade`, which compares a student's functions with the right results and with known mistakes."""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.classroom.calls import Outcome, call
from cinc_ref.classroom.counterexample import counterexample, describe
from cinc_ref.classroom.grade import Grade
from cinc_ref.classroom.task import Case, Slip, Task

__all__ = ["agree", "grade", "matching_slips"]

TOLERANCE = 1e-8
"""Relative to the largest entry, the error that rounding in float64 explains in all the cases."""

SINGLE = 1e-4
"""Relative to the largest entry, the error that computing in float32 explains."""


def grade(number: int, task: Task, functions: Sequence[Callable[..., Any]]) -> Grade:
    """Run the functions on all cases; return "passed", or a diagnosis with a counterexample."""
    cases = task.cases()
    outcomes = []
    for case in cases:
        outcome = _run(task, functions, case)
        if outcome.final:
            return Grade(number, False, str(outcome.complaint))
        outcomes.append(outcome)
    right = [_is_right(o, case) for o, case in zip(outcomes, cases, strict=True)]
    names = " and ".join(signature.name for signature in task.functions)
    if all(right):
        verb = "are" if len(task.functions) > 1 else "is"
        return Grade(number, True, f"{names} {verb} right in {len(cases)} cases.")
    slips = matching_slips(task, cases, outcomes)
    first = right.index(False)
    if slips:
        first = next(k for k, is_right in enumerate(right) if not is_right and outcomes[k].results)
        words = [slip.words.format_map(cases[first].sizes) for slip in slips]
        diagnosis = words[0] if len(words) == 1 else f"Two mistakes. (1) {words[0]} (2) {words[1]}"
        diagnosis += _crash_besides(task, slips, cases, outcomes)
    else:
        diagnosis, is_by_values = _unforeseen(task, cases, outcomes, right)
        if is_by_values and task.second_opinion:
            diagnosis = f"{diagnosis} {task.second_opinion(cases[-1], *functions)}"
    shown = counterexample(task, cases[first], outcomes[first].results)
    return Grade(number, False, diagnosis, shown)


def _run(task, functions, case):
    """Call every function of the task; return all results, or the first complaint."""
    results: tuple[Array, ...] = ()
    complaint = None
    for function, signature, arguments in zip(
        functions, task.functions, case.arguments, strict=True
    ):
        outcome = call(function, signature, arguments)
        if outcome.final:
            return outcome
        complaint = complaint or outcome.complaint
        results += outcome.results or ()
    return Outcome(None if complaint else results, complaint)


def agree(got: Array, expected: Array, tolerance: float = TOLERANCE) -> bool:
    """Return whether two arrays have the same shape and entries; NaN is equal to NaN."""
    if got.shape != expected.shape:
        return False
    finite = np.abs(expected[np.isfinite(expected)])
    bound = tolerance * finite.max(initial=0.0)
    return bool(np.allclose(got, expected, rtol=0, atol=bound, equal_nan=True))


def _is_right(outcome, case, tolerance=TOLERANCE):
    if outcome.results is None:
        return False
    return all(agree(g, e, tolerance) for g, e in zip(outcome.results, case.expected, strict=True))


def matching_slips(
    task: Task, cases: Sequence[Case], outcomes: Sequence[Outcome]
) -> tuple[Slip, ...]:
    """Return the known mistake, or the two, that explain the results of all cases, if any."""
    candidates = [(slip,) for slip in task.slips]
    candidates += [
        pair
        for pair in combinations(task.slips, 2)
        if not pair[0].options.keys() & pair[1].options.keys()
    ]
    for slips in candidates:
        if _explains(task, _options(slips), cases, outcomes):
            return slips
    return ()


def _crash_besides(task, slips, cases, outcomes):
    """Return the complaint of a case for which the slips give a result, after a space, if any."""
    for case, outcome in zip(cases, outcomes, strict=True):
        if outcome.complaint and _results_of_model(task, _options(slips), case) is not None:
            return f" Besides, for {describe(case.sizes)}: {outcome.complaint}"
    return ""


def _options(slips):
    return {name: value for slip in slips for name, value in slip.options.items()}


def _results_of_model(task, options, case):
    """Return the results of the model, or None where its steps are impossible for these sizes."""
    arguments = (argument for arguments in case.arguments for argument in arguments)
    try:
        with np.errstate(all="ignore"):
            return tuple(map(np.asarray, task.model(*arguments, **options)))
    except (ValueError, IndexError, np.linalg.LinAlgError):
        return None


def _explains(task, options, cases, outcomes):
    """Return whether the model with these options has the results of every case that has any."""
    is_wrong = False
    for case, outcome in zip(cases, outcomes, strict=True):
        if outcome.results is None:
            continue
        results = _results_of_model(task, options, case)
        if results is None or not all(
            agree(g, r) for g, r in zip(outcome.results, results, strict=True)
        ):
            return False
        is_wrong |= not _is_right(outcome, case)
    return is_wrong


def _unforeseen(task, cases, outcomes, right):
    """Describe wrong results that no slip explains; return words, and whether values are wrong."""
    first = right.index(False)
    outcome, case = outcomes[first], cases[first]
    if outcome.complaint:
        return outcome.complaint + _where_right(cases, right), False
    for name, got, expected in zip(task.results, outcome.results, case.expected, strict=True):
        if got.shape != expected.shape:
            words = f"{name} must have shape {expected.shape}; got {got.shape}, for "
            return f"{words}{describe(case.sizes)}.{_where_right(cases, right)}", False
    if all(_is_right(o, c, SINGLE) for o, c in zip(outcomes, cases, strict=True)):
        dtypes = {str(got.dtype) for got in outcome.results}
        words = "The results are right to a few digits only"
        reason = (
            " (float32): compute in the dtype of the arguments, float64."
            if "float32" in dtypes
            else "."
        )
        return words + reason, False
    wrong = [
        name
        for name, got, expected in zip(task.results, outcome.results, case.expected, strict=True)
        if not agree(got, expected)
    ]
    words = f"Wrong for {describe(case.sizes)}: {', '.join(wrong)}"
    if any(got.dtype.kind in "iu" for got in outcome.results):
        words += " (the results are integers: an array of integers cuts off fractions)"
    elif not all(np.isfinite(got).all() for got in outcome.results):
        words += " (the results are not all finite)"
    words += _common_factor(task, cases, outcomes)
    return f"{words}.{_where_right(cases, right)}", True


SPECIAL_CASES: tuple[tuple[str, Callable[[dict[str, int]], bool]], ...] = (
    ("one channel", lambda s: s.get("C") == 1),
    ("one image", lambda s: s.get("N") == 1),
    ("one image of one channel", lambda s: s.get("N") == s.get("C") == 1),
    ("square images", lambda s: s.get("H", 0) == s.get("W", -1)),
    ("square kernels", lambda s: s.get("kh", 0) == s.get("kw", -1)),
    ("kernels of one tap", lambda s: s.get("kh") == s.get("kw") == 1),
    ("kernels that fit into the image", lambda s: s.get("kh", 9) <= s.get("H", 0)),
    ("256 bins", lambda s: s.get("bins") == 256),
)
"""Kinds of cases in which an answer that is otherwise wrong may be right."""


def _common_factor(task, cases, outcomes):
    """Say by which factor a result is off, if it is the same one in all cases."""
    for k, name in enumerate(task.results):
        factors = set()
        for case, outcome in zip(cases, outcomes, strict=True):
            if outcome.results is None or outcome.results[k].shape != case.expected[k].shape:
                break
            got, expected = outcome.results[k], case.expected[k]
            factor = float(np.sum(got * expected) / np.sum(expected * expected))
            if not np.isfinite(factor) or not agree(got, factor * expected):
                break
            factors.add(round(factor, 9))
        else:
            if factors == {0.0}:
                return f"; {name} is 0 in all cases"
            if len(factors) == 1 and factors != {1.0}:
                return f"; {name} is {factors.pop():.6g} times the right one in all cases"
    return ""


def _where_right(cases, right):
    """Say for which kind of cases the results are right, if exactly those of one kind are."""
    if not any(right):
        return ""
    for words, belongs in SPECIAL_CASES:
        if sum(right) > 1 and [belongs(case.sizes) for case in cases] == right:
            return f" It is right for {words} and wrong in all others that were tried."
    return f" It is right in {sum(right)} of {len(cases)} cases."
