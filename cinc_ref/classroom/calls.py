"""`call`, which runs a student's function and returns its results, or a sentence on why not."""

import inspect
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from cinc_ref._display import short_repr
from cinc_ref._typing import Array
from cinc_ref.classroom.task import Signature
from cinc_ref.testing.failure import to_numpy

__all__ = ["Outcome", "call"]

MAX_LINE = 80
"""The largest number of characters that is quoted of a student's line."""


class Outcome(NamedTuple):
    """The results of a call, or a complaint in words if there are none."""

    results: tuple[Array, ...] | None
    complaint: str | None
    final: bool = False  # whether the complaint stands whatever the results are

    __repr__ = short_repr


def call(function: Callable[..., Any], signature: Signature, arguments: tuple[Any, ...]) -> Outcome:
    """Call a function with copies of the arguments and look at what it does and returns."""
    complaint = _wrong_arity(function, signature, arguments)
    if complaint:
        return Outcome(None, complaint, final=True)
    copies = tuple(a.copy() if isinstance(a, np.ndarray) else a for a in arguments)
    try:
        with np.errstate(all="ignore"):
            value = function(*copies)
    except NotImplementedError:
        return Outcome(None, f"{signature.name} is not written yet.", final=True)
    except Exception as error:
        return Outcome(None, _crash(error, function, signature, copies))
    for name, copy, argument in zip(signature.arguments, copies, arguments, strict=True):
        if isinstance(argument, np.ndarray) and not np.array_equal(copy, argument):
            words = f"{signature.name} changes its argument {name} in place: whoever calls it "
            return Outcome(None, f"{words}loses {name}. Work on a copy or a new array.", final=True)
    return _results(value, signature)


def _wrong_arity(function, signature, arguments):
    try:
        inspect.signature(function).bind(*arguments)
    except ValueError:  # builtin functions may have no signature
        return None
    except TypeError:
        call = f"{signature.name}({', '.join(signature.arguments)})"
        return f"The function must take the arguments {call}, in this order."
    return None


def _crash(error, function, signature, arguments):
    """Say what was raised, and where in the student's file."""
    shapes = ", ".join(
        f"{name} of shape {a.shape}"
        for name, a in zip(signature.arguments, arguments, strict=True)
        if isinstance(a, np.ndarray)
    )
    words = f"{signature.name} raises {type(error).__name__}: {error}"
    code = getattr(inspect.unwrap(function), "__code__", None)
    lines = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if code is not None and frame.filename == code.co_filename
    ]
    if lines:
        words += f", in line {lines[-1].lineno}"
        line = lines[-1].line or ""
        line = line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]} ..."
        words += f", `{line}`" if line else ""
    return f"{words}. It was called with {shapes}." if shapes else f"{words}."


def _results(value, signature):
    """Return the results as arrays, or a complaint on their number or kind."""
    names, name = signature.results, signature.name
    wanted = f"({', '.join(names)})" if len(names) > 1 else names[0]
    if value is None:
        words = f"{name} returns None: its last line should return {wanted}."
        return Outcome(None, words, final=True)
    if len(names) == 1:
        if isinstance(value, tuple):
            return Outcome(None, f"{name} returns {len(value)} values, where {wanted} is expected.")
        value = (value,)
    elif not isinstance(value, tuple | list) or len(value) != len(names):
        got = f"{len(value)} values" if isinstance(value, tuple | list) else "one value"
        return Outcome(None, f"{name} returns {got}, where {wanted} are expected.")
    arrays = []
    for part, result in zip(value, names, strict=True):
        part = part.toarray() if hasattr(part, "toarray") else part  # a sparse matrix
        try:
            array = np.array(to_numpy(part))
        except ValueError:
            array = np.array(None)
        if array.dtype.kind not in "fiu":
            got = f"dtype {array.dtype}" if isinstance(part, np.ndarray) else type(part).__name__
            words = f"{result} must be an array of real numbers; got {got}."
            return Outcome(None, words)
        arrays.append(array)
    return Outcome(tuple(arrays), None)
