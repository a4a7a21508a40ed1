"""`Library`, the description of a flow library, and its parts; the files in `libraries/` are made of them.

Nothing here imports a flow library: layers and reproductions are source text, which `worker` runs
in the environment of the library.
"""

import importlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["NAMES", "PINS", "RESULTS", "ROOT", "Finding", "Layer", "Library", "library"]

ROOT = Path(__file__).resolve().parents[2]
"""The top of the checkout."""

PINS = ROOT / "tools" / "conformance" / "pins"
"""The directory of pinned requirements, one file a library, and base.txt for what all share."""

RESULTS = ROOT / "conformance"
"""The directory of results: JSON a library, TABLE.md and drafts of reports."""

NAMES: tuple[str, ...] = (
    "torch", "nflows", "normflows", "freia", "zuko", "pyro", "torchflows", "flowjax", "distrax",
    "numpyro", "enflows", "flowcon",
)  # fmt: skip
"""The libraries, by the names of their modules in `libraries/`, in the order of the table."""


@dataclass(frozen=True)
class Layer:
    """A layer as source text, and the options of `cinc_ref.testing.check` for it.

    Parameters
    ----------
    make : str
        An expression that makes the layer from the names that `Library.imports` defines.
    shape : tuple of int, optional
        The shape of one entry of the batch.
    of : str, optional
        The class, where `make` does not start with it.
    options : dict
        Further options: tolerance, perturb; x and context as expressions, which may use
        ``normal(*shape)`` and ``uniform(*shape)``.
    """

    make: str
    shape: tuple[int, ...] | None = None
    of: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def cls(self) -> str:
        """The name of the class."""
        return self.of or re.match(r"[\w.]*", self.make).group().split(".")[-1]


@dataclass(frozen=True)
class Finding:
    """A finding that was judged: a mistake with its reproduction, or a design with its reason.

    Parameters
    ----------
    subject : str
        A few words with hyphens, the name of the report.
    severity : {"wrong", "fragile", "by design", "check"}
        Whether results are wrong, wrong at the edges, meant to be as they are, or whether `check`
        itself is at fault.
    title : str
        One sentence.
    explains : tuple of (str, str)
        The findings of `check` that it explains: a class, or "*", and a cause, or "*"; the cause "error" is
        that of a layer that cannot be made.
    lines : str
        At most five lines that define ``got`` and ``expected``, which differ.
    confirm : str
        Lines after these that define ``confirmed``, computed in another way and equal to
        ``expected``; they may call ``numerical_log_det(function, x)``.
    confirmation : str
        What ``confirmed`` is, in words.
    expected, suggestion : str
        Sentences of the report: what is expected, with its equation, and what might be changed.
    """

    subject: str
    severity: str
    title: str
    explains: tuple[tuple[str, str], ...] = ()
    lines: str = ""
    confirm: str = ""
    confirmation: str = ""
    expected: str = ""
    suggestion: str = ""

    def matches(self, cls: str, cause: str) -> bool:
        """Return whether it explains a finding of `check` about a class, by its cause."""
        return any(c in ("*", cls) and why in ("*", cause) for c, why in self.explains)


@dataclass(frozen=True)
class Library:
    """A flow library: what is checked, what is left out, and the findings that were judged.

    Parameters
    ----------
    title, distribution, version : str
        The name, the name on the package index, and the release.
    imports : str
        The lines that every expression of a layer may rely on.
    roots : tuple of str
        The packages whose modules are searched for public classes.
    bases : tuple of str
        The dotted names of the classes from which all layers are derived.
    layers : tuple of Layer
        What is checked.
    left_out : dict
        The reason for every public class that is not checked.
    findings : tuple of Finding
        The judgement of every finding that is no convention.
    wrapping : str
        How `check` calls the layers, in a sentence.
    unneeded : dict
        Requirements that are not installed, with the reason.
    """

    title: str
    distribution: str
    version: str
    imports: str
    roots: tuple[str, ...]
    bases: tuple[str, ...]
    layers: tuple[Layer, ...]
    left_out: dict[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    wrapping: str = ""
    unneeded: dict[str, str] = field(default_factory=dict)


def library(name: str) -> Library:
    """Return the library that a module in `libraries/` describes."""
    return importlib.import_module(f"tools.conformance.libraries.{name}").LIBRARY
