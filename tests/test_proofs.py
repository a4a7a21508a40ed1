"""The machine-checked proofs: accepted, without an axiom, about the matrix that Python has."""

import json
import re
import shutil
import subprocess
from itertools import product
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest

from cinc_ref import convolution_matrix
from cinc_ref.geometry import CORNERS, flips

FOLDER = Path(__file__).parents[1] / "proofs"
PROJECT = (FOLDER / "_CoqProject").read_text(encoding="utf-8").split()
FILES = [word for word in PROJECT if word.endswith(".v")]
SOURCES = {name: (FOLDER / name).read_text(encoding="utf-8") for name in FILES}
LISTED = re.findall(r"^Print Assumptions (\w+)\.$", SOURCES["assumptions.v"], flags=re.MULTILINE)
WRONG = sorted(path.name for path in (FOLDER / "wrong").glob("*.v"))
OPTIONS = ["-Q", ".", "CInC", "-w", "-notation-overridden,-ambiguous-paths"]
HOW_TO_GET_IT = (
    "apt-get install coq libcoq-mathcomp-algebra (Debian, Ubuntu), "
    "or opam install coq-mathcomp-algebra"
)


def coqc(name, folder):
    """Compile one file in a folder, and return the finished process."""
    return subprocess.run(
        ["coqc", *OPTIONS, name], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A folder with the compiled proofs, and what each file printed."""
    if not shutil.which("coqc"):
        pytest.skip(f"coqc is not found, so the proofs are not checked: {HOW_TO_GET_IT}")
    folder = tmp_path_factory.mktemp("proofs")
    (folder / "library.v").write_text("From mathcomp Require Import all_ssreflect all_algebra.\n")
    if coqc("library.v", folder).returncode:
        pytest.skip(f"coqc does not find MathComp, so the proofs are not checked: {HOW_TO_GET_IT}")
    shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
    printed = {}
    for name in FILES:
        result = coqc(name, folder)
        assert result.returncode == 0, f"{name} is rejected:\n{result.stderr}"
        printed[name] = result.stdout
    return folder, printed


def theorems(name):
    """Return the theorems and corollaries of a file by name, with the comments before them."""
    pattern = r"((?:\(\*(?:(?!\*\)).)*\*\)\s*)?)^(?:Theorem|Corollary) (\w+)"
    found = re.findall(pattern, SOURCES[name], flags=re.MULTILINE | re.DOTALL)
    return {theorem: comment for comment, theorem in found}


def test_no_theorem_rests_on_an_assumption(compiled):
    printed = compiled[1]["assumptions.v"].strip().splitlines()
    for theorem, line in zip(LISTED, printed, strict=True):
        print(f"{theorem}: {line}")
    assert set(printed) == {"Closed under the global context"}


def test_every_theorem_is_asked_for_its_assumptions():
    proved = [theorem for name in FILES for theorem in theorems(name)]
    assert len(proved) > 20
    assert set(proved) <= set(LISTED)


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_assumed_or_left_open(name):
    assert not re.search(
        r"\b(Axioms?|Admitted|admit|Parameters?|Conjecture|Abort)\b", SOURCES[name]
    )


def test_every_python_name_in_a_comment_exists():
    comments = re.findall(r"\(\*.*?\*\)", "".join(SOURCES.values()), flags=re.DOTALL)
    names = {name for text in comments for name in re.findall(r"\bcinc_ref(?:\.\w+)+", text)}
    assert len(names) > 10
    assert all(resolve_name(name) is not None for name in names)


@pytest.mark.parametrize("name", ["theorem.v", "kernel.v", "causal_order.v"])
def test_every_theorem_is_stated_in_words(name):
    assert all(comment for comment in theorems(name).values())


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_statement_is_rejected(compiled, name):
    """Its proof, which proves the right statement before it, is where the file fails."""
    folder = compiled[0] / "wrong"
    last_proof = max(
        number
        for number, line in enumerate((folder / name).read_text().splitlines(), 1)
        if line.startswith("Proof.")
    )
    result = coqc(f"wrong/{name}", compiled[0])
    assert result.returncode
    assert f'wrong/{name}", line {last_proof}, ' in result.stderr
    assert re.search("Cannot apply lemma|No applicable tactic", result.stderr)


def test_the_wrong_exponent_is_among_the_wrong_statements():
    source = (FOLDER / "wrong" / "exponent.v").read_text(encoding="utf-8")
    assert "^+ (H * W + 1)" in source[source.rindex("Theorem wrong") :]


def _cases():
    """Small cases of every corner: (corner, C, H, W, kh, kw, dilation, p, q)."""
    shapes = [
        (1, 1, 1, 1, 1), (1, 3, 3, 2, 2), (2, 2, 3, 2, 3), (3, 2, 2, 2, 2), (1, 2, 4, 3, 3),
        (1, 4, 2, 3, 1), (2, 1, 4, 1, 3), (1, 5, 3, 2, 3),
    ]  # fmt: skip
    for corner, (channels, height, width, kh, kw), dilation in product(CORNERS, shapes, (1, 2, 3)):
        for p, q in np.ndindex(kh, kw):
            yield corner, channels, height, width, kh, kw, dilation, p, q


def _numbered_kernel(channels, kh, kw, p, q):
    """The entries 1, 2, 3, ..., but 0 after the anchor: no two entries that are read agree."""
    kernel = np.arange(1, channels**2 * kh * kw + 1).reshape(channels, channels, kh, kw)
    kernel[:, :, p + 1 :] = 0
    kernel[:, :, p, q + 1 :] = 0
    return kernel


def test_the_formal_matrix_is_that_of_python(compiled):
    """Rocq evaluates the entries, and Python has the same, in every case."""
    cases = list(_cases())
    lines = [
        "From mathcomp Require Import all_ssreflect.",
        "From CInC Require Import kernel.",
        "Set Printing Depth 1000000.",
        "Definition numbered C kh kw p q o c a b :=",
        "  if (a < p) || (a == p) && (b <= q) then ((o * C + c) * kh + a) * kw + b + 1 else 0.",
        "Definition rows f C H W kh kw d p q :=",
        "  [seq [seq entry 0 addn C H W kh kw d p q (numbered C kh kw p q) f k l",
        "    | l <- iota 0 (H * W * C)] | k <- iota 0 (H * W * C)].",
    ]
    for corner, *numbers in cases:
        flip = ", ".join(str(backwards).lower() for backwards in flips(corner))
        lines.append(f"Eval vm_compute in rows ({flip}) {' '.join(map(str, numbers))}.")
    (compiled[0] / "entries.v").write_text("\n".join(lines) + "\n")
    result = coqc("entries.v", compiled[0])
    assert result.returncode == 0, result.stderr
    matrices = re.findall(r"=(.*?): seq \(seq nat\)", result.stdout, flags=re.DOTALL)
    assert len(matrices) == len(cases)
    for printed, case in zip(matrices, cases, strict=True):
        corner, channels, height, width, kh, kw, dilation, p, q = case
        formal = np.array(json.loads(printed.replace("[::", "[").replace(";", ",")))
        options = {"corner": corner, "dilation": dilation, "anchor": (p, q)}
        kernel = _numbered_kernel(channels, kh, kw, p, q)
        expected = convolution_matrix(kernel, (height, width), **options)
        assert np.array_equal(formal, expected), case
