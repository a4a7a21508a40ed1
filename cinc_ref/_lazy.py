"""Packages whose names load when they are first used (PEP 562)."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

__all__ = ["lazy"]


def lazy(
    package: str, home_of: Mapping[str, str], submodules: Sequence[str] = ()
) -> tuple[Callable, Callable]:
    """Return ``__getattr__`` and ``__dir__`` of a package.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    home_of : mapping
        The module inside the package that defines each public name.
    submodules : sequence of str
        Modules that are loaded as attributes.
    """

    def get(name):
        if name in submodules:
            return import_module(f"{package}.{name}")
        if name in home_of:
            value = getattr(import_module(f"{package}.{home_of[name]}"), name)
            setattr(sys.modules[package], name, value)
            return value
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names():
        return sorted({*vars(sys.modules[package]), *home_of, *submodules})

    return get, names
