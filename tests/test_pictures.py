"""Every picture that the package writes has titles, labels and units; digits are ink on paper."""

import inspect

import numpy as np
import pytest

import cinc_ref as cr
import cinc_ref.demo
from cinc_ref import plots
from cinc_ref._figure import Figure
from cinc_ref.data import IMAGE_SETS, ImageSet
from cinc_ref.errors import OptionError, ShapeError
from cinc_ref.flows import build
from tests.support.commands import few_digits, run
from tests.support.pictures import legend_of_greys, problems, recorded

FLOW = build("cinc", "affine", (1, 8, 8), levels=2, depth=1, width=4, bins=17)
PHOTOGRAPHS = build("cinc", "affine", (1, 8, 8), levels=2, depth=1, width=4)
COLOURED = build("cinc", "affine", (3, 8, 8), levels=2, depth=1, width=4)
RNG = np.random.default_rng(0)
GREY, RED_GREEN_BLUE = (RNG.integers(0, 17, (6, c, 8, 8)) for c in (1, 3))
FLOATS = RNG.normal(size=(2, 1, 5, 7)).astype(np.float32)
HISTORY = [
    {"step": k, "seconds": 60.0 + k, "train": 9.0 / k, "validation": 99.0 / k**3}
    for k in range(1, 9)
]

CALLS = {
    "image_grid": [
        ((GREY,), {}),
        ((GREY[:1],), {"cmap": "viridis"}),
        ((RED_GREEN_BLUE,), {"columns": 2}),
        ((np.zeros((1, 1, 1, 1)),), {}),
    ],
    "image_table": [
        ((GREY[None],), {"headings": list("abcdef")}),
        ((RED_GREEN_BLUE[None],), {"headings": ["0.123456"] * 6, "heading_label": "number"}),
    ],
    "samples_figure": [
        ((GREY, FLOW), {"temperature": 0.8}),
        ((RED_GREEN_BLUE, COLOURED), {"temperature": 0, "data": "cifar10"}),
    ],
    "interpolation_figure": [((GREY[:, None], FLOW), {}), ((GREY[:2, None], FLOW), {})],
    "temperature_figure": [((GREY[:, None], FLOW, [0, 0.2, 0.4, 0.6, 0.8, 1.2]), {})],
    "inverse_figure": [
        ((FLOATS, 2 * FLOATS, FLOATS), {}),
        ((FLOATS, 2 * FLOATS, FLOATS * 1.5), {"units": ("volts", "amperes")}),
        ((FLOATS, 0 * FLOATS, FLOATS * np.inf), {}),
    ],
    "loss_figure": [
        ((HISTORY,), {}),
        ((HISTORY,), {"against": "step"}),
        ((HISTORY[:1],), {}),
        ((HISTORY * 10,), {}),
    ],
    "matrix_figure": [
        ((RNG.normal(size=(1, 1, 3, 3)), (4, 5)), {}),
        ((RNG.normal(size=(2, 2, 1, 5)), (1, 12)), {"dilation": 2}),
    ],
}
"""Arguments for every function of `cinc_ref.plots` that returns a figure."""


def test_every_function_that_draws_is_called():
    drawing = {
        name
        for name in plots.__all__
        if inspect.isfunction(function := getattr(plots, name))
        and inspect.signature(function).return_annotation is Figure
    }
    assert drawing == set(CALLS)


@pytest.mark.parametrize(
    ("name", "call"), [(name, call) for name, calls in CALLS.items() for call in calls]
)
def test_every_picture_has_titles_and_labels(name, call):
    arguments, options = call
    figure = getattr(plots, name)(*arguments, **options)
    assert problems(figure) == []
    figure.draw_without_rendering()
    inside = figure.bbox.padded(2)
    for axes in figure.axes:
        for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
            box = text.get_window_extent()
            if text.get_text():
                assert inside.y0 <= box.y0 and box.y1 <= inside.y1, text.get_text()


def test_the_rules_notice_what_is_missing():
    figure = Figure()
    axes = figure.add_subplot()
    figure.colorbar(axes.imshow(np.eye(3)))
    assert len(problems(figure)) == 4
    axes.set(title="a title", xlabel="columns")
    assert problems(figure) == [
        "the y axis of axes 0 has no label",
        "colour bar 1 has no label",
    ]
    axes.set_yticks([0, 1, 2], ["first", "second", "third"])
    assert problems(figure) == ["colour bar 1 has no label"]


# ---- ink on paper ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "bins", "cmap"),
    [
        ("digits", 17, "gray_r"),
        ("mnist", 256, "gray_r"),
        ("mnist", 32, "gray_r"),
        ("folder", 256, "gray"),
        ("array", 17, "gray"),
        ("patches", 256, "gray"),
        (None, 17, "gray_r"),
        (None, 256, "gray"),
    ],
)
def test_handwriting_is_ink_and_all_else_is_light(data, bins, cmap):
    assert plots.colormap_of(data, bins) == cmap


@pytest.mark.parametrize(
    ("data", "bins", "message"), [(3, 17, "data must be"), ("digits", 1, "bins must be")]
)
def test_colormaps_of_nothing(data, bins, message):
    with pytest.raises(OptionError, match=message):
        plots.colormap_of(data, bins)


@pytest.mark.parametrize(("flow", "ink"), [(FLOW, True), (PHOTOGRAPHS, False)])
def test_the_pictures_of_a_flow_agree(flow, ink):
    levels = np.array([0, flow.bins - 1]).reshape(2, 1, 1, 1) * np.ones((1, 1, 8, 8), int)
    figures = (
        plots.samples_figure(levels, flow, temperature=1),
        plots.interpolation_figure(levels[:, None], flow),
        plots.temperature_figure(levels[:, None], flow, [0, 1]),
    )
    for figure in figures:
        mosaic = figure.axes[0].images[0].get_array()
        lowest, highest = mosaic[0, 0, 0], mosaic[0, -1, 0]
        assert (lowest, highest) == ((1, 0) if ink else (0, 1))
        words = ("white", "black") if ink else ("black", "white")
        assert legend_of_greys(figure) == f"0 is {words[0]}, {flow.bins - 1} is {words[1]}"


@pytest.fixture
def digits_model(tmp_path, monkeypatch):
    monkeypatch.setitem(IMAGE_SETS, "digits", few_digits)
    monkeypatch.setitem(IMAGE_SETS, "mnist", lambda path=None: as_mnist())
    monkeypatch.chdir(tmp_path)
    return tmp_path / "model.npz"


def as_mnist():
    digits = few_digits()
    parts = (getattr(digits, part) * 15 for part in ("train", "validation", "test"))
    return ImageSet("mnist", *parts, bins=256)


@pytest.mark.parametrize(("data", "flow"), [("digits", FLOW), ("mnist", PHOTOGRAPHS)])
def test_commands_draw_handwriting_as_ink_with_titles(capsys, digits_model, data, flow):
    images = IMAGE_SETS[data]().train
    x = cr.flows.dequantize(images, flow.bins, np.random.default_rng(0))
    cr.save(digits_model, flow, flow.init(np.random.default_rng(0), x))
    path = () if data == "digits" else ("--path", digits_model)
    with recorded() as figures:
        if data == "digits":  # a file of a model does not name its images
            assert run(capsys, "sample", digits_model, "-n", 3, "--temperature", 0.5)[0] == 0
            assert figures[0].axes[0].get_title().startswith("3 samples at temperature 0.5")
        way = ("--data", data, *path, "--pairs", 2, "--steps", 3, "--sweep", "sweep.png")
        assert run(capsys, "interpolate", digits_model, *way)[0] == 0
    assert len(figures) == 2 + (data == "digits")
    assert figures[-2].axes[0].get_xlabel() == "share of the second image's latents"
    assert figures[-1].axes[0].get_xlabel() == "temperature"
    for figure in figures:
        assert problems(figure) == []
        assert legend_of_greys(figure) == f"0 is white, {flow.bins - 1} is black"


def test_training_and_the_demonstration_draw_with_titles(capsys, digits_model, monkeypatch):
    monkeypatch.setattr(cinc_ref.demo, "digits", lambda: few_digits().train[:10])
    monkeypatch.setattr(cinc_ref.demo, "image_set", lambda name: few_digits())
    tiny = {"system": "cinc", "coupling": "quad", "levels": 2, "depth": 1, "width": 4}
    monkeypatch.setattr(cinc_ref.demo.flow, "MODEL", tiny)
    monkeypatch.setattr(cinc_ref.demo.flow, "SAMPLES", 10)
    with recorded() as figures:
        assert run(capsys, "demo", "--steps", 1, "--out", "demo")[0] == 0
        size = ("--levels", 1, "--depth", 1, "--width", 4)
        assert run(capsys, "train", "--steps", 1, *size, "--out", "run")[0] == 0
    assert len(figures) == 5 + 1
    assert [problem for figure in figures for problem in problems(figure)] == []
    assert legend_of_greys(figures[0]) == "0 is white, 16 is black"


# ---- exact zeros, and the start of a training --------------------------------------------------


def words_of(figure):
    """The words in each panel of errors."""
    panels = [axes for axes in figure.axes if axes.images]
    return [" ".join(text.get_text() for text in axes.texts) for axes in panels[3::4]]


def test_errors_that_are_exactly_0_are_said():
    images = np.ones((3, 1, 4, 4))
    nearly = images.copy()
    nearly[1, 0, 2, 3] += 1e-16 + np.finfo(float).eps
    nearly[2, 0, 0, 0] = np.nan
    assert words_of(plots.inverse_figure(images, images, images)) == ["exactly 0"] * 3
    assert words_of(plots.inverse_figure(images, images, nearly)) == ["exactly 0", "", "not finite"]
    single = (images / 3).astype(np.float32)
    assert words_of(plots.inverse_figure(images / 3, images, single)) == [""] * 3


def test_the_bar_of_errors_that_are_all_0_says_so():
    images = np.ones((1, 1, 4, 4))
    for inverted, label in ((images, "exactly 0"), (images + 0.25, "0.25")):
        bar = plots.inverse_figure(images, images, inverted).axes[-1]
        assert bar.get_xticklabels()[-1].get_text() == label
        assert bar.get_xlabel() == "|error|, pixel value"


@pytest.mark.parametrize("against", ["seconds", "step"])
def test_a_loss_begins_at_0_and_hidden_values_are_counted(against):
    axes = plots.loss_figure(HISTORY, against=against).axes[0]
    assert axes.get_xlim()[0] == 0
    above = sum(
        row[name] > axes.get_ylim()[1] for row in HISTORY for name in row if name[0] in "tv"
    )
    assert above and f"{above} early value" in axes.get_title()
    assert "early" not in plots.loss_figure(HISTORY[-1:]).axes[0].get_title()


@pytest.mark.parametrize(
    ("function", "arguments", "error"),
    [
        (plots.samples_figure, (GREY[0], FLOW), ShapeError),
        (plots.samples_figure, (GREY, "flow"), OptionError),
        (plots.interpolation_figure, (GREY, FLOW), ShapeError),
        (plots.interpolation_figure, (GREY[:1, None], FLOW), ShapeError),
        (plots.interpolation_figure, (GREY[:, None], None), OptionError),
        (plots.temperature_figure, (GREY[:, None], FLOW, [1]), ShapeError),
        (plots.temperature_figure, (GREY[:1, None], FLOW, [-1]), OptionError),
        (plots.temperature_figure, (GREY[:1, None], FLOW, ["hot"]), OptionError),
        (plots.temperature_figure, (GREY[:1, None], None, [1]), OptionError),
    ],
)
def test_pictures_of_flows_refuse_what_they_cannot_draw(function, arguments, error):
    options = {"temperature": 1} if function is plots.samples_figure else {}
    with pytest.raises(error):
        function(*arguments, **options)


@pytest.mark.parametrize("units", [("one",), "ab c", 3, ("one", 2)])
def test_units_are_two_strings(units):
    with pytest.raises(OptionError, match="units must be"):
        plots.inverse_figure(FLOATS, FLOATS, FLOATS, units=units)
