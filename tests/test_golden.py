"""Cases computed with the authors' released layers; tests/data/README.md describes the arrays."""

from pathlib import Path

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref.bijections import (
    AdditiveCoupling,
    AffineCoupling,
    EmergingConv,
    InvertibleConv,
    QuadCoupling,
)

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


def _positive(kernel, anchor):
    """Signs of the rows, and the kernel without them: the layers' diagonals are positive."""
    signs = np.sign(np.diagonal(kernel[:, :, *anchor]))
    return signs, signs[:, None, None, None] * kernel


def _layer_params(layer, kernel):
    """The parameters whose kernel this is, every entry that is free put in its place."""
    channels, _, _, width = kernel.shape
    p, q = layer.anchor
    block = kernel[:, :, p, q]
    triangle = (np.tril_indices if layer.triangle == "lower" else np.triu_indices)(
        channels, -1 if layer.triangle == "lower" else 1
    )
    params = {
        "taps": kernel.reshape(channels, channels, -1)[:, :, : p * width + q],
        layer.triangle: block[triangle],
        "log_diagonal": np.log(np.diagonal(block)),
    }
    np.testing.assert_allclose(layer.kernel(params), kernel, rtol=0, atol=1e-15)
    return params


def _check_layer(case, layer, params, signs):
    """z = signs * layer(x) + bias: the released diagonals may be negative."""
    signs = signs[None, :, None, None]
    _check(
        case,
        lambda x: signs * layer.forward(params, x)[0],
        lambda y: layer.inverse(params, signs * y)[0],
        layer.forward(params, case["x"])[1],
    )
    np.testing.assert_allclose(layer.inverse(params, case["x"])[1], -case["log_det"], rtol=1e-12)


@pytest.mark.parametrize("name", ["cinc_conv_0", "cinc_conv_1", "cinc_conv_2"])
def test_cinc_layer(name):
    case = np.load(DATA / f"{name}.npz")
    size = case["kernel"].shape[2:]
    layer = InvertibleConv(size, dilation=int(case["dilation"]), triangle="upper")
    signs, kernel = _positive(case["kernel"], layer.anchor)
    _check_layer(case, layer, _layer_params(layer, kernel), signs)


@pytest.mark.parametrize("name", ["autoregressive_conv_0", "autoregressive_conv_1"])
def test_autoregressive_layer(name):
    case = np.load(DATA / f"{name}.npz")
    dilation = int(case["dilation"])
    layer = InvertibleConv((2, 3), anchor=(1, 1), dilation=dilation, triangle="upper")
    signs, kernel = _positive(case["kernel_masked_full"][:, :, :2], (1, 1))
    _check_layer(case, layer, _layer_params(layer, kernel), signs)


@pytest.mark.parametrize("name", ["emerging_conv_0", "emerging_conv_1"])
def test_emerging_layer(name):
    """The signs of the first convolution move through the second, K2 S1 = S1 (S1 K2 S1)."""
    case = np.load(DATA / f"{name}.npz")
    layer = EmergingConv(int(case["ksize"]), dilation=int(case["dilation"]))
    first, second = layer.layers
    between, k1 = _positive(case["kernel1_masked"][:, :, 1:, 1:][:, :, ::-1, ::-1], first.anchor)
    turned = np.einsum("o,ocab,c->ocab", between, case["kernel2_masked"][:, :, :2, :2], between)
    signs, k2 = _positive(turned, second.anchor)
    params = [_layer_params(first, k1), _layer_params(second, k2)]
    _check_layer(case, layer, params, signs * between)


@pytest.mark.parametrize("name", ["autoregressive_conv_1", "emerging_conv_1"])
def test_released_kernels_in_a_dense_corner_block_need_no_signs(name):
    case = np.load(DATA / f"{name}.npz")
    if name.startswith("emerging"):
        layer = EmergingConv(corner_block="dense")
        kernels = [
            case["kernel1_masked"][:, :, 1:, 1:][:, :, ::-1, ::-1],
            case["kernel2_masked"][:, :, :2, :2],
        ]
        params = [{"taps": _taps(k, 3), "corner": k[:, :, 1, 1]} for k in kernels]
    else:
        layer = InvertibleConv((2, 3), anchor=(1, 1), corner_block="dense")
        kernel = case["kernel_masked_full"]
        params = {"taps": _taps(kernel, 4), "corner": kernel[:, :, 1, 1]}
    _check_layer(case, layer, params, np.ones(4))


def _taps(kernel, count):
    return kernel.reshape(*kernel.shape[:2], -1)[:, :, :count]


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
