"""Limit of the BLAS libraries of this process, for instance those of NumPy and SciPy."""

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController

from cinc_ref.errors import CincError

__all__ = ["one_blas_thread"]


@contextmanager
def one_blas_thread() -> Iterator[tuple[str, ...]]:
    """Limit every loaded BLAS library to one thread in this block.

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
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        pools = [pool for pool in ThreadpoolController().info() if pool["user_api"] == "blas"]
        for pool in pools:
            if pool["num_threads"] != 1:
                raise CincError(
                    f"{pool['filepath']} must use one thread; it uses {pool['num_threads']}: set "
                    "OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 before the start"
                )
        yield tuple(pool["filepath"] for pool in pools)
