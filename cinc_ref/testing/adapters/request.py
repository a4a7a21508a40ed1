"""The request to an adapter: an object, a batch, and the context of conditional layers."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.testing.frameworks import NumPy

__all__ = ["Request", "name_of", "rows", "with_context"]


class Request(NamedTuple):
    """The object, the batch for which it is adapted, and the context of one entry, if any."""

    obj: Any
    x: Array
    context: Any
    like: Any  # an array of the user's library, or None


def name_of(obj: Any) -> str:
    """Return the name of a function or class, or that of the class of an object."""
    return getattr(obj, "__name__", None) or type(obj).__name__


def rows(framework: NumPy, context: Any, x: Any) -> Any:
    """Repeat the context of one entry for every entry of a batch."""
    row = framework.to_numpy(context)[:1]
    return framework.array(np.repeat(row, len(x), axis=0))


def with_context(
    request: Request, framework: NumPy, function: Callable[..., Any]
) -> Callable[..., Any]:
    """Return a function of a batch that passes the context on, if there is one."""
    if request.context is None:
        return function
    return lambda x: function(x, rows(framework, request.context, x))
