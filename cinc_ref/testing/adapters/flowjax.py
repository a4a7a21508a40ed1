"""The adapter of flowjax: one sample without a batch at a time, in JAX."""

import sys

import numpy as np

from cinc_ref.testing.adapters.request import Request, name_of
from cinc_ref.testing.adapters.results import guarded
from cinc_ref.testing.frameworks import Jax
from cinc_ref.testing.layer import Layer

__all__ = ["flowjax"]


def flowjax(request: Request) -> Layer:
    """Adapt flowjax: one unbatched sample at a time, mapped over the batch."""
    jax = sys.modules["jax"]
    framework, obj = Jax(), request.obj
    held = [obj]
    context = None if request.context is None else np.asarray(request.context)[0]

    def mapped(name):
        def batched(layer, x):
            def one(entry):
                method = getattr(layer, name)
                return method(entry) if context is None else method(entry, context)

            if layer.shape == ():  # a map of numbers acts on every entry
                y, log_det = jax.vmap(one)(x.ravel())
                return y.reshape(x.shape), log_det.reshape(len(x), -1).sum(1)
            return jax.vmap(one)(x)

        compiled = sys.modules["equinox"].filter_jit(batched)
        return lambda x: compiled(held[0], x)

    def perturb(rng, size):
        counter = [0]
        held[0] = _moved_leaves(held[0], rng, size, counter)
        return counter[0]

    return Layer(
        name_of(obj), "flowjax", framework, mapped("transform_and_log_det"),
        guarded(mapped("inverse_and_log_det")), perturb, shape=tuple(obj.shape) or None,
    )  # fmt: skip


def _moved_leaves(tree, rng, size, counter):
    """Add noise to the floating leaves of an equinox module that are trainable."""
    jax = sys.modules["jax"]
    frozen = getattr(sys.modules.get("paramax"), "NonTrainable", ())

    def move(leaf):
        inexact = hasattr(leaf, "dtype") and jax.numpy.issubdtype(leaf.dtype, jax.numpy.inexact)
        if isinstance(leaf, frozen) or not inexact:
            return leaf
        counter[0] += 1
        return leaf + jax.numpy.asarray(size * rng.normal(size=leaf.shape), leaf.dtype)

    return jax.tree_util.tree_map(move, tree, is_leaf=lambda leaf: isinstance(leaf, frozen))
