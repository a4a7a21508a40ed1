"""Type aliases of annotations, one for each kind of argument that many functions share."""

from collections.abc import Sequence
from os import PathLike
from typing import Any, Literal, SupportsAbs, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Array",
    "Corner",
    "FloatArray",
    "FloatArrayLike",
    "IntegerArray",
    "IntegerArrayLike",
    "Params",
    "Path",
    "RealArray",
    "RealArrayLike",
    "Seed",
    "Size",
]

Array: TypeAlias = NDArray[Any]
"""An array of any dtype, or of one that follows from the arguments: checkers take it for any."""

Corner: TypeAlias = Literal["top-left", "top-right", "bottom-left", "bottom-right"]
"""The image corner that a convolution pads."""

FloatArray: TypeAlias = NDArray[np.floating[Any]]
"""An array of float32 or float64."""

IntegerArray: TypeAlias = NDArray[np.integer[Any]]
"""An array of integers: grey levels, exact kernels."""

Params: TypeAlias = dict[str, Any]
"""The parameters of a flow or a layer: dicts, lists and tuples with arrays at their leaves."""

Path: TypeAlias = str | PathLike[str]
"""The path of a file or folder."""

Seed: TypeAlias = (
    int
    | Sequence[int]
    | np.random.SeedSequence
    | np.random.BitGenerator
    | np.random.Generator
    | None
)
"""Whatever `numpy.random.default_rng` takes (SPEC 7); None draws a new seed from the system."""

Size: TypeAlias = Sequence[int]
"""Height and width of images in pixels."""

FloatArrayLike: TypeAlias = (
    FloatArray
    | Sequence[FloatArray]
    | Sequence[Sequence[FloatArray]]
    | Sequence[Sequence[Sequence[FloatArray | Sequence[float]]]]
)
"""An array of floats with four axes, or nested sequences that make one; strings are none."""

IntegerArrayLike: TypeAlias = (
    IntegerArray
    | Sequence[IntegerArray]
    | Sequence[Sequence[IntegerArray]]
    | Sequence[Sequence[Sequence[IntegerArray | Sequence[int]]]]
)
"""An array of integers with four axes, or nested sequences that make one."""

RealArray: TypeAlias = NDArray[np.floating[Any] | np.integer[Any] | np.bool_ | np.object_]
"""An array of numbers, or of objects: Python integers, Fractions, symbols."""

_Row: TypeAlias = RealArray | Sequence[SupportsAbs[Any]]

RealArrayLike: TypeAlias = (
    RealArray
    | Sequence[_Row]
    | Sequence[Sequence[_Row]]
    | Sequence[Sequence[Sequence[_Row]]]
    | Sequence[Sequence[Sequence[Sequence[_Row]]]]
)
"""An array of numbers that are taken exactly, or nested sequences that make one."""
