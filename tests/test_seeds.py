"""Every public function with an argument `rng` follows SPEC 7 of Scientific Python."""

import inspect

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref._trees import named_leaves
from cinc_ref.errors import OptionError
from tests.test_docstrings import EXPORTED

X = np.linspace(-0.4, 0.4, 32).reshape(2, 1, 4, 4)
LEVELS = np.arange(32).reshape(2, 1, 4, 4) % 16
FLOW = cr.flows.build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=2, bins=16)
PARAMS = FLOW.init(np.random.default_rng(0), X)
LAYER = cr.bijections.InvertibleConv()

FUNCTIONS = {
    "cinc_ref.bijections.ActNorm.init": lambda rng: LAYER.init(rng, X),
    "cinc_ref.flows.Flow.bits_per_dim": lambda rng: FLOW.bits_per_dim(PARAMS, LEVELS, rng),
    "cinc_ref.flows.Flow.init": lambda rng: FLOW.init(rng, X),
    "cinc_ref.flows.Flow.sample": lambda rng: FLOW.sample(PARAMS, rng, 2),
    "cinc_ref.flows.dequantize": lambda rng: cr.flows.dequantize(LEVELS, 16, rng),
    "cinc_ref.flows.temperature_sweep": lambda rng: cr.flows.temperature_sweep(
        FLOW, PARAMS, rng, 2, [0.5, 1.0]
    ),
}


def test_every_function_with_a_generator_is_here():
    takes_rng = {
        name
        for name, value in EXPORTED.items()
        if inspect.isfunction(value) and "rng" in inspect.signature(value).parameters
    }
    assert takes_rng <= set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    "seed", [7, np.int64(7), [1, 2], np.random.SeedSequence(7), np.random.PCG64(7)]
)
def test_a_seed_is_what_default_rng_makes_of_it(name, seed):
    function = FUNCTIONS[name]
    state = seed.state if isinstance(seed, np.random.BitGenerator) else None
    first = named_leaves(function(seed))
    if state is not None:
        seed.state = state
    second = named_leaves(function(np.random.default_rng(seed)))
    for leaf in first:
        np.testing.assert_array_equal(first[leaf], second[leaf])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_none_draws_anew_and_a_generator_goes_on(name):
    function, generator = FUNCTIONS[name], np.random.default_rng(0)
    for rngs in ((None, None), (generator, generator)):
        one, two = (named_leaves(function(rng)) for rng in rngs)
        assert any(not np.array_equal(one[leaf], two[leaf]) for leaf in one)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("rng", [-1, 1.5, "seed", {}, np.random, object(), [1.5]])
def test_other_values_are_refused(name, rng):
    with pytest.raises(OptionError, match=r"rng must be an integer >= 0, a numpy\.random"):
        FUNCTIONS[name](rng)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_old_generator_is_refused_with_the_way_out(name):
    with pytest.raises(OptionError, match=r"got a RandomState: .*default_rng\(integer\)"):
        FUNCTIONS[name](np.random.RandomState(0))
