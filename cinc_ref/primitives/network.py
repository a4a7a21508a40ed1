"""Coupling networks, and what they are made of: a centred convolution, ReLU and log-sigmoid.

The convolution here is the ordinary one, zero-padded on all sides, with any number of channels in
and out. It need not be invertible. With images batch-last, a tap is one contiguous shift and the
sum over channels one matrix product (GEMM), whichever side has fewer channels being shifted:

    fewer inputs:   the shifted inputs of all taps stacked, then one GEMM;
    fewer outputs:  one GEMM to the outputs of all taps, which are then shifted and added.
"""

import autograd.numpy as anp
import numpy as np
from autograd.extend import defjvp, defvjp, primitive
from autograd.tracer import isbox

from cinc_ref.kernels import network as kernels
from cinc_ref.primitives.arrays import as_pixels, from_pixels
from cinc_ref.primitives.fused import define_fused


@primitive
def same_conv(x, weight):
    """Cross-correlate images (N, C, H, W) with a weight (O, C, k, k), k odd, zero-padded."""
    images = _batch_last(x)
    channels, *pixels = images.shape
    outputs, _, k, _ = weight.shape
    if channels <= outputs or k == 1:
        rows = weight.transpose(0, 2, 3, 1).reshape(outputs, k * k * channels)
        y = rows @ _taps(images, k, 1).reshape(k * k * channels, -1)
        y = y.reshape(outputs, *pixels)
    else:
        rows = weight.transpose(2, 3, 0, 1).reshape(k * k * outputs, channels)
        products = (rows @ images.reshape(channels, -1)).reshape(k * k, outputs, *pixels)
        y = _add_taps(products, k)
    return y.transpose(3, 0, 1, 2)


@primitive
def same_conv_weight_grad(x, g, k):
    """The weight (O, C, k, k) of the linear form w -> <g, same_conv(x, w)>."""
    images, gradients = _batch_last(x), _batch_last(g)
    channels, outputs = len(images), len(gradients)
    if channels <= outputs:
        stacked = _taps(images, k, 1).reshape(k * k * channels, -1)
        weight = gradients.reshape(outputs, -1) @ stacked.T
        return weight.reshape(outputs, k, k, channels).transpose(0, 3, 1, 2)
    stacked = _taps(gradients, k, -1).reshape(k * k * outputs, -1)
    weight = stacked @ images.reshape(channels, -1).T
    return weight.reshape(k, k, outputs, channels).transpose(2, 3, 0, 1)


@primitive
def adjoint_weight(weight):
    """The weight whose same_conv is the transpose of that of `weight`."""
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
def add_bias(x, bias):
    """x[n, c, i, j] + bias[c]."""
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
def relu(x):
    """max(x, 0)."""
    return np.maximum(x, 0)


defvjp(relu, lambda y, x: lambda g: g * (y > 0))
defjvp(relu, lambda g, y, x: g * (y > 0))


@primitive
def log_sigmoid(x):
    """log(1 / (1 + exp(-x))), finite for every finite x; its derivative is sigmoid(-x)."""
    return -np.logaddexp(0, -x)


defvjp(log_sigmoid, lambda y, x: lambda g: g * anp.exp(log_sigmoid(-x)))
defjvp(log_sigmoid, lambda g, y, x: g * anp.exp(log_sigmoid(-x)))


def coupling_network(x, first, position, second, second_bias, last, last_bias):
    """Three convolutions with ReLU between them, on images (N, inputs, H, W).

    Parameters
    ----------
    x : ndarray, shape (N, inputs, H, W)
    first : ndarray, shape (width, inputs, k, k)
    position : ndarray, shape (1, width, H, W)
        The bias of the first layer, which may depend on the pixel.
    second : ndarray, shape (width, width, 1, 1)
    second_bias : ndarray, shape (width,)
    last : ndarray, shape (outputs, width, k, k)
    last_bias : ndarray, shape (outputs,)

    Returns
    -------
    ndarray, shape (N, outputs, H, W)
    """
    arguments = (x, first, position, second, second_bias, last, last_bias)
    hidden = [] if any(map(isbox, arguments)) else None
    return _network(*arguments, hidden)


@primitive
def _network(x, first, position, second, second_bias, last, last_bias, kept):
    """`coupling_network`; the hidden layers are appended to the list `kept`, unless it is None."""
    dtype = np.result_type(x, first)
    pixels = as_pixels(x).astype(dtype, copy=False)
    count, _, *size = x.shape
    width, columns = len(second), pixels.shape[1] * count
    if kept is None:
        columns = min(columns, kernels.COLUMNS)
    hidden = np.empty(2 * width * columns, dtype)
    y = kernels.network(
        pixels,
        tuple(size),
        _matrices(first, second, last, dtype),
        _native(position, dtype).reshape(width, -1),
        _native(second_bias, dtype)[:, None],
        _native(last_bias, dtype),
        hidden,
        kept is not None,
    )
    if kept is not None:
        kept.append(hidden)
    return from_pixels(y, size)


def _network_expression(x, first, position, second, second_bias, last, last_bias, kept):
    h = relu(same_conv(x, first) + position)
    h = relu(add_bias(same_conv(h, second), second_bias))
    return add_bias(same_conv(h, last), last_bias)


def _network_gradients(g, y, x, first, position, second, second_bias, last, last_bias, kept):
    dtype = kept[0].dtype
    outputs, width, k, _ = last.shape
    g = as_pixels(g).astype(dtype, copy=False)
    x_bar, matrices, position_bar, second_bias_bar = kernels.network_gradient(
        as_pixels(x).astype(dtype, copy=False),
        x.shape[2:],
        _matrices(first, second, last, dtype),
        kept[0],
        g,
    )
    first_bar, second_bar, last_bar = matrices
    return (
        from_pixels(x_bar, x.shape[2:]),
        first_bar.reshape(width, k, k, -1).transpose(0, 3, 1, 2),
        position_bar.reshape(position.shape),
        second_bar.reshape(second.shape),
        second_bias_bar.sum(axis=1),
        last_bar.reshape(k, k, outputs, width).transpose(2, 3, 0, 1),
        g.sum(axis=(1, 2)),
    )


define_fused(_network, _network_expression, _network_gradients)


def _matrices(first, second, last, dtype):
    """The weights as the kernels take them, taps before channels."""
    outputs, width, k, _ = last.shape
    return (
        _native(first.transpose(0, 2, 3, 1), dtype).reshape(width, -1),
        _native(second, dtype).reshape(width, width),
        _native(last.transpose(2, 3, 0, 1), dtype).reshape(k * k * outputs, width),
    )


def _native(array, dtype):
    return np.require(array, dtype, "CAW")


def _batch_last(images):
    """(N, C, H, W) as contiguous (C, H, W, N), without a copy where memory already lies so."""
    return np.ascontiguousarray(images.transpose(1, 2, 3, 0))


def _taps(images, k, sign):
    """(k*k, C, H, W, N): for each tap the image as the tap reads it, zeros outside."""
    if k == 1:
        return images[None]
    stacked = np.zeros((k * k, *images.shape), images.dtype)
    for tap, (a, b) in enumerate(np.ndindex(k, k)):
        down = _overlap(sign * (a - k // 2), images.shape[1])
        right = _overlap(sign * (b - k // 2), images.shape[2])
        stacked[tap][:, down[0], right[0]] = images[:, down[1], right[1]]
    return stacked


def _add_taps(products, k):
    """Sum over the taps of products (k*k, O, H, W, N), each shifted to the pixel that it is for."""
    total = np.zeros(products.shape[1:], products.dtype)
    for tap, (a, b) in enumerate(np.ndindex(k, k)):
        down = _overlap(a - k // 2, total.shape[1])
        right = _overlap(b - k // 2, total.shape[2])
        total[:, down[0], right[0]] += products[tap][:, down[1], right[1]]
    return total


def _overlap(offset, length):
    """Slices of the positions i and i + offset that both lie inside 0..length-1."""
    if abs(offset) >= length:
        return slice(0, 0), slice(0, 0)
    return (
        slice(max(0, -offset), length - max(0, offset)),
        slice(max(0, offset), length + min(0, offset)),
    )
