"""The oracle itself: the matrix against the formula written out, determinants against Fractions."""

from fractions import Fraction
from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cinc_ref as cr
from cinc_ref import theory
from tests.oracles import flat, problems


@given(problems(largest=3))
def test_matrix_is_the_definition_term_by_term(problem):
    """Flip the image to the top-left corner, apply the sum, flip back: nothing but the formula."""
    kernel, options = problem.kernel, problem.options
    flip = (
        slice(None, None, -1 if options["corner"].startswith("bottom") else 1),
        slice(None, None, -1 if options["corner"].endswith("right") else 1),
    )
    (p, q), d = options["anchor"], options["dilation"]
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


@given(problems())
def test_block_lower_triangular_after_the_flip(problem):
    corner = problem.options["corner"]
    channels, (height, width) = len(problem.kernel), problem.size
    pixels = np.arange(height * width).reshape(height, width)
    order = pixels[:: -1 if "bottom" in corner else 1, :: -1 if "right" in corner else 1].ravel()
    blocks = problem.matrix().reshape(height * width, channels, height * width, channels)
    blocks = blocks.transpose(0, 2, 1, 3)[np.ix_(order, order)]
    p, q = problem.options["anchor"]
    for pixel in range(height * width):
        assert np.array_equal(blocks[pixel, pixel], problem.kernel[:, :, p, q])
        assert not blocks[pixel, pixel + 1 :].any()


def test_matrix_of_integers_and_fractions_is_exact():
    kernel = np.array([[[[Fraction(1, 3), Fraction(2)], [Fraction(0), Fraction(5, 7)]]]])
    matrix = cr.convolution_matrix(kernel, (2, 2))
    assert matrix[3].tolist() == [Fraction(1, 3), 2, 0, Fraction(5, 7)]
    assert cr.convolution_matrix(np.full((1, 1, 1, 1), 2**62), (1, 1))[0, 0] == 2**62


@given(st.integers(0, 2**32), st.integers(1, 5))
def test_exact_determinant_is_leibniz(seed, size):
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-3, 4, (size, size)) / 8
    expected = Fraction(0)
    for order in permutations(range(size)):
        inversions = sum(order[i] > order[j] for i in range(size) for j in range(i + 1, size))
        term = Fraction((-1) ** inversions)
        for row, column in enumerate(order):
            term *= Fraction(matrix[row, column])
        expected += term
    assert theory.exact_determinant(matrix) == expected


def test_invertible_though_floats_say_singular():
    block = np.array([[1, 3], [1 / 3, 1]])
    assert np.linalg.det(block) == 0
    assert theory.exact_determinant(block) == Fraction(1, 2**54)
    assert theory.is_invertible(block[:, :, None, None])
    assert not theory.is_invertible(np.ones((2, 2, 3, 3)))


BROKEN = {
    "matrix": {"conv": lambda x, k, **o: cr.conv(x, k[:, :, ::-1], **o)},
    "log-determinant": {"log_abs_det": lambda k, size, **o: -cr.log_abs_det(k, size, **o)},
    "inverse of conv": {"conv_inverse": lambda y, k, **o: 1.001 * cr.conv_inverse(y, k, **o)},
    "conv of inverse": {"conv_inverse": lambda y, k, **o: np.full_like(y, np.nan)},
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_verify_sees_a_broken_implementation(name):
    ours = {"conv": cr.conv, "conv_inverse": cr.conv_inverse, "log_abs_det": cr.log_abs_det}
    broken = SimpleNamespace(**(ours | BROKEN[name]))
    failed = [e.name for e in theory.verify(broken) if e.verdict == "fails"]
    assert name in failed


def test_verify_passes_ours_and_skips_what_it_cannot_try():
    evidence = theory.verify(cr, seed=4)
    assert {e.verdict for e in evidence} == {"holds"}
    assert all(e.cases == 100 for e in evidence)
    verdicts = {e.name: e.verdict for e in theory.verify()}
    assert verdicts.pop("determinant") == "holds"
    assert set(verdicts.values()) == {"skipped"}
