"""The stable parametrization: the certificate holds for every value of the parameters."""

import numpy as np
import pytest
from autograd.test_util import check_grads
from hypothesis import given
from hypothesis import strategies as st

from cinc_ref import theory
from cinc_ref.primitives.stable import BOUND, stable_taps
from cinc_ref.theory.random_kernels import corner_block
from tests.support.oracles import DTYPES


def _kernel(free, corner):
    """A 3x3 kernel of 8 free taps and the corner block."""
    taps = np.concatenate([stable_taps(free, corner), corner[:, :, None]], axis=2)
    return taps.reshape(*corner.shape, 3, 3)


@given(
    st.integers(0, 2**32),
    st.sampled_from(["unit", "lower", "upper", "dense"]),
    st.sampled_from(DTYPES),
    st.integers(-3, 6),
)
def test_the_certificate_holds_by_construction(seed, kind, dtype, exponent):
    rng = np.random.default_rng(seed)
    channels = int(rng.integers(1, 5))
    corner = corner_block(rng, channels, kind).astype(dtype)
    free = (10.0**exponent * rng.standard_cauchy((channels, channels, 8))).astype(dtype)
    kernel = _kernel(free, corner)
    assert kernel.dtype == dtype
    found = theory.stability(kernel, (4, 4))
    assert found.certificate < BOUND * (1 + 1e-3) < 1
    assert found.verdict == "bounded" and found.inverse_norm_bound < np.inf


def test_the_bound_is_reached_and_never_passed():
    free = np.full((1, 1, 8), 1e8)
    found = theory.stability(_kernel(free, np.array([[-3.0]])), (4, 4))
    assert found.certificate == pytest.approx(BOUND, rel=1e-9)


def test_parameters_too_large_to_square_are_finite_all_the_same():
    with np.errstate(over="ignore"):
        kernel = _kernel(np.full((2, 2, 8), 1e30, np.float32), np.eye(2, dtype=np.float32))
    assert np.isfinite(kernel).all()


def test_small_parameters_are_hardly_changed():
    free = 1e-6 * np.random.default_rng(0).normal(size=(3, 3, 8))
    corner = np.random.default_rng(1).normal(size=(3, 3))
    expected = BOUND * np.einsum("oc,cit->oit", corner, free)
    np.testing.assert_allclose(stable_taps(free, corner), expected, rtol=1e-9)


def test_derivatives():
    rng = np.random.default_rng(0)
    free, corner = rng.normal(size=(2, 2, 3)), rng.normal(size=(2, 2))
    check_grads(stable_taps, (0, 1), modes=["fwd", "rev"], order=2)(free, corner)
