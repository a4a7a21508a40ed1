"""The network of a coupling as one operation, through all its layers tile by tile."""

import numpy as np
from autograd.extend import primitive
from autograd.tracer import isbox

from cinc_ref.kernels import network as kernels
from cinc_ref.primitives.arrays import as_pixels, from_pixels, native
from cinc_ref.primitives.fused import define_fused
from cinc_ref.primitives.network import add_bias, relu, same_conv


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
    kept = [] if any(map(isbox, arguments)) else None  # a gradient will be asked for
    return _network(*arguments, kept)


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
        native(position, dtype).reshape(width, -1),
        native(second_bias, dtype)[:, None],
        native(last_bias, dtype),
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
        native(first.transpose(0, 2, 3, 1), dtype).reshape(width, -1),
        native(second, dtype).reshape(width, width),
        native(last.transpose(2, 3, 0, 1), dtype).reshape(k * k * outputs, width),
    )
