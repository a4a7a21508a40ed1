"""Universality: convolutions from two opposite corners compose to every map, from one they do not.

The Lie algebra that matrices generate is the smallest vector space that holds them and, with any
two members A and B, the bracket [A, B] = A B - B A. What follows is about the matrices M(K) of all
kernels of one size, with C channels, on an H x W image.

Two opposite corners generate all of gl(C H W) if the taps cover the image. Let S_t be the shift by
an offset t, R_t = S_t^T the one of the opposite corner, E_ij the matrix unit of two pixels, 1 the
first pixel, n the last and m = n - 1. Then S_m = E_n1, hence [E_n1, R_t] = E_n,1+t - E_n-t,1, and a
further bracket with S_s gives -(E_n,1+r + E_n-r,1), r = t - s, where s is not 0. Together they
yield E_n,1+r and E_n-r,1 for every r but m; transposition yields E_1+r,n and E_1,n-r. The brackets
[E_i1, E_1j] are all other E_ij and the differences E_ii - E_11, and the anchor's tap adds I. All of
this holds with a C x C block as a second factor.

A path-connected group of matrices is a Lie group (Yamabe); one that holds all I + M(K) near I has
this Lie algebra. So every map with a positive determinant is a product of convolutions.

Kernels that are smaller than the image generate gl(C H W) too on all sizes with H, W > 1 that were
tried, but not always: with C = 1, the 1 x 2 kernels on 1 x W pixels preserve the bilinear form
sum of (-1)^i x_i y_(W+1-i) up to scalars, and generate I and so(W) for odd W, sp(W) for even W.

One corner generates nothing but convolutions: [A S_s, B S_t] = [A, B] S_(s+t). Blocks of trace 0
are sums of brackets and so appear at every sum of taps; multiples of the identity appear only at
taps. The dimension is (C^2 - 1) N + T with T taps inside the image and N sums of taps; it is
C^2 H W if the taps cover the image, and 4 for C = 1 and 2 x 2 kernels.

References
----------
Jurdjevic and Sussmann, "Control systems on Lie groups", 1972; Yamabe, "On an arcwise connected
subgroup of a Lie group", 1950.
"""

from collections.abc import Callable, Iterable

import numpy as np

from cinc_ref._typing import Corner
from cinc_ref.geometry import CORNERS
from cinc_ref.theory.cases import Case
from cinc_ref.theory.evidence import Evidence, search
from cinc_ref.theory.matrix import convolution_matrix
from cinc_ref.theory.modular import PRIME, row_echelon

__all__ = [
    "generated_dimension",
    "one_corner_dimension",
    "one_corner_generates_convolutions",
    "opposite",
    "opposite_corners_generate_everything",
]

SHAPES = ((1, 2, 2), (1, 2, 3), (1, 3, 2), (1, 3, 3), (2, 2, 2), (2, 2, 3))
"""The shapes (C, H, W) on which 2x2 kernels from two opposite corners are tried."""

MAX_UNKNOWNS = 12
"""The largest C*H*W of a random shape: the algebra lives in 144 dimensions."""


def opposite(corner: Corner) -> Corner:
    """Return the corner that is diagonally opposite."""
    return CORNERS[3 - CORNERS.index(corner)]


def generated_dimension(
    shape: tuple[int, int, int], corners: Iterable[Corner], kernel_size: tuple[int, int]
) -> int:
    """Compute the dimension of the Lie algebra that convolution matrices generate.

    The generators are the matrices of all kernels with a single entry 1. Brackets with the
    generators alone generate the algebra; ranks are those modulo 2^61 - 1, which are never above
    the ranks over the rationals. So a dimension of (C H W)^2 is proved.

    Parameters
    ----------
    shape : (int, int, int)
        Channels C, image height H and width W.
    corners : iterable of str
        The padded corners.
    kernel_size : (int, int)
        Height and width of the kernels.

    Returns
    -------
    int

    Examples
    --------
    >>> generated_dimension((1, 2, 3), ["top-left", "bottom-right"], (2, 2))
    36
    >>> generated_dimension((1, 2, 3), ["top-left"], (2, 2))
    4
    """
    channels, *size = shape
    units = np.eye(channels**2 * kernel_size[0] * kernel_size[1], dtype=np.int64)
    kernels = units.reshape(-1, channels, channels, *kernel_size)
    generators = np.array(
        [
            convolution_matrix(kernel, size, corner=corner)
            for corner in corners
            for kernel in kernels
        ]
    )
    algebra, pivots = row_echelon(generators.reshape(len(generators), -1))
    added = algebra
    while len(added):
        added = added.reshape(-1, *generators.shape[1:])
        brackets = [(g @ added - added @ g) % PRIME for g in generators]  # g has a single 1 a row
        rows = np.concatenate(brackets).reshape(-1, algebra.shape[1])
        algebra, columns = row_echelon(np.concatenate([algebra, rows[rows.any(axis=1)]]))
        added = algebra[~np.isin(columns, pivots)]
        pivots = columns
    return len(algebra)


def one_corner_dimension(shape: tuple[int, int, int], kernel_size: tuple[int, int]) -> int:
    """Return (C^2 - 1) N + T, with T taps inside the image and N sums of taps."""
    channels, height, width = shape
    rows, columns = min(kernel_size[0], height), min(kernel_size[1], width)
    sums = (height if rows > 1 else 1) * (width if columns > 1 else 1)
    return (channels**2 - 1) * sums + rows * columns


def opposite_corners_generate_everything(
    rng: np.random.Generator | None = None,
    effort: int = 1,
    *,
    partner: Callable[[Corner], Corner] = opposite,
) -> Evidence:
    """Try universality: kernels from a corner and its opposite generate all of gl(C H W).

    Parameters
    ----------
    rng, effort
        Not used: the shapes are fixed.
    partner : callable
        The second corner, a function of the first.

    Returns
    -------
    Evidence
    """

    def refute(case):
        corners = case.corner, partner(case.corner)
        dimension = generated_dimension(_shape(case), corners, case.kernel.shape[2:])
        return "" if dimension == case.unknowns**2 else f"the dimension is {dimension}"

    cases = [_case(shape, (2, 2), corner) for shape in SHAPES for corner in CORNERS[:2]]
    return search(
        "universality", "two opposite corners, 2x2 kernels: they generate all of gl(C H W); "
        "C = 1, images to 3x3; C = 2, images to 2x3",
        "proof in cinc_ref.theory.universality", cases, refute, theorems=(5,), exhaustive=True,
    )  # fmt: skip


def one_corner_generates_convolutions(
    rng: np.random.Generator,
    effort: int = 1,
    *,
    dimension: Callable[..., int] = one_corner_dimension,
) -> Evidence:
    """Try that kernels from one corner generate an algebra of dimension (C^2 - 1) N + T.

    Parameters
    ----------
    rng : numpy.random.Generator
    effort : int
    dimension : callable
        The dimension that is claimed, a function of the shape (C, H, W) and of the kernel's size.

    Returns
    -------
    Evidence
    """

    def refute(case):
        shape, kernel_size = _shape(case), case.kernel.shape[2:]
        computed = generated_dimension(shape, [case.corner], kernel_size)
        claimed = dimension(shape, kernel_size)
        return "" if computed == claimed else f"the dimension is {computed}, not {claimed}"

    return search(
        "one corner", "one corner: kernels generate (C^2 - 1) N + T dimensions modulo 2^61 - 1; "
        "T taps, N sums of taps",
        "proof in cinc_ref.theory.universality", (_random_case(rng) for _ in range(60 * effort)),
        refute, theorems=(5,),
    )  # fmt: skip


def _shape(case):
    return len(case.kernel), *case.size


def _case(shape, kernel_size, corner):
    """Return the case of all kernels of a size: a 1 in the place of every entry."""
    channels, *size = shape
    kernel = np.ones((channels, channels, *kernel_size), int)
    return Case(kernel, tuple(size), corner, 1, (kernel_size[0] - 1, kernel_size[1] - 1))


def _random_case(rng):
    """Draw up to 3 channels, kernels up to 3x3, and an image of at most MAX_UNKNOWNS."""
    channels = int(rng.integers(1, 4))
    height = int(rng.integers(1, 5))
    width = int(rng.integers(1, MAX_UNKNOWNS // (channels * height) + 1))
    kernel_size = tuple(rng.integers(1, 4, 2).tolist())
    return _case((channels, height, width), kernel_size, str(rng.choice(CORNERS)))
