"""Exercise 5: the gradients of the convolution.

The right results follow from the matrix: x_bar = M^T g, and since y is linear in the kernel, the
entry of kernel_bar is <g, conv(x, E)> for the kernel E that is 1 there and 0 elsewhere. The model
computes both as convolutions.
"""

from collections.abc import Callable

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.classroom.conv import conv, padded, reversed_taps
from cinc_ref.classroom.drawn import drawn, in_pixel_order, to_images
from cinc_ref.classroom.task import Case, Signature, Slip, Task
from cinc_ref.theory.matrix import convolution_matrix

__all__ = ["TASK"]

Part = Callable[[Array, Array, Array], Array]


def _convolved(**options):
    """Return the function of (x, kernel, g) that convolves g with the kernel."""
    return lambda x, kernel, g: conv(g, kernel, **options)[0]


def _exchanged(kernel):
    return kernel.swapaxes(0, 1)


def _turned(kernel):
    return reversed_taps(_exchanged(kernel))


BEFORE, AFTER = padded(1, 0, 1, 0), padded(0, 1, 0, 1)
"""Padding at the top left and at the bottom right, where a pixel reads those after it."""


def _correlated(pad=BEFORE, sums="nohw,nchwab->ocab", read=lambda x, kernel: x):
    """Return the function of (x, kernel, g) that correlates g with the padded x."""

    def part(x, kernel, g):
        kh, kw = kernel.shape[2:]
        images = pad(read(x, kernel), kh, kw)
        windows = np.lib.stride_tricks.sliding_window_view(images, (kh, kw), axis=(2, 3))
        return np.einsum(sums, g, windows, optimize=True)

    return part


x_bar_of: Part = _convolved(taps=_turned, pad=AFTER)
kernel_bar_of: Part = _correlated()


def conv_vjp(
    x: Array,
    kernel: Array,
    g: Array,
    *,
    x_bar: Part = x_bar_of,
    kernel_bar: Part = kernel_bar_of,
    finish: Callable[[Array, Array], tuple[Array, Array]] = lambda x_bar, kernel_bar: (
        x_bar,
        kernel_bar,
    ),
) -> tuple[Array, ...]:
    """Compute the gradients of <g, conv(x, kernel)> with respect to x and the kernel."""
    return finish(x_bar(x, kernel, g), kernel_bar(x, kernel, g))


def _solved(transposed):
    """Return the function of (x, kernel, g) that solves M or M^T."""

    def part(x, kernel, g):
        m = convolution_matrix(kernel, g.shape[2:])
        rows = np.linalg.solve(m.T if transposed else m, in_pixel_order(g).T)
        return to_images(rows.T, g.shape)

    return part


def _scaled(part, factor):
    return lambda x, kernel, g: part(x, kernel, g) * factor(x)


SLIPS = (
    Slip(
        "x_bar: this is conv(g, K) = M g, where the gradient is M^T g: g flows back from each "
        "output to all the entries that it read.",
        {"x_bar": _convolved()},
    ),
    Slip(
        "x_bar: the input and output channels of K are not exchanged; g has the output channels.",
        {"x_bar": _convolved(taps=reversed_taps, pad=AFTER)},
    ),
    Slip(
        "x_bar: the direction of the taps is wrong: a pixel was read by outputs to the right and "
        "below, each through another tap, and here the taps are in the order of conv.",
        {"x_bar": _convolved(taps=_exchanged, pad=AFTER)},
    ),
    Slip(
        "x_bar: the taps are in the order of conv and the channels are not exchanged.",
        {"x_bar": _convolved(pad=AFTER)},
    ),
    Slip(
        "x_bar: g is padded at the top left, where the outputs that read a pixel lie at its bottom "
        "right.",
        {"x_bar": _convolved(taps=_turned)},
    ),
    Slip(
        "x_bar: g is padded at the top left and K is as in conv, except that its channels are "
        "exchanged: outputs that read a pixel lie at its bottom right.",
        {"x_bar": _convolved(taps=_exchanged)},
    ),
    Slip(
        "x_bar: K is flipped, but g is padded at the top left and the channels are not exchanged.",
        {"x_bar": _convolved(taps=reversed_taps)},
    ),
    Slip(
        "x_bar: only the corner block B sends g back: the other taps are missing.",
        {"x_bar": lambda x, kernel, g: np.einsum("oc,nohw->nchw", kernel[:, :, -1, -1], g)},
    ),
    Slip("x_bar: this is M^-1 g, where the gradient is M^T g.", {"x_bar": _solved(False)}),
    Slip("x_bar: this is M^-T g, the gradient of the inverse.", {"x_bar": _solved(True)}),
    Slip("x_bar: this is g itself.", {"x_bar": lambda x, kernel, g: g}),
    Slip(
        "x_bar: it is divided by the number of images: images do not share x.",
        {"x_bar": _scaled(x_bar_of, lambda x: 1 / len(x))},
    ),
    Slip("x_bar: the sign is wrong.", {"x_bar": _scaled(x_bar_of, lambda x: -1)}),
    Slip(
        "x_bar: it is multiplied by x; y is linear in x, so its gradient does not depend on x.",
        {"x_bar": lambda x, kernel, g: x_bar_of(x, kernel, g) * x},
    ),
    Slip(
        "kernel_bar: it is averaged over the images, where all images share the kernel and their "
        "gradients add up (factor N = {N}).",
        {"kernel_bar": _scaled(kernel_bar_of, lambda x: 1 / len(x))},
    ),
    Slip(
        "kernel_bar: it is averaged over the pixels, where all pixels share the kernel and their "
        "gradients add up (factor H*W = {HW}).",
        {"kernel_bar": _scaled(kernel_bar_of, lambda x: 1 / (x.shape[2] * x.shape[3]))},
    ),
    Slip(
        "kernel_bar: it is averaged over images and pixels, where their gradients add up (factor "
        "N*H*W).",
        {"kernel_bar": _scaled(kernel_bar_of, lambda x: x.shape[1] / x.size)},
    ),
    Slip(
        "kernel_bar: only the first image counts.",
        {"kernel_bar": lambda x, kernel, g: kernel_bar_of(x[:1], kernel, g[:1])},
    ),
    Slip(
        "kernel_bar: only the last image counts: sums must start once and be added to (+=).",
        {"kernel_bar": lambda x, kernel, g: kernel_bar_of(x[-1:], kernel, g[-1:])},
    ),
    Slip(
        "kernel_bar: input and output channels are exchanged: o of g comes first, then c of x.",
        {"kernel_bar": _correlated(sums="nohw,nchwab->coab")},
    ),
    Slip(
        "kernel_bar: the taps are flipped: the tap K[:, :, -1, -1] multiplies the pixel itself.",
        {"kernel_bar": lambda x, kernel, g: reversed_taps(kernel_bar_of(x, kernel, g))},
    ),
    Slip(
        "kernel_bar: x is padded at the bottom right, where conv pads it at the top left.",
        {"kernel_bar": _correlated(pad=AFTER)},
    ),
    Slip(
        "kernel_bar: x is padded at the bottom right and the taps are flipped back.",
        {"kernel_bar": lambda x, kernel, g: reversed_taps(_correlated(pad=AFTER)(x, kernel, g))},
    ),
    Slip(
        "kernel_bar: pixels outside of the image are taken from the opposite side, where they "
        "should be 0 (np.roll does this, and so does the index -1).",
        {"kernel_bar": _correlated(pad=padded(1, 0, 1, 0, mode="wrap"))},
    ),
    Slip(
        "kernel_bar: this correlates g with the output y, where it should be the input x.",
        {"kernel_bar": _correlated(read=lambda x, kernel: conv(x, kernel)[0])},
    ),
    Slip(
        "kernel_bar: x and g have exchanged roles: g is read at the pixel, x at those before it.",
        {"kernel_bar": lambda x, kernel, g: kernel_bar_of(g, kernel, x)},
    ),
    Slip(
        "kernel_bar: this adds up g alone, the gradient of a bias.",
        {
            "kernel_bar": _correlated(
                read=lambda x, kernel: np.ones_like(x), pad=padded(1, 0, 1, 0, mode="edge")
            )
        },
    ),
    Slip("kernel_bar: the sign is wrong.", {"kernel_bar": _scaled(kernel_bar_of, lambda x: -1)}),
    Slip(
        "kernel_bar: it is multiplied by the kernel; y is linear in K, so its gradient does not "
        "depend on K.",
        {"kernel_bar": lambda x, kernel, g: kernel_bar_of(x, kernel, g) * kernel},
    ),
    Slip(
        "The two gradients are returned in the wrong order.",
        {"finish": lambda x_bar, kernel_bar: (kernel_bar, x_bar)},
    ),
)


def _cases():
    return [Case(((d.x, d.kernel, d.g),), _expected(d.x, d.kernel, d.g), d.sizes) for d in drawn()]


def _expected(x, kernel, g):
    size, rows, g_rows = x.shape[2:], in_pixel_order(x), in_pixel_order(g)
    x_bar = to_images(g_rows @ convolution_matrix(kernel, size), x.shape)
    kernel_bar = np.zeros_like(kernel)
    for index in np.ndindex(kernel.shape):
        unit = np.zeros_like(kernel)
        unit[index] = 1
        kernel_bar[index] = np.sum(g_rows * (rows @ convolution_matrix(unit, size).T))
    return x_bar, kernel_bar


TASK = Task(
    title="the gradients of the convolution",
    functions=(Signature("conv_vjp", ("x", "kernel", "g"), ("x_bar", "kernel_bar")),),
    text=(
        "A loss depends on y = conv(x, K) of exercise 1, and g, of the shape of y, is its gradient "
        "with respect to y. Compute x_bar, its gradient with respect to x, of the shape of x, and "
        "kernel_bar, that with respect to K, of the shape of K."
    ),
    hint="Start with y[n, o, i, j] = ... K[o, c, a, b] x[n, c, ...]: where does each factor go?",
    cases=_cases,
    model=conv_vjp,
    slips=SLIPS,
)
