"""Every example of the gallery runs, its own check included, and shows what a reader looks for."""

import ast
import re
import runpy
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text

from tests.support.pictures import problems

FOLDER = Path(__file__).parents[1] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))

SLOW_INTERPRETED = ("train_and_sample", "one_core")

NEEDS = {  # what an example needs beyond cinc_ref, and how to install it
    "in_pytorch": {"torch": "pip install torch"},
    "density_estimator": {"sklearn": "pip install scikit-learn"},
}

SMALLEST = 10
"""Height of the smallest letters, in pixels, when a figure is 800 pixels wide."""

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a grey picture; ITU-R BT.601."""


def name_of(path):
    """Return the name of an example without the number by which the gallery is ordered."""
    return re.sub(r"^\d+_", "", path.stem)


by_example = pytest.mark.parametrize("path", EXAMPLES, ids=name_of)


def test_there_are_examples_and_a_page_that_begins_the_gallery():
    assert EXAMPLES
    assert (FOLDER / "README.rst").read_text("utf-8").startswith("Gallery\n=======\n")


@by_example
def test_an_example_has_title_question_prose_and_check(path):
    source = path.read_text("utf-8")
    tree = ast.parse(source)
    title, line, _, *text = ast.get_docstring(tree).splitlines()
    assert line == "=" * len(title)
    assert "?" in " ".join(text)
    cells = re.findall(r"^# %%\n(.*)", source, re.MULTILINE)
    assert len(cells) >= 4
    assert [cell for cell in cells if not cell.startswith("# ")] == []
    assert any(isinstance(node, ast.Assert) for node in ast.walk(tree))


@by_example
def test_an_example_runs_and_draws_figures_that_can_be_read(
    path, tmp_path, monkeypatch, capsys, interpreted
):
    if interpreted and name_of(path) in SLOW_INTERPRETED:
        pytest.skip("takes minutes without the compiler")
    for module, command in NEEDS.get(name_of(path), {}).items():
        pytest.importorskip(module, reason=f"{module} is not installed: {command}")
    monkeypatch.chdir(tmp_path)
    plt.switch_backend("agg")
    try:
        runpy.run_path(str(path), run_name="__main__")
        figures = [plt.figure(number) for number in plt.get_fignums()]
        assert len(figures) == len(list(tmp_path.iterdir())) > 0
        for figure in figures:
            assert [*problems(figure), *_small_letters(figure), *_lost_in_greyscale(figure)] == []
    finally:
        plt.close("all")
    assert capsys.readouterr().out.splitlines()[-1]


def _small_letters(figure):
    """List texts whose letters are too small in a figure that is shown 800 pixels wide."""
    scale = 800 / (72 * figure.get_figwidth())  # pixels per point
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    return [
        f"{text.get_text()!r} is {scale * text.get_fontsize():.1f} pixels high"
        for text in texts
        if scale * text.get_fontsize() < SMALLEST
    ]


def _lost_in_greyscale(figure):
    """List colour scales and lines that cannot be told apart without colours."""
    found = []
    for k, axes in enumerate(figure.axes):
        for drawn in [*axes.images, *axes.collections]:
            if drawn.get_array() is None or np.ndim(drawn.get_array()) > 2:
                continue
            brightness = drawn.get_cmap()(np.linspace(0, 1, 16))[:, :3] @ LUMA
            steps = [after - before for before, after in pairwise(brightness)]
            if min(steps) < 0 < max(steps):
                found.append(f"the colours of axes {k} are not ordered by brightness")
        lines = [line for line in axes.lines if not line.get_label().startswith("_")]
        looks = {(line.get_linestyle(), line.get_marker()) for line in lines}
        if len(looks) < len(lines):
            found.append(f"lines of axes {k} differ in their colours only")
    return found
