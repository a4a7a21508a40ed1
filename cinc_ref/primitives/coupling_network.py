"""The network of a coupling as one operation, through all its layers tile by tile."""

from autograd.extend import primitive

from cinc_ref._typing import FloatArray
from cinc_ref.kernels.stacked_convs import Layer
from cinc_ref.primitives.fused import define_fused
from cinc_ref.primitives.layers import (
    add_bias,
    apply_layers,
    layer_gradients,
    relu,
    same_conv,
)

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
    x, first, position, second, second_bias, last, last_bias = arguments_of_y
    layers = network_layers(first, position, second, second_bias, last, last_bias)
    x_bar, (of_first, of_second, of_last) = layer_gradients(g, x, layers)
    return (x_bar, of_first[0], of_first[1][None], *of_second, *of_last)


define_fused(coupling_network, _layers, _gradients)
