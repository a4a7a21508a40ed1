"""Diagnostics of a computed inverse: its residual, and the digits that it keeps."""

import warnings
from collections.abc import Sequence

import numpy as np

from cinc_ref import _validate, theory
from cinc_ref._autodiff import value_of
from cinc_ref._typing import FloatArray
from cinc_ref.errors import IllConditionedWarning, SingularKernelError
from cinc_ref.geometry import Geometry
from cinc_ref.primitives.causal import causal_conv, causal_solve
from cinc_ref.primitives.corner import is_triangular, pivots

__all__ = [
    "MIN_DIGITS",
    "check_corner_invertible",
    "warn_if_ill_conditioned",
    "warn_if_nonfinite",
    "warn_of_overflow",
]

MIN_DIGITS = 3
"""Decimal digits that a usable inverse keeps."""


def check_corner_invertible(kernel: FloatArray, anchor: tuple[int, int]) -> None:
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
    if np.linalg.cond(corner, 1) * len(corner) <= 1 / np.finfo(corner.dtype).eps:
        return
    if theory.exact.matrix_determinant(corner) == 0:
        raise SingularKernelError(
            f"the corner block kernel[:, :, {p}, {q}] must be invertible; "
            "its determinant is exactly 0"
        )
    if not pivots(corner).all():
        raise SingularKernelError(
            f"the corner block kernel[:, :, {p}, {q}] must be invertible in {corner.dtype}; "
            "elimination meets a zero pivot although the exact determinant is not 0"
        )


def warn_of_overflow(results: Sequence[FloatArray], stacklevel: int = 3) -> None:
    """Warn if a convolution of finite numbers, or a gradient of it, is not finite.

    Parameters
    ----------
    results : tuple of ndarray
    stacklevel : int
        As in `warnings.warn`; 3 is the caller of the caller.
    """
    for result in results:
        if not _validate.all_finite(result):
            index = tuple(int(i) for i in np.argwhere(~np.isfinite(result))[0])
            message = (
                f"the convolution overflows {result.dtype.name} at index {index}, although images "
                "and kernel are finite; scale them down"
            )
            warnings.warn(message, RuntimeWarning, stacklevel=stacklevel)


def warn_if_nonfinite(
    results: Sequence[FloatArray],
    y: FloatArray,
    kernel: FloatArray,
    geometry: Geometry,
    layer: str = "kernel",
    stacklevel: int = 3,
) -> None:
    """Warn if a result for finite images is not finite; costs 2 % of the inverse.

    Parameters
    ----------
    results : tuple of ndarray
        The computed inverse of y, or its gradients.
    y : ndarray, shape (N, C, H, W)
    kernel : ndarray, shape (C, C, kh, kw)
    geometry : Geometry
    layer : str
        The name that the warning gives the kernel.
    stacklevel : int
        As in `warnings.warn`; 3 is the caller of the caller.
    """
    if not all(map(_validate.all_finite, results)):
        _warn("the result is not finite", 0.0, y, kernel, geometry, layer, stacklevel)


def warn_if_ill_conditioned(
    x: FloatArray,
    y: FloatArray,
    kernel: FloatArray,
    geometry: Geometry,
    layer: str = "kernel",
    stacklevel: int = 3,
) -> None:
    """Warn if an inverse is not finite, keeps fewer than three digits, or has a large residual.

    x is the computed inverse of y; the other arguments are those of `warn_if_nonfinite`. A residual
    is large if rounding cannot explain it (`cinc_ref.theory.trust`).
    """
    if not _validate.all_finite(x):
        return _warn("the result is not finite", 0.0, y, kernel, geometry, layer, stacklevel)
    assessment = theory.trust.assess(x, y, kernel, geometry, causal_conv, causal_solve)
    if not assessment.is_usable:
        problem = f"the elementwise residual is {assessment.residual:.2g} eps"
        _warn(problem, assessment.digits, y, kernel, geometry, layer, stacklevel)


def _warn(problem, digits, y, kernel, geometry, layer, stacklevel):
    height, width = y.shape[2:]
    condition, is_exact = theory.trust.condition_in_time(kernel, (height, width), geometry)
    number = f"{condition:.2g}" if np.isfinite(condition) else "above 1.8e308"
    if not is_exact and np.isfinite(condition):
        number = f"at least {number}"
    message = (
        f"the inverse of {layer} on {height}x{width} images keeps about {digits:.1f} digits in "
        f"{y.dtype.name}: its condition number is {number}, and {problem}; "
        "theory.stability explains it"
    )
    warnings.warn(
        IllConditionedWarning(message, layer, condition, digits), stacklevel=stacklevel + 1
    )
