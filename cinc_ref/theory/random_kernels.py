r"""Random kernels whose inverse is well conditioned by construction, never by rejection.

A causal convolution is :math:`M = (I \otimes B)(I + N)` with B the corner block. The blocks of N
are :math:`B^{-1} K_{ab}` for the taps before the anchor, so that

.. math::
    \|N\|_2 \le S = \sum_{(a, b) \ne (p, q)} \|B^{-1} K_{ab}\|_2, \qquad
    \|M^{-1}\|_2 \le \frac{\|B^{-1}\|_2}{1 - S} \quad \text{if } S < 1

at any image size. Kernels are drawn with a given S. They are nowhere near the identity: diagonal
entries have both signs, and no entry of a causal tap is close to 0.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np

from cinc_ref._typing import Array, FloatArray

__all__ = ["KINDS", "causal_mask", "corner_block", "norm_sum", "random_kernel"]

Kind: TypeAlias = Literal["unit", "lower", "upper", "dense"]

KINDS: tuple[Kind, ...] = get_args(Kind)
"""The kinds of corner block: lower triangular with ones on its diagonal, triangular, or dense."""

DIAGONAL = (0.5, 2.0)
"""The smallest and the largest magnitude of the diagonal entries of a corner block."""

TOTAL = 0.7
"""The sum S of the norms of the other taps, which must be below 1."""


def random_kernel(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    anchor: Sequence[int] | None = None,
    kind: Kind = "lower",
    total: float = TOTAL,
    *,
    diagonal: tuple[float, float] | FloatArray = DIAGONAL,
    taps: Array | None = None,
) -> FloatArray:
    """Draw a kernel of shape (C, C, kh, kw) in float64.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : (int, int, int, int)
        The shape of the kernel.
    anchor : (int, int), optional
        The tap that reads the pixel itself; the last one unless given. Taps after it are 0.
    kind : {"unit", "lower", "upper", "dense"}
        The kind of the corner block.
    total : float
        The sum S of the spectral norms of B^-1 K_ab over the other taps, if there are any.
    diagonal : (float, float) or ndarray of shape (C,)
        As in `corner_block`.
    taps : ndarray of bool, shape (kh, kw), optional
        Which of the taps before the anchor are not 0; all of them unless given.

    Returns
    -------
    ndarray, shape (C, C, kh, kw)

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.theory.random_kernels import norm_sum, random_kernel
    >>> kernel = random_kernel(np.random.default_rng(0), (3, 3, 2, 2))
    >>> block = kernel[:, :, 1, 1].copy()
    >>> kernel[:, :, 1, 1] = 0
    >>> round(norm_sum(block, kernel), 12)
    0.7
    """
    p, q = (shape[2] - 1, shape[3] - 1) if anchor is None else anchor
    block = corner_block(rng, shape[0], kind, diagonal)
    chosen = causal_mask(shape, (p, q)) * (1 if taps is None else taps)
    kernel = signed(rng, 1, 3, shape) * chosen
    kernel[:, :, p, q] = 0
    norms = norm_sum(block, kernel)
    kernel *= total / norms if norms else 1
    kernel[:, :, p, q] = block
    return kernel + 0.0  # no entry is -0.0


def corner_block(
    rng: np.random.Generator,
    channels: int,
    kind: Kind,
    diagonal: tuple[float, float] | FloatArray = DIAGONAL,
) -> FloatArray:
    """Draw an invertible corner block B, (C, C) in float64, that is well conditioned.

    A triangular block is D (I + N) with a diagonal D of both signs and the other entries of N, of
    magnitude 0.3/C to 1/C, on one side of the diagonal. A dense block is Q D with Q orthogonal.

    Parameters
    ----------
    rng : numpy.random.Generator
    channels : int
        C.
    kind : {"unit", "lower", "upper", "dense"}
        The kind of the block; the diagonal D of "unit" is 1.
    diagonal : (float, float) or ndarray of shape (C,)
        The smallest and the largest magnitude in D, or the entries of D themselves.

    Returns
    -------
    ndarray, shape (C, C)
    """
    if isinstance(diagonal, tuple):
        diagonal = signed(rng, *diagonal, channels)
    if kind == "dense":
        return np.linalg.qr(rng.normal(size=(channels, channels)))[0] * diagonal
    others = signed(rng, 0.3, 1, (channels, channels)) / channels
    others = np.triu(others, 1) if kind == "upper" else np.tril(others, -1)
    unit = others + np.eye(channels)
    return unit if kind == "unit" else diagonal[:, None] * unit


def causal_mask(shape: tuple[int, ...], anchor: Sequence[int]) -> FloatArray:
    """Mark the taps up to the anchor in raster order by 1 and the later ones by 0, in float64."""
    taps = np.arange(shape[2] * shape[3]).reshape(shape[2:])
    return np.broadcast_to(taps <= anchor[0] * shape[3] + anchor[1], shape).astype(np.float64)


def norm_sum(block: Array, taps: Array) -> float:
    """Add up the spectral norms of B^-1 K_ab over all taps K_ab of an array (C, C, kh, kw)."""
    scaled = np.einsum("oc,ciab->oiab", np.linalg.inv(block), taps)
    return float(np.linalg.norm(scaled, 2, axis=(0, 1)).sum())


def signed(
    rng: np.random.Generator, low: float, high: float, shape: int | tuple[int, ...]
) -> FloatArray:
    """Draw numbers of both signs with magnitudes from `low` to `high`."""
    return rng.uniform(low, high, shape) * rng.choice([-1.0, 1.0], shape)
