"""Several operations as one: one pass over memory, and one node for autograd, instead of many.

A fused operation has two definitions of the same function: a fast one, on plain arrays, and an
expression of simpler primitives that defines it. The first derivative comes from a
kernel too. Every other derivative (forward mode, second order) is that of the expression, so that
a fused operation can be differentiated as often as its parts can.
"""

from collections.abc import Callable
from typing import Any

from autograd.differential_operators import make_jvp, make_vjp
from autograd.extend import defjvp_argnums, defvjp_argnums
from autograd.tracer import isbox

__all__ = ["define_fused"]


def define_fused(
    operation: Callable[..., Any], expression: Callable[..., Any], gradients: Callable[..., Any]
) -> None:
    """Define the derivatives of a primitive.

    Parameters
    ----------
    operation : primitive
    expression : callable
        An equal function of these arguments, composed of differentiable operations.
    gradients : callable
        ``gradients(g, ans, *arguments)``: for all differentiable arguments, which come first; g
        is the gradient with respect to the result.
    """

    def vjp(argnums, ans, args, kwargs):
        def pull_back(g):
            if any(map(isbox, (*args, g))):
                return make_vjp(expression, argnums)(*args)[0](g)
            computed = gradients(g, ans, *args)
            return [computed[k] for k in argnums]

        return pull_back

    def jvp(argnums, directions, ans, args, kwargs):
        return make_jvp(expression, argnums)(*args)(tuple(directions))[1]

    defvjp_argnums(operation, vjp)
    defjvp_argnums(operation, jvp)
