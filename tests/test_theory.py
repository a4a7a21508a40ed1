"""The oracle itself: the matrix against the formula written out, determinants against Leibniz."""

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cinc_ref as cr
from cinc_ref import theory
from cinc_ref.errors import OptionError, ShapeError, SingularKernelError
from cinc_ref.geometry import Geometry
from cinc_ref.theory.exact import (
    matrix_determinant,
    matrix_inverse,
    matrix_rank,
    null_vector,
    to_fractions,
)
from cinc_ref.theory.substitution import elementwise_residual
from tests.support.oracles import flat, float_matrix, problems, residual


@given(problems(largest=3))
def test_matrix_is_the_definition_term_by_term(problem):
    """Flip the image to the top-left corner, apply the sum, flip back: nothing but the formula."""
    kernel, options = problem.kernel, problem.options
    flip = (
        slice(None, None, -1 if problem.corner.startswith("bottom") else 1),
        slice(None, None, -1 if problem.corner.endswith("right") else 1),
    )
    (p, q), d = problem.anchor, problem.dilation
    x = np.random.default_rng(0).normal(size=(1, len(kernel), *problem.size))
    seen = x[0][:, *flip]
    y = np.zeros_like(seen)
    for o, i, j in np.ndindex(y.shape):
        for c, a, b in np.ndindex(kernel.shape[1:]):
            row, column = i - (p - a) * d, j - (q - b) * d
            if 0 <= row < y.shape[1] and 0 <= column < y.shape[2]:
                y[o, i, j] += kernel[o, c, a, b] * seen[c, row, column]
    expected = y[:, *flip][None]
    matrix = cr.convolution_matrix(kernel, problem.size, **options)
    np.testing.assert_allclose(flat(x) @ matrix.T.astype(float), flat(expected), atol=1e-12)


@given(problems())
def test_sparse_matrix_is_the_dense_one(problem):
    dense = cr.convolution_matrix(problem.kernel, problem.size, **problem.options)
    sparse = cr.convolution_matrix(problem.kernel, problem.size, sparse=True, **problem.options)
    assert sparse.dtype == dense.dtype == problem.kernel.dtype
    assert np.array_equal(sparse.toarray(), dense)


def test_matrix_of_integers_and_fractions_is_exact():
    kernel = np.array([[[[Fraction(1, 3), Fraction(2)], [Fraction(0), Fraction(5, 7)]]]])
    matrix = cr.convolution_matrix(kernel, (2, 2))
    assert matrix[3].tolist() == [Fraction(1, 3), 2, 0, Fraction(5, 7)]
    assert cr.convolution_matrix(np.full((1, 1, 1, 1), 2**62), (1, 1))[0, 0] == 2**62


@given(st.integers(0, 2**32), st.integers(1, 5))
def test_matrix_determinant_is_leibniz(seed, size):
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-3, 4, (size, size)) / 8
    expected = Fraction(0)
    for order in permutations(range(size)):
        inversions = sum(order[i] > order[j] for i in range(size) for j in range(i + 1, size))
        term = Fraction((-1) ** inversions)
        for row, column in enumerate(order):
            term *= Fraction(matrix[row, column])
        expected += term
    assert matrix_determinant(matrix) == expected


@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(0, 5))
def test_rank_null_vector_and_inverse_agree(seed, size, rank):
    """A product of a size x rank and a rank x size matrix, both of full rank almost always."""
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-9, 10, (size, rank)) @ rng.integers(-9, 10, (rank, size))
    vector = null_vector(matrix)
    assert (matrix_rank(matrix) == size) == (vector is None) == (matrix_determinant(matrix) != 0)
    if vector is None:
        assert (matrix_inverse(matrix) @ matrix == np.eye(size)).all()
    else:
        assert vector.any() and not (matrix @ vector).any()
        assert all(isinstance(entry, int) for entry in vector)


def test_exact_determinant_of_a_kernel():
    rng = np.random.default_rng(0)
    kernel = rng.integers(-3, 4, (2, 2, 3, 2))
    options = {"corner": "top-right", "dilation": 2, "anchor": (2, 1)}
    expected = matrix_determinant(kernel[:, :, 2, 1]) ** 12
    assert theory.exact_determinant(kernel, (4, 3), **options) == expected
    assert theory.exact_determinant(kernel / 2, (4, 3), **options) == Fraction(expected, 2**24)
    with pytest.raises(ShapeError, match="size"):
        theory.exact_determinant(kernel, 3)


def test_invertible_though_floats_say_singular():
    block = np.array([[1, 3], [1 / 3, 1]])
    assert np.linalg.det(block) == 0
    assert matrix_determinant(block) == Fraction(1, 2**54)
    assert theory.is_invertible(block[:, :, None, None])
    assert not theory.is_invertible(np.ones((2, 2, 3, 3)))


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.float64])
@pytest.mark.parametrize("corner", ["top-left", "top-right", "bottom-left", "bottom-right"])
def test_null_image_is_lost_by_conv_itself(dtype, corner):
    kernel = np.random.default_rng(0).integers(-3, 4, (3, 3, 2, 3))
    kernel[:, :, 1, 2] = 0
    kernel[2, :, 1, 1] = kernel[0, :, 1, 1] - 2 * kernel[1, :, 1, 1]
    options = {"corner": corner, "anchor": (1, 1)}
    image = theory.null_image(kernel.astype(dtype), (3, 2), **options)
    assert image.shape == (1, 3, 3, 2) and image.dtype == dtype and image.any()
    assert not theory.exact_conv(image, kernel, dilation=2, **options).any()
    if dtype != np.int64:
        assert not cr.conv(image, kernel.astype(dtype), **options).any()


def test_null_image_beyond_the_dtype_is_exact_all_the_same():
    kernel = np.array([[1e17, -1.0], [-1e17, 1.0]])[:, :, None, None]
    image = theory.null_image(kernel.astype(np.float32), (1, 1))
    assert not theory.exact_conv(image, kernel.astype(np.float32)).any()
    assert theory.null_image(np.array([[[[0]]]]), (2, 2)).ravel().tolist() == [0, 0, 0, 1]
    huge = np.array([[[[2**70]], [[1]]], [[[2**70]], [[1]]]], dtype=object)
    assert theory.null_image(huge, (1, 1)).ravel().tolist() == [-1, 2**70]
    rows = np.random.default_rng(0).integers(-(2**40), 2**40, (2, 3))
    kernel = np.vstack([rows, rows[0]])[:, :, None, None]  # its null vector needs 80 bits
    image = theory.null_image(kernel, (1, 1))
    assert image.dtype == object and not theory.exact_conv(image, kernel).any()


def test_null_image_needs_a_singular_corner():
    with pytest.raises(OptionError, match="determinant is -2"):
        theory.null_image(np.full((1, 1, 2, 2), -2), (2, 2))
    with pytest.raises(ShapeError):
        theory.null_image(np.zeros((1, 1, 2, 2)), (0, 2))


@given(problems(largest=3))
def test_exact_conv_and_inverse_undo_each_other_and_are_the_matrix(problem):
    kernel, x = problem.kernel, problem.x
    exact = theory.exact_conv(x, kernel, **problem.options)
    matrix = float_matrix(problem)
    np.testing.assert_allclose(flat(exact).astype(float), flat(x) @ matrix.T, atol=1e-5)
    assert (theory.exact_inverse(exact, kernel, **problem.options) == x).all()
    transposed = theory.exact_conv(x, kernel, transpose=True, **problem.options)
    np.testing.assert_allclose(flat(transposed).astype(float), flat(x) @ matrix, atol=1e-5)
    back = theory.exact_inverse(transposed, kernel, transpose=True, **problem.options)
    assert (back == x).all()


@pytest.mark.parametrize("function", [theory.exact_inverse, theory.exact_conv])
def test_exact_functions_check_their_arguments(function):
    kernel, images = np.eye(2, dtype=int)[:, :, None, None], np.ones((1, 2, 2, 2), int)
    with pytest.raises(ShapeError, match=r"\(N, C, H, W\)"):
        function(images[0], kernel)
    with pytest.raises(OptionError, match="anchor"):
        function(images, kernel, anchor=(1, 0))


def test_exact_inverse_of_integers_beyond_floating_point():
    kernel = np.array([[[[10**400]]]], dtype=object)
    assert theory.exact_inverse(np.ones((1, 1, 1, 1), int), kernel).item() == Fraction(1, 10**400)


@pytest.mark.parametrize("entry", [1.0, 10**400])
def test_exact_inverse_of_a_singular_kernel(entry):
    with pytest.raises(SingularKernelError, match="exactly 0"):
        theory.exact_inverse(np.ones((1, 2, 2, 2)), np.full((2, 2, 1, 1), entry))


@given(problems(largest=3))
def test_residual_in_wider_floats_is_the_exact_one_and_that_of_the_matrix(problem):
    x = cr.conv_inverse(problem.x, problem.kernel, **problem.options)
    geometry, eps = Geometry(**problem.options), np.finfo(x.dtype).eps
    in_eps = elementwise_residual(x, problem.x, problem.kernel, geometry)
    fractions = map(to_fractions, (x, problem.x, problem.kernel))
    assert in_eps == pytest.approx(elementwise_residual(*fractions, geometry) / eps, abs=0.02)
    assert in_eps == pytest.approx(residual(problem, problem.x, x), abs=1e-2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble, int, object])
def test_residual_where_nothing_is_read(dtype):
    kernel, zero = np.ones((1, 1, 1, 1), dtype), np.zeros((1, 1, 1, 1), dtype)
    geometry = Geometry()
    assert elementwise_residual(zero, zero, kernel, geometry) == 0
    assert elementwise_residual(zero, zero + 1, kernel, geometry) == np.inf
    assert elementwise_residual(zero[:0], zero[:0], kernel, geometry) == 0


def test_residual_of_what_is_not_finite_is_not_a_number():
    kernel, zero = np.ones((1, 1, 1, 1)), np.zeros((1, 1, 1, 1))
    assert np.isnan(elementwise_residual(zero + np.nan, zero, kernel, Geometry()))


def test_residual_of_integers_and_of_long_doubles_is_exact():
    kernel = np.array([[[[Fraction(1, 3)]]]])
    x, y = np.array([[[[2]]]]), np.array([[[[1]]]])
    assert elementwise_residual(x, y, kernel, Geometry()) == 0.5
    eps = np.finfo(np.longdouble).eps
    y, x = np.ones((1, 1, 1, 1), np.longdouble), np.full((1, 1, 1, 1), 1 + eps)
    assert elementwise_residual(x, y, y, Geometry()) == pytest.approx(1)
