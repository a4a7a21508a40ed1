"""The five operations that are closed under differentiation, each derivative one line of algebra.

M is the matrix of the causal convolution. g is the gradient with respect to the output (reverse
mode) or the direction in which an argument moves (forward mode). Arguments are trusted; the
checked functions for users are in `cinc_ref.primitives.convolution`.
"""

import numpy as np
from autograd.extend import defjvp, defvjp, primitive

from cinc_ref import _validate
from cinc_ref._autodiff import value_of
from cinc_ref.geometry import flips
from cinc_ref.kernels import batched
from cinc_ref.primitives.arrays import native


def as_kernels_take(images):
    """Whether images lie as contiguous (N, C, H, W) or (C, H, W, N) in memory, and `native`."""
    in_order = images.flags.carray or images.transpose(1, 2, 3, 0).flags.carray
    return in_order and images.dtype.isnative


def _plain(images):
    """Images as the kernels take them."""
    return images if as_kernels_take(images) else native(images, images.dtype)


def arranged(operation, images, kernel_shape, geometry):
    """How the kernels would do one of their operations on images like these."""
    corner, dilation, anchor = geometry
    batch_first = images.flags.c_contiguous
    return batched.arrangement(
        operation, kernel_shape, images.shape, batch_first, images.itemsize, dilation, anchor,
        flips(corner),
    )  # fmt: skip


def _run(operation, images, kernel, geometry):
    """As `batched.run`; the result lies in memory as the images do, batch last or batch first."""
    kernel = native(kernel, images.dtype)  # gradients may come in another dtype than the kernel's
    images = _plain(images)
    return batched.run(arranged(operation, images, kernel.shape, geometry), images, kernel)


@primitive
def causal_conv(x, kernel, geometry):
    """M x."""
    return _run(batched.CONV, x, kernel, geometry)[0]


@primitive
def causal_conv_transpose(g, kernel, geometry):
    """M^T g."""
    return _run(batched.CONV_TRANSPOSE, g, kernel, geometry)[0]


@primitive
def causal_solve(y, kernel, geometry):
    """M^{-1} y."""
    return _run(batched.SUBSTITUTE, y, kernel, geometry)[0]


@primitive
def causal_solve_transpose(g, kernel, geometry):
    """M^{-T} g."""
    return _run(batched.SUBSTITUTE_TRANSPOSE, g, kernel, geometry)[0]


@primitive
def causal_conv_weight_grad(x, g, shape, geometry):
    """The kernel of the linear form K -> <g, M(K) x>."""
    corner, dilation, anchor = geometry
    x, g = _plain(x), _plain(g.astype(x.dtype, copy=False))
    return batched.conv_weight_grad(x, g, shape, dilation, anchor, flips(corner))


KERNELS = {
    causal_conv: batched.CONV,
    causal_conv_transpose: batched.CONV_TRANSPOSE,
    causal_solve: batched.SUBSTITUTE,
    causal_solve_transpose: batched.SUBSTITUTE_TRANSPOSE,
}


def with_doubts(operation, images, kernel, geometry, found=None):
    """One of these four operations, and whether its result and the kernel are yet to be checked.

    They need not be if the result is finite, and the kernel too and, where it is inverted, has a
    triangular corner block without a zero on its diagonal. Of plain arrays the loops say so,
    without a further pass over them; and if it was `found` already how they are to be done, since
    the kernels take them as they are, this is not looked up.
    """
    if not type(images) is type(kernel) is np.ndarray:
        result = operation(images, kernel, geometry)
        return result, not _validate.all_finite(value_of(result)), True
    if found is None:
        result, doubts = _run(KERNELS[operation], images, kernel, geometry)
    else:
        result, doubts = batched.run(found, images, kernel)
    return result, doubts & batched.RESULT_DOUBTFUL, doubts & batched.KERNEL_DOUBTFUL


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
