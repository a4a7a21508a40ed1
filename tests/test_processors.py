"""Lesser processors compute the same bits as this one."""

import platform

import numpy as np
import pytest

from tools import processors


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="no x86-64 processor")
def test_results_on_lesser_processors_have_equal_bits(interpreted):
    if interpreted:
        pytest.skip("nothing is compiled")
    native, *others = (processors.results_on(name, small=True) for name in processors.PROCESSORS)
    for other in others:
        assert not processors.differences(native, other)


def test_a_changed_bit_is_a_difference_and_rounding_of_a_sum_is_none():
    wanted = {"conv": np.ones(3), f"vjp {processors.SUMMED}": np.ones(3)}
    almost = np.nextafter(wanted["conv"], 2)
    assert processors.differences(wanted, wanted | {"conv": almost}) == ["conv"]
    summed = f"vjp {processors.SUMMED}"
    assert not processors.differences(wanted, wanted | {summed: almost})
    assert processors.differences(wanted, wanted | {summed: almost + 1e-9}) == [summed]
