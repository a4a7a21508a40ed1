"""The pages of the API reference: one for each module, with a table of its public names."""

import inspect
from importlib import import_module
from importlib.util import find_spec
from typing import Any

__all__ = ["ROOMS", "page_of", "pages", "public_names"]

ROOMS = {
    "cinc_ref": "The operations, training and files",
    "cinc_ref.bijections": "The layers",
    "cinc_ref.flows": "Flows and their parts",
    "cinc_ref.training": "What training returns",
    "cinc_ref.evaluation": "Figures of a model",
    "cinc_ref.sampling": "Samples in files",
    "cinc_ref.data": "Image sets",
    "cinc_ref.theory": "Theorems, exact arithmetic, stability",
    "cinc_ref.testing": "Checks of anybody's layer",
    "cinc_ref.testing.strategies": "Hypothesis strategies",
    "cinc_ref.torch": "The operations in PyTorch",
    "cinc_ref.jax": "The operations in JAX",
    "cinc_ref.sklearn": "A density estimator for scikit-learn",
    "cinc_ref.interop": "Kernels and images of other implementations",
    "cinc_ref.comparison": "Comparisons of systems",
    "cinc_ref.plots": "Pictures",
    "cinc_ref.timing": "Timing on one core",
    "cinc_ref.bench": "Benchmarks",
    "cinc_ref.reference": "The specification",
    "cinc_ref.geometry": "Corner, dilation, anchor",
    "cinc_ref.classroom": "Exercises of the class",
    "cinc_ref.errors": "Errors and warnings",
}
"""Public modules in the order of the reference, each with its heading."""

FRAMEWORKS = ("torch", "jax", "sklearn")
"""Modules that need the package of their name; without it they have no page."""


def public_names(module: Any) -> list[str]:
    """Return the functions and classes that a module offers, each under one name only."""
    listed = getattr(module, "__all__", None)
    names = listed or [name for name in vars(module) if not name.startswith("_")]
    return [name for name in names if _is_documented(module, name)]


def _is_documented(module, name):
    value = getattr(module, name)
    if not (inspect.isfunction(value) or inspect.isclass(value)):
        return False
    shorter = import_module("cinc_ref")
    return module is shorter or getattr(shorter, name, None) is not value


def pages() -> dict[str, str]:
    """Return the text of every page by its file name, the page of contents included."""
    rooms = {name: heading for name, heading in ROOMS.items() if _is_importable(name)}
    texts = {f"{name}.rst": page_of(name, heading) for name, heading in rooms.items()}
    return {"index.rst": _contents(rooms), **texts}


def _is_importable(name):
    framework = name.removeprefix("cinc_ref.")  # a module that wraps a framework has its name
    needed = [framework] if framework in FRAMEWORKS else []
    return all(find_spec(each) for each in (name, *needed))


def _contents(rooms):
    title = "API reference"
    lines = [title, "=" * len(title), "", "Every public name, module by module.", ""]
    lines += [".. list-table::", "   :widths: auto", ""]
    for name, heading in rooms.items():
        lines += [f"   * - :doc:`{name} <{name}>`", f"     - {heading}"]
    lines += ["", ".. toctree::", "   :hidden:", "   :maxdepth: 1", ""]
    lines += [f"   {name} <{name}>" for name in rooms]
    return "\n".join(lines) + "\n"


def page_of(name: str, heading: str) -> str:
    """Return the page of a module: heading, docstring and tables of classes and functions."""
    names = public_names(import_module(name))
    title = f"{name}: {heading[0].lower()}{heading[1:]}"
    lines = [title, "=" * len(title), "", f".. automodule:: {name}", "   :no-members:", ""]
    lines += [f".. currentmodule:: {name}", "", ".. autosummary::", "   :toctree: names", ""]
    lines += [f"   {each}" for each in names]
    return "\n".join(lines) + "\n"
