"""Checks of derivatives by finite differences and by the identities of a transpose."""

import numpy as np

from cinc_ref.testing import reference
from cinc_ref.testing.base import needs
from cinc_ref.testing.correctness import masked
from cinc_ref.testing.trial import TOLERANCE_FACTOR

__all__ = [
    "conv_inverse_vjp_adjoint",
    "conv_inverse_vjp_finite_differences",
    "conv_inverse_vjp_where_the_kernel_is_zero",
    "conv_vjp_adjoint",
    "conv_vjp_finite_differences",
    "conv_vjp_where_the_kernel_is_zero",
]

SIZE = (3, 3)

STEP = 1e-4
"""The step of the differences: third derivatives and float64 rounding cost about 1e-8 each."""


def _directions(problem):
    """Draw directions in which images and kernel move, the kernel only where it is not 0."""
    rng = np.random.default_rng([problem.seed, 9])
    images = rng.normal(size=problem.x.shape)
    kernel = rng.normal(size=problem.kernel.shape) * (problem.kernel != 0)
    return images.astype(problem.dtype), (0.1 * kernel).astype(problem.dtype)


def _inner(a, b):
    return np.sum(a.astype(np.longdouble) * b)


def _assert_same_product(trial, operation, problem, got, expected, bound, part):
    """Fail unless two inner products agree."""
    got = np.asarray(got, np.float64).reshape(1)
    trial.assert_within(operation, problem, got, np.full(1, expected, np.longdouble), bound, part)


def _slopes(trial, operation, problem):
    """Difference <g, operation(x, K)> centrally by the images and by the kernel."""
    images, kernel = _directions(problem)
    slopes = []
    for dx, dk in ((images, 0 * kernel), (0 * images, kernel)):
        ahead, behind = (
            trial.call(operation, problem, x=problem.x + s * dx, kernel=problem.kernel + s * dk)
            for s in (STEP, -STEP)
        )
        slopes.append(_inner(problem.g, ahead.astype(np.longdouble) - behind) / (2 * STEP))
    return slopes


def _against_differences(trial, operation):
    """Compare with differences, whose error is STEP^2 third derivatives and eps / STEP."""
    if trial.dtype != "float64":
        return
    problem = trial.problem(size=SIZE)
    for part, gradient, direction, slope in zip(
        ("<x_bar, direction>", "<kernel_bar, direction>"),
        _gradients(trial, problem, f"{operation}_vjp"),
        _directions(problem),
        _slopes(trial, operation, problem),
        strict=True,
    ):
        size = np.sum(np.abs(gradient * direction)) + abs(slope)
        _assert_same_product(
            trial,
            f"{operation}_vjp",
            problem,
            _inner(gradient, direction),
            slope,
            1e-5 * size,
            part,
        )


def _gradients(trial, problem, operation):
    """Compute both gradients and check their shapes; that of the kernel is masked."""
    images, kernel = trial.call(operation, problem)
    shape = problem.x.shape
    trial.require_shape(operation, problem, images, shape, "the gradient by the images")
    return images, masked(trial, operation, problem, kernel)


def _is_right_at_zeros(trial, operation):
    """Compare the kernel gradient at a kernel that is 0 outside B's diagonal.

    Where layers may mask, above the diagonal of B and at taps that are not causal, 0 is right too.
    """
    problem = trial.problem(size=SIZE, corner_block="diagonal", other_taps=0.0)
    p, q = problem.anchor_tap
    got = trial.call(operation, problem)[1]
    expected, rounding = getattr(reference, operation)(problem, problem.x, problem.g)[1]
    trial.require_shape(operation, problem, got, problem.kernel.shape, "the gradient by the kernel")
    maskable = np.zeros(problem.kernel.shape, bool)
    maskable[:, :, p, q] = np.triu(np.ones((problem.channels, problem.channels)), 1) > 0
    got = np.where(maskable & (got == 0), np.asarray(expected, got.dtype), got)
    part = "the gradient by the kernel, where the kernel is 0 too"
    trial.assert_close(operation, problem, got, (expected, rounding), part)


@needs("conv_vjp")
def conv_vjp_where_the_kernel_is_zero(trial):
    """conv_vjp is the gradient by every tap, also where the kernel is 0 as in the identity."""
    _is_right_at_zeros(trial, "conv_vjp")


@needs("conv_inverse_vjp")
def conv_inverse_vjp_where_the_kernel_is_zero(trial):
    """conv_inverse_vjp is the gradient by every tap, also where the kernel is 0."""
    _is_right_at_zeros(trial, "conv_inverse_vjp")


@needs("conv", "conv_vjp")
def conv_vjp_finite_differences(trial):
    """conv_vjp is the slope of conv, by images and by kernel: central differences of conv."""
    _against_differences(trial, "conv")


@needs("conv_inverse", "conv_inverse_vjp")
def conv_inverse_vjp_finite_differences(trial):
    """conv_inverse_vjp is the slope of conv_inverse, by images and by kernel."""
    _against_differences(trial, "conv_inverse")


@needs("conv", "conv_vjp")
def conv_vjp_adjoint(trial):
    """<g, conv(u, K)> = <x_bar, u> and <g, conv(x, L)> = <kernel_bar, L> for any u and L."""
    problem = trial.problem(size=SIZE)
    images, kernel = _directions(problem)
    x_bar, kernel_bar = _gradients(trial, problem, "conv_vjp")
    u = trial.call("conv", problem, x=images)
    v = trial.call("conv", problem, kernel=kernel)
    for gradient, direction, image, part in (
        (x_bar, images, u, "<x_bar, u>"),
        (kernel_bar, kernel, v, "<kernel_bar, L>"),
    ):
        size = _inner(np.abs(gradient), np.abs(direction)) + _inner(
            np.abs(problem.g), np.abs(image)
        )
        got, expected = _inner(gradient, direction), _inner(problem.g, image)
        _assert_same_product(
            trial, "conv_vjp", problem, got, expected, TOLERANCE_FACTOR * trial.eps * size, part
        )


@needs("conv_inverse", "conv_inverse_vjp")
def conv_inverse_vjp_adjoint(trial):
    """<g, conv_inverse(u, K)> = <y_bar, u> for any u."""
    problem = trial.problem(size=SIZE)
    images, _ = _directions(problem)
    y_bar, _ = _gradients(trial, problem, "conv_inverse_vjp")
    got = _inner(y_bar, images)
    expected = _inner(problem.g, trial.call("conv_inverse", problem, x=images))
    _, rounding = reference.conv_inverse(problem, images)
    (_, bar_rounding), _ = reference.conv_inverse_vjp(problem, problem.x, problem.g)
    size = _inner(np.abs(problem.g), rounding) + _inner(bar_rounding, np.abs(images))
    _assert_same_product(
        trial,
        "conv_inverse_vjp",
        problem,
        got,
        expected,
        TOLERANCE_FACTOR * trial.eps * size,
        "<y_bar, u>",
    )
