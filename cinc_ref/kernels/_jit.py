"""Compilation of loops: at the first call, cached on disk where a folder can be written.

``error_model="numpy"``: a division by zero gives infinity, as in NumPy, and needs no branch.
Without the compiler, the register blocks are NumPy arrays.

Numba's disk cache looks at the file that a function stands in, and would go on serving old code
after an edit of a function that it calls from another file. Here the dates of all kernels count, so
that an edit of any of them compiles all of them anew.
"""

import functools
import gc
import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core import event

from cinc_ref.kernels._cache import UNWRITABLE, KernelCache, warn_once

if numba.config.DISABLE_JIT:
    from cinc_ref.kernels.simd import block_numpy as block
else:
    from cinc_ref.kernels.simd import block

__all__ = [
    "ANNOUNCEMENT",
    "block",
    "compiled",
    "expected_compilation",
    "inlined",
    "internal",
    "without_compilation",
]

Function = TypeVar("Function", bound=Callable[..., Any])

LOGGER = logging.getLogger("cinc_ref")


def _stamp(*files):
    """Return what changes with any edit of some files: their dates and sizes."""
    states = [file.stat() for file in files]
    return tuple((state.st_mtime, state.st_size) for state in states)


_KERNELS = _stamp(*sorted(Path(__file__).parent.rglob("*.py")))


ANNOUNCEMENT = (
    "compiling for this machine, which happens once and takes from some seconds to some minutes; "
    "cinc_ref.warm_up() or `python -m cinc_ref compile` does it ahead of use"
)
"""Warning before the first of several functions that are compiled one after another."""

PAUSE = 60.0
"""Seconds without compilation after which the next one is announced again."""


CLOCKS: tuple[Callable[[], float], ...] = (time.monotonic, time.process_time)
"""The clocks that `without_compilation` takes."""


class _CompilationLog(event.Listener):
    """A log of each of our functions that is compiled; for one in the cache there is no event."""

    def __init__(self):
        self.running = self.expected = 0
        self.finished = -math.inf
        self.spent = dict.fromkeys(CLOCKS, 0.0)
        self.started: dict[Callable[[], float], float] = {}

    def on_start(self, start):
        name = _name_of_ours(start)
        if name is None:
            return
        extra = {"compiled_function": name}
        recent = self.running or time.monotonic() - self.finished < PAUSE
        if not (recent or self.expected):
            LOGGER.warning(ANNOUNCEMENT, extra=extra)
        if not self.running:
            self.started = {clock: clock() for clock in CLOCKS}
        self.running += 1
        if _no_folder:
            warn_once("unwritable", UNWRITABLE, "for want of a folder")
        LOGGER.info("compiling %s", name, extra=extra)

    def on_end(self, end):
        if _name_of_ours(end) is not None:
            self.running = max(0, self.running - 1)
            self.finished = time.monotonic()
            if not self.running:
                for clock, started in self.started.items():
                    self.spent[clock] += clock() - started
                self.started = {}


def _name_of_ours(broadcast):
    """Return the full name of the function of an event, None if it is not one of cinc_ref."""
    function = broadcast.data["dispatcher"].py_func
    if not function.__module__.startswith("cinc_ref."):
        return None
    return f"{function.__module__}.{function.__qualname__}"


_log = _CompilationLog()
event.register("numba:compile", _log)

_no_folder: list[str] = []
"""Names of the functions that have no folder for their compiled code."""


def without_compilation(clock: Callable[[], float]) -> float:
    """Read a clock of `CLOCKS` in seconds that stands still while our functions are compiled."""
    now = clock()
    return min(now, _log.started.get(clock, now)) - _log.spent[clock]


@contextmanager
def expected_compilation() -> Iterator[None]:
    """Announce no compilation in this block, whose purpose it is."""
    _log.expected += 1
    try:
        yield
    finally:
        _log.expected -= 1


def compiled(function: Function) -> Function:
    """Compile a function that Python calls, at its first call with arguments of new types."""
    options = {"error_model": "numpy", "no_cfunc_wrapper": True}
    dispatcher = numba.njit(**options)(function)
    if numba.config.DISABLE_JIT:
        return dispatcher
    own_file = Path(function.__code__.co_filename)
    try:
        cache = KernelCache(function, _stamp(own_file) + _KERNELS)
    except RuntimeError:  # a read-only installation and no folder for the cache
        _no_folder.append(function.__qualname__)
        return dispatcher
    cache.load_overload = _without_collector(cache.load_overload)
    dispatcher._cache = cache  # what njit(cache=True) does, but with a cache of ours
    return dispatcher


def _without_collector(function):
    """Pause the garbage collector during a function.

    With the first compiled function that it loads, Numba makes some hundred thousand objects, which
    all stay: looking through them takes a quarter of the time.
    """

    @functools.wraps(function)
    def call(*arguments):
        enabled = gc.isenabled()
        gc.disable()
        try:
            return function(*arguments)
        finally:
            if enabled:
                gc.enable()

    return call


def internal(function: Function) -> Function:
    """Compile a function that other compiled functions call, but not Python."""
    options = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return numba.njit(error_model="numpy", **options)(function)


def inlined(function: Function) -> Function:
    """Make a function part of the compiled functions that call it; literals stay literals."""
    return numba.njit(inline="always", error_model="numpy")(function)
