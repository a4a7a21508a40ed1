"""The registry of bijections that the tests run on; a new layer is added here."""

import numpy as np
from autograd.misc.flatten import flatten

from cinc_ref.bijections import (
    ActNorm,
    AdditiveCoupling,
    AffineCoupling,
    Chain,
    EmergingConv,
    FincConv,
    Inverse,
    InvertibleConv,
    QuadCoupling,
    Squeeze,
)

LAYERS = {  # name: (layer, (C, H, W))
    "ActNorm": (ActNorm(), (3, 2, 4)),
    "Squeeze": (Squeeze(), (2, 4, 2)),
    "AdditiveCoupling": (AdditiveCoupling(4), (5, 2, 3)),
    "AdditiveCoupling first": (AdditiveCoupling(4, unchanged="first"), (4, 3, 2)),
    "AffineCoupling": (AffineCoupling(4), (5, 3, 2)),
    "AffineCoupling first": (AffineCoupling(4, unchanged="first"), (3, 2, 3)),
    "QuadCoupling": (QuadCoupling(4), (6, 2, 3)),
    "QuadCoupling first": (QuadCoupling(4, unchanged="first"), (5, 3, 2)),
    "InvertibleConv": (InvertibleConv(), (3, 4, 3)),
    "InvertibleConv unit": (InvertibleConv(corner_block="unit"), (3, 3, 4)),
    "InvertibleConv plu": (InvertibleConv(corner_block="plu", seed=3), (3, 4, 3)),
    "InvertibleConv dense": (InvertibleConv(corner_block="dense"), (3, 3, 4)),
    "InvertibleConv 1x1": (InvertibleConv(1, corner_block="plu"), (4, 2, 3)),
    "InvertibleConv half-plane": (
        InvertibleConv((2, 3), anchor=(1, 1), corner="bottom-left", dilation=2),
        (2, 4, 5),
    ),
    "InvertibleConv stable": (
        InvertibleConv(2, corner_block="plu", corner="top-right", stable=True),
        (3, 3, 4),
    ),
    "Inverse": (Inverse(InvertibleConv(2, corner="bottom-right")), (3, 3, 4)),
    "Inverse of a chain": (Inverse(Chain([Squeeze(), InvertibleConv(2), ActNorm()])), (4, 2, 3)),
    "InvertibleConv upper": (InvertibleConv(2, triangle="upper"), (3, 3, 4)),
    "EmergingConv": (EmergingConv(dilation=2), (3, 5, 4)),
    "EmergingConv plu": (EmergingConv(corner_block="plu"), (2, 3, 4)),
    "FincConv": (FincConv(2), (5, 3, 4)),
    "FincConv dense": (FincConv(2, corner_block="dense"), (6, 3, 2)),
    "InvertibleConv oblong": (InvertibleConv((2, 3), anchor=(1, 0)), (2, 3, 4)),
    "Chain": (
        Chain([Squeeze(), ActNorm(), InvertibleConv(), QuadCoupling(4)]),
        (1, 4, 6),
    ),
}


def perturbed(params, scale=0.3, seed=1):
    """Add noise to every parameter, away from the initial values."""
    vector, rebuild = flatten(params)
    noise = np.random.default_rng(seed).normal(size=vector.shape)
    return rebuild((vector + scale * noise).astype(vector.dtype))


def layer_case(name, images=2, dtype=np.float64):
    """Return a layer of the registry, perturbed parameters, and images."""
    layer, shape = LAYERS[name]
    x = np.random.default_rng(7).normal(size=(images, *shape)).astype(dtype)
    return layer, perturbed(layer.init(np.random.default_rng(0), x)), x
