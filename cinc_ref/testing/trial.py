"""`Trial`, a check at work on one implementation in one dtype: calls, comparisons and failures."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cinc_ref._typing import Array
from cinc_ref.testing import reference
from cinc_ref.testing.failure import CheckFailure, CheckSkipped, difference, to_numpy
from cinc_ref.testing.implementation import Implementation
from cinc_ref.testing.problem import Problem

__all__ = ["INPUTS", "TOLERANCE_FACTOR", "Trial", "reference_results"]

TOLERANCE_FACTOR = 100
"""The allowed error of a result, as a multiple of the rounding of a backward stable computation."""

INPUTS: dict[
    str, tuple[str, ...]
] = {  # the arguments of an operation before its options, as attributes of a problem
    "conv": ("x", "kernel"),
    "conv_inverse": ("x", "kernel"),
    "log_abs_det": ("kernel", "size"),
    "conv_vjp": ("x", "kernel", "g"),
    "conv_inverse_vjp": ("x", "kernel", "g"),
}


@dataclass(frozen=True)
class Trial:
    """One attempt of a check: the implementation, and the seed and dtype of its inputs."""

    implementation: Implementation
    check: str
    statement: str
    seed: int
    dtype: str
    last_call: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def eps(self) -> float:
        """The rounding unit of the dtype."""
        return float(np.finfo(self.dtype).eps)

    def problem(self, **recipe: Any) -> Problem:
        """Draw inputs from the seed, in the dtype of this trial, that the implementation takes.

        Channels and diagonals are those that it declares. A check of other channels is skipped.
        """
        allowed = self.implementation.channels
        if allowed is not None and recipe.get("channels") not in allowed:
            if "channels" in recipe:
                raise CheckSkipped(f"{recipe['channels']} channels were not declared")
            recipe["channels"] = 3 if 3 in allowed else allowed[0]
        if self.implementation.diagonal != "any" and recipe.get("corner_block") == "dense":
            raise CheckSkipped(
                f"a dense corner block has no {self.implementation.diagonal} diagonal"
            )
        problem = Problem(seed=self.seed, dtype=self.dtype, **recipe)
        if self.implementation.diagonal == "unit":
            return replace(problem, diagonal="unit", integers=False)
        if self.implementation.diagonal == "positive":
            return replace(problem, positive=True)
        return problem

    def call(self, operation: str, problem: Problem, **replaced: Any) -> Any:
        """Call an operation on copies of a problem's inputs, some of them replaced.

        The result is an array, or a pair of arrays from the two vector-Jacobian products.
        """
        inputs = [replaced.get(name, getattr(problem, name)) for name in INPUTS[operation]]
        inputs = [np.array(a, order="C") if isinstance(a, np.ndarray) else a for a in inputs]
        return self.call_on(operation, problem, inputs, tuple(replaced))

    def call_on(
        self, operation: str, problem: Problem, inputs: list[Any], replaced: tuple[str, ...] = ()
    ) -> Any:
        """Call an operation on these very inputs, without copying them.

        `replaced` names those that are not the problem's, for the message of a failure.
        """
        inputs_by_name = dict(zip(INPUTS[operation], inputs, strict=True))
        self.last_call.update(operation=operation, inputs=inputs_by_name, replaced=replaced)
        options = problem.options
        if operation == "log_abs_det":
            options = {name: value for name, value in options.items() if name == "anchor"}
        try:
            result = getattr(self.implementation, operation)(*inputs, **options)
        except Exception as error:
            if isinstance(error, NotImplementedError):
                raise CheckSkipped(f"{operation} refuses it: {error}") from error
            facts = {"expected": "a result", "got": f"{type(error).__name__}: {error}"}
            raise self.failure(problem, facts, operation) from error
        if not operation.endswith("vjp"):
            return to_numpy(result)
        if not (isinstance(result, tuple | list) and len(result) == 2):
            facts = {
                "expected": "a pair (images, kernel) of gradients",
                "got": type(result).__name__,
            }
            raise self.failure(problem, facts, operation)
        return tuple(to_numpy(part) for part in result)

    def call_unless_refused(self, operation: str, problem: Problem, **replaced: Any) -> Any:
        """Call an operation, or skip the check if it raises: it does not claim to do this."""
        try:
            return self.call(operation, problem, **replaced)
        except CheckFailure as failure:
            if failure.__cause__ is not None:
                raise CheckSkipped(f"{operation} refuses it: {failure.__cause__}") from failure
            raise

    def assert_close(
        self,
        operation: str,
        problem: Problem,
        got: Array,
        expected_and_rounding: Any,
        part: str = "",
    ) -> None:
        """Fail unless `got` is as close to the expected result as its rounding in eps allows."""
        expected, rounding = expected_and_rounding
        bound = TOLERANCE_FACTOR * self.eps * np.asarray(rounding, np.longdouble)
        self.assert_within(operation, problem, got, expected, bound, part)

    def assert_within(
        self,
        operation: str,
        problem: Problem,
        got: Array,
        expected: ArrayLike,
        bound: ArrayLike,
        part: str = "",
    ) -> None:
        """Fail unless `got` is elementwise within `bound` of `expected`."""
        facts = difference(got, np.asarray(expected), np.asarray(bound))
        if facts:
            raise self.failure(problem, {"of": part or None} | facts, operation, got)

    def assert_identical(
        self, operation: str, problem: Problem, got: Array, expected: Array, part: str = ""
    ) -> None:
        """Fail unless `got` is `expected` to the last bit, NaN being equal to itself."""
        same = got.shape == expected.shape and np.array_equal(got, expected, equal_nan=True)
        if not same:
            facts = difference(got, expected, np.zeros(()))
            raise self.failure(problem, {"of": part or None} | facts, operation, got)

    def require_shape(
        self, operation: str, problem: Problem, got: Array, shape: tuple[int, ...], part: str = ""
    ) -> None:
        """Fail unless a result has this shape."""
        if got.shape != shape:
            facts = {"of": part or None, "expected": f"shape {shape}", "got": f"shape {got.shape}"}
            raise self.failure(problem, facts, operation, got)

    def failure(
        self, problem: Problem, facts: dict[str, Any], operation: str, got: Array | None = None
    ) -> CheckFailure:
        """Make the error that describes what happened, with the lines that repeat it."""
        inputs = self._inputs(problem, operation)
        shapes = [f"{name} {np.shape(inputs[name])}" for name in inputs if name != "size"]
        shapes.append(f"size {tuple(inputs.get('size', problem.size))}")
        if got is not None:
            shapes.append(f"result {got.shape}")
        facts = facts | {
            "shapes": ", ".join(shapes),
            "dtype": self.dtype if got is None else f"{self.dtype}, result {got.dtype}",
            "seed": self.seed,
        }
        return CheckFailure(self.check, self.statement, facts, self._snippet(problem, operation))

    def _inputs(self, problem, operation):
        """Return the inputs of the last call by name, or those of the problem."""
        if self.last_call.get("operation") == operation:
            return self.last_call["inputs"]
        return {name: getattr(problem, name) for name in INPUTS[operation]}

    def incomparable(self, error: Exception) -> CheckFailure:
        """Make the error for a result that cannot even be subtracted from the expected one."""
        facts = {
            "expected": "results that can be compared",
            "got": f"{type(error).__name__}: {error}",
            "dtype": self.dtype,
            "seed": self.seed,
        }
        return CheckFailure(self.check, self.statement, facts, self._snippet())

    def _snippet(self, problem=None, operation=None):
        lines = ["from cinc_ref import testing"]
        if problem is not None:
            called = self.last_call.get("operation") == operation
            replaced = self.last_call["replaced"] if called else ()
            values = self._inputs(problem, operation)
            inputs = ", ".join(_shown(name, values[name], name in replaced) for name in values)
            lines.append(f"problem = testing.{problem}")
            lines.append(f"# its call: implementation.{operation}({inputs}, **problem.options)")
        return [*lines, f'dict(testing.checks())["{self.check}"](implementation, seed={self.seed})']


def _shown(name, value, is_replaced):
    """Write an input as it stands in a call; arrays that are not the problem's by their name."""
    if not is_replaced:
        return f"problem.{name}"
    return f"another_{name}" if isinstance(value, np.ndarray) else repr(value)


def reference_results(operation: str, problem: Problem, **replaced: Array) -> list[tuple[Any, Any]]:
    """Compute the reference of each part of a result, as pairs (expected, rounding in eps).

    `replaced` are the images `x` and gradients `g` that are not the problem's.
    """
    names = [name for name in INPUTS[operation] if name in ("x", "g")]
    arrays = [replaced.get(name, getattr(problem, name)) for name in names]
    result = getattr(reference, operation)(problem, *arrays)
    return list(result) if operation.endswith("vjp") else [result]
