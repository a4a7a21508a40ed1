"""Timing on one core: the process pinned, one BLAS thread, compilation not counted."""

import os
import statistics
import time
from contextlib import contextmanager
from dataclasses import dataclass

from cinc_ref._blas import one_blas_thread
from cinc_ref.errors import OptionError

__all__ = ["OneCore", "Timing", "measure", "measure_in_turn", "one_blas_thread", "one_core"]


@dataclass(frozen=True)
class OneCore:
    """What `one_core` could bring about.

    Attributes
    ----------
    core : int or None
        To which the process is pinned; None where the system cannot pin processes.
    blas : tuple of str
        Files of the BLAS libraries that are held to one thread.
    """

    core: int | None
    blas: tuple[str, ...]

    def __str__(self):
        core = "not pinned to a core" if self.core is None else f"pinned to core {self.core}"
        return f"{core}, one BLAS thread"


@dataclass(frozen=True)
class Timing:
    """Durations of a repeated call.

    Attributes
    ----------
    seconds : tuple of float
        One a repetition, in order.
    conditions : OneCore
    turns : tuple of float
        The median of each turn, in order.
    """

    seconds: tuple[float, ...]
    conditions: OneCore
    turns: tuple[float, ...] = ()

    @property
    def median(self):
        """Seconds; half of the repetitions took longer."""
        return statistics.median(self.seconds)

    @property
    def minimum(self):
        """Seconds; what other processes disturbed least."""
        return min(self.seconds)

    def over(self, other):
        """How many times as long as `other`, with which it was measured in turn.

        The median over the turns: a shared machine is now fast and now slow, for seconds, and one
        median may fall in the slow ones and the other in the fast ones.

        Parameters
        ----------
        other : Timing

        Returns
        -------
        float

        Examples
        --------
        >>> from cinc_ref.timing import measure_in_turn
        >>> found = measure_in_turn({"a": lambda: sum(range(9)), "b": lambda: sum(range(9999))})
        >>> found["b"].over(found["a"]) > 1
        True
        """
        return statistics.median(
            own / others for own, others in zip(self.turns, other.turns, strict=True)
        )


@contextmanager
def one_core():
    """Pin this process to one core and every BLAS library to one thread, in this block.

    Before and after it everything is as it was. Libraries that are first loaded inside the block
    are not held to one thread.

    Yields
    ------
    OneCore
        What could be brought about, which depends on the system.

    Raises
    ------
    CincError
        If a BLAS library goes on using several threads.

    Examples
    --------
    >>> from cinc_ref.timing import one_core
    >>> with one_core() as conditions:
    ...     conditions.core is None or conditions.core >= 0
    True
    """
    with one_blas_thread() as blas, _pinned() as core:
        yield OneCore(core, blas)


@contextmanager
def _pinned():
    """Pin to the last of the cores that the process may use; the first serves most interrupts."""
    if not hasattr(os, "sched_setaffinity"):  # macOS and Windows
        yield None
        return
    allowed = os.sched_getaffinity(0)
    core = max(allowed)
    os.sched_setaffinity(0, {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, allowed)


def measure(function, *, repeat=7, warm_up=1):
    """Time a function of no arguments on one core.

    Parameters
    ----------
    function : callable
    repeat : int
        How often it is timed.
    warm_up : int
        Calls before that, not timed: the first compiles.

    Returns
    -------
    Timing

    Raises
    ------
    OptionError
        If `repeat` is below 1 or `warm_up` below 0.

    Examples
    --------
    >>> from cinc_ref.timing import measure
    >>> timing = measure(lambda: sum(range(1000)), repeat=3)
    >>> len(timing.seconds), timing.minimum <= timing.median
    (3, True)
    """
    return measure_in_turn({"": function}, repeat=repeat, warm_up=warm_up)[""]


def measure_in_turn(functions, *, repeat=7, warm_up=1, turn=0.0):
    """Time several functions of no arguments on one core, in turn: A B A B.

    What else the machine does, and its temperature, then meets all of them alike.

    Parameters
    ----------
    functions : dict of str to callable
    repeat : int
        Rounds.
    warm_up : int
        Calls of each before that, not timed: the first compiles.
    turn : float
        Seconds for which a function is called again and again when its turn comes, after a call
        that is not timed, for what ran before has emptied the caches. With 0 it is called once.

    Returns
    -------
    dict of str to Timing

    Raises
    ------
    OptionError
        If `repeat` is below 1 or `warm_up` below 0.

    Examples
    --------
    >>> from cinc_ref.timing import measure_in_turn
    >>> found = measure_in_turn({"short": lambda: sum(range(9)), "long": lambda: sum(range(9999))})
    >>> found["short"].median < found["long"].median
    True
    """
    for name, value, smallest in (("repeat", repeat, 1), ("warm_up", warm_up, 0)):
        if not isinstance(value, int) or value < smallest:
            raise OptionError(f"{name} must be an integer >= {smallest}; got {value!r}")
    for function in functions.values():  # may load a BLAS library, which one_core must find
        for _ in range(warm_up):
            function()
    turns = {name: [] for name in functions}
    with one_core() as conditions:
        for _ in range(repeat):
            for name, function in functions.items():
                turns[name].append(_turn(function, turn))
    return {
        name: Timing(
            tuple(seconds for turn in found for seconds in turn),
            conditions,
            tuple(statistics.median(turn) for turn in found),
        )
        for name, found in turns.items()
    }


def _turn(function, duration):
    durations = []
    if duration:
        function()
    end = time.perf_counter() + duration
    while not durations or time.perf_counter() < end:
        durations.append(_seconds(function))
    return durations


def _seconds(function):
    began = time.perf_counter()
    function()
    return time.perf_counter() - began
