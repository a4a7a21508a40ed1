"""`Task`, the data of an exercise: what is to be written, on which cases, and known mistakes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from cinc_ref._display import short_repr
from cinc_ref._typing import Array

__all__ = ["Case", "Signature", "Slip", "Task"]


class Case(NamedTuple):
    """One call of every function: the arguments, the right results, and sizes such as C and H."""

    arguments: tuple[tuple[Any, ...], ...]
    expected: tuple[Array, ...]
    sizes: dict[str, int]

    __repr__ = short_repr


class Signature(NamedTuple):
    """A function that the student writes: its name, its arguments and the arrays it returns."""

    name: str
    arguments: tuple[str, ...]
    results: tuple[str, ...]

    __repr__ = short_repr

    def __str__(self) -> str:
        results = ", ".join(self.results)
        results = f"({results})" if len(self.results) > 1 else results
        return f"{self.name}({', '.join(self.arguments)}) -> {results}"


class Slip(NamedTuple):
    """A known mistake: a sentence, with sizes such as {HW}, and what it changes in the model."""

    words: str
    options: dict[str, Any]

    __repr__ = short_repr


@dataclass(frozen=True)
class Task:
    """The data of an exercise.

    Parameters
    ----------
    title : str
        What is to be written, in a few words.
    functions : tuple of Signature
        The functions, in the order in which they are handed in.
    text : str
        The definition of the results, with shapes.
    hint : str
        A sentence that points the way.
    cases : callable
        Returns the cases, the smallest first.
    model : callable
        Computes the results of a case from all of its arguments. Without options they are right;
        each option changes one step.
    slips : tuple of Slip
        Known mistakes. Two that change different options are also tried together.
    second_opinion : callable, optional
        Returns a sentence on functions whose results are wrong in a way that no slip explains.
    """

    title: str
    functions: tuple[Signature, ...]
    text: str
    hint: str
    cases: Callable[[], list[Case]]
    model: Callable[..., tuple[Any, ...]]
    slips: tuple[Slip, ...]
    second_opinion: Callable[..., str] | None = None

    __repr__ = short_repr

    @property
    def results(self) -> tuple[str, ...]:
        """The names of the results of all functions, one after the other."""
        names = [name for function in self.functions for name in function.results]
        return tuple(names)
