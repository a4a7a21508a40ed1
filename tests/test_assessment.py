"""Assessments of an inverse: digits against true errors, no false alarms, little time."""

import time

import numpy as np
import pytest
import scipy.linalg

import cinc_ref as cr
from cinc_ref import theory
from cinc_ref.geometry import CORNERS, Geometry
from cinc_ref.primitives.causal import causal_conv, causal_solve
from cinc_ref.theory import trust
from cinc_ref.theory.random_kernels import random_kernel
from cinc_ref.theory.substitution import convolve
from tests.conftest import INTERPRETED
from tests.support.oracles import DTYPES

EDGE_STATE = np.zeros((2, 2, 2, 3))  # bounded for every wave, growing down the first column
EDGE_STATE[:, :, 1, 1] = np.eye(2)
EDGE_STATE[:, :, 0, 1] = [[-2, 0], [0, 2]]
EDGE_STATE[0, 1, 0, 0], EDGE_STATE[1, 0, 0, 2] = -2, 2
DILATED = np.array([[[[0.375, 1.5, 6], [0.5, 1, 0]]]])


def _assessed(x, y, kernel, **options):
    geometry = Geometry(**options)
    return trust.assess(x, y, kernel, geometry, causal_conv, causal_solve)


def _digits(x, expected):
    """The true digits of the worst image, between 0 and 20."""
    error = np.abs(x.astype(np.longdouble) - expected).max(axis=(1, 2, 3))
    relative = float(np.max(error / np.abs(expected).max(axis=(1, 2, 3))))
    return -np.log10(np.clip(relative, 1e-20, 1))


# ---- digits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "taps", [[-1, 1], [-0.3, -0.7, 1], [0.7, -1.7, 1], [-0.1, -0.2, -0.7, 1], [-0.99999, 1]]
)
@pytest.mark.parametrize("constant", [True, False])
def test_roundings_that_agree_in_sign_are_counted(taps, constant, dtype, monkeypatch):
    """Their sum grows like the width, that of independent ones like its root."""
    monkeypatch.setattr(trust, "CLEAR_ERROR", 0.0)
    width = 1000 if INTERPRETED else 10000
    kernel, anchor = np.array([[[taps]]], dtype), (0, len(taps) - 1)
    rng = np.random.default_rng(0)
    y = np.full((1, 1, 1, width), 0.1, dtype) if constant else rng.uniform(size=(1, 1, 1, width))
    y = y.astype(dtype)
    x = cr.conv_inverse(y, kernel)
    exact, radius = cr.enclose(y.astype(float), kernel.astype(float))
    true = _digits(x, exact)
    assert radius.max() < 1e-14 * np.abs(exact).max()
    assert true - 2 < _assessed(x, y, kernel, anchor=anchor).digits < true + 0.5


def test_the_reported_sum_in_float32():
    """4.3 digits are predicted if roundings are independent."""
    width = 10**4 if INTERPRETED else 10**5
    y, kernel = np.full((1, 1, 1, width), 0.1, np.float32), np.array([[[[-1, 1]]]], np.float32)
    x = np.cumsum(y, axis=3, dtype=np.float32)

    def solve(images, *_):
        return np.cumsum(images, axis=3, dtype=images.dtype)

    exact = np.arange(1, width + 1) * np.float64(y[0, 0, 0, 0])
    found = trust.assess(x, y, kernel, Geometry(anchor=(0, 1)), causal_conv, solve)
    assert found.digits == pytest.approx(-np.log10(np.abs(x / exact - 1).max()), abs=0.1)
    assert INTERPRETED or found.digits == pytest.approx(3.25, abs=0.05)


def test_a_residual_that_hides_roundings_is_computed_once_more(monkeypatch):
    """A convolution in float64 can repeat the roundings of the solver; this one repeats all."""
    monkeypatch.setattr(trust, "CLEAR_ERROR", 0.0)
    kernel, anchor = np.array([[[[0.5, 1.0]]]]), (0, 1)
    y = np.random.default_rng(6).normal(size=(1, 1, 1, 9))
    x = cr.conv_inverse(y, kernel)
    x[..., 3] += 1e-4 * np.abs(x).max()

    def hides(images, kernel, geometry):
        return y.copy() if np.array_equal(images, x) else causal_conv(images, kernel, geometry)

    found = trust.assess(x, y, kernel, Geometry(anchor=anchor), hides, causal_solve)
    assert found.digits == pytest.approx(4, abs=0.1)


def _family(name, rng):
    """A kernel with an anchor and a dilation, and an image size, of a sort that was misjudged."""
    size = (int(rng.integers(4, 12 if INTERPRETED else 40)), int(rng.integers(2, 10)))
    if name == "edge state":
        turn = scipy.linalg.qr(rng.normal(size=(2, 2)))[0]
        kernel = EDGE_STATE + np.where(EDGE_STATE == 0, 0, rng.normal(size=EDGE_STATE.shape)) * 0.03
        return np.einsum("ao,ocij,bc->abij", turn, kernel, turn), (1, 1), 1, size
    if name == "dilated half-plane":
        kernel = DILATED * np.exp(0.1 * rng.normal(size=DILATED.shape))
        return kernel, (1, 1), int(rng.integers(2, 4)), (4 * size[0], int(rng.integers(1, 10)))
    if name == "channel scaling":
        kernel = np.zeros((2, 2, 2, 2))
        kernel[:, :, 1, 1], kernel[:, :, 0, 1] = np.eye(2), 2 * np.eye(2)
        kernel[0, 1, 1, 0] = 2 * 10 ** rng.uniform(2, 7)
        return kernel, (1, 1), 1, size
    if name == "multiple zero":
        zeros = [rng.choice([7 / 8, 15 / 16, -3 / 4])] * int(rng.integers(2, 16))
        return np.poly(zeros)[::-1].reshape(1, 1, 1, -1), (0, len(zeros)), 1, size[::-1]
    if name == "growing":
        return np.array([[[[1.0, 2.0], [2.0, 1.0]]]]), (1, 1), 1, size
    anchor = (1, int(rng.integers(3)))
    kernel = random_kernel(rng, (2, 2, 2, 3), anchor, str(rng.choice(["lower", "dense"])))
    block = kernel[:, :, *anchor].copy()
    kernel = kernel * 10 ** rng.uniform(-1, 2)
    kernel[:, :, *anchor] = block
    return kernel, anchor, 1, size


FAMILIES = (
    "edge state", "dilated half-plane", "channel scaling", "multiple zero", "growing", "random",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FAMILIES)
def test_digits_of_a_round_trip_are_never_a_decade_too_many(name, dtype):
    rng = np.random.default_rng(FAMILIES.index(name))
    gaps = []
    for _ in range(10 if INTERPRETED else 60):
        kernel, anchor, dilation, size = _family(name, rng)
        options = {"anchor": anchor, "dilation": dilation, "corner": str(rng.choice(CORNERS))}
        kernel = kernel.astype(dtype)
        expected = rng.normal(size=(3, len(kernel), *size)).astype(dtype)
        y = cr.conv(expected, kernel, **options)
        x = causal_solve(y, kernel, Geometry(**options))
        if np.isfinite(x).all():
            gaps.append(_assessed(x, y, kernel, **options).digits - _digits(x, expected))
    assert max(gaps) < 1
    assert np.median(np.abs(gaps)) < 1.5


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("anchor", [(1, 2), (1, 1)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_digits_are_at_most_those_that_stability_predicts(dilation, anchor, dtype):
    """A grown solution is right to its largest pixel, which says nothing of a round trip."""
    rng, seen = np.random.default_rng(7), []
    for number in range(10):
        kernel = random_kernel(rng, (2, 2, 2, 3), anchor, "lower")
        kernel[:, :, :1] *= 2 + 2 * number
        kernel = kernel.astype(dtype)
        predicted = theory.stability(kernel, (8, 10), dilation=dilation, anchor=anchor)
        y = rng.normal(size=(2, 2, 8, 10)).astype(dtype)
        x = cr.conv_inverse(y, kernel, dilation=dilation, anchor=anchor)
        found = _assessed(x, y, kernel, dilation=dilation, anchor=anchor)
        assert found.digits <= predicted.digits(dtype) + (1e-6 if anchor == (1, 2) else 0.2)
        seen.append(found.digits)
    assert max(seen) - min(seen) > 1


@pytest.mark.parametrize("side", range(2, 11))
def test_a_kernel_that_grows_is_no_use_though_its_solution_is_right(side):
    kernel = np.full((1, 1, 3, 3), 0.1, np.float32)
    kernel[..., 2, 2] = 0.02
    y = np.random.default_rng(0).normal(size=(2, 1, side, side)).astype(np.float32)
    predicted = theory.stability(kernel, (side, side)).digits(np.float32)
    found = _assessed(cr.conv_inverse(y, kernel), y, kernel, anchor=(2, 2))
    assert found.is_usable == (predicted >= 3)
    assert found.digits == pytest.approx(predicted, abs=1e-6)


def test_an_image_that_is_zero_and_a_solution_that_is_not():
    kernel, zero = np.array([[[[1.0]]]]), np.zeros((1, 1, 2, 2))
    assert _assessed(zero, zero, kernel) == (-np.log10(np.finfo(float).eps), 0.0, 10)
    found = _assessed(zero, zero + 1, kernel)
    assert found.digits == 0 and found.residual > 1e15 and not found.is_usable
    assert _assessed(zero[:0], zero[:0], kernel).is_usable


def test_an_overflow_on_the_way_leaves_no_digits():
    kernel = np.array([[[[-3e38, 3e38]]]], np.float32)
    x = np.ones((1, 1, 1, 4), np.float32)
    found = _assessed(x, causal_conv(x, kernel, Geometry(anchor=(0, 1))), kernel, anchor=(0, 1))
    assert found.digits == 0 and not found.is_usable


# ---- residuals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_pixel_that_is_wrong_is_seen_however_small(dtype):
    rng = np.random.default_rng(1)
    kernel = random_kernel(rng, (2, 2, 3, 3), (2, 2), "lower").astype(dtype)
    y = rng.normal(size=(1, 2, 4, 4)).astype(dtype)
    y[0, 0, 0, 0] = 1e-6
    x = cr.conv_inverse(y, kernel)
    assert _assessed(x, y, kernel, anchor=(2, 2)).is_usable
    x[0, 0, 0, 0] *= 1 + 40 * np.finfo(dtype).eps
    assert not _assessed(x, y, kernel, anchor=(2, 2)).is_usable


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("side, most", [(1, 10), (4, 10), (5, 12), (6, 18)])
def test_half_an_eps_is_allowed_for_every_term_and_ten_at_least(side, most, dtype):
    kernel, x = np.zeros((1, 1, side, side), dtype), np.ones((1, 1, 2, 2), dtype)
    kernel[..., -1, -1] = 1
    for error, usable in ((most, True), (most + 1, False)):
        y = x + dtype(error) * np.finfo(dtype).eps
        assert _assessed(x, y, kernel, anchor=(side - 1, side - 1)).is_usable == usable


@pytest.mark.parametrize("dtype", DTYPES)
def test_pivots_that_grow_are_no_alarm(dtype, monkeypatch):
    """Elimination in Wilkinson's matrix doubles the last column at every step."""
    channels = 14
    block = np.tril(-np.ones((channels, channels), dtype), -1) + np.eye(channels, dtype=dtype)
    block[:, -1] = 1
    kernel, factors = block[:, :, None, None], scipy.linalg.lu_factor(block)

    def solve(images, *_):
        pixels = images.transpose(1, 0, 2, 3)
        x = scipy.linalg.lu_solve(factors, pixels.reshape(channels, -1))
        return x.reshape(pixels.shape).transpose(1, 0, 2, 3)

    y = np.random.default_rng(2).normal(size=(20, channels, 2, 2)).astype(dtype)
    x = solve(y)
    found = trust.assess(x, y, kernel, Geometry(), convolve, solve)
    assert found.is_usable
    monkeypatch.setattr(trust, "_pivot_growth", lambda block: None)
    plain = trust.assess(x, y, kernel, Geometry(), convolve, solve)
    assert plain.residual > 10 * found.residual


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_and_images_of_any_scale_are_no_alarm(dtype):
    rng = np.random.default_rng(3)
    kernel = random_kernel(rng, (3, 3, 2, 2), (1, 1), "dense")
    y = rng.normal(size=(2, 3, 5, 5))
    for power in (20, -20, -30):
        rows = np.array([1, 10.0**power, 1])
        scaled = (kernel * rows[:, None, None, None]).astype(dtype)
        images = (y * rows[:, None, None]).astype(dtype)
        x = cr.conv_inverse(images, scaled)
        assert _assessed(x, images, scaled, anchor=(1, 1)).is_usable
    tiny = np.finfo(dtype).smallest_normal
    for scale in (tiny * 1e-2, tiny, 1e-2 / tiny):
        images = (y * scale).astype(dtype)
        x = cr.conv_inverse(images, kernel.astype(dtype))
        found = _assessed(x, images, kernel.astype(dtype), anchor=(1, 1))
        assert found.is_usable


def test_subnormal_images_keep_the_digits_that_their_bits_have():
    """A subnormal number such as 2^-140 has ten bits in float32."""
    kernel = np.array([[[[0.3, 1.1]]]], np.float32)
    y = (np.linspace(1, 2, 8).reshape(1, 1, 1, 8) * 2.0**-140).astype(np.float32)
    found = _assessed(cr.conv_inverse(y, kernel), y, kernel, anchor=(0, 1))
    assert 2 < found.digits < 4 and found.residual < 10


@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_of_many_terms_are_no_alarm(dtype):
    terms = 100 if INTERPRETED else 1000
    kernel = np.full((1, 1, 1, terms), 1 / terms, dtype)
    kernel[..., -1] = 1
    y = np.full((1, 1, 1, terms + 200), 0.1, dtype)
    x = cr.conv_inverse(y, kernel)
    assert _assessed(x, y, kernel, anchor=(0, terms - 1)).is_usable


# ---- condition numbers for a warning -------------------------------------------------------------


@pytest.mark.parametrize("anchor", [(1, 2), (1, 1)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_condition_numbers_that_are_not_exact_are_lower_bounds(anchor, dilation, monkeypatch):
    kernel = random_kernel(np.random.default_rng(4), (2, 2, 2, 3), anchor, "dense")
    geometry = Geometry(dilation=dilation, anchor=anchor)
    matrix = cr.convolution_matrix(kernel, (5, 7), dilation=dilation, anchor=anchor)
    exact = np.linalg.norm(matrix, 1) * np.linalg.norm(np.linalg.inv(matrix), 1)
    monkeypatch.setattr(trust, "EXACT_SECONDS", 0)
    found, is_exact = trust.condition_in_time(kernel, (5, 7), geometry)
    assert found == pytest.approx(exact, rel=1e-9) and not is_exact
    monkeypatch.setattr(trust, "PRODUCTS_IN_TIME", 1)
    monkeypatch.setattr(trust, "LEAST_SECONDS", 1e-3)
    fewer, _ = trust.condition_in_time(kernel, (5, 7), geometry)
    assert exact / 100 < fewer <= exact * (1 + 1e-9)


def test_small_condition_numbers_are_exact():
    kernel = np.array([[[[0.1, 0.1], [0.1, 0.02]]]], np.float32)
    geometry = Geometry(corner="top-right", anchor=(1, 1))
    found = trust.condition_in_time(kernel, (16, 16), geometry)
    assert found == (theory.condition_number(kernel, (16, 16)), True)


@pytest.mark.parametrize(
    "channels, size, anchor",
    [
        (1, (2000, 2000), (1, 1)),
        (1, (1, 10**5), (1, 2)),
        (3, (128, 128), (1, 1)),
        (12, (32, 32), (1, 1)),
        (12, (32, 32), (1, 2)),
        (48, (64, 64), (1, 2)),
    ],
)
def test_condition_numbers_take_less_than_a_second(channels, size, anchor):
    kernel = np.random.default_rng(5).normal(size=(channels, channels, 2, 3)).astype(np.float32)
    kernel[:, :, 1, anchor[1] + 1 :] = 0
    kernel[:, :, :, 0] *= 4
    start = time.process_time()
    condition, is_exact = trust.condition_in_time(kernel, size, Geometry(anchor=anchor))
    assert time.process_time() - start < 1
    assert condition > 1e15 and not is_exact
