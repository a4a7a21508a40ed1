"""Packages whose names load when they are first used (PEP 562).

Their stub, ``__init__.pyi``, is the only list of these names. Type checkers and editors read it as
it is; at run time its lines ``from .module import name as name`` are read here. They are split at
spaces, because the parsers of the standard library take ten times as long to load.
"""

import os
import sys
from collections.abc import Callable
from importlib import import_module

__all__ = ["attach_stub"]


def attach_stub(
    package: str,
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of a package, as its stub lists them.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    """
    module = sys.modules[package]
    home_of = _imports(os.path.splitext(str(module.__file__))[0] + ".pyi")

    def get(name: str) -> object:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = home_of[name]
        if home == ".":
            return import_module(f"{package}.{name}")
        value = getattr(import_module(package + home), name)
        setattr(module, name, value)
        return value

    names = sorted(home_of)
    return get, lambda: list(names), names


def _imports(stub):
    """Return the relative module that each name is imported from, "." for a module itself."""
    home_of = {}
    with open(stub, encoding="utf-8") as lines:
        for line in lines:
            match line.split():
                case ["from", home, "import", name, "as", _]:
                    home_of[name] = home
    return home_of
