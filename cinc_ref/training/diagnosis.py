"""Which parameters made a loss or a gradient infinite or NaN."""

import numpy as np
from autograd.core import VJPNode
from autograd.tracer import Node, notrace_primitives, trace

from cinc_ref.errors import NonFiniteError
from cinc_ref.training.loss import mean_bits


def first_culprit(flow, layout, vector, x, gradient):
    """Name of the leaf where the first value that is not finite appears.

    Parameters
    ----------
    flow : Flow
    layout : Layout
    vector : ndarray, shape (n,)
        The parameters.
    x : ndarray, shape (N, C, H, W)
        The batch.
    gradient : ndarray, shape (n,), or None
        If it could be computed.

    Returns
    -------
    str
        The parameters themselves come first, then the values of the forward pass, then the
        gradient.
    """
    leaf = _first_bad(layout.leaves(vector))
    if leaf is None:
        leaf = _first_bad_value(flow, layout, vector, x)
    if leaf is None and gradient is not None:
        # The backward pass ends at the first layer, and what is not finite spreads that way.
        bad = [k for k, part in enumerate(layout.leaves(gradient)) if not np.isfinite(part).all()]
        leaf = bad[-1] if bad else None
    return "the loss" if leaf is None else layout.name(leaf)


def _first_bad(leaves):
    return next((k for k, leaf in enumerate(leaves) if not np.isfinite(leaf).all()), None)


def _first_bad_value(flow, layout, vector, x):
    """The last leaf that the first non-finite value of the forward pass depends on."""
    root = _Watch.new_root()
    try:
        with np.errstate(all="ignore"):
            trace(root, lambda vector: mean_bits(flow, layout.params(vector), x), vector)
    except NonFiniteError:  # a layer noticed
        root.seen.setdefault("bad", root.seen["leaf"])
    return root.seen.get("bad")


class _Watch(Node):
    """A value of autograd's trace that knows the last leaf among its ancestors.

    Values are traced in the order of the forward pass. `seen` is shared by all of one trace: "bad"
    is the leaf of the first value that is not finite, "leaf" that of the newest value.
    """

    __slots__ = ["leaf", "seen"]

    def __init__(self, value, fun, args, kwargs, parent_argnums, parents):
        self.seen = parents[0].seen
        self.leaf = max(parent.leaf for parent in parents)
        if self.leaf < 0:  # a leaf, taken from the vector of all
            self.leaf = args[2]
        self.seen["leaf"] = self.leaf
        if not _finite(value):
            self.seen.setdefault("bad", self.leaf)

    def initialize_root(self):
        self.leaf = -1
        self.seen = {"leaf": 0}


# What gradients do not pass through (shapes, comparisons) is of no interest here either.
notrace_primitives[_Watch] |= notrace_primitives[VJPNode]


def _finite(value):
    return not isinstance(value, np.ndarray | float) or np.isfinite(value).all()
