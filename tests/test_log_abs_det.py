"""log_abs_det against slogdet of the matrix, and its errors."""

import numpy as np
import pytest
from hypothesis import given

import cinc_ref as cr
from cinc_ref.errors import SingularKernelError
from tests.support.oracles import float_matrix, problems


@given(problems())
def test_equals_slogdet_of_the_matrix(problem):
    log_det = cr.log_abs_det(problem.kernel, problem.size, anchor=problem.anchor)
    expected = np.linalg.slogdet(float_matrix(problem))[1]
    assert log_det.dtype == problem.kernel.dtype
    assert np.ndim(log_det) == 0
    tolerance = 1e-10 if problem.kernel.dtype == np.float64 else 1e-5
    np.testing.assert_allclose(log_det, expected, rtol=tolerance, atol=tolerance)


def test_no_overflow_where_the_determinant_has_none_in_floats():
    kernel = np.full((1, 1, 1, 1), 1e-300)
    assert cr.log_abs_det(kernel, (100, 100)) == pytest.approx(1e4 * np.log(1e-300))


@pytest.mark.parametrize("diagonal", [[1, 0, 2], [1, -3, 0]])
def test_a_zero_on_the_diagonal_is_named(diagonal):
    kernel = np.ones((3, 3, 2, 2))
    kernel[:, :, 1, 1] = np.tril(np.ones((3, 3)), -1) + np.diag(diagonal)
    channel = diagonal.index(0)
    for call in (
        lambda: cr.log_abs_det(kernel, (2, 2)),
        lambda: cr.conv_inverse(np.ones((1, 3, 2, 2)), kernel),
        lambda: cr.conv_inverse_vjp(np.ones((1, 3, 2, 2)), kernel, np.ones((1, 3, 2, 2))),
    ):
        with pytest.raises(SingularKernelError, match=rf"kernel\[{channel}, {channel}, 1, 1\] = 0"):
            call()


@pytest.mark.parametrize(
    "block, message",
    [
        ([[1.0, 2.0], [2.0, 4.0]], "exactly 0"),
        ([[0.1, 0.3, 0.5], [0.7, 2.1, 0.9], [0.8, 2.4, 1.4]], None),  # near to singular, or so
        ([[1.0, 3.0], [1 / 3, 1.0]], "zero pivot although the exact determinant"),
    ],
)
def test_a_singular_dense_corner(block, message):
    block = np.array(block)
    kernel = np.broadcast_to(block[:, :, None, None], (*block.shape, 1, 1))
    if message is None:  # exact arithmetic decides what rounding cannot
        assert cr.theory.is_invertible(kernel)
        assert np.isfinite(cr.log_abs_det(kernel, (1, 1)))
        return
    with pytest.raises(SingularKernelError, match=message):
        cr.log_abs_det(kernel, (1, 1))


def test_rounding_does_not_hide_a_singular_corner():
    """LU leaves a tiny pivot here; the exact determinant is 0."""
    rng = np.random.default_rng(2)
    found = 0
    for _ in range(50):
        block = rng.integers(-9, 10, (4, 4)) * 1.0
        block[3] = 3 * block[0] - 5 * block[1] + 7 * block[2]
        kernel = block[:, :, None, None]
        found += np.abs(np.linalg.det(block)) > 0
        with pytest.raises(SingularKernelError):
            cr.log_abs_det(kernel, (2, 2))
    assert found > 10


def test_a_condition_that_rounding_makes_look_small_does_not_hide_it_either():
    """Large blocks whose last row is the sum of the others, not all beyond 32 / eps in floats."""
    rng = np.random.default_rng(0)
    conditions = []
    for _ in range(12):
        block = rng.integers(-9, 10, (32, 32)) * 1.0
        block[-1] = block[:-1].sum(axis=0)
        conditions.append(np.linalg.cond(block, 1))
        with pytest.raises(SingularKernelError):
            cr.log_abs_det(block[:, :, None, None], (2, 2))
    assert min(conditions) < 32 / np.finfo(float).eps
