"""Every example runs from top to bottom, its own check included."""

import runpy
from pathlib import Path

import pytest

from tests.support.pictures import problems, recorded

EXAMPLES = sorted(Path(__file__).parents[1].glob("examples/*.py"))


def test_there_are_examples():
    assert EXAMPLES


SLOW_INTERPRETED = ("train_digits", "one_core")

NEEDS = {  # what an example needs beyond cinc_ref, and how to install it
    "check_your_own_layer": {"torch": "pip install torch"},
    "in_pytorch": {"torch": "pip install torch"},
    "check_a_library": {
        "torch": "pip install torch",
        "normflows": "pip install --no-deps normflows",
    },
}


@pytest.mark.filterwarnings("ignore:torch.lu is deprecated")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_leaves_a_picture(path, tmp_path, monkeypatch, capsys, interpreted):
    if interpreted and path.stem in SLOW_INTERPRETED:
        pytest.skip("takes minutes without the compiler")
    for module, command in NEEDS.get(path.stem, {}).items():
        pytest.importorskip(module, reason=f"{module} is not installed: {command}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STEPS", "20")
    with recorded() as figures:
        runpy.run_path(str(path), run_name="__main__")
    pictures = [picture.name for picture in tmp_path.glob("*.png")]
    assert pictures
    assert [problem for figure in figures for problem in problems(figure)] == []
    last = capsys.readouterr().out.splitlines()[-1]
    assert all(f"wrote {picture}: " in last for picture in pictures), last
