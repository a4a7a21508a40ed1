"""The command line: help, exit codes, one-line errors, and what verify prints."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import cinc_ref
from cinc_ref.errors import DataError
from cinc_ref.flows import COUPLINGS, SYSTEMS
from cinc_ref.theory import Evidence, claims, theorems, verification
from tests.support.commands import assert_one_line_error, run
from tests.support.processes import run_module


def evidence(**changes):
    values = {
        "name": "determinant",
        "statement": "det M = det(B)^(H*W), B = K[:, :, -1, -1]",
        "source": "CInC Flow, section 3",
        "cases": 1200,
        "largest": "36x36",
        "worst": None,
        "bound": None,
        "verdict": "holds",
    }
    return Evidence(**{**values, **changes})


@pytest.fixture
def verify_returns(monkeypatch):
    """Let theory.verify return given evidence; remember how it was called."""
    calls = []

    def prepare(*items):
        def verify(*arguments, **options):
            calls.append((arguments, options))
            return list(items)

        monkeypatch.setattr(cinc_ref.theory, "verify", verify)
        return calls

    return prepare


def test_help_names_the_commands(capsys):
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for command in ("demo", "verify", "train", "sample", "evaluate"):
        assert command in out


def test_without_a_command_it_helps(capsys):
    assert run(capsys) == run(capsys, "--help")


@pytest.mark.parametrize(
    "command", ["demo", "verify", "train", "sample", "evaluate", "interpolate", "compare"]
)
def test_every_command_has_help(capsys, command):
    code, out, err = run(capsys, command, "--help")
    assert (code, err) == (0, "")
    assert f"Usage: cinc-ref {command}" in out


def test_help_lists_the_systems_and_couplings(capsys):
    words = " ".join(run(capsys, "train", "--help")[1].replace("│", " ").split())
    assert f"one of: {', '.join(SYSTEMS)}." in words
    assert f"one of: {', '.join(COUPLINGS)}." in words


def test_version(capsys):
    assert run(capsys, "--version") == (0, f"cinc_ref {cinc_ref.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["no-such-command"], "no-such-command"),
        (["demo", "--no-such-option"], "--no-such-option"),
        (["verify", "--effort", "0"], "--effort"),
        (["train"], "--out"),
        (["train", "--out", "x", "--steps", "many"], "--steps"),
        (["train", "--out", "x", "--depth", "0"], "--depth"),
        (["sample"], "MODEL"),
        (["sample", "x.npz", "-n", "0"], "-n"),
        (["sample", "x.npz", "--temperature", "-1"], "--temperature"),
        (["sample", "x.npz", "--temperature", "nan"], "--temperature"),
    ],
)
def test_misuse_is_one_line_and_exits_with_2(capsys, arguments, named):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert_one_line_error(err)
    assert named in err
    assert err.endswith(" --help\n")


def test_verify_holds_for_this_implementation(capsys, monkeypatch, interpreted):
    """It tries every claim, and one theorem: all of them are tried where no command is involved."""

    def check(implementation, rng, effort):
        return claims.check_implementation(implementation, rng, 0.1 if interpreted else effort)

    monkeypatch.setattr(verification, "THEOREMS", [theorems.block_triangular])
    monkeypatch.setattr(verification, "check_implementation", check)
    code, out, err = run(capsys, "verify")
    assert (code, err) == (0, "")
    assert "holds" in out
    assert "0 fail" in out


def test_verify_passes_the_package_and_its_options(capsys, verify_returns):
    calls = verify_returns(evidence())
    assert run(capsys, "verify", "--seed", 3, "--effort", 2)[0] == 0
    assert calls == [((cinc_ref,), {"seed": 3, "effort": 2})]


def test_verify_exits_with_1_if_a_claim_fails(capsys, verify_returns):
    verify_returns(
        evidence(),
        evidence(name="round trip", worst=0.5, bound=1e-10, verdict="fails", reason="C = 2"),
        evidence(name="inverse", cases=0, verdict="skipped", reason="no conv_inverse"),
    )
    code, out, _ = run(capsys, "verify")
    assert code == 1
    assert "1 of 3 claims hold, 1 fail" in " ".join(out.split())
    for text in ("round trip", "0.5", "1e-10", "C = 2", "no conv_inverse", "1,200"):
        assert text in out


def test_verify_ends_with_what_is_proved_and_what_is_tried(capsys, verify_returns):
    verify_returns(
        evidence(name="symbolic", theorems=(2,), proved=True),
        evidence(name="random", theorems=(2, 7), cases=900),
        evidence(name="order", theorems=(2,), verdict="skipped", cases=0, reason="no z3"),
        evidence(name="conv", cases=70),
        evidence(name="gap", theorems=(9,), cases=5),
    )
    out = run(capsys, "verify")[1]
    first, last = out.split("tried on cases")
    assert "proved" in first and "1,200" not in first
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in last.splitlines()]
    rows = [row for row in rows if len(row) == 3][1:]  # the first is the line below the headings
    assert rows[0] == ["implementation", "-", "conv (70)"]
    assert rows[1][:2] == ["2. determinant", "symbolic"]
    assert "random (900); order (skipped)" in " ".join(row[2] for row in rows)
    assert rows[-2] == ["7. adjoint", "-", "random (900)"]
    assert rows[-1] == ["9. stability", "-", "gap (5)"]
    assert "8 (causal orders) and 9 (stability)" in last and "Rocq" in last


def test_verify_writes_json(capsys, tmp_path, verify_returns):
    verify_returns(evidence(), evidence(worst=float("inf"), bound=10.0, verdict="fails"))
    path = tmp_path / "evidence.json"
    assert run(capsys, "verify", "--json", path)[0] == 1
    report = json.loads(path.read_text(encoding="utf-8"))
    assert report["version"] == cinc_ref.__version__
    assert [item["verdict"] for item in report["evidence"]] == ["holds", "fails"]
    assert report["evidence"][1]["worst"] == "inf"
    code, _, err = run(capsys, "verify", "--json", tmp_path / "missing" / "evidence.json")
    assert code == 1
    assert_one_line_error(err)


@pytest.fixture
def kernel_file(tmp_path):
    """A useless half-plane kernel."""
    np.save(tmp_path / "kernel.npy", np.array([[[[0.8, 0.2, 0.1], [-0.6, 0.05, 0.0]]]]))
    return tmp_path / "kernel.npy"


def test_verify_explains_a_kernel(capsys, kernel_file):
    options = ("--kernel", kernel_file, "--size", "12x8", "--anchor", "1,1", "--dilation", 1)
    code, out, err = run(capsys, "verify", *options)
    assert (code, err) == (0, "")
    for part in ("Invertible: yes, K_nn = 0.05", "12x8", "float32: useless", "grows exponentially"):
        assert part in out


@pytest.mark.parametrize(
    "options",
    [["--size", "3x3"], ["--kernel", "k.npy"], ["--kernel", "k.npy", "--size", "3"]],
)
def test_verify_wants_kernel_and_size_together(capsys, options):
    code, _, err = run(capsys, "verify", *options)
    assert code == 2
    assert "--size" in err


def test_verify_refuses_what_is_no_kernel(capsys, kernel_file, tmp_path):
    np.savez(tmp_path / "several.npz", a=np.ones(3))
    np.save(tmp_path / "flat.npy", np.ones((3, 3)))
    (tmp_path / "empty.npy").touch()
    (tmp_path / "text.npy").write_text("no array")
    for name in ("several.npz", "flat.npy", "empty.npy", "text.npy", "missing.npy"):
        code, _, err = run(capsys, "verify", "--kernel", tmp_path / name, "--size", "3x3")
        assert code == 1
        assert_one_line_error(err)
    code, _, err = run(
        capsys, "verify", "--kernel", kernel_file, "--size", "3x3", "--anchor", "1,0"
    )
    assert code == 1
    assert "taps after the anchor" in err


def test_verify_prints_brackets_as_they_are(capsys, verify_returns):
    verify_returns(evidence(statement="K[bold]"))
    assert "K[bold]" in run(capsys, "verify")[1]


def test_too_little_memory_is_one_line(capsys, monkeypatch):
    def refuse(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(cinc_ref.theory, "verify", refuse)
    code, _, err = run(capsys, "verify")
    assert code == 1
    assert_one_line_error(err)
    assert "memory" in err


@pytest.mark.parametrize("error", [DataError("no\nimages"), OSError("no images")])
def test_errors_are_one_line(capsys, monkeypatch, error):
    def refuse(*arguments, **options):
        raise error

    monkeypatch.setattr(cinc_ref.theory, "verify", refuse)
    assert run(capsys, "verify") == (1, "", "error: no images\n")


def test_module_runs_as_a_process_without_input(tmp_path):
    """`python -m cinc_ref` from any folder; an error goes to stderr and leaves no traceback."""
    (tmp_path / "demo").touch()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    result = run_module(
        "cinc_ref", "demo", exit_code=1, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL
    )
    assert_one_line_error(result.stderr)
