"""The derivatives of the operations, each one line of algebra that consists of operations.

M is the matrix of the causal convolution, B its corner block. The operations are closed under
differentiation, so their derivatives have derivatives of any order. A rule takes ``ops``, an object
whose attributes are the operations for the arrays of one library: autograd's (`causal`, `corner`),
PyTorch's (`cinc_ref.torch`) or JAX's (`cinc_ref.jax`).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from autograd.extend import defjvp, defvjp

from cinc_ref._display import short_repr

__all__ = ["DERIVATIVES", "Derivatives", "Rule", "register"]

Rule: TypeAlias = Callable[..., Any]
"""``rule(ops, g, result, *arguments)``: a gradient of an argument, or a change of the result.

In reverse mode g is the gradient with respect to the result, in forward mode the direction in which
the argument moves.
"""


class Derivatives(NamedTuple):
    """The rules of an operation, one for each of the arrays that are its first arguments.

    Attributes
    ----------
    vjp : tuple of callable
        The gradient of an argument, in reverse mode.
    jvp : tuple of callable
        The change of the result, in forward mode.
    """

    vjp: tuple[Rule, ...]
    jvp: tuple[Rule, ...]

    __repr__ = short_repr


DERIVATIVES: dict[str, Derivatives] = {}
"""The derivatives of each operation, by its name."""


# y = M x
DERIVATIVES["causal_conv"] = Derivatives(
    vjp=(
        lambda ops, g, y, x, kernel, geometry: ops.causal_conv_transpose(g, kernel, geometry),
        lambda ops, g, y, x, kernel, geometry: ops.causal_conv_weight_grad(
            x, g, kernel.shape, geometry
        ),
    ),
    jvp=(
        lambda ops, g, y, x, kernel, geometry: ops.causal_conv(g, kernel, geometry),
        lambda ops, g, y, x, kernel, geometry: ops.causal_conv(x, g, geometry),
    ),
)

# y = M^T u, so <g, y> = <u, M g>
DERIVATIVES["causal_conv_transpose"] = Derivatives(
    vjp=(
        lambda ops, g, y, u, kernel, geometry: ops.causal_conv(g, kernel, geometry),
        lambda ops, g, y, u, kernel, geometry: ops.causal_conv_weight_grad(
            g, u, kernel.shape, geometry
        ),
    ),
    jvp=(
        lambda ops, g, y, u, kernel, geometry: ops.causal_conv_transpose(g, kernel, geometry),
        lambda ops, g, y, u, kernel, geometry: ops.causal_conv_transpose(u, g, geometry),
    ),
)

# k = weight gradient of (x, u), so <g, k> = <u, M(g) x>
DERIVATIVES["causal_conv_weight_grad"] = Derivatives(
    vjp=(
        lambda ops, g, k, x, u, shape, geometry: ops.causal_conv_transpose(u, g, geometry),
        lambda ops, g, k, x, u, shape, geometry: ops.causal_conv(x, g, geometry),
    ),
    jvp=(
        lambda ops, g, k, x, u, shape, geometry: ops.causal_conv_weight_grad(g, u, shape, geometry),
        lambda ops, g, k, x, u, shape, geometry: ops.causal_conv_weight_grad(x, g, shape, geometry),
    ),
)

# x = M^{-1} y, so dx = M^{-1} (dy - dM x)
DERIVATIVES["causal_solve"] = Derivatives(
    vjp=(
        lambda ops, g, x, y, kernel, geometry: ops.causal_solve_transpose(g, kernel, geometry),
        lambda ops, g, x, y, kernel, geometry: (
            -ops.causal_conv_weight_grad(
                x, ops.causal_solve_transpose(g, kernel, geometry), kernel.shape, geometry
            )
        ),
    ),
    jvp=(
        lambda ops, g, x, y, kernel, geometry: ops.causal_solve(g, kernel, geometry),
        lambda ops, g, x, y, kernel, geometry: (
            -ops.causal_solve(ops.causal_conv(x, g, geometry), kernel, geometry)
        ),
    ),
)

# v = M^{-T} u, so dv = M^{-T} (du - dM^T v)
DERIVATIVES["causal_solve_transpose"] = Derivatives(
    vjp=(
        lambda ops, g, v, u, kernel, geometry: ops.causal_solve(g, kernel, geometry),
        lambda ops, g, v, u, kernel, geometry: (
            -ops.causal_conv_weight_grad(
                ops.causal_solve(g, kernel, geometry), v, kernel.shape, geometry
            )
        ),
    ),
    jvp=(
        lambda ops, g, v, u, kernel, geometry: ops.causal_solve_transpose(g, kernel, geometry),
        lambda ops, g, v, u, kernel, geometry: (
            -ops.causal_solve_transpose(ops.causal_conv_transpose(v, g, geometry), kernel, geometry)
        ),
    ),
)

# d (pixels log|det B|) = pixels <B^{-T}, dB>
DERIVATIVES["log_abs_det_corner"] = Derivatives(
    vjp=(lambda ops, g, log_det, corner, pixels: g * pixels * ops.inverse_transpose(corner),),
    jvp=(
        lambda ops, g, log_det, corner, pixels: pixels * (ops.inverse_transpose(corner) * g).sum(),
    ),
)

# the same for the whole kernel, whose corner block B is the tap at the anchor
DERIVATIVES["log_abs_det"] = Derivatives(
    vjp=(
        lambda ops, g, log_det, kernel, pixels, anchor: ops.at_tap(
            g * pixels * ops.inverse_transpose(kernel[:, :, *anchor]), kernel.shape, anchor
        ),
    ),
    jvp=(
        lambda ops, g, log_det, kernel, pixels, anchor: (
            pixels * (ops.inverse_transpose(kernel[:, :, *anchor]) * g[:, :, *anchor]).sum()
        ),
    ),
)

# V = B^{-T}: dV = -V dB^T V, and <g, dV> = <-V g^T V, dB>
DERIVATIVES["inverse_transpose"] = Derivatives(
    vjp=(lambda ops, g, v, corner: -(v @ g.T @ v),),
    jvp=(lambda ops, g, v, corner: -(v @ g.T @ v),),
)


def register(ops: Any, *operations: Callable[..., Any]) -> None:
    """Give autograd primitives, which are attributes of ops, their derivatives by their names."""
    for operation in operations:
        rules = DERIVATIVES[operation.__name__]
        defvjp(operation, *(_vjp_maker(rule, ops) for rule in rules.vjp))
        defjvp(operation, *(partial(rule, ops) for rule in rules.jvp))


def _vjp_maker(rule, ops):
    return lambda result, *arguments: lambda g: rule(ops, g, result, *arguments)
