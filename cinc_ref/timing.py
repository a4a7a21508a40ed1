"""Timing on one core: the process pinned, one BLAS thread, compilation not counted."""

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from cinc_ref import _validate
from cinc_ref._blas import one_blas_thread, one_torch_thread
from cinc_ref._claims import claimed
from cinc_ref._display import repr_of

__all__ = ["OneCore", "Timing", "measure", "measure_in_turn", "one_blas_thread", "one_core"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True)
class OneCore:
    """The conditions that `one_core` established.

    Attributes
    ----------
    core : int or None
        Core to which the process is pinned; None where the system cannot pin processes.
    blas : tuple of str
        Files of the BLAS libraries that are limited to one thread.
    """

    core: int | None
    blas: tuple[str, ...]

    def __str__(self) -> str:
        core = "not pinned to a core" if self.core is None else f"pinned to core {self.core}"
        return f"{core}, one BLAS thread"

    def __repr__(self) -> str:
        return repr_of("OneCore", {"core": self.core, "blas": [Path(f).name for f in self.blas]})


@dataclass(frozen=True)
class Timing:
    """Durations of a repeated call.

    Attributes
    ----------
    seconds : tuple of float
        Seconds of each repetition, in order.
    conditions : OneCore
        Conditions under which they were measured.
    turns : tuple of float
        Median in seconds of each turn, in order.
    """

    seconds: tuple[float, ...]
    conditions: OneCore
    turns: tuple[float, ...] = ()

    def __repr__(self) -> str:
        if not self.seconds:
            return f"Timing(no repetitions, {self.conditions})"
        repetitions = f"{len(self.seconds)} repetition{'s' if len(self.seconds) > 1 else ''}"
        return (
            f"Timing(median {self.median:.4g} s, minimum {self.minimum:.4g} s, "
            f"{repetitions}, {self.conditions})"
        )

    @property
    def median(self) -> float:
        """The median in seconds."""
        return statistics.median(self.seconds)

    @property
    def minimum(self) -> float:
        """The minimum in seconds, which other processes disturbed least."""
        return min(self.seconds)

    def over(self, other: Self) -> float:
        """Divide by the time of `other`, with which it was measured in turn.

        The result is the median over the turns of their ratios: a shared machine is fast for
        seconds and slow for seconds, and one median may come from a slow period and the other from
        a fast one.

        Parameters
        ----------
        other : Timing
            Another result of the same `measure_in_turn`.

        Returns
        -------
        float
            A ratio; 2 if this took twice as long.

        Examples
        --------
        >>> from cinc_ref.timing import measure_in_turn
        >>> timings = measure_in_turn({"a": lambda: sum(range(9)), "b": lambda: sum(range(9999))})
        >>> timings["b"].over(timings["a"]) > 1
        True
        """
        pairs = zip(self.turns, other.turns, strict=True)
        return statistics.median(turn / other_turn for turn, other_turn in pairs)


@contextmanager
def one_core() -> Iterator[OneCore]:
    """Pin this thread to one core and every BLAS library to one thread, in this block.

    PyTorch is limited to one thread, too, if it is loaded. All is restored after the block, and
    after the last of several blocks that overlap. Libraries that are first loaded inside the block
    are not limited. Threads that start inside the block stay pinned.

    Yields
    ------
    OneCore
        The conditions, which depend on the system.

    Raises
    ------
    CincError
        If a BLAS library continues to use several threads.

    Examples
    --------
    >>> from cinc_ref.timing import one_core
    >>> with one_core() as conditions:
    ...     conditions.core is None or conditions.core >= 0
    True
    """
    with one_blas_thread() as blas, one_torch_thread(), _pinned() as core:
        yield OneCore(core, blas)


@contextmanager
def _pinned():
    """Pin to the last of the cores that the thread may use; the first serves most interrupts."""
    if not hasattr(os, "sched_setaffinity"):  # macOS and Windows
        yield None
        return
    core = max(os.sched_getaffinity(0))
    affinity = partial(os.sched_getaffinity, 0), partial(os.sched_setaffinity, 0)
    with claimed(f"affinity of thread {threading.get_ident()}", *affinity, {core}):
        yield core


def measure(function: Callable[[], object], *, repeat: int = 7, warm_up: int = 1) -> Timing:
    """Time a function of no arguments on one core.

    Parameters
    ----------
    function : callable
        The function to call.
    repeat : int
        Number of timed calls, at least 1.
    warm_up : int
        Number of calls before that, not timed: the first compiles.

    Returns
    -------
    Timing

    Raises
    ------
    OptionError
        If `repeat` is no integer >= 1 or `warm_up` no integer >= 0.
    CincError
        If a BLAS library continues to use several threads.

    Examples
    --------
    >>> from cinc_ref.timing import measure
    >>> timing = measure(lambda: sum(range(1000)), repeat=3)
    >>> len(timing.seconds), timing.minimum <= timing.median
    (3, True)
    """
    return measure_in_turn({"": function}, repeat=repeat, warm_up=warm_up)[""]


def measure_in_turn(
    functions: dict[str, Callable[[], object]],
    *,
    repeat: int = 7,
    warm_up: int = 1,
    turn: float = 0.0,
) -> dict[str, Timing]:
    """Time several functions of no arguments on one core, in turn: A B A B.

    Other load of the machine, and its temperature, then affect all of them alike.

    Parameters
    ----------
    functions : dict of str to callable
        The functions to call, by name.
    repeat : int
        Number of rounds, at least 1.
    warm_up : int
        Number of calls of each before that, not timed: the first compiles.
    turn : float
        Seconds for which a function is called repeatedly in its turn, after a call that is not
        timed, because the functions before it have displaced its data from the caches. With 0 it
        is called once.

    Returns
    -------
    dict of str to Timing
        The timings by name.

    Raises
    ------
    OptionError
        If `repeat` is no integer >= 1, `warm_up` no integer >= 0 or `turn` no number >= 0.
    CincError
        If a BLAS library continues to use several threads.

    Examples
    --------
    >>> from cinc_ref.timing import measure_in_turn
    >>> functions = {"short": lambda: sum(range(9)), "long": lambda: sum(range(9999))}
    >>> timings = measure_in_turn(functions)
    >>> timings["short"].median < timings["long"].median
    True
    """
    repeat = _validate.integer("repeat", repeat, minimum=1)
    warm_up = _validate.integer("warm_up", warm_up, minimum=0)
    turn = _validate.number("turn", turn, minimum=0)
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
            tuple(seconds for durations in rounds for seconds in durations),
            conditions,
            tuple(statistics.median(durations) for durations in rounds),
        )
        for name, rounds in turns.items()
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
    started = time.perf_counter()
    function()
    return time.perf_counter() - started
