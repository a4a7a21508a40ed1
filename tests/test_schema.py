"""Every JSON document that is stored names its form, and what is read back is of that form."""

import ast
import json
from typing import get_args

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref import _schema, streaming, theory
from cinc_ref._schema import has_schema, schema
from cinc_ref.bench import groups, machine
from cinc_ref.comparison import Comparison, Job, job, table
from cinc_ref.errors import CheckpointError, OptionError
from cinc_ref.testing import check
from tests.support.checkout import PACKAGE, ROOT
from tests.support.commands import run
from tests.support.layer_bugs import RIGHT

KERNEL = np.array([[[[0.0, 0.25], [0.5, 1.0]]]])
JOB = Job("glow", "affine", 0, "digits", model={"levels": 1, "depth": 1, "width": 4})


def proof():
    return theory.stability(KERNEL, (32, 32)).proof


def checked(folder):
    layer, options = next(iter(RIGHT.values()))(0)
    return check(layer, **options).to_dict()


def measured(folder):
    here = machine.Machine("a processor", {}, "pinned to core 1", {}, 0.1, 2)
    return groups.Report(here, "today", {}, {"kernels": []}).to_dict()


def refuted(folder):
    result = theory.refute(lambda convolution, size: convolution.determinant(size) > 0)
    result.save(folder / "counterexample.json")
    return json.loads((folder / "counterexample.json").read_text(encoding="utf-8"))


def interrupted(folder):
    """Return the settings that samples leave which Ctrl-C stops after the first chunk."""
    flow = cr.flows.build("cinc", "affine", (1, 2, 2), levels=1, depth=1, width=2)
    params = flow.init(0, np.random.default_rng(0).uniform(-0.5, 0.5, (8, 1, 2, 2)))
    draw_levels = streaming.draw_levels

    def stopped(chunk, model):
        if chunk[0]:
            raise KeyboardInterrupt
        return draw_levels(chunk, model)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(streaming, "draw_levels", stopped)
        streaming.stream_samples(folder / "s.npy", flow, params, 1001)
    return json.loads((folder / "s.npy.unfinished/run.json").read_text(encoding="utf-8"))


WRITERS = {
    "bench": measured,
    "certificate": lambda folder: proof(),
    "check": checked,
    "comparison": lambda folder: json.loads(table.as_json(Comparison([], [], {}, True))),
    "comparison-run": lambda folder: job._save({"job": {}}, folder),
    "counterexample": refuted,
    "samples": interrupted,
}


@pytest.mark.parametrize("document", WRITERS)
def test_a_document_names_its_form_first(document, tmp_path):
    content = WRITERS[document](tmp_path)
    assert next(iter(content.items())) == ("schema", f"cinc_ref/{document}/1")


def test_the_evidence_of_verify_names_its_form(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(theory, "verify", lambda *arguments, **options: [])
    path = tmp_path / "evidence.json"
    assert run(capsys, "verify", "--json", path)[0] == 0
    assert json.loads(path.read_text(encoding="utf-8"))["schema"] == "cinc_ref/verify/1"


def test_all_documents_are_tried_here():
    documents = set(get_args(_schema.Document))
    assert documents == _schema.VERSIONS.keys() == {*WRITERS, "verify"}


SCHEMALESS = {"training/npz_file.py", "training/folder.py"}
"""A checkpoint's header has a format and a version of its own, and the history is a list."""


def test_modules_that_write_json_name_a_schema():
    writers = set()
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        module = path.relative_to(PACKAGE).as_posix()
        if names & {"dump", "dumps"} and "cinc_ref._schema" not in imported:
            writers.add(module)
    # the two commands write what `to_dict` of a report returns
    assert writers == SCHEMALESS | {"cli/bench.py", "cli/check.py"}


@pytest.mark.parametrize("path", [*ROOT.glob("comparison/*/*.json"), *ROOT.glob("results/*.json")])
def test_stored_documents_name_their_form(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    assert has_schema(content, content["schema"].split("/")[1])


# ---- reading -------------------------------------------------------------------------------------


def test_a_certificate_of_before_there_were_names_is_confirmed():
    old = {key: value for key, value in proof().items() if key != "schema"}
    old["fingerprint"] = theory.certificates.fingerprint(KERNEL, (1, 1), old)
    assert theory.check_certificate(KERNEL, old)


@pytest.mark.parametrize("name", ["cinc_ref/certificate/2", "cinc_ref/bench/1", 1, None, []])
def test_a_certificate_of_another_form_is_not(name):
    other = proof() | {"schema": name}
    other["fingerprint"] = theory.certificates.fingerprint(KERNEL, (1, 1), other)
    assert not theory.check_certificate(KERNEL, other)


def stored(folder, **changes):
    """Store the result of a run that was read from a comparison of this repository."""
    content = json.loads((ROOT / "comparison/digits/comparison.json").read_text(encoding="utf-8"))
    result = content["results"][0] | changes
    path = folder / JOB.title / job.RESULT
    path.parent.mkdir()
    path.write_text(json.dumps(result), encoding="utf-8")
    return Job(**result["job"])


def test_a_result_of_before_there_were_names_is_read_and_stored_with_one(tmp_path):
    result = job.saved_result(stored(tmp_path), tmp_path)
    assert "schema" not in result
    assert job._save(result, tmp_path)["schema"] == schema("comparison-run")


def test_a_result_of_a_later_form_is_refused_and_named(tmp_path):
    wanted = stored(tmp_path, schema="cinc_ref/comparison-run/2", job_of_the_future={})
    with pytest.raises(CheckpointError, match=r"has schema cinc_ref/comparison-run/2, .* reads"):
        job.saved_result(wanted, tmp_path)


def test_a_result_of_this_form_is_compared_with_the_options(tmp_path):
    stored(tmp_path, schema=schema("comparison-run"))
    with pytest.raises(OptionError, match="was made with"):
        job.saved_result(JOB, tmp_path)
