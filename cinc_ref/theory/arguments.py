"""Validation of what the functions of theory take: kernels and images of exact or real numbers."""

from math import lcm
from numbers import Rational
from typing import Any

import numpy as np

from cinc_ref import _validate
from cinc_ref._arrays import plain_array
from cinc_ref._typing import RealArray
from cinc_ref.errors import DtypeError, NonFiniteError
from cinc_ref.geometry import Geometry, check_geometry

__all__ = ["as_exact_array", "check_common_denominator", "check_kernel"]

BITS = 2**15
"""The largest numerator or denominator of a number, in bits, that is taken."""


COMMON_BITS = 2**16
"""The longest common denominator of a kernel, in bits times channels: decided in two seconds."""


def check_kernel(
    kernel: Any, corner: Any = "top-left", dilation: Any = 1, anchor: Any = None
) -> tuple[RealArray, Geometry]:
    """Return a kernel as an array and its options as a `Geometry`, or raise what is wrong.

    Raises
    ------
    ShapeError, DtypeError, NonFiniteError, OptionError
        If the kernel is not of shape (C, C, kh, kw), does not hold finite real numbers, or an
        option is not as `cinc_ref.conv` takes it.
    """
    kernel = _as_array(kernel, "kernel")
    _validate.check_kernel_shape(kernel)
    _check_kind(kernel, "kernel")
    geometry = check_geometry(kernel, corner, dilation, anchor)
    _validate.check_finite(kernel, "kernel")
    return kernel, geometry


def as_exact_array(values: Any, name: str) -> RealArray:
    """Return values as an array of finite integers, Fractions or floats, or raise an error."""
    values = _as_array(values, name)
    _check_kind(values, name)
    _validate.check_finite(values, name)
    return values


def check_common_denominator(kernel: RealArray) -> None:
    """Refuse a kernel whose entries have no common denominator of a length fit for `stability`."""
    if kernel.dtype.kind in "iu":
        return
    most = COMMON_BITS // len(kernel)
    scale = 1
    for number in kernel.ravel().tolist():
        is_rational = isinstance(number, Rational)
        denominator = number.denominator if is_rational else number.as_integer_ratio()[1]
        scale = lcm(scale, int(denominator))
        if scale.bit_length() > most:
            raise DtypeError(
                f"kernel must hold numbers with a common denominator of at most {most} bits "
                f"for {len(kernel)} channels; round them to floats"
            )


def _as_array(values, name):
    values = plain_array(values, name)
    if values.dtype == object and any(isinstance(value, np.generic) for value in values.flat):
        plain = np.empty(values.size, dtype=object)
        plain[:] = [
            value.item() if isinstance(value, np.generic) else value for value in values.flat
        ]
        return plain.reshape(values.shape)
    return values


def _check_kind(values, name):
    _validate.check_exact_or_float(values, name)
    if values.dtype == object:
        for index, value in np.ndenumerate(values):
            _check_number(value, name, index)


def _check_number(value, name, index):
    """Refuse an entry of an array of objects that is no finite real number of a usable length."""
    if not isinstance(value, Rational | float | np.floating) or isinstance(value, bool):
        raise DtypeError(
            f"{name} must hold integers, Fractions or floats; got {_validate.shown(value)}, "
            f"a {type(value).__name__}, at index {index}"
        )
    if not isinstance(value, Rational):
        if not np.isfinite(value):
            raise NonFiniteError(f"{name} must be finite; got {value} at index {index}")
        return
    bits = max(int(value.numerator).bit_length(), int(value.denominator).bit_length())
    if bits > BITS:
        raise DtypeError(
            f"{name} must hold numbers of at most {BITS} bits; got one of {bits} at index {index}"
        )
