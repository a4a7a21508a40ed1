"""The Python of the README and of the site runs as it is written, each block on its own."""

import doctest
import re

import pytest

from tests.support.checkout import FRAMEWORKS, ROOT
from tests.support.processes import run_module

README = ROOT / "README.md"
LINES = 150
"""The most lines of the README."""

PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = {
    f"{page.name}-{number}": block
    for page in PAGES
    for number, block in enumerate(
        re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE), 1
    )
}
PLAIN = {name: block for name, block in BLOCKS.items() if not block.startswith(">>>")}
"""Blocks without prompts; those with prompts are doctests."""

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    """Run a block in an empty folder, so that the files that it writes stay there."""
    monkeypatch.chdir(tmp_path)


def skip_without_framework(block):
    for module in FRAMEWORKS:
        if re.search(rf"\bimport {module}\b|cinc_ref\.{module} import", block):
            reason = f'{module} is not installed: pip install ".[{module}]"'
            pytest.importorskip(module, reason=reason)


@pytest.mark.parametrize("name", PLAIN)
def test_a_block_needs_no_names_of_others(name):
    skip_without_framework(PLAIN[name])
    exec(compile(PLAIN[name], name, "exec"), {})


@pytest.mark.parametrize("name", sorted(BLOCKS.keys() - PLAIN.keys()))
def test_a_block_with_prompts_prints_what_it_shows(name):
    if name.startswith("README"):
        pytest.skip("pytest collects the doctests of the README")
    skip_without_framework(BLOCKS[name])
    test = doctest.DocTestParser().get_doctest(BLOCKS[name], {}, name, name, 0)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    said = []
    runner.run(test, out=said.append)
    assert runner.tries > 0
    assert not runner.failures, "".join(said)


def test_a_test_to_paste_passes_and_writes_its_report(tmp_path):
    (block,) = [block for block in PLAIN.values() if "(bijection_check)" in block]
    skip_without_framework(block)
    (tmp_path / "test_pasted.py").write_text(block)
    done = run_module(
        "pytest", "-q", "-p", "cinc_ref_pytest", "test_pasted.py", "--bijection-report=report.md",
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    assert "2 passed" in done.stdout
    assert "passing" in (tmp_path / "report.md").read_text()
    (tmp_path / "test_pasted.py").write_text(block.replace("x.shape[2] * x.shape[3] * ", ""))
    done = run_module(
        "pytest", "-q", "-p", "cinc_ref_pytest", "test_pasted.py", exit_code=1, cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    assert "2 failed" in done.stdout
    assert "log det is 1/24 of the Jacobian's: 24 = H*W, the pixels were not counted" in done.stdout


def test_blocks_with_prompts_import_what_they_use():
    """Doctests of one file share their names, so that a missing import would go unnoticed."""
    for name in BLOCKS.keys() - PLAIN.keys():
        source = re.sub(r"(?m)^(>>>|\.\.\.) ?", "", BLOCKS[name])
        for module, short in (("numpy", "np"), ("cinc_ref", "cr")):
            used = re.search(rf"\b{short}\.", source)
            assert not used or f"import {module} as {short}\n" in source, source


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= LINES


def test_the_readme_leads_to_files_that_exist():
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8"))
    assert len(links) > 10
    assert all((ROOT / link).exists() for link in links), links
