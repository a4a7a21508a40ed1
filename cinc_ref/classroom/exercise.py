"""`Exercise`, a task that can be shown and checked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cinc_ref._display import MAX_CHARACTERS, table_html
from cinc_ref.classroom.grade import Grade
from cinc_ref.classroom.grading import grade
from cinc_ref.classroom.task import Task
from cinc_ref.errors import OptionError

__all__ = ["Exercise"]


@dataclass(frozen=True)
class Exercise:
    """An exercise: printing it, or showing it in a notebook, shows the task with a hint.

    Parameters
    ----------
    number : int
        Its number in the class, from 1.
    task : Task
        What is to be written.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.classroom import exercise
    >>> def inverse(y, kernel):
    ...     return np.einsum("oc,nchw->nohw", np.linalg.inv(kernel[:, :, -1, -1]), y)
    >>> print(exercise(3).check(inverse).diagnosis)
    The taps of earlier pixels are left out: every pixel is treated by itself.
    """

    number: int
    task: Task

    def check(self, *functions: Callable[..., Any]) -> Grade:
        """Grade a student's answer.

        Parameters
        ----------
        *functions : callable
            The function of the task, or the two functions of exercise 6.

        Returns
        -------
        Grade
            Whether it passed; if not, the mistake in words and a counterexample. Printing it shows
            both.

        Raises
        ------
        OptionError
            If the number of functions is not that of the task, or one cannot be called.

        Examples
        --------
        >>> import cinc_ref as cr
        >>> from cinc_ref.classroom import exercise
        >>> exercise(1).check(cr.conv).passed
        True
        """
        names = [signature.name for signature in self.task.functions]
        if len(functions) != len(names) or not all(map(callable, functions)):
            call = f"exercise({self.number}).check({', '.join(names)})"
            got = ", ".join(type(function).__name__ for function in functions) or "nothing"
            raise OptionError(f"functions must be {' and '.join(names)}, as in {call}; got {got}")
        return grade(self.number, self.task, functions)

    def __repr__(self) -> str:
        text = f"Exercise {self.number}: {'; '.join(map(str, self.task.functions))}. "
        text = " ".join(f"{text}{self.task.text}".split())
        end = f" (print(exercise({self.number})) shows a hint)"
        room = MAX_CHARACTERS - len(end)
        return (text if len(text) <= room else f"{text[: room - 4]} ...") + end

    def __str__(self) -> str:
        head = f"Exercise {self.number}: {self.task.title}"
        functions = [f"  {signature}" for signature in self.task.functions]
        return "\n".join([head, *functions, "", self.task.text, "", f"Hint: {self.task.hint}"])

    def _repr_html_(self) -> str:
        functions = " and ".join(map(str, self.task.functions))
        rows = [("write", functions), ("task", self.task.text), ("hint", self.task.hint)]
        return table_html((f"exercise {self.number}", self.task.title), rows)
