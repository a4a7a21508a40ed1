"""Verdicts for all image sizes: right on hard families, proved, and checked by other code."""

import json
import time
from fractions import Fraction
from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinc_ref import theory
from cinc_ref.errors import CincError, DtypeError, NonFiniteError, OptionError, ShapeError
from cinc_ref.theory import accretive, bidisk, certificates, polynomials, transfer
from cinc_ref.theory.exact import matrix_inverse, to_fractions
from cinc_ref.theory.symbol import symbol_of
from tests.conftest import INTERPRETED
from tools import stability_campaign as campaign

FEW = 12 if INTERPRETED else 30


def edge_state():
    """Bounded for every wave on an image without borders; an edge state at the left border."""
    kernel = np.zeros((2, 2, 2, 3))
    kernel[:, :, 1, 1] = np.eye(2)
    kernel[:, :, 0, 1] = [[-2, 0], [0, 2]]
    kernel[0, 1, 0, 0], kernel[1, 0, 0, 2] = -2, 2
    return kernel


def confirmed(kernel, stability, anchor=None):
    """Return whether the proof, written and read again, is confirmed."""
    proof = json.loads(json.dumps(stability.proof, allow_nan=False))
    assert proof["verdict"] == stability.verdict
    return theory.check_certificate(kernel, proof, anchor=anchor)


# ---- the cases that were wrong -------------------------------------------------------------------


def test_the_response_of_the_edge_state_doubles_with_every_row():
    impulse = np.zeros((1, 2, 8, 8), int)
    impulse[0, 0, 0, 0] = 1
    column = theory.exact_inverse(impulse, edge_state(), anchor=(1, 1))[0, 0, :, 0]
    assert np.abs(column).tolist() == [2**i for i in range(8)]


@pytest.mark.parametrize("perturbed", [False, True])
@pytest.mark.parametrize("rotated", [False, True])
def test_an_edge_state_is_seen(perturbed, rotated):
    rng = np.random.default_rng(0)
    kernel = edge_state()
    if perturbed:
        kernel[:, :, 0] += 3e-2 * rng.normal(size=(2, 2, 3))
    if rotated:
        turn = np.linalg.qr(rng.normal(size=(2, 2)))[0]
        kernel[:, :, 0] = np.einsum("io,ocb,jc->ijb", turn, kernel[:, :, 0], turn)
    found = theory.stability(kernel, (8, 8), anchor=(1, 1))
    assert found.verdict == found.at_width.verdict == "growing"
    assert found.rate == pytest.approx(2, abs=0.2) and confirmed(kernel, found, (1, 1))


def test_no_wave_shows_the_edge_state():
    """det P has no zero with |w| <= 1 on |z| = 1: decided at many rational points of the circle."""
    symbol = symbol_of(edge_state(), (1, 1))
    for tangent in [Fraction(n, 16) for n in range(-64, 65, 4)]:
        polynomial = bidisk.wave_polynomial(symbol, tangent)
        assert polynomials.has_no_zero_in_closed_disk(polynomial)


def test_dilated_half_planes_are_seen_at_both_widths():
    kernel = np.array([[[[0.375, 1.5, 6], [0.5, 1, 0]]]])
    options = {"dilation": 2, "anchor": (1, 1)}
    matrix = theory.convolution_matrix(kernel, (24, 3), **options)
    known = np.linalg.norm(matrix, 1) * np.linalg.norm(np.linalg.inv(matrix), 1)
    found = theory.stability(kernel, (24, 3), **options)
    assert found.condition_number == pytest.approx(known, rel=1e-6) and known > 2000
    assert theory.condition_number(kernel, (24, 3), **options) == found.condition_number
    assert "1 pixel wide" in found.at_width.rate_of and found.at_width.rate == 1.5


def test_narrow_images_may_grow_where_a_wider_one_does_not():
    """One channel: the rate from row to row falls with the width."""
    kernel = np.zeros((1, 1, 2, 3))
    kernel[0, 0, 1] = [-0.98, 1, 0]
    kernel[0, 0, 0] = [0.49, -1.05, 0.0]
    kernel[0, 0, 0, 2] = 0.25
    verdicts = {
        width: theory.stability(kernel, (4, width), anchor=(1, 1)).at_width for width in (1, 2, 3)
    }
    for width, verdict in verdicts.items():
        grows = campaign.grows_when_tall(kernel, (1, 1), width, 128)
        assert grows is None or verdict.verdict == ("growing" if grows else "bounded")
    assert verdicts[1].verdict == "growing" and verdicts[1].rate == pytest.approx(1.05)


def test_growth_does_not_depend_on_the_units_of_the_channels():
    kernel = np.zeros((2, 2, 2, 2))
    kernel[:, :, 1, 1] = np.eye(2)
    kernel[0, 1, 1, 0] = 2e6
    kernel[:, :, 0, 1] = 2 * np.eye(2)
    found = theory.stability(kernel, (6, 6))
    assert (found.verdict, found.rate) == ("growing", pytest.approx(2))


@pytest.mark.parametrize("base, power", [(Fraction(7, 8), 15), (Fraction(15, 16), 12)])
def test_multiple_zeros_are_not_taken_for_growth(base, power):
    taps = [float(comb(power, k) * (-base) ** k) for k in range(power, -1, -1)]
    kernel = np.array(taps)[None, None, None]
    assert all(Fraction(tap).denominator <= 2**60 for tap in taps)
    for turned in (kernel, kernel.transpose(0, 1, 3, 2)):
        found = theory.stability(turned, (4, 4))
        assert found.verdict == "bounded" and found.rate == pytest.approx(float(base), rel=1e-5)
        assert confirmed(turned, found)


def test_growth_in_a_row_is_decided_though_two_rows_are_above():
    kernel = np.zeros((1, 1, 3, 3))
    kernel[0, 0, 2, :2], kernel[0, 0, 0, 2] = [-2, 1], 0.1
    found = theory.stability(kernel, (8, 8), anchor=(2, 1))
    assert (found.verdict, found.rate) == ("growing", 2) and "within a row" in found.rate_of
    text = theory.explain(kernel, (8, 8), anchor=(2, 1))
    assert "undecided" not in text and "grows exponentially (proved)" in text


@pytest.mark.parametrize(
    "excess, verdict", [(2.0**-52, "growing"), (0, "growing"), (-(2.0**-53), "bounded")]
)
def test_one_unit_in_the_last_place_decides(excess, verdict):
    for kernel in ([[[[-1.0 - excess, 1.0]]]], [[[[-1.0 - excess], [1.0]]]]):
        kernel = np.array(kernel)
        found = theory.stability(kernel, (4, 4))
        assert found.verdict == verdict and confirmed(kernel, found)
        assert (found.rate == 1) == (excess == 0) and abs(found.rate - 1) < 1e-9
        assert ("like a polynomial" in theory.explain(kernel, (4, 4))) == (excess == 0)


@given(st.integers(0, 2**32))
def test_explain_does_not_contradict_itself(seed):
    rng = np.random.default_rng(seed)
    anchor = (int(rng.integers(0, 3)), 1)
    kernel = campaign.random_kernel(rng, 1, (anchor[0] + 1, 3), anchor, rng.uniform(0.1, 1.5))
    found = theory.stability(kernel, (5, 5), anchor=anchor)
    text = theory.explain(kernel, (5, 5), anchor=anchor)
    says = {"bounded": "stays bounded (proved)", "growing": "larger images the inverse grows"}
    assert (
        says.get(found.verdict, "larger images whether the inverse stays bounded is undecided")
        in text
    )
    assert ("images of any size" in text) == (found.verdict == "bounded")
    assert (found.certificate >= 1) or found.verdict == "bounded"


# ---- families ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", campaign.FAMILIES)
def test_verdicts_of_a_family_are_right_and_proved(name):
    outcome = campaign.run_family(name, FEW, seed=1)
    assert not outcome.wrong and not outcome.unconfirmed and not outcome.accepted
    assert sum(outcome.verdicts.values()) == FEW
    assert outcome.verdicts["undecided"] <= 0.1 * FEW
    assert outcome.verdicts["bounded"] and outcome.verdicts["growing"]


def test_widths_of_dilated_half_planes():
    wrong, undecided = campaign.dilated_widths(18, seed=1)
    assert not wrong and undecided <= 0.1


def test_a_wrong_verdict_would_be_seen_in_a_family(monkeypatch):
    stability = theory.stability
    lie = {"bounded": "growing", "growing": "bounded"}

    def liar(*arguments, **options):
        found = stability(*arguments, **options)
        object.__setattr__(found, "verdict", lie.get(found.verdict, found.verdict))
        return found

    monkeypatch.setattr(theory, "stability", liar)
    assert len(campaign.run_family("zeros", 4).wrong) == 4


@given(st.integers(0, 2**32))
def test_verdicts_do_not_change_with_units_and_scale(seed):
    rng = np.random.default_rng(seed)
    channels, q = int(rng.integers(2, 4)), int(rng.integers(1, 3))
    kernel = campaign.random_kernel(rng, channels, (2, 3), (1, q), rng.uniform(0.2, 2))
    kernel[rng.random(kernel.shape) < 0.3] = 0
    kernel[:, :, 1, q] = np.eye(channels)
    exponents = rng.integers(-60, 61, channels)
    scaled = kernel * np.exp2(exponents[:, None] - exponents)[:, :, None, None]
    scaled *= 2.0 ** rng.integers(-99, 100)
    first, second = (theory.stability(k, (3, 3), anchor=(1, q)) for k in (kernel, scaled))
    assert (first.verdict, first.rate, first.reason) == (second.verdict, second.rate, second.reason)
    for key in ("kind", "delta", "tangent", "width", "zero", "rows"):
        assert (first.proof or {}).get(key) == (second.proof or {}).get(key)


@pytest.mark.parametrize("corner", ["dense", "scaled"])
def test_the_bound_of_a_proof_holds(corner):
    rng = np.random.default_rng(3)
    seen = set()
    for _ in range(20 if INTERPRETED else 60):
        channels, q = int(rng.integers(1, 4)), int(rng.integers(1, 3))
        kernel = campaign.random_kernel(rng, channels, (2, 3), (1, q), rng.uniform(0.2, 0.9))
        mix = rng.normal(size=(channels, channels)) + 2 * np.eye(channels)
        if corner == "scaled":
            mix = np.diag(10.0 ** rng.uniform(-3, 3, channels))
        kernel = np.einsum("io,ocab->icab", mix, kernel)
        found = theory.stability(kernel, (5, 5), anchor=(1, q))
        if np.isfinite(found.inverse_norm_bound):
            inverse = np.linalg.inv(theory.convolution_matrix(kernel, (5, 5), anchor=(1, q)))
            norm = np.linalg.norm(inverse, 2)
            assert norm <= found.inverse_norm_bound * (1 + 1e-9)
            seen.add(found.proof["kind"])
    assert {"norm sum", "accretive"} <= seen


# ---- the checker ---------------------------------------------------------------------------------


def one_of_each_kind():
    """Kernels with their anchors, a proof of every kind."""
    rng = np.random.default_rng(0)
    calm = np.array([[[[0.0, 0.25], [0.5, 1.0]]]])
    wide = np.array([[[[0.5, -0.49], [-0.51, 1.0]]]]) * np.array([1.2, 1.0])
    slow = campaign.random_kernel(np.random.default_rng(23), 2, (2, 3), (1, 1), 0.5)
    return [
        (calm, (1, 1)), (wide, (1, 1)), (slow, (1, 1)), (edge_state(), (1, 1)),
        (np.array([[[[-1.0, 1.0]]]]), (0, 1)), (np.array([[[[2.5, -5.0], [-0.5, 1.0]]]]), (1, 1)),
        (campaign.random_kernel(rng, 2, (2, 2), (1, 1), 0.8), (1, 1)),
        (np.array([[[[-0.45, 0.0], [-0.5, 1.0]]]]), (1, 1)),
    ]  # fmt: skip


def test_every_kind_of_proof_is_confirmed_and_belongs_to_its_kernel():
    found = []
    for kernel, anchor in one_of_each_kind():
        stability = theory.stability(kernel, (4, 4), anchor=anchor)
        assert confirmed(kernel, stability, anchor)
        found.append((kernel, anchor, stability.proof))
    for (kernel, anchor, _), (other, _, proof) in product(found, repeat=2):
        same = kernel is other
        assert theory.check_certificate(kernel, proof, anchor=anchor) == same


def _forged(kernel, anchor, **content):
    proof = {"balance": [0] * len(kernel), **content}
    proof["fingerprint"] = certificates.fingerprint(kernel, anchor, proof)
    return proof


BOUNDED = np.array([[[[0.0, 0.25], [0.5, 1.0]]]])
FALSE_CLAIMS = [
    (BOUNDED, (1, 1), {"verdict": "growing", "kind": "row"}),
    (BOUNDED, (1, 1), {"verdict": "growing", "kind": "row", "zero": [0.5, 0.0]}),
    (BOUNDED, (1, 1), {"verdict": "growing", "kind": "wave", "tangent": [0, 1]}),
    (BOUNDED, (1, 1), {"verdict": "growing", "kind": "wave", "tangent": [1, 3], "zero": [0.1, 0]}),
    (BOUNDED, (1, 1), {"verdict": "growing", "kind": "width", "width": 2}),
    (BOUNDED, (1, 1), {"verdict": "growing", "kind": "norm sum"}),
    (BOUNDED, (1, 1), {"verdict": "bounded", "kind": "accretive", "delta": 0.5}),
    (BOUNDED, (1, 1), {"verdict": "bounded", "kind": "accretive", "delta": -1.0}),
    (BOUNDED, (1, 1), {"verdict": "bounded", "kind": "accretive", "delta": float("nan")}),
    (BOUNDED, (1, 1), {"verdict": "bounded", "kind": "magic"}),
    (BOUNDED, (1, 1), {"verdict": "bounded", "kind": ["norm sum"]}),
    (edge_state(), (1, 1), {"verdict": "bounded", "kind": "norm sum"}),
    (edge_state(), (1, 1), {"verdict": "bounded", "kind": "accretive", "delta": 1e-6}),
    (edge_state(), (1, 1), {"verdict": "bounded", "kind": "bidisk"}),
    (
        edge_state(), (1, 1),
        {"verdict": "bounded", "kind": "approximate inverse", "rows": 24, "columns": 6},
    ),
    (edge_state(), (1, 1), {"verdict": "growing", "kind": "wave", "tangent": [1, 1]}),
    (edge_state(), (1, 1), {"verdict": "growing", "kind": "row"}),
    (
        np.array([[[[1.0, 2.0], [2.0, 1.0]]]]), (1, 1),
        {"verdict": "bounded", "kind": "approximate inverse", "rows": 32, "columns": 32},
    ),
    (np.array([[[[1.0, 2.0], [2.0, 1.0]]]]), (1, 1), {"verdict": "bounded", "kind": "bidisk"}),
    (np.array([[[[-0.5, 0.0], [-0.5, 1.0]]]]), (1, 1), {"verdict": "bounded", "kind": "bidisk"}),
    (np.ones((2, 2, 1, 2)), (0, 1), {"verdict": "growing", "kind": "row"}),
]  # fmt: skip


@pytest.mark.parametrize("kernel, anchor, claim", FALSE_CLAIMS)
def test_false_claims_are_refused_though_their_fingerprint_is_right(kernel, anchor, claim):
    assert (
        theory.check_certificate(kernel, _forged(kernel, anchor, **claim), anchor=anchor) is False
    )


def test_the_forger_could_have_passed_with_the_truth():
    claim = {"verdict": "bounded", "kind": "accretive", "delta": 0.2}
    assert theory.check_certificate(BOUNDED, _forged(BOUNDED, (1, 1), **claim))
    claim = {"verdict": "growing", "kind": "width", "width": 3}
    proof = _forged(edge_state(), (1, 1), **claim)
    assert theory.check_certificate(edge_state(), proof, anchor=(1, 1), dilation=2)


@pytest.mark.parametrize("proof", [None, {}, [], "bounded", {"kind": "row"}, {"fingerprint": ""}])
def test_what_is_no_proof_is_refused(proof):
    assert theory.check_certificate(BOUNDED, proof) is False


def test_the_checker_checks_its_arguments():
    with pytest.raises(ShapeError):
        theory.check_certificate(np.ones((2, 3)), {})
    with pytest.raises(OptionError):
        theory.check_certificate(BOUNDED, {}, anchor=(5, 5))


def test_the_checker_shares_no_code_with_the_search():
    source = open(certificates.__file__).read()
    for module in ("symbol", "bidisk", "transfer", "accretive", "zeros", "polynomials", "waves"):
        assert f"import {module}" not in source and f"theory.{module}" not in source


# ---- the parts -----------------------------------------------------------------------------------


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=6), st.integers(-9, 9))
def test_schur_and_cohn_against_the_roots(coefficients, last):
    polynomial = [*coefficients, last]
    roots = np.abs(np.roots(polynomial[::-1])) if any(polynomial[1:]) else np.array([])
    if not any(polynomial) or (np.abs(roots - 1) < 1e-3).any():
        return  # at most some: the roots decide the others
    expected = polynomial[0] != 0 and not (roots <= 1).any()
    assert polynomials.has_no_zero_in_closed_disk(polynomial) == expected


def test_zeros_on_the_circle_are_in_the_closed_disk():
    for polynomial in ([1, -1], [1, 0, 1], [1, -2, 1], [5, -6, 5], [2, -3, 2]):
        assert not polynomials.has_no_zero_in_closed_disk(polynomial)
    assert polynomials.smallest_zero([8, -7]) == pytest.approx(8 / 7, rel=1e-6)


@pytest.mark.parametrize("zero", [Fraction(1, 3), Fraction(1, 1024), Fraction(1), Fraction(0)])
def test_zeros_on_an_interval(zero):
    simple = [zero.numerator, -zero.denominator]  # positive on the left
    shifted = np.polynomial.polynomial.polymul([1, 0, 3], simple).astype(int).tolist()
    found = polynomials.zero_between_0_and_1(shifted)
    assert found is not None and found >= zero - Fraction(1, 2**40)
    assert polynomials.zero_between_0_and_1([1, -2, 2]) is None
    assert polynomials.zero_between_0_and_1([1, -4, 4]) in ("unknown", Fraction(1, 2))


def test_interpolation_is_exact():
    polynomial = [Fraction(3), Fraction(-7, 5), Fraction(0), Fraction(2**80)]
    points = [Fraction(k, 3) for k in range(4)]
    values = [sum(c * x**k for k, c in enumerate(polynomial)) for x in points]
    assert polynomials.interpolate(points, values) == polynomial


def test_the_resultant_has_the_zeros_that_it_should():
    """1 - a z - b w: the resultant is (1 - 2 a x + a^2 - b^2), whose zero is known."""
    kernel = np.array([[[[0.0, -0.25], [-0.5, 1.0]]]])
    polynomial = bidisk._resultant(symbol_of(kernel, (1, 1)))  # in s, x = 1 - 2 s
    x = (1 + 0.25 - 0.0625) / (2 * 0.5)
    assert np.roots(polynomial[::-1]) == pytest.approx([(1 - x) / 2])


def test_the_resultant_finds_growth_that_no_wave_was_tried_for():
    """Growing kernels of two channels, decided in integers alone."""
    outcomes = []
    for seed in range(20 if INTERPRETED else 60):
        kernel = campaign.random_kernel(np.random.default_rng(seed), 2, (2, 2), (1, 1), 1.0)
        outcome = bidisk.decide_quadrant(symbol_of(kernel, (1, 1)))
        verdict = "bounded" if outcome == "bounded" else "growing"
        assert theory.stability(kernel, (3, 3)).verdict == verdict
        outcomes.append(outcome)
        if isinstance(outcome, Fraction):
            polynomial = bidisk.wave_polynomial(symbol_of(kernel, (1, 1)), outcome)
            assert not polynomials.has_no_zero_in_closed_disk(polynomial)
    assert {"bounded", "row", "infinity"} <= set(outcomes)
    assert any(isinstance(outcome, Fraction) and outcome for outcome in outcomes)


def test_what_is_too_close_to_growth_is_undecided_and_says_what_was_tried():
    kernel = np.array([[[[0.5 - 1e-12, 0, 0.5 - 1e-12], [0, 1, 0]]]])
    found = theory.stability(kernel, (4, 4), anchor=(1, 1))
    assert (found.verdict, found.proof) == ("undecided", None)
    assert 0 < found.margin < 1e-9 and found.reason.startswith("tried: S = 1")
    assert found.at_width.verdict == "bounded"
    text = theory.explain(kernel, (4, 4), anchor=(1, 1))
    assert "is undecided: tried" in text and "of this width the inverse stays bounded" in text


@pytest.mark.parametrize("deviation, verdict", [(0.5, "bounded"), (4.0, "growing")])
def test_many_channels_are_decided_without_exact_inverses(deviation, verdict):
    rng = np.random.default_rng(2)
    kernel = campaign.random_kernel(rng, 18, (2, 3), (1, 1), deviation)
    kernel = np.einsum("io,ocab->icab", np.eye(18) + 0.1 * rng.normal(size=(18, 18)), kernel)
    assert symbol_of(kernel, (1, 1)).exact_inverse is None
    found = theory.stability(kernel, (4, 4), anchor=(1, 1))
    assert found.verdict == verdict and confirmed(kernel, found, (1, 1))


@pytest.mark.parametrize("width", [1, 2, 5])
def test_the_matrix_from_row_to_row(width):
    kernel = campaign.random_kernel(np.random.default_rng(1), 2, (3, 3), (2, 1), 1.0)
    symbol = symbol_of(kernel, (2, 1))
    zeros = np.roots(np.array(transfer.width_polynomial(symbol, width)[::-1], float))
    assert 1 / np.abs(zeros).min() == pytest.approx(transfer.row_to_row_rate(symbol, width))


def test_the_accretive_part_is_found_with_its_minimum():
    kernel = np.array([[[[0.0, 0.0, 0.0], [0.45, 0.45, 1.0]]]])  # 1 + .45 z + .45 z^2
    delta, least = accretive.accretive(symbol_of(kernel, (1, 2)))
    angles = np.linspace(0, np.pi, 100001)
    known = (1 + 0.45 * np.cos(angles) + 0.45 * np.cos(2 * angles)).min()
    assert least == pytest.approx(known, abs=1e-4) and 0 < delta <= known


def test_one_way_couplings_do_not_matter():
    """A channel that only reads another may do so in any unit: S < 1 is found all the same."""
    kernel = np.zeros((2, 2, 1, 2))
    kernel[:, :, 0, 1] = np.eye(2)
    kernel[:, :, 0, 0] = [[0.5, 0], [1e6, 0.5]]
    found = theory.stability(kernel, (4, 4))
    assert found.verdict == "bounded" and found.proof["kind"] == "norm sum"
    assert found.certificate > 1 and confirmed(kernel, found)


def test_the_number_s_is_right_for_corners_of_any_condition():
    """S against exact inverses of corners of condition 1e10 and taps that make S nearly 1."""
    rng = np.random.default_rng(0)
    for _ in range(40):
        turns = [np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(2)]
        corner = turns[0] @ np.diag([1, 1e-5, 1e-10]) @ turns[1]
        tap = corner @ rng.normal(size=(3, 3))
        exact = matrix_inverse(corner) @ to_fractions(tap)
        tap /= np.linalg.norm(exact.astype(float), 2)
        kernel = np.stack([tap, corner], axis=2)[:, :, None]
        exact = (matrix_inverse(corner) @ to_fractions(tap)).astype(float)
        found = theory.stability(kernel, (2, 4))
        assert found.certificate == pytest.approx(np.linalg.norm(exact, 2), rel=1e-12)
        assert (found.certificate < 1 - 1e-9) <= (found.inverse_norm_bound < np.inf)
        assert found.certificate > 1 + 1e-9 or found.verdict == "bounded" or found.margin < 1e-3


def test_numbers_of_numpy_among_objects_are_taken():
    kernel = np.array([[[[np.float32(0.5), np.int64(2)]]]], dtype=object)
    found = theory.stability(kernel, (4, 4))
    assert found.verdict == "bounded" and confirmed(kernel, found)
    assert theory.exact_conv(kernel, kernel).tolist() == [[[[Fraction(1), Fraction(17, 4)]]]]


# ---- extremes ------------------------------------------------------------------------------------

EXTREME = {
    "1e300 and 1e-300": (np.array([[[[1e300, 1e-300]]]]), "growing"),
    "1e-300 and 1e300": (np.array([[[[1e-300, 1e300]]]]), "bounded"),
    "a subnormal corner": (np.array([[[[1.0, 5e-324]]]]), "growing"),
    "nothing but subnormals": (np.array([[[[5e-324, 1e-323]]]]), "bounded"),
    "diag(1e-200, 1e-200)": (np.diag([1e-200, 1e-200])[:, :, None, None], "bounded"),
    "integers beyond 2^63": (np.array([[[[2**70, 2**71]]]], dtype=object), "bounded"),
    "unsigned integers": (np.array([[[[2**63, 2**63 + 1]]]], dtype=np.uint64), "bounded"),
    "the smallest integers": (np.array([[[[-128, -128]]]], dtype=np.int8), "growing"),
    "fractions": (np.array([[[[Fraction(1, 3), Fraction(-2, 7)]]]]), "growing"),
    "a huge denominator": (np.array([[[[Fraction(1, 3), Fraction(1, 10**400)]]]]), "growing"),
    "huge fractions": (np.array([[[[Fraction(1, 7**3000), Fraction(1, 3**3000)]]]]), "bounded"),
    "long doubles": (np.array([[[[0.5, 1]]]], dtype=np.longdouble), "bounded"),
    "half precision": (np.array([[[[0.5, 1]]]], dtype=np.float16), "bounded"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", EXTREME)
def test_extreme_numbers_are_decided_at_once(name):
    kernel, verdict = EXTREME[name]
    start = time.process_time()
    found = theory.stability(kernel, (8, 8))
    text = theory.explain(kernel, (8, 8))
    assert time.process_time() - start < 2
    assert found.verdict == verdict and confirmed(kernel, found)
    assert "det B = 0" not in text and "K_nn = 0" not in text


@pytest.mark.parametrize(
    "kernel, error",
    [
        (np.array([[[[float("nan"), 1]]]], dtype=object), NonFiniteError),
        (np.array([[[[float("inf"), 1]]]], dtype=object), NonFiniteError),
        (np.array([[[[None, 1]]]], dtype=object), DtypeError),
        (np.array([[[["1", 1]]]], dtype=object), DtypeError),
        (np.array([[[[True, 1]]]], dtype=object), DtypeError),
        (np.array([[[["a", "b"]]]]), DtypeError),
        (np.array([[[[1j, 1]]]]), DtypeError),
        (np.array([[[[Fraction(1, 3**30000), 1]]]], dtype=object), DtypeError),
        (np.array([[[[Fraction(1, 2**k + 1) for k in range(9000, 9012)]]]]), DtypeError),
        ([[[[1, 2], [3]]]], ShapeError),
    ],
)
def test_what_is_no_kernel_is_refused_by_name(kernel, error):
    start = time.process_time()
    for function in (theory.stability, theory.condition_number, theory.explain):
        with pytest.raises(error, match="kernel must") as raised:
            function(kernel, (4, 4))
        assert isinstance(raised.value, CincError)
    assert time.process_time() - start < 2


def test_a_size_that_would_take_minutes_is_refused_with_one_that_would_not():
    kernel = campaign.random_kernel(np.random.default_rng(0), 12, (2, 3), (1, 1), 1.0)
    kernel[0, 0, 0, 0] = 1e-320
    with pytest.raises(OptionError, match=r"size must be at most \(\d+, 32\)"):
        theory.condition_number(kernel, (32, 32), anchor=(1, 1))
    assert theory.condition_number(kernel, (1, 2), anchor=(1, 1)) > 1


@pytest.mark.parametrize("padding", ["reflect", "SAME", None, 1])
def test_unknown_paddings_are_refused(padding):
    with pytest.raises(OptionError, match="padding must be one of same, circular, causal"):
        theory.padded_matrix(np.ones((1, 1, 3, 3)), (3, 3), padding)


@pytest.mark.parametrize("deviation", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("anchor", [(1, 1), (1, 2), (2, 2)])
def test_twelve_channels_take_seconds(anchor, deviation):
    side = (8, 8) if INTERPRETED else (32, 32)
    kernel = campaign.random_kernel(
        np.random.default_rng(0), 12, (anchor[0] + 1, 3), anchor, deviation
    )
    start = time.process_time()
    found = theory.stability(kernel, side, anchor=anchor)
    assert time.process_time() - start < 5
    assert found.proof is None or confirmed(kernel, found, anchor)
