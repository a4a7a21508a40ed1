"""A sampler gives the results of its flow, whatever its batch, and shares no memory."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from autograd import grad
from hypothesis import given
from hypothesis import strategies as st

from cinc_ref._trees import named_leaves, rebuild
from cinc_ref.errors import (
    DataError,
    DtypeError,
    IllConditionedWarning,
    NonFiniteError,
    OptionError,
    ParamsError,
    SingularKernelError,
)
from cinc_ref.flows import COUPLINGS, SYSTEMS, build
from tests.conftest import INTERPRETED

SHAPE = (3, 4, 8) if INTERPRETED else (3, 8, 8)


def _flow(system="cinc", coupling="affine", dtype=np.float32, shape=SHAPE, **options):
    """A flow and parameters away from their start, where no layer is the identity."""
    options = {"levels": 2, "depth": 2, "width": 5} | options
    flow = build(system, coupling, shape, **options)
    rng = np.random.default_rng(1)
    params = flow.init(rng, rng.uniform(-0.5, 0.5, (8, *shape)).astype(dtype))
    moved = (
        (leaf + 0.05 * rng.normal(size=leaf.shape)).astype(dtype)
        for leaf in named_leaves(params).values()
    )
    return flow, rebuild(params, moved)


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_draws_what_the_flow_samples(system, coupling, dtype):
    flow, params = _flow(system, coupling, dtype)
    expected = flow.sample(params, 3, 7, temperature=0.8)
    for batch in (1, 3, 7, 100):
        images = flow.sampler(params, batch=batch).draw(3, 7, temperature=0.8)
        assert images.dtype == dtype
        assert np.array_equal(images, expected), batch


@pytest.mark.parametrize(
    "options", [{}, {"direction": "inverse"}, {"dilation": 2}, {"stable": True}]
)
@pytest.mark.parametrize("corner_block", ["unit", "triangular", "plu", "dense"])
def test_encodes_what_the_flow_encodes(corner_block, options):
    flow, params = _flow("cinc", "quad", corner_block=corner_block, **options)
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (7, *SHAPE)).astype(np.float32)
    for batch in (3, 7):
        sampler = flow.sampler(params, batch=batch)
        latents, log_prob = sampler.encode(x)
        for ours, expected in zip(latents, flow.encode(params, x), strict=True):
            assert np.array_equal(ours, expected)
        np.testing.assert_allclose(log_prob, flow.log_prob(params, x), rtol=1e-5)
        assert np.array_equal(sampler.decode(latents), flow.decode(params, latents))
    assert np.array_equal(log_prob, flow.log_prob(params, x))  # of one batch


@given(
    system=st.sampled_from(sorted(SYSTEMS)),
    coupling=st.sampled_from(sorted(COUPLINGS)),
    size=st.tuples(st.sampled_from([4, 8]), st.sampled_from([4, 12])),
    n=st.integers(0, 9),
    batch=st.integers(1, 10),
)
def test_any_flow_and_batch(system, coupling, size, n, batch):
    flow, params = _flow(system, coupling, shape=(1, *size), depth=1)
    sampler = flow.sampler(params, batch=batch)
    assert np.array_equal(sampler.draw(n, n), flow.sample(params, n, n))


def test_an_image_has_the_same_bits_in_any_batch():
    """`Flow.decode` gives an image the same bits however many are decoded at once."""
    shape = (3, 8, 8) if INTERPRETED else (3, 16, 16)
    flow, params = _flow(width=64, shape=shape)
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (37, *shape)).astype(np.float32)
    latents = flow.encode(params, x)
    images = flow.decode(params, latents)
    for n in (1, 2, 15, 16, 17):
        assert np.array_equal(flow.decode(params, [z[:n] for z in latents]), images[:n])


def test_a_dtype_of_its_own_rounds_the_parameters():
    flow, params = _flow(dtype=np.float64)
    single = rebuild(params, (leaf.astype(np.float32) for leaf in named_leaves(params).values()))
    sampler = flow.sampler(params, dtype="float32")
    assert sampler.dtype == np.float32
    assert np.array_equal(sampler.draw(0, 3), flow.sample(single, 0, 3))
    params["top"]["mean"][0, 0, 0] = 1e300
    with pytest.raises(ParamsError, match="top/mean"):
        flow.sampler(params, dtype="float32")


def test_later_changes_of_the_parameters_do_not_reach_it():
    flow, params = _flow()
    sampler = flow.sampler(params, batch=4)
    expected = flow.sample(params, 0, 6)
    for leaf in named_leaves(params).values():
        leaf += 1
    assert np.array_equal(sampler.draw(0, 6), expected)  # 4 prepared before, 2 after the change


@pytest.mark.parametrize("n", [1, 3, 4, 7])
def test_results_share_no_memory(n):
    flow, params = _flow()
    sampler = flow.sampler(params, batch=4)
    first, second = sampler.draw(0, n), sampler.draw(1, n)
    assert not np.shares_memory(first, second) and not np.array_equal(first, second)
    assert np.array_equal(first, flow.sample(params, 0, n))
    before = first.copy()
    results = [*sampler.encode(first)[0], sampler.encode(first)[1]]
    kept = [result.copy() for result in results]
    sampler.encode(second)
    sampler.decode(results[:-1])
    assert np.array_equal(first, before)
    assert all(np.array_equal(a, b) for a, b in zip(results, kept, strict=True))


def test_latents_stay_as_they_are_in_any_memory_order():
    flow, params = _flow()
    latents = flow.encode(params, flow.sample(params, 0, 5))
    before = [z.copy() for z in latents]
    sampler = flow.sampler(params, batch=2)
    expected = flow.decode(params, latents)
    assert np.array_equal(sampler.decode(latents), expected)
    assert np.array_equal(sampler.decode([np.asfortranarray(z) for z in latents]), expected)
    assert all(np.array_equal(a, b) for a, b in zip(latents, before, strict=True))


def test_threads_may_share_it():
    flow, params = _flow()
    sampler = flow.sampler(params, batch=3)
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda seed: sampler.draw(seed, 1 + seed % 5), range(20)))
    for seed, images in enumerate(drawn):
        assert np.array_equal(images, flow.sample(params, seed, 1 + seed % 5))


def test_a_pickle_draws_the_same():
    flow, params = _flow("emerging", "quad")
    sampler = flow.sampler(params, batch=3)
    copy = pickle.loads(pickle.dumps(sampler))
    assert (copy.flow, copy.batch, copy.dtype) == (flow, 3, np.float32)
    assert np.array_equal(copy.draw(0, 4), sampler.draw(0, 4))
    assert "batch=3" in repr(sampler) and len(repr(sampler)) < 500


def test_what_does_not_fit_is_refused():
    flow, params = _flow()
    with pytest.raises(ParamsError, match="top/mean"):
        flow.sampler({**params, "top": {}})
    other, _ = _flow(width=6)
    with pytest.raises(ParamsError):
        other.sampler(params)
    for options, error in (
        ({"batch": 0}, OptionError),
        ({"batch": True}, OptionError),
        ({"dtype": int}, DtypeError),
    ):
        with pytest.raises(error):
            flow.sampler(params, **options)
    sampler = flow.sampler(params)
    x = flow.sample(params, 0, 2)
    latents = flow.encode(params, x)
    for call, error in (
        (lambda: sampler.draw(0, -1), OptionError),
        (lambda: sampler.draw("seed", 1), OptionError),
        (lambda: sampler.draw(0, 1, temperature=-1), OptionError),
        (lambda: sampler.decode(latents[:1]), DataError),
        (lambda: sampler.decode([z.astype(float) for z in latents]), DtypeError),
        (lambda: sampler.decode([latents[0], latents[1] * np.float32(np.nan)]), NonFiniteError),
        (lambda: sampler.encode(x[:, :2]), DataError),
        (lambda: sampler.encode(x.astype(float)), DtypeError),
        (lambda: sampler.encode(x / np.float32(0)), NonFiniteError),
    ):
        with np.errstate(all="ignore"), pytest.raises(error):
            call()


def test_autograd_is_refused_not_ignored():
    flow, params = _flow(dtype=np.float64)
    sampler = flow.sampler(params)
    latents = flow.encode(params, flow.sample(params, 0, 2))
    with pytest.raises(DtypeError):
        grad(lambda z: sampler.decode([z, latents[1]]).sum())(latents[0])


def test_errors_and_warnings_name_the_layer():
    flow, params = _flow(corner_block="dense", coupling="quad")
    params["levels"][1][2][1]["corner"][:] = 0
    with pytest.raises(SingularKernelError, match="level 2, step 2, InvertibleConv"):
        flow.sampler(params)
    flow, params = _flow()
    params["levels"][0][1][0]["log_scale"][:] = -100
    with np.errstate(all="ignore"):
        sampler = flow.sampler(params)
        with pytest.warns(IllConditionedWarning, match="level 1, step 1, ActNorm"):
            images = sampler.draw(0, 3)
    assert not np.isfinite(images).all()
