"""Random kernels: their inverses are bounded, and nothing in them is near the identity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cinc_ref as cr
from cinc_ref.theory.random_kernels import KINDS, causal_mask, corner_block, norm_sum, random_kernel


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(1, 3), st.integers(1, 3))
def test_the_inverse_is_bounded_by_construction(kind, seed, channels, kh, kw):
    rng = np.random.default_rng(seed)
    anchor = (kh - 1, int(rng.integers(kw)))
    kernel = random_kernel(rng, (channels, channels, kh, kw), anchor, kind)
    block = kernel[:, :, *anchor].copy()
    others = kernel.copy()
    others[:, :, *anchor] = 0
    assert norm_sum(block, others) == pytest.approx(0.7 if anchor > (0, 0) else 0)
    bound = np.linalg.norm(np.linalg.inv(block), 2) / (1 - 0.7)
    inverse = np.linalg.inv(cr.convolution_matrix(kernel, (3, 4), anchor=anchor))
    assert np.linalg.norm(inverse, 2) <= bound * (1 + 1e-9)
    assert np.array_equal(others != 0, causal_mask(kernel.shape, anchor) * (others != 0))


@pytest.mark.parametrize("channels", [1, 2, 12, 48])
@pytest.mark.parametrize("kind", KINDS)
def test_the_corner_block_is_of_its_kind_and_well_conditioned(channels, kind):
    block = corner_block(np.random.default_rng(channels), channels, kind)
    assert np.linalg.cond(block) < 30
    lower, upper = np.tril_indices(channels, -1), np.triu_indices(channels, 1)
    zero = {"unit": upper, "lower": upper, "upper": lower, "dense": ([], [])}[kind]
    full = {"unit": lower, "lower": lower, "upper": upper, "dense": ([], [])}[kind]
    assert not block[zero].any() and block[full].all()
    diagonal = np.abs(np.diagonal(block))
    if kind == "unit":
        assert (diagonal == 1).all()
    elif kind != "dense":
        assert 0.5 <= diagonal.min() and diagonal.max() <= 2


def test_only_the_chosen_taps_are_drawn_and_none_is_near_zero():
    taps = np.array([[True, False, True], [False, True, True]])
    kernel = random_kernel(np.random.default_rng(0), (2, 2, 2, 3), (1, 1), "upper", taps=taps)
    drawn = np.abs(kernel).reshape(4, 6).min(axis=0) > 0
    assert drawn.tolist() == [True, False, True, False, False, False]  # the block is triangular
    assert (kernel[:, :, 1, 1] != 0).tolist() == [[True, True], [False, True]]
    magnitudes = np.abs(kernel[:, :, 0, [0, 2]])
    assert magnitudes.max() / magnitudes.min() <= 3


def test_given_diagonal_entries_are_taken_as_they_are():
    diagonal = np.array([-3.0, 0.25])
    for kind in ("lower", "upper"):
        block = corner_block(np.random.default_rng(0), 2, kind, diagonal)
        assert np.array_equal(np.diagonal(block), diagonal)
