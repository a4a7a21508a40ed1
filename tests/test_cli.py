"""The command line: exit codes, one-line errors, and what each command prints and leaves."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import cinc_ref
import cinc_ref.demo
from cinc_ref.__main__ import main
from cinc_ref.errors import DataError, OutputError
from cinc_ref.theory import Evidence


def run(capsys, *arguments):
    """Exit code, stdout and stderr of one command."""
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    code = exit_.value.code
    if isinstance(code, str):  # sys.exit(message) prints it when the process ends
        code, err = 1, err + code + "\n"
    return code or 0, out, err


def assert_one_line_error(err):
    assert err.startswith("error: ")
    assert err.count("\n") == 1


@pytest.fixture
def few_digits(monkeypatch):
    images = cinc_ref.data.digits()[:10]
    monkeypatch.setattr(cinc_ref.demo, "digits", lambda: images)


def evidence(**changes):
    values = {
        "name": "determinant",
        "statement": "det M = det(B)^(H*W), B = K[:, :, -1, -1]",
        "source": "theorem 1",
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
    for command in ("verify", "demo"):
        assert command in out


def test_version(capsys):
    assert run(capsys, "--version") == (0, f"cinc_ref {cinc_ref.__version__}\n", "")


@pytest.mark.parametrize(
    "arguments", [["no-such-command"], ["demo", "--no-such-option"], ["verify", "--effort", "0"]]
)
def test_misuse_exits_with_2_and_no_traceback(capsys, arguments):
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert "Traceback" not in err
    assert arguments[-1] in err or "--effort" in err


def test_verify_holds_for_this_implementation(capsys):
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


@pytest.mark.parametrize("error", [DataError("no\nimages"), OSError("no images")])
def test_errors_are_one_line(capsys, monkeypatch, error):
    def refuse(*arguments, **options):
        raise error

    monkeypatch.setattr(cinc_ref.theory, "verify", refuse)
    assert run(capsys, "verify") == (1, "", "error: no images\n")


def test_demo_leaves_pictures_and_report(capsys, tmp_path, few_digits):
    folder = tmp_path / "new" / "folder"
    code, out, err = run(capsys, "demo", "--out", folder)
    assert (code, err) == (0, "")
    assert "float32" in out
    assert "float64" in out
    assert {path.name for path in folder.iterdir()} == {"inverse.png", "matrix.png", "report.md"}
    report = (folder / "report.md").read_text(encoding="utf-8")
    assert "](inverse.png)" in report
    assert "](matrix.png)" in report


def test_demo_writes_to_the_folder_demo(capsys, tmp_path, monkeypatch, few_digits):
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "demo")[0] == 0
    assert (tmp_path / "demo" / "report.md").exists()


def test_demo_in_an_unwritable_folder_is_one_line(capsys, tmp_path):
    (tmp_path / "file").touch()
    code, out, err = run(capsys, "demo", "--out", tmp_path / "file" / "demo")
    assert (code, out) == (1, "")
    assert_one_line_error(err)
    assert "cannot write" in err


def test_demo_names_the_file_that_cannot_be_written(tmp_path, few_digits):
    (tmp_path / "inverse.png").mkdir()
    with pytest.raises(OutputError, match=r"inverse\.png"):
        cinc_ref.demo.run(tmp_path)


def test_largest_error_is_absolute():
    images = np.zeros((1, 1, 2, 2))
    inverted = np.array([0.25, -0.5, 0, 0]).reshape(images.shape)
    assert cinc_ref.demo.RoundTrip(images, images, inverted).largest_error == 0.5


def test_demo_measures_what_it_reports(tmp_path, few_digits):
    result = cinc_ref.demo.run(tmp_path)
    for trip in result.round_trips:
        assert trip.images.dtype == trip.inverted.dtype == np.dtype(trip.dtype)
        # At condition 22 an error is at most about 22 * 16 grey levels * a few eps.
        assert trip.largest_error < 1e4 * np.finfo(trip.dtype).eps
    assert result.log_abs_det == pytest.approx(64 * np.log(0.8), rel=1e-12)
    assert result.log_abs_det_of_matrix == pytest.approx(64 * np.log(0.8), rel=1e-12)


def test_the_demo_kernel_is_well_conditioned_and_far_from_the_identity(tmp_path, few_digits):
    result = cinc_ref.demo.run(tmp_path)
    assert result.condition_number < 100
    images, convolved = result.round_trips[-1].images, result.round_trips[-1].convolved
    correlation = np.sum(images * convolved) / np.linalg.norm(images) / np.linalg.norm(convolved)
    assert abs(correlation) < 0.5


def test_module_runs_as_a_process_without_input(tmp_path):
    """`python -m cinc_ref` from any folder; an error goes to stderr and leaves no traceback."""
    (tmp_path / "demo").touch()
    result = subprocess.run(
        [sys.executable, "-m", "cinc_ref", "demo"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert_one_line_error(result.stderr)
