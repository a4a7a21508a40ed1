"""Exercise 3: the inverse of the convolution.

The right results are the images themselves, of which y = M x is given. The model solves a system
whose matrix mistakes change: M = (corner block on the diagonal) + (earlier pixels).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.classroom.conv import reversed_taps
from cinc_ref.classroom.drawn import drawn, in_pixel_order, to_images
from cinc_ref.classroom.task import Case, Signature, Slip, Task
from cinc_ref.theory.matrix import convolution_matrix

__all__ = ["TASK"]

Build = Callable[[Array, tuple[int, int]], Array]


def _earlier(kernel, size):
    """Return the matrix without its diagonal blocks."""
    taps = kernel.copy()
    taps[:, :, -1, -1] = 0
    return convolution_matrix(taps, size)


def _exactly(block, others):
    return np.linalg.inv(_diagonal(block, others) + others)


def _diagonal(block, others):
    """Return the matrix with the corner block on its diagonal, of the size of another."""
    return np.kron(np.eye(len(others) // len(block)), block)


class _Method(NamedTuple):
    """The way to solve: a change of the kernel, and the matrix from corner block and others."""

    taps: Callable[[Array], Array] = lambda kernel: kernel
    solve: Callable[[Array, Array], Array] = _exactly


EXACT = _Method()
"""The way to solve M x = y as it is."""


def inverse(
    y: Array,
    kernel: Array,
    *,
    method: _Method = EXACT,
    earlier: Build = _earlier,
    finish: Callable[[Array, Array], Array] = lambda x, kernel: x,
) -> tuple[Array]:
    """Compute x = M^-1 y, with the inverse of M."""
    kernel = method.taps(kernel)
    matrix = method.solve(kernel[:, :, -1, -1], earlier(kernel, y.shape[2:]))
    return (finish(to_images(in_pixel_order(y) @ matrix.T, y.shape), kernel),)


def _divided(block, matrix):
    return np.linalg.solve(_diagonal(block, matrix), matrix)


def _solved(solve):
    """Return the options of a mistake in the way to solve."""
    return {"method": _Method(solve=solve)}


def _block(change):
    """Return the options of a mistake that changes the corner block."""
    return _solved(lambda block, others: _exactly(change(block), others))


def _taps(change):
    """Return the options of a mistake that changes the kernel."""
    return {"method": _Method(taps=change)}


def _at_corner(corner):
    def earlier(kernel, size):
        taps = kernel.copy()
        taps[:, :, -1, -1] = 0
        return convolution_matrix(taps, size, corner=corner)

    return earlier


def _left_reads_right_end(kernel, size):
    """Build the matrix where taps of rows above, left of the image, read its right end."""
    channels, (height, width), (kh, kw) = len(kernel), size, kernel.shape[2:]
    built = np.zeros((height, width, channels, height, width, channels))
    for a, b, i, j in np.ndindex(kh, kw, height, width):
        row, column = i - (kh - 1 - a), j - (kw - 1 - b)
        if (a, b) != (kh - 1, kw - 1) and row >= 0 and (column >= 0 or row < i):
            built[i, j, :, row, column % width] += kernel[:, :, a, b]
    return built.reshape(height * width * channels, -1)


def _row_by_row(kernel, size):
    taps = kernel.copy()
    taps[:, :, :-1] = 0
    return _earlier(taps, size)


def _no_earlier(kernel, size):
    return np.zeros_like(_earlier(kernel, size))


def _only_first_image(x, kernel):
    x = x.copy()
    x[1:] = 0
    return x


def _only_columns_below_height(x, kernel):
    x = x.copy()
    x[:, :, :, x.shape[2] :] = 0
    return x


def _only_rows_below_width(x, kernel):
    x = x.copy()
    x[:, :, x.shape[3] :] = 0
    return x


def _cropped_at_the_padding(x, kernel):
    """Keep the zeros of the padding, and cut off as many rows and columns at the other end."""
    (height, width), (kh, kw) = x.shape[2:], kernel.shape[2:]
    return np.pad(x, ((0, 0), (0, 0), (kh - 1, 0), (kw - 1, 0)))[:, :, :height, :width]


SLIPS = (
    Slip(
        "This applies the convolution to y again, where it should undo it.",
        _solved(lambda block, others: _diagonal(block, others) + others),
    ),
    Slip(
        "This applies the transpose of the matrix, which is not its inverse.",
        _solved(lambda block, others: (_diagonal(block, others) + others).T),
    ),
    Slip(
        "This is the inverse of the transpose: M^T is solved in the place of M.",
        _solved(lambda block, others: _exactly(block, others).T),
    ),
    Slip(
        "What the earlier pixels gave is computed from y: it should be computed from the entries "
        "of x that are solved already.",
        _solved(lambda block, others: _divided(block, np.eye(len(others)) - others)),
    ),
    Slip(
        "The division by the corner block comes too early: it divides y alone, and what the "
        "earlier pixels gave is subtracted undivided.",
        _solved(
            lambda block, others: np.linalg.solve(
                np.eye(len(others)) + others, _divided(block, np.eye(len(others)))
            )
        ),
    ),
    Slip(
        "What the earlier pixels gave is added, where it should be subtracted.",
        _solved(lambda block, others: _exactly(block, -others)),
    ),
    Slip(
        "The taps of earlier pixels are left out: every pixel is treated by itself.",
        {"earlier": _no_earlier},
    ),
    Slip(
        "Only earlier pixels of the same row are subtracted: what the rows above gave is missing "
        "(their taps are left out, or they are not solved yet).",
        {"earlier": _row_by_row},
    ),
    Slip(
        "The division by the corner block K[:, :, -1, -1] is missing.",
        _block(lambda block: np.eye(len(block))),
    ),
    Slip(
        "This multiplies by the corner block, where it should divide.",
        _block(np.linalg.inv),
    ),
    Slip(
        "Only the diagonal of the corner block is used: the channels of a pixel also read each "
        "other.",
        _block(lambda block: np.diag(np.diag(block))),
    ),
    Slip("The corner block is transposed.", _block(lambda block: block.T)),
    Slip(
        "Only the first entry K[0, 0, -1, -1] of the corner block is used, for all channels.",
        _block(lambda block: block[0, 0] * np.eye(len(block))),
    ),
    Slip(
        "The pixels are solved from the bottom right, as if the image had been padded there.",
        {"earlier": _at_corner("bottom-right")},
    ),
    Slip(
        "The pixels are solved from the top right, as if the image had been padded there.",
        {"earlier": _at_corner("top-right")},
    ),
    Slip(
        "The pixels are solved from the bottom left, as if the image had been padded there.",
        {"earlier": _at_corner("bottom-left")},
    ),
    Slip(
        "At the left border the taps of the rows above read the right end of the image (the index "
        "-1 is the last column in Python): pixels outside of the image are 0.",
        {"earlier": _left_reads_right_end},
    ),
    Slip(
        "This inverts the convolution with the kernel flipped in both directions.",
        _taps(reversed_taps),
    ),
    Slip(
        "Input and output channels of the kernel are exchanged.",
        _taps(lambda kernel: kernel.swapaxes(0, 1)),
    ),
    Slip(
        "Input and output channels are exchanged in the taps of earlier pixels.",
        {"earlier": lambda kernel, size: _earlier(kernel.swapaxes(0, 1), size)},
    ),
    Slip(
        "Rows and columns of the kernel are exchanged.",
        _taps(lambda kernel: kernel.swapaxes(2, 3)),
    ),
    Slip("Only the first image of the batch is solved.", {"finish": _only_first_image}),
    Slip(
        "The result is right but in the columns from {H} on, which are 0: the loop over the "
        "columns runs to the height of the image.",
        {"finish": _only_columns_below_height},
    ),
    Slip(
        "The result is right but in the rows from {W} on, which are 0: the loop over the rows runs "
        "to the width of the image.",
        {"finish": _only_rows_below_width},
    ),
    Slip(
        "The padded image is cropped at the wrong corner: the rows and columns of zeros, {kh} - 1 "
        "and {kw} - 1 of them, are still at the top left, and as many are missing at the bottom "
        "right.",
        {"finish": _cropped_at_the_padding},
    ),
    Slip("The sign of the result is wrong.", {"finish": lambda x, kernel: -x}),
)


def _cases():
    cases = []
    for problem in drawn():
        matrix = convolution_matrix(problem.kernel, problem.x.shape[2:])
        y = to_images(in_pixel_order(problem.x) @ matrix.T, problem.x.shape)
        cases.append(Case(((y, problem.kernel),), (problem.x,), problem.sizes))
    return cases


TASK = Task(
    title="the inverse of the convolution",
    functions=(Signature("inverse", ("y", "kernel"), ("x",)),),
    text=(
        "y (N, C, H, W) is the convolution of exercise 1 of images x with a kernel K "
        "(C, C, kh, kw), whose corner block B = K[:, :, -1, -1] is lower triangular with a "
        "diagonal without zeros. Compute x, exactly."
    ),
    hint=(
        "Take one pixel, in raster order: which terms of y[n, :, i, j] do you know already, and "
        "what is left?"
    ),
    cases=_cases,
    model=inverse,
    slips=SLIPS,
)
