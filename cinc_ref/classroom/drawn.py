"""Kernels and images of the exercises: a small one by hand, then drawn ones of many shapes."""

from typing import NamedTuple

import numpy as np

from cinc_ref._display import short_repr
from cinc_ref._typing import Array
from cinc_ref.testing.problem import Problem

__all__ = ["Drawn", "drawn", "in_pixel_order", "sizes_of", "to_images"]

RECIPES = (
    Problem(0, 1, 1, (2, 3), (3, 4), integers=True),
    Problem(1, 1, 2, (2, 2), (2, 3), integers=True),
    Problem(2, 2, 1, (3, 3), (4, 4)),
    Problem(3, 3, 2, (3, 2), (3, 5)),
    Problem(4, 2, 3, (3, 3), (5, 4)),
    Problem(5, 2, 2, (3, 2), (1, 4)),  # the kernel is taller than the image
    Problem(6, 2, 3, (1, 1), (2, 3)),
    Problem(7, 1, 2, (1, 1), (3, 2)),
)
"""Recipes of the drawn problems; sizes that a mistake may confuse differ in one of them."""


class Drawn(NamedTuple):
    """Images x and g, a kernel with a lower triangular corner block, and their sizes."""

    x: Array
    g: Array
    kernel: Array
    sizes: dict[str, int]

    __repr__ = short_repr


def drawn() -> list[Drawn]:
    """Return the problems, the smallest first: one image of 2 x 2 pixels with integers."""
    x, g = np.array([[[[1.0, 2.0], [4.0, 3.0]]]]), np.array([[[[1.0, -2.0], [3.0, 5.0]]]])
    kernel = np.array([[[[1.0, -1.0], [3.0, 2.0]]]])
    problems = [Drawn(x, g, kernel, sizes_of(x, kernel))]
    return problems + [Drawn(p.x, p.g, p.kernel, sizes_of(p.x, p.kernel)) for p in RECIPES]


def sizes_of(x: Array, kernel: Array) -> dict[str, int]:
    """Return N, C, H, W, kh and kw, with the products HW and CHW."""
    (n, c, h, w), (kh, kw) = x.shape, kernel.shape[2:]
    return {"N": n, "C": c, "H": h, "W": w, "kh": kh, "kw": kw, "HW": h * w, "CHW": c * h * w}


def in_pixel_order(images: Array) -> Array:
    """Flatten images (N, C, H, W) to rows (N, H*W*C), entry (i*W + j)*C + c."""
    return images.transpose(0, 2, 3, 1).reshape(len(images), -1)


def to_images(rows: Array, shape: tuple[int, ...]) -> Array:
    """Reshape rows in pixel order to images of a shape (N, C, H, W)."""
    n, c, h, w = shape
    return rows.reshape(n, h, w, c).transpose(0, 3, 1, 2)
