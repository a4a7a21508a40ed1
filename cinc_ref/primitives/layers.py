"""Layers of coupling networks: a centred convolution, ReLU and log-sigmoid.

The convolution here is the ordinary one, zero-padded on all sides, with any number of channels in
and out. It need not be invertible.
"""

import autograd.numpy as anp
import numpy as np
from autograd.extend import defjvp, defvjp, primitive

from cinc_ref._typing import FloatArray
from cinc_ref.kernels import elementwise, stacked_conv_gradients, stacked_convs
from cinc_ref.primitives.fused import define_fused
from cinc_ref.primitives.memory_order import (
    as_native_contiguous,
    as_pixels,
    by_channel,
    from_pixels,
)

__all__ = [
    "add_bias",
    "apply_layers",
    "layer_gradients",
    "log_sigmoid",
    "relu",
    "same_conv",
    "scale_channels",
]


@primitive
def same_conv(x: FloatArray, weight: FloatArray) -> FloatArray:
    """Cross-correlate images (N, C, H, W) with a weight (O, C, k, k), k odd, zero-padded."""
    bias = np.zeros(len(weight), weight.dtype)
    return apply_layers(x, [stacked_convs.Layer(weight, bias, False)])


def apply_layers(x: FloatArray, layers: list[stacked_convs.Layer]) -> FloatArray:
    """Apply convolutions with biases and ReLU one after the other to images (N, C, H, W)."""
    convs = stacked_convs.prepare(layers, x.shape[2:], len(x), np.result_type(x, layers[0].weight))
    packed = stacked_convs.pack(convs, layers)
    y = stacked_convs.apply(convs, packed, as_pixels(x).astype(packed.dtype, copy=False))
    return from_pixels(y, x.shape[2:])


def layer_gradients(
    g: FloatArray, x: FloatArray, layers: list[stacked_convs.Layer]
) -> tuple[FloatArray, list[tuple[FloatArray, FloatArray]]]:
    """Return gradients of <g, apply_layers(x)>: by x, and by weight and bias of each layer.

    No ReLU follows the last layer.
    """
    dtype = np.result_type(x, layers[0].weight)
    images, gradients = (as_pixels(a).astype(dtype, copy=False) for a in (x, g))
    x_bar, of_layers = stacked_conv_gradients.gradients(layers, images, x.shape[2:], gradients)
    return from_pixels(x_bar, x.shape[2:]), of_layers


@primitive
def same_conv_weight_grad(x: FloatArray, g: FloatArray, k: int) -> FloatArray:
    """Return the weight (O, C, k, k) of the linear form w -> <g, same_conv(x, w)>."""
    channels, outputs = x.shape[1], g.shape[1]
    zeros = np.zeros((outputs, channels, k, k), g.dtype)
    # the gradient by x comes with it, and is a small part of a network's
    _, ((weight, _),) = layer_gradients(
        g, x, [stacked_convs.Layer(zeros, zeros[:, 0, 0, 0], False)]
    )
    return weight


@primitive
def adjoint_weight(weight: FloatArray) -> FloatArray:
    """Return the weight whose same_conv is the transpose of that of `weight`."""
    return weight[:, :, ::-1, ::-1].swapaxes(0, 1)


defvjp(adjoint_weight, lambda ans, weight: lambda g: adjoint_weight(g))
defjvp(adjoint_weight, lambda g, ans, weight: adjoint_weight(g))

defvjp(
    same_conv,
    lambda y, x, weight: lambda g: same_conv(g, adjoint_weight(weight)),
    lambda y, x, weight: lambda g: same_conv_weight_grad(x, g, weight.shape[2]),
)
defjvp(
    same_conv,
    lambda g, y, x, weight: same_conv(g, weight),
    lambda g, y, x, weight: same_conv(x, g),
)

# <g, weight gradient of (x, u)> = <u, same_conv(x, g)>
defvjp(
    same_conv_weight_grad,
    lambda ans, x, u, k: lambda g: same_conv(u, adjoint_weight(g)),
    lambda ans, x, u, k: lambda g: same_conv(x, g),
)
defjvp(
    same_conv_weight_grad,
    lambda g, ans, x, u, k: same_conv_weight_grad(g, u, k),
    lambda g, ans, x, u, k: same_conv_weight_grad(x, g, k),
)


@primitive
def add_bias(x: FloatArray, bias: FloatArray) -> FloatArray:
    """Return x[n, c, i, j] + bias[c]."""
    return x + bias[:, None, None]


defvjp(
    add_bias,
    lambda y, x, bias: lambda g: g,
    lambda y, x, bias: lambda g: anp.sum(g, axis=(0, 2, 3)),
)
defjvp(
    add_bias,
    lambda g, y, x, bias: g,
    lambda g, y, x, bias: add_bias(anp.zeros_like(y), g),
)


@primitive
def relu(x: FloatArray) -> FloatArray:
    """Return max(x, 0)."""
    return np.maximum(x, 0)


defvjp(relu, lambda y, x: lambda g: g * (y > 0))
defjvp(relu, lambda g, y, x: g * (y > 0))


@primitive
def log_sigmoid(x: FloatArray) -> FloatArray:
    """Return log(1 / (1 + exp(-x))), finite for finite x; its derivative is sigmoid(-x)."""
    return -np.logaddexp(0, -x)


defvjp(log_sigmoid, lambda y, x: lambda g: g * anp.exp(log_sigmoid(-x)))
defjvp(log_sigmoid, lambda g, y, x: g * anp.exp(log_sigmoid(-x)))


@primitive
def scale_channels(
    x: FloatArray, before: FloatArray, scale: FloatArray, after: FloatArray
) -> FloatArray:
    """Return (x + before) * scale + after, with one number for each channel in all three."""
    pixels = as_pixels(x)
    numbers = [as_native_contiguous(a, a.dtype) for a in (before, scale, after)]
    y = np.empty(pixels.shape, np.result_type(pixels, *numbers))
    elementwise.scale_channels(by_channel(pixels), *numbers, by_channel(y))
    return from_pixels(y, x.shape[2:])


def _scale_channels(x, before, scale, after):
    return add_bias(add_bias(x, before) * scale[:, None, None], after)


def _scale_channels_gradients(g, y, x, before, scale, after):
    rows, images = (as_pixels(a).reshape(len(scale), -1) for a in (g, x))
    total = rows.sum(axis=1)
    with_images = (rows[:, None, :] @ images[:, :, None]).ravel()
    zeros = np.zeros_like(scale)
    return (
        scale_channels(g, zeros, scale, zeros),
        total * scale,
        with_images + before * total,
        total,
    )


define_fused(scale_channels, _scale_channels, _scale_channels_gradients)
