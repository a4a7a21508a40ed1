"""The network of a coupling as one operation, through all its layers tile by tile."""

import numpy as np
from autograd.extend import primitive

from cinc_ref._typing import FloatArray
from cinc_ref.kernels import coupling_network as kernels
from cinc_ref.kernels.stacked_convs import Layer
from cinc_ref.primitives.fused import define_fused
from cinc_ref.primitives.layers import add_bias, apply_layers, relu, same_conv
from cinc_ref.primitives.memory_order import as_native_contiguous, as_pixels, from_pixels

__all__ = ["coupling_network", "network_layers"]


@primitive
def coupling_network(
    x: FloatArray,
    first: FloatArray,
    position: FloatArray,
    second: FloatArray,
    second_bias: FloatArray,
    last: FloatArray,
    last_bias: FloatArray,
) -> FloatArray:
    """Apply three convolutions with ReLU between them to images (N, inputs, H, W).

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
    layers = network_layers(first, position, second, second_bias, last, last_bias)
    return apply_layers(x, layers)


def network_layers(
    first: FloatArray,
    position: FloatArray,
    second: FloatArray,
    second_bias: FloatArray,
    last: FloatArray,
    last_bias: FloatArray,
) -> list[Layer]:
    """Return the layers of a network, whose arguments are those of `coupling_network`."""
    return [
        Layer(first, position[0], True),
        Layer(second, second_bias, True),
        Layer(last, last_bias, False),
    ]


def _layers(x, first, position, second, second_bias, last, last_bias):
    h = relu(same_conv(x, first) + position)
    h = relu(add_bias(same_conv(h, second), second_bias))
    return add_bias(same_conv(h, last), last_bias)


def _gradients(g, y, *arguments_of_y):
    x, first, position, second, second_bias, last, _ = arguments_of_y
    outputs, width, k, _ = last.shape
    arguments = _to_kernel_layout(x, first, position, second, second_bias, last)
    g = as_pixels(g).astype(arguments[0].dtype, copy=False)
    x_bar, matrices, position_bar, second_bias_bar = kernels.network_gradient(*arguments, g)
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


define_fused(coupling_network, _layers, _gradients)


def _to_kernel_layout(x, first, position, second, second_bias, last):
    """Return images, their size, weights as matrices with taps before channels, and biases."""
    outputs, width, k, _ = last.shape
    images = as_pixels(x).astype(np.result_type(x, first), copy=False)
    matrices = (
        as_native_contiguous(first.transpose(0, 2, 3, 1), images.dtype).reshape(width, -1),
        as_native_contiguous(second, images.dtype).reshape(width, width),
        as_native_contiguous(last.transpose(2, 3, 0, 1), images.dtype).reshape(
            k * k * outputs, width
        ),
    )
    position = as_native_contiguous(position, images.dtype).reshape(width, -1)
    return (
        images,
        x.shape[2:],
        matrices,
        position,
        as_native_contiguous(second_bias, images.dtype)[:, None],
    )
