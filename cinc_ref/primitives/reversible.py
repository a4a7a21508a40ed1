r"""A composition of invertible maps that remembers its last output only.

Differentiated step by step, a composition keeps what every step computed, and memory grows with
their number. Here the backward pass begins at the output and rebuilds the input of each step by its
inverse, just before it needs it:

    x = f^{-1}(y),    (g_x, g_params) = the derivative of f at x, transposed, applied to g_y.

So no more than one step is in memory at a time, at the price of one inverse and one more forward
pass. The rebuilt input is as good as the inverse: see `cinc_ref.theory.stability`.
"""

from itertools import count

from autograd import make_jvp, make_vjp
from autograd.builtins import tuple as traced_tuple
from autograd.extend import defjvp_argnums, defvjp_argnums, primitive

from cinc_ref._trees import named_leaves, rebuild


def compose(layers, params, x):
    """One layer after another, differentiable in memory that does not grow with their number.

    Parameters
    ----------
    layers : sequence
        Each with ``forward(params, x)`` and ``inverse(params, y)`` as `Bijection` has them.
    params : sequence of trees
        One a layer.
    x : ndarray, shape (N, C, H, W)

    Returns
    -------
    y : ndarray
    log_det : ndarray, shape (N,)
        Their sum over the layers, in nats.
    """
    result = _compose(x, layers, rebuild(params, count()), *named_leaves(params).values())
    return result[0], result[1]


def _step_by_step(x, layers, structure, *leaves):
    total = 0
    for layer, own in zip(layers, rebuild(structure, iter(leaves)), strict=True):
        x, log_det = layer.forward(own, x)
        total = total + log_det
    return traced_tuple([x, total])


_compose = primitive(_step_by_step)


def _vjp(argnums, result, args, _):
    layers, structure, leaves = args[1], args[2], args[3:]
    y = result[0]

    def pull_back(g):
        x, g_x, g_log_det = y, g[0], g[1]
        gradients = []
        for layer, own in zip(
            reversed(layers), reversed(rebuild(structure, iter(leaves))), strict=True
        ):
            x, _ = layer.inverse(own, x)
            g_x, *g_own = _pull_back_step(layer, own, x, (g_x, g_log_det))
            gradients[:0] = g_own
        by_argument = (g_x, None, None, *gradients)
        return tuple(by_argument[k] for k in argnums)

    return pull_back


def _pull_back_step(layer, params, x, g):
    """The gradients of <g, layer.forward(params, x)>: of x, then of the leaves of params."""
    leaves = named_leaves(params).values()

    def forward(arguments):
        x, *leaves = (arguments[k] for k in range(len(arguments)))
        return traced_tuple(layer.forward(rebuild(params, iter(leaves)), x))

    pull_back, _ = make_vjp(forward)((x, *leaves))
    gradients = pull_back(traced_tuple(g))
    return [gradients[k] for k in range(len(leaves) + 1)]


def _jvp(argnums, directions, result, args, _):
    """Forward mode needs no memory: the steps, each with its direction."""

    def forward(moving):
        arguments = list(args)
        for place, argnum in enumerate(argnums):
            arguments[argnum] = moving[place]
        return _step_by_step(*arguments)

    return make_jvp(forward)(tuple(args[k] for k in argnums))(tuple(directions))[1]


defvjp_argnums(_compose, _vjp)
defjvp_argnums(_compose, _jvp)
