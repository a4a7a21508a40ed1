"""Checks of the log-determinant, each of which finds one mistake."""

import numpy as np

from cinc_ref.testing import reference
from cinc_ref.testing.base import needs
from cinc_ref.testing.failure import CheckSkipped
from cinc_ref.testing.trial import reference_results

__all__ = [
    "log_abs_det_counts_pixels",
    "log_abs_det_does_not_underflow",
    "log_abs_det_in_nats",
    "log_abs_det_is_that_of_conv",
    "log_abs_det_of_large_images",
    "log_abs_det_one_figure",
    "log_abs_det_reads_the_corner_block_alone",
    "log_abs_det_sign",
    "log_abs_det_takes_absolute_values",
]


def _log_det(trial, problem, **replaced):
    """Compute the log-determinant as an array of one number, the first of several equal ones."""
    result = trial.call("log_abs_det", problem, **replaced).ravel()
    if not len(result):
        facts = {"expected": "a number", "got": "an empty array"}
        raise trial.failure(problem, facts, "log_abs_det")
    return result[:1]


def _assert_log_det(trial, problem, got, expected, bound):
    trial.assert_within("log_abs_det", problem, got, np.full(1, expected), bound)


@needs("log_abs_det")
def log_abs_det_one_figure(trial):
    """log_abs_det(K, size) is one number for an image, or an array of equal ones, shape (N,)."""
    problem = trial.problem()
    result = trial.call("log_abs_det", problem)
    if result.ndim > 1 or result.size == 0:
        facts = {"expected": "shape () or (N,)", "got": f"shape {result.shape}"}
        raise trial.failure(problem, facts, "log_abs_det", result)
    trial.assert_identical("log_abs_det", problem, result, np.full(result.shape, result.ravel()[0]))


@needs("log_abs_det")
def log_abs_det_sign(trial):
    """log_abs_det is positive where conv enlarges volumes, and negative where it shrinks them."""
    if trial.implementation.diagonal == "unit":
        raise CheckSkipped("the diagonal is unit, by declaration")
    for diagonal, sign in (("large", 1), ("small", -1)):
        problem = trial.problem(diagonal=diagonal)
        got = _log_det(trial, problem)
        if not np.sign(got[0]) == sign:
            facts = {
                "expected": f"a number {'<' if sign < 0 else '>'} 0",
                "got": repr(float(got[0])),
            }
            raise trial.failure(problem, facts, "log_abs_det", got)


@needs("log_abs_det")
def log_abs_det_counts_pixels(trial):
    """log_abs_det grows with H W: the same kernel on images of other sizes."""
    problem = trial.problem(size=(1, 1), diagonal="large")
    one = _log_det(trial, problem)[0]
    for height, width in ((1, 4), (3, 1), (2, 5), (5, 3)):
        got = _log_det(trial, problem, size=(height, width))
        expected = height * width * float(one)
        _assert_log_det(trial, problem, got, expected, 100 * trial.eps * abs(expected))


@needs("log_abs_det")
def log_abs_det_takes_absolute_values(trial):
    """log_abs_det does not change when an entry of the diagonal changes sign."""
    if trial.implementation.diagonal != "any":
        raise CheckSkipped(f"the diagonal is {trial.implementation.diagonal}, by declaration")
    problem = trial.problem(diagonal="large")
    flipped = problem.kernel.copy()
    (p, q) = problem.anchor_tap
    flipped[0, :, p, q] *= -1
    expected = float(reference_results("log_abs_det", problem)[0][0])
    for kernel in (problem.kernel, flipped):
        got = _log_det(trial, problem, kernel=kernel)
        _assert_log_det(trial, problem, got, expected, 100 * trial.eps * (1 + abs(expected)))


@needs("log_abs_det")
def log_abs_det_in_nats(trial):
    """log_abs_det of K_nn = e is the number of entries of an image, C H W: nats, not bits."""
    if trial.implementation.diagonal == "unit":
        raise CheckSkipped("the diagonal is unit, by declaration")
    problem = trial.problem(other_taps=0.0)
    (p, q), channels = problem.anchor_tap, np.arange(problem.channels)
    kernel = problem.kernel.copy()
    kernel[channels, channels, p, q] = np.e
    expected = problem.channels * problem.size[0] * problem.size[1]
    got = _log_det(trial, problem, kernel=kernel)
    _assert_log_det(trial, problem, got, expected, 100 * trial.eps * expected)


@needs("log_abs_det")
def log_abs_det_reads_the_corner_block_alone(trial):
    """log_abs_det does not change with the other taps."""
    problem = trial.problem()
    p, q = problem.anchor_tap
    other = -3 * problem.kernel
    other[:, :, p, q] = problem.kernel[:, :, p, q]
    same, got = _log_det(trial, problem), _log_det(trial, problem, kernel=other)
    _assert_log_det(
        trial, problem, got, float(same[0]), 100 * trial.eps * (1 + abs(float(same[0])))
    )


@needs("log_abs_det")
def log_abs_det_does_not_underflow(trial):
    """log_abs_det is finite where det M is smaller than any number: logarithms first, then sums."""
    recipes = [{"size": (12, 12), "channels": 2}]
    if trial.implementation.channels is None:  # det B alone is 1e-350
        recipes.append({"size": (1, 1), "channels": 200, "kernel_size": (1, 1)})
    for recipe in recipes:
        problem = trial.problem(diagonal="tiny", images=1, **recipe)
        p, q = problem.anchor_tap
        diagonal = np.diagonal(problem.kernel[:, :, p, q]).astype(np.float64)
        expected = problem.size[0] * problem.size[1] * np.log(np.abs(diagonal)).sum()
        got = _log_det(trial, problem)
        _assert_log_det(trial, problem, got, expected, 100 * trial.eps * abs(expected))


@needs("log_abs_det")
def log_abs_det_of_large_images(trial):
    """log_abs_det is H W log|det B| for many pixels and either sign: nothing is clamped."""
    channels = 1 if trial.implementation.channels is None else min(trial.implementation.channels)
    for diagonal in ("large", "small"):
        problem = trial.problem(diagonal=diagonal, channels=channels)
        p, q = problem.anchor_tap
        entries = np.diagonal(problem.kernel[:, :, p, q]).astype(np.float64)
        for height, width in ((15, 14), (9, 31), (40, 36)):  # a dense solver has to take them
            expected = height * width * np.log(np.abs(entries)).sum()
            got = _log_det(trial, problem, size=(height, width))
            _assert_log_det(trial, problem, got, expected, 1000 * trial.eps * (1 + abs(expected)))


@needs("log_abs_det", "conv")
def log_abs_det_is_that_of_conv(trial):
    """log_abs_det is log|det| of the matrix that conv applies, built by convolving unit images."""
    problem = trial.problem(size=(3, 4), channels=2)
    unknowns = 2 * 3 * 4
    units = reference.to_images(np.eye(unknowns), (unknowns, 2, 3, 4)).astype(trial.dtype)
    matrix = reference.to_rows(trial.call("conv", problem, x=units)).astype(np.float64)
    expected = np.linalg.slogdet(matrix)[1]
    bound = 1000 * trial.eps * (1 + abs(expected))
    _assert_log_det(trial, problem, _log_det(trial, problem), expected, bound)
