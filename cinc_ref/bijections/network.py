"""The network inside a coupling: 3x3, 1x1 and 3x3 convolutions with ReLU between them.

The first convolution also reads an image of ones. Zero-padded like the others, it marks the border,
and with it, in the small images of the deeper levels, the position of a pixel.
"""

from typing import Any

import numpy as np

from cinc_ref._autodiff import value_of
from cinc_ref._typing import FloatArray, Params
from cinc_ref.primitives.coupling_network import coupling_network, network_layers
from cinc_ref.primitives.layers import add_bias, same_conv
from cinc_ref.primitives.program import Program

__all__ = ["apply_network", "init_network", "record_network"]


def init_network(
    rng: np.random.Generator, inputs: int, width: int, outputs: int, dtype: np.dtype[Any]
) -> Params:
    """Make parameters of a network between channels; its output is zero at the start.

    Parameters
    ----------
    rng : numpy.random.Generator
    inputs, width, outputs : int
        Channels that it reads, has inside and returns.
    dtype : numpy.dtype

    Returns
    -------
    dict of dict of ndarray
        "weight" and "bias" of the layers "first", "second" and "last"; "border" of the first.
    """

    def layer(channels_in, channels_out, k, scale):
        weight = scale * rng.normal(size=(channels_out, channels_in, k, k))
        return {"weight": weight.astype(dtype), "bias": np.zeros(channels_out, dtype)}

    first = layer(inputs, width, 3, np.sqrt(2 / (9 * inputs)))  # keeps the variance
    first["border"] = np.zeros((width, 1, 3, 3), dtype)
    return {
        "first": first,
        "second": layer(width, width, 1, np.sqrt(2 / width)),
        "last": layer(width, outputs, 3, 0.0),
    }


def apply_network(params: Params, x: FloatArray) -> FloatArray:
    """Apply a network to images (N, inputs, H, W), zero-padded: (N, outputs, H, W)."""
    return coupling_network(x, *_arguments(params, x.shape[2:], value_of(x).dtype))


def record_network(program: Program, params: Params, x: FloatArray) -> FloatArray:
    """Append a network on images (inputs, H, W, N); return the array of its result."""
    layers = program.constant(lambda: network_layers(*_arguments(params, x.shape[1:3], x.dtype)))
    return program.add_layers(layers, x)


def _arguments(params, size, dtype):
    """Return the arguments of `coupling_network` behind the images."""
    first, second, last = params["first"], params["second"], params["last"]
    ones = np.ones((1, 1, *size), dtype)
    position = add_bias(same_conv(ones, first["border"]), first["bias"])
    return (
        first["weight"],
        position,
        second["weight"],
        second["bias"],
        last["weight"],
        last["bias"],
    )
