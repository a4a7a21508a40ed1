"""`check` on right and wrong layers: every cause in words, no cause that is not there."""

import re

import pytest

from cinc_ref.testing import check
from tests.conftest import INTERPRETED
from tests.support.layer_bugs import LAYER_BUGS, RIGHT

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
