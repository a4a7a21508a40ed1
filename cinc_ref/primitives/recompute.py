r"""A composition of invertible maps that stores its last output only.

Differentiated step by step, a composition keeps what every step computed, and memory grows with
their number. Here the backward pass begins at the output and rebuilds the input of each step by its
inverse, just before it needs it:

    x = f^{-1}(y),    (g_x, g_params) = the derivative of f at x, transposed, applied to g_y.

So no more than one step is in memory at a time, at the price of one inverse and one more forward
pass. The rebuilt input is as good as the inverse: see `cinc_ref.theory.stability`.
"""

from collections.abc import Sequence
from itertools import count
from typing import Any

from autograd import make_jvp, make_vjp
from autograd.builtins import container_untake
from autograd.builtins import tuple as traced_tuple
from autograd.extend import (
    defjvp,
    defjvp_argnums,
    defvjp,
    defvjp_argnums,
    primitive,
    vspace,
)

from cinc_ref._trees import named_leaves, rebuild
from cinc_ref._typing import FloatArray

__all__ = ["compose"]


def compose(
    layers: Sequence[Any], params: Sequence[Any], x: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Apply layers in turn, differentiable in memory that does not grow with their number.

    Parameters
    ----------
    layers : sequence
        Objects with the hooks ``_forward(params, x)`` and ``_inverse(params, y)`` of a `Bijection`.
    params : sequence of trees
        The parameters of each layer.
    x : ndarray, shape (N, C, H, W)

    Returns
    -------
    y : ndarray
    log_det : ndarray, shape (N,)
        Sum of the log-determinants of the layers, in nats.
    """
    rebuilt, total = {}, 0
    for k, layer in enumerate(layers):
        place = (rebuilt, k, k == len(layers) - 1)
        leaves = named_leaves(params[k]).values()
        pair = _step(x, layer, rebuild(params[k], count()), place, *leaves)
        x, log_det = _part(pair, 0), _part(pair, 1)
        total = total + log_det
    return x, total


def _forward(x, layer, structure, place, *leaves):
    return traced_tuple(layer._forward(rebuild(structure, iter(leaves)), x))


_step = primitive(_forward)


def _vjp(argnums, result, args, _):
    """Return the vector-Jacobian product, which stores parameters and the last output only.

    Each step leaves its rebuilt input in `rebuilt`, as the output of the step before, which
    is next. So gradients of parameters are passed on, and forgotten, step by step.
    """
    layer, structure, (rebuilt, k, is_last), leaves = args[1], args[2], args[3], args[4:]
    output = result[0] if is_last else None

    def pull_back(g):
        y = output if is_last else rebuilt.pop(k)
        params = rebuild(structure, iter(leaves))
        x = rebuilt[k - 1] = layer._inverse(params, y)[0]
        g_x, *g_leaves = _pull_back_step(layer, params, x, (g[0], g[1]))
        by_argument = (g_x, None, None, None, *g_leaves)
        return tuple(by_argument[n] for n in argnums)

    return pull_back


def _pull_back_step(layer, params, x, g):
    """Return the gradients of <g, f(x)>, f the layer: of x, then of the leaves of params."""
    leaves = named_leaves(params).values()

    def forward(arguments):
        x, *leaves = (arguments[k] for k in range(len(arguments)))
        return traced_tuple(layer._forward(rebuild(params, iter(leaves)), x))

    pull_back, _ = make_vjp(forward)((x, *leaves))
    gradients = pull_back(traced_tuple(g))
    return [gradients[k] for k in range(len(leaves) + 1)]


def _jvp(argnums, directions, result, args, _):
    """Return the Jacobian-vector product of the step itself; forward mode stores nothing."""

    def forward(moving):
        arguments = list(args)
        for place, argnum in enumerate(argnums):
            arguments[argnum] = moving[place]
        return _forward(*arguments)

    return make_jvp(forward)(tuple(args[k] for k in argnums))(tuple(directions))[1]


defvjp_argnums(_step, _vjp)
defjvp_argnums(_step, _jvp)


@primitive
def _part(pair, k):
    return pair[k]


def _part_vjp(part, pair, k):
    space = vspace(pair)  # the shapes: autograd's own indexing would keep the arrays
    return lambda g: container_untake(g, k, space)


defvjp(_part, _part_vjp)
defjvp(_part, lambda g, part, pair, k: _part(g, k))
