"""Derivatives against finite differences, and the identities that a transpose satisfies."""

import numpy as np

from cinc_ref.testing import reference
from cinc_ref.testing.agreement import masked
from cinc_ref.testing.catalogue import check
from cinc_ref.testing.trial import SLACK

SIZE = (3, 3)
STEP = 1e-4


def _directions(problem):
    """How images and kernel move: the kernel only where it is not 0."""
    rng = np.random.default_rng([problem.seed, 9])
    images = rng.normal(size=problem.x.shape)
    kernel = rng.normal(size=problem.kernel.shape) * (problem.kernel != 0)
    return images.astype(problem.dtype), (0.1 * kernel).astype(problem.dtype)


def _inner(a, b):
    return np.sum(a.astype(np.longdouble) * b)


def _same(trial, operation, problem, got, expected, bound, part):
    """Fail unless two inner products agree."""
    got = np.asarray(got, np.float64).reshape(1)
    trial.within(operation, problem, got, np.full(1, expected, np.longdouble), bound, part)


def _slopes(trial, operation, problem):
    """Central differences of <g, operation(x, K)> by the images and by the kernel, in float64."""
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
    """The stated error of the differences: STEP^2 times third derivatives, and eps / STEP."""
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
        _same(
            trial,
            f"{operation}_vjp",
            problem,
            _inner(gradient, direction),
            slope,
            1e-5 * size,
            part,
        )


def _gradients(trial, problem, operation):
    """Both gradients, of the right shapes; the kernel's where the kernel is not 0."""
    images, kernel = trial.call(operation, problem)
    shape = problem.x.shape
    trial.require_shape(operation, problem, images, shape, "the gradient by the images")
    return images, masked(trial, operation, problem, kernel)


@check("conv", "conv_vjp")
def conv_vjp_finite_differences(trial):
    """conv_vjp is the slope of conv, by images and by kernel: central differences of conv."""
    _against_differences(trial, "conv")


@check("conv_inverse", "conv_inverse_vjp")
def conv_inverse_vjp_finite_differences(trial):
    """conv_inverse_vjp is the slope of conv_inverse, by images and by kernel."""
    _against_differences(trial, "conv_inverse")


@check("conv", "conv_vjp")
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
        _same(trial, "conv_vjp", problem, got, expected, SLACK * trial.eps * size, part)


@check("conv_inverse", "conv_inverse_vjp")
def conv_inverse_vjp_adjoint(trial):
    """<g, conv_inverse(u, K)> = <y_bar, u> for any u."""
    problem = trial.problem(size=SIZE)
    images, _ = _directions(problem)
    y_bar, _ = _gradients(trial, problem, "conv_inverse_vjp")
    got = _inner(y_bar, images)
    expected = _inner(problem.g, trial.call("conv_inverse", problem, x=images))
    _, slack = reference.conv_inverse(problem, images)
    (_, bar_slack), _ = reference.conv_inverse_vjp(problem, problem.x, problem.g)
    size = _inner(np.abs(problem.g), slack) + _inner(bar_slack, np.abs(images))
    _same(trial, "conv_inverse_vjp", problem, got, expected, SLACK * trial.eps * size, "<y_bar, u>")
