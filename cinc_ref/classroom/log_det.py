"""Exercise 4: the log-determinant.

The right results are log-determinants of whole matrices, computed without the theorem.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.classroom.drawn import drawn, sizes_of
from cinc_ref.classroom.task import Case, Signature, Slip, Task
from cinc_ref.testing.problem import Problem
from cinc_ref.theory.matrix import convolution_matrix

__all__ = ["TASK"]


def log_abs_det(
    kernel: Array,
    size: tuple[int, int],
    *,
    block: Callable[[Array], Array] = lambda kernel: kernel[:, :, -1, -1],
    figure: Callable[[Array], Any] = lambda block: np.linalg.slogdet(block)[1],
    count: Callable[..., float] = lambda h, w, c, kh, kw: h * w,
    unit: float = 1.0,
    sign: float = 1.0,
    finish: Callable[[Any, Array, tuple[int, int]], Any] = lambda value, kernel, size: value,
) -> tuple[Any]:
    """Compute log|det M| = H W log|det B|."""
    pixels = count(*size, len(kernel), *kernel.shape[2:])
    return (finish(sign * pixels * figure(block(kernel)) / unit, kernel, size),)


def _of_diagonal(function):
    return lambda block: function(np.diag(block))


def _determinant(value, kernel, size):
    """Return the determinant itself, with its sign."""
    return np.linalg.det(kernel[:, :, -1, -1]) ** (size[0] * size[1])


SLIPS = (
    Slip(
        "log|det B| is counted once, not once for each pixel: the factor H*W = {HW} is missing.",
        {"count": lambda h, w, c, kh, kw: 1},
    ),
    Slip(
        "This counts H + W pixels, where the image has H*W = {HW}.",
        {"count": lambda h, w, c, kh, kw: h + w},
    ),
    Slip(
        "This counts H = {H} pixels, where the image has H*W = {HW}.",
        {"count": lambda h, w, c, kh, kw: h},
    ),
    Slip(
        "This counts W = {W} pixels, where the image has H*W = {HW}.",
        {"count": lambda h, w, c, kh, kw: w},
    ),
    Slip("This counts H*H pixels, where the image has H*W.", {"count": lambda h, w, c, *k: h * h}),
    Slip("This counts W*W pixels, where the image has H*W.", {"count": lambda h, w, c, *k: w * w}),
    Slip(
        "The factor C*H*W = {CHW} is too large by C = {C}: the channels are in det B already.",
        {"count": lambda h, w, c, kh, kw: c * h * w},
    ),
    Slip(
        "The pixels are counted twice: the factor is (H*W)^2, where it should be H*W = {HW}.",
        {"count": lambda h, w, c, kh, kw: (h * w) ** 2},
    ),
    Slip(
        "This counts only the pixels whose window lies inside of the image without padding: every "
        "pixel has a diagonal block.",
        {"count": lambda h, w, c, kh, kw: (h - kh + 1) * (w - kw + 1)},
    ),
    Slip(
        "The log-determinant is divided by the number of entries C*H*W: it is a sum, not a mean.",
        {"count": lambda h, w, c, kh, kw: 1 / c},
    ),
    Slip("The sign is wrong: this is the log-determinant of the inverse.", {"sign": -1.0}),
    Slip("This is in bits (log2), where nats (log) are expected.", {"unit": float(np.log(2))}),
    Slip("This is log10, where the natural logarithm is expected.", {"unit": float(np.log(10))}),
    Slip(
        "log of a negative number is NaN: the absolute value is missing.",
        {"figure": _of_diagonal(lambda diagonal: np.log(diagonal).sum())},
    ),
    Slip(
        "This is the determinant, or a power of it: its logarithm is missing.",
        {"finish": lambda value, kernel, size: np.exp(value)},
    ),
    Slip(
        "This is the determinant: its logarithm is missing, and its absolute value.",
        {"finish": _determinant},
    ),
    Slip(
        "The determinant of a large image overflows or becomes 0 before its logarithm is taken: "
        "add up logarithms.",
        {"finish": lambda value, kernel, size: np.log(np.exp(value))},
    ),
    Slip(
        "The determinant of a large image overflows or becomes 0 before its logarithm is taken, "
        "and its absolute value is missing: add up logarithms of absolute values.",
        {"finish": lambda value, kernel, size: np.log(_determinant(value, kernel, size))},
    ),
    Slip(
        "Only the first channel is counted: det B is the product over all channels.",
        {"figure": _of_diagonal(lambda diagonal: np.log(abs(diagonal[0])))},
    ),
    Slip(
        "Only the last channel is counted: det B is the product over all channels.",
        {"figure": _of_diagonal(lambda diagonal: np.log(abs(diagonal[-1])))},
    ),
    Slip(
        "The logarithm is that of the sum of |K_nn| over the channels, not of their product.",
        {"figure": _of_diagonal(lambda diagonal: np.log(abs(diagonal).sum()))},
    ),
    Slip(
        "The logarithm is that of the trace of the corner block, not of its determinant.",
        {"figure": _of_diagonal(lambda diagonal: np.log(abs(diagonal.sum())))},
    ),
    Slip(
        "The logarithms of the channels are not added up: an image has one log-determinant.",
        {"figure": _of_diagonal(lambda diagonal: np.log(abs(diagonal)))},
    ),
    Slip(
        "The logarithms of the channels are averaged, where they should be added up.",
        {"figure": _of_diagonal(lambda diagonal: np.log(abs(diagonal)).mean())},
    ),
    Slip(
        "The logarithms of all entries of the corner block are added up: those below the diagonal "
        "do not matter for the determinant of a triangular block.",
        {"figure": lambda block: np.log(abs(block[block != 0])).sum()},
    ),
    Slip(
        "|K_nn| is not in a logarithm: this is a sum of absolute values.",
        {"figure": _of_diagonal(lambda diagonal: abs(diagonal).sum())},
    ),
    Slip(
        "The corner block is taken from the first tap K[:, :, 0, 0]: the diagonal of M holds the "
        "tap that reads the pixel itself.",
        {"block": lambda kernel: kernel[:, :, 0, 0]},
    ),
    Slip(
        "The corner block is taken from the tap in the middle of the kernel: the diagonal of M "
        "holds the tap that reads the pixel itself.",
        {"block": lambda kernel: kernel[:, :, kernel.shape[2] // 2, kernel.shape[3] // 2]},
    ),
    Slip(
        "The taps are added up: only the tap that reads the pixel itself is on the diagonal of M.",
        {"block": lambda kernel: kernel.sum(axis=(2, 3))},
    ),
)


def _cases():
    problems = [(problem.kernel, problem.x.shape[2:], problem.sizes) for problem in drawn()]
    small = Problem(8, 1, 3, (2, 2), (2, 3), diagonal="small")  # its log-determinant is negative
    problems.append((small.kernel, small.size, sizes_of(small.x, small.kernel)))
    faint = np.array([[[[0.1, -0.2], [0.3, 0.5]]]])  # 0.5 ** 1200 is 0 in float64
    large = np.broadcast_to(0.0, (1, 1, 40, 30))
    problems.append((faint, large.shape[2:], sizes_of(large, faint)))
    cases = []
    for kernel, size, sizes in problems:
        expected = np.asarray(np.linalg.slogdet(convolution_matrix(kernel, size))[1])
        sizes = {name: value for name, value in sizes.items() if name != "N"}
        cases.append(Case(((kernel, size),), (expected,), sizes))
    return cases


TASK = Task(
    title="the log-determinant",
    functions=(Signature("log_abs_det", ("kernel", "size"), ("log_det",)),),
    text=(
        "Compute log|det M| of the matrix of exercise 2 for images of size (H, W), one number in "
        "nats. The corner block B = K[:, :, -1, -1] is lower triangular, with entries of both "
        "signs. Images are large: do not build M."
    ),
    hint="M is block triangular: which blocks are on its diagonal, and how often?",
    cases=_cases,
    model=log_abs_det,
    slips=SLIPS,
)
