"""Random cases: kernels, options and image sizes on which a statement is tried."""

from dataclasses import dataclass

import numpy as np

from cinc_ref._checks import CORNERS
from cinc_ref.theory.matrix import convolution_matrix


@dataclass(frozen=True)
class Case:
    """A kernel with its options, and an image size."""

    kernel: np.ndarray
    size: tuple[int, int]
    corner: str
    dilation: int
    anchor: tuple[int, int]

    @property
    def options(self):
        """The keyword arguments of conv."""
        return {"corner": self.corner, "dilation": self.dilation, "anchor": self.anchor}

    @property
    def corner_block(self):
        """B, the taps that read the pixel itself."""
        return self.kernel[:, :, self.anchor[0], self.anchor[1]]

    @property
    def unknowns(self):
        """The number of rows of the matrix, C*H*W."""
        return len(self.kernel) * self.size[0] * self.size[1]

    def matrix(self):
        """M, from the definition."""
        return convolution_matrix(self.kernel, self.size, **self.options)


def integer_case(rng):
    """Small integers in every tap, the corner block included; about one B in ten is singular."""
    kernel, size, corner, dilation, anchor = _shapes(rng)
    return Case(rng.integers(-3, 4, kernel.shape) * kernel, size, corner, dilation, anchor)


def float_case(rng, dtype):
    """A kernel whose inverse is bounded by construction: sum of ||B^-1 K_ab|| <= 1/2.

    B is triangular (either way) or dense, its diagonal of both signs and away from 1.
    """
    kernel, size, corner, dilation, anchor = _shapes(rng)
    channels = len(kernel)
    block = rng.uniform(-1, 1, (channels, channels)) / channels
    block = (np.tril, np.triu, np.asarray)[rng.integers(3)](block)
    np.fill_diagonal(block, rng.choice([-1, 1], channels) * rng.uniform(1.5, 3, channels))
    taps = rng.uniform(-1, 1, kernel.shape) * kernel
    taps[:, :, anchor[0], anchor[1]] = 0
    scaled = np.einsum("oc,ciab->oiab", np.linalg.inv(block), taps)
    norms = np.linalg.norm(scaled, 2, axis=(0, 1)).sum()
    kernel = taps / max(2 * norms, 1e-3)
    kernel[:, :, anchor[0], anchor[1]] = block
    return Case(kernel.astype(dtype), size, corner, dilation, anchor)


def _shapes(rng):
    """A 0/1 kernel that marks the taps up to a random anchor, and the other options."""
    channels, kh, kw = rng.integers(1, 4), rng.integers(1, 5), rng.integers(1, 5)
    anchor = (int(kh) - 1, int(rng.integers(kw)))
    taps = np.arange(kh * kw).reshape(kh, kw) <= anchor[0] * kw + anchor[1]
    kernel = np.broadcast_to(taps.astype(int), (channels, channels, kh, kw))
    size = (int(rng.integers(1, 7)), int(rng.integers(1, 7)))
    return kernel, size, str(rng.choice(CORNERS)), int(rng.integers(1, 4)), anchor
