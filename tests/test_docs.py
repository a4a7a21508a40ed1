"""The site: what is generated says what is stored, and every page can be reached."""

import json
import re
import sys
from dataclasses import replace

import pytest
from check_site import broken_links, foreign_resources, images_without_text, pages_of
from site_parts import api, benchmarks, catalogue, comparisons, generate, repository
from site_parts.inventories import PROJECTS
from site_parts.markdown import escape, table
from site_parts.player import local_player
from site_parts.svg import Drawing

import cinc_ref as cr
from cinc_ref.bench.groups import GROUPS, MARK
from tests.support.checkout import FRAMEWORKS, ROOT, is_importable

DOCS = ROOT / "docs"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
ELSEWHERE = {"gallery/index", "class/index", "api/index"}
"""Pages that are written elsewhere, or made by Sphinx."""

COMPARISONS = comparisons.stored()
STORED = sorted(ROOT.glob("comparison/*/comparison.json"))


def cells(text):
    """Return the rows of all tables of a Markdown text, without headings, as lists of cells."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows]


def two_seeds(affine, quad, **training):
    """Make a comparison of one system with these bits/dim, one number for each seed."""
    comparison = COMPARISONS[0][0]
    rows = []
    for coupling, bits in (("affine", affine), ("quad", quad)):
        row = next(row for row in comparison.rows if row["coupling"] == coupling)
        spread = abs(bits[0] - bits[1]) / 2**0.5
        mean = sum(bits) / 2
        rows.append({**row, "test_bits_per_dim": mean, "standard_deviation": spread})
    settings = comparison.settings
    budget = {"minutes": None, "steps": None, **training}
    settings = {**settings, "training": {**settings["training"], **budget}}
    return replace(comparison, rows=rows, settings=settings)


# ---- comparisons ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.parent.name)
def test_the_page_has_every_stored_figure_of_a_comparison(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    unit = "steps" if content["settings"]["training"]["minutes"] is None else "minutes"
    part = comparisons.parts()[f"equal-{unit}.md"]
    rows = {tuple(row[:2]): row for row in cells(part) if f"{row[2]}".count("±")}
    for row in content["rows"]:
        found = [r for r in cells(part) if r[:2] == [row["system"], row["coupling"]]]
        mean, steps = f"{row['test_bits_per_dim']:.3f}", f"{row['steps']:,}"
        assert any(r[2].startswith(mean) and r[3] == steps for r in found), row
    assert rows and content["command"] in part


def test_the_drawing_of_a_comparison_has_a_point_for_each_run():
    for comparison, _ in COMPARISONS:
        drawing = comparisons._bits_drawing(comparison)
        points = [s for s in drawing.shapes if 'fill-opacity="0.75"' in s]
        assert len(points) == len(comparison.results)
        for row in comparison.rows:
            assert any(f">{row['test_bits_per_dim']:.3f}<" in shape for shape in drawing.shapes)


@pytest.mark.parametrize("low, high", [(0, 15.4), (0, 68.7), (2.25, 2.52), (3.1, 3.6), (0, 1)])
def test_the_numbers_below_a_drawing_are_round_and_few(low, high):
    numbers = comparisons.round_numbers(low, high)
    assert 3 <= len(numbers) <= 8
    assert low <= min(numbers) and max(numbers) <= high
    step = numbers[1] - numbers[0]
    assert f"{step:.0e}"[0] in "125" and all(
        abs(n / step - round(n / step)) < 1e-6 for n in numbers
    )


def test_gains_are_differences_with_the_spread_of_both():
    comparison = two_seeds([2.0, 2.2], [1.9, 2.0], steps=1500)
    ((value, spread),) = comparisons.gains(comparison).values()
    assert value == pytest.approx(-0.15)
    assert spread == pytest.approx((0.02 + 0.005) ** 0.5)


@pytest.mark.parametrize("quad, words", [
    ([1.8, 1.81], "quad against affine is better in every system"),
    ([2.0, 2.1], "quad against affine is within the uncertainty in every system"),
    ([2.4, 2.5], "quad against affine is worse in every system"),
])  # fmt: skip
def test_the_verdict_on_quad_follows_from_the_results(quad, words):
    comparison = two_seeds([2.0, 2.2], quad, steps=1500)
    text = comparisons.gains_table([(comparison, "command")])
    assert words in text
    assert "digits, 1,500 steps" in text


def test_equal_steps_are_shown_once_they_are_stored():
    pair = (
        two_seeds([2.0, 2.2], [1.9, 2.0], steps=1500),
        "python -m cinc_ref compare --steps 1500",
    )
    assert "compare --data digits --steps 1500" in comparisons.at_equal("steps", [])
    shown = comparisons.at_equal("steps", [*COMPARISONS, pair])
    assert "### Digits, 1,500 steps" in shown and pair[1] in shown and "2.100" in shown
    assert "1,500 steps" not in comparisons.at_equal("minutes", [pair, *COMPARISONS])


def test_what_the_page_says_of_cinc_and_glow_is_so():
    by_data = {c.settings["data"]: c for c, _ in COMPARISONS if c.settings["training"]["minutes"]}
    bits = {
        (data, row["system"], row["coupling"]): row["test_bits_per_dim"]
        for data, comparison in by_data.items()
        for row in comparison.rows
    }
    for coupling in ("affine", "quad"):  # on patches clearly, on digits not
        assert bits["patches", "cinc", coupling] < bits["patches", "glow", coupling] - 0.1
        assert bits["digits", "cinc", coupling] > bits["digits", "glow", coupling] + 0.05
    digits = by_data["digits"].rows
    glow = next(r for r in digits if (r["system"], r["coupling"]) == ("glow", "affine"))
    gap = abs(bits["digits", "cinc-plu", "affine"] - glow["test_bits_per_dim"])
    assert gap < glow["standard_deviation"]  # level with Glow
    worst = max(r["largest_inversion_error"] for c in by_data.values() for r in c.rows)
    assert worst < 0.01  # a small part of a grey level


# ---- benchmarks ----------------------------------------------------------------------------------


def test_ranges_are_those_of_the_stored_benchmark():
    (content,) = [c for _, c in benchmarks.stored() if "kernels" in c["rows"]]
    rows = cells(benchmarks.ranges_table(content["rows"]["kernels"]))
    levels = ("C=12 16x16 N=100", "C=24 8x8 N=100", "C=48 4x4 N=100")
    ratios = [
        row["ratios"]["PyTorch"]
        for row in content["rows"]["kernels"]
        if row["what"] == "conv_inverse, NCHW" and row["dtype"] == "float64"
        and row["case"] in levels
    ]  # fmt: skip
    assert len(ratios) == 3
    line = next(row for row in rows if row[0] == "the same from NCHW arrays")
    assert line[2] == f"{min(ratios):.2f} to {max(ratios):.2f}"


def test_every_row_of_a_benchmark_is_on_the_page():
    text = benchmarks.parts()["benchmarks.md"]
    shown = cells(text)
    for path, content in benchmarks.stored():
        assert f"`{path}`" in text
        for rows in content["rows"].values():
            for row in rows:
                median = "" if row["median"] is None else f"{1000 * row['median']:.4g}"
                assert any(r[:3] == [row["what"], row["case"], median] for r in shown), row
        for verdict in content["bounds"]:
            assert any(r[0] == verdict["bound"] for r in shown), verdict


def test_notes_of_benchmarks_name_the_rows_to_read():
    text = benchmarks.parts()["benchmarks.md"]
    for _, content in benchmarks.stored():
        for name in content["rows"]:
            assert not GROUPS[name].answer or f"`{GROUPS[name].answer}`" in text
    assert MARK not in text


def test_one_core_is_faster_than_pytorch_at_every_size_that_is_drawn():
    (content,) = [c for _, c in benchmarks.stored() if "kernels" in c["rows"]]
    rows = content["rows"]["kernels"]
    assert "less\ntime than PyTorch's *forward* convolution" in PAGES["one_core"]
    for row in rows:
        if row["what"] == "conv_inverse, NCHW":
            assert row["ratios"]["PyTorch"] < 1, row


# ---- catalogue, reference, documents -------------------------------------------------------------


def test_the_catalogue_has_every_check_once():
    names = re.findall(r"^\| `(\w+)` \|", catalogue.suite_tables(), re.MULTILINE)
    assert sorted(names) == sorted(name for name, _ in cr.testing.checks())
    assert len(names) > 200
    assert "`log_det_is_that_of_the_jacobian`" in catalogue.properties_table()


def test_the_reference_has_every_public_name():
    pages = api.pages()
    rooms = ["cinc_ref.bijections", "cinc_ref.errors", "cinc_ref.theory", "cinc_ref.testing"]
    for room in rooms + [f"cinc_ref.{name}" for name in FRAMEWORKS if is_importable(name)]:
        module = sys.modules.get(room) or __import__(room, fromlist=["x"])
        for name in api.public_names(module):
            assert f"   {name}\n" in pages[f"{room}.rst"], name
    assert "   conv_inverse\n" in pages["cinc_ref.rst"]
    assert "   evaluate\n" not in pages["cinc_ref.evaluation.rst"]  # under its short name alone
    assert all(f" <{page[:-4]}>\n" in pages["index.rst"] for page in pages if page != "index.rst")


def test_documents_of_the_top_folder_lead_to_pages():
    text = repository.document("CONTRIBUTING.md")
    assert "(/index.md)" in text and "(/theorem.md)" in text and "(/security.md)" in text
    assert "](docs/" not in text and not text.startswith("# ")
    home = repository.home()
    assert "<svg" in home and "convolution.svg" not in home and "(/contribute.md)" in home


def test_every_report_on_another_library_can_be_reached():
    text, reports = repository.conformance_table(), repository.conformance_reports()
    linked = set(re.findall(r"\(#(report-[\w.-]+)\)", text))
    assert len(linked) > 20
    assert {f"({name})=" for name in linked} <= set(re.findall(r"^\(\S+\)=$", reports, re.M))
    assert set(re.findall(r"\(#(library-\w+)\)", text)) == set(
        re.findall(r"^\((library-\w+)\)=$", text, re.MULTILINE)
    )


def test_the_picture_of_the_readme_is_the_one_that_is_drawn():
    drawn = generate.drawings.convolution_and_matrix().standalone()
    assert generate.PICTURE.read_text(encoding="utf-8") == drawn


def test_inventories_name_places_below_an_address():
    for address, objects in PROJECTS.values():
        assert address.startswith("https://") and address.endswith("/")
        for role, place in objects.values():
            assert role.startswith(("py:", "std:")) and ".html" in place


# ---- pages ---------------------------------------------------------------------------------------


def test_every_page_is_in_one_toctree():
    listed = []
    for text in PAGES.values():
        for block in re.findall(r"```{toctree}\n(.*?)```", text, re.DOTALL):
            listed += [line for line in block.splitlines() if line and not line.startswith(":")]
    assert len(set(listed)) == len(listed)
    assert set(listed) == (set(PAGES) - {"index"}) | ELSEWHERE


def test_no_two_pages_have_one_title():
    titles = [text.split("# ", 1)[1].split("\n", 1)[0] for text in PAGES.values()]
    for path in sorted((ROOT / "examples").glob("*.py")):
        titles.append(path.read_text(encoding="utf-8").split("\n")[1])
    assert len(titles) > 30 and len(set(titles)) == len(titles), sorted(titles)


@pytest.mark.parametrize("name", PAGES)
def test_links_between_pages_resolve(name):
    for target in re.findall(r"\]\(([\w/.-]+?\.(?:md|rst))(?:#[\w-]+)?\)", PAGES[name]):
        if target.rsplit(".", 1)[0] not in ELSEWHERE:
            assert (DOCS / target).exists(), target


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_includes_is_generated(name):
    parts = generate.parts()
    for part in re.findall(r"{include} _generated/(\S+)", PAGES[name]):
        assert parts[part].strip(), part


def test_every_part_is_on_a_page():
    used = {part for t in PAGES.values() for part in re.findall(r"_generated/(\S+)", t)}
    assert set(generate.parts()) - used == {"convolution-and-matrix.md"}  # in the home page


# ---- tools ---------------------------------------------------------------------------------------


def test_a_table_escapes_nothing_and_plain_text_everything():
    assert table(["a", "b"], [["x", "1"]]) == "| a | b |\n| :--- | ---: |\n| x | 1 |\n"
    assert escape("|x| * [y]_z") == r"\|x\| \* \[y]\_z"


def test_a_drawing_says_what_it_shows_and_follows_the_theme():
    drawing = Drawing(10, 20, "A <title>", "what there is")
    drawing.rect(1, 2, 3, 4, fill="red", opacity=0.5)
    inline, alone = drawing.inline(), drawing.standalone()
    assert "<title>A &lt;title&gt;</title><desc>what there is</desc>" in inline
    assert 'role="img"' in inline and "var(--d-red" in inline and "<style>" not in inline
    assert "prefers-color-scheme: dark" in alone


def test_broken_links_are_found(tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#here">x</a><a href="#no">y</a>')
    (tmp_path / "b.html").write_text(
        '<p id="here"></p><a href="a.html">x</a><img src="gone.png"><a href="a.html#k=1">y</a>'
        '<a href="https://example.org/gone">z</a>'
    )
    assert broken_links(tmp_path, pages_of(tmp_path)) == ["a.html: #no", "b.html: gone.png"]


@pytest.mark.parametrize("markup", [
    '<script src="https://a.example/x.js"></script>',
    '<link href="//a.example/x.css" rel="stylesheet">',
    '<link rel="shortcut icon" href="http://a.example/x.ico">',
    '<img alt="x" src="x.png" srcset="x.png, https://a.example/x.png 2x">',
    '<video poster="https://a.example/x.png"></video>',
    '<object data="https://a.example/x.svg"></object>',
    '<svg><image href="https://a.example/x.png"/></svg>',
    '<p style="background: url(https://a.example/x.png)">x</p>',
    "<style>@import 'https://a.example/x.css';</style>",
])  # fmt: skip
def test_what_is_loaded_from_another_host_is_found(tmp_path, markup):
    (tmp_path / "a.html").write_text(markup)
    (found,) = foreign_resources(tmp_path, pages_of(tmp_path))
    assert re.fullmatch(r"a\.html: (https?:)?//a\.example/x\.\w+", found)


def test_links_and_resources_of_the_site_are_not_foreign(tmp_path):
    (tmp_path / "sheet.css").write_text("a { background: url('x.svg'), url(data:image/png,x) }")
    (tmp_path / "a.html").write_text(
        '<link rel="stylesheet" href="sheet.css"><link rel="license" href="https://a.example">'
        '<a href="https://a.example">x</a><img src="data:image/png,x"><p>url(https://a.example)'
    )
    assert foreign_resources(tmp_path, pages_of(tmp_path)) == []
    (tmp_path / "sheet.css").write_text('@font-face { src: url("https://a.example/x.woff2") }')
    assert foreign_resources(tmp_path, pages_of(tmp_path)) == [
        "sheet.css: https://a.example/x.woff2"
    ]


def test_images_without_a_text_are_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<img src="1.png"><img src="2.png" alt=" "><img src="3.png" alt="a matrix"><img id="4">'
    )
    assert images_without_text(pages_of(tmp_path)) == [
        "a.html: 1.png",
        "a.html: 2.png",
        "a.html: 4",
    ]


def test_a_player_of_animations_asks_no_other_host_and_has_a_text(tmp_path):
    pytest.importorskip("matplotlib", reason="the player is Matplotlib's")
    from matplotlib.animation import FuncAnimation
    from matplotlib.figure import Figure

    animation = FuncAnimation(Figure((1, 1)), lambda number: [], frames=2)
    page = tmp_path / "a.html"
    page.write_text(animation.to_jshtml(), encoding="utf-8")
    assert (
        len(foreign_resources(tmp_path, pages_of(tmp_path)))
        == len(images_without_text(pages_of(tmp_path)))
        == 1
    )
    player = local_player(animation.to_jshtml(), "a frame")
    page.write_text(player, encoding="utf-8")
    assert (
        foreign_resources(tmp_path, pages_of(tmp_path))
        == images_without_text(pages_of(tmp_path))
        == []
    )
    assert player.count("<button") == 9 and 'alt="a frame"' in player
