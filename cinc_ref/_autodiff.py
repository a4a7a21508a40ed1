"""Values inside the boxes with which autograd traces a function."""

from typing import Any

import numpy as np
from autograd.tracer import getval, isbox

from cinc_ref._arrays import plain_array
from cinc_ref._typing import Array

__all__ = ["as_array", "unboxed", "value_of"]


def value_of(array: Any) -> Array:
    """The NumPy value inside however many autograd boxes."""
    if type(array) is np.ndarray:
        return array
    while isbox(array):
        array = getval(array)
    return np.asarray(array)


def as_array(value: Any, name: str) -> Any:
    """Convert an argument to a plain array, or raise an error that names it; a box stays."""
    return value if isbox(value) else plain_array(value, name)


def unboxed(tree: Any) -> Any:
    """Return the tree inside autograd boxes, read without a trace; its leaves may be boxed."""
    while isbox(tree):
        tree = getval(tree)
    return tree
