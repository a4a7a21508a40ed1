"""Parameter trees: dicts, lists and tuples with arrays at their leaves.

The leaf at ``params["levels"][0]["conv"]["taps"]`` has the name ``levels/0/conv/taps``. Leaves come
in the order of the tree, which is that of the forward pass.
"""

from collections.abc import Iterator
from typing import Any

from autograd.builtins import isinstance  # also knows the boxes of traced dicts and lists

__all__ = ["named_leaves", "rebuild"]


def named_leaves(tree: Any) -> dict[str, Any]:
    """Return the leaves of a tree in order, as a dict from name to leaf.

    Examples
    --------
    >>> named_leaves({"levels": [{"bias": 1.0}, {}], "top": (2.0,)})
    {'levels/0/bias': 1.0, 'top/0': 2.0}
    """
    return {"/".join(map(str, path)): leaf for path, leaf in _leaves(tree, ())}


def _leaves(tree, path):
    if isinstance(tree, dict):
        items = tree.items()
    elif isinstance(tree, list | tuple):
        items = enumerate(tree)
    else:
        yield path, tree
        return
    for key, branch in items:
        yield from _leaves(branch, (*path, key))


def rebuild(tree: Any, leaves: Iterator[Any]) -> Any:
    """Return a tree of the same structure, with leaves taken from an iterator in order.

    Examples
    --------
    >>> rebuild({"levels": [{"bias": 1.0}, {}], "top": (2.0,)}, iter("ab"))
    {'levels': [{'bias': 'a'}, {}], 'top': ('b',)}
    """
    if isinstance(tree, dict):
        return {key: rebuild(branch, leaves) for key, branch in tree.items()}
    if isinstance(tree, list | tuple):
        branches = [rebuild(branch, leaves) for branch in tree]
        return tuple(branches) if isinstance(tree, tuple) else branches
    return next(leaves)
