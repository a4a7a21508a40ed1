"""The class: notebooks in order and run, with and without solutions; figures, solutions, plan.

A notebook that was edited in Jupyter is put in order by ``python -m tools.clear_notebooks``.
"""

import ast
import json
import os
import re
import runpy
import warnings
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import numpy as np
import pytest

from cinc_ref.classroom import exercise
from cinc_ref.classroom.course import TASKS
from tests.support.checkout import PACKAGE, ROOT
from tools.clear_notebooks import cleared

CLASS = ROOT / "docs" / "class"
NOTEBOOKS = sorted(CLASS.glob("*.ipynb"))
SOLUTIONS = sorted(CLASS.glob("solutions/exercise_*.py"))
NUMBERS = range(1, len(TASKS) + 1)
PLAN = (CLASS / "index.md").read_text(encoding="utf-8")
SLOW_INTERPRETED = ("5_training", "6_flow")


def notebook(path):
    return json.loads(path.read_text(encoding="utf-8"))


def source(cell):
    return "".join(cell["source"])


def exercise_of(cell):
    """Return the number of the exercise that a cell is the stub of, or None."""
    tags = [tag for tag in cell["metadata"].get("tags", ()) if tag.startswith("exercise-")]
    return int(tags[0].partition("-")[2]) if tags else None


def stubs():
    """Yield (path, number, stub, the cell after it)."""
    for path in NOTEBOOKS:
        cells = notebook(path)["cells"]
        for cell, following in pairwise(cells):
            if exercise_of(cell):
                yield path, exercise_of(cell), source(cell), source(following)


STUBS = list(stubs())


def signatures(code):
    functions = [node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)]
    return [(node.name, ast.unparse(node.args)) for node in functions]


# ---- order ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs_and_in_one_form(path):
    assert path.read_text(encoding="utf-8") == cleared(path.read_text(encoding="utf-8"))


def test_clearing_removes_outputs_counts_and_what_editors_add():
    changed = notebook(NOTEBOOKS[0])
    for cell in changed["cells"]:
        cell["id"] = "a3f0"
        cell["metadata"]["collapsed"] = True
        if cell["cell_type"] == "code":
            cell["execution_count"] = 7
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["1\n"]}]
            cell["source"] = source(cell)
    changed["metadata"]["language_info"]["version"] = "3.14.1"
    original = NOTEBOOKS[0].read_text(encoding="utf-8")
    assert cleared(json.dumps(changed)) == original


def test_there_are_six_notebooks_and_seven_solutions():
    assert [path.name[:2] for path in NOTEBOOKS] == [f"{k}_" for k in range(1, 7)]
    assert [path.stem for path in SOLUTIONS] == [f"exercise_{k}" for k in NUMBERS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_asks_shows_and_concludes(path):
    texts = [source(c) for c in notebook(path)["cells"] if c["cell_type"] == "markdown"]
    assert texts[0].startswith(f"# {path.name[0]}. ") and "**Question.**" in texts[0]
    assert any(text.startswith("## Look") for text in texts)
    assert any("**Before you run" in text for text in texts)
    assert "## Take along" in texts[-1]


def test_every_exercise_has_a_stub_that_is_checked():
    assert [number for _, number, _, _ in STUBS] == list(NUMBERS)
    for _, number, stub, following in STUBS:
        names = ", ".join(name for name, _ in signatures(stub))
        assert following == f"print(exercise({number}).check({names}))"
        assert 'raise NotImplementedError("your turn")' in stub


@pytest.mark.parametrize("number", NUMBERS)
def test_a_stub_is_that_of_the_task_and_of_the_solution(number):
    stub = signatures(STUBS[number - 1][2])
    assert stub == signatures(SOLUTIONS[number - 1].read_text(encoding="utf-8"))
    functions = exercise(number).task.functions
    assert stub == [(each.name, ", ".join(each.arguments)) for each in functions]


# ---- what runs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", NUMBERS)
def test_a_solution_passes(number):
    names = runpy.run_path(str(SOLUTIONS[number - 1]))
    functions = [names[signature.name] for signature in exercise(number).task.functions]
    grade = exercise(number).check(*functions)
    assert grade.passed, str(grade)


def need_packages():
    for module, extra in (("sklearn", "data"), ("matplotlib", "plots")):
        reason = f'{module} is not installed: pip install ".[{extra}]"'
        pytest.importorskip(module, reason=reason)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_before_anything_is_written(path, capsys, monkeypatch, interpreted):
    """No cell depends on a student's function, so whoever is late can go on."""
    need_packages()
    if interpreted and path.stem in SLOW_INTERPRETED:
        pytest.skip("takes minutes without the compiler")
    monkeypatch.setenv("MPLBACKEND", "agg")
    names = {}
    with warnings.catch_warnings():  # cells change the filters
        for cell in notebook(path)["cells"]:
            if cell["cell_type"] == "code":
                exec(compile(source(cell), f"{path.name}, {cell['id']}", "exec"), names)
    if "plt" in names:
        names["plt"].close("all")
    numbers = [number for where, number, _, _ in STUBS if where == path]
    assert capsys.readouterr().out.count("is not written yet") == len(numbers)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_in_jupyter_with_the_solutions(path, monkeypatch, tmp_path, interpreted):
    need_packages()
    for module in ("nbclient", "ipykernel"):
        pytest.importorskip(module, reason=f'{module} is not installed: pip install ".[class]"')
    if interpreted:
        pytest.skip("notebooks are run with the compiler")
    import nbformat
    from nbclient import NotebookClient

    here = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(here))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))  # no settings of the user
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    numbers = []
    for cell in book.cells:
        if exercise_of(cell):
            numbers.append(exercise_of(cell))
            cell.source = SOLUTIONS[numbers[-1] - 1].read_text(encoding="utf-8")
    client = NotebookClient(
        book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", ())]
    printed = "".join(o.text for o in outputs if o.output_type == "stream" and o.name == "stdout")
    assert printed.count("passed: ") == len(numbers) and "not yet" not in printed
    pictures = [o for o in outputs if "image/png" in o.get("data", ())]
    assert pictures
    assert not [o for o in outputs if "<Figure size" in str(o.get("data")) and o not in pictures]


# ---- figures and the plan ------------------------------------------------------------------------

SVG = "{http://www.w3.org/2000/svg}"


def drawn_by(path):
    """Return the version of Matplotlib that drew a figure."""
    return re.search(r"Matplotlib v([\d.]+)", path.read_text(encoding="utf-8"))[1]


def elements(group, ticks):
    """Yield what a picture consists of; ticks, whose places each version chooses, if asked for."""
    for element in group:
        if ticks or not element.get("id", "").startswith(("xtick_", "ytick_")):
            yield element
            yield from elements(element, ticks)


def texts_of(path, ticks):
    root = ElementTree.parse(path).getroot()
    assert root.tag == f"{SVG}svg"
    texts = (e for e in elements(root, ticks) if e.tag == f"{SVG}text")
    return ["".join("".join(text.itertext()).split()) for text in texts]


def curves_of(path):
    """Return the coordinates of every path outside the ticks, in points."""
    root = ElementTree.parse(path).getroot()
    paths = (e.get("d") for e in elements(root, ticks=False) if e.tag == f"{SVG}path")
    return [np.array(re.findall(r"-?[\d.]+", path), float) for path in paths]


def test_the_figures_are_those_that_the_program_draws(tmp_path):
    """Another version of Matplotlib moves axes by up to 6 of 700 points, with other ticks."""
    need_packages()
    draw = runpy.run_path(str(CLASS / "figures" / "draw.py"))
    (tmp_path / "again").mkdir()
    for folder in (tmp_path, tmp_path / "again"):
        draw["main"](folder)
    stored = sorted(CLASS.glob("figures/*.svg"))
    drawn = sorted(tmp_path.glob("*.svg"))
    assert [path.name for path in stored] == [path.name for path in drawn] and len(stored) == 8
    for old, new in zip(stored, drawn, strict=True):
        assert new.read_bytes() == (tmp_path / "again" / new.name).read_bytes()
        ticks = drawn_by(old) == drawn_by(new)
        assert texts_of(old, ticks) == texts_of(new, ticks) and len(texts_of(old, ticks)) > 3
        for before, now in zip(curves_of(old), curves_of(new), strict=True):
            np.testing.assert_allclose(before, now, rtol=0, atol=8)


def test_the_plan_fills_ninety_minutes():
    spans = [(int(a), int(b)) for a, b in re.findall(r"^\| (\d+)–(\d+) \|", PLAN, re.MULTILINE)]
    assert [b for _, b in spans[:-1]] == [a for a, _ in spans[1:]]
    assert spans[0][0] == 0 and spans[-1][1] == 90


def test_the_plan_links_all_files_and_every_link_leads_somewhere():
    links = set(re.findall(r"\]\(([^)#]+)\)", PLAN))
    missing = [link for link in links if not (CLASS / link).exists()]
    assert not missing
    parts = [*NOTEBOOKS, *SOLUTIONS, *CLASS.glob("figures/*.svg")]
    assert {path.relative_to(CLASS).as_posix() for path in parts} <= links


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_plan_calls_a_notebook_by_its_title(path):
    title = source(notebook(path)["cells"][0]).splitlines()[0].removeprefix("# ")
    (name,) = re.findall(rf"\[([^]]+)\]\({path.name}\)", PLAN)
    assert title.replace(".", "", 1).startswith(name)
