"""log_abs_det against slogdet of the matrix, and its errors."""

import numpy as np
import pytest
import sympy
from autograd import grad, hessian
from hypothesis import given

import cinc_ref as cr
from cinc_ref.errors import SingularKernelError
from cinc_ref.theory.exact import log_abs
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


def _near_singular(channels, seed, gap, dtype=np.float64):
    """Return a dense block whose last row differs from the sum of the others by about a gap."""
    rng = np.random.default_rng(seed)
    block = rng.normal(size=(channels, channels))
    block[-1] = block[:-1].sum(axis=0) + gap * rng.normal(size=channels)
    return block.astype(dtype)


def _exact(block):
    """Return log|det B| to 50 digits, and B^{-T}, by sympy."""
    matrix = sympy.Matrix(
        block.shape[0], block.shape[1], lambda i, j: sympy.Rational(*block[i, j].as_integer_ratio())
    )
    inverse = matrix.inv().T
    return sympy.log(abs(matrix.det())).evalf(50), np.array(inverse.tolist(), float)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f8"])
@pytest.mark.parametrize("gap", [1e12, 1e9, 1e6, 1e3, 64])
@pytest.mark.parametrize("channels", [2, 5])
def test_a_determinant_has_its_digits_however_near_to_singular(channels, gap, dtype):
    eps = float(np.finfo(dtype).eps)
    block = _near_singular(channels, 3, gap * eps, dtype)
    expected, inverse = _exact(block)
    kernel = block[:, :, None, None]
    computed = cr.log_abs_det(kernel, (7, 9))
    assert abs(float(63 * expected - sympy.Float(float(computed), 50))) <= max(
        4 * eps * abs(float(computed)), 63e-8
    )
    if gap * eps <= 1e-9:  # where elimination has few digits left, the result is exact to rounding
        assert computed == pytest.approx(float(63 * expected), rel=2 * eps)
    if np.abs(inverse).max() < np.finfo(dtype).max / 64:
        gradient = grad(lambda k: cr.log_abs_det(k, (7, 9)))(kernel)[:, :, 0, 0]
        np.testing.assert_allclose(gradient, 63 * inverse, rtol=max(1e-7, 4 * eps))


def test_a_dense_layer_has_the_determinant_and_its_gradient_too():
    layer = cr.bijections.InvertibleConv(kernel_size=1, corner_block="dense")
    x = np.ones((1, 4, 2, 2))
    params = layer.init(np.random.default_rng(0), x)
    params["corner"] = _near_singular(4, 1, 1e-15)
    expected, inverse = _exact(params["corner"])

    def log_det(params):
        return layer.forward(params, x)[1][0]

    assert log_det(params) == pytest.approx(float(4 * expected), rel=1e-15)
    np.testing.assert_allclose(grad(log_det)(params)["corner"], 4 * inverse, rtol=1e-15)


def test_second_derivatives_near_to_singular():
    block = _near_singular(2, 0, 1e-12)
    _, inverse = _exact(block)
    second = hessian(lambda b: cr.log_abs_det(b[:, :, None, None], (1, 1)))(block)
    expected = -np.einsum("il,kj->ijkl", inverse, inverse)  # d B^-T = -B^-T dB^T B^-T
    np.testing.assert_allclose(second, expected, rtol=1e-12)


@pytest.mark.parametrize("triangle", [np.tril, np.triu])
def test_logarithms_of_a_triangular_corner_are_added_without_cancelling(triangle):
    block = triangle(np.ones((3, 3)))
    np.fill_diagonal(block, [1e200, 1 + 2**-52, 1e-200])
    expected = sum(sympy.log(sympy.Rational(*float(d).as_integer_ratio())) for d in np.diag(block))
    computed = cr.log_abs_det(block[:, :, None, None], (1, 1))
    assert float(computed) == pytest.approx(float(expected.evalf(60)), abs=2e-13)


@pytest.mark.parametrize("exponent", [-5000, -1, 0, 1, 5000])
@pytest.mark.parametrize("denominator", [2**60, 2**53, 7, 3])
def test_logarithms_of_fractions_near_to_a_power_of_two(exponent, denominator):
    distance = sympy.Rational(1, denominator)
    for number in (1 - distance, 1 + distance):
        number = number * sympy.Rational(2) ** exponent
        expected = float(sympy.log(number).evalf(60))
        assert log_abs(-number) == pytest.approx(expected, rel=4e-16)
