"""Does every public name have a type? The verdict of pyright on the installed package.

    python -m tools.verify_types

A module that wraps a framework is left out, and named, where the framework is not installed: its
types are those of the framework. A class may inherit from one without types, as scikit-learn's are.
"""

import json
import subprocess
import sys
from importlib.util import find_spec

FRAMEWORKS = ("torch", "jax", "sklearn")
"""Modules of `cinc_ref` that have the name of the package that they wrap."""

INHERITED = ("Type of base class unknown", "Type of metaclass unknown")
"""Messages of pyright about a class that inherits from one without types."""


def is_known(symbol):
    """Return whether all that is the symbol's own has a type."""
    messages = [diagnostic["message"] for diagnostic in symbol["diagnostics"]]
    return symbol["isTypeKnown"] or all(message.startswith(INHERITED) for message in messages)


def main():
    options = ["--verifytypes", "cinc_ref", "--ignoreexternal", "--outputjson"]
    command = [sys.executable, "-m", "pyright", *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    symbols = json.loads(result.stdout)["typeCompleteness"]["symbols"]
    exported = [symbol for symbol in symbols if symbol["isExported"]]
    left_out = [name for name in FRAMEWORKS if find_spec(name) is None]
    prefixes = tuple(f"cinc_ref.{name}." for name in left_out)
    checked = [symbol for symbol in exported if not symbol["name"].startswith(prefixes)]
    gaps = [symbol["name"] for symbol in checked if not is_known(symbol)]
    print(f"{len(checked) - len(gaps)} of {len(checked)} public names have a type", *gaps, sep="\n")
    for name in left_out:
        print(f"left out, since {name} is not installed: cinc_ref.{name}")
    sys.exit(1 if gaps or not checked else 0)


if __name__ == "__main__":
    main()
