"""A kernel and images, drawn from a recipe that prints as one line.

Kernels are well conditioned by construction and never near the identity: the diagonal of the corner
block has both signs and keeps away from 1, every other entry keeps away from 0.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cinc_ref.theory.random_kernels import causal_mask, random_kernel

DIAGONALS = {  # smallest and largest |K_nn|
    "mixed": (1.5, 2.5),  # but for one channel, below 1
    "large": (1.5, 2.5),
    "small": (0.4, 0.8),
    "tiny": (0.01, 0.03),
    "unit": (1.0, 1.0),
}


@dataclass(frozen=True)
class Problem:
    r"""Inputs for one call of each operation; everything follows from the recipe.

    The other taps are scaled so that the sum of :math:`\|B^{-1} K_{ab}\|_2` is `other_taps`, below
    1, which bounds the inverse at any image size.

    Parameters
    ----------
    seed : int
    images, channels : int
        N and C.
    kernel_size, size : (int, int)
        (kh, kw) and (H, W).
    dtype : {"float32", "float64"}
    corner_block : {"lower", "upper", "dense", "diagonal"}
        Shape of B; "diagonal" is that of "upper" alone, the other entries of the kernel the same.
    diagonal : {"mixed", "large", "small", "tiny", "unit"}
        Size of its diagonal entries, for triangular B.
    other_taps : float
        0 leaves the corner block alone.
    only_tap : (int, int), optional
        The one other tap that is not 0, as (row, column).
    integers : bool
        Small integers in kernel and images, so that ``matrix @ image`` is exact.
    corner, dilation, anchor
        As in `cinc_ref.conv`.

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
    other_taps: float = 0.7
    only_tap: tuple[int, int] | None = None
    integers: bool = False
    corner: str = "top-left"
    dilation: int = 1
    anchor: tuple[int, int] | None = None

    def __repr__(self):
        """The recipe, without what is left at its default."""
        fields = [field for field in self.__dataclass_fields__.values()]
        given = [f.name for f in fields if getattr(self, f.name) != f.default]
        return f"Problem({', '.join(f'{name}={getattr(self, name)!r}' for name in given)})"

    @property
    def options(self):
        """The keyword arguments that differ from the default."""
        options = {"corner": self.corner, "dilation": self.dilation, "anchor": self.anchor}
        defaults = {"corner": "top-left", "dilation": 1, "anchor": None}
        return {name: value for name, value in options.items() if value != defaults[name]}

    @cached_property
    def anchor_tap(self):
        """(row, column) of the tap that reads the pixel itself."""
        height, width = self.kernel_size
        return (height - 1, width - 1) if self.anchor is None else self.anchor

    @cached_property
    def kernel(self):
        """K, of shape (C, C, kh, kw)."""
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
    def x(self):
        """Images (N, C, H, W), normally distributed."""
        return self._images(1)

    @cached_property
    def g(self):
        """Gradients with respect to an output, (N, C, H, W)."""
        return self._images(2)

    def _images(self, stream):
        rng, shape = self._generator(stream), (self.images, self.channels, *self.size)
        drawn = rng.integers(-9, 10, shape) if self.integers else rng.normal(size=shape)
        return drawn.astype(self.dtype)

    def _generator(self, stream):
        return np.random.default_rng([self.seed, stream, self.channels, *self.size])

    def _diagonal(self, rng):
        """The diagonal: an odd number of its entries is negative, so that det B is."""
        c = self.channels
        magnitudes = rng.uniform(*DIAGONALS[self.diagonal], c)
        if self.diagonal == "mixed" and c > 1:
            magnitudes[rng.integers(c)] = rng.uniform(0.7, 0.9)
        if self.integers:
            magnitudes = np.full(c, 2.0)
        if self.diagonal == "unit":
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
