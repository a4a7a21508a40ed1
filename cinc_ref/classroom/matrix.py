"""Exercise 2: the matrix of the convolution.

The model convolves the images that are 1 in one entry and 0 elsewhere, which are the columns.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.classroom import conv
from cinc_ref.classroom.drawn import drawn, in_pixel_order
from cinc_ref.classroom.task import Case, Signature, Slip, Task
from cinc_ref.theory.matrix import convolution_matrix

__all__ = ["TASK"]

Flatten = Callable[[Array], Array]


def _channels_first(images):
    return images.reshape(len(images), -1)


def _columns_first(images):
    return images.transpose(0, 3, 2, 1).reshape(len(images), -1)


def matrix(
    kernel: Array,
    size: tuple[int, int],
    *,
    read_size: Callable[[tuple[int, int]], tuple[int, int]] = lambda size: size,
    flatten: Flatten = in_pixel_order,
    finish: Callable[[Array], Array] = lambda m: m,
    build: Callable[[Array, tuple[int, int]], Array] | None = None,
    **options: Any,
) -> tuple[Array]:
    """Compute M, one column for each image of the standard basis, in the order of `flatten`."""
    if build is not None:
        return (finish(build(kernel, size)),)
    height, width = read_size(size)
    channels = len(kernel)
    entries = channels * height * width
    basis = np.eye(entries).reshape(entries, channels, height, width)
    order = flatten(np.arange(entries).reshape(1, channels, height, width))[0]
    (columns,) = conv.conv(basis[order], kernel, **options)
    return (finish(flatten(columns).T),)


def _rows_run_on(kernel, size):
    """Build the matrix with the taps at fixed distances in the flattened image."""
    channels, (height, width) = len(kernel), size
    kh, kw = kernel.shape[2:]
    built = np.zeros((height * width, channels, height * width, channels))
    for a, b in np.ndindex(kh, kw):
        distance = (kh - 1 - a) * width + kw - 1 - b
        for pixel in range(distance, height * width):
            built[pixel, :, pixel - distance] += kernel[:, :, a, b]
    return built.reshape(height * width * channels, -1)


def _of_padded(kernel, size):
    """Build the matrix whose columns are the entries of the padded image."""
    channels, (kh, kw) = len(kernel), kernel.shape[2:]
    height, width = size[0] + kh - 1, size[1] + kw - 1
    entries = channels * height * width
    basis = np.eye(entries).reshape(entries, height, width, channels).transpose(0, 3, 1, 2)
    (columns,) = conv.conv(basis, kernel, pad=conv.padded(0, 0, 0, 0))
    return in_pixel_order(columns).T


def _one_channel(kernel, size):
    return convolution_matrix(kernel[:1, :1], size)


SLIPS = (
    Slip(
        "This is the transpose of the matrix: row r should hold what the output entry r reads.",
        {"finish": lambda m: m.T},
    ),
    Slip(
        "This is the inverse of the matrix.",
        {"finish": np.linalg.inv},
    ),
    Slip(
        "Rows and columns are in channel-major order, that of x.ravel() for x of shape (C, H, W): "
        "the channels of a pixel should stand together, and then M is block triangular.",
        {"flatten": _channels_first},
    ),
    Slip(
        "The pixels are numbered down the columns of the image, not along its rows.",
        {"flatten": _columns_first},
    ),
    Slip("Height and width are exchanged.", {"read_size": lambda size: size[::-1]}),
    Slip(
        "The rows of the image run on into each other: a tap left of the first column should read "
        "0, and here it reads the end of the row above.",
        {"build": _rows_run_on},
    ),
    Slip(
        "The columns stand for the pixels of the padded image: leave out those of the zeros, so "
        "that M is square.",
        {"build": _of_padded},
    ),
    Slip(
        "The channels are forgotten: M has one row for each pixel, where it should have C = {C}.",
        {"build": _one_channel},
    ),
    *(
        Slip(f"This is the matrix of another convolution. {slip.words}", slip.options)
        for slip in conv.SLIPS
        if slip.options.keys() <= {"taps", "pad", "sums"}
    ),
)


def _cases():
    cases = []
    for problem in drawn():
        size = problem.x.shape[2:]
        expected = convolution_matrix(problem.kernel, size)
        sizes = {name: value for name, value in problem.sizes.items() if name != "N"}
        cases.append(Case(((problem.kernel, size),), (expected,), sizes))
    return cases


TASK = Task(
    title="the matrix of the convolution",
    functions=(Signature("matrix", ("kernel", "size"), ("M",)),),
    text=(
        "The convolution of exercise 1 is linear in x. For images of size (H, W) compute its "
        "matrix M of the shape (H*W*C, H*W*C), in pixel-major order: entry (i*W + j)*C + c of a "
        "row or column stands for channel c of pixel (i, j)."
    ),
    hint="Column k is the convolution of the image that is 1 in entry k and 0 elsewhere.",
    cases=_cases,
    model=matrix,
    slips=SLIPS,
)
