"""Gradients whose backward pass rebuilds what the forward pass did not keep."""

import tracemalloc
from itertools import product

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from autograd.misc.flatten import flatten
from autograd.test_util import check_grads

from cinc_ref.bijections import ActNorm, AffineCoupling, Chain, InvertibleConv, Squeeze
from cinc_ref.errors import OptionError
from cinc_ref.flows import COUPLINGS, SYSTEMS, Flow, build
from cinc_ref.primitives.recompute import compose
from cinc_ref.training import load, train
from cinc_ref.training.flat_params import FlatParams
from cinc_ref.training.loss import bits_and_gradient
from cinc_ref.training.trainer import Trainer
from tests.conftest import sparse
from tests.support.commands import run as run_command
from tests.support.registry import perturbed

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 3, (30, 1, 1, 1)) + RNG.binomial(1, 0.2, (30, 1, 8, 8))
OPTIONS = {"steps": 4, "batch_size": 8, "evaluate_every": 2, "warmup": 0, "learning_rate": 0.01}


def case(system="cinc", coupling="affine", size=8, images=3, scale=0.05, **options):
    """A flow, parameters away from their start, and images; float64."""
    options = {"levels": 2, "depth": 3, "width": 5} | options
    flow = build(system, coupling, (1, size, size), **options)
    x = np.random.default_rng(2).uniform(-0.5, 0.5, (images, 1, size, size))
    return flow, perturbed(flow.init(np.random.default_rng(1), x), scale), x


def fit(flow=None, **options):
    flow = flow or build("cinc", "affine", (1, 8, 8), levels=2, depth=2, width=4, bins=4)
    return train(flow, IMAGES[:22], IMAGES[22:], **(OPTIONS | options))


def assert_close(first, second, tolerance):
    """Equal but for rounding: the largest difference, relative to the largest entry."""
    first, second = flatten(first)[0], flatten(second)[0]
    assert np.abs(first - second).max() <= tolerance * np.abs(second).max()


# ---- gradients ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "system, coupling, argument", sparse(product(SYSTEMS, COUPLINGS, ["params", "x"]), 7)
)
def test_gradients_are_those_of_the_stored_forward_pass(system, coupling, argument):
    flow, params, x = case(system, coupling)

    def loss(params, x, constant_memory):
        log_prob = flow.log_prob(params, x, constant_memory=constant_memory)
        return anp.sum(log_prob**2) / 1000

    assert loss(params, x, True) == loss(params, x, False)
    gradient = grad(loss, 0 if argument == "params" else 1)
    assert_close(gradient(params, x, True), gradient(params, x, False), 1e-8)


@pytest.mark.parametrize("corner_block", ["unit", "plu", "dense"])
def test_any_corner_block(corner_block):
    flow, params, x = case(corner_block=corner_block, levels=3, depth=1)
    rebuilt, stored = (
        grad(lambda params, kept=kept: anp.sum(flow.log_prob(params, x, constant_memory=kept)))(
            params
        )
        for kept in (True, False)
    )
    assert_close(rebuilt, stored, 1e-8)


def test_layers_of_several_shapes_and_an_output_that_is_not_used():
    layers = [Squeeze(), Chain([ActNorm(), InvertibleConv()]), AffineCoupling(3), Squeeze()]
    chain = Chain(layers)
    x = RNG.normal(size=(2, 1, 8, 8))
    params = perturbed(chain.init(RNG, x), 0.1)
    for output in (0, 1):
        rebuilt = grad(lambda p, k=output: anp.sum(anp.sin(compose(layers, p, x)[k])))(params)
        stored = grad(lambda p, k=output: anp.sum(anp.sin(chain.forward(p, x)[k])))(params)
        assert_close(rebuilt, stored, 1e-10)


def test_forward_mode_and_second_order(interpreted):
    flow, params, x = case(levels=1, depth=1 if interpreted else 2, width=2, size=4, images=2)
    vector, rebuild = flatten(params)

    def log_prob(vector, x):
        return flow.log_prob(rebuild(vector), x, constant_memory=True) / 10

    check_grads(log_prob, modes=["rev", "fwd"], order=2)(vector, x)


def test_the_backward_pass_starts_from_the_output_alone():
    """A layer whose inverse is wrong gives another gradient: nothing else remembers the input."""

    class Forgetful(ActNorm):
        def _inverse(self, params, y):
            return 0 * y, anp.zeros(len(y))

    x = RNG.normal(size=(2, 3, 4, 4))
    layers = [Forgetful(), AffineCoupling(3)]
    params = perturbed(Chain(layers).init(RNG, x), 0.1)
    gradient = grad(lambda p: anp.sum(compose(layers, p, x)[0] ** 2))(params)
    expected = grad(lambda p: anp.sum(Chain(layers).forward(p, x)[0] ** 2))(params)
    assert_close(gradient[1], expected[1], 1e-10)
    assert np.abs(gradient[0]["log_scale"] - expected[0]["log_scale"]).max() > 0.1


def peak_memory(depth, constant_memory):
    """Of one gradient, beyond the gradient itself."""
    flow, params, x = case(depth=depth, images=160, width=8, size=16)
    flat = FlatParams.of(params)
    vector = flat.vector(params)
    arguments = (flow, flat, vector, x, 0.2, np.random.default_rng(0), constant_memory)
    bits_and_gradient(*arguments)
    tracemalloc.start()
    bits_and_gradient(*arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak - vector.nbytes


def test_memory_does_not_grow_with_depth(interpreted):
    if interpreted:
        pytest.skip("so many images through twelve steps take minutes without the compiler")
    # autograd's nodes, Python objects, take 20 kB a step and level whatever the images; arrays
    # beyond the gradient grow by 14 kB in all. So many images make the arrays count.
    assert peak_memory(12, True) < 1.12 * peak_memory(2, True)
    assert peak_memory(12, False) > 3 * peak_memory(2, False)


# ---- training ----------------------------------------------------------------------------------


def test_training_takes_the_same_steps():
    options = {"dtype": "float64"}
    rebuilt, stored = fit(constant_memory=True, **options), fit(**options)
    assert [row["step"] for row in rebuilt.history] == [row["step"] for row in stored.history]
    assert_close(rebuilt.params, stored.params, 1e-8)


def useless(params):
    """The same parameters but for one kernel, whose inverse grows by a factor of 9 a pixel."""
    params["levels"][0][2][1]["taps"][...] = 3
    return params


def test_it_is_refused_at_the_start_by_the_name_of_the_layer(monkeypatch, tmp_path):
    init = Flow.init
    monkeypatch.setattr(Flow, "init", lambda *arguments: useless(init(*arguments)))
    with pytest.raises(OptionError, match=r"level 1, step 2, InvertibleConv keeps .* float32"):
        fit(constant_memory=True, out=tmp_path / "run")
    assert not list((tmp_path / "run").iterdir())  # the command may be given again without it
    assert fit(out=tmp_path / "run", steps=1).step == 1


def test_it_is_refused_when_an_inverse_becomes_useless_and_the_run_can_go_on(monkeypatch, tmp_path):
    def step_and_spoil(trainer):
        bits = step(trainer)
        if trainer.state.step == 2:
            useless(trainer.flat.params(trainer.state.parameters))
        return bits

    step = Trainer.step
    monkeypatch.setattr(Trainer, "step", step_and_spoil)
    with pytest.raises(OptionError, match=r"after step 2, .*resume=True") as caught:
        fit(constant_memory=True, out=tmp_path)
    assert caught.value.result.step == 2
    assert "too few digits after 2 steps" in caught.value.result.message
    monkeypatch.undo()
    with pytest.raises(OptionError, match="after step 2"):  # before any step
        fit(constant_memory=True, out=tmp_path, resume=True)
    assert fit(out=tmp_path, resume=True).step == 4
    load(tmp_path / "best.npz")


def test_without_a_folder_the_message_says_what_else_helps(monkeypatch):
    init = Flow.init
    monkeypatch.setattr(Flow, "init", lambda *arguments: useless(init(*arguments)))
    with pytest.raises(OptionError, match=r"stable=True or in float64"):
        fit(constant_memory=True)


def test_nonsense_is_refused():
    with pytest.raises(OptionError, match="constant_memory must be True or False; got 1"):
        fit(constant_memory=1)


def test_on_the_command_line(capsys, monkeypatch, tmp_path):
    given = {}

    def remember(*arguments, **options):
        given.update(options)
        raise OptionError("enough")

    monkeypatch.setattr("cinc_ref.cli.train.train_flow", remember)
    run_command(capsys, "train", "--out", tmp_path, "--constant-memory", "--steps", 1)
    assert given["constant_memory"] is True
