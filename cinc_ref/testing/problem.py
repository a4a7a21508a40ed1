"""`Problem`, a random kernel and images that follow from a recipe of one line."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.theory.random_kernels import causal_mask, random_kernel

__all__ = ["DIAGONALS", "Problem"]

DIAGONALS = {  # the smallest and the largest |K_nn|
    "mixed": (1.5, 2.5),  # except in one channel, where it is below 1
    "large": (1.5, 2.5),
    "small": (0.4, 0.8),
    "tiny": (0.01, 0.03),
    "unit": (1.0, 1.0),
    "wide": (0.05, 20.0),  # of evenly distributed logarithms
}


@dataclass(frozen=True)
class Problem:
    r"""The random inputs for one call of each operation, which follow from this recipe.

    The inverse is well conditioned at any image size by construction: the sum of
    :math:`\|B^{-1} K_{ab}\|_2` over the taps other than the corner block B is `other_taps` < 1. The
    kernel is nowhere near the identity, and no entry of a causal tap is close to 0.

    Parameters
    ----------
    seed : int
        The seed of kernel and images.
    images, channels : int
        N and C.
    kernel_size, size : (int, int)
        (kh, kw) and (H, W).
    dtype : {"float32", "float64"}
        The dtype of kernel and images.
    corner_block : {"lower", "upper", "dense", "diagonal"}
        The shape of B. With "diagonal" the kernel is that of "upper" but for the entries of B above
        the diagonal, which are 0.
    diagonal : {"mixed", "large", "small", "tiny", "unit", "wide"}
        The size of the diagonal entries of B: about 2 with one below 1, about 2, below 1, about
        0.02, 1, or from 0.05 to 20. An odd number of them is negative, except for "unit".
    positive : bool
        Whether the diagonal entries of B are all positive.
    other_taps : float
        The sum above; 0 for a kernel that is 0 outside B.
    only_tap : (int, int), optional
        (row, column) of the only other tap that is not 0.
    integers : bool
        Whether kernel and images hold small integers, so that ``matrix @ image`` is exact.
    corner, dilation, anchor
        The options of `cinc_ref.conv`.

    Examples
    --------
    >>> from cinc_ref.testing import Problem
    >>> problem = Problem(seed=0, channels=2, size=(4, 5))
    >>> problem.x.shape, problem.kernel.shape, problem.options
    ((2, 2, 4, 5), (2, 2, 3, 3), {})
    """

    seed: int
    images: int = 2
    channels: int = 3
    kernel_size: tuple[int, int] = (3, 3)
    size: tuple[int, int] = (4, 4)
    dtype: str = "float64"
    corner_block: str = "lower"
    diagonal: str = "mixed"
    positive: bool = False
    other_taps: float = 0.7
    only_tap: tuple[int, int] | None = None
    integers: bool = False
    corner: str = "top-left"
    dilation: int = 1
    anchor: tuple[int, int] | None = None

    def __repr__(self) -> str:
        """Show the recipe without what is left at its default."""
        fields = self.__dataclass_fields__.values()
        given = [f.name for f in fields if getattr(self, f.name) != f.default]
        return f"Problem({', '.join(f'{name}={getattr(self, name)!r}' for name in given)})"

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of `cinc_ref.conv` that differ from their defaults."""
        options = {"corner": self.corner, "dilation": self.dilation, "anchor": self.anchor}
        defaults = {"corner": "top-left", "dilation": 1, "anchor": None}
        return {name: value for name, value in options.items() if value != defaults[name]}

    @cached_property
    def anchor_tap(self) -> tuple[int, int]:
        """(row, column) of the tap that reads the pixel itself."""
        height, width = self.kernel_size
        return (height - 1, width - 1) if self.anchor is None else self.anchor

    @cached_property
    def kernel(self) -> Array:
        """The kernel K, of shape (C, C, kh, kw)."""
        rng, (p, q) = self._generator(0), self.anchor_tap
        kind = "upper" if self.corner_block == "diagonal" else self.corner_block
        shape = (self.channels, self.channels, *self.kernel_size)
        taps = np.ones(self.kernel_size, bool)
        if self.only_tap is not None:
            taps[:] = False
            taps[self.only_tap] = True
        diagonal = self._diagonal(rng)
        if self.integers:
            kernel = _integer_kernel(rng, shape, (p, q), kind, diagonal, taps)
        else:
            kernel = random_kernel(
                rng, shape, (p, q), kind, self.other_taps, diagonal=diagonal, taps=taps
            )
        if self.corner_block == "diagonal":
            kernel[:, :, p, q] = np.diag(diagonal)
        return kernel.astype(self.dtype)

    @cached_property
    def x(self) -> Array:
        """The images, of shape (N, C, H, W), normally distributed."""
        return self._images(1)

    @cached_property
    def g(self) -> Array:
        """The gradients with respect to an output, of shape (N, C, H, W)."""
        return self._images(2)

    def _images(self, stream):
        rng, shape = self._generator(stream), (self.images, self.channels, *self.size)
        drawn = rng.integers(-9, 10, shape) if self.integers else rng.normal(size=shape)
        return drawn.astype(self.dtype)

    def _generator(self, stream):
        return np.random.default_rng([self.seed, stream, self.channels, *self.size])

    def _diagonal(self, rng):
        """Draw the diagonal of B; an odd number of entries is negative, so that det B is."""
        c = self.channels
        least, largest = DIAGONALS[self.diagonal]
        magnitudes = rng.uniform(least, largest, c)
        if self.diagonal == "wide":
            magnitudes = np.exp(rng.uniform(np.log(least), np.log(largest), c))
        if self.diagonal == "mixed" and c > 1:
            magnitudes[rng.integers(c)] = rng.uniform(0.7, 0.9)
        if self.integers:
            magnitudes = np.full(c, 2.0)
        if self.diagonal == "unit" or self.positive:
            return magnitudes
        signs = np.ones(c)
        signs[: 1 + 2 * int(rng.integers((c + 1) // 2))] = -1
        return magnitudes * rng.permutation(signs)


def _integer_kernel(rng, shape, anchor, kind, diagonal, taps):
    """Draw a kernel whose entries are 1, 2, -1 or -2; a dense B is a product of two triangles."""
    entries = rng.choice([-2.0, -1.0, 1.0, 2.0], shape)
    kernel = entries * causal_mask(shape, anchor) * taps
    block = entries[:, :, *anchor]
    lower, upper = np.tril(block, -1), np.triu(block, 1)
    kernel[:, :, *anchor] = {
        "lower": lower + np.diag(diagonal),
        "upper": upper + np.diag(diagonal),
        "dense": (lower + np.eye(len(block))) @ (upper + np.diag(diagonal)),
    }[kind]
    return kernel
