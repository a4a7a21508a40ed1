"""Every option of every public function, tried with every kind of value.

`TABLE` lists the functions, and for each of their options its kind. The kind decides, for each of
`VALUES`, whether the call succeeds or which error it raises, always in one sentence that names the
option. A new public function, and a new option of a listed one, must be entered here.
"""

import inspect
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from types import NoneType

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref import (
    bijections,
    classroom,
    compilation,
    data,
    evaluation,
    flows,
    interop,
    plots,
    sampling,
    streaming,
    testing,
    timing,
)
from cinc_ref.errors import (
    CheckpointError,
    CincError,
    DtypeError,
    OptionError,
    OutputError,
    ShapeError,
)
from cinc_ref.testing import CheckFailure

NAN, INF = float("nan"), float("inf")
VALUES = (
    True, np.bool_(True), np.int64(8), 8.0, "8", None, -1, 0, NAN, INF, [1, 2], {1, 2},
    np.float32(0.5), np.array(["top-left", "last"]), (), (True, 4, 4),
)  # fmt: skip


# ---- kinds of options ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """Which values an option takes, the error for others, and values that it takes besides."""

    accepts: object
    error: type = OptionError
    examples: tuple = ()


def is_integer(value):
    return type(value) in (int, np.int64)


def is_number(value):
    return type(value) in (int, float, np.int64, np.float32, Fraction) and bool(np.isfinite(value))


def is_list(value):
    return type(value) is list


def is_empty(value):
    return type(value) is tuple and not value


def integer(minimum, maximum=INF):
    return Kind(lambda v: is_integer(v) and minimum <= v <= maximum, examples=(np.uint8(8),))


def number(holds=lambda value: True, examples=(0.5, Fraction(1, 2))):
    return Kind(lambda v: is_number(v) and holds(v), examples=examples)


def choice(*names, error=OptionError):
    return Kind(lambda v: type(v) is str and v in names, error, names)


def are_channels(value):
    """Return whether a value is None, an integer >= 1 or a sequence of such."""
    values = value if isinstance(value, list | tuple | np.ndarray) else [value]
    integers_only = all(
        isinstance(v, int | np.integer) and not isinstance(v, bool) and v >= 1 for v in values
    )
    return value is None or (len(values) > 0 and integers_only)


def optional(kind):
    return replace(kind, accepts=lambda v: v is None or kind.accepts(v))


def integers(count, error=OptionError, examples=()):
    """A tuple, list or array of so many integers >= 1."""

    def accepts(value):
        if not isinstance(value, tuple | list | np.ndarray) or len(value) != count:
            return False
        return all(is_integer(side) and side >= 1 for side in value)

    return Kind(accepts, error, examples)


def either(kind, other):
    return Kind(lambda v: kind.accepts(v) or other.accepts(v), kind.error, kind.examples)


BOOLEAN = Kind(lambda v: isinstance(v, bool | np.bool_), examples=(False,))
NOTHING = Kind(lambda v: False)
"""An object of a class, which none of the values is."""

ORIGIN = Kind(
    lambda v: False, examples=({"name": "digits", "options": {}, "test_images": "uint8[9]"},)
)
"""What identifies an image set, which none of the values is."""

POSITIVE, NOT_NEGATIVE = number(lambda v: v > 0), number(lambda v: v >= 0)
FRACTION = number(lambda v: 0 <= v < 1)
SIZE = integers(2, ShapeError, examples=((2, 3), np.array([2, 3])))
KERNEL_SIZE = either(integer(1), integers(2))
ANCHOR = optional(integers(2))
IMAGE_SHAPE = integers(3, ShapeError, examples=([1, 4, 4],))
LAYER_SHAPE = Kind(lambda v: type(v) is list, examples=((3,), np.array([1, 2, 3])))
BATCH = Kind(lambda v: False, examples=(np.ones((2, 3)), np.ones((1, 1, 2, 3), np.float32)))
CORNER = choice("top-left", "top-right", "bottom-left", "bottom-right")
CORNER_BLOCK = choice("unit", "triangular", "plu", "dense")
NAME = Kind(lambda v: v is None or type(v) is str)
CALLABLE = Kind(lambda v: v is None)
RANGE = Kind(lambda v: v is None or is_list(v), examples=((0, 1.5),))
DTYPE = Kind(lambda v: False, DtypeError, ("float32", "float64", np.float32, np.dtype("float64")))


# ---- the functions and their valid arguments -----------------------------------------------------

X = np.ones((1, 1, 2, 3))
KERNEL = np.array([[[[0.1, 0.2, 0.3], [0.4, 0.5, 1.0]]]])
SINGULAR = KERNEL * (np.arange(6) < 5).reshape(2, 3)  # its null image reads no tap but the anchor
FLOW = flows.build("cinc", "affine", (1, 2, 2), levels=1, depth=1, width=1, bins=2)
IMAGES = np.random.default_rng(0).integers(0, 2, (4, 1, 2, 2))
PARAMS = FLOW.init(np.random.default_rng(0), IMAGES - 0.5)
LATENTS = FLOW.encode(PARAMS, IMAGES - 0.5)
PICTURES = np.random.default_rng(0).uniform(size=(2, 1, 2, 2))
ROWS = [{"step": k, "seconds": k, "train": 3.0, "validation": 3.0 + k} for k in range(2)]
IMAGE_SET = data.ImageSet("images", IMAGES, IMAGES, IMAGES, bins=256)
LAYER = bijections.InvertibleConv()


@dataclass(frozen=True)
class Row:
    """A function with valid arguments, and the kinds of its options."""

    function: object
    options: dict
    arguments: dict
    called: dict  # option: how errors call it, where they have another name


def row(function, options, called=None, /, **arguments):
    return Row(function, options, arguments, called or {})


def rng():
    return np.random.default_rng(0)


def _nothing():
    return None


def train(**options):
    with suppress(CheckpointError, OutputError):  # resume: there is nothing, or another run
        cr.train(**{"batch_size": 2} | options)


def check_bijection(**options):
    with suppress(CheckFailure):  # it preserves volume, which must be announced
        testing.check_bijection(**options)


def check_density(**options):
    with suppress(CheckFailure):  # the draws are few
        testing.check_density(**options)


def log_normal(x):
    return -0.5 * np.sum(x**2, axis=(1, 2, 3)) - 2 * np.log(2 * np.pi)


def identity(x):
    return x, np.zeros(len(x))


CONVOLUTION = {"corner": CORNER, "dilation": integer(1), "anchor": ANCHOR}
COUPLING = {"width": integer(1), "unchanged": choice("first", "last")}
CONV_LAYER = {
    "kernel_size": KERNEL_SIZE,
    "corner_block": CORNER_BLOCK,
    "dilation": integer(1),
    "stable": BOOLEAN,
}
FLOW_OPTIONS = {
    "system": choice("glow", "autoregressive", "emerging", "cinc", "finc"),
    "coupling": choice("additive", "affine", "quad"),
    "image_shape": IMAGE_SHAPE,
    "levels": integer(1),
    "depth": integer(1),
    "width": integer(1),
    "bins": integer(2),
    "corner_block": CORNER_BLOCK,
    "stable": BOOLEAN,
    "direction": choice("forward", "inverse"),
    "dilation": integer(1),
}
WIDE = {"image_shape": (1, 256, 256), "depth": 1, "width": 1}  # eight levels
TRAINING = {
    "seed": integer(0),
    "batch_size": integer(1),
    "optimizer": choice("adam", "adamax"),
    "learning_rate": POSITIVE,
    "beta1": FRACTION,
    "beta2": FRACTION,
    "warmup": integer(0),
    "schedule": choice("cosine", "constant"),
    "clip": optional(POSITIVE),
    "dropout": FRACTION,
    "flip": BOOLEAN,
    "polyak": FRACTION,
    "evaluate_every": integer(1),
    "patience": optional(integer(1)),
    "dtype": DTYPE,
    "save_every": NOT_NEGATIVE,
    "progress": optional(BOOLEAN),
    "constant_memory": BOOLEAN,
    "clock": choice("wall", "processor"),
}
PARTS = {"flow": FLOW, "train_images": IMAGES, "validation_images": IMAGES}

TABLE = {
    # bijections
    "ActNorm": row(bijections.ActNorm, {}),
    "Squeeze": row(bijections.Squeeze, {}),
    "AdditiveCoupling": row(bijections.AdditiveCoupling, COUPLING),
    "AffineCoupling": row(bijections.AffineCoupling, COUPLING),
    "QuadCoupling": row(bijections.QuadCoupling, COUPLING),
    "Chain": row(
        bijections.Chain,
        {"layers": Kind(is_empty, examples=([LAYER], iter([LAYER])))},
    ),
    "Inverse": row(bijections.Inverse, {"layer": replace(NOTHING, examples=(LAYER,))}),
    "InvertibleConv": row(
        bijections.InvertibleConv,
        {
            **CONV_LAYER,
            **CONVOLUTION,
            "seed": integer(0),
            "triangle": choice("lower", "upper"),
        },
    ),
    "InvertibleConv.count_parameters": row(LAYER.count_parameters, {"channels": integer(1)}),
    "EmergingConv": row(
        bijections.EmergingConv,
        {**CONV_LAYER, "kernel_size": Kind(lambda v: False, examples=(1, np.int64(3)))},
    ),
    "EmergingConv.count_parameters": row(
        bijections.EmergingConv().count_parameters, {"channels": integer(1)}
    ),
    "FincConv": row(bijections.FincConv, {**CONV_LAYER, "seed": integer(0)}),
    "FincConv.count_parameters": row(
        bijections.FincConv().count_parameters, {"channels": integer(4)}
    ),
    # flows
    "build": row(
        flows.build, FLOW_OPTIONS | {"corner_block": optional(CORNER_BLOCK)}, **WIDE, levels=1
    ),
    "Flow": row(flows.Flow, FLOW_OPTIONS, **FLOW.config() | WIDE),
    "Flow.log_prob": row(
        FLOW.log_prob, {"constant_memory": BOOLEAN}, params=PARAMS, x=IMAGES - 0.5
    ),
    "Flow.decode": row(FLOW.decode, {"check": BOOLEAN}, params=PARAMS, latents=LATENTS),
    "Flow.sample": row(
        FLOW.sample, {"n": integer(0), "temperature": NOT_NEGATIVE}, params=PARAMS, rng=rng(), n=1
    ),
    "dequantize": row(
        flows.dequantize,
        {"bins": integer(1), "dtype": DTYPE},
        images=np.array([0]),
        rng=rng(),
        bins=2,
    ),
    "quantize": row(flows.quantize, {"bins": integer(1)}, x=X),
    "bits_per_dim": row(
        flows.bits_per_dim,
        {"dimensions": integer(1), "bins": integer(1)},
        log_prob=0.0,
        dimensions=1,
        bins=2,
    ),
    "interpolate": row(
        cr.interpolate,
        {"flow": NOTHING, "steps": integer(2)},
        flow=FLOW,
        params=PARAMS,
        steps=2,
        a=IMAGES[0] - 0.5,
        b=IMAGES[1] - 0.5,
    ),
    "temperature_sweep": row(
        flows.temperature_sweep,
        {
            "flow": NOTHING,
            "n": integer(0),
            "temperatures": Kind(is_list, examples=((0,), np.array([0.5, 1]))),
        },
        flow=FLOW,
        params=PARAMS,
        rng=rng(),
        n=1,
        temperatures=[1],
    ),
    # compilation, evaluation and sampling
    "warm_up": row(  # lists what it would run, after the same checks
        compilation.tasks,
        {
            "obj": optional(NOTHING),
            "channels": optional(integer(1)),
            "batch": optional(integer(1)),
            "dtype": optional(DTYPE),
            "gradients": BOOLEAN,
        },
    ),
    "evaluate": row(
        cr.evaluate,
        {"flow": NOTHING, "draws": integer(1), "seed": integer(0)},
        flow=FLOW,
        params=PARAMS,
        images=IMAGES,
        draws=1,
    ),
    "inversion_error": row(
        evaluation.inversion_error,
        {"flow": NOTHING, "seed": integer(0)},
        flow=FLOW,
        params=PARAMS,
        images=IMAGES,
    ),
    "cast": row(evaluation.cast, {"dtype": DTYPE}, params=PARAMS),
    "sample_to_file": row(
        sampling.sample_to_file,
        {
            "path": NOTHING,
            "flow": NOTHING,
            "count": integer(1),
            "temperature": NOT_NEGATIVE,
            "seed": integer(0),
        },
        {"path": ""},  # errors show the path itself
        path="samples.npy",
        flow=FLOW,
        params=PARAMS,
        count=1,
    ),
    "stream_samples": row(
        streaming.stream_samples,
        {
            "path": NOTHING,
            "flow": NOTHING,
            "count": integer(1),
            "temperature": NOT_NEGATIVE,
            "seed": integer(0),
            "dask": optional(NOTHING),
            "progress": BOOLEAN,
        },
        {"path": ""},
        path="samples.npy",
        flow=FLOW,
        params=PARAMS,
        count=1,
    ),
    # timing
    "measure": row(
        timing.measure, {"repeat": integer(1), "warm_up": integer(0)}, function=_nothing
    ),
    "measure_in_turn": row(
        timing.measure_in_turn,
        {"repeat": integer(1), "warm_up": integer(0), "turn": NOT_NEGATIVE},
        functions={"": _nothing},
    ),
    # plots
    "image_grid": row(
        plots.image_grid,
        {
            "columns": optional(integer(1)),
            "value_range": RANGE,
            "title": NAME,
            "cmap": choice("gray", "gray_r"),
        },
        images=PICTURES,
    ),
    "image_table": row(
        plots.image_table,
        {
            "value_range": RANGE,
            "cmap": choice("gray", "gray_r"),
        },
        images=PICTURES[None],
        headings=["a", "b"],
    ),
    "inverse_figure": row(
        plots.inverse_figure,
        {"names": replace(NOTHING, examples=(["a", "b", "c"],))},
        images=PICTURES,
        convolved=PICTURES,
        inverted=PICTURES,
    ),
    "loss_figure": row(plots.loss_figure, {"against": choice("seconds", "step")}, history=ROWS),
    "matrix_figure": row(
        plots.matrix_figure, {"size": SIZE, **CONVOLUTION}, kernel=KERNEL, size=(2, 2)
    ),
    # the operations
    "conv": row(cr.conv, CONVOLUTION, x=X, kernel=KERNEL),
    "conv_inverse": row(cr.conv_inverse, CONVOLUTION | {"check": BOOLEAN}, y=X, kernel=KERNEL),
    "enclose": row(cr.enclose, CONVOLUTION, y=X, kernel=KERNEL),
    "conv_vjp": row(cr.conv_vjp, CONVOLUTION, x=X, kernel=KERNEL, g=X),
    "conv_inverse_vjp": row(cr.conv_inverse_vjp, CONVOLUTION, y=X, kernel=KERNEL, g=X),
    "log_abs_det": row(
        cr.log_abs_det, {"size": SIZE, "anchor": ANCHOR}, kernel=KERNEL, size=(2, 3)
    ),
    # theory
    "convolution_matrix": row(
        cr.convolution_matrix,
        {"size": SIZE, **CONVOLUTION, "sparse": BOOLEAN},
        kernel=KERNEL,
        size=(2, 2),
    ),
    "is_invertible": row(cr.theory.is_invertible, {"anchor": ANCHOR}, kernel=KERNEL),
    "null_image": row(
        cr.theory.null_image,
        {"size": SIZE, "corner": CORNER, "anchor": ANCHOR},
        kernel=SINGULAR,
        size=(2, 2),
    ),
    "exact_determinant": row(
        cr.theory.exact_determinant, {"size": SIZE, **CONVOLUTION}, kernel=KERNEL, size=(1, 2)
    ),
    "exact_conv": row(
        cr.theory.exact_conv, CONVOLUTION | {"transpose": BOOLEAN}, x=X, kernel=KERNEL
    ),
    "exact_inverse": row(
        cr.theory.exact_inverse, CONVOLUTION | {"transpose": BOOLEAN}, y=X, kernel=KERNEL
    ),
    "condition_number": row(
        cr.theory.condition_number,
        {"size": SIZE, "dilation": integer(1), "anchor": ANCHOR},
        kernel=KERNEL,
        size=(2, 3),
    ),
    "stability": row(
        cr.theory.stability,
        {"size": SIZE, "dilation": integer(1), "anchor": ANCHOR},
        kernel=KERNEL,
        size=(2, 3),
    ),
    "check_certificate": row(
        cr.theory.check_certificate,
        {"dilation": integer(1), "anchor": ANCHOR},
        kernel=KERNEL,
        proof={},
    ),
    "explain": row(
        cr.theory.explain,
        {"size": SIZE, "dilation": integer(1), "anchor": ANCHOR},
        kernel=KERNEL,
        size=(2, 3),
    ),
    "padded_matrix": row(
        cr.theory.padded_matrix,
        {"size": SIZE, "padding": choice("same", "circular", "causal")},
        kernel=KERNEL,
        size=(2, 3),
        padding="same",
    ),
    "causal_order": row(cr.theory.causal_order, {}, taps=[(0, -1)]),
    "prove": row(
        cr.theory.prove, {"order": choice("pixel-major", "column-major", "channel-major")}
    ),
    "Convolution": row(
        cr.theory.Convolution,
        {
            "dims": replace(NOTHING, examples=(2, np.int64(2))),
            "padding": choice(
                "causal", "same", "valid", "circular", "reflect", "symmetric", "replicate"
            ),
            "stride": either(integer(1), integers(2)),
            "groups": replace(NOTHING, examples=(1, np.int64(1))),
            "dilation": either(integer(1), integers(2)),
            "corner": optional(replace(CORNER, examples=((True, False), [False, np.bool_(True)]))),
            "anchor": ANCHOR,
        },
        kernel=KERNEL,
    ),
    "refute": row(
        cr.theory.refute,
        {"over": Kind(lambda v: v is None, examples=({}, {"dims": 1})), "seed": integer(0)},
        claim=lambda convolution, size: True,
    ),
    "parameter_counts": row(cr.theory.parameter_counts, {"channels": integer(1)}),
    "verify": row(
        cr.theory.verify, {"seed": integer(0), "effort": integer(1)}, implementation=None
    ),
    # testing
    "Implementation": row(
        testing.Implementation,
        {
            "options": Kind(is_empty, examples=(["corner"], ("anchor", "dilation"))),
            "dtypes": replace(NOTHING, examples=(["float32"], "float64", np.float32)),
            "diagonal": choice("any", "positive", "unit"),
            "channels": Kind(are_channels, examples=([1, 3], (2,), 4)),
            "name": NAME,
            "conv_inverse": CALLABLE,
            "log_abs_det": CALLABLE,
            "conv_vjp": CALLABLE,
            "conv_inverse_vjp": CALLABLE,
        },
        dict.fromkeys(
            ("conv_inverse", "log_abs_det", "conv_vjp", "conv_inverse_vjp"), "made of callables"
        ),
        conv=cr.conv,
    ),
    "run_checks": row(
        testing.run_checks,
        {"implementation": NOTHING, "seed": integer(0)},
        implementation=testing.Implementation(log_abs_det=cr.log_abs_det, dtypes="float64"),
        expected_failures=None,
    ),
    "check": row(
        testing.check,
        {
            "shape": optional(LAYER_SHAPE),
            "tolerance": optional(POSITIVE),
            "perturb": BOOLEAN,
            "seed": integer(0),
            "name": NAME,
        },
        obj=identity,
        context=None,
    ),
    "check x": row(testing.check, {"x": optional(BATCH)}, obj=identity, shape=(2,)),
    "check_bijection": row(
        check_bijection,
        {"tolerance": optional(number(lambda v: v > 0)), "volume_preserving": BOOLEAN},
        forward=identity,
        inverse=identity,
        x=X[:, :, :1, :2],
    ),
    "check_density": row(
        check_density,
        {"seed": integer(0), "draws": integer(1)},
        log_prob=log_normal,
        sample=lambda rng, n: rng.normal(size=(n, 1, 2, 2)),
        draws=50,
    ),
    # classroom
    "exercise": row(
        classroom.exercise,
        {"number": Kind(lambda v: is_integer(v) and 1 <= v <= 7, examples=(np.uint8(7),))},
    ),
    # data
    "image_set": row(data.image_set, {"name": choice("digits")}, {"name": "data"}, name="digits"),
    "image_set n_bits": row(
        data.image_set, {"n_bits": optional(integer(1, 8))}, name="patches", size=8
    ),
    "image_set size": row(
        data.image_set, {"size": optional(integer(8, 32))}, name="patches", size=32
    ),
    "ImageSet": row(
        data.ImageSet,
        {"bins": integer(1)},
        name="images",
        train=IMAGES,
        validation=IMAGES,
        test=IMAGES,
    ),
    "ImageSet.with_bits": row(IMAGE_SET.with_bits, {"bits": integer(1, 8)}, {"bits": "n_bits"}),
    # training
    "train": row(train, {"flow": NOTHING, **TRAINING}, **PARTS, steps=1),
    "train minutes": row(train, {"minutes": optional(POSITIVE)}, **PARTS, steps=1),
    "train steps": row(train, {"steps": optional(integer(1))}, **PARTS, minutes=1e-9),
    "train resume": row(train, {"resume": BOOLEAN}, **PARTS, steps=1, out="run"),
    "train origin": row(train, {"origin": optional(ORIGIN)}, **PARTS, steps=1),
}

WITHOUT_OPTIONS = {
    # Functions of arrays, of files or of nothing, and tables.
    "bijections.Bijection", "data.digits", "data.IMAGE_SETS", "flows.COUPLINGS",
    "flows.DIRECTIONS", "flows.SYSTEMS", "cr.load", "cr.save", "testing.checks",
    "testing.parametrize_with_checks", "testing.strategies", "theory.load_counterexample",
    "timing.one_blas_thread", "timing.one_core", *(f"interop.{name}" for name in interop.__all__),
    # Classes of results and of errors.
    "classroom.Exercise", "classroom.Grade",
    "testing.Check", "testing.Finding", "testing.LayerReport",
    "testing.CheckFailure", "testing.CheckSkipped", "testing.NotChecked",
    "testing.Problem", "testing.Report", "theory.Counterexample", "theory.Evidence",
    "theory.Stability",
    "timing.OneCore", "timing.Timing",
}  # fmt: skip


def options():
    return [(name, option) for name, entry in TABLE.items() for option in entry.options]


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Leave out what takes long, and write files to a folder that is removed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cinc_ref.theory.verification.THEOREMS", ())
    monkeypatch.setattr("cinc_ref.theory.proofs.STATEMENTS", ())
    monkeypatch.setattr("cinc_ref.theory.refutation.CASES", 2)
    monkeypatch.setattr("cinc_ref.timing._turn", lambda function, duration: [0.0])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name, option", options())
def test_an_option_takes_what_it_should_and_nothing_else(quick, name, option):
    entry, kind = TABLE[name], TABLE[name].options[option]
    called = entry.called.get(option, option)
    wrong = []
    for value in (*VALUES, *kind.examples):
        is_example = any(value is example for example in kind.examples)
        expected = None if is_example or kind.accepts(value) else kind.error
        error = _error(entry, option, value)
        if type(error) is not (NoneType if expected is None else expected):
            wrong.append(f"{option}={value!r} must give {expected}; got {error!r}")
        elif error and (called not in str(error) or "\n" in str(error)):
            wrong.append(f"{option}={value!r} must name {called} in one sentence; got {error!r}")
    assert not wrong, "\n".join(wrong)


def _error(entry, option, value):
    try:
        entry.function(**entry.arguments | {option: value})
    except Exception as error:
        return error
    return None


LAYERS_AND_FLOWS = [
    (name, option)
    for name, option in options()
    if name in bijections.__all__ or name in ("Flow", "build")
]


@pytest.mark.parametrize("name, option", LAYERS_AND_FLOWS)
def test_options_are_stored_as_plain_values(name, option):
    """So that equality, hashes and saved models do not depend on how an option was spelled."""
    entry, kind = TABLE[name], TABLE[name].options[option]
    for value in (*filter(kind.accepts, VALUES), *kind.examples):
        made = entry.function(**entry.arguments | {option: value})
        stored = getattr(made, option)
        assert _is_plain(stored), f"{option}={value!r} is stored as {stored!r}"
        again = entry.function(**entry.arguments | {option: stored})
        assert made == again and hash(made) == hash(again)


def _is_plain(value):
    if type(value) is tuple:
        return all(map(_is_plain, value))
    return type(value) in (bool, int, float, str) or isinstance(value, bijections.Bijection)


PUBLIC = {
    **{f"cr.{name}": getattr(cr, name) for name in cr.__all__},
    **{
        f"{module.__name__.rpartition('.')[2]}.{name}": getattr(module, name)
        for module in (bijections, classroom, flows, timing, interop, cr.theory, testing, data)
        for name in module.__all__
    },
}


@pytest.mark.parametrize("public", PUBLIC)
def test_every_public_name_and_option_is_in_the_table(public):
    if inspect.ismodule(PUBLIC[public]) or public in WITHOUT_OPTIONS:
        return
    name = public.rpartition(".")[2]
    rows = [entry for key, entry in TABLE.items() if key.split()[0] == name]
    assert rows, f"enter {public} in TABLE, or in WITHOUT_OPTIONS if it has none"
    listed = {option for entry in rows for option in (*entry.options, *entry.arguments)}
    parameters = inspect.signature(PUBLIC[public]).parameters
    assert set(parameters) - {"options"} <= listed | ({"options"} & set(parameters))


def test_errors_of_options_are_those_of_the_package():
    assert issubclass(OptionError, CincError) and issubclass(OptionError, ValueError)
