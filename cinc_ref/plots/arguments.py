"""Checks of the arguments that several pictures take."""

import numpy as np

from cinc_ref import _validate
from cinc_ref._arrays import plain_array
from cinc_ref._typing import Array, RealArrayLike
from cinc_ref.errors import DtypeError, OptionError

__all__ = ["check_numbers", "check_strings"]


def check_numbers(values: RealArrayLike, name: str = "images") -> Array:
    """Return values to be drawn as an array of integers or floats."""
    array = plain_array(values, name)
    if array.dtype.kind not in "biuf":
        raise DtypeError(f"{name} must hold real numbers; got {array.dtype}")
    return array


def check_strings(name: str, values: object) -> list[str]:
    """Return a sequence of strings as a list."""
    strings = list(values) if np.iterable(values) else None
    if strings is None or not all(isinstance(string, str) for string in strings):
        raise OptionError(f"{name} must be a sequence of strings; got {_validate.shown(values)}")
    return strings
