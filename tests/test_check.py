"""`check` on right and wrong layers: every cause in words, no cause that is not there."""

import re

import numpy as np
import pytest

from cinc_ref.testing import check
from tests.conftest import INTERPRETED
from tests.support.layer_bugs import (
    ILL_CONDITIONED,
    LAYER_BUGS,
    RIGHT,
    causal_functions,
    images,
    remembering,
)

SEEDS = range(1 if INTERPRETED else 2)


@pytest.mark.parametrize("name", LAYER_BUGS)
def test_diagnosis_names_the_cause(name):
    bug = LAYER_BUGS[name]
    for seed in SEEDS:
        layer, options = bug.make(seed)
        report = check(layer, seed=seed, **options)
        findings = [f for f in report.findings if f.severity != "convention"]
        assert len(findings) == 1, str(report)  # one cause, one finding
        assert findings[0].severity == bug.severity, str(report)
        assert re.search(bug.pattern, findings[0].diagnosis), str(report)


@pytest.mark.parametrize("name", RIGHT)
def test_right_layers_have_no_findings(name):
    for seed in range(3):
        layer, options = RIGHT[name](seed)
        report = check(layer, seed=seed, **options)
        assert report.ok and not report.findings, str(report)


@pytest.mark.parametrize("size", [4] if INTERPRETED else [4, 8])
@pytest.mark.parametrize("name", ILL_CONDITIONED)
def test_right_inverse_that_grows_exponentially_is_not_blamed(name, size):
    for seed in range(1 if INTERPRETED else 8):
        report = check(ILL_CONDITIONED[name](), shape=(1, size, size), seed=seed)
        assert report.ok and not report.findings, str(report)


@pytest.mark.skipif(INTERPRETED, reason="images of 8 x 8 take minutes in Python")
def test_inverse_that_grows_too_fast_is_reported_as_not_checked():
    chain = ILL_CONDITIONED["a chain of a flow"]()
    report = check(chain, shape=(1, 8, 8), seed=0)
    assert "ill conditioned" in report.skipped["forward_undoes_inverse"]
    assert "forward_undoes_inverse" not in report.passed


@pytest.mark.parametrize("what, words", [(0, "what forward last saw"), (1, "kept from forward")])
def test_stale_inverse_is_caught_though_it_grows_exponentially(what, words):
    for seed in SEEDS:
        layer = remembering(causal_functions(seed), what)
        report = check(layer, x=images(seed, (1, 4, 4)), seed=seed)
        assert not report.ok and words in report.findings[0].diagnosis, str(report)


def test_rounding_explains_no_error_of_a_well_conditioned_inverse():
    """An inverse that is off by 1e-4 but at the images that forward returned."""
    seen = set()

    def forward(x):
        y = 3 * x
        seen.update(image.tobytes() for image in y)
        return y, np.full(len(x), x[0].size * np.log(3))

    def inverse(y):
        factors = np.array([1 + 1e-4 * (image.tobytes() not in seen) for image in y])
        return y / 3 * factors[:, None], np.full(len(y), -y[0].size * np.log(3))

    report = check((forward, inverse), x=images(0, (4,)))
    assert [each.checks for each in report.findings] == [("forward_undoes_inverse",)], str(report)
