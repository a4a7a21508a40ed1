"""The pytest plugin of cinc_ref: ``--bijection-report=FILE`` and the fixture ``bijection_check``.

It is a module outside the package, so that pytest imports nothing of the package, nor NumPy, before
the fixture is used.
"""

import json
from pathlib import Path

import pytest

__all__ = ["bijection_check", "pytest_addoption", "pytest_configure"]

REPORTS = pytest.StashKey[list]()
"""The reports of this session."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Define the option."""
    parser.getgroup("cinc_ref").addoption(
        "--bijection-report",
        metavar="FILE",
        default=None,
        help="write the reports of the fixture bijection_check: .json, .xml (JUnit), .html, .md",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin a session without reports."""
    config.stash[REPORTS] = []


@pytest.fixture
def bijection_check(request: pytest.FixtureRequest):
    """Check a layer by `cinc_ref.testing.check` and fail the test if it is wrong or fragile.

    Called as ``bijection_check(layer, shape=(C, H, W))``, with any argument of that function; it
    returns the report.
    """
    from cinc_ref.testing import check

    def checked(*arguments, **options):
        report = check(*arguments, **options)
        request.config.stash[REPORTS].append((request.node.nodeid, report))
        if not report.ok:
            pytest.fail(str(report), pytrace=False)
        return report

    return checked


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the file of reports, if it was asked for."""
    path = session.config.getoption("--bijection-report")
    if path is None:
        return
    from cinc_ref._files import write_text

    reports = session.config.stash[REPORTS]
    writers = {".xml": _as_junit, ".html": _as_html, ".md": _as_markdown}
    write_text(path, writers.get(Path(path).suffix, _as_json)(reports))


def _as_json(reports):
    return json.dumps([{"test": test} | report.to_dict() for test, report in reports], indent=1)


def _as_junit(reports):
    suites = "".join(report.to_junit().split("?>\n", 1)[1] for _, report in reports)
    return f'<?xml version="1.0" encoding="utf-8"?>\n<testsuites>\n{suites}</testsuites>\n'


def _as_html(reports):
    return "<!doctype html><meta charset=utf-8>" + "\n".join(r._repr_html_() for _, r in reports)


def _as_markdown(reports):
    return "\n".join(report.to_markdown() for _, report in reports)
