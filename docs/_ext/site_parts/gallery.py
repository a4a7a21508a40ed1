"""The choice of the gallery's scripts that a build runs."""

import re
from importlib.util import find_spec
from pathlib import Path

__all__ = ["executed_pattern"]

OPTIONAL = ("torch", "normflows", "jax")
"""Packages that a script may need and that the extra `docs` does not bring."""


def executed_pattern(folder: Path) -> str:
    """Return a pattern of the scripts to run: those whose imports are installed.

    The other ones are shown with their text and code, without output.
    """
    missing = "|".join(name for name in OPTIONAL if find_spec(name) is None) or "(?!)"
    needed = re.compile(rf"^\s*(import|from) ({missing})\b", re.MULTILINE)
    names = [path.name for path in sorted(folder.glob("*.py"))]
    runs = [n for n in names if not needed.search((folder / n).read_text(encoding="utf-8"))]
    return r"[\\/](" + "|".join(map(re.escape, runs)) + ")$"
