"""Conversion of arguments to plain NumPy arrays; what is none gets one sentence of advice.

Nested lists, numbers, memory maps and objects with NumPy's own protocols are converted. Arrays of
other libraries are refused even where NumPy could convert them, since gradients, masks, labels or
devices would be lost without a word. The libraries are recognized by name and never imported.
"""

from numbers import Number
from typing import Any

import numpy as np

from cinc_ref._typing import Array
from cinc_ref._validate import shown
from cinc_ref.errors import DtypeError, ShapeError

__all__ = ["check_library", "plain_array"]

LIBRARIES = {
    "autograd": ("an array that autograd traces", "autograd.tracer.getval({0})"),
    "cupy": ("a CuPy array", "{0}.get()"),
    "dask": ("a dask collection", "{0}.compute()"),
    "jax": ("a JAX array", "numpy.asarray({0})"),
    "jaxlib": ("a JAX array", "numpy.asarray({0})"),
    "mlx": ("an MLX array", "numpy.array({0})"),
    "paddle": ("a Paddle tensor", "{0}.numpy()"),
    "pandas": ("a pandas object", "{0}.to_numpy() and reshape it"),
    "PIL": ("a Pillow image", "numpy.asarray({0}), whose axes are (H, W, C)"),
    "polars": ("a Polars object", "{0}.to_numpy() and reshape it"),
    "pyarrow": ("a PyArrow object", "{0}.to_numpy() and reshape it"),
    "scipy.sparse": ("a sparse matrix", "{0}.toarray() and reshape it"),
    "sparse": ("a sparse array", "{0}.todense()"),
    "tensorflow": ("a TensorFlow tensor", "{0}.numpy()"),
    "torch": ("a torch tensor", "{0}.detach().numpy()"),
    "xarray": ("an xarray object", "{0}.to_numpy()"),
}
"""Name of the arrays of each library, and the expression that makes a plain array of one."""


def plain_array(value: Any, name: str) -> Array:
    """Convert a value to a plain array, or raise an error that says what to do.

    Parameters
    ----------
    value : object
        The argument of a public function.
    name : str
        Its name in errors.

    Returns
    -------
    ndarray
        Of any shape; the value itself if it is a plain array.

    Raises
    ------
    DtypeError
        If the value belongs to another library, has masked entries, or is no array of numbers.
    ShapeError
        If nested lists differ in length.

    Examples
    --------
    >>> plain_array([[1, 2], [3, 4]], "x").shape
    (2, 2)
    >>> plain_array([[1, 2], [3]], "x")
    Traceback (most recent call last):
    cinc_ref.errors.ShapeError: x must be an array: its lists must have equal lengths
    """
    if type(value) is np.ndarray:
        return value
    check_library(value, name)
    try:
        array = np.asarray(value)
    except Exception as error:  # whatever the other side's __array__ raises
        if isinstance(value, list | tuple):
            message = f"{name} must be an array: its lists must have equal lengths"
            raise ShapeError(message) from error
        raise DtypeError(f"{name} must be an array of numbers; got {_class_of(value)}") from error
    is_text = array.dtype.kind in "USTMm"
    if is_text or (array.dtype == object and not array.ndim and not isinstance(value, Number)):
        raise DtypeError(f"{name} must be an array of numbers; got {shown(value)}")
    return array


def check_library(value: Any, name: str) -> None:
    """Refuse arrays of other libraries, also in lists, matrices, and arrays with masked entries.

    Parameters
    ----------
    value : object
        The argument of a public function.
    name : str
        Its name in errors.

    Raises
    ------
    DtypeError
        With the expression that makes a plain array of the value.

    Examples
    --------
    >>> import numpy as np
    >>> check_library(np.ma.masked_less([1.0, 2.0], 1.5), "x")
    Traceback (most recent call last):
    cinc_ref.errors.DtypeError: x must have no masked entries; got 1: give them values with \
x.filled(...)
    """
    if type(value) is np.ndarray:
        return
    entry = _first_entry(value)
    if isinstance(entry, np.ma.MaskedArray) and (masked := np.ma.count_masked(entry)):
        raise DtypeError(
            f"{name} must have no masked entries; got {masked}: "
            f"give them values with {name}.filled(...)"
        )
    if isinstance(entry, np.matrix):
        raise DtypeError(
            f"{name} must be a plain array; got a numpy.matrix, which has two axes only: "
            f"use numpy.asarray({name}) and reshape it"
        )
    library = _library_of(entry)
    if library is not None:
        raise DtypeError(_advice(library, name, entry, entry is not value))


def _first_entry(value):
    """Return what is in a nested list, or the value itself."""
    while isinstance(value, list | tuple) and len(value):
        value = value[0]
    return value


def _library_of(value):
    """Return the key in `LIBRARIES` of an array's library, which may be that of a base class."""
    if not any(hasattr(value, name) for name in ("shape", "__array__", "__array_interface__")):
        return None
    modules = [base.__module__ + "." for base in type(value).__mro__]
    return next(
        (name for name in LIBRARIES for module in modules if module.startswith(name + ".")), None
    )


def _advice(library, name, value, in_list):
    """Write the sentence about a value of a library, the argument itself or an entry of a list."""
    kind, conversion = LIBRARIES[library]
    is_bfloat16 = "bfloat16" in str(getattr(value, "dtype", ""))
    consequence = ""
    if is_bfloat16:
        kind = f"a bfloat16 {kind.split(maxsplit=1)[1]}"
    if library == "torch":
        on_device = getattr(getattr(value, "device", None), "type", "cpu") != "cpu"
        steps = f"{'.cpu()' if on_device else ''}{'.float()' if is_bfloat16 else ''}.numpy()"
        conversion = conversion.replace(".numpy()", steps)
        consequence = ", which leaves the graph of its gradients"
    elif library in ("jax", "jaxlib"):
        library = "jax"
        if is_bfloat16:
            conversion = "numpy.asarray({0}, numpy.float32)"
        if any("Tracer" in base.__name__ for base in type(value).__mro__):
            kind = "a JAX tracer"
            consequence = " outside jax.grad and jax.jit, which cannot look into cinc_ref"
    if library in ("torch", "jax"):
        consequence += f", or the functions of cinc_ref.{library}"
    if in_list:
        kind = f"a list that holds {kind}"
        stack = "autograd.numpy.stack" if library == "autograd" else "numpy.stack"
        entry = "entry" if library == "autograd" else conversion.format("entry")
        conversion = f"{stack}([{entry} for entry in {name}])"
    return f"{name} must be a NumPy array; got {kind}: use {conversion.format(name)}{consequence}"


def _class_of(value):
    return f"an object of the class {type(value).__name__}"
