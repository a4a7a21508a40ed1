"""The check of parameters: one comparison with the tree that a flow or a layer expects.

Parameters are compared with a `Template`: a tree of the same structure whose leaves have the right
shapes. Public functions check once, where parameters enter; what they call trusts them.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from autograd.tracer import isbox

from cinc_ref import _validate
from cinc_ref._autodiff import unboxed, value_of
from cinc_ref._trees import named_leaves, rebuild
from cinc_ref._typing import Array
from cinc_ref.errors import DtypeError, ParamsError

__all__ = ["Template", "check_leaves", "check_params", "check_same_dtype"]

SMALL = 4096
"""Numbers in an array, up to which joining arrays costs less than looking at each of them."""


@dataclass(frozen=True)
class Template:
    """The structure of parameters and the shape of each leaf.

    Attributes
    ----------
    tree : tree of ndarray
        Arrays of the right shapes, which take no memory: all entries are one zero.
    """

    tree: Any

    def __repr__(self) -> str:
        count = sum(leaf.size for leaf in named_leaves(self.tree).values())
        return f"Template({len(self.shapes)} arrays of {count:,} numbers)"

    @classmethod
    def of(cls, params: Any) -> "Template":
        """Return the template of a tree of arrays."""
        shapes = (np.shape(value_of(leaf)) for leaf in named_leaves(params).values())
        return cls(rebuild(params, (np.broadcast_to(0.0, shape) for shape in shapes)))

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each leaf by its name, in order."""
        return {name: leaf.shape for name, leaf in named_leaves(self.tree).items()}

    @cached_property
    def _shape_list(self):
        return list(self.shapes.values())

    @cached_property
    def _small_and_large(self):
        """Indices of the leaves of at most `SMALL` numbers, and of the others."""
        small, large = [], []
        for k, leaf in enumerate(named_leaves(self.tree).values()):
            (small if leaf.size <= SMALL else large).append(k)
        return small, large


def check_params(
    params: Any, template: Template, expectation: Callable[[], str]
) -> np.dtype[Any] | None:
    """Refuse parameters that do not fit a template, are no floats of one dtype, or not finite.

    Parameters
    ----------
    params : tree of ndarray
        What a caller passed; autograd boxes are allowed in the place of containers and arrays.
    template : Template
    expectation : callable
        Returns the beginning of the message.

    Returns
    -------
    dtype or None
        The dtype of all leaves; None if there are no parameters.

    Raises
    ------
    ParamsError
        The message names the first leaf that does not fit.

    Examples
    --------
    >>> template = Template.of({"bias": np.zeros(2)})
    >>> check_params({"bias": np.ones(2)}, template, lambda: "params must fit the layer")
    dtype('float64')
    >>> check_params({"bias": np.ones(3)}, template, lambda: "params must fit the layer")
    Traceback (most recent call last):
    cinc_ref.errors.ParamsError: params must fit the layer: bias must have shape (2,); got (3,)
    """
    leaves = []
    problem = _collect(template.tree, params, (), leaves)
    if problem is None:
        plain = set(map(type, leaves)) <= {np.ndarray}
        arrays = leaves if plain else list(map(_array, leaves))
        if _fits(arrays, template):
            return arrays[0].dtype.newbyteorder("=") if arrays else None
        problem = _first_problem(leaves, arrays, template.shapes)
    raise ParamsError(f"{expectation()}: {problem}")


def check_same_dtype(array: Array, name: str, dtype: np.dtype[Any] | None) -> None:
    """Refuse images or latents unless they have the dtype of the parameters, if there are any."""
    if dtype is not None and array.dtype.char != dtype.char:  # the same in either byte order
        _validate.check_float(array, name)
        raise DtypeError(
            f"{name} and the parameters must have the same dtype; got {array.dtype} and {dtype}: "
            f"use {name}.astype({dtype.name!r})"
        )


def check_leaves(params: Any) -> np.dtype[Any] | None:
    """Refuse parameters of any structure unless their leaves are finite floats of one dtype.

    Parameters
    ----------
    params : tree of ndarray

    Returns
    -------
    dtype or None
        As `check_params` returns it.

    Raises
    ------
    ParamsError
        If params is no tree, or for the first leaf that is no such array.
    """
    value = unboxed(params)
    if not isinstance(value, dict | list | tuple):
        raise ParamsError(
            "params must be a tree of dicts, lists and tuples with arrays at its leaves; "
            f"got {_validate.shown(value)}"
        )
    leaves = {name: unboxed(leaf) for name, leaf in named_leaves(value).items()}
    for name, leaf in leaves.items():
        if not isinstance(leaf, np.ndarray | np.floating):
            raise ParamsError(f"params must be arrays: {name} must be an array; got {_shown(leaf)}")
    return check_params(value, Template.of(value), lambda: "params must be finite floats")


def _collect(expected, actual, path, leaves):
    """Append the leaves in order, or return a sentence about the first wrong container."""
    if type(actual) is not type(expected):
        actual = unboxed(actual)
        if not isinstance(actual, dict if isinstance(expected, dict) else list | tuple):
            return f"{_name(path)} must be {_shown(expected)}; got {_shown(actual)}"
    if isinstance(expected, dict):
        if actual.keys() != expected.keys():
            return _difference(expected, actual, path)
        items = expected.items()
    else:
        if len(actual) != len(expected):
            return _difference(dict(enumerate(expected)), dict(enumerate(actual)), path)
        items = enumerate(expected)
    for key, branch in items:
        if type(branch) is np.ndarray:
            leaves.append(actual[key])
        elif problem := _collect(branch, actual[key], (*path, key), leaves):
            return problem
    return None


def _difference(expected, actual, path):
    """Describe the first entry that is missing or unknown, by the name of its first leaf."""
    for key, branch in expected.items():
        if key not in actual:
            inner = named_leaves({_name((*path, key)): branch})
            name, leaf = next(iter(inner.items()), (_name((*path, key)), None))
            of_shape = "" if leaf is None else f" {leaf.shape}"
            return f"{name}{of_shape} is missing"
    unknown = next(key for key in actual if key not in expected)
    inner = named_leaves({_name((*path, unknown)): unboxed(actual[unknown])})
    return f"{next(iter(inner), _name((*path, unknown)))} is unknown"


def _fits(arrays, template):
    """Return whether all arrays are right; the common case, made of few quick operations."""
    if not arrays:
        return True
    if set(map(type, arrays)) != {np.ndarray}:
        return False
    if {a.dtype.char for a in arrays} not in ({"f"}, {"d"}):
        return False
    if [a.shape for a in arrays] != template._shape_list:
        return False
    small, large = template._small_and_large
    joined = [np.concatenate([arrays[k] for k in small], axis=None)] if small else []
    return all(map(_validate.all_finite, [*joined, *(arrays[k] for k in large)]))


def _first_problem(leaves, arrays, shapes):
    """Describe the first leaf that does not fit, by its name."""
    for leaf, array, (name, shape) in zip(leaves, arrays, shapes.items(), strict=True):
        if type(array) is not np.ndarray:
            return f"{name} must be an array of shape {shape}; got {_shown(leaf)}"
        if array.dtype.char not in "fd":
            return f"{name} must be float32 or float64; got {array.dtype}"
        if array.shape != shape:
            return f"{name} must have shape {shape}; got {array.shape}"
        if not _validate.all_finite(array):
            index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            return f"{name} must be finite; got {array[index]} at index {index}"
    dtypes = {name: array.dtype.name for name, array in zip(shapes, arrays, strict=True)}
    common = Counter(dtypes.values()).most_common(1)[0][0]
    odd = next(name for name, dtype in dtypes.items() if dtype != common)
    usual = next(name for name, dtype in dtypes.items() if dtype == common)
    return f"{odd} must have the dtype of {usual}, {common}; got {dtypes[odd]}"


def _array(leaf):
    """Return a leaf as a plain array where it is an array or a float, else as it is."""
    value = value_of(leaf) if isbox(leaf) else leaf
    if isinstance(value, np.memmap | np.floating) or type(value) is float:
        return np.asarray(value)
    return value


def _name(path: Iterable[Any]):
    return "/".join(map(str, path)) or "the tree"


def _shown(value):
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, dict):
        return f"a dict with {', '.join(map(str, value))}" if value else "an empty dict"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    return _validate.shown(value)
