"""The five operations that are closed under differentiation, each derivative one line of algebra.

M is the matrix of the causal convolution. g is the gradient with respect to the output (reverse
mode) or the direction in which an argument moves (forward mode). Arguments are trusted; the
checked functions for users are in `cinc_ref.primitives.convolution`.
"""

import numpy as np
from autograd.extend import defjvp, defvjp, primitive

from cinc_ref import _checks
from cinc_ref.kernels import batched
from cinc_ref.primitives.arrays import native

FLIPS = {corner: ("bottom" in corner, "right" in corner) for corner in _checks.CORNERS}
"""Whether rows and columns run backwards, seen from the padded corner."""


def _plain(images):
    """Contiguous (N, C, H, W) or (C, H, W, N) in memory, and `native`, as the kernels want them."""
    in_order = images.flags.carray or images.transpose(1, 2, 3, 0).flags.carray
    if in_order and images.dtype.isnative:
        return images
    return native(images, images.dtype)


def _apply(operation, images, kernel, geometry, doubts=None):
    """A kernel on images; the result lies in memory as the images do, batch last or batch first."""
    corner, dilation, anchor = geometry
    kernel = native(kernel, images.dtype)  # gradients may come in another dtype than the kernel's
    return operation(_plain(images), kernel, dilation, anchor, FLIPS[corner], doubts)


@primitive
def causal_conv(x, kernel, geometry):
    """M x."""
    return _apply(batched.conv, x, kernel, geometry)


@primitive
def causal_conv_transpose(g, kernel, geometry):
    """M^T g."""
    return _apply(batched.conv_transpose, g, kernel, geometry)


@primitive
def causal_solve(y, kernel, geometry):
    """M^{-1} y."""
    return _apply(batched.substitute, y, kernel, geometry)


@primitive
def causal_solve_transpose(g, kernel, geometry):
    """M^{-T} g."""
    return _apply(batched.substitute_transpose, g, kernel, geometry)


@primitive
def causal_conv_weight_grad(x, g, shape, geometry):
    """The kernel of the linear form K -> <g, M(K) x>."""
    corner, dilation, anchor = geometry
    x, g = _plain(x), _plain(g.astype(x.dtype, copy=False))
    return batched.conv_weight_grad(x, g, shape, dilation, anchor, FLIPS[corner])


KERNELS = {
    causal_conv: batched.conv,
    causal_conv_transpose: batched.conv_transpose,
    causal_solve: batched.substitute,
    causal_solve_transpose: batched.substitute_transpose,
}


def with_doubts(operation, images, kernel, geometry):
    """One of these four operations, and whether its result and the kernel are yet to be checked.

    They need not be if the result is finite, and the kernel too and, where it is inverted, has a
    triangular corner block without a zero on its diagonal. Of plain arrays the loops say so,
    without a further pass over them.
    """
    if not type(images) is type(kernel) is np.ndarray:
        result = operation(images, kernel, geometry)
        return result, not _checks.all_finite(_checks.plain(result)), True
    doubts = [True, True]
    result = _apply(KERNELS[operation], images, kernel, geometry, doubts)
    return result, *doubts


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
