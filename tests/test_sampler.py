"""A sampler gives the results of its flow, whatever its batch, and shares no memory."""

import numpy as np
import pytest

from cinc_ref._trees import named_leaves, rebuild
from cinc_ref.flows import COUPLINGS, SYSTEMS, build


def _flow(system="cinc", coupling="affine", dtype=np.float32, shape=(3, 8, 8), **options):
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
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (7, 3, 8, 8)).astype(np.float32)
    for batch in (3, 7):
        sampler = flow.sampler(params, batch=batch)
        latents, log_prob = sampler.encode(x)
        for ours, expected in zip(latents, flow.encode(params, x), strict=True):
            assert np.array_equal(ours, expected)
        np.testing.assert_allclose(log_prob, flow.log_prob(params, x), rtol=1e-5)
        assert np.array_equal(sampler.decode(latents), flow.decode(params, latents))
    assert np.array_equal(log_prob, flow.log_prob(params, x))  # of one batch
