"""Inverses with an error bound: the exact error is never above it, and it is seldom far below."""

from fractions import Fraction

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref import theory
from cinc_ref.errors import NonFiniteError, SingularKernelError
from cinc_ref.geometry import CORNERS, Geometry
from cinc_ref.primitives.causal import causal_solve
from cinc_ref.theory import enclosures, rounding
from cinc_ref.theory.exact import to_fractions
from cinc_ref.theory.random_kernels import random_kernel
from tests.conftest import INTERPRETED
from tests.support.oracles import DTYPES
from tools import enclosure_campaign as campaign


def _error(x, y, kernel, **options):
    """The exact error of x, as Fractions."""
    return np.abs(to_fractions(x) - theory.exact_inverse(y, kernel, **options))


def _holds(x, radius, y, kernel, **options):
    error = _error(np.where(np.isfinite(radius), x, 0), y, kernel, **options)
    return all(
        e <= Fraction(float(r)) for e, r in zip(error.flat, radius.flat, strict=True) if r < np.inf
    )


# ---- the bound -----------------------------------------------------------------------------------


def test_no_error_is_above_its_bound_and_bounds_are_tight():
    outcomes = campaign.campaign(60 if INTERPRETED else 150, seed=1)
    worst = max(outcomes, key=lambda outcome: outcome.worst)
    assert 0.5 < worst.worst <= 1, worst.case
    for name, least, _, number, median, _, finite in campaign.summary(outcomes):
        if number and least < 1e14:
            assert median <= campaign.MOST and finite > 0.9, name


def test_the_campaign_sees_a_bound_that_is_too_small(monkeypatch):
    def halved(y, kernel, **options):
        x, radius = cr_enclose(y, kernel, **options)
        return x, radius / 2

    cr_enclose = cr.enclose
    monkeypatch.setattr(cr, "enclose", halved)
    assert max(outcome.worst for outcome in campaign.campaign(10, seed=1)) > 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("error", [1e-9, 1e-3, 0.1, 0.5, 3.0])
def test_the_proof_trusts_nothing_of_the_approximate_inverse(dtype, error):
    """Each of its values is wrong by up to a factor of 1 +- error, and still no bound is."""
    rng = np.random.default_rng(0)
    kernel = random_kernel(rng, (2, 2, 2, 3), (1, 1), "dense").astype(dtype)
    y = rng.normal(size=(2, 2, 4, 5)).astype(dtype)
    geometry = Geometry(dilation=2, anchor=(1, 1))

    def wrong(images, kernel, geometry):
        x = causal_solve(images, kernel, geometry)
        return x * (1 + error * rng.uniform(-1, 1, x.shape))

    x, radius = enclosures.enclose_inverse(y, kernel, geometry, wrong)
    assert _holds(x, radius, y, kernel, dilation=2, anchor=(1, 1))
    assert np.isfinite(radius).all() or error > 0.01
    assert not np.isfinite(radius).all() or error < 3


def test_what_the_approximate_inverse_leaves_reaches_later_pixels():
    """It knows the corner block only, so every pixel is left to the ones before it."""
    y, kernel = np.zeros((1, 1, 5, 5)), np.array([[[[0.05, 0.1], [0.2, 1.0]]]])
    y[..., 0, 0] = 1
    x, radius = enclosures.enclose_inverse(
        y, kernel, Geometry(anchor=(1, 1)), lambda y, *_: y / 0.5
    )
    assert _holds(x, radius, y, kernel)
    assert np.isfinite(radius).all() and radius[..., -1, -1] > 0


def test_one_step_of_refinement_squares_a_small_error():
    rng = np.random.default_rng(9)
    kernel = random_kernel(rng, (2, 2, 2, 2), (1, 1), "dense")
    y = rng.normal(size=(1, 2, 4, 4))

    def wrong(images, kernel, geometry):
        return causal_solve(images, kernel, geometry) * (1 + 1e-7)

    x, radius = enclosures.enclose_inverse(y, kernel, Geometry(anchor=(1, 1)), wrong)
    assert _holds(x, radius, y, kernel)
    assert radius.max() < 1e-12 * np.abs(x).max()


@pytest.mark.parametrize("wrong", [np.zeros_like, lambda y: y * 100, lambda y: y * np.nan])
def test_an_inverse_that_is_none_proves_nothing(wrong):
    y, kernel = np.ones((1, 1, 3, 3)), np.full((1, 1, 2, 2), 0.25)
    _, radius = enclosures.enclose_inverse(
        y, kernel, Geometry(anchor=(1, 1)), lambda y, *_: wrong(y)
    )
    assert np.isinf(radius).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_bound_is_infinite_where_the_inverse_overflows(dtype):
    kernel = np.array([1e30, 1.0], dtype).reshape(1, 1, 2, 1)
    y = np.ones((1, 1, 12, 2), dtype)
    x, radius = cr.enclose(y, kernel)
    assert x.shape == y.shape and np.isinf(radius[:, :, -1]).all()
    assert _holds(x, radius, y, kernel)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("power", [-44, -40, 30])
def test_subnormal_and_huge_images(dtype, power):
    y = np.array([3, -1, 2, 7.0]).reshape(1, 1, 2, 2) * 10.0**power
    y, kernel = y.astype(dtype), np.array([[[[0.3, -0.4], [0.1, 1.1]]]], dtype)
    if dtype == np.float64:
        y = y * 10.0 ** (7 * power)
    x, radius = cr.enclose(y, kernel)
    assert _holds(x, radius, y, kernel)
    smallest = np.finfo(dtype).smallest_subnormal
    assert radius.max() <= max(np.finfo(dtype).eps * np.abs(x).max(), 6 * smallest)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_exact_has_a_radius_that_says_so(dtype):
    kernel = np.array([[[[3, -2], [2, 1]]]], dtype)
    x = np.arange(-8, 8, dtype=dtype).reshape(1, 1, 4, 4)
    found, radius = cr.enclose(cr.conv(x, kernel), kernel)
    assert np.array_equal(found, x)
    assert radius.max() <= 1e-8 * np.finfo(dtype).eps
    zero, radius = cr.enclose(np.zeros_like(x), kernel)
    assert not zero.any() and not radius.any()


def test_refinement_makes_the_error_half_a_unit_in_the_last_place():
    rng = np.random.default_rng(2)
    kernel = rng.uniform(-0.8, 0.8, (2, 2, 3, 3)).astype(np.float32)
    kernel[:, :, 2, 2] = np.eye(2)
    y = rng.normal(size=(1, 2, 8, 8)).astype(np.float32)
    x, radius = cr.enclose(y, kernel)
    plain = _error(cr.conv_inverse(y, kernel), y, kernel)
    assert theory.condition_number(kernel, (8, 8)) > 1e3
    assert (radius <= np.spacing(np.abs(x)) * 0.5000001).all()
    assert radius.max() < float(plain.max())


def test_scaling_by_powers_of_two_scales_the_result():
    rng = np.random.default_rng(3)
    kernel = random_kernel(rng, (2, 2, 2, 2), (1, 1), "dense")
    y = rng.normal(size=(2, 2, 4, 4))
    x, radius = cr.enclose(y, kernel)
    scaled, scaled_radius = cr.enclose(y * 2.0**300, kernel * 2.0**-200)
    assert np.array_equal(scaled, x * 2.0**500)
    np.testing.assert_allclose(scaled_radius, radius * 2.0**500, rtol=1e-9)


def test_a_kernel_beyond_the_range_of_double_precision_proves_nothing_or_the_truth():
    kernel = np.array([[[[1e-300, 1e300]]]])
    y = np.ones((1, 1, 1, 3))
    x, radius = cr.enclose(y, kernel)
    assert _holds(x, radius, y, kernel)


@pytest.mark.parametrize("images", [0, 1])
def test_shapes_dtypes_and_byte_orders(images):
    y, kernel = np.ones((images, 1, 2, 3), ">f4"), np.ones((1, 1, 2, 2), ">f4")
    for array in cr.enclose(y, kernel):
        assert array.shape == y.shape and array.dtype == y.dtype


def test_enclose_checks_its_arguments():
    y = np.ones((1, 2, 2, 2))
    with pytest.raises(SingularKernelError, match="exactly 0"):
        cr.enclose(y, np.ones((2, 2, 1, 1)))
    with pytest.raises(NonFiniteError, match="y must be finite"):
        cr.enclose(y * np.inf, np.eye(2)[:, :, None, None])


# ---- its parts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("half_plane", [False, True])
def test_the_bound_of_entries_is_a_product_with_all_of_the_response(half_plane):
    """Against the dense matrix; bounds for rows of pixels are above."""
    rng = np.random.default_rng(4)
    anchor = (1, 1) if half_plane else (1, 2)
    kernel = random_kernel(rng, (2, 2, 2, 3), anchor, "dense")
    system = enclosures._equilibrated(kernel, anchor, causal_solve)
    response = enclosures._response(system, (3, 4))
    inverse = np.abs(np.linalg.inv(cr.convolution_matrix(system.kernel, (3, 4), anchor=anchor)))
    values = rng.uniform(size=(2, 2, 3, 4))
    expected = values.transpose(0, 2, 3, 1).reshape(2, -1) @ inverse.T
    expected = expected.reshape(2, 3, 4, 2).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(enclosures._applied(values, response), expected, rtol=1e-12)
    assert (enclosures._applied_to_rows(values, response) >= expected).all()


@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_residual_is_as_exact_as_its_bound_says(count):
    rng = np.random.default_rng(count)
    for number in range(20):
        anchor = (int(rng.integers(1, 3)), int(rng.integers(3)))
        kernel = random_kernel(rng, (2, 2, anchor[0] + 1, 3), anchor, "dense")
        system = enclosures._equilibrated(kernel, anchor, None)
        x = rng.normal(size=(2, 2, 3, 4)) * 10 ** rng.uniform(-5, 5, (2, 2, 3, 4))
        low = x * rng.uniform(-(2.0**-54), 2.0**-54, x.shape)
        y = rng.normal(size=x.shape) if number % 2 else cr.conv(x, system.kernel, anchor=anchor)
        value, bound = enclosures._residual(y, x, low, system, count)
        exact = to_fractions(y) - theory.exact_conv(
            to_fractions(x) + to_fractions(low), system.kernel, anchor=anchor
        )
        gap = np.abs(to_fractions(value) - exact)
        assert all(g <= Fraction(b) for g, b in zip(gap.flat, bound.flat, strict=True))
        bits = 18 * count
        assert bound.max() < 2.0**-bits * np.abs(x).max() + 2.0**-52 * np.abs(value).max()


@pytest.mark.parametrize("count", [2, 3, 4, 5])
@pytest.mark.parametrize("channels", [1, 5, 9])
def test_the_largest_products_of_slices_are_summed_exactly(channels, count):
    """All slices are as large as they can be, and of one sign."""
    bits = (53 - (count * channels * 4 - 1).bit_length()) // 2
    number = sum(2.0**-bit for bit in range(1, 54) if bit % bits != 1 or bit == 1)
    kernel = np.full((channels, channels, 2, 2), number)
    kernel[:, :, 0] = np.nextafter(number, 0)
    x = np.full((1, channels, 3, 3), number)
    system = enclosures._equilibrated(kernel, (1, 1), None)
    value, bound = enclosures._residual(np.zeros_like(x), x, np.zeros_like(x), system, count)
    gap = np.abs(to_fractions(value) + theory.exact_conv(x, kernel))
    assert all(g <= Fraction(b) for g, b in zip(gap.flat, bound.flat, strict=True))
    weights = np.concatenate(list(rounding.integer_slices(kernel[0].ravel(), 0.0, count, bits)))
    assert count * (np.abs(weights).max() ** 2) * channels * 4 <= 2**53


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_residual_of_images_of_any_geometry(corner, dtype):
    rng = np.random.default_rng(8)
    kernel = random_kernel(rng, (2, 2, 2, 3), (1, 1), "dense").astype(dtype)
    options = {"corner": corner, "dilation": 2, "anchor": (1, 1)}
    y = (rng.normal(size=(2, 2, 4, 5)) * 1e-200 ** (dtype == np.float64)).astype(dtype)
    x = cr.conv_inverse(y, kernel, **options)
    found = enclosures.residual(x, y, kernel, Geometry(**options))
    exact = to_fractions(y) - theory.exact_conv(x, kernel, **options)
    np.testing.assert_allclose(found, exact.astype(float), rtol=1e-10, atol=1e-22 * np.abs(y).max())


def test_two_sum_loses_nothing():
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(2, 1000)) * 10 ** rng.uniform(-20, 20, (2, 1000))
    total, lost = rounding.two_sum(a, b)
    assert (to_fractions(a) + to_fractions(b) == to_fractions(total) + to_fractions(lost)).all()
    assert np.count_nonzero(lost) > 500


def test_upper_bounds_of_sums_in_any_order():
    rng = np.random.default_rng(6)
    for count in (2, 10, 1000):
        numbers = rng.uniform(size=count)
        exact = sum(map(Fraction, numbers))
        for order in (numbers, np.sort(numbers), np.sort(numbers)[::-1]):
            total = np.float64(0)
            for number in order:
                total += number
            assert Fraction(float(rounding.upper(total, count))) >= exact
    assert rounding.upper(np.float64(0), 5) == 0
    assert np.isnan(rounding.upper(np.float64("nan"), 5))


def test_integer_slices_put_an_array_together_again():
    rng = np.random.default_rng(7)
    array = rng.uniform(-1, 1, 200)
    low = array * rng.uniform(-(2.0**-54), 2.0**-54, 200)
    slices = list(rounding.integer_slices(array, low, 6, 20))
    total = sum(to_fractions(s) * Fraction(1, 1 << 20 * i) for i, s in enumerate(slices, start=1))
    rest = np.abs(to_fractions(array) + to_fractions(low) - total)
    assert rest.max() <= Fraction(51, 100) / (1 << 120)
    assert all((np.rint(s) == s).all() for s in slices)
    assert max(np.abs(s).max() for s in slices[1:]) <= 0.51 * 2**20 + 1


def test_exponents_bound_what_is_finite():
    array = np.array([[0.0, 0.0], [1.0, -0.75], [np.inf, 3.0], [np.nan, 0.0]])
    assert rounding.exponents(array, 1).ravel().tolist() == [
        rounding.OF_ZERO, 1, 2, rounding.OF_ZERO,
    ]  # fmt: skip
