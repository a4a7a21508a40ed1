"""`Layer`, a layer of any library as two functions of batches, which adapters make."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["InverseMissing", "Layer", "Perturbation"]


class InverseMissing(Exception):
    """The layer has no inverse, by the library's account."""


Perturbation = Callable[[np.random.Generator, float], int]
"""A function that moves trainable parameters by noise of a size, and returns their number."""


@dataclass
class Layer:
    """A layer as two functions of batches of its library's arrays, with what checks need to know.

    Parameters
    ----------
    name : str
        The name in reports.
    adapter : str
        The name of the adapter in `ADAPTERS`.
    framework : NumPy or a subclass
        The array library.
    forward : callable
        ``forward(x) -> (y, log_det)``; log_det is None where the layer has none.
    inverse : callable, optional
        ``inverse(y) -> (x, log_det)``; it raises `InverseMissing` where the layer has none.
    perturb : callable, optional
        The function that moves trainable parameters in place.
    perturb_constant : callable, optional
        The function that moves only those whose entries are all equal, as zeros: what is drawn at
        random is away from special values already, and may be constrained.
    parameters : callable, optional
        ``parameters()`` returns the trainable parameters by name, for the checks of gradients.
    shape : tuple of int, optional
        The shape of one entry of the batch, where the layer knows it.
    domain : (float, float)
        The interval from which entries are drawn.
    converted : bool
        Whether the layer was made in float32, and its constants with it.
    notes : list of str
        Sentences for the report.
    """

    name: str
    adapter: str
    framework: Any
    forward: Callable[[Any], tuple[Any, Any]]
    inverse: Callable[[Any], tuple[Any, Any]] | None = None
    perturb: Perturbation | None = None
    perturb_constant: Perturbation | None = None
    parameters: Callable[[], dict[str, Any]] | None = None
    shape: tuple[int, ...] | None = None
    domain: tuple[float, float] = (-np.inf, np.inf)
    converted: bool = False
    notes: list[str] = field(default_factory=list)
