"""The network inside a coupling: 3x3, 1x1 and 3x3 convolutions with ReLU between them."""

import numpy as np

from cinc_ref.primitives.network import add_bias, relu, same_conv


def init_network(rng, inputs, width, outputs, dtype):
    """Parameters of a network from `inputs` to `outputs` channels; its output starts at zero."""

    def layer(channels_in, channels_out, k, scale):
        weight = scale * rng.normal(size=(channels_out, channels_in, k, k))
        return {"weight": weight.astype(dtype), "bias": np.zeros(channels_out, dtype)}

    return {
        "first": layer(inputs, width, 3, np.sqrt(2 / (9 * inputs))),  # keeps the variance
        "second": layer(width, width, 1, np.sqrt(2 / width)),
        "last": layer(width, outputs, 3, 0.0),
    }


def apply_network(params, x):
    """The network on images (N, inputs, H, W), zero-padded: (N, outputs, H, W)."""
    for name in ("first", "second"):
        x = relu(add_bias(same_conv(x, params[name]["weight"]), params[name]["bias"]))
    return add_bias(same_conv(x, params["last"]["weight"]), params["last"]["bias"])
