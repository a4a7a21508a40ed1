"""Parameters at the public edge: every function that takes them refuses those that do not fit.

`CALLS` lists the public functions with a parameter named ``params``; one that is missing from the
list, and is no hook for checked parameters, fails a test.
"""

import copy
import inspect
import math
import pkgutil
import re
from dataclasses import dataclass
from importlib import import_module

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad, make_jvp

import cinc_ref as cr
from cinc_ref import _params, _validate, sampling, streaming
from cinc_ref._trees import named_leaves
from cinc_ref.bijections import Bijection, Chain, InvertibleConv, base
from cinc_ref.errors import (
    CincError,
    DataError,
    DtypeError,
    NonFiniteError,
    OptionError,
    ParamsError,
    ShapeError,
)
from cinc_ref.flows import conditioning, cost, multiscale
from tests.support.checkout import FRAMEWORKS
from tests.support.registry import LAYERS, layer_case

OPTIONS = dict(
    system="cinc", coupling="quad", image_shape=(1, 4, 8), levels=2, depth=2, width=3, bins=5
)
FLOW = cr.flows.build(**OPTIONS)
X = np.random.default_rng(3).uniform(-0.5, 0.5, (3, 1, 4, 8))
IMAGES = np.random.default_rng(4).integers(5, size=(3, 1, 4, 8))
LATENTS = tuple(np.zeros((2, *shape)) for shape in FLOW.latent_shapes)

CALLS = {
    "flows.multiscale.Flow.check_params": FLOW.check_params,
    "flows.multiscale.Flow.log_prob": lambda p: FLOW.log_prob(p, X),
    "flows.multiscale.Flow.encode": lambda p: FLOW.encode(p, X),
    "flows.multiscale.Flow.decode": lambda p: FLOW.decode(p, LATENTS),
    "flows.multiscale.Flow.decode_levels": lambda p: FLOW.decode_levels(
        p, LATENTS, lambda chain, inner, y, level: chain.inverse(inner, y)[0]
    ),
    "flows.multiscale.Flow.stability": FLOW.stability,
    "flows.multiscale.Flow.sample": lambda p: FLOW.sample(p, 0, 1),
    "flows.multiscale.Flow.sampler": lambda p: FLOW.sampler(p, batch=1),
    "flows.multiscale.Flow.bits_per_dim": lambda p: FLOW.bits_per_dim(p, IMAGES, 0),
    "flows.interpolation.interpolate": lambda p: cr.interpolate(FLOW, p, X[0], X[1], 3),
    "flows.interpolation.temperature_sweep": lambda p: cr.flows.temperature_sweep(
        FLOW, p, 0, 1, [0.5, 1.0]
    ),
    "flows.conditioning.stability_by_layer": lambda p: conditioning.stability_by_layer(FLOW, p),
    "flows.conditioning.worst_conditioned": lambda p: conditioning.worst_conditioned(FLOW, p),
    "flows.conditioning.named_convolutions": lambda p: next(
        conditioning.named_convolutions(FLOW, p)
    ),
    "flows.cost.cost": lambda p: cost.cost(FLOW, p),
    "flows.cost.timed_decode": lambda p: cost.timed_decode(FLOW, p, LATENTS),
    "flows.cost.decoding_seconds": lambda p: cost.decoding_seconds(FLOW, p, LATENTS),
    "training.checkpoint.save": lambda p: cr.save("not-written.npz", FLOW, p),
    "training.loss.mean_bits": lambda p: cr.training.loss.mean_bits(FLOW, p, X),
    "training.loss.evaluate": lambda p: cr.training.loss.evaluate(FLOW, p, IMAGES, 0),
    "evaluation.evaluate": lambda p: cr.evaluate(FLOW, p, IMAGES),
    "evaluation.inversion_error": lambda p: cr.evaluation.inversion_error(FLOW, p, IMAGES),
    "streaming.stream_samples": lambda p: streaming.stream_samples("not-written.npy", FLOW, p, 1),
    "sampling.prepared": lambda p: sampling.prepared(FLOW, p),
    "sampling.draw": lambda p: sampling.draw(FLOW, p, 1),
    "sampling.sample_to_file": lambda p: sampling.sample_to_file("not-written.npy", FLOW, p, 1),
}
"""A call of every public function that takes the parameters of a flow, by its name."""

OF_ANY_TREE = {"evaluation.cast": lambda p: cr.evaluation.cast(p, np.float32)}
"""Functions of parameters without a flow, which know no structure."""

OF_LAYERS = {
    "bijections.base.Bijection.forward",
    "bijections.base.Bijection.inverse",
    "bijections.conv.InvertibleConv.kernel",
}
"""Functions that take the parameters of a layer, tried below."""

TRUSTING = {
    "channels_of", "steps", "convolutions",  # hooks of a layer
    "checked_inverse", "leaf_layers", "apply_network", "record_network", "compose", "drop_units",
    "FlatParams.of", "FlatParams.vector", "Trainer.start_from", "Folder.save_best",
    "model_arrays", "times", "convolution_share", "layer_seconds", "twin",
}  # fmt: skip
"""Functions inside the package, which are handed parameters that were checked."""


def make_params(flow=FLOW, dtype=np.float64, seed=0):
    x = np.random.default_rng(seed).uniform(-0.5, 0.5, (3, *flow.image_shape)).astype(dtype)
    return flow.init(seed, x)


PARAMS = make_params()
"""Right parameters, which no test changes."""


def public_functions():
    """Yield (name, function) of every public function and method of the package."""
    for module in pkgutil.walk_packages(cr.__path__, "cinc_ref."):
        short = module.name.removeprefix("cinc_ref.")
        is_left_out = re.search(r"(^|\.)_", short) or short.startswith(("cli", "demo", "bench"))
        if is_left_out or short in FRAMEWORKS:  # tests/test_torch.py tries the module's parameters
            continue
        for name, value in vars(import_module(module.name)).items():
            if name.startswith("_") or getattr(value, "__module__", None) != module.name:
                continue
            if inspect.isclass(value):
                for attribute, method in vars(value).items():
                    method = getattr(method, "__func__", method)
                    if inspect.isfunction(method) and not attribute.startswith("_"):
                        yield f"{short}.{name}.{attribute}", method
            elif inspect.isfunction(value):
                yield f"{short}.{name}", value


def test_every_public_function_of_parameters_is_tried():
    tried = {*CALLS, *OF_ANY_TREE, *OF_LAYERS}
    found = {
        name
        for name, function in public_functions()
        if "params" in inspect.signature(function).parameters
        and not any(name.endswith(f".{trusting}") for trusting in TRUSTING)
    }
    assert found == tried


# ---- what is wrong with a leaf -----------------------------------------------------------------


def _with(value):
    def change(leaf):
        changed = leaf.copy()
        changed.flat[-1] = value
        return changed

    return change


CHANGES = {  # name: the leaf that takes the place of a right one
    "NaN": _with(np.nan),
    "infinity": _with(np.inf),
    "minus infinity": _with(-np.inf),
    "the other dtype": lambda leaf: leaf.astype(np.float32),
    "integers": lambda leaf: leaf.astype(int),
    "truth values": lambda leaf: leaf.astype(bool),
    "float16": lambda leaf: leaf.astype(np.float16),
    "longdouble": lambda leaf: leaf.astype(np.longdouble),
    "complex": lambda leaf: leaf.astype(complex),
    "objects": lambda leaf: leaf.astype(object),
    "strings": lambda leaf: leaf.astype(str),
    "a list": lambda leaf: leaf.tolist(),
    "a tuple": lambda leaf: tuple(leaf),
    "a dict": lambda leaf: {"value": leaf},
    "an empty dict": lambda leaf: {},
    "None": lambda leaf: None,
    "a float": lambda leaf: 1.0,
    "an int": lambda leaf: 1,
    "a scalar": lambda leaf: np.float64(1.0),
    "an array without axes": lambda leaf: np.array(1.0),
    "one axis more": lambda leaf: leaf[None],
    "one entry more": lambda leaf: np.concatenate([leaf, leaf[:1]]),
    "one entry less": lambda leaf: leaf[:-1],
    "flat": lambda leaf: np.append(leaf.ravel(), 0.0),
    "masked": lambda leaf: np.ma.masked_array(leaf, mask=True),
    "a string": lambda leaf: "0.5",
    "a function": lambda leaf: leaf.sum,
}


def replaced(tree, path, value):
    """Return a copy of a tree with another value at a path; an absent value removes the entry."""
    tree = copy.copy(tree)
    key, *rest = path
    if rest:
        tree[key] = replaced(tree[key], rest, value)
    elif value is REMOVED:
        del tree[key]
    else:
        tree[key] = value
    return tree


REMOVED = object()


def at(tree, path):
    for key in path:
        tree = tree[key]
    return tree


def path_of(name):
    return [int(key) if key.isdigit() else key for key in name.split("/")]


LEAVES = ["levels/0/1/0/bias", "levels/1/2/2/1/second/weight", "priors/0/weight", "top/log_std"]


@pytest.mark.parametrize("leaf", LEAVES)
@pytest.mark.parametrize("function", CALLS)
def test_a_wrong_leaf_is_named(function, leaf):
    path = path_of(leaf)
    for change in CHANGES.values():
        wrong = replaced(PARAMS, path, change(at(PARAMS, path)))
        with pytest.raises(ParamsError, match=f"params must fit this flow: {leaf}[ /]") as caught:
            CALLS[function](wrong)
        assert "\n" not in str(caught.value)
    missing = replaced(PARAMS, path, REMOVED)
    with pytest.raises(ParamsError, match=rf"{leaf} \(.*\) is missing"):
        CALLS[function](missing)
    more = replaced(PARAMS, [*path[:-1], "more"], np.zeros(2))
    with pytest.raises(ParamsError, match="/".join([*leaf.split("/")[:-1], "more is unknown"])):
        CALLS[function](more)


def test_nothing_is_written(tmp_path):
    wrong = replaced(PARAMS, path_of(LEAVES[0]), np.full(4, np.nan))
    for name, write in (
        ("model.npz", lambda path: cr.save(path, FLOW, wrong)),
        ("images.npz", lambda path: sampling.sample_to_file(path, FLOW, wrong, 1)),
    ):
        with pytest.raises(ParamsError):
            write(tmp_path / name)
    assert not list(tmp_path.iterdir())


# ---- what is wrong with the tree ---------------------------------------------------------------


def params_of(**options):
    return make_params(cr.flows.build(**{**OPTIONS, **options}))


TREES = {  # name: (parameters, what the message says)
    "None": (None, "the tree must be a dict with levels, priors, top; got None"),
    "an array": (np.zeros(3), r"the tree must be a dict with .*; got an array of shape \(3,\)"),
    "a number": (0.5, "the tree must be a dict"),
    "a string": ("params", "the tree must be a dict"),
    "a list": (list(PARAMS.values()), "the tree must be a dict with .*; got a list of 3"),
    "an empty dict": ({}, r"levels/0/1/0/bias \(4,\) is missing"),
    "a flow": (FLOW, "the tree must be a dict"),
    "more depth": (params_of(depth=3), "levels/0/3/0/bias is unknown"),
    "less depth": (params_of(depth=1), r"levels/0/2/0/bias \(4,\) is missing"),
    "fewer levels": (params_of(levels=1), r"levels/1/1/0/bias \(.*\) is missing"),
    "more width": (params_of(width=4), r"levels/0/1/2/0/first/weight must have shape .*; got "),
    "more channels": (params_of(image_shape=(2, 4, 8)), "levels/0/1/0/bias must have shape"),
    "other images": (params_of(image_shape=(1, 8, 8)), r"top/mean must have shape \(.*\); got "),
    "glow": (params_of(system="glow"), "levels/0/1/1/"),
    "emerging": (params_of(system="emerging"), "levels/0/1/1 must be a dict with .*; got a list"),
    "finc": (params_of(system="finc"), "levels/0/1/1 must be a dict"),
    "autoregressive": (params_of(system="autoregressive"), r"levels/0/1/1/taps must have shape"),
    "affine": (params_of(coupling="affine"), "levels/0/1/2/"),
    "unit": (params_of(corner_block="unit"), r"levels/0/1/1/log_diagonal \(4,\) is missing"),
    "plu": (params_of(corner_block="plu"), "levels/0/1/1/upper is unknown"),
    "dense": (params_of(corner_block="dense"), "levels/0/1/1/lower .* is missing"),
    "a dict for a list": (
        {**PARAMS, "levels": dict(enumerate(PARAMS["levels"]))},
        "levels must be a list of 2; got a dict with 0, 1",
    ),
    "an array for a list": ({**PARAMS, "priors": np.zeros(1)}, "priors must be a list"),
    "a list for a dict": (
        replaced(PARAMS, ["top"], list(PARAMS["top"].values())),
        "top must be a dict with mean, log_std; got a list of 2",
    ),
    "a list for a layer": (
        replaced(PARAMS, ["levels", 1, 1, 0], []),
        "levels/1/1/0 must be a dict with bias, log_scale; got a list of 0",
    ),
    "integers as keys": (
        replaced(PARAMS, ["top", 0], np.zeros(2)),
        "top/0 is unknown",
    ),
    "None for a layer": (
        replaced(PARAMS, ["levels", 0, 0], None),
        "levels/0/0 must be an empty dict; got None",
    ),
}


@pytest.mark.parametrize("tree", TREES)
@pytest.mark.parametrize("function", CALLS)
def test_parameters_of_something_else(function, tree):
    wrong, message = TREES[tree]
    with pytest.raises(ParamsError, match=f"^params must fit this flow: {message}"):
        CALLS[function](wrong)


@pytest.mark.parametrize("change", CHANGES)
def test_parameters_of_no_flow_are_floats_of_one_dtype(change):
    shapes = "one axis more", "one entry more", "one entry less", "flat", "an array without axes"
    if change in (*shapes, "a scalar", "a tuple", "a dict", "an empty dict"):
        return  # the result is a tree of arrays and scalars, too
    wrong = {"a": np.zeros(2), "b": [{"c": CHANGES[change](np.ones(2))}, np.ones((2, 3))]}
    with pytest.raises(ParamsError, match=r"[^\n]*b/0/c"):
        OF_ANY_TREE["evaluation.cast"](wrong)


@pytest.mark.parametrize("wrong", [None, np.zeros(3), 0.5, "params"])
def test_what_is_no_tree_is_not_cast(wrong):
    with pytest.raises(ParamsError, match="must be a tree of dicts, lists and tuples"):
        cr.evaluation.cast(wrong, np.float32)


# ---- layers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in LAYERS if "Squeeze" not in name])
def test_layers_refuse_what_does_not_fit(name):
    layer, params, x = layer_case(name)
    y, _ = layer.forward(params, x)
    for leaf in named_leaves(params):
        path = path_of(leaf)
        for change in CHANGES.values() if at(params, path).size else [CHANGES["None"]]:
            wrong = replaced(params, path, change(at(params, path)))
            for function, images in ((layer.forward, x), (layer.inverse, y)):
                if len(named_leaves(params)) == 1 and change is CHANGES["the other dtype"]:
                    with pytest.raises(DtypeError, match="and the parameters must have the same"):
                        function(wrong, images)
                    continue
                with pytest.raises(ParamsError, match=leaf):
                    function(wrong, images)
        for wrong in (replaced(params, path, REMOVED), None, np.zeros(3), 0.5, "params"):
            with pytest.raises(ParamsError):
                layer.forward(wrong, x)
    for function, images in ((layer.forward, x), (layer.inverse, y)):
        with pytest.raises(DtypeError, match="and the parameters must have the same dtype; got"):
            function(params, images.astype(np.float32))


@pytest.mark.parametrize("wrong", [None, [], {"bias": np.zeros(1)}, np.zeros(3)])
def test_layers_without_parameters_take_none(wrong):
    squeeze = cr.bijections.Squeeze()
    with pytest.raises(ParamsError, match="params must fit Squeeze and images of shape"):
        squeeze.forward(wrong, X)


@pytest.mark.parametrize("corner_block", ["unit", "triangular", "plu", "dense"])
def test_kernel_refuses_what_does_not_fit(corner_block):
    layer = InvertibleConv(corner_block=corner_block)
    params = layer.init(0, np.zeros((1, 3, 4, 4)))
    assert layer.kernel(params).shape == (3, 3, 3, 3)
    for leaf, value in params.items():
        for change in CHANGES.values():
            with pytest.raises(ParamsError, match="params must fit InvertibleConv: "):
                layer.kernel({**params, leaf: change(value)})
    for wrong in (None, {}, [], np.zeros(3), {"taps": np.zeros((10**6, 1))}, {"taps": [[1], []]}):
        with pytest.raises(ParamsError, match="params must fit InvertibleConv: "):
            layer.kernel(wrong)


def test_a_layer_with_an_unhashable_field():
    @dataclass(frozen=True)
    class Shift(Bijection):
        by: list

        def _init(self, rng, x):
            return {"shift": np.zeros(x.shape[1:], x.dtype)}

        def _forward(self, params, x):
            return x + params["shift"], base.per_image(0, x)

    chain = Chain([Shift([1]), Shift([2])])
    params = chain.init(0, X)
    assert np.array_equal(chain.forward(params, X)[0], X)
    with pytest.raises(ParamsError, match=r"1/shift must have shape \(1, 4, 8\); got \(1, 4, 4\)"):
        chain.forward([params[0], {"shift": np.zeros((1, 4, 4))}], X)


# ---- what passes -------------------------------------------------------------------------------


def test_right_parameters_pass_in_any_container_and_memory():
    params = make_params()
    expected = FLOW.log_prob(params, X)
    leaves = named_leaves(params)
    for convert in (
        np.asfortranarray,
        lambda leaf: np.repeat(leaf, 2, axis=-1)[..., ::2],
        lambda leaf: np.broadcast_to(leaf, leaf.shape),  # read-only
    ):
        other = cr._trees.rebuild(params, (convert(leaf) for leaf in leaves.values()))
        np.testing.assert_allclose(FLOW.log_prob(other, X), expected, rtol=1e-12)
    other = {key: params[key] for key in reversed(params)}
    other["levels"] = tuple(params["levels"])
    assert np.array_equal(FLOW.log_prob(other, X), expected)


def test_boxes_of_autograd_pass_and_wrong_values_inside_do_not():
    params = make_params()
    wrong = replaced(params, path_of(LEAVES[1]), np.full((3, 3, 1, 1), np.nan))

    def loss(params):
        return anp.sum(FLOW.log_prob(params, X))

    gradient = grad(loss)(params)
    assert named_leaves(gradient).keys() == named_leaves(params).keys()
    tangent = make_jvp(loss)(params)(gradient)[1]
    squares = sum(np.sum(leaf**2) for leaf in named_leaves(gradient).values())
    np.testing.assert_allclose(tangent, squares, rtol=1e-9)
    for transform in (grad, lambda f: lambda p: make_jvp(f)(p)(p)):
        with pytest.raises(ParamsError, match=f"{LEAVES[1]} must be finite; got nan at index"):
            transform(loss)(wrong)


def test_a_change_in_place_is_seen():
    params = make_params()
    FLOW.log_prob(params, X)
    for leaf in named_leaves(params).values():
        before = leaf.flat[0]
        leaf.flat[0] = np.nan
        with pytest.raises(ParamsError, match="must be finite; got nan at index"):
            FLOW.log_prob(params, X)
        leaf.flat[0] = before
    FLOW.log_prob(params, X)


def test_large_finite_numbers_are_finite():
    """The sum of their squares overflows, which must not be mistaken."""
    params = make_params()
    params["priors"][0]["weight"][0, 0, 0, 0] = 1e200
    FLOW.check_params(params)


@pytest.mark.parametrize("name", ["log_prob", "encode", "decode", "sample", "bits_per_dim"])
def test_parameters_are_checked_once(name, monkeypatch):
    checked = []

    def count(*arguments):
        checked.append(arguments[1])
        return _params.check_params(*arguments)

    for module in (multiscale, base, cr.bijections.conv):
        monkeypatch.setattr(module, "check_params", count)
    CALLS[f"flows.multiscale.Flow.{name}"](make_params())
    assert checked == [FLOW.template]


def test_the_template_is_that_of_init():
    for system in cr.flows.SYSTEMS:
        for coupling in cr.flows.COUPLINGS:
            flow = cr.flows.build(**{**OPTIONS, "system": system, "coupling": coupling})
            leaves = named_leaves(make_params(flow))
            assert flow.template.shapes == {name: leaf.shape for name, leaf in leaves.items()}


def test_a_flow_is_built_without_its_steps(monkeypatch):
    monkeypatch.setattr(_validate, "memory", lambda: math.inf)  # of its parameters, never made
    flow = cr.flows.build(**{**OPTIONS, "depth": 10**9, "levels": 1})
    assert flow.latent_shapes == ((4, 2, 4),)
    with pytest.raises(CincError, match="1000000000 levels need height and width divisible"):
        cr.flows.build(**{**OPTIONS, "levels": 10**9})


@pytest.mark.parametrize("image_shape, levels", [((1, 8, 8), 2), ((3, 16, 8), 3), ((1, 4, 4), 1)])
def test_latent_shapes_are_those_of_the_chains(image_shape, levels):
    flow = cr.flows.build(**{**OPTIONS, "image_shape": image_shape, "levels": levels})
    x = np.zeros((2, *image_shape))
    latents = flow.encode(flow.init(0, x), x)
    assert tuple(z.shape[1:] for z in latents) == flow.latent_shapes


# ---- latents, temperatures, seeds --------------------------------------------------------------

A, B = LATENTS
WRONG_LATENTS = [
    ((A,), DataError, r"latents must have the shapes \(N, 2, 2, 4\), \(N, 8, 1, 2\).*got 1 of"),
    ((A, B, B), DataError, "in a tuple of 2; got 3 of them"),
    ((), DataError, "got 0 of them"),
    (None, DataError, "got None"),
    (A, DataError, r"got one array of shape \(2, 2, 2, 4\)"),
    ({0: A, 1: B}, DataError, "latents must have the shapes"),
    ("ab", DataError, "latents must have the shapes .*; got 'ab'"),
    ((B, A), DataError, r"latents\[0\] must have shape \(N, \*\(2, 2, 4\)\); got \(2, 8, 1, 2\)"),
    ((A, A), DataError, r"latents\[1\] must have shape \(N, \*\(8, 1, 2\)\); got \(2, 2, 2, 4\)"),
    ((A[0], B), DataError, r"latents\[0\] must have shape .*; got \(2, 2, 4\)"),
    ((A, None), DtypeError, r"latents\[1\] must be an array of numbers; got None"),
    ((A, 0.0), DataError, r"latents\[1\] must "),
    ((A, [[1.0], [1.0, 2.0]]), ShapeError, r"latents\[1\] must be an array"),
    ((A[:1], B), DataError, r"latents\[1\] must hold as many images as latents\[0\], 1; got 2"),
    ((A, B[:1]), DataError, r"latents\[1\] must hold as many images as latents\[0\], 2; got 1"),
    ((A, B[:0]), DataError, r"latents\[1\] must hold as many images as latents\[0\], 2; got 0"),
    ((A.astype(int), B), DtypeError, r"latents\[0\] must be float32 or float64; got int64"),
    ((A, B.astype(np.float32)), DtypeError, r"latents\[1\] and the parameters must have the same"),
    (
        (A, B.astype(np.float16)),
        DtypeError,
        r"latents\[1\] must be float32 or float64; got float16",
    ),
    (
        (A, B.astype(complex)),
        DtypeError,
        r"latents\[1\] must be float32 or float64; got complex128",
    ),
    ((A, B + np.nan), NonFiniteError, r"latents\[1\] must be finite; got nan"),
    ((A - np.inf, B), NonFiniteError, r"latents\[0\] must be finite; got -inf"),
]


@pytest.mark.parametrize("latents, error, message", WRONG_LATENTS)
def test_latents_that_do_not_fit(latents, error, message):
    params = PARAMS
    for decode in (
        lambda: FLOW.decode(params, latents),
        lambda: FLOW.decode(params, latents, check=True),
        lambda: FLOW.decode_levels(params, latents, lambda *arguments: arguments[2]),
    ):
        with pytest.raises(error, match=message) as caught:
            decode()
        assert "\n" not in str(caught.value)


def test_latents_that_fit():
    params = PARAMS
    assert FLOW.decode(params, LATENTS).shape == (2, 1, 4, 8)
    assert FLOW.decode(params, [A[:0], B[:0]]).shape == (0, 1, 4, 8)
    gradient = grad(lambda latents: anp.sum(FLOW.decode(params, latents) ** 2))(LATENTS)
    assert [g.shape for g in gradient] == [z.shape for z in LATENTS]


@pytest.mark.parametrize(
    "temperature", [-1, -1e-9, "0.7", [0.5], np.array([0.5]), np.nan, np.inf, True, None, 1j]
)
def test_temperatures_are_numbers_from_0(temperature, tmp_path):
    params = PARAMS
    for draw in (
        lambda: FLOW.sample(params, 0, 1, temperature),
        lambda: FLOW.sample(params, 0, 1, temperature=temperature),
        lambda: cr.flows.temperature_sweep(FLOW, params, 0, 1, [1.0, temperature]),
        lambda: sampling.sample_to_file(
            tmp_path / "x.npy", FLOW, params, 1, temperature=temperature
        ),
    ):
        with pytest.raises(OptionError, match=r"temperatures? must be a number >= 0; got "):
            draw()


def test_a_temperature_that_overflows_is_refused():
    params = make_params(dtype=np.float32)
    with pytest.raises(OptionError, match="temperature must be finite in float32; got 1e\\+39"):
        FLOW.sample(params, 0, 1, 1e39)


@pytest.mark.parametrize("n", [-1, 1.0, "1", None, True, [1], np.nan])
def test_numbers_of_images_are_integers(n):
    with pytest.raises(OptionError, match="n must be an integer >= 0; got "):
        FLOW.sample(PARAMS, 0, n)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((0.0, (1, 4, 8), 5), r"dimensions must be an integer >= 1; got \(1, 4, 8\)"),
        ((0.0, np.array([1, 4, 8]), 5), "dimensions must be an integer >= 1"),
        ((0.0, 32.0, 5), "dimensions must be an integer >= 1; got 32.0"),
        ((0.0, 32, 2.5), "bins must be an integer >= 1; got 2.5"),
        ((0.0, 32, None), "bins must be an integer >= 1; got None"),
        ((None, 32, 5), "log_prob must "),
        (("1.0", 32, 5), "log_prob must "),
        ((1j, 32, 5), "log_prob must "),
        ((np.array([True]), 32, 5), "log_prob must "),
        (([[1.0], []], 32, 5), "log_prob must "),
    ],
)
def test_bits_per_dim_takes_nats_and_numbers(arguments, message):
    with pytest.raises(CincError, match=f"^{message}"):
        cr.flows.bits_per_dim(*arguments)


def test_bits_per_dim_keeps_shape_and_dtype():
    assert type(cr.flows.bits_per_dim(-3.0, 2, 4)) is float
    bits = cr.flows.bits_per_dim([[0.0], [-2 * np.log(2)]], 2, 4)
    np.testing.assert_allclose(bits, [[2.0], [3.0]])
    assert cr.flows.bits_per_dim(np.zeros(3, np.float32), 2, 4).dtype == np.float32


SEEDED = {
    "init": lambda rng: FLOW.init(rng, X)["levels"][0][1][1]["taps"],
    "layer": lambda rng: InvertibleConv().init(rng, X)["taps"],
    "sample": lambda rng: FLOW.sample(PARAMS, rng, 2),
    "bits_per_dim": lambda rng: FLOW.bits_per_dim(PARAMS, IMAGES, rng),
    "temperature_sweep": lambda rng: cr.flows.temperature_sweep(FLOW, PARAMS, rng, 2, [1]),
}


@pytest.mark.parametrize("draw", SEEDED.values(), ids=SEEDED)
def test_seeds_are_what_default_rng_takes(draw):
    expected = draw(np.random.default_rng(5))
    for seed in (5, np.int64(5), np.random.SeedSequence(5), np.random.PCG64(5), [5]):
        same = np.random.default_rng(copy.deepcopy(seed))
        assert np.array_equal(draw(seed), draw(same))
    assert np.array_equal(draw(5), expected)
    assert draw(None).shape == expected.shape and not np.array_equal(draw(None), draw(None))
    for wrong in (np.random.RandomState(0), "5", 0.5, -1, np.random):
        with pytest.raises(OptionError, match="rng must be"):
            draw(wrong)


def test_a_kernel_that_overflows_is_named():
    flow = cr.flows.build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=2)
    params = flow.init(0, np.zeros((2, 1, 4, 4)))
    params["levels"][0][1][1]["log_diagonal"][1] = 800.0
    for check in (False, True):  # 1 / inf is 0, so that the images themselves are finite
        with pytest.raises(ParamsError, match=r"^level 1, step 1, InvertibleConv: .*log_diagonal"):
            flow.decode(params, [np.ones((1, 4, 2, 2))], check=check)
