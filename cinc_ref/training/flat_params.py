"""Parameter trees as one flat vector."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from autograd.extend import SparseObject, defvjp, primitive, vspace

from cinc_ref._display import short_repr
from cinc_ref._trees import named_leaves, rebuild
from cinc_ref._typing import Array

__all__ = ["FlatParams"]


@dataclass(frozen=True)
class FlatParams:
    """The map between a parameter tree and one flat vector that holds its leaves.

    An optimizer then updates a single vector, while the layers see views of it. The map from
    vector to tree is differentiable by autograd.

    Attributes
    ----------
    structure : tree
        The tree, with the leaves that it was made from.
    shapes : dict of str to tuple of int
        The shape of each leaf by its name, in the order of the vector.

    Examples
    --------
    >>> import numpy as np
    >>> params = {"weight": np.zeros((2, 2)), "bias": np.ones(3)}
    >>> layout = FlatParams.of(params)
    >>> vector = layout.vector(params)
    >>> vector
    array([0., 0., 0., 0., 1., 1., 1.])
    >>> layout.params(vector)["bias"] += 1
    >>> vector
    array([0., 0., 0., 0., 2., 2., 2.])
    """

    structure: Any
    shapes: dict[str, tuple[int, ...]]

    __repr__ = short_repr

    @classmethod
    def of(cls, params: Any) -> Self:
        """Describe the tree of arrays `params`."""
        leaves = named_leaves(params)
        shapes = {name: leaf.shape for name, leaf in leaves.items()}
        return cls(rebuild(params, iter(leaves)), shapes)

    @cached_property
    def slices(self) -> tuple[tuple[int, int, tuple[int, ...]], ...]:
        """Tuple of (start, stop, shape), one for each leaf."""
        stops = np.cumsum([int(np.prod(shape)) for shape in self.shapes.values()]).tolist()
        return tuple(zip([0, *stops[:-1]], stops, self.shapes.values(), strict=True))

    def name(self, k: int) -> str:
        """Return the name of leaf number k."""
        return list(self.shapes)[k]

    def vector(self, params: Any) -> Array:
        """Copy the leaves of a tree of this structure into a new vector."""
        return np.concatenate([leaf.ravel() for leaf in named_leaves(params).values()])

    def leaves(self, vector: Any) -> list[Any]:
        """Return the leaves as views, which share the memory of the vector."""
        return [_take(vector, self.slices, k) for k in range(len(self.slices))]

    def params(self, vector: Any) -> Any:
        """Return the tree whose leaves are views of the vector."""
        return rebuild(self.structure, iter(self.leaves(vector)))


@primitive
def _take(vector, slices, k):
    start, stop, shape = slices[k]
    return vector[start:stop].reshape(shape)


def _take_vjp(leaf, vector, slices, k):
    """Return the VJP of a leaf, which autograd adds to one vector for all leaves, in place."""
    start, stop, _ = slices[k]

    def add(total, g):
        total[start:stop] += g.ravel()
        return total

    return lambda g: SparseObject(vspace(vector), lambda total: add(total, g))


defvjp(_take, _take_vjp, argnums=(0,))
