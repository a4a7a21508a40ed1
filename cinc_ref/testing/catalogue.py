"""The checks by name: each states one idea, and says what it needs to be tried."""

from collections.abc import Callable
from dataclasses import dataclass

from cinc_ref.testing.failure import CheckFailure, NotChecked
from cinc_ref.testing.trial import Trial

_CATALOGUE = {}


@dataclass(frozen=True)
class Check:
    """A named check: call it with an implementation.

    Attributes
    ----------
    name : str
    statement : str
        What a right implementation does.
    operations : tuple of str
        The functions of the implementation that it needs.
    options : tuple of str
        The options that it needs to be declared.
    """

    name: str
    statement: str
    operations: tuple[str, ...]
    options: tuple[str, ...]
    body: Callable

    def __call__(self, implementation, seed=0):
        """Try it.

        Parameters
        ----------
        implementation : Implementation
        seed : int
            The inputs follow from it.

        Raises
        ------
        CheckFailure
            An AssertionError that says what was expected, what came, where, and how to repeat it.
        NotChecked
            If the implementation lacks something; pytest counts this as skipped.
        """
        self._require(implementation)
        for dtype in implementation.dtypes:
            trial = Trial(implementation, self.name, self.statement, int(seed), dtype)
            try:
                self.body(trial)
            except (CheckFailure, NotChecked):
                raise
            except Exception as error:  # a result of another kind or rank, deep in a comparison
                raise trial.incomparable(error) from error

    def _require(self, implementation):
        for operation in self.operations:
            if getattr(implementation, operation) is None:
                raise NotChecked(f"{operation} was not given")
        for option in self.options:
            if option not in implementation.options:
                raise NotChecked(f"option {option} was not declared")


def add_check(name, statement, operations, options, body):
    """Put a check into the catalogue."""
    if name in _CATALOGUE:
        raise KeyError(f"two checks are called {name}")
    _CATALOGUE[name] = Check(name, statement, tuple(operations), tuple(options), body)


def check(*operations, options=()):
    """Decorate a function of a `Trial`: its name and docstring are those of the check."""

    def register(body):
        add_check(body.__name__, body.__doc__.rstrip("."), operations, options, body)
        return body

    return register


def checks():
    """Every check, as (name, check) pairs.

    Returns
    -------
    list of (str, Check)
        A check is called as ``check(implementation, seed=0)``; it returns nothing, raises an
        AssertionError, or `NotChecked` where the implementation lacks what it needs.

    Examples
    --------
    >>> import cinc_ref as cr
    >>> dict(cr.testing.checks())["conv_tall"].statement
    'conv(x, K) is M x: images taller than wide'
    """
    # Each module registers its checks when it is imported.
    from cinc_ref.testing import agreement, gradients, log_det, manners, structure  # noqa: F401

    return list(_CATALOGUE.items())
