"""How far a computed inverse can be trusted: its residual, and how many digits it keeps."""

import warnings

import numpy as np

from cinc_ref import _validate, theory  # theory's modules load when something is diagnosed
from cinc_ref._autodiff import value_of
from cinc_ref.errors import IllConditionedWarning, SingularKernelError
from cinc_ref.primitives.corner import is_triangular, pivots

MIN_DIGITS = 3
WIDER = {"f4": np.float64, "f8": np.longdouble}


def check_corner_invertible(kernel, anchor):
    """Refuse a kernel whose corner block is singular, exactly or in its precision.

    Rounding can hide an exact zero pivot and can also make one, so floating point only clears the
    clear cases, and the others are decided by exact elimination.
    """
    p, q = anchor
    corner = value_of(kernel)[:, :, p, q]
    if any(is_triangular(corner)):
        zeros = np.flatnonzero(np.diagonal(corner) == 0)
        if len(zeros):
            channel = zeros[0]
            raise SingularKernelError(
                "the corner block must have no zero on its diagonal to be inverted; "
                f"got K_nn = kernel[{channel}, {channel}, {p}, {q}] = 0"
            )
        return
    has_zero_pivot = not pivots(corner).all()
    if has_zero_pivot or np.linalg.cond(corner, 1) * len(corner) > 1 / np.finfo(corner.dtype).eps:
        if theory.exact.matrix_determinant(corner) == 0:
            raise SingularKernelError(
                f"the corner block kernel[:, :, {p}, {q}] must be invertible; "
                "its determinant is exactly 0"
            )
        if has_zero_pivot:
            raise SingularKernelError(
                f"the corner block kernel[:, :, {p}, {q}] must be invertible in {corner.dtype}; "
                "elimination meets a zero pivot although the exact determinant is not 0"
            )


def warn_if_nonfinite(results, y, kernel, geometry, layer="kernel", stacklevel=3):
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


def warn_if_ill_conditioned(x, y, kernel, geometry, layer="kernel", stacklevel=3):
    """Warn if an inverse is not finite, keeps fewer than three digits, or has a large residual.

    x is the computed inverse of y; the other arguments are those of `warn_if_nonfinite`. A large
    residual is more than rounding can leave: 10 eps, or eps/2 for every term of a pixel's sum.
    """
    if not _validate.all_finite(x):
        return _warn("the result is not finite", y, kernel, geometry, layer, stacklevel)
    condition, digits = theory.conditioning.condition_and_digits(
        kernel, y.shape[2:], geometry, x.dtype
    )
    residual = elementwise_residual(x, y, kernel, geometry)
    if digits < MIN_DIGITS or not residual <= max(10, kernel[0].size / 2):
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
    gap = np.abs(y - theory.substitution.convolve(x, kernel, geometry))
    scale = theory.substitution.convolve(np.abs(x), np.abs(kernel), geometry)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(gap == 0, 0, gap / scale)
    return float(np.max(ratio, initial=0) / eps)


def _warn(problem, y, kernel, geometry, layer, stacklevel, condition=None, digits=None):
    if condition is None:
        condition, digits = theory.conditioning.condition_and_digits(
            kernel, y.shape[2:], geometry, y.dtype
        )
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
