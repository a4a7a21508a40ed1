"""The demonstration: real handwritten digits, convolved, and recovered exactly."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cinc_ref import conv, conv_inverse, convolution_matrix, log_abs_det
from cinc_ref.data import digits
from cinc_ref.errors import OutputError
from cinc_ref.plots import inverse_figure, matrix_figure

KERNEL_SEED = 66
"""Among the seeds tried, one whose kernel changes the digits beyond recognition, yet is well
conditioned."""

MATRIX_SIZE = (5, 5)
PICTURED = (0, 3, 4, 8, 9)


@dataclass(frozen=True)
class RoundTrip:
    """The digits in one floating-point type, convolved and inverted."""

    images: np.ndarray
    convolved: np.ndarray
    inverted: np.ndarray

    @property
    def dtype(self):
        """Name of the floating-point type."""
        return str(self.images.dtype)

    @property
    def largest_error(self):
        """Largest absolute difference between an image and its inverse, in grey levels."""
        return float(np.abs(self.inverted - self.images).max())


@dataclass(frozen=True)
class Demonstration:
    """What was computed, and the files that show it.

    `kernel` has shape (1, 1, 3, 3), `condition_number` belongs to its matrix on one image, and
    the two values of log|det M|, in nats, come from the theorem and from the matrix.
    """

    kernel: np.ndarray
    condition_number: float
    log_abs_det: float
    log_abs_det_of_matrix: float
    round_trips: tuple[RoundTrip, ...]
    files: tuple[Path, ...]


def demo_kernel():
    """The kernel of the demonstration, float64 of shape (1, 1, 3, 3): random, K_nn = 0.8."""
    kernel = np.random.default_rng(KERNEL_SEED).normal(scale=0.4, size=(1, 1, 3, 3))
    kernel[..., -1, -1] = 0.8
    return kernel


def run(folder="demo", count=None):
    """Convolve the digits, invert the result, and leave two pictures and a report.

    Parameters
    ----------
    folder : path, optional
        Receives ``inverse.png``, ``matrix.png`` and ``report.md``.
    count : int, optional
        How many digits; by default all 1,797.

    Returns
    -------
    Demonstration

    Raises
    ------
    OutputError
        If the folder or a file in it cannot be written.
    """
    folder = _make_folder(folder)
    kernel = demo_kernel()
    images = digits()[:count]
    size = images.shape[2:]
    matrix = convolution_matrix(kernel, size)
    round_trips = tuple(_round_trip(images, kernel, dtype) for dtype in ("float32", "float64"))
    demonstration = Demonstration(
        kernel=kernel,
        condition_number=float(np.linalg.cond(matrix)),
        log_abs_det=float(log_abs_det(kernel, size)),
        log_abs_det_of_matrix=float(np.linalg.slogdet(matrix).logabsdet),
        round_trips=round_trips,
        files=tuple(folder / name for name in ("report.md", "inverse.png", "matrix.png")),
    )
    _write(demonstration)
    return demonstration


def _round_trip(images, kernel, dtype):
    images, kernel = images.astype(dtype), kernel.astype(dtype)
    convolved = conv(images, kernel)
    return RoundTrip(images, convolved, conv_inverse(convolved, kernel))


def _make_folder(folder):
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _output_error(folder, error) from error
    return folder


def _write(demonstration):
    report, inverse, matrix = demonstration.files
    double = demonstration.round_trips[-1]
    shown = [index for index in PICTURED if index < len(double.images)]
    arrays = (double.images, double.convolved, double.inverted)
    try:
        inverse_figure(*(array[shown] for array in arrays)).savefig(inverse)
        matrix_figure(demonstration.kernel, MATRIX_SIZE).savefig(matrix)
        report.write_text(render(demonstration), encoding="utf-8")
    except OSError as error:
        raise _output_error(error.filename or report.parent, error) from error


def _output_error(path, error):
    return OutputError(f"cannot write {path}: {error.strerror}; choose another output folder")


def render(demonstration):
    """The report as Markdown."""
    double = demonstration.round_trips[-1]
    count, _, height, width = double.images.shape
    corner = demonstration.kernel[0, 0, -1, -1]
    rows = "\n".join(
        f"| {trip.dtype} | {trip.largest_error:.1e} | {np.finfo(trip.dtype).eps:.1e} |"
        for trip in demonstration.round_trips
    )
    kernel = "\n".join(
        "    " + " ".join(f"{value:7.3f}" for value in row) for row in demonstration.kernel[0, 0]
    )
    return f"""\
# A 3×3 convolution, inverted exactly

{count:,} handwritten digits of {height}×{width} pixels, grey levels 0 to 16, convolved with one
random kernel and recovered from the result by substitution, pixel after pixel.

{kernel}

| precision | largest error, grey levels | machine epsilon |
|---|---|---|
{rows}

![image, convolution, exact inverse and error](inverse.png)

In the convolution blue is negative, white is zero and red is positive.

## Why it is invertible

Every output pixel reads itself, through the kernel's last entry K_nn, and earlier pixels. So the
matrix M of the convolution is triangular, with K_nn all along its diagonal, and
log|det M| = H·W·log|K_nn|.

| log\\|det M\\| on {height}×{width} pixels, nats | |
|---|---|
| {height * width}·log {corner:.3g} | {demonstration.log_abs_det:.12f} |
| from the matrix by elimination | {demonstration.log_abs_det_of_matrix:.12f} |
| condition number of M | {demonstration.condition_number:.1f} |

![the matrix of the convolution, one colour a tap](matrix.png)

The matrix of the same kernel on images of {MATRIX_SIZE[0]}×{MATRIX_SIZE[1]} pixels: one colour
a tap, red the tap K_nn that reads the pixel itself.
"""
