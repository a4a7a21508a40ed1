"""`check` on layers of NumPy arrays: the forms that it recognizes, its report, command, plugin."""

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref.errors import OptionError
from cinc_ref.testing import check
from tests.support.commands import run
from tests.support.processes import run_module

ROOT = Path(__file__).parents[1]
SHAPE = (4, 3, 5)

LAYER = """
import numpy as np


class Scale:
    def __init__(self, pixels=True):
        self.scale = np.array([1.5, -2.0, 0.7, 1.2])[:, None, None]
        self.pixels = pixels

    def log_det(self, x):
        count = x.shape[2] * x.shape[3] if self.pixels else 1
        return np.full(len(x), count * np.log(np.abs(self.scale)).sum(), x.dtype)

    def forward(self, x):
        return x * self.scale.astype(x.dtype), self.log_det(x)

    def inverse(self, y):
        return y / self.scale.astype(y.dtype), -self.log_det(y)
"""


@pytest.fixture
def scale(tmp_path, monkeypatch):
    (tmp_path / "somebody.py").write_text(LAYER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    from somebody import Scale

    yield Scale
    sys.modules.pop("somebody", None)


# ---- forms of layers -----------------------------------------------------------------------------


def _logs(x):
    return np.full(len(x), x[0, 0].size * np.log(2.0) * x.shape[1], x.dtype)


class Reversible:
    """A layer whose forward takes the direction and the log-determinant so far."""

    def forward(self, x, logdet=0, reverse=False):
        return (x / 2, logdet - _logs(x)) if reverse else (2 * x, logdet + _logs(x))


class Separate:
    """A layer that returns images alone, and the log-determinant by a method."""

    def forward(self, x):
        return 2 * x

    def inverse(self, y):
        return y / 2

    def log_abs_det(self, x):
        return _logs(x)


class Conditional:
    """A shift by a context, shape (N, 4)."""

    def forward(self, x, context):
        return x + context[:, :, None, None], np.zeros(len(x), x.dtype)

    def inverse(self, y, context):
        return y - context[:, :, None, None], np.zeros(len(y), y.dtype)


class OneWay:
    """A layer that has no inverse."""

    def forward(self, x):
        return 2 * x, _logs(x)

    def inverse(self, y):
        raise NotImplementedError("no inverse")


@pytest.mark.parametrize("layer", [Reversible(), Separate(), OneWay(), lambda x: (2 * x, _logs(x))])
def test_objects_and_functions(layer):
    report = check(layer, shape=SHAPE)
    assert report.ok, str(report)
    conventions = ["no log det, inverse"] if isinstance(layer, Separate) else []
    assert [finding.cause for finding in report.findings] == conventions
    assert report.adapter == ("object with forward" if hasattr(layer, "forward") else "function")


def test_a_conditional_layer():
    report = check(Conditional(), shape=SHAPE, context=np.ones((1, 4)))
    assert report.ok, str(report)


def test_the_shape_is_that_of_the_images(scale):
    x = np.random.default_rng(0).normal(size=(6, *SHAPE))
    report = check(scale(), x)
    assert report.ok and report.shape == x.shape and report.dtype == "float64"
    assert check(scale(), x.astype(np.float32)).dtype == "float32"


@pytest.mark.parametrize("layer", [cr.bijections.ActNorm(), cr.bijections.InvertibleConv()])
def test_layers_of_this_package(layer):
    rng = np.random.default_rng(0)
    params = layer.init(rng, rng.normal(size=(8, *SHAPE)))
    report = check((layer, params), shape=SHAPE)
    assert report.ok and report.adapter == "cinc_ref", str(report)


def test_an_iterative_inverse_needs_a_tolerance():
    def forward(x):
        return x + 0.1 * np.tanh(x), np.log1p(0.1 / np.cosh(x) ** 2).sum(axis=(1, 2, 3))

    def inverse(y):
        x = y
        for _ in range(4):
            x = y - 0.1 * np.tanh(x)
        return x, -forward(x)[1]

    assert check((forward, inverse), shape=SHAPE, tolerance=1e-3).ok
    assert check((forward, inverse), shape=SHAPE).findings


def test_large_images_without_gradients_are_not_compared(scale):
    report = check(scale(), shape=(4, 24, 24))
    reason = report.skipped["log_det_is_that_of_the_jacobian"]
    assert report.ok and "2304 entries" in reason and "choose a smaller shape" in reason


@pytest.mark.parametrize("obj", [3, "layer", None, {}])
def test_what_is_no_layer_is_refused(obj):
    with pytest.raises(OptionError, match="check takes a layer"):
        check(obj, shape=SHAPE)


@pytest.mark.parametrize("options", [
    {"seed": -1}, {"perturb": 1}, {"tolerance": 0}, {"name": 3}, {"shape": (0, 3)}, {"shape": "ab"},
    {"x": np.zeros((2, 3), int)}, {"x": np.zeros((0, 3))},
])  # fmt: skip
def test_impossible_options_are_refused(scale, options):
    with pytest.raises(OptionError):
        check(scale(), **options)


# ---- the report, the command and the plugin ------------------------------------------------------


def test_forms_of_a_report(scale):
    report = check(scale(pixels=False), shape=SHAPE, name="a <b> & c")
    assert len(repr(report)) <= 500 and "pixels" in repr(report)
    assert json.loads(json.dumps(report.to_dict()))["ok"] is False
    assert "15 = H*W, the pixels were not counted" in report.to_markdown()
    assert "a &lt;b&gt; &amp; c" in report._repr_html_()
    suite = ET.fromstring(report.to_junit())
    assert suite.get("failures") == "1" and suite.find("testcase/failure") is not None
    assert ET.fromstring(report.to_badge()).tag.endswith("svg")
    compile(report.to_test(), "test", "exec")


@pytest.mark.parametrize("form", ["json", "junit", "badge"])
def test_the_command_writes_reports(scale, capsys, tmp_path, form):
    path = tmp_path / "report"
    words = ("somebody:Scale", "--shape", "4,3,5", f"--{form}", path)
    code, out, err = run(capsys, "check", *words)
    assert (code, err) == (0, "") and path.stat().st_size
    wrong = ("--kwargs", '{"pixels": false}')
    code, out, err = run(capsys, "check", "somebody:Scale", "--shape", "4,3,5", *wrong)
    assert code == 1 and "pixels were not counted" in out


def test_the_plugin(scale, tmp_path):
    (tmp_path / "test_layers.py").write_text(
        "import sys\nfrom somebody import Scale\n\n\n"
        "def test_nothing_is_imported_yet():\n    assert 'cinc_ref' not in sys.modules\n\n\n"
        "def test_right(bijection_check):\n    bijection_check(Scale(), shape=(4, 3, 5))\n\n\n"
        "def test_wrong(bijection_check):\n"
        "    bijection_check(Scale(pixels=False), shape=(4, 3, 5))\n"
    )
    done = run_module(
        "pytest", "-q", "-p", "cinc_ref_pytest", "test_layers.py", "--bijection-report=report.xml",
        exit_code=1, cwd=tmp_path,
        env={"PYTHONPATH": f"{ROOT}:{tmp_path}", "PATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert [s.get("failures") for s in ET.parse(tmp_path / "report.xml").getroot()] == ["0", "1"]
