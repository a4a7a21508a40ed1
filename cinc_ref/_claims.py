"""Settings of the whole process, which overlapping blocks of several threads claim together."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

__all__ = ["claimed", "exclusive"]

Value = TypeVar("Value")

exclusive = threading.RLock()
"""Lock of blocks that record or draw with settings of their own: filters of warnings, seeds.

They cannot share a value, so that those of other threads wait; in one thread they nest.
"""

_lock = threading.Lock()
_claims: dict[str, list[Callable[[], object]]] = {}
"""Functions that restore each claimed setting, one for each block that claims it."""


@contextmanager
def claimed(
    name: str, read: Callable[[], Value], write: Callable[[Value], object], value: Value
) -> Iterator[None]:
    """Give a setting a value from the first of overlapping blocks to the last.

    A block that restored what it had found on its own would leave the value of another block for
    ever, or take it from a block that still runs.

    Parameters
    ----------
    name : str
        The setting's name; blocks of the same name share one claim.
    read, write : callable
        Functions that return the setting and change it.
    value : object
        The value in the block, the same for all blocks of this name.

    Examples
    --------
    >>> setting = {"threads": 4}
    >>> with claimed("threads", lambda: setting["threads"], lambda n: setting.update(threads=n), 1):
    ...     setting["threads"]
    1
    >>> setting["threads"]
    4
    """
    with _lock:
        former = read()
        claims = _claims.setdefault(name, [])
        claims.append(lambda: write(former))
        try:
            write(value)
        except BaseException:
            _release(name)
            raise
    try:
        yield
    finally:
        with _lock:
            _release(name)


def _release(name):
    claims = _claims[name]
    if len(claims) == 1:  # the first claim has read the setting before all others
        del _claims[name]
        claims[0]()
    else:
        claims.pop()
