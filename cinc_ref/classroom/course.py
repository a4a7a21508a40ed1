"""`exercise`, which returns the exercises of the class by number."""

from cinc_ref import _validate
from cinc_ref.classroom import bits, conv, coupling, gradient, inverse, log_det, matrix
from cinc_ref.classroom.exercise import Exercise
from cinc_ref.errors import OptionError

__all__ = ["TASKS", "exercise"]

TASKS = (
    conv.TASK, matrix.TASK, inverse.TASK, log_det.TASK, gradient.TASK, coupling.TASK, bits.TASK,
)  # fmt: skip
"""The tasks in the order of the class."""


def exercise(number: int) -> Exercise:
    """Return an exercise of the class: 1 to 7.

    Parameters
    ----------
    number : int
        1 the convolution, 2 its matrix, 3 its inverse, 4 its log-determinant, 5 its gradients,
        6 a coupling, 7 bits per dimension.

    Returns
    -------
    Exercise
        Printing it shows the task; ``.check(my_function)`` grades an answer.

    Raises
    ------
    OptionError
        If there is no exercise of this number.

    Examples
    --------
    >>> from cinc_ref.classroom import exercise
    >>> print(exercise(2))
    Exercise 2: the matrix of the convolution
      matrix(kernel, size) -> M
    ...
    """
    number = _validate.integer("number", number, minimum=1)
    if number > len(TASKS):
        raise OptionError(f"number must be from 1 to {len(TASKS)}; got {number}")
    return Exercise(number, TASKS[number - 1])
