"""`Grade`, the outcome of an exercise."""

from dataclasses import dataclass

from cinc_ref._display import repr_of, table_html

__all__ = ["Grade"]


@dataclass(frozen=True)
class Grade:
    """The outcome of an exercise: passed, or a diagnosis with a small counterexample.

    Parameters
    ----------
    exercise : int
        The number of the exercise.
    passed : bool
        Whether all results are right.
    diagnosis : str
        The mistake in words, or how many cases were tried.
    counterexample : str
        The smallest case that is wrong: arguments, expected results and those that came.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.classroom import exercise
    >>> def bits_per_dim(log_prob, shape, bins):
    ...     return -log_prob / (np.prod(shape) * np.log(2))
    >>> grade = exercise(7).check(bits_per_dim)
    >>> grade.passed
    False
    >>> print(grade.diagnosis)
    log(bins) is missing: log_prob is a density on [-1/2, 1/2)^D, where a grey level is an interval
    of width 1/bins and not 1.
    """

    exercise: int
    passed: bool
    diagnosis: str
    counterexample: str = ""

    def __repr__(self) -> str:
        fields = {"exercise": self.exercise, "passed": self.passed, "diagnosis": self.diagnosis}
        return repr_of("Grade", fields)

    def __str__(self) -> str:
        head = f"{'passed' if self.passed else 'not yet'}: {self.diagnosis}"
        return f"{head}\n\n{self.counterexample}" if self.counterexample else head

    def _repr_html_(self) -> str:
        rows = [("passed" if self.passed else "not yet", self.diagnosis)]
        rows += [(line, "") for line in str(self.counterexample).splitlines()]
        return table_html((f"exercise {self.exercise}", "diagnosis"), rows)
