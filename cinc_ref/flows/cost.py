"""The cost of a flow: its parameters, the multiply-adds of one image, the time of decoding."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cinc_ref._display import fields_html, short_repr
from cinc_ref._trees import named_leaves
from cinc_ref._typing import FloatArray, Params
from cinc_ref.bijections import Bijection
from cinc_ref.flows.conditioning import leaf_layers, named_convolutions
from cinc_ref.flows.multiscale import Flow, check_flow
from cinc_ref.primitives.memory_order import batch_last

__all__ = ["Cost", "cost", "decoding_seconds", "timed_decode"]


@dataclass(frozen=True)
class Cost:
    """Parameters and multiply-adds of a flow, for one image in one direction.

    Attributes
    ----------
    parameters, convolution_parameters : int
        Learned numbers in all, and those of the invertible convolutions.
    multiply_adds, convolution_multiply_adds : int
        Entries of kernels that are not zero, times pixels: in all convolutions, those inside the
        couplings and priors included, and in the invertible ones. Taps outside the image count;
        the few operations per pixel and channel, such as the scales of a coupling, do not.
    """

    parameters: int
    convolution_parameters: int
    multiply_adds: int
    convolution_multiply_adds: int

    __repr__ = short_repr
    _repr_html_ = fields_html


def cost(flow: Flow, params: Params) -> Cost:
    """Count parameters and multiply-adds of a flow.

    Parameters
    ----------
    flow : Flow
    params : tree of ndarray
        Parameters as `Flow.init` returns them.

    Returns
    -------
    Cost

    Raises
    ------
    OptionError
        If `flow` is no flow.
    ParamsError
        If the parameters do not fit the flow, or are not finite.

    Examples
    --------
    A 1x1 convolution of 4 channels on 2x2 pixels takes 16 multiply-adds a pixel.

    >>> import numpy as np
    >>> from cinc_ref.flows import build
    >>> from cinc_ref.flows.cost import cost
    >>> flow = build("glow", "affine", (1, 4, 4), levels=1, depth=1, width=8)
    >>> params = flow.init(np.random.default_rng(0), np.zeros((2, 1, 4, 4)))
    >>> total = cost(flow, params)
    >>> total.convolution_parameters, total.convolution_multiply_adds
    (16, 64)
    """
    check_flow(flow)
    convolutions = list(named_convolutions(flow, params))
    sizes = [shape[1:] for shape in flow.latent_shapes]
    convolution_parameters = sum(
        layer.count_parameters(len(kernel)) for _, layer, kernel, _ in convolutions
    )
    invertible = sum(
        np.count_nonzero(kernel) * height * width for _, _, kernel, (height, width) in convolutions
    )
    networks = sum(
        _weights(params["levels"][level]) * height * width
        for level, (height, width) in enumerate(sizes)
    )
    priors = sum(
        prior["weight"].size * height * width
        for prior, (height, width) in zip(params["priors"], sizes, strict=False)
    )
    return Cost(
        parameters=sum(leaf.size for leaf in named_leaves(params).values()),
        convolution_parameters=int(convolution_parameters),
        multiply_adds=int(invertible + networks + priors),
        convolution_multiply_adds=int(invertible),
    )


def timed_decode(flow: Flow, params: Params, latents: Sequence[FloatArray]) -> tuple[float, float]:
    """Decode once: seconds in all, and in the inverses of the invertible convolutions.

    Parameters
    ----------
    flow : Flow
    params : tree of ndarray
        Parameters as `Flow.init` returns them.
    latents : sequence of ndarray
        Latents as `Flow.encode` returns them.

    Returns
    -------
    seconds, convolution_seconds : float

    Raises
    ------
    OptionError
        If `flow` is no flow.
    ParamsError, DataError, DtypeError, NonFiniteError
        If the parameters or the latents do not fit the flow, or are not finite.
    """
    seconds, layers = decoding_seconds(flow, params, latents)
    return seconds, sum(t for layer, layer_params, t in layers if layer.convolutions(layer_params))


def decoding_seconds(
    flow: Flow, params: Params, latents: Sequence[FloatArray]
) -> tuple[float, list[tuple[Bijection, Any, float]]]:
    """Decode once, layer by layer, and take the time of each.

    Parameters
    ----------
    flow : Flow
    params : tree of ndarray
        Parameters as `Flow.init` returns them.
    latents : sequence of ndarray
        Latents as `Flow.encode` returns them.

    Returns
    -------
    seconds : float
        Seconds in all.
    layers : list of (Bijection, tree of ndarray, float)
        Each layer with its parameters and the seconds of its inverse, in the order of decoding.

    Raises
    ------
    OptionError
        If `flow` is no flow.
    ParamsError, DataError, DtypeError, NonFiniteError
        If the parameters or the latents do not fit the flow, or are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.flows import build
    >>> from cinc_ref.flows.cost import decoding_seconds
    >>> flow = build("glow", "affine", (1, 4, 4), levels=1, depth=1, width=8)
    >>> x = np.zeros((2, 1, 4, 4))
    >>> params = flow.init(np.random.default_rng(0), x)
    >>> _, layers = decoding_seconds(flow, params, flow.encode(params, x))
    >>> [type(layer).__name__ for layer, _, _ in layers]
    ['AffineCoupling', 'InvertibleConv', 'ActNorm', 'Squeeze']
    """
    check_flow(flow)
    layers = []
    latents = [batch_last(z) for z in latents]

    def inverse(chain, chain_params, y, level):
        for _, layer, layer_params in reversed(list(leaf_layers(chain, chain_params, level))):
            started = time.perf_counter()
            y, _ = layer._inverse(layer_params, y)
            layers.append((layer, layer_params, time.perf_counter() - started))
        return y

    started = time.perf_counter()
    flow.decode_levels(params, latents, inverse)
    return time.perf_counter() - started, layers


def _weights(tree):
    """Count the entries of all weights of coupling networks in a tree of parameters."""
    if isinstance(tree, dict) and {"first", "second", "last"} <= tree.keys():
        return sum(layer["weight"].size for layer in tree.values())
    branches = tree.values() if isinstance(tree, dict) else tree
    return sum(_weights(branch) for branch in branches if isinstance(branch, dict | list | tuple))
