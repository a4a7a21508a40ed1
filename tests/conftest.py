"""Settings of the suite: Hypothesis profiles, and a compiler that does nothing twice."""

import os
import tempfile
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from numba.core import dispatcher

try:
    import fcntl
except ModuleNotFoundError:  # on Windows, where processes compile independently
    fcntl = None

INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT", "0") == "1"

settings.register_profile(
    "cinc",
    deadline=None,  # compilation takes seconds
    derandomize="CI" in os.environ,
    max_examples=8 if INTERPRETED else 100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("cinc")


def sparse(cases, step):
    """List the cases: all with the compiler, and without it, where they are slow, one in `step`.

    With a step that has no divisor in common with the numbers of choices whose product the cases
    are, the few still have every choice, and most pairs of choices.
    """
    return list(cases)[:: step if INTERPRETED else 1]


@pytest.fixture
def interpreted():
    """Whether the kernels run as plain Python, which is slow: use tiny shapes."""
    return INTERPRETED


def compile_once():
    """Let the processes of pytest-xdist wait for one another instead of compiling the same kernel.

    Numba looks into its cache on disk before it compiles. While a process compiles a function for
    some types, it holds a lock that is named by them, so that another process that wants the same
    finds it in the cache. Functions never call their callers: no two processes wait in a circle.
    """
    compile_or_load = dispatcher.Dispatcher.compile

    def compile_alone(self, signature):
        if self._cache.cache_path is None:  # nothing is shared
            return compile_or_load(self, signature)
        with _lock(f"{self._cache.cache_path} {_identity(self.py_func)} {signature}"):
            return compile_or_load(self, signature)

    dispatcher.Dispatcher.compile = compile_alone


def _identity(function):
    """Name a function together with the constants of its closure."""
    values = [cell.cell_contents for cell in function.__closure__ or ()]
    constants = [getattr(value, "__qualname__", None) or repr(value) for value in values]
    return f"{function.__module__}.{function.__qualname__} {constants}"


@contextmanager
def _lock(name):
    folder = Path(tempfile.gettempdir()) / f"cinc_ref-compiling-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    with open(folder / sha256(name.encode()).hexdigest(), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if "PYTEST_XDIST_WORKER" in os.environ and fcntl and not INTERPRETED:
    compile_once()
