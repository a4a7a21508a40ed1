"""Validation of what the functions of theory take: kernels and images of exact or real numbers."""

import numpy as np

from cinc_ref import _validate
from cinc_ref.geometry import check_geometry


def check_kernel(kernel, corner="top-left", dilation=1, anchor=None):
    """Return a kernel as an array and its options as a `Geometry`, or raise what is wrong.

    Raises
    ------
    ShapeError, DtypeError, NonFiniteError, OptionError
        If the kernel is not of shape (C, C, kh, kw), does not hold finite real numbers, or an
        option is not as `cinc_ref.conv` takes it.
    """
    kernel = np.asarray(kernel)
    _validate.check_kernel_shape(kernel)
    _validate.check_exact_or_float(kernel, "kernel")
    geometry = check_geometry(kernel, corner, dilation, anchor)
    _validate.check_finite(kernel, "kernel")
    return kernel, geometry


def as_exact_array(values, name):
    """Return values as an array of finite integers, Fractions or floats, or raise an error."""
    values = np.asarray(values)
    _validate.check_exact_or_float(values, name)
    _validate.check_finite(values, name)
    return values
