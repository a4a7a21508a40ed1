"""The adapter of the layers of this package, alone or with their parameters."""

from typing import Any

import numpy as np

from cinc_ref.testing.adapters.request import Request
from cinc_ref.testing.frameworks import NumPy, library_roots
from cinc_ref.testing.layer import Layer

__all__ = ["is_ours", "ours"]


def is_ours(obj: Any) -> bool:
    """Return whether an object is a layer of this package, or begins with one."""
    layer = obj[0] if isinstance(obj, tuple | list) and obj else obj
    return "cinc_ref" in library_roots(layer) and all(
        hasattr(layer, name) for name in ("init", "forward", "inverse")
    )


def ours(request: Request) -> Layer:
    """Adapt a layer of this package, alone or in a pair with its parameters."""
    layer, params = request.obj if isinstance(request.obj, tuple | list) else (request.obj, None)
    notes = [] if params is not None else ["parameters are those of init(0, x)"]
    held = [layer.init(np.random.default_rng(0), request.x) if params is None else params]

    def perturb(rng, size):
        counter = [0]
        held[0] = _moved(held[0], rng, size, counter)
        return counter[0]

    return Layer(
        type(layer).__name__, "cinc_ref", NumPy(), lambda x: layer.forward(held[0], x),
        lambda y: layer.inverse(held[0], y), perturb if params is None else None, notes=notes,
    )  # fmt: skip


def _moved(tree, rng, size, counter):
    """Add noise to every array of a tree."""
    if isinstance(tree, dict):
        return {name: _moved(leaf, rng, size, counter) for name, leaf in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(_moved(leaf, rng, size, counter) for leaf in tree)
    counter[0] += 1
    return tree + size * rng.uniform(-1, 1, tree.shape).astype(tree.dtype)
