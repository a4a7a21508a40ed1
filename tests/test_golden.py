"""Cases computed with the authors' released layers; tests/data/README.md describes the arrays."""

from pathlib import Path

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref.bijections import AdditiveCoupling, AffineCoupling, QuadCoupling

DATA = Path(__file__).parent / "data"


def _bias(case):
    return case["bias"][None, :, None, None]


def _check(case, operation, inverse, log_det):
    z = operation(case["x"]) + _bias(case)
    np.testing.assert_allclose(z, case["z"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(case["log_det"], np.broadcast_to(log_det, len(z)), rtol=1e-12)
    np.testing.assert_allclose(inverse(case["z"] - _bias(case)), case["x"], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(case["x_recovered_float32"], case["x"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["cinc_conv_0", "cinc_conv_1", "cinc_conv_2"])
def test_cinc(name):
    case = np.load(DATA / f"{name}.npz")
    kernel, dilation = case["kernel"], int(case["dilation"])
    _check(
        case,
        lambda x: cr.conv(x, kernel, dilation=dilation),
        lambda y: cr.conv_inverse(y, kernel, dilation=dilation),
        cr.log_abs_det(kernel, case["x"].shape[2:]),
    )


@pytest.mark.parametrize("name", ["autoregressive_conv_0", "autoregressive_conv_1"])
def test_autoregressive(name):
    case = np.load(DATA / f"{name}.npz")
    kernel = case["kernel_masked_full"][:, :, :2]
    options = {"dilation": int(case["dilation"]), "anchor": (1, 1)}
    _check(
        case,
        lambda x: cr.conv(x, kernel, **options),
        lambda y: cr.conv_inverse(y, kernel, **options),
        cr.log_abs_det(kernel, case["x"].shape[2:], anchor=(1, 1)),
    )


@pytest.mark.parametrize("name", ["emerging_conv_0", "emerging_conv_1"])
def test_emerging_is_two_quadrants(name):
    case = np.load(DATA / f"{name}.npz")
    first = case["kernel1_masked"][:, :, 1:, 1:][:, :, ::-1, ::-1]
    second = case["kernel2_masked"][:, :, :2, :2]
    size, dilation = case["x"].shape[2:], int(case["dilation"])
    back = {"corner": "bottom-right", "dilation": dilation}
    _check(
        case,
        lambda x: cr.conv(cr.conv(x, first, **back), second, dilation=dilation),
        lambda y: cr.conv_inverse(cr.conv_inverse(y, second, dilation=dilation), first, **back),
        cr.log_abs_det(first, size) + cr.log_abs_det(second, size),
    )


def _coupling_params(case, names, interleaved=True):
    """The released networks as ours: no bias, and shift before scale instead of interleaved."""
    networks = []
    for name in names:
        first, second, last = (case[f"net_{name}.{part}"] for part in ("1", "2", "last"))
        if interleaved:
            last = np.concatenate([last[0::2], last[1::2]])
        network = {
            layer: {"weight": weight, "bias": np.zeros(len(weight))}
            for layer, weight in (("first", first), ("second", second), ("last", last))
        }
        network["first"]["border"] = np.zeros((len(first), 1, 3, 3))
        networks.append(network)
    return networks


@pytest.mark.parametrize(
    "name, layer, networks",
    [
        ("additive", AdditiveCoupling, ["f1"]),
        ("affine", AffineCoupling, ["f1"]),
        ("quad", QuadCoupling, ["f1", "f2", "f3"]),
    ],
)
def test_couplings(name, layer, networks):
    case = np.load(DATA / f"{name}_coupling.npz")
    layer = layer(width=6, unchanged="first")
    params = _coupling_params(case, networks, interleaved=name != "additive")
    y, log_det = layer.forward(params, case["x"])
    np.testing.assert_allclose(y, case["y"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(log_det, case["log_det"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(layer.inverse(params, case["y"])[0], case["x"], atol=1e-12)
