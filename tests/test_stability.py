"""How usable an inverse is: condition numbers against exact ones, predictions against errors."""

import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cinc_ref as cr
from cinc_ref import theory
from cinc_ref._trees import named_leaves
from cinc_ref.errors import (
    DtypeError,
    IllConditionedWarning,
    ParamsError,
    ShapeError,
    SingularKernelError,
)
from cinc_ref.geometry import Geometry
from cinc_ref.primitives import diagnostics
from cinc_ref.theory import conditioning, explanation, norms
from cinc_ref.theory.exact import matrix_inverse
from cinc_ref.theory.random_kernels import random_kernel
from tests.conftest import INTERPRETED
from tests.support.oracles import float_matrix, problems
from tools import accuracy_campaign as campaign

REPORTED = np.array([[[[0.8033, 0.1748, 0.089], [-0.6137, 0.0462, 0.0]]]])  # DESIGN: section 1
CORNER_ALMOST_0 = np.full((1, 1, 3, 3), 0.1, np.float32)
CORNER_ALMOST_0[..., 2, 2] = 0.02


# ---- condition number ----------------------------------------------------------------------------

SHAPES = [  # channels, kernel, anchor, size, dilation, scale of the other taps
    (1, (2, 2), (1, 1), (4, 5), 1, 1),
    (1, (3, 3), (2, 2), (5, 5), 1, 40),
    (1, (3, 3), (2, 2), (5, 5), 1, 300),
    (1, (2, 3), (1, 1), (5, 5), 1, 3),
    (1, (2, 3), (1, 1), (5, 4), 1, 250),
    (1, (3, 4), (2, 1), (4, 4), 1, 50),
    (1, (3, 2), (2, 1), (5, 5), 2, 50000),
    (1, (2, 3), (1, 0), (7, 7), 2, 30000),
    (1, (2, 3), (1, 1), (7, 5), 3, 1000),
    (2, (2, 2), (1, 1), (3, 4), 1, 100),
    (2, (2, 3), (1, 1), (3, 3), 1, 250),
    (3, (2, 2), (1, 1), (2, 4), 2, 1000),
    (2, (1, 3), (0, 2), (1, 8), 1, 100),
    (1, (4, 1), (3, 0), (9, 2), 1, 100),
]


def _dyadic_kernel(channels, taps, anchor, scale, seed):
    """Multiples of 1/64 with full rows of signs, the corner block dense."""
    rng = np.random.default_rng([seed, channels])
    kernel = rng.integers(-64, 65, (channels, channels, *taps)) * scale / 64
    kernel[:, :, anchor[0], anchor[1] + 1 :] = 0
    block = rng.integers(-16, 17, (channels, channels)) / 64
    kernel[:, :, *anchor] = block + np.diag(rng.choice([-1, 1], channels))
    return kernel


def _exact_norms(kernel, size, **options):
    """Norms of M and M^-1 by elimination on the whole matrix, in Fractions; then Skeel's number."""
    matrix = cr.convolution_matrix(kernel, size, **options)
    inverse = np.abs(matrix_inverse(matrix))
    matrix = np.abs(matrix).astype(object)
    return (
        float(matrix.sum(axis=0).max()),
        float(inverse.sum(axis=0).max()),
        float((inverse @ matrix).sum(axis=1).max()),
        float(np.sqrt(float((inverse**2 @ matrix**2).sum(axis=1).max()))),
    )


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("channels, taps, anchor, size, dilation, scale", SHAPES)
def test_condition_number_is_exact(channels, taps, anchor, size, dilation, scale, seed):
    kernel = _dyadic_kernel(channels, taps, anchor, scale, seed)
    options = {"dilation": dilation, "anchor": anchor}
    norm, inverse_norm, skeel, factor = _exact_norms(kernel, size, **options)
    found = theory.stability(kernel, size, **options)
    condition = theory.condition_number(kernel, size, **options)
    assert condition == found.condition_number == pytest.approx(norm * inverse_norm, rel=1e-6)
    assert found.inverse_norm == pytest.approx(inverse_norm, rel=1e-6)
    assert found.skeel_number == pytest.approx(skeel, rel=1e-6)
    assert found.error_factor == pytest.approx(factor, rel=1e-6)


def test_the_cases_above_reach_1e24():
    conditions = [
        theory.condition_number(
            _dyadic_kernel(*shape[:3], shape[5], 0), shape[3], dilation=shape[4], anchor=shape[2]
        )
        for shape in SHAPES
    ]
    assert min(conditions) < 1e3 and sum(1e20 < c < 1e25 for c in conditions) >= 3


@pytest.mark.parametrize("size", [(4, 4), (8, 8)])
def test_floats_and_integers_agree_where_floats_claim_to_be_accurate(size):
    for number in range(20):
        kernel = campaign.growth_kernel(1, number, (2, 2, 2, 3), (1, 1))
        geometry = Geometry(anchor=(1, 1))
        floats, error, _ = norms._norms_in_floats(kernel, size, geometry)
        exact = norms._norms_in_integers(kernel, size, geometry)
        assert abs(float(exact.inverse) / floats.inverse - 1) <= error
        floats = [float(number) for number in floats]
        assert floats == pytest.approx([float(number) for number in exact], rel=max(error, 1e-12))


@pytest.mark.parametrize("anchor", [(1, 2), (1, 1), (1, 0)])
def test_sums_of_columns_and_rows_from_the_first_pixels(anchor):
    """The norms of M^-1 from a part of its columns: one pixel, or a row for half-plane taps."""
    kernel = random_kernel(np.random.default_rng(0), (2, 2, 2, 3), anchor, "dense")
    inverse = np.linalg.inv(cr.convolution_matrix(kernel, (3, 4), anchor=anchor))
    quadrant = anchor == (1, 2)
    columns = inverse.T[: 2 if quadrant else 8].reshape(-1, 3, 4, 2).transpose(0, 3, 1, 2)
    assert norms._column_norm(columns) == pytest.approx(np.linalg.norm(inverse, 1))
    assert norms._row_norm(columns, quadrant) == pytest.approx(np.linalg.norm(inverse, np.inf))


@given(problems(dtypes=(np.float64,)))
def test_floats_know_that_they_are_accurate_where_the_inverse_is_bounded(problem):
    """What rounding leaves of 1 - M G is a small multiple of eps there."""
    geometry = Geometry(anchor=problem.anchor)
    _, error, _ = norms._norms_in_floats(problem.kernel, problem.size, geometry)
    assert 0 < error < 1e-10


def test_condition_number_beyond_double_precision_and_beyond_doubles():
    known = 1001 * sum(1000**power for power in range(50))  # x_j = y_j - 1000 x_{j-1}
    found = theory.condition_number(np.array([[[[1000.0, 1.0]]]]), (3, 50))
    assert found == pytest.approx(known, rel=1e-12)
    far = theory.stability(REPORTED, (140, 32), anchor=(1, 1))
    assert (
        far.condition_number == far.inverse_norm == far.skeel_number == far.error_factor == np.inf
    )
    assert far.digits(np.float64) == 0


def test_condition_number_does_not_depend_on_the_scale_of_the_kernel():
    expected = theory.condition_number(REPORTED, (6, 6), anchor=(1, 1))
    for scale in (1e-200, 1e200, 2.0**-1060):
        found = theory.condition_number(REPORTED * scale, (6, 6), anchor=(1, 1))
        assert found == pytest.approx(expected, rel=1e-2 if scale == 2.0**-1060 else 1e-6)


def test_rows_of_very_different_scale_do_not_hide_from_the_error_estimate():
    kernel = np.zeros((2, 2, 1, 2))
    kernel[:, :, 0, 1] = [[1.0, 0.0], [0.0, 1e-30]]
    kernel[:, :, 0, 0] = [[0.5, 0.0], [0.0, 0.5e-30]]
    found = theory.stability(kernel, (1, 20))
    assert found.condition_number > 1e30
    assert found.skeel_number == pytest.approx(3, abs=0.01)
    assert found.digits("float32") > 6


@pytest.mark.parametrize("function", [theory.condition_number, theory.stability])
def test_stability_checks_its_arguments(function):
    with pytest.raises(SingularKernelError, match="exactly 0"):
        function(np.ones((2, 2, 2, 2)), (3, 3))
    with pytest.raises(ShapeError, match="size"):
        function(REPORTED, 3)


# ---- predictions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [4] if INTERPRETED else [4, 8, 12])
def test_the_reported_kernel_is_predicted_useless_in_float32(side):
    kernel = REPORTED.astype(np.float32)
    found = theory.stability(kernel, (side, side), anchor=(1, 1))
    assert found.verdict == "growing" and found.digits("float32") == 0
    expected = found.expected_error("float32")
    observed = campaign.median_error(kernel, (side, side), (1, 1), np.random.default_rng(0))
    assert expected / 100 < observed < expected * 100
    assert cr.log_abs_det(kernel, (side, side), anchor=(1, 1)) == pytest.approx(
        side**2 * np.log(0.0462), rel=1e-5
    )


def test_digits_are_those_that_the_error_leaves():
    """None at an error of 1 and above, never fewer than none, and not more than the dtype has."""
    found = theory.stability(REPORTED, (4, 4), anchor=(1, 1))
    for dtype in (np.float32, np.float64):
        eps = float(np.finfo(dtype).eps)
        for error, digits in ((1.0, 0), (1.5, 0), (1e30, 0), (0.1, 1), (1e-4, 4), (eps**2, None)):
            most = np.log10(1 / eps)
            kept = replace(found, error_factor=error / eps).digits(dtype)
            assert kept == pytest.approx(most if digits is None else digits, abs=1e-9)
            assert kept >= 0


def test_predictions_for_random_kernels():
    kernels, largest = (8, 4) if INTERPRETED else (200, 16)
    ratios, overshoots, conditions = campaign.prediction_campaign(kernels, largest=largest)
    assert len(ratios) == kernels and ratios.min() > 1 / 100 and ratios.max() < 100
    assert overshoots.min() > 1 / 4  # Skeel's number bounds the error, but for a small factor
    if not INTERPRETED:
        assert conditions.min() < 10 and conditions.max() > 1e11


def test_residuals_of_random_ill_conditioned_cases():
    cases, largest = (20, 4) if INTERPRETED else (300, 16)
    worst, case, ill_conditioned = campaign.residual_campaign(cases, seed=1, largest=largest)
    assert worst < 10, case
    assert INTERPRETED or ill_conditioned >= 0.2


# ---- verdicts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, kernels", list(zip(campaign.GROWTH_SHAPES, (70, 70, 70, 200, 50), strict=True))
)
def test_verdicts_agree_with_measured_growth(name, kernels):
    verdicts, growing = campaign.growth_campaign(name, kernels // 5 if INTERPRETED else kernels)
    assert not len(campaign.disagreements(verdicts, growing))
    assert np.mean(verdicts == "undecided") <= 0.1
    assert 0.1 < growing.mean() < 0.9


def test_a_wrong_verdict_would_be_seen():
    verdicts, growing = np.array(["bounded", "growing", "undecided"]), np.array([True, False, True])
    assert campaign.disagreements(verdicts, growing).tolist() == [0, 1]


@pytest.mark.parametrize("total, verdict", [(0.5, "bounded"), (30.0, "growing")])
def test_taller_half_plane_kernels_are_decided(total, verdict):
    rng = np.random.default_rng(0)
    for _ in range(10):
        kernel = campaign.random_kernel(rng, (1, 1, 3, 3), (2, 1), "lower", total)
        found = theory.stability(kernel, (8, 8), anchor=(2, 1))
        assert found.verdict == verdict and found.margin > 0
        assert theory.check_certificate(kernel, found.proof, anchor=(2, 1))


def test_the_bidisk_test_would_be_wrong_for_half_planes():
    """1 + 0.9 w / z has zeros in the bidisk, but its inverse is bounded: w^i (0.9 / z)^i."""
    kernel = np.array([[[[0.0, 0.0, 0.9], [0.0, 1.0, 0.0]]]])
    found = theory.stability(kernel, (32, 32), anchor=(1, 1))
    assert found.verdict == "bounded" and found.rate == pytest.approx(0.9)


def test_rows_on_the_edge_of_stability():
    """det T_0 has zeros on the unit circle: growth like a polynomial, whose rate is 1."""
    for zeros in ([1.0, -1.0], [1.0, -2.0, 1.0], [-1.0, 3.0, -3.0, 1.0]):
        both = np.array([[[[-0.1 * tap for tap in zeros], zeros]]])  # (1 - z)^k (1 - 0.1 w)
        for kernel in (both, np.array([[[[0.0] * (len(zeros) - 1) + [0.5], zeros]]])):
            found = theory.stability(kernel, (3, 3))
            assert (found.verdict, found.rate) == ("growing", 1)
            assert theory.check_certificate(kernel, found.proof)
            norms = [campaign.inverse_norm(kernel, n, (1, len(zeros) - 1)) for n in (8, 16, 32)]
            assert norms[1] > 1.5 * norms[0] and norms[2] > 1.5 * norms[1]
    edge = np.array([[[[1.0, -1.0], [-1.0, 1.0]]]])
    assert theory.stability(edge, (3, 3)).verdict == "growing"
    rounded = theory.stability(edge.astype(np.float32) / 3, (3, 3))  # all taps round alike
    assert (rounded.verdict, rounded.rate) == ("growing", 1)


def test_integers_up_to_2_to_the_1000_are_taken():
    for integer, fits in ((2**1000 - 1, True), (-(2**1000) + 1, True), (2**1000, False)):
        kernel = np.array([[[[integer]]]], dtype=object)
        if fits:
            assert theory.condition_number(kernel, (2, 2)) == 1
        else:
            with pytest.raises(DtypeError, match="below 2"):
                theory.condition_number(kernel, (2, 2))


@pytest.mark.parametrize("size", [(3, 7), (6, 2), (5, 5)])
def test_dilated_taps_are_seen_in_each_phase_of_the_image(size):
    """A growing inverse, whose norm tells the size of the largest phase, ceil(H/d) x ceil(W/d)."""
    kernel = np.array([[[[0.3, -1.5], [-1.7, 1.0]]]])
    found = theory.stability(kernel, size, dilation=2)
    matrix = cr.convolution_matrix(kernel, size, dilation=2)
    norms = [np.linalg.norm(m, 1) for m in (matrix, np.linalg.inv(matrix))]
    assert found.condition_number == pytest.approx(norms[0] * norms[1], rel=1e-9)
    assert theory.condition_number(kernel, size, dilation=2) == found.condition_number
    geometry = Geometry(dilation=2, anchor=(1, 1))
    warned = conditioning.condition_and_digits(kernel, size, geometry, np.dtype("float32"))
    assert warned == (found.condition_number, found.digits("float32"))


def test_growth_within_a_row_is_the_rate_though_rows_grow_faster():
    """(1 - 2 z) (1 - 5 w): 2 within a row, 5 from row to row."""
    found = theory.stability(np.array([[[[10.0, -5.0], [-2.0, 1.0]]]]), (3, 3))
    assert found.verdict == "growing" and found.rate == pytest.approx(2)
    found = theory.stability(np.array([[[[2.5, -5.0], [-0.5, 1.0]]]]), (3, 3))
    assert found.verdict == "growing" and found.rate == pytest.approx(5)


def test_rates_are_known_for_simple_recursions():
    for taps, rate in (([2.0, 1.0], 2), ([0.5, 1.0], 0.5), ([0.0, 1.0], 0), ([1.0, 1.0], 1)):
        row = theory.stability(np.array([[[taps]]]), (2, 2))
        column = theory.stability(np.array(taps).reshape(1, 1, 2, 1), (2, 2))
        assert row.rate == pytest.approx(rate) and column.rate == pytest.approx(rate)
    assert row.verdict == column.verdict == "growing"
    assert row.margin == column.margin == 0 and row.rate == column.rate == 1
    assert "within a row" in row.rate_of and "row to row" in column.rate_of


@given(problems(largest=4))
def test_certificate_bounds_every_inverse(problem):
    """The drawn kernels have S <= 0.7."""
    d = problem.dilation
    found = theory.stability(problem.kernel, problem.size, dilation=d, anchor=problem.anchor)
    assert found.certificate < 0.7 * (1 + 1e-5)
    inverse = np.linalg.inv(float_matrix(problem))
    assert np.linalg.norm(inverse, 2) <= found.inverse_norm_bound * (1 + 1e-6)
    assert found.verdict == found.at_width.verdict == "bounded"


# ---- warnings of conv_inverse --------------------------------------------------------------------


def test_no_silent_nan():
    y = np.random.default_rng(0).normal(size=(2, 1, 32, 32)).astype(np.float32)
    condition = theory.condition_number(CORNER_ALMOST_0, (32, 32))
    for check in (False, True):
        ignore = np.errstate(all="ignore")  # without the compiler NumPy warns of the overflow, too
        with ignore, pytest.warns(IllConditionedWarning, match="condition number is") as caught:
            x = cr.conv_inverse(y, CORNER_ALMOST_0, check=check)
        assert not np.isfinite(x).all()
        warning = caught[0].message
        assert warning.condition_number == condition and warning.digits == 0
        assert f"{condition:.2g}" in str(warning) and "not finite" in str(warning)
        assert caught[0].filename == __file__


def test_no_silent_nan_in_the_gradient():
    y = np.ones((1, 1, 12, 12), np.float32)
    kernel = np.array([[[[1e4, 1.0]]]], np.float32)
    with np.errstate(all="ignore"), pytest.warns(IllConditionedWarning, match="not finite"):
        cr.conv_inverse_vjp(y, kernel, y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_check_warns_below_three_digits_only(dtype):
    y = np.random.default_rng(0).normal(size=(2, 1, 10, 10)).astype(dtype)
    seen = []
    for side in range(2, 11):
        digits = theory.stability(CORNER_ALMOST_0.astype(dtype), (side, side)).digits(dtype)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            cr.conv_inverse(y[:, :, :side, :side], CORNER_ALMOST_0.astype(dtype), check=True)
            cr.conv_inverse(y[:, :, :side, :side], CORNER_ALMOST_0.astype(dtype))
        seen.append(len(caught))
        assert len(caught) == (digits < 3)
        assert not caught or caught[0].message.digits == pytest.approx(digits)
    assert set(seen) == {0, 1}


@given(problems())
def test_check_is_silent_for_well_conditioned_kernels(problem):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checked = cr.conv_inverse(problem.x, problem.kernel, check=True, **problem.options)
    plain = cr.conv_inverse(problem.x, problem.kernel, **problem.options)
    assert np.array_equal(checked, plain)


def test_check_sees_a_wrong_inverse(monkeypatch):
    from cinc_ref import convolution

    rng = np.random.default_rng(0)
    kernel = random_kernel(rng, (2, 2, 3, 3), (2, 2), "lower")
    y = rng.normal(size=(1, 2, 4, 4))
    y[0, 0, 0, 0] = 1e-6
    right = convolution.execute

    def wrong(plan, images, kernel):
        return right(plan, np.where(images == 1e-6, 2e-6, images), kernel)

    monkeypatch.setattr(convolution, "execute", wrong)
    with pytest.warns(IllConditionedWarning, match="elementwise residual is"):
        cr.conv_inverse(y, kernel, check=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("side, most", [(1, 10), (4, 10), (5, 12), (6, 18)])
def test_check_allows_half_an_eps_for_every_term_and_ten_at_least(side, most, dtype):
    """M is the identity whatever the size of its kernel: the residual is the error in eps."""
    kernel, x = np.zeros((1, 1, side, side), dtype), np.ones((1, 1, 2, 2), dtype)
    kernel[..., -1, -1] = 1
    geometry = Geometry(anchor=(side - 1, side - 1))
    for error, warned in ((most, False), (most + 1, True)):
        y = x + dtype(error) * np.finfo(dtype).eps
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            diagnostics.warn_if_ill_conditioned(x, y, kernel, geometry)
        assert bool(caught) == warned


# ---- in plain words ------------------------------------------------------------------------------


def test_explain_a_useless_kernel():
    text = theory.explain(REPORTED, (12, 12), anchor=(1, 1))
    for part in ("Invertible: yes, K_nn = 0.0462", "5.24e+37", "float32: useless", "grows", "S = "):
        assert part in text


def test_explain_counts_the_digits_of_each_dtype():
    text = theory.explain(np.array([[[[0.5, 1.0]]]]), (4, 4))
    for dtype in ("float32", "float64"):
        most = np.log10(1 / np.finfo(dtype).eps)
        assert f"{dtype}: usable" in text and f"of {most:.1f} digits." in text


@pytest.mark.parametrize(
    "digits, word", [(0.9, "useless"), (1, "poor"), (1.5, "poor"), (2.9, "poor"), (3, "usable")]
)
def test_explain_calls_one_digit_poor_and_three_usable(digits, word):
    found = SimpleNamespace(digits=lambda dtype: digits)
    assert explanation._usable(found, "float32").startswith(f"float32: {word}, ")


@pytest.mark.parametrize(
    "digits, words",
    [(0, "no digit"), (0.04, "no digit"), (0.06, "about 0.1 of 6.9"), (0.71, "about 0.7 of 6.9")],
)
def test_explain_shows_the_part_of_a_digit_that_is_left(digits, words):
    found = SimpleNamespace(digits=lambda dtype: digits)
    assert f"useless, an inverse keeps {words}" in explanation._usable(found, "float32")


@pytest.mark.parametrize(
    "taps, both",
    [
        ([[0.2, -0.9], [-0.9, 1]], True),  # a wave grows, each width is bounded
        ([[-2, 1]], True),  # the response grows within a row
        ([[-2], [1]], False),  # grows at every width
        ([[0.25, 0.5], [0.5, 1]], False),
    ],
)
def test_explain_reconciles_growth_with_a_bound_at_one_width(taps, both):
    kernel = np.array(taps, float)[None, None]
    found = theory.stability(kernel, (4, 4))
    assert both == (found.verdict == "growing" and found.at_width.verdict == "bounded")
    assert ("no bound holds for all widths" in theory.explain(kernel, (4, 4))) == both


def test_explain_a_poor_kernel_and_several_channels():
    text = theory.explain(np.array([[[[3.0, 1.0]]]]), (4, 10))
    assert "float32: poor" in text and "float64: usable" in text
    kernel = np.eye(2)[:, :, None, None] * 2
    assert "det B = 4" in theory.explain(kernel, (3, 3))
    assert "12.4766 nats" in theory.explain(kernel, (3, 3))


def test_explain_a_singular_kernel():
    text = theory.explain(np.ones((2, 2, 1, 1)), (3, 3))
    assert "Invertible: no, det B = 0 exactly" in text and "[-1.0, 1.0]" in text


def test_explain_numbers_beyond_floating_point():
    kernel = np.eye(2, dtype=int)[:, :, None, None] * np.array(10**200, dtype=object)
    assert "det B = 1e+400" in theory.explain(kernel, (1, 1))
    with pytest.raises(DtypeError, match="below 2"):
        theory.explain(kernel**2, (1, 1))


def test_a_corner_block_that_floats_call_singular():
    kernel = np.array([[1, 3], [1 / 3, 1]])[:, :, None, None]
    found = theory.stability(np.concatenate([kernel / 2**60, kernel], axis=3), (4, 4))
    assert found.verdict == "bounded" and found.certificate == pytest.approx(2**-60)
    assert found.inverse_norm_bound == pytest.approx(np.sqrt(11 + 1 / 9) * 2**54, rel=1e-3)


@given(st.integers(0, 2**32))
def test_explain_never_fails_on_integers(seed):
    kernel = np.random.default_rng(seed).integers(-2, 3, (2, 2, 2, 2))
    assert "Invertible" in theory.explain(kernel, (3, 3))


@pytest.mark.parametrize("system", ["glow", "emerging-plu", "finc-plu", "cinc-plu", "cinc"])
def test_a_kernel_beyond_the_range_of_floats_is_named_by_its_layer_and_leaf(system):
    system, _, block = system.partition("-")
    options = {"corner_block": block} if block else {}
    flow = cr.flows.build(system, "affine", (1, 4, 4), levels=1, depth=2, width=2, **options)
    x = np.random.default_rng(0).normal(size=(2, 1, 4, 4))
    params = flow.init(0, x)
    leaves = named_leaves(params["levels"][0][2])
    diagonals = [leaf for name, leaf in leaves.items() if name.endswith("log_diagonal")]
    latents = tuple(np.ones((2, *shape)) for shape in flow.latent_shapes)
    calls = {
        "decode": lambda: flow.decode(params, latents),
        "sample": lambda: flow.sample(params, 0, 2),
        "encode": lambda: flow.encode(params, x),
        "log_prob": lambda: flow.log_prob(params, x),
        "constant memory": lambda: flow.log_prob(params, x, constant_memory=True),
        "stability": lambda: flow.stability(params),
        "evaluate": lambda: cr.evaluate(flow, params, np.zeros((2, 1, 4, 4), int), draws=1),
    }
    for leaf in diagonals:
        leaf[:] = 1000
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        problem = r"^level 1, step 2, \w+.*: .* finite kernel; log_diagonal of up to 1e\+03"
        for call in calls.values():
            with pytest.raises(ParamsError, match=problem):
                call()
    for leaf in diagonals:
        leaf[:] = -1000
    for name in ("decode", "sample"):
        with pytest.raises(SingularKernelError, match=r"^level 1, step 2, .*corner block"):
            calls[name]()
