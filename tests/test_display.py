"""Objects are short in a list or log, and tables, images and figures in a notebook."""

import dataclasses
import inspect
import json
import pkgutil
import re
import sys
from html.parser import HTMLParser
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref import bijections, theory
from cinc_ref._display import MAX_CHARACTERS, images_html, repr_of, table_html
from cinc_ref.bench.groups import GROUPS, Report
from cinc_ref.bench.machine import Machine
from cinc_ref.bench.rows import Row
from cinc_ref.classroom import Grade, exercise
from cinc_ref.data.stack import Stack
from cinc_ref.demo import Demonstration
from cinc_ref.demo.flow import TrainedFlow
from cinc_ref.evaluation import Evaluation
from cinc_ref.flows import conditioning
from cinc_ref.sampling import Samples
from cinc_ref.theory.cases import Case
from cinc_ref.theory.evidence import Counterexample, Evidence
from cinc_ref.theory.proofs import Formula, Proof, Proofs
from cinc_ref.theory.verification import Verification
from cinc_ref.timing import OneCore, Timing
from cinc_ref.training.state import TrainingResult
from tests.support.checkout import ROOT, is_importable
from tests.support.processes import run_code
from tests.test_docstrings import EXPORTED


def record_of(kind, **values):
    """Make a record of a dataclass with some of its fields, the others None, unchecked."""
    record = object.__new__(kind)
    for field in dataclasses.fields(kind):
        object.__setattr__(record, field.name, values.get(field.name))
    return record


LONG = "<a long text> & " * 400
KERNEL = np.random.default_rng(0).normal(size=(12, 12, 3, 3))
IMAGES = np.random.default_rng(0).integers(0, 17, (30, 1, 8, 8), np.uint8)
FLOW = cr.flows.build("emerging", "quad", (3, 32, 32), levels=3, depth=32, width=512)
ROW = {"step": 1, "seconds": 1.5, "train": 3.2, "validation": 3.25, "worst_layer": LONG}
RESULT = TrainingResult(
    FLOW, {"taps": KERNEL}, (ROW,) * 300, "steps", 300, 9.0, 2.5, 120, Path("folder")
)
CASE = Case(KERNEL, (4, 4), "top-left", 1, (2, 2))
EVIDENCE = [
    Evidence("first", LONG, LONG, 300, "96x96", 1.5, 2.0, "fails", LONG),
    Evidence("second", LONG, LONG, 9, "4x4", None, None, "holds", counterexample=(CASE,)),
] * 20
PROOF = Proof(Formula(1, "name", LONG, LONG), "refuted", 0.1, {f"x{k}": k for k in range(200)})
CONDITIONS = OneCore(3, ("/a/folder/with/a/long/name/libscipy_openblas.so",) * 9)
TIMING = Timing(tuple(np.linspace(0.25, 0.75, 1001).tolist()), CONDITIONS, (0.5,) * 1001)
DIGITS = cr.data.ImageSet("digits", IMAGES[:20], IMAGES[20:25], IMAGES[25:], bins=17)
MACHINE = Machine("a processor", {"numpy": "2"}, str(CONDITIONS), {"float32": 1.0})
COMPARISON = json.loads((ROOT / "comparison/digits/comparison.json").read_text("utf-8"))
EVALUATION = Evaluation(2.5, 0.01, 1e-6, 100, 10, 3.25)
TRAINED = record_of(
    TrainedFlow, images=DIGITS, training=RESULT, test=EVALUATION, samples=IMAGES, sampling=TIMING
)

INSTANCES = {  # as long as they come
    "cinc_ref.bijections.ActNorm": lambda: bijections.ActNorm(),
    "cinc_ref.bijections.AdditiveCoupling": lambda: bijections.AdditiveCoupling(width=512),
    "cinc_ref.bijections.AffineCoupling": lambda: bijections.AffineCoupling(width=512),
    "cinc_ref.bijections.Bijection": lambda: bijections.Bijection(),
    "cinc_ref.bijections.Chain": lambda: bijections.Chain(FLOW.chains),
    "cinc_ref.bijections.EmergingConv": lambda: bijections.EmergingConv(5, "plu", dilation=2),
    "cinc_ref.bijections.FincConv": lambda: bijections.FincConv(5),
    "cinc_ref.bijections.Inverse": lambda: bijections.Inverse(FLOW.chains[0]),
    "cinc_ref.bijections.InvertibleConv": lambda: bijections.InvertibleConv(
        (3, 5), "triangular", "bottom-right", 3, (2, 3), 12345, True, "upper"
    ),
    "cinc_ref.bijections.QuadCoupling": lambda: bijections.QuadCoupling(512, "first"),
    "cinc_ref.bijections.Squeeze": lambda: bijections.Squeeze(),
    "cinc_ref.classroom.Exercise": lambda: exercise(6),
    "cinc_ref.classroom.Grade": lambda: Grade(1, False, LONG, LONG),
    "cinc_ref.comparison.Comparison": lambda: cr.comparison.Comparison(
        COMPARISON["rows"], COMPARISON["results"], COMPARISON["settings"], True
    ),
    "cinc_ref.comparison.Job": lambda: cr.comparison.Job(
        "cinc", "quad", 0, "digits", {"path": LONG}, {"levels": 2}, {"steps": 3} | {LONG: LONG}
    ),
    "cinc_ref.data.ImageSet": lambda: DIGITS,
    "cinc_ref.evaluation.Evaluation": lambda: EVALUATION,
    "cinc_ref.flows.Flow": lambda: FLOW,
    "cinc_ref.theory.Convolution": lambda: theory.Convolution(KERNEL),
    "cinc_ref.theory.Counterexample": lambda: Counterexample("claim", LONG, CASE),
    "cinc_ref.theory.Evidence": lambda: EVIDENCE[1],
    "cinc_ref.theory.Stability": lambda: theory.stability(KERNEL[:3, :3], (4, 4)),
    "cinc_ref.timing.OneCore": lambda: CONDITIONS,
    "cinc_ref.timing.Timing": lambda: TIMING,
    "cinc_ref.training.TrainingResult": lambda: RESULT,
    "a flow's stability": lambda: conditioning.StabilityByLayer(
        {f"level 1, step {k}, {LONG}": theory.stability(KERNEL[:1, :1], (4, 4)) for k in range(9)}
    ),
    "a template": lambda: FLOW.template,
    "a verification": lambda: Verification(EVIDENCE),
    "proofs": lambda: Proofs("pixel-major", (PROOF,) * 30),
    "a proof": lambda: PROOF,
    "a verdict at a width": lambda: theory.stability(KERNEL[:1, :1], (4, 4)).at_width,
    "a refutation": lambda: theory.refute(lambda c, size: c.kernel.size < 5),
    "a causal order": lambda: theory.causal_order([(-i, j) for i in range(1, 9) for j in range(9)]),
    "samples": lambda: record_of(
        Samples, images=IMAGES, samples=IMAGES, flow=FLOW, temperature=1.0, seconds=0.5
    ),
    "a stack": lambda: Stack([IMAGES] * 100, (1, 8, 8)),
    "a benchmark": lambda: Report(
        MACHINE, "a date", GROUPS, {name: [Row(LONG, LONG)] * 50 for name in GROUPS}
    ),
    "a demonstration": lambda: Demonstration(None, TRAINED, (Path("demo/report.md"),) * 7),
}

OF_OTHER_ROOMS = ("cinc_ref.testing.", "cinc_ref.torch.", "cinc_ref.sklearn.")
"""Prefixes of classes whose own tests hold them to the same length, or that have another's repr."""


def test_every_public_class_is_here():
    classes = {
        name
        for name, value in EXPORTED.items()
        if inspect.isclass(value) and not issubclass(value, BaseException)
    }
    assert {name for name in classes if not name.startswith(OF_OTHER_ROOMS)} <= set(INSTANCES)


@pytest.mark.parametrize("name", INSTANCES)
def test_a_repr_is_short(name):
    value = INSTANCES[name]()
    assert len(repr(value)) <= MAX_CHARACTERS
    assert "\n" not in repr(value) and "array([" not in repr(value)


class _Tags(HTMLParser):
    """Check that tags are closed in order, and collect the text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.text, self.tags = [], "", set()
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("name", INSTANCES)
def test_html_is_well_formed_and_escaped(name):
    value = INSTANCES[name]()
    if not hasattr(value, "_repr_html_"):
        pytest.skip("has none")
    page = _Tags(value._repr_html_())
    assert "table" in page.tags and page.tags <= {
        "table", "caption", "thead", "tbody", "tr", "th", "td", "img",
    }  # fmt: skip


LOOKED_AT = (
    "Comparison", "ImageSet", "Evaluation", "Flow", "Chain", "Stability", "TrainingResult",
    "a verification", "proofs", "a refutation", "a benchmark", "a demonstration",
    "a verdict at a width", "a flow's stability", "Exercise", "Grade",
)  # fmt: skip


@pytest.mark.parametrize("name", LOOKED_AT)
def test_what_a_person_looks_at_has_html(name):
    key = next(key for key in INSTANCES if key.rpartition(".")[2] == name)
    assert hasattr(INSTANCES[key](), "_repr_html_")


def dataclasses_of_the_package():
    for module in pkgutil.walk_packages(cr.__path__, "cinc_ref."):
        is_left_out = re.search(r"cinc_ref\.(testing|kernels|cli|_)", module.name)
        if is_left_out or not is_importable(module.name):
            continue
        for name, value in vars(import_module(module.name)).items():
            is_record = dataclasses.is_dataclass(value) or hasattr(value, "_fields")
            if inspect.isclass(value) and is_record and value.__module__ == module.name:
                yield f"{module.name}.{name}", value


CONFIGURATION = frozenset(
    type(INSTANCES[name]()).__name__ for name in INSTANCES if "bijections" in name or "Flow" in name
)
"""Names of classes whose fields are checked to be short when one is made."""


def test_no_record_is_long_whatever_is_in_it():
    """Every dataclass and named tuple, its fields filled with arrays, texts and containers."""
    seen, made = 0, {type(make()) for make in INSTANCES.values()}
    for name, kind in dataclasses_of_the_package():
        short = kind.__name__ in CONFIGURATION | {"Geometry"}
        if short or kind.__name__.startswith("_") or "__repr__" not in vars(kind):
            continue
        if kind in made:
            continue  # held to it above
        seen += 1
        for content in (KERNEL, LONG, [KERNEL] * 99, {LONG: KERNEL}, (LONG,) * 99, 10**999):
            if dataclasses.is_dataclass(kind):
                record = object.__new__(kind)
                for field in dataclasses.fields(kind):
                    object.__setattr__(record, field.name, content)
            else:
                record = kind(*[content] * len(kind._fields))
            assert len(repr(record)) <= MAX_CHARACTERS, name
    assert seen > 15


def test_a_timing_begins_with_its_median():
    timing = cr.timing.measure(lambda: None, repeat=3)
    assert re.match(r"Timing\(median \S+ s, minimum \S+ s, 3 repetitions, .*one BLAS", repr(timing))


def test_a_result_says_why_it_ended_and_shows_the_ends_of_its_history():
    text = _Tags(RESULT._repr_html_()).text
    assert "Finished 300 steps. 2.5 bits/dim after 120 steps." in text
    assert RESULT._repr_html_().count("<tr>") == 14  # header, 6 first rows, dots, 6 last rows


def test_a_verification_counts_its_verdicts_and_stays_a_list():
    assert repr(Verification(EVIDENCE)).startswith("Verification(40 statements: 20 fails, 20 holds")
    assert Verification(EVIDENCE) == EVIDENCE and Verification(EVIDENCE)[:2] == EVIDENCE[:2]


def test_images_are_shown_in_the_polarity_of_their_set():
    pytest.importorskip("PIL")
    import base64
    import io

    from PIL import Image

    ramp = np.arange(17, dtype=np.uint8).reshape(1, 1, 1, 17)
    for name, first, last in (("digits", 255, 0), ("folder", 0, 255)):
        text = cr.data.ImageSet(name, ramp, ramp, ramp, 17)._repr_html_()
        data = base64.b64decode(re.search(r"base64,([^\"]+)", text)[1])
        pixels = np.asarray(Image.open(io.BytesIO(data)))
        assert pixels.shape == (1, 18) and (pixels[0, 0], pixels[0, 16]) == (first, last)
    colours = np.zeros((3, 3, 4, 4), np.uint8)
    assert "<img" in images_html(colours, 256, dark=False)


def test_without_pillow_there_is_the_table_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert "<img" not in DIGITS._repr_html_() and "<table" in DIGITS._repr_html_()


def test_a_table_escapes_and_aligns():
    text = table_html(["<a>"], [["<b>"], [1.23456]], caption="<c> & d")
    assert "<a>" not in text and "<b>" not in text and "&lt;c&gt; &amp; d" in text
    assert 'right">1.235<' in text


def test_the_longest_value_decides_how_much_of_each_is_shown():
    assert repr_of("A", {"x": 1.5, "y": [1, 2]}) == "A(x=1.5, y=[1, 2])"
    assert len(repr_of("A", {f"x{k}": LONG for k in range(200)})) == MAX_CHARACTERS


NOTEBOOK = """
import numpy as np
import cinc_ref as cr
flow = cr.flows.build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=2, bins=17)
flow
---
cr.bijections.Chain([cr.bijections.ActNorm(), cr.bijections.InvertibleConv()])
---
images = cr.data.image_set("digits")
images
---
small = images.train[:20, :, 2:6, 2:6]
result = cr.train(flow, small, small, steps=1, batch_size=4)
result
---
cr.evaluate(flow, result.params, small, draws=1)
---
cr.timing.measure(lambda: None)
---
cr.theory.stability(np.array([[[[0.5, 1.0]]]]), (2, 2))
---
from cinc_ref.theory import theorems
from cinc_ref.theory.verification import Verification
Verification([theorems.order_of_indices()])
---
from cinc_ref.plots import image_grid
image_grid(images.train[:4])
"""

RUN_CELLS = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
outputs = []
for cell in sys.stdin.read().split("---\\n"):
    run = shell.run_cell(cell)
    run.raise_error()
    outputs.append(shell.display_formatter.format(run.result)[0])
print(json.dumps(outputs, default=lambda data: "bytes"))
"""
"""Program that executes cells and prints what the last line of each shows, by its type."""


def test_a_notebook_shows_what_a_person_expects():
    for package in ("IPython", "sklearn", "PIL", "matplotlib"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    run = run_code(RUN_CELLS, input=NOTEBOOK)
    cells = json.loads(run.stdout.splitlines()[-1])
    flow, chain, images, result, evaluation, timing, stability, report, figure = cells
    for output in (flow, chain, images, result, evaluation, stability, report):
        assert "<table" in output["text/html"]
    for output in (flow, chain, images, result, evaluation, timing, stability, report):
        assert len(output["text/plain"]) <= MAX_CHARACTERS
    assert "InvertibleConv" in flow["text/html"] and "ActNorm" in chain["text/html"]
    assert "data:image/png;base64" in images["text/html"]
    assert "Finished 1 steps." in result["text/html"] and "validation" in result["text/html"]
    assert "bits_per_dim" in evaluation["text/html"] and "median" in timing["text/plain"]
    assert "verdict" in stability["text/html"] and "holds" in report["text/html"]
    assert "image/png" in figure


@pytest.mark.parametrize("module", [cr.flows, cr.bench, cr.data, cr.theory, cr.bijections])
def test_tables_of_a_public_module_are_short(module):
    values = {name: getattr(module, name) for name in module.__all__}
    lengths = {name: len(repr(value)) for name, value in values.items()}
    assert {name for name, length in lengths.items() if length > MAX_CHARACTERS} == set()
