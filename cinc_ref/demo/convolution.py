"""The first part of the demonstration: a random 3×3 convolution and its exact inverse."""

from dataclasses import dataclass

import numpy as np

from cinc_ref._display import fields_html, short_repr
from cinc_ref._typing import Array, FloatArray
from cinc_ref.convolution import conv, conv_inverse, log_abs_det
from cinc_ref.theory.matrix import convolution_matrix

__all__ = ["Inversion", "RoundTrip", "convolve_and_invert", "demo_kernel"]

KERNEL_SEED = 66
"""Seed whose kernel, among those tried, changes the digits most and yet is well conditioned."""


@dataclass(frozen=True)
class RoundTrip:
    """The digits in one floating-point type, convolved and inverted."""

    images: FloatArray
    convolved: FloatArray
    inverted: FloatArray

    __repr__ = short_repr

    @property
    def dtype(self) -> str:
        """The name of the floating-point type."""
        return str(self.images.dtype)

    @property
    def largest_error(self) -> float:
        """The largest absolute difference between an image and its inverse, in grey levels."""
        return float(np.abs(self.inverted - self.images).max())


@dataclass(frozen=True)
class Inversion:
    """The results of convolving the digits and inverting that.

    Attributes
    ----------
    kernel : ndarray, shape (1, 1, 3, 3)
    condition_number : float
        Condition number of the matrix M of the convolution on one image.
    log_abs_det, log_abs_det_of_matrix : float
        log|det M| in nats, by the theorem and by elimination.
    round_trips : tuple of RoundTrip
        One for each dtype.
    """

    kernel: FloatArray
    condition_number: float
    log_abs_det: float
    log_abs_det_of_matrix: float
    round_trips: tuple[RoundTrip, ...]

    __repr__ = short_repr
    _repr_html_ = fields_html


def demo_kernel() -> FloatArray:
    """Draw the kernel of the demonstration, float64 of shape (1, 1, 3, 3), with K_nn = 0.8."""
    kernel = np.random.default_rng(KERNEL_SEED).normal(scale=0.4, size=(1, 1, 3, 3))
    kernel[..., -1, -1] = 0.8
    return kernel


def convolve_and_invert(images: Array) -> Inversion:
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
