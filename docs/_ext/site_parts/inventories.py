"""Inventories of the objects of other projects that docstrings mention.

Sphinx would fetch whole inventories at every build. These few lines do the same without a network.
"""

import zlib
from pathlib import Path

__all__ = ["PROJECTS", "mapping", "write"]

GENERATED = "reference/generated/{name}.html#{name}"

PROJECTS = {
    "python": (
        "https://docs.python.org/3/",
        {
            "AssertionError": ("py:exception", "library/exceptions.html#AssertionError"),
            "NotImplementedError": ("py:exception", "library/exceptions.html#NotImplementedError"),
            "ValueError": ("py:exception", "library/exceptions.html#ValueError"),
            "fractions.Fraction": ("py:class", "library/fractions.html#fractions.Fraction"),
        },
    ),
    "numpy": (
        "https://numpy.org/doc/stable/",
        {
            "numpy.ndarray": ("py:class", GENERATED),
            "numpy.pad": ("py:function", GENERATED),
            "numpy.array_split": ("py:function", GENERATED),
            "numpy.flip": ("py:function", GENERATED),
            "numpy.random.Generator": (
                "py:class",
                "reference/random/generator.html#numpy.random.Generator",
            ),
            "numpy.random.default_rng": (
                "py:function",
                "reference/random/generator.html#numpy.random.default_rng",
            ),
        },
    ),
    "torch": (
        "https://docs.pytorch.org/docs/stable/",
        {
            "torch.nn.Module": ("py:class", "generated/{name}.html"),
            "torch.nn.PixelUnshuffle": ("py:class", "generated/{name}.html"),
            "torch.nn.functional.conv2d": ("py:function", "generated/{name}.html"),
            "torch.nn.functional.pad": ("py:function", "generated/{name}.html"),
        },
    ),
    "sklearn": (
        "https://scikit-learn.org/stable/",
        {
            # The documentation of the methods that an estimator inherits mentions it.
            "metadata_routing": ("std:label", "metadata_routing.html#metadata-routing"),
        },
    ),
    "matplotlib": (
        "https://matplotlib.org/stable/",
        {
            "matplotlib.figure.Figure": (
                "py:class",
                "api/_as_gen/matplotlib.figure.Figure.html#matplotlib.figure.Figure",
            ),
        },
    ),
}
"""The address and the objects of each project: role, and place below the address."""


def mapping(folder: str) -> dict[str, tuple[str, str]]:
    """Return the value of `intersphinx_mapping` that reads the inventories of a folder."""
    return {name: (url, f"{folder}/{name}.inv") for name, (url, _) in PROJECTS.items()}


def write(folder: Path) -> None:
    """Write an inventory of each project into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for project, (_, objects) in PROJECTS.items():
        header = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: \n"
        header += "# The remainder of this file is compressed using zlib.\n"
        lines = "".join(
            f"{name} {role} 1 {place.format(name=name)} -\n"
            for name, (role, place) in sorted(objects.items())
        )
        content = header.encode() + zlib.compress(lines.encode())
        (folder / f"{project}.inv").write_bytes(content)
