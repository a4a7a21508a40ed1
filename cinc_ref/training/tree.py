"""Parameter trees by name, and as one flat vector.

A tree consists of dicts, lists and tuples with arrays at its leaves. The leaf at
``params["levels"][0]["conv"]["taps"]`` has the name ``levels/0/conv/taps``; leaves come in the
order in which the tree holds them, which is the order of the forward pass.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from autograd.extend import SparseObject, defvjp, primitive, vspace


def named_leaves(tree):
    """The leaves of a tree in order, as a dict from name to leaf.

    Examples
    --------
    >>> named_leaves({"levels": [{"bias": 1.0}, {}], "top": (2.0,)})
    {'levels/0/bias': 1.0, 'top/0': 2.0}
    """
    return {"/".join(map(str, path)): leaf for path, leaf in _walk(tree, ())}


def _walk(tree, path):
    if isinstance(tree, dict):
        items = tree.items()
    elif isinstance(tree, list | tuple):
        items = enumerate(tree)
    else:
        yield path, tree
        return
    for key, branch in items:
        yield from _walk(branch, (*path, key))


def rebuild(tree, leaves):
    """A tree of the same structure whose leaves are drawn from an iterator, in order."""
    if isinstance(tree, dict):
        return {key: rebuild(branch, leaves) for key, branch in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(rebuild(branch, leaves) for branch in tree)
    return next(leaves)


@dataclass(frozen=True)
class Layout:
    """Where each leaf of a tree lies in one flat vector.

    An optimizer then updates a single vector, while the layers see views of it. The way from
    vector to tree is differentiable by autograd.

    Examples
    --------
    >>> import numpy as np
    >>> params = {"weight": np.zeros((2, 2)), "bias": np.ones(3)}
    >>> layout = Layout.of(params)
    >>> vector = layout.vector(params)
    >>> vector
    array([0., 0., 0., 0., 1., 1., 1.])
    >>> layout.params(vector)["bias"] += 1
    >>> vector
    array([0., 0., 0., 0., 2., 2., 2.])
    """

    structure: Any
    shapes: dict[str, tuple[int, ...]]

    @classmethod
    def of(cls, params):
        """The layout of a tree of arrays."""
        leaves = named_leaves(params)
        shapes = {name: leaf.shape for name, leaf in leaves.items()}
        return cls(rebuild(params, iter(leaves)), shapes)

    @cached_property
    def places(self):
        """(start, stop, shape) of each leaf."""
        stops = np.cumsum([int(np.prod(shape)) for shape in self.shapes.values()]).tolist()
        return tuple(zip([0, *stops[:-1]], stops, self.shapes.values(), strict=True))

    def name(self, k):
        """The name of leaf number k."""
        return list(self.shapes)[k]

    def vector(self, params):
        """One new vector that holds the leaves of a tree of this layout."""
        return np.concatenate([leaf.ravel() for leaf in named_leaves(params).values()])

    def leaves(self, vector):
        """The leaves as views of a vector: they share its memory."""
        return [_take(vector, self.places, k) for k in range(len(self.places))]

    def params(self, vector):
        """The tree whose leaves are views of a vector."""
        return rebuild(self.structure, iter(self.leaves(vector)))


@primitive
def _take(vector, places, k):
    start, stop, shape = places[k]
    return vector[start:stop].reshape(shape)


def _take_vjp(leaf, vector, places, k):
    """Gradients of all leaves are added into one vector, in place, by autograd's accumulator."""
    start, stop, _ = places[k]

    def add(total, g):
        total[start:stop] += g.ravel()
        return total

    return lambda g: SparseObject(vspace(vector), lambda total: add(total, g))


defvjp(_take, _take_vjp, argnums=(0,))
