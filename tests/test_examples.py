"""Every example runs from top to bottom, its own check included."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted(Path(__file__).parents[1].glob("examples/*.py"))


def test_there_are_examples():
    assert EXAMPLES


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_leaves_a_picture(path, tmp_path, monkeypatch, interpreted):
    if interpreted and path.stem == "train_digits":
        pytest.skip("a step of training takes minutes without the compiler")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STEPS", "20")
    runpy.run_path(str(path), run_name="__main__")
    assert list(tmp_path.glob("*.png"))
