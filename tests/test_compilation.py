"""Compiling ahead of use: after `warm_up` calls compile nothing, and commands say once if they do.

Numba triggers the event "numba:compile" for every function that it compiles, and none for one that
it finds in its cache; the tests count these events. Each test works in an empty cache of its own.
"""

import gc
import logging
import os

import numpy as np
import pytest
from numba.core import event

import cinc_ref as cr
from cinc_ref import compilation
from cinc_ref.bijections import AffineCoupling, Bijection, Chain, InvertibleConv, Squeeze
from cinc_ref.cli._common import COMPILING
from cinc_ref.errors import DtypeError, OptionError, ShapeError
from cinc_ref.kernels._jit import _without_collector, expected_compilation
from tests.support.commands import assert_one_line_error, run
from tests.support.processes import run_code, run_module

COUNTED = """
import logging
import numpy as np
import cinc_ref as cr

class Count(logging.Handler):
    names = []
    def emit(self, record):
        self.names.append(record.compiled_function)

logging.getLogger("cinc_ref").addHandler(Count())
logging.getLogger("cinc_ref").setLevel("INFO")
rng = np.random.default_rng(0)
{prepare}
assert {warm_up} > 0
compiled = list(Count.names)
{call}
print(len(compiled), *Count.names[len(compiled):])
"""
"""A process that counts the functions compiled by `warm_up`, and names those compiled later."""

OPERATIONS = """
x = rng.normal(size=(10, 3, 16, 16))
kernel = 0.1 * rng.normal(size=(3, 3, 3, 3))
kernel[:, :, 2, 2] = np.eye(3)
y = cr.conv(x, kernel)
cr.conv_inverse(np.asfortranarray(y), kernel, corner="bottom-right")
"""
FLOW = """
images = rng.integers(17, size=(512, 1, 4, 4))
result = cr.train(flow, images[:256], images[256:], steps=3, batch_size=8)
cr.evaluate(flow, result.params, images, draws=1)
flow.sample(result.params, rng, 8)
"""
LAYER = """
from autograd import grad
x = rng.normal(size=(6, 4, 8, 8)).astype(np.float32)
params = layer.init(rng, x)
layer.inverse(params, layer.forward(params, x)[0])
grad(lambda params: layer.forward(params, x)[0].sum())(params)
"""
MAKE_FLOW = (
    "flow = cr.flows.build('cinc', 'affine', (1, 4, 4), levels=1, depth=3, width=20, bins=17)"
)
MAKE_LAYER = (
    "from cinc_ref.bijections import AffineCoupling, Chain, InvertibleConv\n"
    "layer = Chain([InvertibleConv(), AffineCoupling(width=4)])"
)


@pytest.fixture
def compiles(interpreted):
    if interpreted:
        pytest.skip("nothing is compiled")


def python(code, folder):
    """Run code in a new process with its compile cache in a folder; return its output's words."""
    done = run_code(code, env=os.environ | {"NUMBA_CACHE_DIR": str(folder)})
    assert done.stderr == ""  # a warm-up prints nothing, and what follows compiles nothing
    return done.stdout.split()


@pytest.mark.parametrize(
    ("prepare", "warm_up", "call"),
    [
        ("", "cr.warm_up(channels=3, batch=10, dtype='float64')", OPERATIONS),
        (
            "",
            "cr.warm_up(channels=3, batch=10, dtype='float64', gradients=True)",
            OPERATIONS + "cr.conv_vjp(x, kernel, y); cr.conv_inverse_vjp(y, kernel, x)",
        ),
        (MAKE_FLOW, "cr.warm_up(flow, batch=8, gradients=True)", FLOW),
        (
            MAKE_LAYER,
            "cr.warm_up(layer, channels=4, batch=6, dtype='float32', gradients=True)",
            LAYER,
        ),
    ],
    ids=["operations", "gradients", "flow", "layer"],
)
def test_nothing_is_compiled_after_a_warm_up(compiles, tmp_path, prepare, warm_up, call):
    code = COUNTED.format(prepare=prepare, warm_up=warm_up, call=call)
    count, *later = python(code, tmp_path)
    assert int(count) > 1 and later == []
    assert python(code, tmp_path) == ["0"]  # the next process finds all of it in the cache


def test_the_log_names_our_functions_alone(caplog):
    class Dispatcher:
        py_func = staticmethod(compilation.warm_up)

    class Foreign:
        py_func = staticmethod(np.linalg.norm)

    with caplog.at_level(logging.INFO, "cinc_ref"), expected_compilation():
        for dispatcher in (Foreign, Dispatcher):
            data = {"dispatcher": dispatcher, "args": (), "return_type": None}
            with event.trigger_event("numba:compile", data=data):
                pass
    (record,) = caplog.records
    assert record.compiled_function == "cinc_ref.compilation.warm_up"
    assert record.levelno == logging.INFO and record.name == "cinc_ref"


def test_nothing_is_logged_where_nobody_listens(compiles, tmp_path):
    python("import numpy as np, cinc_ref as cr; cr.warm_up(channels=1, batch=1)", tmp_path)


def test_a_command_says_once_that_it_compiles(compiles, tmp_path):
    arguments = ["compile", "--channels", "2", "--batch", "3", "--dtype", "float32"]
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    first, second = (run_module("cinc_ref", *arguments, env=environment) for _ in range(2))
    assert first.stderr.count(COMPILING) == 1 and COMPILING not in first.stdout
    assert COMPILING not in second.stderr + second.stdout
    assert "compiled in" in second.stdout


def test_the_announcement_leaves_the_logger_as_it_was(capsys):
    logger = logging.getLogger("cinc_ref")
    before = logger.level, list(logger.handlers)
    assert run(capsys, "compile", "--channels", 1, "--batch", 1, "--dtype", "float64")[0] == 0
    assert (logger.level, logger.handlers) == before


@pytest.mark.parametrize("enabled", [True, False])
def test_loading_pauses_the_collector_and_leaves_it_as_it_was(enabled):
    def fail():
        assert not gc.isenabled()
        raise OSError

    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with pytest.raises(OSError):
            _without_collector(fail)()
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()


# ---- options -----------------------------------------------------------------------------------


def titles(*arguments, **options):
    return [task.title for task in compilation.tasks(*arguments, **options)]


def small_flow():
    return cr.flows.build("cinc", "affine", (1, 4, 4), levels=1, depth=9, width=99, bins=17)


def test_defaults_cover_both_dtypes_one_image_and_many():
    assert len(titles()) == len(set(titles())) == 8
    assert titles(channels=5, batch=2) == [
        "5 channels, N = 2, float32",
        "5 channels, N = 2, float64",
    ]
    assert len(titles(InvertibleConv())) == 4
    assert titles(small_flow(), gradients=True) == [
        "both directions, N = 1, float32",
        "both directions, N = 100, float32",
        "training, N = 128, float32",
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"channels": 0},
        {"channels": True},
        {"batch": 0},
        {"batch": 1.5},
        {"gradients": 1},
        {"obj": "flow"},
        {"obj": Bijection},
        {"obj": small_flow(), "channels": 4},
    ],
)
def test_wrong_options(options):
    with pytest.raises(OptionError):
        cr.warm_up(**options)


def test_wrong_dtype_and_wrong_channels():
    with pytest.raises(DtypeError):
        cr.warm_up(dtype="float16")
    with pytest.raises(ShapeError):
        cr.warm_up(AffineCoupling(width=2), channels=1, batch=1)


@pytest.mark.parametrize("gradients", [False, True])
def test_layers_without_parameters(gradients):
    layer = Chain([Squeeze(), InvertibleConv()])
    options = {"channels": 1, "batch": 2, "dtype": "float64", "gradients": gradients}
    assert cr.warm_up(layer, **options) > 0
    assert cr.warm_up(Squeeze(), **options) > 0


def test_a_flow_on_the_command_line(capsys, monkeypatch):
    seen = []

    def no_tasks(flow, **options):
        seen.append((flow, options))
        return []

    monkeypatch.setattr("cinc_ref.cli.compile.tasks", no_tasks)
    options = ("--coupling", "affine", "--width", 4, "--gradients")
    assert run(capsys, "compile", "--image-shape", "3x8x8", *options)[0] == 0
    flow, found = seen[0]
    assert (flow.image_shape, flow.coupling, flow.width) == ((3, 8, 8), "affine", 4)
    assert found == {"channels": None, "batch": None, "dtype": None, "gradients": True}
    assert run(capsys, "compile", "--data", "digits")[0] == 0
    assert (seen[1][0].image_shape, seen[1][0].bins) == ((1, 8, 8), 17)
    assert run(capsys, "compile")[0] == 0 and seen[2][0] is None


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--image-shape", "8x8"), "CxHxW"),
        (("--image-shape", "0x8x8"), "CxHxW"),
        (("--image-shape", "1x8x8", "--data", "digits"), "--data"),
        (("--batch", 0), "--batch"),
    ],
)
def test_misuse_is_one_line(capsys, arguments, part):
    code, _, err = run(capsys, "compile", *arguments)
    assert code == 2
    assert_one_line_error(err)
    assert part in err
