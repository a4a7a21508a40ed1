"""The flow as a density and as a bijection, with parameters away from their start."""

import json

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad, jacobian
from scipy.special import ndtri

import cinc_ref as cr
from cinc_ref.errors import (
    CincError,
    DataError,
    NonFiniteError,
    OptionError,
    ParamsError,
    ShapeError,
)
from tests.support.registry import perturbed

CASES = [
    ("additive", "triangular"),
    ("affine", "triangular"),
    ("quad", "triangular"),
    ("quad", "unit"),
    ("affine", "plu"),
    ("affine", "dense"),
]


def _flow(coupling="quad", corner_block="triangular", shape=(1, 4, 8), levels=2, scale=0.1):
    flow = cr.flows.build("cinc", coupling, shape, levels, 2, 6, 17, corner_block=corner_block)
    rng = np.random.default_rng(0)
    x = rng.uniform(-0.5, 0.5, (3, *shape))
    return flow, perturbed(flow.init(rng, x), scale), x


@pytest.mark.parametrize("coupling, corner_block", CASES)
def test_decode_inverts_encode(coupling, corner_block):
    flow, params, x = _flow(coupling, corner_block)
    latents = flow.encode(params, x)
    assert [z.shape[1:] for z in latents] == list(flow.latent_shapes)
    assert sum(z[0].size for z in latents) == x[0].size
    np.testing.assert_allclose(flow.decode(params, latents), x, rtol=1e-9, atol=1e-9)
    others = [np.random.default_rng(1).normal(size=z.shape) for z in latents]
    for ours, expected in zip(
        flow.encode(params, flow.decode(params, others)), others, strict=True
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("coupling, corner_block", CASES)
def test_log_prob_is_the_change_of_variables(coupling, corner_block):
    flow, params, x = _flow(coupling, corner_block)

    def latents(v):
        image = anp.reshape(v, (1, *flow.image_shape))
        return anp.concatenate([anp.ravel(z) for z in flow.encode(params, image)])

    for image, log_prob in zip(x, flow.log_prob(params, x), strict=True):
        z = latents(image.ravel())
        log_det = np.linalg.slogdet(jacobian(latents)(image.ravel()))[1]
        expected = -0.5 * z @ z - 0.5 * len(z) * np.log(2 * np.pi) + log_det
        np.testing.assert_allclose(log_prob, expected, rtol=1e-9)


@pytest.mark.parametrize("coupling, corner_block", CASES)
def test_density_integrates_to_one(coupling, corner_block):
    """Importance sampling on 1x2x2 images, from normal proposals wider than the model.

    The proposals are a lattice, Kronecker's of the real root of a^5 = a + 1, at eight random
    shifts, whose means give the standard error: that of 60,000 random proposals, or half of it.
    """
    flow, params, _ = _flow(coupling, corner_block, (1, 2, 2), levels=1, scale=0.3)
    rng = np.random.default_rng(5)
    draws = flow.sample(params, rng, 1000).reshape(-1, 4)
    mean, covariance = draws.mean(axis=0), 4 * np.cov(draws.T)
    shifts, n = 8, 1024
    lattice = np.arange(1, n + 1)[:, None] / 1.1673039782614187 ** np.arange(1, 5)
    z = ndtri((lattice + rng.random((shifts, 1, 4))) % 1).reshape(-1, 4)
    factor = np.linalg.cholesky(covariance)
    x = mean + z @ factor.T
    log_proposal = (
        -0.5 * np.sum(z**2, axis=1) - 2 * np.log(2 * np.pi) - np.log(np.diagonal(factor)).sum()
    )
    log_weights = flow.log_prob(params, x.reshape(-1, 1, 2, 2)) - log_proposal
    integrals = np.exp(log_weights).reshape(shifts, n).mean(axis=1)
    error = integrals.std(ddof=1) / np.sqrt(shifts)
    assert error < 0.02
    assert abs(integrals.mean() - 1) < 5 * error


def test_float32_stays_float32():
    flow, params, x = _flow()
    params = perturbed(flow.init(np.random.default_rng(0), x.astype(np.float32)), 0.1)
    x = x.astype(np.float32)
    latents = flow.encode(params, x)
    arrays = [flow.log_prob(params, x), flow.sample(params, np.random.default_rng(0), 2), *latents]
    arrays.append(flow.bits_per_dim(params, np.zeros((2, 1, 4, 8), int), np.random.default_rng(0)))
    arrays.append(grad(lambda x: anp.sum(flow.log_prob(params, x)))(x))
    arrays.append(flow.decode(params, latents))
    gradient = grad(lambda p: anp.sum(flow.log_prob(p, x)))(params)
    arrays.extend(_leaves(gradient))
    assert {a.dtype for a in arrays} == {np.dtype(np.float32)}


@pytest.mark.parametrize("levels", [1, 2])
def test_gradient_against_finite_differences(levels):
    flow, params, x = _flow(levels=levels)
    gradient = grad(lambda p: anp.sum(flow.log_prob(p, x)))(params)
    rng = np.random.default_rng(2)
    for leaf, slope in zip(_leaves(params), _leaves(gradient), strict=True):
        direction = rng.normal(size=leaf.shape)
        keep, step = leaf.copy(), 1e-5
        values = []
        for sign in (1, -1):
            leaf[...] = keep + sign * step * direction
            values.append(np.sum(flow.log_prob(params, x)))
        leaf[...] = keep
        np.testing.assert_allclose(
            np.sum(slope * direction), (values[0] - values[1]) / (2 * step), rtol=1e-5, atol=1e-5
        )


def test_temperature_zero_is_the_mode():
    flow, params, _ = _flow()
    images = flow.sample(params, np.random.default_rng(0), 3, temperature=0)
    mode = flow.decode(params, [np.zeros((1, *shape)) for shape in flow.latent_shapes])
    np.testing.assert_allclose(images, np.broadcast_to(mode, images.shape), atol=1e-12)
    assert not np.allclose(images, flow.sample(params, np.random.default_rng(0), 3))


def test_samples_are_ordinary_arrays_and_follow_the_generator():
    flow, params, x = _flow()
    first, second = (flow.sample(params, np.random.default_rng(4), 3) for _ in range(2))
    assert np.array_equal(first, second) and first.flags.c_contiguous
    assert all(z.flags.c_contiguous for z in flow.encode(params, x))


def test_empty_batch():
    flow, params, x = _flow()
    assert flow.log_prob(params, x[:0]).shape == (0,)
    assert flow.decode(params, flow.encode(params, x[:0])).shape == (0, 1, 4, 8)
    assert flow.sample(params, np.random.default_rng(0), 0).shape == (0, 1, 4, 8)


def test_bits_per_dim_of_a_known_density():
    """One level without a learned change: a normal density whose integral per bin is known."""
    assert cr.flows.bits_per_dim(0.0, 12, 32) == pytest.approx(5)
    assert cr.flows.bits_per_dim(12 * np.log(4), 12, 32) == pytest.approx(3)
    flow, params, _ = _flow()
    images = np.random.default_rng(0).integers(0, 17, (4, 1, 4, 8))
    bits = flow.bits_per_dim(params, images, np.random.default_rng(3))
    noise = np.random.default_rng(3).random(images.shape)
    log_prob = flow.log_prob(params, (images + noise) / 17 - 0.5)
    np.testing.assert_allclose(bits, (32 * np.log(17) - log_prob) / (32 * np.log(2)), rtol=1e-12)


@pytest.mark.parametrize(
    "bins, dtype", [(2, "uint8"), (17, "uint8"), (256, "uint8"), (257, "uint16")]
)
def test_quantize_undoes_dequantize_and_clips_to_the_bins(bins, dtype):
    levels = np.arange(bins)
    x = cr.flows.dequantize(levels, bins, np.random.default_rng(0))
    assert np.array_equal(cr.flows.quantize(x, bins), levels)
    outside = cr.flows.quantize([-9.0, -0.5, 0.5, 9.0], bins)
    assert outside.dtype == dtype and outside.tolist() == [0, 0, bins - 1, bins - 1]


def test_dequantize_fills_the_bins_uniformly():
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        images = rng.integers(0, 5, (50, 1, 20, 20))
        x = cr.flows.dequantize(images, 5, rng, dtype)
        assert x.dtype == dtype and x.min() >= -0.5 and x.max() < 0.5
        inside = (x + 0.5) * 5 - images
        assert inside.min() >= -1e-5 and inside.max() <= 1 + 1e-5
        assert abs(inside.mean() - 0.5) < 0.01 and abs(inside.var() - 1 / 12) < 0.005


def test_config_builds_the_same_flow():
    flow, params, x = _flow("affine", "plu")
    same = cr.flows.build(**json.loads(json.dumps(flow.config())))
    assert same == flow
    assert np.array_equal(same.log_prob(params, x), flow.log_prob(params, x))


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"system": "resnet"}, OptionError, "system must be one of.*cinc.*got 'resnet'"),
        ({"coupling": "cubic"}, OptionError, "additive, affine, quad; got 'cubic'"),
        (
            {"image_shape": (1, 6, 8)},
            ShapeError,
            r"divisible by 4; got images of shape \(1, 6, 8\)",
        ),
        ({"image_shape": (8, 8)}, ShapeError, r"image_shape must be \(C, H, W\)"),
        ({"image_shape": (1, 8, 8), "levels": 4}, ShapeError, "4 levels"),
        ({"depth": 0}, OptionError, "depth must be an integer >= 1; got 0"),
        ({"width": 2.5}, OptionError, "width must be an integer >= 1; got 2.5"),
        ({"bins": 1}, OptionError, "bins must be an integer >= 2"),
        ({"corner_block": "upper"}, OptionError, "corner_block must be one of"),
    ],
)
def test_what_cannot_be_built(options, error, message):
    with pytest.raises(error, match=message):
        cr.flows.build(**options)


def test_images_that_do_not_fit_the_model():
    flow, params, x = _flow()
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match=r"\(N, \*\(1, 4, 8\)\) for this model; got \(3, 1, 8, 4\)"):
        flow.log_prob(params, x.transpose(0, 1, 3, 2))
    with pytest.raises(DataError, match="levels from 0 to 16, for 17 bins; got 0 to 17"):
        flow.bits_per_dim(params, np.arange(32).reshape(1, 1, 4, 8) % 18, rng)
    with pytest.raises(DataError, match="must be integers"):
        flow.bits_per_dim(params, x, rng)
    with pytest.raises(DataError, match="latents must have the shapes"):
        flow.decode(params, flow.encode(params, x)[:1])
    with pytest.raises(CincError, match="x and the parameters must have the same dtype"):
        flow.log_prob(params, x.astype(np.float32))
    for wrong in (None, {}, {**params, "levels": params["levels"][:1]}, {**params, "top": {}}):
        with pytest.raises(ParamsError, match="params must fit this flow: "):
            flow.log_prob(wrong, x)
        with pytest.raises(ParamsError, match="params must fit this flow: "):
            flow.sample(wrong, rng, 1)
        with pytest.raises(ParamsError, match="params must fit this flow: "):
            flow.bits_per_dim(wrong, np.zeros((1, 1, 4, 8), int), rng)
    for n in (-1, 1.5):
        with pytest.raises(OptionError, match="n must be an integer >= 0"):
            flow.sample(params, rng, n)
    with pytest.raises(DataError, match="at least one image"):
        flow.init(rng, x[:0])
    x[1, 0, 2, 3] = np.nan
    for function in (flow.log_prob, flow.encode):
        with pytest.raises(NonFiniteError, match=r"nan at index \(1, 0, 2, 3\)"):
            function(params, x)
    latents = [np.full((1, *shape), np.inf) for shape in flow.latent_shapes]
    with pytest.raises(CincError, match=r"latents\[0\] must be finite"):
        flow.decode(params, latents)


def _leaves(tree):
    if isinstance(tree, dict):
        tree = [tree[key] for key in sorted(tree)]
    if isinstance(tree, list | tuple):
        return [leaf for branch in tree for leaf in _leaves(branch)]
    return [tree]
