"""Limits to one thread: of BLAS, of OpenMP in the calling thread, and of PyTorch."""

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from threadpoolctl import ThreadpoolController

from cinc_ref._claims import claimed
from cinc_ref.errors import CincError

__all__ = ["one_blas_thread", "one_torch_thread"]


@contextmanager
def one_blas_thread() -> Iterator[tuple[str, ...]]:
    """Limit every loaded BLAS library to one thread in this block, and in all that overlap with it.

    The matrices of a small flow gain little from several threads, which on a busy machine wait for
    one another: training can become ten times slower.

    Yields
    ------
    tuple of str
        The files of the libraries.

    Raises
    ------
    CincError
        If a library still uses several threads.

    Examples
    --------
    >>> from cinc_ref.timing import one_blas_thread
    >>> with one_blas_thread() as libraries:
    ...     all(isinstance(library, str) for library in libraries)
    True
    """
    with ExitStack() as claims:
        for library in ThreadpoolController().lib_controllers:
            if library.user_api == "blas":
                claims.enter_context(_one_thread_of(library))
        pools = [pool for pool in ThreadpoolController().info() if pool["user_api"] == "blas"]
        for pool in pools:
            if pool["num_threads"] != 1:
                raise CincError(
                    f"{pool['filepath']} must use one thread; it uses {pool['num_threads']}: set "
                    "OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 before the start"
                )
        yield tuple(pool["filepath"] for pool in pools)


@contextmanager
def _one_openmp_thread() -> Iterator[None]:
    """Limit every loaded OpenMP library to one thread where this thread calls it, in this block."""
    with ExitStack() as claims:
        for library in ThreadpoolController().lib_controllers:
            if library.user_api == "openmp":
                claims.enter_context(_one_thread_of(library))
        yield


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Limit PyTorch to one thread in this block, if it is loaded.

    It has a number of threads of the process and, through OpenMP, one of the calling thread.
    Setting the first sets the second as well, so that the thread's own is restored last.
    """
    torch = sys.modules.get("torch")
    if not hasattr(torch, "set_num_threads"):  # not loaded, or in the middle of its import
        yield
        return
    number = torch.get_num_threads, torch.set_num_threads
    with _one_openmp_thread(), claimed("torch", *number, 1):
        yield


def _one_thread_of(library):
    """Claim the number of threads of a library; with OpenMP each thread has a number of its own."""
    name = library.filepath
    if "openmp" in (library.user_api, getattr(library, "threading_layer", None)):
        name = f"{name} in thread {threading.get_ident()}"
    return claimed(name, library.get_num_threads, partial(_set_threads, library), 1)


def _set_threads(library, number):
    """Set the number of threads; threadpoolctl leaves it to the thread that first did so."""
    if hasattr(library, "clear_controlling_thread"):  # since threadpoolctl 3.8
        library.clear_controlling_thread(force=True)
    library.set_num_threads(number)
    if hasattr(library, "clear_controlling_thread"):
        library.clear_controlling_thread()
