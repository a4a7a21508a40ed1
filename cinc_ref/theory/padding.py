"""Centred and circular padding, with which no entry of the kernel decides invertibility."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from cinc_ref import _validate
from cinc_ref._typing import Array, RealArrayLike, Size
from cinc_ref.theory.arguments import check_kernel
from cinc_ref.theory.cases import Case
from cinc_ref.theory.evidence import Evidence, find, search
from cinc_ref.theory.exact import matrix_determinant, matrix_rank

__all__ = [
    "all_ones_is_singular",
    "circular_padding_can_be_singular",
    "correlation_matrix",
    "padded_matrix",
    "same_padding_can_be_singular",
]

SOURCE = "CInC Flow, section 3: the padding"

Padding: TypeAlias = Literal["same", "circular", "causal"]

PADDINGS: tuple[Padding, ...] = get_args(Padding)


def correlation_matrix(
    kernel: Array, size: Size, top: int, left: int, *, circular: bool = False
) -> Array:
    """Build the matrix of a cross-correlation that is padded by `top` rows and `left` columns.

    ``y[o, i, j] = sum K[o, c, a, b] x[c, i + a - top, j + b - left]``, with x = 0 outside the
    image, or periodic. Bottom and right are padded so that the size stays.

    Parameters
    ----------
    kernel : ndarray, shape (C, C, kh, kw)
    size : (int, int)
    top, left : int
    circular : bool

    Returns
    -------
    ndarray, shape (H*W*C, H*W*C)
        In pixel-major order, like `cinc_ref.convolution_matrix`.

    Examples
    --------
    >>> import numpy as np
    >>> correlation_matrix(np.array([[[[1, 2, 3]]]]), (1, 3), 0, 1)
    array([[2, 3, 0],
           [1, 2, 3],
           [0, 1, 2]])
    """
    channels, (height, width) = len(kernel), size
    matrix = np.zeros((height, width, channels, height, width, channels), kernel.dtype)
    for i, j, a, b in np.ndindex(height, width, *kernel.shape[2:]):
        row, column = i + a - top, j + b - left
        if circular or (0 <= row < height and 0 <= column < width):
            matrix[i, j, :, row % height, column % width] += kernel[:, :, a, b]
    return matrix.reshape(2 * (height * width * channels,))


def padded_matrix(kernel: RealArrayLike, size: Size, padding: Padding) -> Array:
    """Build the matrix of a cross-correlation with centred, circular or causal padding.

    Parameters
    ----------
    kernel : array_like, shape (C, C, kh, kw)
        Integers, Fractions or floats, copied unchanged.
    size : (int, int)
        Image height and width (H, W).
    padding : {"same", "circular", "causal"}
        Zeros around the image with the kernel centred; a periodic image with the kernel centred;
        zeros at the top and at the left only, as for `cinc_ref.conv`.

    Returns
    -------
    ndarray, shape (H*W*C, H*W*C)
        In pixel-major order, like `cinc_ref.convolution_matrix`, in the dtype of the kernel.

    Raises
    ------
    ShapeError, DtypeError, NonFiniteError, OptionError
        If an argument is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref import theory
    >>> ones = np.ones((1, 1, 3, 3))
    >>> for padding in ("same", "circular", "causal"):
    ...     print(padding, np.linalg.matrix_rank(theory.padded_matrix(ones, (3, 3), padding)))
    same 9
    circular 1
    causal 9
    """
    kernel, _ = check_kernel(kernel)
    size = _validate.check_size(size)
    padding = _validate.one_of("padding", padding, PADDINGS)
    needed = (len(kernel) * size[0] * size[1]) ** 2 * kernel.itemsize
    _validate.check_memory("size", size, needed, "use smaller images")
    kh, kw = kernel.shape[2:]
    if padding == "causal":
        return correlation_matrix(kernel, size, kh - 1, kw - 1)
    return correlation_matrix(kernel, size, kh // 2, kw // 2, circular=padding == "circular")


@dataclass(frozen=True)
class _Padded(Case):
    """A case with a padding and the rank that the padded matrix is known to have."""

    padding: Padding = "causal"
    known_rank: int = 0


def all_ones_is_singular(
    rng: np.random.Generator | None = None,
    effort: int = 1,
    *,
    rank: Callable[[Array], int] = matrix_rank,
) -> Evidence:
    """Theorem 6: the 3x3 kernel of ones, whose ranks are known; causally padded it is regular."""

    def refute(case):
        computed = rank(padded_matrix(case.kernel, case.size, case.padding))
        if computed == case.known_rank:
            return ""
        return f"rank {computed} with {case.padding} padding, not {case.known_rank}"

    def cases():
        for padding, side, known_rank in (
            ("same", 5, 16), ("same", 4, 16), ("circular", 3, 1),
            ("causal", 5, 25), ("causal", 4, 16), ("causal", 3, 9),
        ):  # fmt: skip
            ones, size = np.ones((1, 1, 3, 3), int), (side, side)
            yield _Padded(ones, size, "top-left", 1, (2, 2), padding=padding, known_rank=known_rank)

    return search(
        "ones, padded", "3x3 ones: rank 16 of 25 (same, 5x5), 1 of 9 (circular, 3x3); causal: full",
        SOURCE, cases(), refute, theorems=(6,), exhaustive=True,
    )  # fmt: skip


def same_padding_can_be_singular(
    rng: np.random.Generator, effort: int = 1, *, padding: Padding = "same"
) -> Evidence:
    """Theorem 6: a kernel without a zero that centred padding makes singular, found by search."""
    return _singular(rng, effort, padding, "same padding")


def circular_padding_can_be_singular(
    rng: np.random.Generator, effort: int = 1, *, padding: Padding = "circular"
) -> Evidence:
    """Theorem 6: a kernel without a zero that circular padding makes singular, found by search."""
    return _singular(rng, effort, padding, "circular padding")


def _singular(rng, effort, padding, name):
    def example(case):
        singular = matrix_determinant(padded_matrix(case.kernel, case.size, padding)) == 0
        causal = matrix_determinant(padded_matrix(case.kernel, case.size, "causal"))
        if not (singular and causal):
            return ""
        size = f"{case.size[0]}x{case.size[1]}"
        kernel = case.kernel[0, 0].tolist()
        return f"{kernel} on {size} has det M = 0, but {causal} with causal padding"

    def cases():
        for _ in range(3000 * effort):  # about one in 300 is an example
            kernel = rng.choice([-3, -2, -1, 1, 2, 3], (1, 1, 3, 3))
            yield Case(kernel, tuple(map(int, rng.integers(3, 5, 2))), "top-left", 1, (2, 2))

    statement = f"{name}: some kernel without a zero is singular, and regular causally padded"
    return find(name, statement, SOURCE, cases(), example, theorems=(6,))
