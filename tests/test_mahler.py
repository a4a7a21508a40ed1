"""The Mahler gap: known values, its error, the zeros that decide, and what refutes a wrong one."""

import numpy as np
import pytest

from cinc_ref.theory.mahler import (
    gap_decides_growth,
    mahler_gap,
    small_singular_values_carry_the_gap,
)

SMYTH = 0.3230659472194505
"""m(1 + z + w) = 3 sqrt(3) / (4 pi) L(chi_-3, 2) (Smyth, 1981)."""


def from_roots(roots):
    """A 1 x k kernel with P(w) = prod(1 - w / root)."""
    taps = np.ones(1)
    for root in roots:
        taps = np.convolve(taps, [-1 / root, 1])
    return taps.reshape(1, 1, 1, -1)


@pytest.mark.parametrize(
    ("taps", "expected"),
    [
        ([[7]], 0.0),
        ([[0, 1]], 0.0),
        ([[2, 1]], np.log(2)),
        ([[2], [1]], np.log(2)),
        ([[-1, 1]], 0.0),
        ([[1, -3, 3, -1]], 0.0),
        ([[1, 1], [1, 4]], 0.0),
        ([[1, 2], [2, 1]], np.log(2)),
        ([[0, 1], [1, 1]], SMYTH),
        ([[0, 1], [1, 2]], 0.0),
        ([[0, 1], [3, 2]], np.log(1.5)),
        ([[6, 2], [3, 1]], np.log(6)),
    ],
)
def test_known_values(taps, expected):
    """The one of 1 + 2 w + z (2 + w) by |1 + 2 w| = |2 + w|; 3 w + 2 + z by 3 > 2 + 1."""
    gap, error = mahler_gap(np.array([[taps]]))
    assert abs(gap - expected) <= error < 1e-3


def test_one_variable_is_exact():
    """Jensen: the logarithms of the zeros inside the disc, whichever axis the taps lie on."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        roots = rng.choice([-1, 1], 4) * np.exp(rng.uniform(-1, 1, 4))
        expected = -np.log(np.abs(roots[np.abs(roots) < 1])).sum()
        for kernel in (from_roots(roots), from_roots(roots).swapaxes(2, 3)):
            assert mahler_gap(kernel)[0] == pytest.approx(expected, abs=1e-9)


def test_the_scale_of_the_kernel_and_the_signs_of_z_and_w_do_not_matter():
    kernel = np.array([[[[0.2, -0.9], [-0.9, 1.0]]]])
    gap, error = mahler_gap(kernel)
    assert round(gap, 3) == 0.195
    for same in (-3 * kernel, kernel * [[1, -1], [1, -1]], kernel.swapaxes(2, 3)):
        assert abs(mahler_gap(same)[0] - gap) <= 2 * error


def test_it_is_the_mean_of_log_p_over_the_bicircle():
    """Quadrature in both variables, without Jensen's formula."""
    rng = np.random.default_rng(1)
    z, w = np.exp(2j * np.pi * (np.arange(600) + np.array([[0.5], [0.25]])) / 600)
    for _ in range(10):
        kernel = rng.normal(size=(1, 1, *rng.integers(1, 4, 2)))
        taps = kernel[0, 0, ::-1, ::-1]
        values = np.polynomial.polynomial.polygrid2d(z, w, taps)
        mean = np.log(np.abs(values)).mean() - np.log(abs(taps[0, 0]))
        assert mahler_gap(kernel)[0] == pytest.approx(mean, abs=2e-3)


def test_the_error_estimate_bounds_the_error():
    rng = np.random.default_rng(2)
    for _ in range(30):
        kernel = rng.integers(1, 4, (1, 1, *rng.integers(1, 4, 2))) * rng.choice([-1, 1])
        gap, error = mahler_gap(kernel, 128)
        assert abs(gap - mahler_gap(kernel, 4096)[0]) <= error


def test_both_statements_hold():
    for seed in range(3):
        growth = gap_decides_growth(np.random.default_rng(seed))
        assert (growth.verdict, growth.cases) == ("holds", 100), growth.reason
    values = small_singular_values_carry_the_gap()
    assert (values.verdict, values.cases) == ("holds", 21), values.reason


WRONG = {
    "no gap": lambda kernel: (0.0, 1e-9),
    "m(P) without log|K_nn|": lambda kernel: (
        mahler_gap(kernel)[0] + np.log(np.abs(kernel[0, 0, -1, -1])), 1e-9,
    ),
    "the first row alone": lambda kernel: mahler_gap(kernel[:, :, -1:]),
    "the first column alone": lambda kernel: mahler_gap(kernel[:, :, :, -1:]),
    "of the other sign": lambda kernel: (-mahler_gap(kernel)[0], 1e-9),
}  # fmt: skip


@pytest.mark.parametrize("gap", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_gap_is_refuted_by_the_growth(gap):
    evidence = gap_decides_growth(np.random.default_rng(0), gap=gap)
    assert evidence.verdict == "fails" and evidence.counterexample.case.kernel.any()


@pytest.mark.parametrize("name", ["no gap", "the first row alone"])
def test_a_wrong_gap_is_refuted_by_the_singular_values(name):
    evidence = small_singular_values_carry_the_gap(gap=WRONG[name])
    assert evidence.verdict == "fails" and evidence.worst > evidence.bound
