"""How far a computed inverse can be trusted: its residual, and how many digits it keeps."""

import warnings

import numpy as np

from cinc_ref import _validate
from cinc_ref.errors import IllConditionedWarning
from cinc_ref.theory.conditioning import condition_and_digits
from cinc_ref.theory.substitution import convolve

FEW_DIGITS = 3
WIDER = {"f4": np.float64, "f8": np.longdouble}


def warn_unless_finite(results, y, kernel, geometry, layer="kernel", stacklevel=3):
    """Warn if what was computed from finite images is not finite; costs 2 % of the inverse.

    Parameters
    ----------
    results : tuple of ndarray
        The computed inverse of y, or its gradients.
    y : ndarray, shape (N, C, H, W)
    kernel : ndarray, shape (C, C, kh, kw)
    geometry : Geometry
    layer : str
        What the warning calls the kernel.
    stacklevel : int
        As in `warnings.warn`; 3 is the caller of the caller.
    """
    if not all(map(_validate.all_finite, results)):
        _warn("the result is not finite", y, kernel, geometry, layer, stacklevel)


def warn_unless_trusted(x, y, kernel, geometry, layer="kernel", stacklevel=3):
    """Warn if an inverse is not finite, keeps fewer than three digits, or has a large residual.

    x is the computed inverse of y; the other arguments are those of `warn_unless_finite`. A large
    residual is more than rounding can leave: 10 eps, or eps/2 for every term of a pixel's sum.
    """
    if not _validate.all_finite(x):
        return _warn("the result is not finite", y, kernel, geometry, layer, stacklevel)
    condition, digits = condition_and_digits(kernel, y.shape[2:], geometry, x.dtype)
    residual = elementwise_residual(x, y, kernel, geometry)
    if digits < FEW_DIGITS or not residual <= max(10, kernel[0].size / 2):
        problem = f"the elementwise residual is {residual:.2g} eps"
        _warn(problem, y, kernel, geometry, layer, stacklevel, condition, digits)


def elementwise_residual(x, y, kernel, geometry):
    """max |y - M x| / (|M| |x|) in units of eps of y's dtype, computed in the next wider one.

    Elementwise: the normwise residual hides a small pixel that is wrong. Where |M| |x| is 0 the
    ratio is 0 if y is too, otherwise infinite.
    """
    wider = WIDER[y.dtype.str[1:]]
    eps = np.finfo(y.dtype).eps
    x, y, kernel = (array.astype(wider) for array in (x, y, kernel))
    gap = np.abs(y - convolve(x, kernel, geometry))
    scale = convolve(np.abs(x), np.abs(kernel), geometry)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(gap == 0, 0, gap / scale)
    return float(np.max(ratio, initial=0) / eps)


def _warn(problem, y, kernel, geometry, layer, stacklevel, condition=None, digits=None):
    if condition is None:
        condition, digits = condition_and_digits(kernel, y.shape[2:], geometry, y.dtype)
    height, width = y.shape[2:]
    number = f"{condition:.2g}" if np.isfinite(condition) else "above 1.8e308"
    message = (
        f"the inverse of {layer} on {height}x{width} images keeps about {digits:.1f} digits in "
        f"{y.dtype.name}: its condition number is {number}, and {problem}; "
        "theory.stability explains it"
    )
    warnings.warn(
        IllConditionedWarning(message, layer, condition, digits), stacklevel=stacklevel + 1
    )
