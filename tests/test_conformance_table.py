"""The published table of other libraries: it is what the stored results say, and complete."""

import ast
import json
import re

import pytest

from tools.conformance import worker
from tools.conformance.catalogue import NAMES, PINS, RESULTS, Layer, Library, library
from tools.conformance.rendering import documents, report_name, results

STORED = results()
BASE = PINS / "base.txt"


def pinned(path):
    """Return the releases that a file of requirements pins, by canonical name."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.\-]+==[\w.+]+", line) for line in lines), lines
    pairs = (line.split("==") for line in lines)
    return {re.sub(r"[-_.]+", "-", name).lower(): release for name, release in pairs}


def test_every_library_has_a_result():
    assert tuple(STORED) == NAMES
    assert len(STORED) >= 8


def test_pages_are_what_the_results_render():
    pages = documents()
    for page, text in pages.items():
        assert (RESULTS / page).read_text() == text, page
    on_disk = {f"reports/{path.name}" for path in (RESULTS / "reports").glob("*.md")}
    assert on_disk == set(pages) - {"TABLE.md"}


@pytest.mark.parametrize("name", NAMES)
def test_every_public_layer_is_accounted_for(name):
    result, described = STORED[name], library(name)
    assert result["version"] == described.version or result["version"].startswith(
        described.version + "+"
    )
    assert [layer["make"] for layer in result["layers"]] == [
        layer.make for layer in described.layers
    ]
    accounted = {layer.cls for layer in described.layers} | set(described.left_out)
    assert accounted == set(result["public"])
    assert all(reason for reason in described.left_out.values())


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_open(name):
    layers = STORED[name]["layers"]
    assert not [(layer["make"], layer["unjudged"]) for layer in layers if layer["unjudged"]]
    severities = {finding.subject: finding.severity for finding in library(name).findings}
    for layer in layers:
        judged = {found.get("judgement") for found in [layer, *layer["findings"]]} - {None}
        assert judged <= set(severities), layer["make"]
        assert (layer["verdict"] == "wrong") == ("wrong" in {severities[j] for j in judged})
    used = {found.get("judgement") for layer in layers for found in [layer, *layer["findings"]]}
    assert all(f.lines or f.subject in used for f in library(name).findings)  # none is idle


@pytest.mark.parametrize("name", NAMES)
def test_every_judged_finding_is_shown(name):
    result, described = STORED[name], library(name)
    runs = {run["subject"]: run for run in result["findings"]}
    assert set(runs) == {finding.subject for finding in described.findings if finding.lines}
    assert all(run["shown"] and run["agrees"] for run in runs.values()), runs
    for finding in described.findings:
        if finding.severity in ("wrong", "fragile"):
            assert finding.lines and finding.confirm and finding.confirmation, finding.subject
        if finding.severity == "wrong":
            assert finding.expected and finding.suggestion, finding.subject
            assert (RESULTS / report_name(name, finding)).exists()


@pytest.mark.parametrize("name", NAMES)
def test_reproductions_are_a_few_lines_of_the_library_alone(name):
    root = library(name).roots[0].split(".")[0]
    for finding in library(name).findings:
        if not finding.lines:
            continue
        tree = ast.parse(finding.lines)
        assert 3 <= len(finding.lines.strip().splitlines()) <= 6, finding.subject
        imported = {
            (alias.name if isinstance(node, ast.Import) else node.module).split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert imported <= {root, "torch", "jax", "numpy", "signal"}, finding.subject
        ast.parse(finding.confirm)


@pytest.mark.parametrize("name", NAMES)
def test_pins_are_complete(name):
    described, installed = library(name), STORED[name]["environment"]
    base, own = pinned(BASE), pinned(PINS / f"requirements-{name}.txt")
    pins = base | own
    distribution = described.distribution.lower()
    assert pins[distribution] == described.version
    unneeded = {re.sub(r"[-_.]+", "-", requirement).lower() for requirement in described.unneeded}
    for package in pins:
        assert installed["versions"][package].split("+")[0] == pins[package].split("+")[0], package
        missing = set(installed["requires"][package]) - set(pins) - unneeded - {"setuptools", "pip"}
        assert not missing, (package, missing)


def test_an_interrupted_run_keeps_the_layers_that_it_did_not_reach(tmp_path, monkeypatch):
    described = Library(
        title="one", distribution="one", version="1", imports="", roots=(), bases=(),
        layers=tuple(Layer(make) for make in ("First()", "New()", "Last()")),
    )  # fmt: skip
    (tmp_path / "base.txt").write_text("")
    (tmp_path / "requirements-one.txt").write_text("")
    monkeypatch.setattr(worker, "PINS", tmp_path)
    monkeypatch.setattr(worker, "RESULTS", tmp_path)
    monkeypatch.setattr(worker, "library", lambda name: described)
    monkeypatch.setattr("sys.argv", ["worker", "one"])
    monkeypatch.setattr(worker.signal, "signal", lambda *handler: None)
    stored = [{"make": make, "options": {}, "seconds": 60.0} for make in ("First()", "Last()")]
    key = worker._key("one", described)
    (tmp_path / "one.json").write_text(json.dumps({"key": key, "layers": stored}))

    def interrupted(described, layer):
        raise KeyboardInterrupt

    monkeypatch.setattr(worker, "_checked", interrupted)
    with pytest.raises(KeyboardInterrupt):
        worker.main()
    kept = json.loads((tmp_path / "one.json").read_text())["layers"]
    assert [line["make"] for line in kept] == ["First()", "Last()"]
