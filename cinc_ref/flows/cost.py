"""What a flow costs: its parameters, and the multiply-adds of one image."""

import time
from dataclasses import dataclass

import numpy as np

from cinc_ref._autodiff import value_of
from cinc_ref.flows.conditioning import leaf_layers, named_convolutions
from cinc_ref.primitives.memory_order import batch_last


@dataclass(frozen=True)
class Cost:
    """Parameters and multiply-adds of a flow, for one image in one direction.

    Attributes
    ----------
    parameters, convolution_parameters : int
        In all, and of the invertible convolutions.
    multiply_adds, convolution_multiply_adds : int
        Of all convolutions, those inside the couplings and priors included, and of the invertible
        ones: entries of the kernel that are not zero, times pixels. Taps outside the image count;
        what is done once a pixel and channel, as the scales of a coupling, does not.
    """

    parameters: int
    convolution_parameters: int
    multiply_adds: int
    convolution_multiply_adds: int


def cost(flow, params):
    """Count what a flow costs.

    Parameters
    ----------
    flow : Flow
    params : tree of ndarray

    Returns
    -------
    Cost

    Examples
    --------
    A 1x1 convolution of 4 channels on 2x2 pixels takes 16 multiply-adds a pixel.

    >>> import numpy as np
    >>> from cinc_ref.flows import build
    >>> from cinc_ref.flows.cost import cost
    >>> flow = build("glow", "affine", (1, 4, 4), levels=1, depth=1, width=8)
    >>> params = flow.init(np.random.default_rng(0), np.zeros((2, 1, 4, 4)))
    >>> found = cost(flow, params)
    >>> found.convolution_parameters, found.convolution_multiply_adds
    (16, 64)
    """
    sizes = [shape[1:] for shape in flow.latent_shapes]
    own = sum(
        layer.count_parameters(len(kernel))
        for _, layer, kernel, _ in named_convolutions(flow, params)
    )
    invertible = sum(
        np.count_nonzero(kernel) * height * width
        for _, _, kernel, (height, width) in named_convolutions(flow, params)
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
        parameters=sum(leaf.size for leaf in _leaves(params)),
        convolution_parameters=int(own),
        multiply_adds=int(invertible + networks + priors),
        convolution_multiply_adds=int(invertible),
    )


def timed_decode(flow, params, latents):
    """Decode once: (seconds in all, seconds in the inverses of the invertible convolutions).

    Parameters
    ----------
    flow : Flow
    params : tree of ndarray
    latents : sequence of ndarray
        As `Flow.encode` returns them.
    """
    inside = []
    latents = [batch_last(z) for z in latents]

    def inverse(chain, own, y, level):
        for _, layer, its in reversed(list(leaf_layers(chain, own, level))):
            began = time.perf_counter()
            y, _ = layer.inverse(its, y)
            if layer._convolutions(its):
                inside.append(time.perf_counter() - began)
        return y

    began = time.perf_counter()
    flow._decode(params, latents, inverse)
    return time.perf_counter() - began, sum(inside)


def _weights(tree):
    """Entries of all weights of coupling networks in a tree of parameters."""
    if isinstance(tree, dict) and {"first", "second", "last"} <= tree.keys():
        return sum(layer["weight"].size for layer in tree.values())
    branches = tree.values() if isinstance(tree, dict) else tree
    return sum(_weights(branch) for branch in branches if isinstance(branch, dict | list | tuple))


def _leaves(tree):
    if not isinstance(tree, dict | list | tuple):
        yield value_of(tree)
        return
    for branch in tree.values() if isinstance(tree, dict) else tree:
        yield from _leaves(branch)
