"""Every planted bug is caught by the check that names it, at every seed; right code by none."""

import numpy as np
import pytest

from cinc_ref.testing import CheckFailure, Implementation, check_bijection, checks, run_checks
from tests.conftest import INTERPRETED
from tests.support import fresh_bugs, planted_bugs
from tests.support.layers import RIGHT_LAYERS, VOLUME_PRESERVING
from tests.support.right_implementations import NEEDS, OPTIONS, RIGHT

SEEDS = range(1 if INTERPRETED else 5)
SUITE = dict(checks())

SLOW = ("ours", "dense", "pytorch", "shifts")
"""The right implementations of which one seed is tried: they take seconds."""


def caught(name, check, *arguments, **options):
    """Fail unless the check fails under its own name and no other."""
    with pytest.raises(CheckFailure) as raised:
        check(*arguments, **options)
    assert raised.value.check == name


def test_there_are_enough_bugs():
    assert (
        len(planted_bugs.CONVOLUTION) + len(planted_bugs.LAYERS) + len(planted_bugs.DENSITIES) >= 60
    )


@pytest.mark.parametrize("bug", planted_bugs.CONVOLUTION, ids=lambda bug: bug.description)
def test_bug_in_the_convolution_is_caught(bug):
    for seed in SEEDS:
        caught(bug.check, SUITE[bug.check], planted_bugs.planted(bug), seed)


@pytest.mark.parametrize("bug", fresh_bugs.FRESH, ids=lambda bug: bug.description)
def test_bug_at_some_shapes_values_or_calls_is_caught(bug):
    for seed in SEEDS:
        caught(bug.check, SUITE[bug.check], fresh_bugs.planted(bug), seed)


def test_images_of_the_shape_of_the_kernel_are_not_masked_as_the_kernel_is():
    """A mistake in one pixel of images (2, 2, 3, 3), where a kernel of that shape may be 0."""

    def conv(x, kernel, **options):
        y = fresh_bugs.BASE.conv(x, kernel, **options)
        if np.abs(kernel).max() < 1e-3:
            y[0, 1, -1, -1] = 99
        return y

    implementation = Implementation(conv=conv, options=OPTIONS, channels=2)
    name = "conv_scales_with_the_kernel"
    for seed in SEEDS:
        caught(name, SUITE[name], implementation, seed)


@pytest.mark.parametrize("description", planted_bugs.LAYERS)
def test_bug_in_a_layer_is_caught(description):
    name, make = planted_bugs.LAYERS[description]
    for seed in SEEDS:
        caught(name, check_bijection, *make(seed))


@pytest.mark.parametrize("name", RIGHT)
def test_right_implementation_passes(name):
    if name in NEEDS:
        package = NEEDS[name]
        pytest.importorskip(package, reason=f"{package} is not installed: pip install {package}")
    for seed in range(1, 2 if INTERPRETED or name in SLOW else 4):
        report = run_checks(RIGHT[name](), seed)
        assert report.ok, str(report)


@pytest.mark.parametrize("name", RIGHT_LAYERS)
def test_right_layer_passes(name):
    for seed in SEEDS:
        layer = RIGHT_LAYERS[name](seed)
        check_bijection(*layer, volume_preserving=name in VOLUME_PRESERVING)
