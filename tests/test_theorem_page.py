"""The page of the theorems names functions, lemmas and formulas that exist."""

import re
from pathlib import Path
from pkgutil import resolve_name

from cinc_ref.theory.proofs import formulas

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "theorem.md").read_text(encoding="utf-8")
THEOREMS = re.split(r"^## \d\. ", PAGE, flags=re.MULTILINE)[1:]
LEMMA = re.compile(r"^(?:Theorem|Lemma|Corollary) (\w+)", flags=re.MULTILINE)


def quoted(text):
    return set(re.findall(r"`([^`\s]+)`", text))


def machine_proofs(theorem):
    """Return the names that a theorem gives as proved by Rocq, and by z3."""
    text = theorem.split("- Proved by machine: ")[1].split("\n\n")[0]
    rocq, _, z3 = text.partition("z3")
    return {name for name in quoted(rocq) if "." not in name}, quoted(z3)


def test_the_theorems_are_numbered_once():
    numbers = re.findall(r"^## (\d)\. (.*)$", PAGE, flags=re.MULTILINE)
    assert numbers == [
        ("1", "Triangular"), ("2", "Determinant"), ("3", "Characterization"),
        ("4", "Substitution"), ("5", "Corners and anchors"), ("6", "Other paddings"),
        ("7", "Adjoint"), ("8", "Causal orders"), ("9", "Stability"),
    ]  # fmt: skip


def test_every_theorem_has_a_proof_a_source_a_function_and_its_state():
    for theorem in THEOREMS:
        assert "\n> " in theorem and "*Proof.*" in theorem and "∎" in theorem
        assert "- Source: " in theorem and "`cinc_ref.theory." in theorem
        assert theorem.count("- Proved by machine: ") == 1


def test_every_function_on_the_page_exists():
    names = {name for name in quoted(PAGE) if name.startswith("cinc_ref")}
    assert len(names) > 15
    assert all(resolve_name(name) is not None for name in names)


def test_every_lemma_and_formula_on_the_page_exists():
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "proofs").glob("*.v")]
    lemmas = {name for source in sources for name in LEMMA.findall(source)}
    proved = [machine_proofs(theorem) for theorem in THEOREMS]
    assert set().union(*(rocq for rocq, _ in proved)) - lemmas == set()
    assert {name for _, z3 in proved for name in z3} == {f.name for f in formulas()}


def test_every_formula_stands_at_its_theorem():
    for number, theorem in enumerate(THEOREMS, 1):
        assert machine_proofs(theorem)[1] == {
            formula.name for formula in formulas() if formula.theorem == number
        }


def test_every_theorem_of_the_kernels_is_on_the_page():
    lemmas = LEMMA.findall((ROOT / "proofs" / "kernel.v").read_text(encoding="utf-8"))
    helpers = {"reads_offset", "kernel_causal", "kernel_corner_block"}
    definitions = {"conv_definition", "convolution_matrix_of_taps"}
    rest = set(lemmas) - helpers - definitions - quoted(PAGE)
    assert rest == {"convolution_matrix_is_that_of_conv"}
