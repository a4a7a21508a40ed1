"""Invertible layers: frozen dataclasses hold the configuration, plain trees the parameters."""

from cinc_ref.bijections.actnorm import ActNorm
from cinc_ref.bijections.base import Bijection
from cinc_ref.bijections.chain import Chain
from cinc_ref.bijections.conv import InvertibleConv
from cinc_ref.bijections.coupling import AdditiveCoupling, AffineCoupling, QuadCoupling
from cinc_ref.bijections.emerging import EmergingConv
from cinc_ref.bijections.finc import FincConv
from cinc_ref.bijections.inverse import Inverse
from cinc_ref.bijections.squeeze import Squeeze

__all__ = [
    "ActNorm",
    "AdditiveCoupling",
    "AffineCoupling",
    "Bijection",
    "Chain",
    "EmergingConv",
    "FincConv",
    "Inverse",
    "InvertibleConv",
    "QuadCoupling",
    "Squeeze",
]
