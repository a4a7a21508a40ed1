"""What coupling networks are made of: a centred convolution, ReLU and log-sigmoid.

The convolution here is the ordinary one, zero-padded on all sides, with any number of channels in
and out. It need not be invertible. With images batch-last, a tap is one contiguous shift and the
sum over channels one matrix product (GEMM), whichever side has fewer channels being shifted:

    fewer inputs:   the shifted inputs of all taps stacked, then one GEMM;
    fewer outputs:  one GEMM to the outputs of all taps, which are then shifted and added.
"""

import autograd.numpy as anp
import numpy as np
from autograd.extend import defjvp, defvjp, primitive


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
