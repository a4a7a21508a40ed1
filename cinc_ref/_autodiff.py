"""Values inside the boxes with which autograd traces a function."""

import numpy as np
from autograd.tracer import getval, isbox


def value_of(array):
    """The NumPy value inside however many autograd boxes."""
    if type(array) is np.ndarray:
        return array
    while isbox(array):
        array = getval(array)
    return np.asarray(array)


def unboxed(tree):
    """The tree inside autograd boxes, read without a trace; what is inside it may be boxed."""
    while isbox(tree):
        tree = getval(tree)
    return tree


def as_array(value):
    """Convert anything array-like to an array; a box stays as it is."""
    return value if isbox(value) else np.asarray(value)
