"""Identities at random points modulo a prime: the arithmetic, the shapes, and what they catch."""

import re
from itertools import product

import numpy as np
import pytest

from cinc_ref.geometry import CORNERS
from cinc_ref.theory import schwartz_zippel
from cinc_ref.theory.exact import bareiss
from cinc_ref.theory.modular import PRIME, determinant_modulo, inverse_modulo, multiply
from cinc_ref.theory.schwartz_zippel import (
    MAX_UNKNOWNS,
    determinant_at_random_points,
    random_points,
    substitution_at_random_points,
)
from cinc_ref.theory.substitution import substitute


@pytest.fixture(scope="module")
def cases():
    return list(random_points(np.random.default_rng(0)))


def test_the_prime_is_one():
    """Lucas and Lehmer: 2^q - 1 is a prime iff it divides the (q - 2)nd of 4, s^2 - 2, ..."""
    s = 4
    for _ in range(61 - 2):
        s = (s * s - 2) % PRIME
    assert s == 0


def test_products_are_those_of_python_integers():
    rng = np.random.default_rng(0)
    edges = [0, 1, 2, 2**30, 2**31 - 1, 2**31, 2**60, PRIME - 2, PRIME - 1]
    numbers = np.array(edges + rng.integers(PRIME, size=200).tolist(), np.uint64)
    products = multiply(numbers[:, None], numbers)
    expected = [[int(a) * int(b) % PRIME for b in numbers] for a in numbers]
    assert products.tolist() == expected


@pytest.mark.parametrize("size", [1, 2, 3, 7, 12])
def test_determinant_and_inverse_are_the_exact_ones(size):
    rng = np.random.default_rng(size)
    for density in (0.3, 1.0):
        matrix = rng.integers(PRIME, size=(size, size)) * (rng.random((size, size)) <= density)
        exact = bareiss(matrix.tolist()) % PRIME
        assert determinant_modulo(matrix) == exact
        if exact:
            product = inverse_modulo(matrix) @ matrix.astype(object) % PRIME
            assert (product == np.eye(size, dtype=int)).all()


def test_the_shapes_are_many_and_taps_reach_into_the_image(cases):
    shapes = {(case.kernel.shape, case.corner, case.anchor) for case in cases}
    assert len(shapes) == len(cases) >= 500
    assert {len(case.kernel) for case in cases} == {1, 2, 3, 4, 5}
    assert {case.kernel.shape[2:] for case in cases} == set(product(range(1, 6), repeat=2))
    assert {case.corner for case in cases} == set(CORNERS)
    assert {case.dilation for case in cases} == {1, 2, 3, 4}
    assert max(case.unknowns for case in cases) <= MAX_UNKNOWNS
    assert max(case.size for case in cases) == (9, 9)
    half_planes = [case for case in cases if case.anchor[1] < case.kernel.shape[3] - 1]
    assert len(half_planes) > 200
    for case in cases:
        (height, width), (kh, kw) = case.size, case.kernel.shape[2:]
        assert height > case.dilation or kh == 1
        assert width > case.dilation or kw == 1


def test_both_identities_hold_and_the_error_probability_is_that_of_the_lemma(cases):
    for identity, degree in (
        (determinant_at_random_points, lambda n: n),
        (substitution_at_random_points, lambda n: 4 * (n + 2)),
    ):
        evidence = identity(np.random.default_rng(0))
        assert (evidence.verdict, evidence.cases) == ("holds", len(cases))
        bound = float(re.search(r"error probability < (\S+)", evidence.statement)[1])
        total = sum(degree(case.unknowns) for case in cases) / PRIME
        assert bound == pytest.approx(total, rel=0.05) and bound < 1e-12


@pytest.mark.parametrize(
    "exponent",
    [
        lambda height, width: height + width,
        lambda height, width: height * width + 1,
        lambda height, width: height * width + (height * width > 36),
        lambda height, width: height * width - (width == 9),
        lambda height, width: min(height * width, 80),
    ],
)
def test_a_wrong_exponent_is_caught(exponent):
    evidence = determinant_at_random_points(np.random.default_rng(0), exponent=exponent)
    assert evidence.verdict == "fails"
    case = evidence.counterexample.case
    assert exponent(*case.size) != case.size[0] * case.size[1]


def test_a_matrix_that_differs_in_one_entry_is_caught(monkeypatch):
    """An entry above the diagonal changes the determinant where a product runs through it."""
    original = schwartz_zippel.Case.matrix

    def changed(case):
        matrix = original(case)
        matrix[0, -1] += case.size == (3, 3)
        return matrix

    monkeypatch.setattr(schwartz_zippel.Case, "matrix", changed)
    evidence = determinant_at_random_points(np.random.default_rng(0))
    assert evidence.verdict == "fails" and evidence.counterexample.case.size == (3, 3)


WRONG = {
    "C > 4": lambda kernel, geometry, transpose: len(kernel) > 4,
    "k > 4": lambda kernel, geometry, transpose: kernel.shape[2] > 4,
    "dilation > 3": lambda kernel, geometry, transpose: geometry.dilation > 3,
    "half-planes": lambda kernel, g, transpose: g.anchor[1] < kernel.shape[3] - 1,
    "transposed": lambda kernel, geometry, transpose: transpose,
}


@pytest.mark.parametrize("condition", WRONG.values(), ids=WRONG.keys())
def test_a_substitution_that_forgets_a_tap_somewhere_is_caught(condition):
    def forgetful(y, kernel, solve, geometry, transpose):
        if condition(kernel, geometry, transpose):
            kernel = kernel.copy()
            kernel[:, :, 0, 0] = 0
        return substitute(y, kernel, solve, geometry, transpose)

    evidence = substitution_at_random_points(np.random.default_rng(0), solve=forgetful)
    assert evidence.verdict == "fails"


def test_effort_repeats_every_shape_at_another_point():
    evidence = substitution_at_random_points(np.random.default_rng(0), 2)
    assert evidence.verdict == "holds" and evidence.cases > 1400
