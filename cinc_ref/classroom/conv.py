"""Exercise 1: the convolution.

The expected results are products with the matrix of `cinc_ref.theory`, written down from the
definition. The model is another way to compute them, in four steps that mistakes change: change
the kernel, pad the images, sum over channels and taps, and finish.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cinc_ref._typing import Array
from cinc_ref.classroom.drawn import drawn, in_pixel_order, to_images
from cinc_ref.classroom.task import Case, Signature, Slip, Task
from cinc_ref.theory.matrix import convolution_matrix

__all__ = ["SLIPS", "TASK", "conv", "padded", "reversed_taps"]

Pad = Callable[[Array, int, int], Array]


def padded(above: int, below: int, left: int, right: int, **options: Any) -> Pad:
    """Return a function that pads images for kernels of kh x kw taps.

    The arguments are numbers of rows and columns as multiples of kh - 1 and kw - 1; options are
    those of `numpy.pad`.
    """

    def pad(x: Array, kh: int, kw: int) -> Array:
        rows, columns = (above * (kh - 1), below * (kh - 1)), (left * (kw - 1), right * (kw - 1))
        return np.pad(x, ((0, 0), (0, 0), rows, columns), **options)

    return pad


TOP_LEFT = padded(1, 0, 1, 0)
"""The padding of the task."""


def _centred(extra):
    """Return a function that pads on all sides, of an odd number of rows more below or above."""

    def pad(x, kh, kw):
        first = ((kh - 1 + extra) // 2, (kw - 1 + extra) // 2)
        rows, columns = (first[0], kh - 1 - first[0]), (first[1], kw - 1 - first[1])
        return np.pad(x, ((0, 0), (0, 0), rows, columns))

    return pad


def _too_far(x, kh, kw):
    return np.pad(x, ((0, 0), (0, 0), (kh, 0), (kw, 0)))[:, :, :-1, :-1]


def reversed_taps(kernel: Array) -> Array:
    """Rotate the taps of a kernel by 180 degrees."""
    return kernel[:, :, ::-1, ::-1]


def _einsum(subscripts):
    return lambda kernel, windows: np.einsum(subscripts, kernel, windows)


SUM_OVER_INPUTS = _einsum("ocab,nchwab->nohw")
"""The sum of the task, over input channels and taps."""


def conv(
    x: Array,
    kernel: Array,
    *,
    taps: Callable[[Array], Array] = lambda kernel: kernel,
    pad: Pad = TOP_LEFT,
    sums: Callable[[Array, Array], Array] = SUM_OVER_INPUTS,
    finish: Callable[[Array], Array] = lambda y: y,
) -> tuple[Array]:
    """Compute y = conv(x, kernel) as sums over windows of the padded images."""
    kernel = taps(kernel)
    kh, kw = kernel.shape[2:]
    windows = sliding_window_view(pad(x, kh, kw), (kh, kw), axis=(2, 3))
    return (finish(sums(kernel, windows)),)


def _without(rows, columns):
    """Return a function that sets the taps of some rows and columns to 0."""

    def taps(kernel):
        kernel = kernel.copy()
        kernel[:, :, rows] = 0
        kernel[:, :, :, columns] = 0
        return kernel

    return taps


def _only_taps(row, column):
    def taps(kernel):
        kept = np.zeros_like(kernel)
        kept[:, :, row, column] = kernel[:, :, row, column]
        return kept

    return taps


def _only_input(channel):
    return lambda kernel, windows: np.einsum(
        "oab,nhwab->nohw", kernel[:, channel], windows[:, channel]
    )


def _first_image(y):
    y = y.copy()
    y[1:] = 0
    return y


SLIPS = (
    Slip(
        "The kernel is flipped in both directions, the convolution of mathematics: here nothing is "
        "flipped (cross-correlation).",
        {"taps": reversed_taps},
    ),
    Slip(
        "The convolution is reflected: every pixel reads itself and pixels at its bottom right, "
        "where it should read those at its top left.",
        {"taps": reversed_taps, "pad": padded(0, 1, 0, 1)},
    ),
    Slip("The kernel is flipped upside down.", {"taps": lambda k: k[:, :, ::-1]}),
    Slip("The kernel is flipped from left to right.", {"taps": lambda k: k[:, :, :, ::-1]}),
    Slip(
        "Rows and columns of the kernel are exchanged.",
        {"taps": lambda kernel: kernel.swapaxes(2, 3)},
    ),
    Slip(
        "The image is padded at the bottom right: every pixel reads itself and pixels after it, "
        "where it should read pixels before it.",
        {"pad": padded(0, 1, 0, 1)},
    ),
    Slip("The image is padded at the top right, not at the left.", {"pad": padded(1, 0, 0, 1)}),
    Slip("The image is padded at the bottom left, not at the top.", {"pad": padded(0, 1, 1, 0)}),
    Slip(
        'The image is padded by half on each side ("same" padding): pixels read some that come '
        "after them.",
        {"pad": _centred(0)},
    ),
    Slip(
        'The image is padded by half on each side ("same" padding): pixels read some that come '
        "after them.",
        {"pad": _centred(1)},
    ),
    Slip(
        "The image is padded on all four sides by the whole kernel, so the result is larger than "
        "the image.",
        {"pad": padded(1, 1, 1, 1)},
    ),
    Slip(
        "The image is not padded, so the result is smaller than the image.",
        {"pad": padded(0, 0, 0, 0)},
    ),
    Slip(
        "Pixels outside of the image are taken from the opposite side, where they should be 0 "
        "(np.roll does this, and so does the index -1, which is the last entry in Python).",
        {"pad": padded(1, 0, 1, 0, mode="wrap")},
    ),
    Slip(
        "Pixels outside of the image repeat those at the border, where they should be 0.",
        {"pad": padded(1, 0, 1, 0, mode="edge")},
    ),
    Slip(
        "Every tap reads one pixel too far up and to the left: no tap reads the pixel itself.",
        {"pad": _too_far},
    ),
    Slip(
        "Input and output channels of the kernel are exchanged: the output channel comes first in "
        "K[o, c, a, b].",
        {"sums": _einsum("coab,nchwab->nohw")},
    ),
    Slip(
        "The sum over the input channels is missing: each output channel reads the input channel "
        "of the same number only.",
        {"sums": _einsum("ooab,nohwab->nohw")},
    ),
    Slip(
        "Each output channel reads the input channel of the same number with the taps of all "
        "channels added up.",
        {"sums": _einsum("ocab,nohwab->nohw")},
    ),
    Slip(
        "Only the last input channel counts: sums over channels must start once and be added to "
        "(+=).",
        {"sums": _only_input(-1)},
    ),
    Slip("Only the first input channel is read.", {"sums": _only_input(0)}),
    Slip(
        "Only the tap K[:, :, -1, -1] counts: the others are missing, or the sum starts anew at "
        "every tap (= for +=).",
        {"taps": _only_taps(-1, -1)},
    ),
    Slip(
        "The first row and the first column of taps are left out.",
        {"taps": _without(slice(0, 1), slice(0, 1))},
    ),
    Slip(
        "The tap K[:, :, -1, -1] is left out, so no pixel reads itself.",
        {"taps": lambda kernel: kernel - _only_taps(-1, -1)(kernel)},
    ),
    Slip(
        "The last row and the last column of taps are left out.",
        {"taps": _without(slice(-1, None), slice(-1, None))},
    ),
    Slip("Only the first image of the batch is computed.", {"finish": _first_image}),
    Slip("The sign of the result is wrong.", {"finish": lambda y: -y}),
)


def _cases():
    cases = []
    for problem in drawn():
        matrix = convolution_matrix(problem.kernel, problem.x.shape[2:])
        y = to_images(in_pixel_order(problem.x) @ matrix.T, problem.x.shape)
        cases.append(Case(((problem.x, problem.kernel),), (y,), problem.sizes))
    return cases


TASK = Task(
    title="the convolution",
    functions=(Signature("conv", ("x", "kernel"), ("y",)),),
    text=(
        "x has the shape (N, C, H, W) and kernel K the shape (C, C, kh, kw), output channel first. "
        "Compute y of the shape of x: pad x with kh-1 rows of zeros at the top and kw-1 columns at "
        "the left, then correlate: y[n, o, i, j] is the sum over c, a, b of "
        "K[o, c, a, b] padded[n, c, i + a, j + b]."
    ),
    hint="A loop over the taps (a, b) is enough: each adds a shifted image, for all n, i, j.",
    cases=_cases,
    model=conv,
    slips=SLIPS,
)
