"""Where the files of the checkout are, all of which an sdist holds, and where the package is."""

from importlib.util import find_spec
from pathlib import Path

import cinc_ref

__all__ = ["FRAMEWORKS", "PACKAGE", "ROOT", "is_importable"]

ROOT = Path(__file__).parents[2]
"""The top folder of the checkout, or of the sdist."""

PACKAGE = Path(cinc_ref.__file__).parent
"""The folder of the package, in the checkout or among installed packages."""

FRAMEWORKS = ("torch", "jax")
"""Modules of the package that have the name of the package that they need."""


def is_importable(module):
    """Return whether a module of ours does not need a framework that is not installed."""
    name = module.removeprefix("cinc_ref.")
    return name not in FRAMEWORKS or find_spec(name) is not None
