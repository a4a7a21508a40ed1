"""`check` on layers of other libraries, where they are installed, the command and the plugin."""

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from cinc_ref.testing import check
from tests.support.processes import run_code, run_module

ROOT = Path(__file__).parents[1]

LAYER = """
import torch


class Scale(torch.nn.Module):
    def __init__(self, channels=4, pixels=True, detach=False, backward=False, stale=()):
        super().__init__()
        self.log_scale = torch.nn.Parameter(torch.zeros(channels, 1, 1))
        self.register_buffer("order", torch.arange(channels).flip(0))
        self.pixels, self.detach, self.backward, self.kept = pixels, detach, backward, None
        self.stale, self.log_scale_sum = stale, None

    def log_det(self, x):
        count = x.shape[2] * x.shape[3] if self.pixels else 1
        return (self.log_scale.sum() * count).expand(len(x))

    def forward(self, x):
        s = self.log_scale.detach() if self.detach else self.log_scale
        y = x[:, self.order] * s.exp()
        if self.backward:
            y = y.detach() + 2 * (y - y.detach())
        return y, self.log_det(x)

    def inverse(self, y):
        if self.kept is None or "images" not in self.stale:
            self.kept = (-self.log_scale).exp().detach()
        if self.log_scale_sum is None or "log_det" not in self.stale:
            self.log_scale_sum = self.log_scale.sum().detach()
        log_det = -(self.log_scale_sum * y[0, 0].numel()).expand(len(y))
        return (y * self.kept)[:, self.order], log_det if self.pixels else -self.log_det(y)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "somebody.py").write_text(LAYER)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("somebody", None)


@pytest.fixture
def scale(folder):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    from somebody import Scale

    return Scale


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("raises", [False, True])
def test_pytorch_computes_in_one_thread_during_a_check_alone(threads, raises):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    seen, before = set(), torch.get_num_threads()

    class Double(torch.nn.Module):
        def forward(self, x):
            seen.add(torch.get_num_threads())
            if raises:
                raise KeyboardInterrupt
            return 2 * x, torch.full((len(x),), x[0].numel() * 0.6931471805599453, dtype=x.dtype)

    torch.set_num_threads(threads)
    try:
        try:
            check(Double(), shape=(2,))
        except KeyboardInterrupt:
            assert raises
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert seen == {1}


def test_a_module_in_one_line(scale):
    layer = scale()
    report = check(layer)
    assert report.ok and not report.findings and report.adapter == "PyTorch module"
    assert report.shape == (5, 4, 4, 6)
    assert not layer.log_scale.any()  # the user's layer is as it was
    assert any("trainable parameters" in note for note in report.notes)


@pytest.mark.parametrize(
    "options, pattern",
    [
        ({"pixels": False}, "the pixels were not counted"),
        ({"detach": True}, "y is detached: it has no gradient by log_scale"),
        ({"backward": True}, "gradient of y by .*is not the slope of forward: it is 2 times it"),
        ({"stale": ["images"]}, "not followed: the inverse was computed before it"),
        ({"stale": ["log_det"]}, "not followed: a log det was computed before it"),
    ],
)
def test_mistakes_of_modules(scale, options, pattern):
    report = check(scale(**options), shape=(4, 4, 6))
    (finding,) = report.findings
    assert finding.severity == "wrong"
    assert __import__("re").search(pattern, finding.diagnosis), str(report)


SHIFT = """
import torch


class Shift(torch.nn.Module):
    def __init__(self, copied=True):
        super().__init__()
        self.mean = torch.nn.Parameter(torch.full((3,), 300.0))
        self.copied = copied

    def __deepcopy__(self, memo):
        if not self.copied:
            raise TypeError("no copy")
        return Shift().to(self.mean)

    def forward(self, x):
        return x + self.mean, x.new_zeros(len(x))

    def inverse(self, y):
        return y - self.mean, y.new_zeros(len(y))
"""


@pytest.mark.parametrize("form", ["method", "pair", "module", "uncopied"])
def test_float32_parameters_are_not_differenced_in_float64(tmp_path, monkeypatch, form):
    """A step of 3e-6 leaves a float32 parameter of 300 as it is: no gradient is blamed for that."""
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    (tmp_path / "shifted.py").write_text(SHIFT)
    monkeypatch.syspath_prepend(tmp_path)
    from shifted import Shift

    layer = Shift(copied=form != "uncopied")
    forms = {"method": layer.forward, "pair": (layer.forward, layer.inverse)}
    report = check(forms.get(form, layer), shape=(3,))
    assert report.dtype == "float64" and report.ok and not report.findings, str(report)


@pytest.mark.parametrize("method", [True, False])
def test_gradients_by_float64_parameters_of_functions_are_compared(scale, method):
    layer = scale(backward=True).double()
    report = check(layer.forward if method else (layer.forward, layer.inverse), shape=(4, 2, 3))
    assert "gradient of y by x, log_scale" in str(report)


ROTATION = """
import torch
from torch.nn.utils.parametrizations import orthogonal


class Rotation(torch.nn.Module):
    def __init__(self, kept=False, transposed=True, counted=False, twist=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.linear = torch.nn.Linear(4, 4, bias=False)
        torch.nn.init.orthogonal_(self.linear.weight)
        if kept:
            orthogonal(self.linear)
        self.shift = torch.nn.Parameter(torch.zeros(4))
        self.transposed, self.counted, self.twist = transposed, counted, twist

    def log_det(self, x):
        one = torch.linalg.slogdet(self.linear.weight)[1] if self.counted else x.new_zeros(())
        return one.expand(len(x))

    def forward(self, x):
        return x @ self.linear.weight.T + self.shift, self.log_det(x)

    def inverse(self, y):
        w = self.linear.weight
        back = w if self.transposed else torch.linalg.inv(w).T
        return (y - self.shift * (1 + self.twist)) @ back, -self.log_det(y)
"""


@pytest.mark.parametrize(
    "options, severities",
    [
        ({"kept": True}, set()),  # a parametrization keeps it orthogonal
        ({"transposed": False, "counted": True}, set()),
        ({}, {"fragile"}),  # right as it was drawn
        ({"counted": True}, {"fragile"}),
        ({"transposed": False}, {"wrong"}),  # the log-determinant was forgotten
        ({"kept": True, "twist": 1.0}, {"wrong"}),  # hidden by a zero
        ({"twist": 1.0}, {"wrong"}),
    ],
)
def test_constraints_of_parameters(tmp_path, monkeypatch, options, severities):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    (tmp_path / "rotations.py").write_text(ROTATION)
    monkeypatch.syspath_prepend(tmp_path)
    from rotations import Rotation

    report = check(Rotation(**options), shape=(4,))
    found = {finding.severity for finding in report.findings} - {"convention"}  # made in float32
    assert found == severities, str(report)
    if severities == {"fragile"}:
        assert "such as orthogonality" in str(report)


def test_large_images_are_probed(scale):
    report = check(scale(channels=3), shape=(3, 24, 24))
    assert report.ok and any("random vectors" in note for note in report.notes)
    report = check(scale(channels=3, pixels=False), shape=(3, 24, 24))
    assert "576 = H*W, the pixels were not counted" in report.findings[0].diagnosis


def test_a_stranger_waits_seconds_and_compiles_nothing(folder):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    program = """
        import sys, time
        start = time.process_time()
        import cinc_ref as cr
        from somebody import Scale
        assert cr.testing.check(Scale()).ok
        assert "numba" not in sys.modules and "cinc_ref.kernels" not in sys.modules
        print(time.process_time() - start)
    """
    environment = {"PYTHONPATH": f"{ROOT}:{folder}", "PATH": "", "OMP_NUM_THREADS": "1"}
    seconds = run_code(program, env=environment).stdout
    assert float(seconds) < 5  # processor seconds, with the imports


def test_forms_of_a_report(scale):
    report = check(scale(pixels=False), shape=(4, 4, 6), name="a <b> & c")
    assert len(repr(report)) <= 500 and "pixels" in repr(report)
    assert json.loads(json.dumps(report.to_dict()))["ok"] is False
    assert "pixels were not counted" in report.to_markdown()
    assert "a &lt;b&gt; &amp; c" in report._repr_html_()
    suite = ET.fromstring(report.to_junit())
    assert suite.get("failures") == "1" and suite.find("testcase/failure") is not None
    assert ET.fromstring(report.to_badge()).tag.endswith("svg")
    compile(report.to_test(), "test", "exec")


def test_the_command(folder, capsys):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    from cinc_ref.__main__ import main

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main(["check", *words])
        return ended.value.code

    out = folder / "report.json"
    assert run("somebody:Scale", "--shape", "4,4,6") == 0
    wrong = ("--kwargs", '{"pixels": false}', "--json", str(out))
    assert run("somebody:Scale", "--shape", "4,4,6", *wrong) == 1
    assert "pixels were not counted" in capsys.readouterr().out
    assert json.loads(out.read_text())["findings"][0]["cause"] == "pixels"
    for words in (["somebody"], ["somebody:Other"], ["somebody:Scale", "--shape", "4,x"],
                  ["somebody:Scale", "--kwargs", "[]"], ["nobody:Scale"],
                  ["somebody:Scale", "--kwargs", '{"size": 1}']):  # fmt: skip
        assert run(*words) == 2, words


def test_the_plugin(folder):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    (folder / "test_layers.py").write_text(
        "import sys\nfrom somebody import Scale\n\n\n"
        "def test_nothing_is_imported_yet():\n    assert 'cinc_ref' not in sys.modules\n\n\n"
        "def test_right(bijection_check):\n    bijection_check(Scale(), shape=(4, 4, 6))\n\n\n"
        "def test_wrong(bijection_check):\n"
        "    bijection_check(Scale(pixels=False), shape=(4, 4, 6))\n"
    )
    report = folder / "report.xml"
    done = run_module(
        "pytest", "-q", "-p", "cinc_ref_pytest", "test_layers.py", f"--bijection-report={report}",
        exit_code=1, cwd=folder,
        env={"PYTHONPATH": f"{ROOT}:{folder}", "PATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert "pixels were not counted" in done.stdout
    assert [s.get("failures") for s in ET.parse(report).getroot()] == ["0", "1"]


# ---- real installs: a right layer of each library ------------------------------------------------


def _nflows():
    from nflows.transforms import LULinear

    return LULinear(4), {"shape": (4,)}


def _normflows():
    from normflows.flows import Invertible1x1Conv

    return Invertible1x1Conv(4, use_lu=True), {"shape": (4, 4, 6)}


def _freia():
    from FrEIA.modules import IRevNetDownsampling

    return IRevNetDownsampling([(4, 4, 6)]), {}


def _zuko():
    from zuko.flows import MaskedAutoregressiveTransform

    layer = MaskedAutoregressiveTransform(4, 3, hidden_features=[8])
    return layer, {"shape": (4,), "context": np.ones((1, 3))}


def _pyro():
    from pyro.distributions.transforms import affine_coupling

    return affine_coupling(4, hidden_dims=[8]), {"shape": (4,)}


def _torch():
    from torch.distributions.transforms import AffineTransform, ComposeTransform, ExpTransform

    return ComposeTransform([AffineTransform(0.0, 2.0), ExpTransform()]), {}


def _torchflows():
    from torchflows.bijections.finite.autoregressive.layers import AffineCoupling

    return AffineCoupling((4,)), {}


def _flowjax():
    import jax.numpy as jnp
    from flowjax.bijections import Affine

    return Affine(jnp.ones(4), 2 * jnp.ones(4)), {}


def _distrax():
    from distrax import Tanh

    return Tanh(), {"shape": (4,)}


def _numpyro():
    from numpyro.distributions.transforms import ExpTransform

    return ExpTransform(), {"shape": (4,)}


def _tfp():
    from tensorflow_probability.substrates.numpy.bijectors import Softplus

    return Softplus(), {"shape": (4,)}


INSTALLS = {
    "nflows": ("nflows", _nflows), "normflows": ("normflows", _normflows),
    "FrEIA": ("FrEIA", _freia), "zuko": ("zuko", _zuko), "Pyro": ("pyro", _pyro),
    "torch.distributions": ("torch", _torch), "torchflows": ("torchflows", _torchflows),
    "flowjax": ("flowjax", _flowjax), "distrax": ("distrax", _distrax),
    "NumPyro": ("numpyro", _numpyro),
    "TensorFlow Probability": ("tensorflow_probability", _tfp),
}  # fmt: skip


@pytest.mark.parametrize("adapter", INSTALLS)
def test_adapter_of_a_real_install(adapter):
    package, make = INSTALLS[adapter]
    pytest.importorskip(package, reason=f"{package} is not installed: pip install {package}")
    layer, options = make()
    report = check(layer, **options)
    assert report.adapter == adapter
    assert report.ok, str(report)
    assert "log_det_is_that_of_the_jacobian" in report.passed
