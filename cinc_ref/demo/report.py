"""The report of the demonstration in Markdown."""

import textwrap

import numpy as np

from cinc_ref.demo.convolution import Inversion
from cinc_ref.demo.flow import TEMPERATURE, TrainedFlow

__all__ = ["render"]


def render(inversion: Inversion, trained: TrainedFlow, matrix_size: tuple[int, int]) -> str:
    """Format the whole report, which shows the pictures and quotes the figures."""
    return f"{_flow(trained)}\n{_convolution(inversion)}\n{_theory(inversion, matrix_size)}"


def _flow(trained):
    training, test, images = trained.training, trained.test, trained.images
    flow, sampling = training.flow, trained.sampling
    _, height, width = images.image_shape
    setting = textwrap.fill(
        f"{len(images.train):,} digits of {height}×{width} pixels and {images.bins} grey levels to "
        f"train on, {len(images.validation)} to choose the best moment, {len(images.test)} to "
        f"judge. The flow has {flow.levels} levels of {flow.depth} steps (actnorm, invertible 3×3 "
        f"convolution with {flow.corner_block} corner block, {flow.coupling} coupling of width "
        f"{flow.width}). To a model that knew nothing a pixel would cost log2({images.bins}) = "
        f"{np.log2(images.bins):.3f} bits.",
        width=100,
    )
    rows = _table(
        [
            ("training", trained.extent),
            ("validation", f"{training.best_bits:.3f} bits/dim"),
            (
                f"test, mean of {test.draws} noise draws",
                f"{test.bits_per_dim:.3f} ± {test.standard_deviation:.3f} bits/dim",
            ),
            *(
                (f"largest error of inverting the flow, {dtype}", f"{error:.1e} grey levels")
                for dtype, error in trained.errors.items()
            ),
            (
                f"sampling {len(trained.samples)} images, median of {len(sampling.seconds)}",
                f"{1000 * sampling.median:.0f} ms, {sampling.conditions}",
            ),
            ("the same, fastest", f"{1000 * sampling.minimum:.0f} ms"),
        ]
    )
    return f"""\
# A flow of invertible convolutions, trained on handwritten digits

{setting}

| | |
|---|---|
{rows}

![samples](samples.png)

{len(trained.samples)} new digits, drawn from the model at temperature {TEMPERATURE:g}.

![loss](loss.png)

![test digits, their latents, and the digits decoded from these](latents.png)

Digits that the flow has never seen, the latents to which it maps them (nearly noise, as many
numbers as pixels), and what comes back.
"""


def _convolution(inversion):
    count = len(inversion.round_trips[-1].images)
    kernel = "\n".join(
        "    " + " ".join(f"{value:7.3f}" for value in row) for row in inversion.kernel[0, 0]
    )
    rows = _table(
        (trip.dtype, f"{trip.largest_error:.1e}", f"{np.finfo(trip.dtype).eps:.1e}")
        for trip in inversion.round_trips
    )
    return f"""\
# One of its convolutions, inverted exactly

{count:,} digits convolved with one random kernel and recovered from the result by substitution,
pixel after pixel.

{kernel}

| precision | largest error, grey levels | machine epsilon |
|---|---|---|
{rows}

![image, convolution, exact inverse and error](inverse.png)

In the convolution blue is negative, white is zero and red is positive.
"""


def _theory(inversion, matrix_size):
    height, width = inversion.round_trips[-1].images.shape[2:]
    corner = inversion.kernel[0, 0, -1, -1]
    rows = _table(
        [
            (f"{height * width}·log {corner:.3g}", f"{inversion.log_abs_det:.12f}"),
            ("from the matrix by elimination", f"{inversion.log_abs_det_of_matrix:.12f}"),
            ("condition number of M", f"{inversion.condition_number:.1f}"),
        ]
    )
    return f"""\
## Why it is invertible

Every output pixel reads itself, through the kernel's last entry K_nn, and earlier pixels. So the
matrix M of the convolution is triangular, with K_nn all along its diagonal, and
log|det M| = H·W·log|K_nn|.

| log\\|det M\\| on {height}×{width} pixels, nats | |
|---|---|
{rows}

![the matrix of the convolution, one colour a tap](matrix.png)

The matrix of the same kernel on images of {matrix_size[0]}×{matrix_size[1]} pixels: one colour
a tap, red the tap K_nn that reads the pixel itself.
"""


def _table(rows):
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
