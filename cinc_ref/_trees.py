"""Parameter trees: dicts, lists and tuples with arrays at their leaves.

The leaf at ``params["levels"][0]["conv"]["taps"]`` has the name ``levels/0/conv/taps``; leaves come
in the order in which the tree holds them, which is the order of the forward pass.
"""

from autograd.builtins import isinstance  # also knows the boxes of traced dicts and lists


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
        branches = [rebuild(branch, leaves) for branch in tree]
        return tuple(branches) if isinstance(tree, tuple) else branches
    return next(leaves)
