"""`Check`, a named property of an implementation, and the decorator that makes one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cinc_ref.testing.failure import CheckFailure, CheckSkipped
from cinc_ref.testing.implementation import Implementation
from cinc_ref.testing.trial import Trial

__all__ = ["Check", "needs"]


@dataclass(frozen=True)
class Check:
    """A named property that a right implementation has; call it with an implementation.

    Parameters
    ----------
    name : str
        The name by which reports and `expected_failures` refer to it.
    statement : str
        The property in one sentence.
    operations : tuple of str
        The functions of the implementation that the check calls.
    options : tuple of str
        The options that the implementation must declare.
    body : callable
        ``body(trial)`` tries the property in one dtype and raises `CheckFailure`.

    Examples
    --------
    >>> import cinc_ref as cr
    >>> check = dict(cr.testing.checks())["conv_inverse_tall"]
    >>> check.operations
    ('conv_inverse',)
    >>> check(cr.testing.Implementation(conv_inverse=cr.conv_inverse), seed=1)
    """

    name: str
    statement: str
    operations: tuple[str, ...]
    options: tuple[str, ...]
    body: Callable[..., Any]

    def __call__(self, implementation: Implementation, seed: int = 0) -> None:
        """Try the property on an implementation, in each of its dtypes.

        Parameters
        ----------
        implementation : Implementation
        seed : int
            The seed of the random inputs.

        Raises
        ------
        CheckFailure
            An AssertionError that says what was expected, what was returned, where, and how to
            repeat it.
        CheckSkipped
            If the implementation lacks something; pytest counts this as skipped.
        """
        self._require(implementation)
        for dtype in implementation.dtypes:
            trial = Trial(implementation, self.name, self.statement, int(seed), dtype)
            try:
                self.body(trial)
            except (CheckFailure, CheckSkipped):
                raise
            except Exception as error:  # a result of another kind or rank, deep in a comparison
                raise trial.incomparable(error) from error

    def _require(self, implementation):
        for operation in self.operations:
            if getattr(implementation, operation) is None:
                raise CheckSkipped(f"{operation} was not given")
        for option in self.options:
            if option not in implementation.options:
                raise CheckSkipped(f"option {option} was not declared")


def needs(*operations: str) -> Callable[[Callable[..., Any]], Check]:
    """Make a function of a `Trial` a `Check` that calls these operations.

    The function's name and the summary of its docstring are those of the check.
    """

    def make(body):
        return Check(body.__name__, body.__doc__.rstrip("."), operations, (), body)

    return make
