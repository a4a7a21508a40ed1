"""The conditioning of a flow's inverses: by layer, during training, and when one fails."""

import warnings

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref.bijections import InvertibleConv
from cinc_ref.errors import IllConditionedWarning, OptionError, ParamsError
from cinc_ref.evaluation import cast
from cinc_ref.flows.conditioning import named_convolutions, worst_conditioned
from tests.support.registry import perturbed


def _flow(**options):
    flow = cr.flows.build("cinc", "affine", (1, 8, 8), 2, 2, 4, 17, **options)
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (3, 1, 8, 8))
    return flow, perturbed(flow.init(np.random.default_rng(0), x), 0.05), x


def _ill_conditioned(growth, dtype=np.float64):
    """A flow whose convolution in level 1, step 2 has a tap far larger than its corner."""
    flow, params, x = _flow()
    params["levels"][0][2][1]["taps"][0, 0, :] = growth
    return flow, cast(params, dtype), x.astype(dtype)


def _latents(flow, dtype=np.float64):
    rng = np.random.default_rng(1)
    return [rng.normal(size=(2, *shape)).astype(dtype) for shape in flow.latent_shapes]


def test_stability_names_every_convolution_and_its_image_size():
    flow, params, _ = _flow()
    table = flow.stability(params)
    assert list(table) == [
        f"level {level}, step {step}, InvertibleConv" for level in (1, 2) for step in (1, 2)
    ]
    assert [found.size for found in table.values()] == [(4, 4), (4, 4), (2, 2), (2, 2)]
    for (name, _, kernel, size), found in zip(
        named_convolutions(flow, params), table.values(), strict=True
    ):
        matrix = cr.convolution_matrix(kernel, size)
        expected = np.linalg.cond(matrix, 1)
        np.testing.assert_allclose(found.condition_number, expected, rtol=1e-9, err_msg=name)


def test_parameters_of_a_layer_too_many_are_refused():
    flow, params, _ = _flow()
    params["levels"][0].append(params["levels"][0][-1])
    with pytest.raises(ParamsError, match="levels/0/3/0/bias is unknown"):
        flow.stability(params)


def test_the_worst_layer_is_the_one_that_was_made_bad():
    flow, params, _ = _ill_conditioned(5.0)
    name, condition, digits = worst_conditioned(flow, params)
    assert name == "level 1, step 2, InvertibleConv"
    assert condition == flow.stability(params)[name].condition_number > 1e4
    assert digits < 14


@pytest.mark.parametrize("worst", [1, 2])
def test_of_two_layers_that_keep_no_digits_the_worse_conditioned_is_named(worst):
    flow, params, _ = _ill_conditioned(1e5, np.float32)
    for step in (1, 2):
        params["levels"][0][step][1]["taps"][0, 0, :] = 1e6 if step == worst else 1e5
    table = flow.stability(params)
    assert all(found.digits(np.float32) == 0 for found in list(table.values())[:2])
    name, condition, digits = worst_conditioned(flow, params)
    assert name == f"level 1, step {worst}, InvertibleConv" and digits == 0
    assert condition == max(found.condition_number for found in table.values())


def test_decode_with_check_is_silent_on_good_layers_and_changes_nothing():
    flow, params, _ = _flow()
    latents = _latents(flow)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checked = flow.decode(params, latents, check=True)
    assert np.array_equal(checked, flow.decode(params, latents))


def test_decode_with_check_names_the_layer_its_condition_and_its_digits():
    flow, params, _ = _ill_conditioned(30.0, np.float32)
    with pytest.warns(IllConditionedWarning, match="level 1, step 2, InvertibleConv") as caught:
        flow.decode(params, _latents(flow, np.float32), check=True)
    warning = caught[0].message
    assert caught[0].filename == __file__  # not a line of the package
    assert warning.layer == "level 1, step 2, InvertibleConv"
    assert warning.condition_number > 1e6 and warning.digits < 3


@pytest.mark.filterwarnings("ignore:overflow|invalid:RuntimeWarning")
@pytest.mark.parametrize("check", [False, True])
def test_what_is_not_finite_is_never_returned_in_silence(check):
    flow, params, _ = _ill_conditioned(1e18, np.float32)
    with pytest.warns(IllConditionedWarning, match="level 1, step 2.*is not finite"):
        images = flow.decode(params, _latents(flow, np.float32), check=check)
    assert not np.isfinite(images).all()


@pytest.mark.filterwarnings("ignore:overflow|invalid:RuntimeWarning")
def test_a_layer_that_is_no_convolution_is_named_too():
    flow, params, _ = _flow()
    params["levels"][1][1][0]["log_scale"][:] = -800  # the inverse of actnorm overflows
    with pytest.warns(IllConditionedWarning, match="level 2, step 1, ActNorm is not fin") as caught:
        flow.sample(params, np.random.default_rng(0), 2)
    files = [w.filename for w in caught if w.category is IllConditionedWarning]
    assert files == [__file__]


@pytest.mark.parametrize("corner_block", ["unit", "triangular", "plu", "dense"])
def test_stable_layers_hold_the_certificate_for_every_parameter_value(corner_block):
    layer = InvertibleConv(corner_block=corner_block, stable=True)
    rng = np.random.default_rng(3)
    x = rng.normal(size=(2, 4, 16, 16))
    for scale in (0.1, 1.0, 30.0):
        params = layer.init(rng, x)
        params["taps"] = scale * rng.normal(size=params["taps"].shape)
        found = cr.theory.stability(layer.kernel(params), (16, 16))
        assert found.certificate < 0.951 and found.verdict == "bounded"
        back, _ = layer.inverse(params, layer.forward(params, x)[0])
        np.testing.assert_allclose(back, x, rtol=1e-9, atol=1e-9)
    assert layer.count_parameters(4) == sum(leaf.size for leaf in params.values())


def test_a_stable_flow_says_so_in_its_configuration():
    flow, params, x = _flow(stable=True)
    assert cr.flows.build(**flow.config()) == flow
    assert all(found.certificate < 1 for found in flow.stability(params).values())
    np.testing.assert_allclose(flow.decode(params, flow.encode(params, x)), x, atol=1e-9)
    with pytest.raises(OptionError, match="stable must be True or False; got 1"):
        cr.flows.build(stable=1)


def test_parameter_counts_of_the_theory_are_those_of_the_layers():
    for corner_block, system in (("triangular", "CInC"), ("unit", "CInC, unit")):
        counts = {row["system"]: row["parameters"] for row in cr.theory.parameter_counts(12)}
        assert counts[system] == InvertibleConv(corner_block=corner_block).count_parameters(12)


def test_training_logs_the_worst_layer():
    flow, _, _ = _flow()
    images = np.random.default_rng(0).integers(0, 17, (20, 1, 8, 8))
    result = cr.train(flow, images[:16], images[16:], steps=1, batch_size=8)
    for row in result.history:
        assert row["worst_layer"].endswith("InvertibleConv")
        assert row["condition_number"] >= 1 and 0 < row["digits"] < 7
