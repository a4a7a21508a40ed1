"""Compilation of loops: at the first call, cached on disk where a folder can be written.

``error_model="numpy"``: a division by zero gives infinity, as in NumPy, and needs no branch.
Without the compiler, the register blocks are NumPy arrays.

Numba's disk cache compares the date of the file that a function stands in, and would go on serving
old code after an edit of a function that it calls from another file. Here the dates of all kernels
count, so that an edit of any of them compiles all of them anew.
"""

import functools
import gc
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba
from numba.core import event

if numba.config.DISABLE_JIT:
    from cinc_ref.kernels.simd import block_numpy as block
else:
    from cinc_ref.kernels.simd import block

__all__ = ["block", "compiled", "inlined", "internal"]

LOGGER = logging.getLogger("cinc_ref")


def _stamp(*files):
    """Return what changes with any edit of some files: their dates and sizes."""
    states = [file.stat() for file in files]
    return tuple((state.st_mtime, state.st_size) for state in states)


_KERNELS = _stamp(*sorted(Path(__file__).parent.rglob("*.py")))


class _CompilationLog(event.Listener):
    """A log of each of our functions that is compiled; for one in the cache there is no event."""

    def on_start(self, start):
        function = start.data["dispatcher"].py_func
        if function.__module__.startswith("cinc_ref."):
            name = f"{function.__module__}.{function.__qualname__}"
            LOGGER.info("compiling %s", name, extra={"compiled_function": name})

    def on_end(self, end):
        pass


event.register("numba:compile", _CompilationLog())


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls, at its first call with arguments of new types."""
    try:
        dispatcher = numba.njit(cache=True, error_model="numpy", no_cfunc_wrapper=True)(function)
    except RuntimeError:  # a read-only installation and no folder for the cache
        return numba.njit(error_model="numpy")(function)
    with suppress(AttributeError):  # private to Numba; without it the file's date is the stamp
        own_file = Path(function.__code__.co_filename)
        dispatcher._cache._cache_file._source_stamp = _stamp(own_file) + _KERNELS
        dispatcher._cache.load_overload = _without_collector(dispatcher._cache.load_overload)
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


def internal(function: Callable[..., Any]) -> Any:
    """Compile a function that other compiled functions call, but not Python."""
    options = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return numba.njit(error_model="numpy", **options)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Make a function part of the compiled functions that call it; literals stay literals."""
    return numba.njit(inline="always", error_model="numpy")(function)
