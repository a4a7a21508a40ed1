"""What the tests compare with: the matrix from the definition, and kernels drawn for them.

Drawn kernels are well conditioned by construction, never by rejection, and never near the
identity: diagonals of both signs and away from 1, every causal tap non-zero.
"""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

import cinc_ref as cr
from cinc_ref.geometry import CORNERS

DTYPES = (np.float32, np.float64)


@dataclass(frozen=True)
class Problem:
    """A kernel and images with the options of conv."""

    kernel: np.ndarray
    x: np.ndarray
    options: dict

    @property
    def size(self):
        return self.x.shape[2:]

    def matrix(self, dtype=np.longdouble):
        return cr.convolution_matrix(self.kernel, self.size, **self.options).astype(dtype)

    def causal(self):
        """1 at the taps up to the anchor, 0 at the others."""
        return causal_mask(self.kernel.shape, self.options["anchor"])


def causal_mask(shape, anchor):
    taps = np.arange(shape[2] * shape[3]).reshape(shape[2:])
    return np.broadcast_to(taps <= anchor[0] * shape[3] + anchor[1], shape).astype(np.float64)


def corner_block(rng, channels, kind):
    """An invertible corner block: "lower", "upper" or "dense", or unit triangular."""
    if kind == "dense":
        q = np.linalg.qr(rng.normal(size=(channels, channels)))[0]
        return q * rng.uniform(0.5, 2, channels)
    block = rng.uniform(-0.5, 0.5, (channels, channels))
    diagonal = rng.choice([-1.0, 1.0], channels) * rng.uniform(0.5, 2, channels)
    if kind == "unit":
        diagonal = np.ones(channels)
    return (np.triu(block, 1) if kind == "upper" else np.tril(block, -1)) + np.diag(diagonal)


def kernel_for(rng, shape, anchor, kind):
    """Other taps scaled so that sum ||B^-1 K_ab|| <= 0.7: the inverse is bounded at any size."""
    block = corner_block(rng, shape[0], kind)
    kernel = rng.uniform(-1, 1, shape) * causal_mask(shape, anchor)
    kernel[:, :, anchor[0], anchor[1]] = 0
    scaled = np.einsum("oc,ciab->oiab", np.linalg.inv(block), kernel)
    total = np.linalg.norm(scaled, 2, axis=(0, 1)).sum()
    kernel *= 0.7 / total if total else 1
    kernel[:, :, anchor[0], anchor[1]] = block
    return kernel


@st.composite
def problems(draw, dtypes=DTYPES, kinds=("lower", "upper", "dense"), largest=5):
    channels, kh, kw = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    height, width = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    anchor = (kh - 1, draw(st.sampled_from([kw - 1, *range(kw)])))
    dtype = draw(st.sampled_from(dtypes))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kernel = kernel_for(rng, (channels, channels, kh, kw), anchor, draw(st.sampled_from(kinds)))
    x = rng.normal(size=(draw(st.integers(0, 3)), channels, height, width))
    options = {
        "corner": draw(st.sampled_from(CORNERS)),
        "dilation": draw(st.integers(1, 3)),
        "anchor": anchor,
    }
    return Problem(kernel.astype(dtype), x.astype(dtype), options)


def flat(images):
    """Images as rows in the matrix's pixel-major order."""
    rows = images.transpose(0, 2, 3, 1)
    return rows.reshape(len(images), int(np.prod(images.shape[1:])))


def residual(problem, y, x):
    """max |y - M x| / (|M| |x|) in units of eps of the kernel's dtype, in extended precision."""
    matrix = problem.matrix()
    gap = np.abs(flat(y) - flat(x).astype(np.longdouble) @ matrix.T)
    scale = np.abs(flat(x)) @ np.abs(matrix).T
    return np.max(gap / scale, initial=0) / np.finfo(problem.kernel.dtype).eps
