"""The five operations that are closed under differentiation, each derivative one line of algebra.

M is the matrix of the causal convolution. g is the gradient with respect to the output (reverse
mode) or the direction in which an argument moves (forward mode). Arguments are trusted; the
functions for users are in `cinc_ref.convolution`.
"""

from collections.abc import Callable

from autograd.extend import defjvp, defvjp, primitive

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
from cinc_ref.primitives.memory_order import as_native_contiguous

__all__ = [
    "OPERATIONS",
    "causal_conv",
    "causal_conv_weight_grad",
    "causal_solve",
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


# y = M x
defvjp(
    causal_conv,
    lambda y, x, kernel, geometry: lambda g: causal_conv_transpose(g, kernel, geometry),
    lambda y, x, kernel, geometry: lambda g: causal_conv_weight_grad(x, g, kernel.shape, geometry),
)
defjvp(
    causal_conv,
    lambda g, y, x, kernel, geometry: causal_conv(g, kernel, geometry),
    lambda g, y, x, kernel, geometry: causal_conv(x, g, geometry),
)

# y = M^T u, so <g, y> = <u, M g>
defvjp(
    causal_conv_transpose,
    lambda y, u, kernel, geometry: lambda g: causal_conv(g, kernel, geometry),
    lambda y, u, kernel, geometry: lambda g: causal_conv_weight_grad(g, u, kernel.shape, geometry),
)
defjvp(
    causal_conv_transpose,
    lambda g, y, u, kernel, geometry: causal_conv_transpose(g, kernel, geometry),
    lambda g, y, u, kernel, geometry: causal_conv_transpose(u, g, geometry),
)

# k = weight gradient of (x, u), so <g, k> = <u, M(g) x>
defvjp(
    causal_conv_weight_grad,
    lambda k, x, u, shape, geometry: lambda g: causal_conv_transpose(u, g, geometry),
    lambda k, x, u, shape, geometry: lambda g: causal_conv(x, g, geometry),
)
defjvp(
    causal_conv_weight_grad,
    lambda g, k, x, u, shape, geometry: causal_conv_weight_grad(g, u, shape, geometry),
    lambda g, k, x, u, shape, geometry: causal_conv_weight_grad(x, g, shape, geometry),
)

# x = M^{-1} y, so dx = M^{-1} (dy - dM x)
defvjp(
    causal_solve,
    lambda x, y, kernel, geometry: lambda g: causal_solve_transpose(g, kernel, geometry),
    lambda x, y, kernel, geometry: (
        lambda g: (
            -causal_conv_weight_grad(
                x, causal_solve_transpose(g, kernel, geometry), kernel.shape, geometry
            )
        )
    ),
)
defjvp(
    causal_solve,
    lambda g, x, y, kernel, geometry: causal_solve(g, kernel, geometry),
    lambda g, x, y, kernel, geometry: -causal_solve(causal_conv(x, g, geometry), kernel, geometry),
)

# v = M^{-T} u, so dv = M^{-T} (du - dM^T v)
defvjp(
    causal_solve_transpose,
    lambda v, u, kernel, geometry: lambda g: causal_solve(g, kernel, geometry),
    lambda v, u, kernel, geometry: (
        lambda g: (
            -causal_conv_weight_grad(causal_solve(g, kernel, geometry), v, kernel.shape, geometry)
        )
    ),
)
defjvp(
    causal_solve_transpose,
    lambda g, v, u, kernel, geometry: causal_solve_transpose(g, kernel, geometry),
    lambda g, v, u, kernel, geometry: (
        -causal_solve_transpose(causal_conv_transpose(v, g, geometry), kernel, geometry)
    ),
)
