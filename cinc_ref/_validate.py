"""Validation of arguments at the public edge; every message names expected and got.

`integer`, `number`, `boolean`, `one_of` and `instance` check one option and return it as a plain
Python value. The checks of arrays look at plain NumPy values and touch nothing.
"""

import operator
import os
import reprlib
from collections.abc import Iterable
from functools import cache
from math import inf, isfinite
from numbers import Real
from typing import Any, TypeVar

import numpy as np

from cinc_ref._typing import Array, Seed, Size
from cinc_ref.errors import DtypeError, NonFiniteError, OptionError, ShapeError

__all__ = [
    "all_finite",
    "boolean",
    "channels_last_advice",
    "check_batch_shape",
    "check_exact_or_float",
    "check_finite",
    "check_float",
    "check_images_shape",
    "check_kernel_shape",
    "check_memory",
    "check_same_dtype",
    "check_same_shape",
    "check_size",
    "generator",
    "instance",
    "integer",
    "integers",
    "is_integer",
    "memory",
    "number",
    "one_of",
    "shown",
]

Kind = TypeVar("Kind")

BOOLEANS = (bool, np.bool_)
"""The classes of truth values, as a tuple, because torch.compile of PyTorch 2.6 knows no unions."""


def is_integer(value: Any) -> bool:
    """Return whether a value has ``__index__`` and is no truth value."""
    if isinstance(value, BOOLEANS):
        return False
    try:
        operator.index(value)
    except TypeError:
        return False
    return True


def integer(name: str, value: Any, minimum: int | None = None) -> int:
    """Return an option as an int, or raise `OptionError` if it is none or below the minimum."""
    if not is_integer(value) or (minimum is not None and operator.index(value) < minimum):
        least = "" if minimum is None else f" >= {minimum}"
        raise OptionError(f"{name} must be an integer{least}; got {shown(value)}")
    return operator.index(value)


def integers(values: object, count: int, minimum: int) -> tuple[int, ...] | None:
    """Return `count` integers >= minimum as a tuple, or None if the values are anything else."""
    is_array = isinstance(values, np.ndarray) and values.ndim == 1
    values = tuple(values) if is_array or isinstance(values, (tuple, list)) else ()
    if len(values) != count or not all(is_integer(v) and v >= minimum for v in values):
        return None
    return tuple(map(operator.index, values))


def number(
    name: str,
    value: Any,
    *,
    minimum: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> float:
    """Return an option as a float, or raise `OptionError` if it is not a finite real in range."""
    bounds = ((minimum, ">=", operator.ge), (above, ">", operator.gt), (below, "<", operator.lt))
    bounds = [bound for bound in bounds if bound[0] is not None]
    is_number = isinstance(value, Real) and not isinstance(value, BOOLEANS)
    if not (is_number and _is_finite(value) and all(holds(value, b) for b, _, holds in bounds)):
        range_ = " and ".join(f"{sign} {bound:g}" for bound, sign, _ in bounds)
        raise OptionError(f"{name} must be a number {range_}".rstrip() + f"; got {shown(value)}")
    return float(value)


def _is_finite(value):
    try:
        return isfinite(value)
    except OverflowError:  # an integer or Fraction that no float holds
        return False


def boolean(name: str, value: object) -> bool:
    """Return an option as a bool, or raise `OptionError` if it is no truth value."""
    if not isinstance(value, BOOLEANS):
        raise OptionError(f"{name} must be True or False; got {shown(value)}")
    return bool(value)


def one_of(name: str, value: object, choices: Iterable[str]) -> str:
    """Return the choice that a string names, or raise `OptionError` with the list of choices."""
    choices = list(choices)
    if not (isinstance(value, str) and value in choices):
        raise OptionError(f"{name} must be one of {', '.join(choices)}; got {shown(value)}")
    return choices[choices.index(value)]  # a plain string, also of an Enum's member


def instance(name: str, value: object, kind: type[Kind], description: str) -> Kind:
    """Return a value of a class, or raise `OptionError` that describes what was expected."""
    if not isinstance(value, kind):
        raise OptionError(f"{name} must be {description}; got {shown(value)}")
    return value


def generator(name: str, value: Seed) -> np.random.Generator:
    """Return a random generator from a seed or a generator, by SPEC 7, or raise `OptionError`."""
    if isinstance(value, np.random.RandomState):
        raise OptionError(
            f"{name} must be a seed or a numpy.random.Generator; got a RandomState: "
            "pass an integer, or numpy.random.default_rng(integer)"
        )
    try:
        return np.random.default_rng(value)
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"{name} must be an integer >= 0, a numpy.random.Generator or None; got {shown(value)}"
        ) from error


@cache
def memory() -> float:
    """Return the bytes of memory of the machine; infinite where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return inf


def check_memory(name: str, value: object, needed: int, advice: str) -> None:
    """Refuse an option whose arrays need more bytes than the machine has, before they are made.

    Parameters
    ----------
    name, value
        The option, or several with commas between, and what was given.
    needed : int
        Bytes that the arrays need at least.
    advice : str
        What to do instead.
    """
    if needed > memory():
        need, there_is = (min(number, 10**300) / 2**30 for number in (needed, memory()))
        raise OptionError(
            f"{name} must leave arrays that fit into memory, {there_is:.4g} GiB; "
            f"got {shown(value)}, which takes {need:.4g} GiB: {advice}"
        )


def shown(value: object) -> str:
    """Show a wrong value in an error, in one short piece."""
    if isinstance(value, np.ndarray) and value.size > 8:
        return f"an array of shape {value.shape}"
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    return " ".join(reprlib.repr(value).split())


def check_float(array: Array, name: str) -> None:
    """Refuse anything but float32 and float64, in either byte order."""
    if array.dtype.char not in "fd":
        advice = _conversion(array.dtype, name)
        raise DtypeError(f"{name} must be float32 or float64; got {array.dtype}: {advice}")


def _conversion(dtype, name):
    """Return the advice for an array of another dtype than float32 and float64."""
    if dtype in (np.uint8, np.uint16) and name != "kernel":
        return (
            "make floats of grey levels with cinc_ref.flows.dequantize, "
            f"or with .astype(numpy.float32) / {np.iinfo(dtype).max}"
        )
    if dtype.kind == "c":
        return "use its .real or .imag"
    wider = "float32" if dtype.itemsize <= 2 else "float64"
    return f"convert it with numpy.asarray(..., numpy.{wider})"


def check_exact_or_float(array: Array, name: str) -> None:
    """Refuse all but real numbers; Python integers and Fractions come as objects."""
    if array.dtype.kind not in "iufO":
        raise DtypeError(f"{name} must hold real numbers; got {array.dtype}")


def check_same_dtype(first: Array, first_name: str, second: Array, second_name: str) -> None:
    """Refuse two arrays unless they are floats of one dtype."""
    if first.dtype.char != second.dtype.char:  # the same in either byte order
        check_float(first, first_name)
        raise DtypeError(
            f"{first_name} and {second_name} must have the same dtype; "
            f"got {first.dtype} and {second.dtype}: use {first_name}.astype({second.dtype.name!r})"
        )


def check_same_shape(array: Array, name: str, other: Array, other_name: str) -> None:
    """Refuse an array whose shape is not that of another."""
    if array.shape != other.shape:
        raise ShapeError(
            f"{name} must have the shape of {other_name}, {other.shape}; got {array.shape}"
        )


def all_finite(array: Array) -> bool:
    """Return whether no float is NaN or infinity; a finite sum of squares shows it quickly."""
    numbers = array.ravel(order="K")
    squares = np.vdot(numbers, numbers)  # np.dot would warn of overflow
    return isfinite(squares) or bool(np.isfinite(array).all())


def check_finite(array: Array, name: str) -> None:
    """Refuse NaN and infinity, naming the first index that holds one."""
    if array.dtype.kind == "f" and not all_finite(array):
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise NonFiniteError(f"{name} must be finite; got {array[index]} at index {index}")


def check_kernel_shape(kernel: Array) -> None:
    """Refuse a kernel that is not of shape (C, C, kh, kw)."""
    shape = tuple(kernel.shape)
    if len(shape) != 4 or shape[0] != shape[1] or 0 in shape:
        is_hwio = len(shape) == 4 and shape[2] == shape[3] > max(shape[:2])
        advice = f": if it {HWIO}" if is_hwio else ""
        raise ShapeError(f"kernel must have shape (C, C, kh, kw); got {shape}{advice}")


HWIO = "has the axes (kh, kw, in, out), use kernel.transpose(3, 2, 0, 1)"
"""Advice for a kernel in the order of TensorFlow and JAX."""


def check_batch_shape(x: Array, name: str) -> None:
    """Refuse images that are not of shape (N, C, H, W) with at least one pixel."""
    shape = tuple(x.shape)
    if len(shape) != 4 or 0 in shape[1:]:
        advice = f": use {name}[None] if it is one image (C, H, W)" if len(shape) == 3 else ""
        raise ShapeError(
            f"{name} must have shape (N, C, H, W) with C, H, W >= 1; got {shape}{advice}"
        )


def check_images_shape(x: Array, kernel: Array, name: str) -> None:
    """Refuse images that are not of shape (N, C, H, W), with the channels of a valid kernel."""
    check_batch_shape(x, name)
    channels, shape = len(kernel), tuple(x.shape)
    if shape[1] != channels:
        advice = channels_last_advice(shape, channels, name)
        if not advice and kernel.shape[2] == kernel.shape[3] in (shape[1], shape[3]):
            advice = f": if the kernel of shape {tuple(kernel.shape)} {HWIO}"
        raise ShapeError(
            f"{name} must have the kernel's {channels} channels; got shape {shape}{advice}"
        )


def channels_last_advice(shape: tuple[int, ...], channels: int, name: str) -> str:
    """Return what to do with images (N, H, W, C) of these channels; nothing for other images."""
    if len(shape) != 4 or shape[3] != channels:
        return ""
    return f", which looks like (N, H, W, C): use cinc_ref.interop.nhwc_to_nchw({name})"


def check_size(size: Size) -> tuple[int, int]:
    """Return the image size (H, W) as two positive integers."""
    values = integers(size, 2, minimum=1)
    if values is None:
        advice = ": use shape[2:] if it is the shape of images" if integers(size, 4, 0) else ""
        raise ShapeError(f"size must be (H, W), two integers >= 1; got {shown(size)}{advice}")
    return values
