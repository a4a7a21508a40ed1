"""Every system of the comparison, with every coupling, corner block and direction."""

import json
from itertools import product
from pathlib import Path

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad, jacobian
from scipy.special import logsumexp

import cinc_ref as cr
from cinc_ref.bijections import EmergingConv, FincConv, Inverse, InvertibleConv
from cinc_ref.bijections.conv import CORNER_BLOCKS
from cinc_ref.errors import IllConditionedWarning, OptionError, ShapeError
from cinc_ref.evaluation import cast
from cinc_ref.flows import COUPLINGS, DIRECTIONS, SYSTEMS
from cinc_ref.flows.conditioning import named_convolutions, worst_conditioned
from cinc_ref.flows.cost import cost
from cinc_ref.flows.systems import step_convolution
from cinc_ref.geometry import CORNERS
from cinc_ref.testing import check_bijection, check_density
from cinc_ref.theory import parameter_counts
from tests.conftest import sparse
from tests.support.registry import perturbed

ALL = sparse(product(SYSTEMS, COUPLINGS, CORNER_BLOCKS, DIRECTIONS), 7)
EITHER_WAY = list(product(SYSTEMS, DIRECTIONS))


def _flow(system, coupling="affine", corner_block=None, direction="forward", **options):
    shape, scale = options.pop("shape", (1, 4, 4)), options.pop("scale", 0.15)
    options = {"levels": 1, "depth": 2, "width": 3, "bins": 17} | options
    flow = cr.flows.build(
        system, coupling, shape, corner_block=corner_block, direction=direction, **options
    )
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (3, *shape))
    return flow, perturbed(flow.init(np.random.default_rng(0), x), scale), x


def _level(flow, params):
    """A flow of one level as a bijection of arrays."""
    chain, chain_params = flow.chains[0], params["levels"][0]
    return lambda x: chain.forward(chain_params, x), lambda y: chain.inverse(chain_params, y)


@pytest.mark.parametrize("system, coupling, corner_block, direction", ALL)
def test_round_trip_jacobian_and_conformance(
    system, coupling, corner_block, direction, interpreted
):
    flow, params, x = _flow(system, coupling, corner_block, direction)
    latents = flow.encode(params, x)
    np.testing.assert_allclose(flow.decode(params, latents), x, rtol=0, atol=1e-9)
    forward, inverse = _level(flow, params)
    if coupling == "affine" or not interpreted:  # ten seconds each without the compiler
        check_bijection(forward, inverse, x)  # the names of its failures say which property

    def flat(v):
        return anp.ravel(forward(anp.reshape(v, (1, *flow.image_shape)))[0])

    log_det = forward(x)[1]
    assert np.ptp(log_det) > 1e-3 or coupling == "additive"  # away from the identity
    for image, expected in zip(x[:2], log_det, strict=False):
        found = np.linalg.slogdet(jacobian(flat)(image.ravel()))[1]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("system, coupling, corner_block, direction", ALL)
def test_density_integrates_to_one(system, coupling, corner_block, direction):
    """Importance sampling on 1x2x2 images, from a normal proposal wider than the model."""
    options = {"shape": (1, 2, 2), "depth": 1, "scale": 0.3}
    flow, params, _ = _flow(system, coupling, corner_block, direction, **options)
    rng = np.random.default_rng(5)
    draws = flow.sample(params, rng, 1000).reshape(-1, 4)
    factor = np.linalg.cholesky(2.5 * np.cov(draws.T))
    z = rng.standard_normal((6000, 4))
    x = draws.mean(axis=0) + z @ factor.T
    log_proposal = (
        -0.5 * np.sum(z**2, axis=1) - 2 * np.log(2 * np.pi) - np.log(np.diagonal(factor)).sum()
    )
    log_weights = flow.log_prob(params, x.reshape(-1, 1, 2, 2)) - log_proposal
    error = np.exp(log_weights).std() / np.sqrt(len(z))
    assert error < 0.05
    assert abs(np.exp(logsumexp(log_weights) - np.log(len(z))) - 1) < 5 * error


@pytest.mark.parametrize("system", SYSTEMS)
def test_samples_follow_the_density(system, interpreted):
    flow, params, _ = _flow(system, "quad", shape=(1, 2, 2), depth=1, scale=0.3)
    draws = 2000 if interpreted else 20_000
    check_density(
        lambda x: flow.log_prob(params, x), lambda rng, n: flow.sample(params, rng, n), draws=draws
    )


@pytest.mark.parametrize("system, direction", EITHER_WAY)
def test_two_levels_of_odd_groups_gradient_and_float32(system, direction):
    """Three channels give 12 and 24; FInC's groups of 3 and 6."""
    flow, params, x = _flow(system, "quad", None, direction, shape=(3, 4, 8), levels=2, scale=0.05)
    np.testing.assert_allclose(flow.decode(params, flow.encode(params, x)), x, atol=1e-9)
    single = cast(params, np.float32)
    gradient = grad(lambda p: anp.sum(flow.log_prob(p, x.astype(np.float32))))(single)
    leaves = [leaf for level in gradient["levels"] for leaf in _leaves(level)]
    assert {leaf.dtype for leaf in leaves} == {np.dtype(np.float32)}
    assert all(np.isfinite(leaf).all() and leaf.any() for leaf in leaves if leaf.size)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_directions_are_inverse_to_one_another(system):
    forward, inverse = (
        step_convolution(_flow(system, direction=direction)[0], 3) for direction in DIRECTIONS
    )
    assert inverse == Inverse(forward)


@pytest.mark.parametrize("system", SYSTEMS)
def test_parameter_counts_are_those_of_the_theory(system):
    """Theory counts masks; here the layer says how many, and stores as many."""
    names = {"glow": "Glow 1x1", "emerging": "Emerging", "cinc": "CInC", "finc": "FInC"}
    rows = {row["system"]: row["parameters"] for row in parameter_counts(12)}
    layer = step_convolution(_flow(system, shape=(3, 4, 4))[0], 0)
    layer = layer.layers[-1] if system == "emerging" else layer  # its 1x1 is not counted
    params = layer.init(np.random.default_rng(0), np.ones((1, 12, 2, 2)))
    stored = sum(leaf.size for leaf in _leaves(params))
    assert layer.count_parameters(12) == stored == rows[names.get(system, system)]


def test_a_page_shows_the_table_of_systems():
    page = (Path(__file__).parents[1] / "docs" / "systems.md").read_text(encoding="utf-8")
    table = page[page.index("| system | convolution") :].split("\n\n")[0]
    rows = {
        cells[0].strip("`"): cells[1:]
        for line in table.splitlines()[2:]
        if (cells := [cell.strip() for cell in line.strip("|").split("|")])
    }
    assert list(rows) == list(SYSTEMS)
    for name, (summary, corner_block, formula) in rows.items():
        assert (summary, corner_block) == (SYSTEMS[name].summary, SYSTEMS[name].corner_block)
        flow, params, _ = _flow(name, shape=(3, 4, 4), depth=1)
        assert f"({cost(flow, params).convolution_parameters:,})" in formula


def test_parameter_counts_written_out():
    n = 12
    counts = {block: InvertibleConv(corner_block=block).count_parameters(n) for block in
              ("triangular", "unit", "plu")}  # fmt: skip
    assert counts == {"triangular": 1230, "unit": 1218, "plu": 1296}
    half_plane = InvertibleConv((2, 3), anchor=(1, 1))
    assert half_plane.count_parameters(n) == 4 * n**2 + n * (n + 1) // 2
    assert EmergingConv().count_parameters(n) == 6 * n**2 + n * (n + 1)
    assert EmergingConv(5).count_parameters(n) == 16 * n**2 + n * (n + 1)
    assert FincConv().count_parameters(n) == 4 * (8 * 3**2 + 3)
    assert InvertibleConv(1, corner_block="plu").count_parameters(n) == n**2


@pytest.mark.parametrize("system, direction", EITHER_WAY)
def test_saved_and_loaded(system, direction, tmp_path):
    flow, params, x = _flow(system, "affine", None, direction, dilation=2)
    assert cr.flows.build(**json.loads(json.dumps(flow.config()))) == flow
    cr.save(tmp_path / "model.npz", flow, params)
    loaded, their_params = cr.load(tmp_path / "model.npz")
    assert loaded == flow
    assert np.array_equal(loaded.log_prob(their_params, x), flow.log_prob(params, x))


def test_a_model_from_before_the_other_systems_is_read():
    flow, _, _ = _flow("cinc")
    config = flow.config()
    for new in ("direction", "dilation"):
        del config[new]
    assert cr.flows.build(**config) == flow


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("system, count", [("glow", 1), ("emerging", 3), ("cinc", 1), ("finc", 4)])
def test_stability_names_every_convolution_once(system, count, direction):
    flow, params, _ = _flow(system, direction=direction, shape=(1, 8, 8), levels=2)
    table = flow.stability(params)
    assert len(table) == 2 * 2 * count
    for (name, _, kernel, size), found in zip(
        named_convolutions(flow, params), table.values(), strict=True
    ):
        assert size == ((4, 4) if name.startswith("level 1") else (2, 2))
        expected = np.linalg.cond(_matrix(kernel, size), 1)
        np.testing.assert_allclose(found.condition_number, expected, rtol=1e-9, err_msg=name)
    assert worst_conditioned(flow, params)[0] in table


def test_the_convolutions_of_a_step_are_told_apart():
    flow, params, _ = _flow("emerging", depth=1)
    assert [name.partition("step 1, ")[2] for name in flow.stability(params)] == [
        "InvertibleConv",
        "EmergingConv bottom-right",
        "EmergingConv top-left",
    ]
    flow, params, _ = _flow("finc", depth=1)
    assert next(iter(flow.stability(params))) == "level 1, step 1, FincConv top-left"


def _matrix(kernel, size):
    anchor = (1, 1) if kernel.shape[2:] == (2, 3) else None
    return cr.convolution_matrix(kernel, size, anchor=anchor)


@pytest.mark.filterwarnings("ignore:overflow|invalid:RuntimeWarning")
@pytest.mark.parametrize(
    "system, place, name",
    [
        ("autoregressive", (), "InvertibleConv"),
        ("emerging", (1, 0), "EmergingConv bottom-right"),
        ("emerging", (1, 1), "EmergingConv top-left"),
        ("finc", (2,), "FincConv bottom-left"),
    ],
)
def test_decode_with_check_names_the_convolution_made_bad(system, place, name):
    flow, params, _ = _flow(system, shape=(1, 16, 16))
    bad = params["levels"][0][2][1]
    for k in place:
        bad = bad[k]
    bad["taps"][0, 0, :] = 30.0
    params = cast(params, np.float32)
    latents = [np.ones((2, *shape), np.float32) for shape in flow.latent_shapes]
    with pytest.warns(IllConditionedWarning) as caught:
        flow.decode(params, latents, check=True)
    warned = [w.message for w in caught if w.category is IllConditionedWarning]  # others overflow
    assert warned[0].layer == f"level 1, step 2, {name}"


def test_decode_with_check_is_silent_on_good_models():
    for system, direction in product(SYSTEMS, DIRECTIONS):
        flow, params, x = _flow(system, direction=direction, scale=0.02)
        latents = flow.encode(params, x)
        np.testing.assert_allclose(flow.decode(params, latents, check=True), x, atol=1e-9)


@pytest.mark.filterwarnings("ignore:overflow|invalid:RuntimeWarning")
def test_an_inverse_flow_names_the_layer_at_which_samples_cease_to_be_finite():
    flow, params, _ = _flow("cinc", direction="inverse")
    params["levels"][0][2][1]["taps"][:] = 1e300
    latents = [1e300 * np.ones((1, *shape)) for shape in flow.latent_shapes]
    with pytest.warns(IllConditionedWarning, match="level 1, step 2, .*is not finite"):
        flow.decode(params, latents)


@pytest.mark.parametrize("system, direction", EITHER_WAY)
def test_every_system_trains(system, direction):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 4, (8, 1, 4, 4)).astype(np.uint8)
    flow, _, _ = _flow(system, "quad", None, direction, depth=1, bins=4)
    result = cr.train(flow, images, images, steps=2, batch_size=4)
    assert np.isfinite(result.best_bits)
    assert cr.evaluate(result.flow, result.params, images, draws=1).largest_error < 0.01


def test_stable_holds_for_every_system():
    for system in SYSTEMS:
        flow, params, _ = _flow(system, stable=True, scale=3.0)
        assert all(found.certificate < 1 for found in flow.stability(params).values()), system


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"direction": "backward"}, OptionError, "forward, inverse; got 'backward'"),
        ({"dilation": 0}, OptionError, "dilation must be an integer >= 1; got 0"),
        ({"system": "finc", "corner_block": "lower"}, OptionError, "corner_block must be one of"),
        ({"system": "resnet"}, OptionError, ", ".join(SYSTEMS)),
    ],
)
def test_what_cannot_be_built(options, error, message):
    with pytest.raises(error, match=message):
        cr.flows.build(**options)


def test_layers_that_cannot_be():
    with pytest.raises(OptionError, match="odd integer >= 1; got 2"):
        EmergingConv(2)
    with pytest.raises(ShapeError, match="at least 4 channels"):
        FincConv().init(np.random.default_rng(0), np.ones((1, 3, 2, 2)))
    with pytest.raises(OptionError, match="triangle must be one of lower, upper; got 'left'"):
        InvertibleConv(triangle="left")


def test_groups_of_finc_follow_array_split_and_their_corners():
    """Each group is the causal convolution with its corner, and reads no other group."""
    layer = FincConv(2)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 7, 3, 4))
    params = perturbed(layer.init(rng, x))
    y, _ = layer.forward(params, x)
    for conv_params, part, result, corner in zip(
        params, np.array_split(x, 4, axis=1), np.array_split(y, 4, axis=1), CORNERS, strict=True
    ):
        kernel = InvertibleConv(2, corner_block="unit").kernel(conv_params)
        np.testing.assert_allclose(cr.conv(part, kernel, corner=corner), result, atol=1e-12)


def _leaves(tree):
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list | tuple):
        return [leaf for branch in tree for leaf in _leaves(branch)]
    return [tree]
