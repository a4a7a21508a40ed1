"""Random cases: kernels, options, image sizes and images on which a statement is tried."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from cinc_ref._display import fields_html, short_repr
from cinc_ref._typing import Array, Corner
from cinc_ref.geometry import CORNERS, Geometry
from cinc_ref.theory.matrix import convolution_matrix
from cinc_ref.theory.random_kernels import random_kernel

__all__ = [
    "OPTIONS",
    "Case",
    "float_case",
    "integer_case",
    "unit_case",
    "with_cancelling_corner",
    "with_integer_images",
    "with_singular_corner",
    "with_tiny_entries",
]

OPTIONS = ("corner", "dilation", "anchor")


@dataclass(frozen=True)
class Case:
    """A kernel with its options, an image size, and images if they matter.

    `x` are images of shape (N, C, H, W); `g` are others of the same shape, for gradients.
    """

    kernel: Array
    size: tuple[int, int]
    corner: Corner
    dilation: int
    anchor: tuple[int, int]
    x: Array | None = None
    g: Array | None = None

    __repr__ = short_repr
    _repr_html_ = fields_html

    @property
    def geometry(self) -> Geometry:
        """Return the corner, the dilation and the anchor."""
        return Geometry(self.corner, self.dilation, self.anchor)

    @property
    def options(self) -> dict[str, Any]:
        """Return the keyword arguments of conv."""
        return self.geometry._asdict()

    @property
    def corner_block(self) -> Array:
        """Return B, the taps that read the pixel itself."""
        return self.kernel[:, :, self.anchor[0], self.anchor[1]]

    @property
    def unknowns(self) -> int:
        """Return the number of rows of the matrix, C*H*W."""
        return len(self.kernel) * self.size[0] * self.size[1]

    def matrix(self) -> Array:
        """Build M from the definition."""
        return convolution_matrix(self.kernel, self.size, **self.options)

    def astype(self, dtype: DTypeLike) -> Self:
        """Convert the arrays to another dtype."""
        arrays = {name: getattr(self, name) for name in ("kernel", "x", "g")}
        return replace(self, **{k: v.astype(dtype) for k, v in arrays.items() if v is not None})

    def __str__(self) -> str:
        options = ", ".join(f"{name} {value}" for name, value in self.options.items())
        size = f"{self.size[0]}x{self.size[1]}"
        return f"kernel {self.kernel.tolist()}, image {size}, {options}"


def integer_case(rng: np.random.Generator, options: Collection[str] = OPTIONS) -> Case:
    """Draw small integers for every tap, the corner block included; one B in ten is singular."""
    case = _shapes(rng, options)
    return replace(case, kernel=rng.integers(-3, 4, case.kernel.shape) * case.kernel)


def unit_case(rng: np.random.Generator, options: Collection[str] = OPTIONS) -> Case:
    """Draw small integers and a unit triangular B: the inverse has integer entries, too."""
    case = integer_case(rng, options)
    lower = rng.integers(2)
    case.corner_block[:] = (np.tril if lower else np.triu)(case.corner_block, -1 if lower else 1)
    case.corner_block[:] += np.eye(len(case.kernel), dtype=int)
    return case


def float_case(
    rng: np.random.Generator, dtype: DTypeLike, options: Collection[str] = OPTIONS
) -> Case:
    """Draw a kernel whose inverse is bounded by construction: sum of ||B^-1 K_ab|| <= 0.7.

    B is triangular (either way) or dense, its diagonal of both signs and away from 1.
    """
    case = _shapes(rng, options)
    kind = str(rng.choice(["lower", "upper", "dense"]))
    kernel = random_kernel(rng, case.kernel.shape, case.anchor, kind, diagonal=(1.5, 3.0))
    return replace(case, kernel=kernel, x=rng.normal(size=_images_shape(case))).astype(dtype)


def with_integer_images(rng: np.random.Generator, case: Case) -> Case:
    """Add small integer images x and g to a case."""
    x, g = rng.integers(-9, 10, (2, *_images_shape(case)))
    return replace(case, x=x, g=g)


def with_tiny_entries(case: Case) -> Case:
    """Scale the kernel by 2^-60: the determinant of B is tiny, and 0 only if it was."""
    return replace(case, kernel=case.kernel * 2.0**-60)


def with_cancelling_corner(rng: np.random.Generator, case: Case) -> Case:
    """Multiply B by unit triangular matrices with large entries, which keep its determinant.

    In floating point that determinant is lost: its terms cancel.
    """
    size = len(case.kernel)
    lower, upper = rng.integers(10**5, 10**6, (2, size, size))
    identity = np.eye(size, dtype=int)
    kernel = case.kernel.copy()
    kernel[:, :, *case.anchor] = (
        (np.tril(lower, -1) + identity) @ case.corner_block @ (np.triu(upper, 1) + identity)
    )
    return replace(case, kernel=kernel)


def with_singular_corner(rng: np.random.Generator, case: Case) -> Case:
    """Replace one row of B by an integer combination of the others."""
    row = rng.integers(len(case.kernel))
    weights = rng.integers(-2, 3, len(case.kernel))
    weights[row] = 0
    kernel = case.kernel.copy()
    kernel[row, :, *case.anchor] = weights @ case.corner_block
    return replace(case, kernel=kernel)


def _images_shape(case):
    return (2, len(case.kernel), *case.size)


def _shapes(rng, options):
    """Draw a 0/1 kernel that marks the taps up to a random anchor, and the other options."""
    channels, kh, kw = (int(n) for n in rng.integers(1, 6, 3))
    anchor = _anchor(rng, kh, kw) if "anchor" in options else (kh - 1, kw - 1)
    taps = np.arange(kh * kw).reshape(kh, kw) <= anchor[0] * kw + anchor[1]
    dilation = int(rng.integers(1, 5)) if "dilation" in options else 1
    return Case(
        kernel=np.broadcast_to(taps.astype(int), (channels, channels, kh, kw)),
        size=(_side(rng, anchor[0] + 1, dilation), _side(rng, kw, dilation)),
        corner=str(rng.choice(CORNERS)) if "corner" in options else CORNERS[0],
        dilation=dilation,
        anchor=anchor,
    )


def _anchor(rng, kh, kw):
    """Draw an anchor, three times in four in the last row: below it all taps are 0."""
    row = kh - 1 if rng.integers(4) else int(rng.integers(kh))
    return row, int(rng.integers(kw))


def _side(rng, taps, dilation):
    """Draw a side of an image, up to 9 pixels: long enough for one of the taps to reach into it.

    One side in eight has up to 4 pixels, which taps may miss.
    """
    if rng.integers(8) == 0:
        return int(rng.integers(1, 5))
    reach = int(rng.integers(1, taps)) * dilation if taps > 1 else 0
    return int(rng.integers(min(reach, 8) + 1, 10))
