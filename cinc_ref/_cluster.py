"""Jobs on the workers of a Dask cluster, in any order, and with the same results if workers die."""

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from cinc_ref._extras import extra
from cinc_ref._validate import shown
from cinc_ref.errors import CincError, OptionError

__all__ = ["check_address", "completed"]

Job = TypeVar("Job")
Result = TypeVar("Result")

PATIENCE = 15
"""Seconds to wait for the scheduler, and then for a first worker."""

PER_THREAD = 2
"""Jobs that are handed out for each thread of a worker: one to do, and the next."""


def check_address(name: str, address: object) -> str:
    """Return the address of a scheduler, or raise the `OptionError` of the option of this name."""
    if not (isinstance(address, str) and ":" in address):
        raise OptionError(
            f"{name} must be the address of a Dask scheduler, for instance tcp://127.0.0.1:8786; "
            f"got {shown(address)}"
        )
    return address


def completed(
    function: Callable[[Job, Any], Result], jobs: Iterable[Job], shared: Any, address: str
) -> Iterator[tuple[Job, Result]]:
    """Do jobs on the workers of a cluster, and yield each with its result when it is done.

    The scheduler gives the job of a worker that dies to another. It keeps a copy of what is
    shared, from which it recovers that of a worker that died.

    Parameters
    ----------
    function : callable
        ``function(job, shared)``, which workers import by its name.
    jobs : iterable
        Values that can be pickled; they are taken as workers become free.
    shared : object
        What all jobs have in common, which goes to each worker once.
    address : str
        That of the scheduler.

    Yields
    ------
    job, result

    Raises
    ------
    CincError
        If there is no scheduler or no worker, if the scheduler is lost, or if the workers die of
        a job. An error of the function is raised as it is, if it is a `CincError`.
    MissingExtraError
        If distributed is not installed.
    """
    with extra("stream"):
        from distributed import as_completed

    jobs = iter(jobs)
    with _connected(address) as client, _explained(address):
        shared = client.submit(_same, shared, pure=False)
        waiting: dict[str, Job] = {}
        done = as_completed(loop=client.loop)

        def hand_out(count):
            for _, job in zip(range(count), jobs, strict=False):
                future = client.submit(function, job, shared, pure=False)
                waiting[future.key] = job
                done.add(future)

        hand_out(PER_THREAD * _threads(client))
        for future in done:
            job, result = waiting.pop(future.key), future.result()
            future.release()
            yield job, result
            hand_out(max(1, PER_THREAD * _threads(client) - len(waiting)))


def _same(value):
    """Return a value: as the result of a task it is computed again where it is lost."""
    return value


def _threads(client):
    return max(1, sum(client.nthreads().values()))


@contextmanager
def _connected(address):
    """Connect with a scheduler that has a worker, without claiming it for the whole process."""
    import dask
    from distributed import Client

    quiet = {"distributed.admin.large-graph-warning-threshold": "1 TiB"}  # the model goes once
    with dask.config.set(quiet):
        client = None
        with suppress(OSError, ValueError, TimeoutError):
            client = Client(address, timeout=PATIENCE, set_as_default=False)
        if client is None:
            gc.collect()  # the next client would wait for ever if this one ended meanwhile
            raise CincError(
                f"no Dask scheduler answers at {address}: start one with dask scheduler, and "
                "workers with dask worker"
            )
        with client:
            try:
                client.wait_for_workers(1, timeout=PATIENCE)
            except TimeoutError as error:
                raise CincError(
                    f"the Dask scheduler at {address} has no workers: start some with "
                    f"dask worker {address}"
                ) from error
            yield client


@contextmanager
def _explained(address):
    """Turn the errors of a cluster, which have many classes, into one sentence."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker

    try:
        yield
    except CincError:
        raise
    except KilledWorker as error:
        raise CincError(
            f"the Dask workers at {address} die of a job (the last was {error.last_worker.address})"
            ": look into their logs, and repeat the command to continue"
        ) from error
    except (CancelledError, OSError) as error:  # of connections; those of jobs are above
        raise CincError(
            f"the Dask scheduler at {address} was lost: repeat the command to continue"
        ) from error
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise CincError(
            f"a Dask worker at {address} failed ({reason}): workers need the same environment "
            "as this process"
        ) from error
