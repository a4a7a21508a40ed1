"""The strategies: what they promise holds for every draw, and their minimal cases are readable."""

import doctest
import time
from datetime import timedelta
from random import Random

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

import cinc_ref as cr
from cinc_ref.testing import strategies
from tests.conftest import INTERPRETED


@given(strategies.kernels(), st.sampled_from([np.float32, np.float64]))
def test_kernels_are_well_conditioned(kernel, dtype):
    channels, height, width = len(kernel), *kernel.shape[2:]
    block = kernel[:, :, -1, -1]
    other = np.einsum("oc,ciab->oiab", np.linalg.inv(block), kernel)
    norms = np.linalg.norm(other.reshape(channels, channels, -1)[:, :, :-1], 2, axis=(0, 1))
    assert norms.sum() <= 0.5 + 1e-12
    assert np.linalg.cond(block) < 1e4
    assert not np.array_equal(block, np.eye(channels))
    assert np.array_equal(kernel.astype(np.float32), kernel)
    assert height <= 3 and width <= 3


@given(st.data(), st.sampled_from(["lower", "upper", "dense"]))
def test_kernels_are_what_was_asked_for(data, corner_block):
    kernel = data.draw(strategies.kernels(3, (2, 1), np.float32, corner_block))
    assert kernel.shape == (3, 3, 2, 1) and kernel.dtype == np.float32
    if corner_block != "dense":
        strict = np.triu if corner_block == "lower" else np.tril
        assert not strict(kernel[:, :, -1, -1], 1 if corner_block == "lower" else -1).any()


@pytest.mark.parametrize("name", ["kernels", "images", "layers"])
def test_documented_example_has_no_deadline(name, monkeypatch):
    """The first call of a new process compiles or reads the disk: slower than any deadline."""
    calls = []

    def slow(function):
        def slow_at_first(*arguments, **options):
            time.sleep(0 if calls else 0.05)
            calls.append(function)
            return function(*arguments, **options)

        return slow_at_first

    monkeypatch.setattr(cr, "log_abs_det", slow(cr.log_abs_det))
    monkeypatch.setattr(strategies, "_moved", slow(strategies._moved))
    settings.register_profile("first run", deadline=timedelta(milliseconds=20), max_examples=20)
    settings.load_profile("first run")
    try:
        test = doctest.DocTestFinder().find(getattr(strategies, name), name, globs={})[0]
        outcome = doctest.DocTestRunner(verbose=False).run(test)
    finally:
        settings.load_profile("cinc")
    assert outcome.attempted > 2 and not outcome.failed


@given(strategies.images(channels=2, dtype=np.float32))
def test_images(x):
    assert x.shape[1] == 2 and x.dtype == np.float32 and x.size
    assert np.array_equal(2 * x, np.round(2 * x)) and np.abs(x).max() <= 8


@given(strategies.images(shape=(2, 1, 3, 4)))
def test_images_of_a_shape(x):
    assert x.shape == (2, 1, 3, 4)


@settings(max_examples=5 if INTERPRETED else 40)
@given(strategies.layers())
def test_layers_invert_themselves(case):
    y, log_det = case.layer.forward(case.params, case.x)
    back, minus = case.layer.inverse(case.params, y)
    np.testing.assert_allclose(back, case.x, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(minus, -log_det, rtol=1e-9, atol=1e-9)


@settings(max_examples=5)
@given(strategies.layers(dtype=np.float32))
def test_layers_keep_the_dtype(case):
    assert case.layer.forward(case.params, case.x)[0].dtype == np.float32


def _simplest(strategy, condition):
    """The example that Hypothesis shrinks to, from one fixed start: where it ends depends on it."""
    return find(strategy, condition, random=Random(0), settings=settings(database=None))


def test_simplest_kernel_can_be_read():
    kernel = _simplest(strategies.kernels(), lambda kernel: True)
    assert kernel.shape == (1, 1, 1, 1) and kernel.item() == 2
    two_rows = strategies.kernels(channels=2, kernel_size=(2, 1))
    kernel = _simplest(two_rows, lambda kernel: kernel[:, :, :-1].any())
    assert np.count_nonzero(kernel[:, :, 0]) == 1
    assert np.array_equal(kernel[:, :, 1, 0], 2 * np.eye(2))


def test_a_wrong_inverse_shrinks_to_one_tap():
    """The column before is read as the row before: two pixels and one tap show it."""

    def wrong(kernel, x):
        return not np.allclose(cr.conv(x, kernel.transpose(0, 1, 3, 2)), cr.conv(x, kernel))

    cases = st.tuples(
        strategies.kernels(1, (2, 2), corner_block="lower"), strategies.images(channels=1)
    )
    kernel, x = _simplest(cases, lambda case: wrong(*case))
    assert np.count_nonzero(kernel) == 2 and np.count_nonzero(x) == 1


def test_without_hypothesis_the_rest_still_works(monkeypatch):
    import sys

    from cinc_ref.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "hypothesis", None)
    monkeypatch.delitem(sys.modules, "cinc_ref.testing.strategies", raising=False)
    with pytest.raises(MissingExtraError, match=r'hypothesis.*pip install "\.\[test\]" in the'):
        import cinc_ref.testing.strategies  # noqa: F401
    assert cr.testing.run_checks(cr.testing.Implementation(conv=cr.conv)).ok
