"""Type checkers read scripts as users write them: they report what is wrong, and only that."""

import os
import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import pytest

from tests.support.checkout import PACKAGE, ROOT
from tests.support.processes import run_python

MISTAKES, EVERY_NAME = (
    (ROOT / "tests" / "data" / name).read_text(encoding="utf-8")
    for name in ("user_script.txt", "every_name.txt")
)
OPTIONS = {"pyright": [], "mypy": ["--follow-imports=silent", "--cache-dir=cache"]}
"""Options of each checker; errors inside the package are of no concern to its user."""

MODULES = (
    "bench bijections classroom comparison convolution data evaluation flows interop plots testing "
    "theory timing training"
).split()


@pytest.fixture(scope="module", params=OPTIONS)
def report(request, tmp_path_factory):
    """A function that returns what a checker reports about a script: messages by line."""
    checker, folder = request.param, tmp_path_factory.mktemp(request.param)
    if find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    if PACKAGE.parent == ROOT:  # mypy refuses a path to installed packages
        environment["MYPYPATH"] = str(ROOT)

    def check(script, *more):
        (folder / "script.py").write_text(script, encoding="utf-8")
        command = [sys.executable, "-m", checker, *OPTIONS[checker], *more, "script.py"]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode in (0, 1), done.stdout + done.stderr
        found = re.findall(r"script\.py:(\d+)[:\d]*(?: -|:) error: (.*)", done.stdout)
        return {int(line): message for line, message in found}

    check.strict = {"pyright": [], "mypy": ["--strict"]}[checker]
    return check


def test_every_public_name_has_a_type():
    if find_spec("pyright") is None:
        pytest.skip("pyright is not installed")
    run_python([ROOT / "tools" / "verify_types.py"])


def test_the_mistakes_of_a_script_are_reported(report):
    wrong = {k for k, line in enumerate(MISTAKES.splitlines(), 1) if "  # right: " in line}
    assert len(wrong) == 5
    assert report(MISTAKES).keys() == wrong


def test_nothing_is_reported_once_they_are_corrected(report):
    assert report(re.sub(r"^.*  # right: ", "", MISTAKES, flags=re.MULTILINE)) == {}


def test_nothing_is_reported_about_a_script_that_uses_every_name(report):
    assert report(EVERY_NAME, *report.strict) == {}  # it asks pyright to be strict itself


@pytest.mark.parametrize("name", MODULES)
def test_that_script_does_use_every_name(name):
    module = import_module(f"cinc_ref.{name}")
    offered = [name for name in module.__all__ if callable(getattr(module, name))]
    assert not [name for name in offered if not re.search(rf"\b{name}\b", EVERY_NAME)]
