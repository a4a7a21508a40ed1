"""One check at work on one implementation and dtype: calls, comparisons, and how failures read."""

from dataclasses import dataclass

import numpy as np

from cinc_ref.testing import reference
from cinc_ref.testing.failure import CheckFailure, NotChecked, disagreement, to_numpy
from cinc_ref.testing.implementation import Implementation
from cinc_ref.testing.problem import Problem

SLACK = 100
"""How many times the rounding of a backward stable computation is allowed."""

INPUTS = {  # the arrays of a problem that an operation is called with, before its options
    "conv": ("x", "kernel"),
    "conv_inverse": ("x", "kernel"),
    "log_abs_det": ("kernel", "size"),
    "conv_vjp": ("x", "kernel", "g"),
    "conv_inverse_vjp": ("x", "kernel", "g"),
}


@dataclass(frozen=True)
class Trial:
    """What a check works with."""

    implementation: Implementation
    check: str
    statement: str
    seed: int
    dtype: str

    @property
    def eps(self):
        """The rounding unit of the dtype."""
        return float(np.finfo(self.dtype).eps)

    def problem(self, **recipe):
        """Inputs drawn from this trial's seed and dtype."""
        return Problem(seed=self.seed, dtype=self.dtype, **recipe)

    def call(self, operation, problem, **replaced):
        """The result of an operation on a problem, some of its inputs replaced.

        Images and gradients come back as arrays, those of the two vjps as pairs of arrays.
        """
        inputs = [replaced.get(name, getattr(problem, name)) for name in INPUTS[operation]]
        inputs = [np.array(a, order="C") if isinstance(a, np.ndarray) else a for a in inputs]
        return self.call_on(operation, problem, inputs)

    def call_on(self, operation, problem, inputs):
        """The same on these very inputs, not on copies."""
        options = problem.options
        if operation == "log_abs_det":
            options = {name: value for name, value in options.items() if name == "anchor"}
        try:
            result = getattr(self.implementation, operation)(*inputs, **options)
        except Exception as error:
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

    def agree(self, operation, problem, got, answer, part=""):
        """Fail unless `got` is the answer (expected, its rounding in units of eps)."""
        expected, rounding = answer
        bound = SLACK * self.eps * np.asarray(rounding, np.longdouble)
        self.within(operation, problem, got, expected, bound, part)

    def within(self, operation, problem, got, expected, bound, part=""):
        """Fail unless `got` is elementwise within `bound` of `expected`."""
        facts = disagreement(got, np.asarray(expected), np.asarray(bound))
        if facts:
            raise self.failure(problem, {"of": part or None} | facts, operation, got)

    def require_shape(self, operation, problem, got, shape, part=""):
        """Fail unless a result has this shape."""
        if got.shape != shape:
            facts = {"of": part or None, "expected": f"shape {shape}", "got": f"shape {got.shape}"}
            raise self.failure(problem, facts, operation, got)

    def equal(self, operation, problem, got, expected, part=""):
        """Fail unless `got` is `expected` to the last bit, NaN being equal to itself."""
        same = got.shape == expected.shape and np.array_equal(got, expected, equal_nan=True)
        if not same:
            facts = disagreement(got, expected, np.zeros(()))
            raise self.failure(problem, {"of": part or None} | facts, operation, got)

    def failure(self, problem, facts, operation, got=None):
        """The error that says what happened and repeats it."""
        shapes = [f"{n} {np.shape(getattr(problem, n))}" for n in INPUTS[operation] if n != "size"]
        shapes.append(f"size {problem.size}")
        if got is not None:
            shapes.append(f"result {got.shape}")
        facts = facts | {
            "shapes": ", ".join(shapes),
            "dtype": self.dtype if got is None else f"{self.dtype}, result {got.dtype}",
            "seed": self.seed,
        }
        return CheckFailure(self.check, self.statement, facts, self._snippet(problem, operation))

    def incomparable(self, error):
        """The error for results of which not even the difference can be taken."""
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
            inputs = ", ".join(f"problem.{name}" for name in INPUTS[operation])
            lines.append(f"problem = testing.{problem}")
            lines.append(f"# its call: implementation.{operation}({inputs}, **problem.options)")
        return [*lines, f'dict(testing.checks())["{self.check}"](implementation, seed={self.seed})']

    def call_unless_refused(self, operation, problem):
        """The result; an error says that the implementation does not claim to do this."""
        try:
            return self.call(operation, problem)
        except CheckFailure as failure:
            if failure.__cause__ is not None:
                raise NotChecked(f"{operation} refuses it: {failure.__cause__}") from failure
            raise


def answer(operation, problem):
    """The reference's answer, one for each part of the result."""
    function = getattr(reference, operation)
    if operation == "log_abs_det":
        return [function(problem)]
    if operation.endswith("vjp"):
        return list(function(problem, problem.x, problem.g))
    return [function(problem, problem.x)]
