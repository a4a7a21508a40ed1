"""A parameter tree as one flat vector."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from autograd.extend import SparseObject, defvjp, primitive, vspace

from cinc_ref._trees import named_leaves, rebuild


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
