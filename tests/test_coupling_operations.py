"""The fused operations of couplings and actnorm, against loops, SciPy and their own expressions."""

from itertools import chain

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import correlate

from cinc_ref.kernels.stacked_convs import COLUMNS, Layer
from cinc_ref.primitives import affine_coupling as affine_coupling_module
from cinc_ref.primitives import coupling_network as coupling_network_module
from cinc_ref.primitives.affine_coupling import affine_coupling, log_scale_sum
from cinc_ref.primitives.coupling_network import coupling_network, network_layers
from cinc_ref.primitives.layers import layer_gradients, same_conv, scale_channels


def arguments(images=2, inputs=3, size=(3, 4), width=5, outputs=2, k=3, dtype=np.float64):
    """Images and parameters of a network, none of them near zero."""
    rng = np.random.default_rng(3)
    shapes = [
        (images, inputs, *size),
        (width, inputs, k, k),
        (1, width, *size),
        (width, width, 1, 1),
        (width,),
        (outputs, width, k, k),
        (outputs,),
    ]
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def check_every_gradient(operation, *values):
    """Finite differences to second order, both modes, in all arguments (not the first alone)."""
    every = tuple(range(len(values)))
    check_grads(operation, every, modes=["fwd", "rev"], order=2)(*values)


def correlated(x, weight):
    """Zero-padded cross-correlation, by SciPy."""
    k = weight.shape[2] // 2
    padded = np.pad(x, ((0, 0), (0, 0), (k, k), (k, k)))
    return np.array(
        [[correlate(image, w, "valid")[0] for w in weight] for image in padded]
    ).reshape(len(x), len(weight), *x.shape[2:])


def network_by_scipy(x, first, position, second, second_bias, last, last_bias):
    h = np.maximum(correlated(x, first) + position, 0)
    h = np.maximum(correlated(h, second) + second_bias[:, None, None], 0)
    return correlated(h, last) + last_bias[:, None, None]


SHAPES = [  # images, inputs, (H, W), width, outputs, k
    (0, 2, (2, 2), 3, 2, 3),
    (1, 1, (1, 1), 1, 1, 3),
    (1, 3, (1, 4), 4, 5, 3),
    (2, 5, (3, 2), 3, 2, 3),
    (3, 2, (4, 3), 5, 3, 1),
    (1, 2, (5, 7), 2, 3, 5),
    (1, 1, (13, 11), 2, 1, 3),  # several tiles of one image
    (11, 1, (13, 11), 2, 13, 3),  # several fillings of the planes, the last one in part
    (COLUMNS + 5, 1, (2, 1), 2, 2, 3),  # several tiles of images
]


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-12), (np.float32, 1e-4)])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_network_is_that_of_scipy(shape, dtype, tolerance):
    values = arguments(*shape, dtype=dtype)
    before = [value.copy() for value in values]
    y = coupling_network(*values)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, network_by_scipy(*before), rtol=tolerance, atol=tolerance)
    assert all(np.array_equal(a, b) for a, b in zip(values, before, strict=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("inputs, size", [(3, (4, 4)), (6, (16, 16)), (1, (3, 1))])
def test_bits_do_not_depend_on_the_other_images(inputs, size, dtype):
    """Nor does one convolution of a network, which priors have."""
    values = arguments(19, inputs, size, width=13, outputs=7, dtype=dtype)
    y, h = coupling_network(*values), same_conv(*values[:2])
    for n in (1, 2, 5, 16, 18):
        first, last = values[0][:n], values[0][-n:]
        assert np.array_equal(coupling_network(first, *values[1:]), y[:n])
        assert np.array_equal(coupling_network(last, *values[1:]), y[-n:])
        assert np.array_equal(same_conv(first, values[1]), h[:n])


def gradients_by_definition(g, x, layers):
    """Gradients of <g, layers(x)> by x and by each weight and bias, from the definition."""
    read = [x]
    for weight, bias, rectified in layers:
        y = correlated(read[-1], weight) + bias.reshape(len(bias), *(bias.shape[1:] or (1, 1)))
        read.append(np.maximum(y, 0) if rectified else y)
    of_layers = []
    for k, (weight, bias, _) in reversed(list(enumerate(layers))):
        side, h = weight.shape[2], read[k]
        zeros = side // 2, side // 2
        windows = sliding_window_view(
            np.pad(h, ((0, 0), (0, 0), zeros, zeros)), (side, side), (2, 3)
        )
        weight_bar = np.einsum("nohw,nchwij->ocij", g, windows)
        of_layers.insert(0, (weight_bar, g.sum(axis=(0, 2, 3) if bias.ndim == 1 else 0)))
        g = correlated(g, weight[:, :, ::-1, ::-1].swapaxes(0, 1))
        if k and layers[k - 1].relu:
            g = g * (h > 0)
    return g, of_layers


def assert_same_gradients(ours, expected, dtype):
    """Compare gradients by x and [(weight, bias), ...], relative to the largest of each array."""
    tolerance = {np.float32: 1e-5, np.float64: 1e-13}[dtype]
    ours, expected = ([x_bar, *chain(*of_layers)] for x_bar, of_layers in (ours, expected))
    for a, b in zip(ours, expected, strict=True):
        assert a.shape == b.shape and a.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * abs(b).max(initial=1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients_of_a_network_are_those_of_the_definition(shape, dtype):
    values = [v.astype(dtype) for v in arguments(*shape)]
    g = np.random.default_rng(1).normal(size=coupling_network(*values).shape).astype(dtype)
    every = tuple(range(len(values)))
    x, first, position, *rest = grad(lambda *v: anp.sum(g * coupling_network(*v)), every)(*values)
    ours = x, [(first, position[0]), tuple(rest[:2]), tuple(rest[2:])]
    exact = [v.astype(np.float64) for v in values]
    expected = gradients_by_definition(g.astype(np.float64), exact[0], network_layers(*exact[1:]))
    assert_same_gradients(ours, expected, dtype)


STACKS = [  # channels from the images on, sides of the kernels, biases by pixel, ReLU
    ([2, 3], [3], [False], [False]),
    ([7, 1], [5], [True], [False]),
    ([3, 5, 2], [3, 3], [False, True], [False, False]),
    ([2, 9, 4, 5], [3, 1, 5], [True, False, True], [True, False, False]),
    ([1, 3, 3, 8, 2], [1, 3, 3, 1], [False, True, True, False], [False, True, True, False]),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("images, size", [(1, (6, 5)), (3, (1, 4)), (13, (10, 10))])
@pytest.mark.parametrize("stack", STACKS, ids=str)
def test_gradients_of_any_layers_are_those_of_the_definition(stack, images, size, dtype):
    """With linear hidden layers, and biases by pixel anywhere, which networks do not have."""
    rng = np.random.default_rng(8)
    channels, *kinds = stack
    layers = [
        Layer(
            rng.normal(size=(o, c, side, side)),
            rng.normal(size=(o, *size) if by_pixel else o),
            rectified,
        )
        for c, o, side, by_pixel, rectified in zip(channels, channels[1:], *kinds, strict=False)
    ]
    x, g = (rng.normal(size=(images, count, *size)) for count in (channels[0], channels[-1]))
    narrow = [Layer(w.astype(dtype), b.astype(dtype), r) for w, b, r in layers]
    ours = layer_gradients(g.astype(dtype), x.astype(dtype), narrow)
    assert_same_gradients(ours, gradients_by_definition(g, x, layers), dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradient_of_an_image_does_not_depend_on_the_others(dtype):
    """Neither do its bits, nor does a NaN of another image reach it."""
    values = arguments(37, 3, (6, 6), width=13, outputs=7, dtype=dtype)
    x, layers = values[0], network_layers(*values[1:])
    g = np.random.default_rng(2).normal(size=(37, 7, 6, 6)).astype(dtype)
    x_bar, _ = layer_gradients(g, x, layers)
    for n in (1, 5, 20):
        assert np.array_equal(layer_gradients(g[:n], x[:n], layers)[0], x_bar[:n])
        assert np.array_equal(layer_gradients(g[-n:], x[-n:], layers)[0], x_bar[-n:])
    x[3, 0, 2, 2] = g[4, 1, 0, 0] = np.nan
    others = np.delete(np.arange(37), [3, 4])
    assert np.array_equal(layer_gradients(g, x, layers)[0][others], x_bar[others])


def test_network_to_second_order_in_both_modes():
    check_every_gradient(coupling_network, *arguments(outputs=4))


@given(seed=st.integers(0, 99), order=st.sampled_from(["C", "F", "batch last", "strided"]))
def test_memory_order_changes_nothing(seed, order):
    values = arguments()
    x = values[0]
    laid_out = {
        "C": np.ascontiguousarray,
        "F": np.asfortranarray,
        "batch last": lambda a: np.ascontiguousarray(a.transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2),
        "strided": lambda a: np.repeat(a, 2, axis=3)[..., ::2],
    }[order](x)
    assert np.array_equal(coupling_network(laid_out, *values[1:]), coupling_network(*values))
    h = np.random.default_rng(seed).normal(size=(len(x), 4, *x.shape[2:]))
    for inverse in (False, True):
        assert np.array_equal(
            affine_coupling(laid_out, h, 1, inverse), affine_coupling(x, h, 1, inverse)
        )


def test_not_a_number_is_not_silenced():
    values = arguments()
    values[0][1, 0, 0, 0] = np.nan
    y = coupling_network(*values)
    assert np.isnan(y[1, :, 0, 0]).all() and np.isfinite(y[0]).all()


def test_gradients_leave_what_they_are_given():
    x, h = arguments()[0], np.random.default_rng(2).normal(size=(2, 4, 3, 4))
    values = arguments()
    cases = [
        (coupling_network_module._gradients, coupling_network(*values), values),
        (affine_coupling_module._gradients, affine_coupling(x, h, 1, False), (x, h, 1, False)),
        (affine_coupling_module._gradients, affine_coupling(x, h, 1, True), (x, h, 1, True)),
    ]
    for gradients, result, given_values in cases:
        g = np.random.default_rng(4).normal(size=result.shape)
        arrays = [g, result, *(v for v in given_values if isinstance(v, np.ndarray))]
        before = [a.copy() for a in arrays]
        first = gradients(g, result, *given_values)
        assert all(np.array_equal(a, b) for a, b in zip(arrays, before, strict=True))
        assert not any(np.shares_memory(a, b) for a in first for b in arrays)
        again = gradients(g, result, *given_values)
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("start", [0, 1, 3])
def test_coupling_by_hand(start):
    rng = np.random.default_rng(0)
    x, h = rng.normal(size=(3, 5, 2, 3)), rng.normal(size=(3, 4, 2, 3))
    s = 1 / (1 + np.exp(-(h[:, 2:] + 2)))
    expected = x.copy()
    expected[:, start : start + 2] = (x[:, start : start + 2] + h[:, :2]) * s
    y = affine_coupling(x, h, start, False)
    np.testing.assert_allclose(y, expected, rtol=1e-13)
    np.testing.assert_allclose(affine_coupling(y, h, start, True), x, rtol=1e-12)
    np.testing.assert_allclose(log_scale_sum(h), np.log(s).sum(axis=(1, 2, 3)), rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_scales_stay_finite(dtype):
    h = np.array([-200, -90, -2, 0, 60, 200], dtype).reshape(6, 1, 1, 1).repeat(2, axis=1)
    expected = -np.logaddexp(0, -(h[:, 1, 0, 0].astype(float) + 2))
    log_det = log_scale_sum(h)
    assert log_det.dtype == dtype
    np.testing.assert_allclose(log_det, expected, rtol=1e-6, atol=1e-25)
    slope = grad(lambda h: anp.sum(log_scale_sum(h)))(h)
    assert slope.dtype == dtype and not slope[:, 0].any()
    np.testing.assert_allclose(slope[:, 1, 0, 0], np.exp(-np.logaddexp(0, h[:, 1, 0, 0] + 2.0)))
    assert np.isfinite(affine_coupling(h, h, 0, False)).all()


@pytest.mark.parametrize("inverse", [False, True])
def test_couplings_to_second_order_in_both_modes(inverse):
    rng = np.random.default_rng(5)
    x, h = rng.normal(size=(2, 5, 2, 1)), 2 * rng.normal(size=(2, 4, 2, 1)) - 2  # both sides of -2
    check_every_gradient(lambda x, h: affine_coupling(x, h, 1, inverse), x, h)
    check_every_gradient(log_scale_sum, h)


def test_scaled_channels_by_hand_and_to_second_order():
    rng = np.random.default_rng(6)
    x, before, scale, after = (rng.normal(size=s) for s in ((2, 3, 2, 4), 3, 3, 3))
    expected = np.einsum("nchw,c->nchw", x + before.reshape(1, 3, 1, 1), scale)
    expected += after.reshape(1, 3, 1, 1)
    np.testing.assert_allclose(scale_channels(x, before, scale, after), expected, rtol=1e-13)
    check_every_gradient(scale_channels, x, before, scale, after)


def test_float32_stays_float32_to_second_order():
    values = [np.float32(0.3) * v for v in arguments(dtype=np.float32)]

    def loss(*v):
        h = coupling_network(*v)
        y = affine_coupling(
            scale_channels(v[0], v[0][0, :, 0, 0], v[0][1, :, 0, 0], v[4][:3]), h, 1, True
        )
        return anp.sum(y**2) + anp.sum(log_scale_sum(h) ** 2)

    for k in range(len(values)):
        first = grad(loss, k)
        assert first(*values).dtype == np.float32
        assert grad(lambda *v, k=k: anp.sum(grad(loss, k)(*v) ** 2), k)(*values).dtype == np.float32


@pytest.mark.parametrize("images, inputs, outputs, k", [(0, 2, 3, 3), (3, 2, 4, 3), (2, 5, 2, 5)])
def test_centred_convolution_is_that_of_scipy(images, inputs, outputs, k):
    rng = np.random.default_rng(7)
    x, weight = rng.normal(size=(images, inputs, 3, 4)), rng.normal(size=(outputs, inputs, k, k))
    np.testing.assert_allclose(same_conv(x, weight), correlated(x, weight), rtol=1e-12, atol=1e-12)
