"""First part: one random 3×3 convolution of the digits, and its exact inverse."""

from dataclasses import dataclass

import numpy as np

from cinc_ref import conv, conv_inverse, convolution_matrix, log_abs_det

KERNEL_SEED = 66
"""Among the seeds tried, one whose kernel changes the digits beyond recognition, yet is well
conditioned."""


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
class Inversion:
    """What one convolution does to the digits.

    `kernel` has shape (1, 1, 3, 3), `condition_number` belongs to its matrix on one image, and
    the two values of log|det M|, in nats, come from the theorem and from the matrix.
    """

    kernel: np.ndarray
    condition_number: float
    log_abs_det: float
    log_abs_det_of_matrix: float
    round_trips: tuple[RoundTrip, ...]


def demo_kernel():
    """The kernel of the demonstration, float64 of shape (1, 1, 3, 3): random, K_nn = 0.8."""
    kernel = np.random.default_rng(KERNEL_SEED).normal(scale=0.4, size=(1, 1, 3, 3))
    kernel[..., -1, -1] = 0.8
    return kernel


def convolve_and_invert(images):
    """Convolve integer images (N, 1, H, W), and invert that, in float32 and in float64.

    Returns
    -------
    Inversion
    """
    kernel = demo_kernel()
    size = images.shape[2:]
    matrix = convolution_matrix(kernel, size)
    return Inversion(
        kernel=kernel,
        condition_number=float(np.linalg.cond(matrix)),
        log_abs_det=float(log_abs_det(kernel, size)),
        log_abs_det_of_matrix=float(np.linalg.slogdet(matrix).logabsdet),
        round_trips=tuple(_round_trip(images, kernel, dtype) for dtype in ("float32", "float64")),
    )


def _round_trip(images, kernel, dtype):
    images, kernel = images.astype(dtype), kernel.astype(dtype)
    convolved = conv(images, kernel)
    return RoundTrip(images, convolved, conv_inverse(convolved, kernel))
