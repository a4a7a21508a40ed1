"""Checks of the relation of conv to its inverse, and of which pixels read which."""

import numpy as np

from cinc_ref import theory
from cinc_ref.testing import reference
from cinc_ref.testing.base import needs
from cinc_ref.testing.trial import TOLERANCE_FACTOR, reference_results

__all__ = [
    "conv_exact",
    "conv_inverse_exact",
    "conv_inverse_is_homogeneous",
    "conv_inverse_of_zero_is_zero",
    "conv_inverse_reads_every_entry",
    "conv_inverse_residual",
    "conv_is_homogeneous",
    "conv_of_zero_is_zero",
    "conv_reads_earlier_pixels_only",
    "conv_undoes_inverse",
    "inverse_undoes_conv",
]

SIZE = (3, 3)


def _units(problem):
    """Make one image for each coordinate in the matrix's order, 1 there and 0 elsewhere."""
    c, (h, w) = problem.channels, problem.size
    units = reference.to_images(np.eye(c * h * w), (c * h * w, c, h, w))
    return np.ascontiguousarray(units.astype(problem.dtype))


@needs("conv")
def conv_exact(trial):
    """conv(x, K) is the convolution in exact fractions: each float is one."""
    problem = trial.problem(size=SIZE, channels=2)
    exact = theory.exact_conv(problem.x, problem.kernel).astype(np.float64)
    _, rounding = reference.conv(problem, problem.x)
    trial.assert_close("conv", problem, trial.call("conv", problem), (exact, rounding))


@needs("conv_inverse")
def conv_inverse_exact(trial):
    """conv_inverse(y, K) is the result of substitution in exact fractions."""
    problem = trial.problem(size=SIZE, channels=2)
    exact = theory.exact_inverse(problem.x, problem.kernel).astype(np.float64)
    _, rounding = reference.conv_inverse(problem, problem.x)
    trial.assert_close(
        "conv_inverse", problem, trial.call("conv_inverse", problem), (exact, rounding)
    )


@needs("conv", "conv_inverse")
def inverse_undoes_conv(trial):
    """conv_inverse(conv(x, K), K) is x, to the rounding that M allows."""
    problem = trial.problem()
    back = trial.call("conv_inverse", problem, x=trial.call("conv", problem))
    _, rounding = reference.conv_inverse(problem, reference.conv(problem, problem.x)[0])
    trial.assert_close("conv_inverse", problem, back, (problem.x, 2 * rounding))


@needs("conv", "conv_inverse")
def conv_undoes_inverse(trial):
    """conv(conv_inverse(y, K), K) is y, to the rounding that M allows."""
    problem = trial.problem()
    back = trial.call("conv", problem, x=trial.call("conv_inverse", problem))
    _, rounding_of_x = reference.conv_inverse(problem, problem.x)
    _, rounding = reference.conv(problem, rounding_of_x)
    trial.assert_close("conv", problem, back, (problem.x, 2 * rounding))


@needs("conv_inverse")
def conv_inverse_residual(trial):
    """|y - M x| is within the rounding of |M| |x|, pixel by pixel, for x = conv_inverse(y, K)."""
    problem = trial.problem()
    x = trial.call("conv_inverse", problem)
    trial.require_shape("conv_inverse", problem, x, problem.x.shape)
    rest, rounding = reference.residual(problem, problem.x, x)
    bound = TOLERANCE_FACTOR * trial.eps * rounding
    trial.assert_within("conv_inverse", problem, rest, np.zeros(rest.shape), bound, "y - M x")


@needs("conv")
def conv_of_zero_is_zero(trial):
    """conv adds nothing of its own: black images stay black."""
    problem = trial.problem(size=SIZE)
    black = np.zeros_like(problem.x)
    trial.assert_identical("conv", problem, trial.call("conv", problem, x=black) + 0, black)


@needs("conv_inverse")
def conv_inverse_of_zero_is_zero(trial):
    """conv_inverse adds nothing of its own: black images stay black."""
    problem = trial.problem(size=SIZE)
    black = np.zeros_like(problem.x)
    trial.assert_identical(
        "conv_inverse", problem, trial.call("conv_inverse", problem, x=black) + 0, black
    )


def _is_homogeneous(trial, operation):
    problem = trial.problem(size=SIZE)
    expected, rounding = reference_results(operation, problem)[0]
    for scale in (2.0**-40, 2.0**40):
        got = trial.call(operation, problem, x=(scale * problem.x).astype(trial.dtype))
        part = f"the result for {scale:.0e} x, over {scale:.0e}"
        trial.assert_close(
            operation, problem, got / got.dtype.type(scale), (expected, rounding), part
        )


@needs("conv")
def conv_is_homogeneous(trial):
    """conv(s x, K) is s conv(x, K) for s = 2^-40 and 2^40: nothing is clipped or taken for 0."""
    _is_homogeneous(trial, "conv")


@needs("conv_inverse")
def conv_inverse_is_homogeneous(trial):
    """conv_inverse(s y, K) is s conv_inverse(y, K) for s = 2^-40 and 2^40."""
    _is_homogeneous(trial, "conv_inverse")


@needs("conv")
def conv_reads_earlier_pixels_only(trial):
    """conv moves nothing before the pixel that is moved, in raster order, nor around the border."""
    problem = trial.problem(size=SIZE, channels=2)
    _, rounding = reference.conv(problem, np.ones_like(_units(problem)))
    images = trial.call("conv", problem, x=_units(problem))
    expected, _ = reference.conv(problem, _units(problem))
    untouched = expected == 0
    bound = TOLERANCE_FACTOR * trial.eps * rounding
    trial.assert_within(
        "conv", problem, images * untouched, 0 * expected, bound, "untouched pixels"
    )


@needs("conv_inverse")
def conv_inverse_reads_every_entry(trial):
    """Each entry of y, moved alone, moves its own entry of x by 1 / K_nn."""
    problem = trial.problem(size=SIZE, channels=2, images=1)
    units = _units(problem)
    y = problem.x + units
    base = trial.call("conv_inverse", problem, x=np.repeat(problem.x, len(units), axis=0))
    moved = trial.call("conv_inverse", problem, x=y) - base
    p, q = problem.anchor_tap
    diagonal = np.diagonal(problem.kernel[:, :, p, q]).astype(np.float64)
    effects = (moved * units).sum(axis=(1, 2, 3))
    expected = (units / diagonal[:, None, None]).sum(axis=(1, 2, 3))
    _, rounding = reference.conv_inverse(problem, problem.x)
    trial.assert_within(
        "conv_inverse",
        problem,
        effects,
        expected,
        TOLERANCE_FACTOR * trial.eps * (np.abs(expected) + 2 * rounding.max()),
        "each entry's effect on itself",
    )
