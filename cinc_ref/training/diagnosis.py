"""The search for the parameters that made a loss or a gradient infinite or NaN."""

import numpy as np
from autograd.core import VJPNode
from autograd.tracer import Node, notrace_primitives, trace

from cinc_ref._typing import FloatArray
from cinc_ref.errors import NonFiniteError, ParamsError
from cinc_ref.flows import Flow
from cinc_ref.training.flat_params import FlatParams
from cinc_ref.training.loss import mean_bits

__all__ = ["first_nonfinite_parameter"]


def first_nonfinite_parameter(
    flow: Flow, flat: FlatParams, vector: FloatArray, x: FloatArray, gradient: FloatArray | None
) -> str:
    """Find the parameter at which the first value that is not finite appears.

    Parameters
    ----------
    flow : Flow
    flat : FlatParams
    vector : ndarray, shape (n,)
        The parameters.
    x : ndarray, shape (N, C, H, W)
        The batch.
    gradient : ndarray, shape (n,), or None
        None if it could not be computed.

    Returns
    -------
    str
        The name of a leaf, or "the loss" if all is finite. The parameters themselves are looked at
        first, then the values of the forward pass, then the gradient.
    """
    leaf = _first_nonfinite(flat.leaves(vector))
    if leaf is None:
        leaf = _first_nonfinite_value(flow, flat, vector, x)
    if leaf is None and gradient is not None:
        # The backward pass ends at the first layer, and spreads non-finite values that way.
        nonfinite = [
            k for k, part in enumerate(flat.leaves(gradient)) if not np.isfinite(part).all()
        ]
        leaf = nonfinite[-1] if nonfinite else None
    return "the loss" if leaf is None else flat.name(leaf)


def _first_nonfinite(leaves):
    return next((k for k, leaf in enumerate(leaves) if not np.isfinite(leaf).all()), None)


def _first_nonfinite_value(flow, flat, vector, x):
    """Return the last leaf that the first non-finite value of the forward pass depends on."""
    root = _NonFiniteTracer.new_root()
    try:
        with np.errstate(all="ignore"):
            trace(root, lambda vector: mean_bits(flow, flat.params(vector), x), vector)
    except (NonFiniteError, ParamsError):  # a layer noticed
        root.state.setdefault("nonfinite", root.state["leaf"])
    return root.state.get("nonfinite")


class _NonFiniteTracer(Node):
    """A value of autograd's trace that knows the last leaf among its ancestors.

    Values are traced in the order of the forward pass. `state` is shared by a trace:
    "nonfinite" is the leaf of the first value that is not finite, "leaf" that of the newest value.
    """

    __slots__ = ["leaf", "state"]

    def __init__(self, value, fun, args, kwargs, parent_argnums, parents):
        self.state = parents[0].state
        self.leaf = max(parent.leaf for parent in parents)
        if self.leaf < 0:  # a leaf, taken from the vector of all
            self.leaf = args[2]
        self.state["leaf"] = self.leaf
        if not _finite(value):
            self.state.setdefault("nonfinite", self.leaf)

    def initialize_root(self):
        self.leaf = -1
        self.state = {"leaf": 0}


# Functions without a gradient (shapes, comparisons) are not traced here either.
notrace_primitives[_NonFiniteTracer] |= notrace_primitives[VJPNode]


def _finite(value):
    return not isinstance(value, np.ndarray | float) or np.isfinite(value).all()
