"""Packages whose names load when they are first used (PEP 562).

Their stub, ``__init__.pyi``, is the only list of these names. Type checkers and editors read it as
it is; at run time the lines ``from .module import name as name`` are read from it here.
"""

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["attach_stub"]


def attach_stub(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of a package, as its stub lists them.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    """
    module = sys.modules[package]
    home_of = _imports(Path(str(module.__file__)).with_suffix(".pyi"))

    def get(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = home_of[name]
        if home is None:
            return import_module(f"{package}.{name}")
        value = getattr(import_module(f"{package}.{home}"), name)
        setattr(module, name, value)
        return value

    names = sorted(home_of)
    return get, lambda: list(names), names


def _imports(stub):
    """Return for each name that a stub imports the module that defines it, or None for a module."""
    lines = ast.parse(stub.read_text(encoding="utf-8")).body
    imports = [line for line in lines if isinstance(line, ast.ImportFrom) and line.level == 1]
    return {alias.name: line.module for line in imports for alias in line.names}
