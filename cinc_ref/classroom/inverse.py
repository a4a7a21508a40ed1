"""Exercise 3: the inverse of the convolution.

The right results are the images themselves, of which y = M x is given. The model solves a system
whose matrix mistakes change: M = (corner block on the diagonal) + (earlier pixels).
"""

from collections.abc import Callable

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


def inverse(
    y: Array,
    kernel: Array,
    *,
    taps: Callable[[Array], Array] = lambda kernel: kernel,
    block: Callable[[Array], Array] = lambda block: block,
    earlier: Build = _earlier,
    solve: Callable[[Array, Array], Array] = lambda diagonal, others: np.linalg.inv(
        diagonal + others
    ),
    finish: Callable[[Array], Array] = lambda x: x,
) -> tuple[Array]:
    """Compute x = M^-1 y, with the inverse of M."""
    kernel, size = taps(kernel), y.shape[2:]
    corner_block = block(kernel[:, :, -1, -1])
    diagonal = np.kron(np.eye(size[0] * size[1]), corner_block)
    rows = in_pixel_order(y) @ solve(diagonal, earlier(kernel, size)).T
    return (finish(to_images(rows, y.shape)),)


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


def _only_first_image(x):
    x = x.copy()
    x[1:] = 0
    return x


SLIPS = (
    Slip(
        "This applies the convolution to y again, where it should undo it.",
        {"solve": lambda diagonal, others: diagonal + others},
    ),
    Slip(
        "This applies the transpose of the matrix, which is not its inverse.",
        {"solve": lambda diagonal, others: (diagonal + others).T},
    ),
    Slip(
        "This is the inverse of the transpose: M^T is solved in the place of M.",
        {"solve": lambda diagonal, others: np.linalg.inv(diagonal + others).T},
    ),
    Slip(
        "What the earlier pixels gave is computed from y: it should be computed from the entries "
        "of x that are solved already.",
        {"solve": lambda diagonal, others: np.linalg.solve(diagonal, np.eye(len(others)) - others)},
    ),
    Slip(
        "The division by the corner block comes too early: it divides y alone, and what the "
        "earlier pixels gave is subtracted undivided.",
        {
            "solve": lambda diagonal, others: np.linalg.solve(
                np.eye(len(others)) + others, np.linalg.inv(diagonal)
            )
        },
    ),
    Slip(
        "The taps of earlier pixels are left out: every pixel is solved by itself.",
        {"earlier": _no_earlier},
    ),
    Slip(
        "What the earlier pixels gave is added, where it should be subtracted.",
        {"earlier": lambda kernel, size: -_earlier(kernel, size)},
    ),
    Slip(
        "Only earlier pixels of the same row are subtracted: what the rows above gave is missing "
        "(their taps are left out, or they are not solved yet).",
        {"earlier": _row_by_row},
    ),
    Slip(
        "The division by the corner block K[:, :, -1, -1] is missing.",
        {"block": lambda block: np.eye(len(block))},
    ),
    Slip(
        "This multiplies by the corner block, where it should divide.",
        {"block": np.linalg.inv},
    ),
    Slip(
        "Only the diagonal of the corner block is used: the channels of a pixel also read each "
        "other.",
        {"block": lambda block: np.diag(np.diag(block))},
    ),
    Slip("The corner block is transposed.", {"block": lambda block: block.T}),
    Slip(
        "Only the first entry K[0, 0, -1, -1] of the corner block is used, for all channels.",
        {"block": lambda block: block[0, 0] * np.eye(len(block))},
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
        "This inverts the convolution with the kernel flipped: K[:, :, -1, -1], not K[:, :, 0, 0], "
        "reads the pixel itself.",
        {"taps": reversed_taps},
    ),
    Slip(
        "Input and output channels of the kernel are exchanged.",
        {"taps": lambda kernel: kernel.swapaxes(0, 1)},
    ),
    Slip(
        "Rows and columns of the kernel are exchanged.",
        {"taps": lambda kernel: kernel.swapaxes(2, 3)},
    ),
    Slip("Only the first image of the batch is solved.", {"finish": _only_first_image}),
    Slip("The sign of the result is wrong.", {"finish": lambda x: -x}),
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
