"""The five operations that are closed under differentiation, for arrays that autograd traces.

M is the matrix of the causal convolution. The derivatives are those of `derivatives`. Arguments are
trusted; the functions for users are in `cinc_ref.convolution`.
"""

import sys
from collections.abc import Callable

from autograd.extend import primitive

from cinc_ref._typing import FloatArray
from cinc_ref.geometry import Geometry
from cinc_ref.kernels.causal.plan import (
    CONV,
    CONV_TRANSPOSE,
    SOLVE,
    SOLVE_TRANSPOSE,
    ConvPlan,
    make_plan,
    run,
)
from cinc_ref.kernels.causal.weight_gradient import conv_weight_grad
from cinc_ref.primitives.derivatives import register
from cinc_ref.primitives.memory_order import as_native_contiguous

__all__ = [
    "OPERATIONS",
    "causal_conv",
    "causal_conv_transpose",
    "causal_conv_weight_grad",
    "causal_solve",
    "causal_solve_transpose",
    "has_kernel_layout",
    "kernel_arguments",
    "plan_for",
]


def has_kernel_layout(images: FloatArray) -> bool:
    """Return whether images are contiguous as (N, C, H, W) or (C, H, W, N), in native order."""
    in_order = images.flags.carray or images.transpose(1, 2, 3, 0).flags.carray
    return in_order and images.dtype.isnative


def to_kernel_layout(images: FloatArray) -> FloatArray:
    """Return images as the kernels take them."""
    return images if has_kernel_layout(images) else as_native_contiguous(images, images.dtype)


def plan_for(
    operation: tuple[bool, bool],
    images: FloatArray,
    kernel_shape: tuple[int, ...],
    geometry: Geometry,
) -> ConvPlan:
    """Return the plan of an operation on images of this shape, memory order and dtype."""
    batch_first = images.flags.c_contiguous
    return make_plan(
        operation, kernel_shape, images.shape, batch_first, images.itemsize, _for_kernels(geometry)
    )


def _for_kernels(geometry):
    return geometry.dilation, geometry.anchor, geometry.flips


def kernel_arguments(
    operation: tuple[bool, bool], images: FloatArray, kernel: FloatArray, geometry: Geometry
) -> tuple[ConvPlan, FloatArray, FloatArray]:
    """Return the plan of an operation on plain arrays, and the arrays as the kernels take them.

    The result lies in memory as these images do, batch last or batch first.
    """
    # gradients may come in another dtype than the kernel's
    kernel = as_native_contiguous(kernel, images.dtype)
    images = to_kernel_layout(images)
    return plan_for(operation, images, kernel.shape, geometry), images, kernel


@primitive
def causal_conv(x: FloatArray, kernel: FloatArray, geometry: Geometry) -> FloatArray:
    """Return M x."""
    return run(*kernel_arguments(CONV, x, kernel, geometry))[0]


@primitive
def causal_conv_transpose(g: FloatArray, kernel: FloatArray, geometry: Geometry) -> FloatArray:
    """Return M^T g."""
    return run(*kernel_arguments(CONV_TRANSPOSE, g, kernel, geometry))[0]


@primitive
def causal_solve(y: FloatArray, kernel: FloatArray, geometry: Geometry) -> FloatArray:
    """Return M^{-1} y."""
    return run(*kernel_arguments(SOLVE, y, kernel, geometry))[0]


@primitive
def causal_solve_transpose(g: FloatArray, kernel: FloatArray, geometry: Geometry) -> FloatArray:
    """Return M^{-T} g."""
    return run(*kernel_arguments(SOLVE_TRANSPOSE, g, kernel, geometry))[0]


@primitive
def causal_conv_weight_grad(
    x: FloatArray, g: FloatArray, shape: tuple[int, ...], geometry: Geometry
) -> FloatArray:
    """Return the kernel of the linear form K -> <g, M(K) x>."""
    x, g = to_kernel_layout(x), to_kernel_layout(g.astype(x.dtype, copy=False))
    return conv_weight_grad(x, g, shape, _for_kernels(geometry))


OPERATIONS: dict[tuple[bool, bool], Callable[[FloatArray, FloatArray, Geometry], FloatArray]] = {
    CONV: causal_conv,
    CONV_TRANSPOSE: causal_conv_transpose,
    SOLVE: causal_solve,
    SOLVE_TRANSPOSE: causal_solve_transpose,
}
"""The operations as autograd primitives, by what they do to the kernel."""


register(sys.modules[__name__], *OPERATIONS.values(), causal_conv_weight_grad)
