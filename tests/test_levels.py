"""Images whose grey levels contradict those of the flow."""

import warnings

import numpy as np
import pytest

from cinc_ref.data import digits
from cinc_ref.errors import DataError
from cinc_ref.flows import build
from cinc_ref.training import train

SIZES = {"levels": 1, "depth": 1, "width": 2}


def fit(images, bins):
    flow = build("cinc", "affine", images.shape[1:], bins=bins, **SIZES)
    return train(flow, images, images[:2], steps=1, batch_size=4)


@pytest.mark.parametrize("bins", [256, 34])
def test_digits_in_a_flow_of_more_levels_are_one_warning(bins):
    with pytest.warns(UserWarning) as caught:
        fit(digits()[:8], bins)
    (warning,) = caught
    assert "levels 0 to 16 only" in str(warning.message)
    assert f"has {bins}: build it with bins=17" in str(warning.message)
    assert warning.filename.endswith("test_levels.py")


def test_two_levels_in_a_flow_of_eight():
    images = np.random.default_rng(0).integers(2, size=(8, 1, 4, 4), dtype=np.uint8)
    with pytest.warns(UserWarning, match="bins=2,"):
        fit(images, 8)


@pytest.mark.parametrize("bins", [17, 33])
def test_no_warning_where_the_levels_are_used(bins):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(digits()[:8], bins)


def test_more_levels_than_the_flow_has_are_refused():
    with pytest.raises(DataError):
        fit(digits()[:8], 16)
