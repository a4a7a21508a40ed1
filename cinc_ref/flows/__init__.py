"""The multi-scale flow and the systems that it is built of."""

from cinc_ref.flows.build import build
from cinc_ref.flows.dequantize import bits_per_dim, dequantize, quantize
from cinc_ref.flows.interpolation import interpolate, temperature_sweep
from cinc_ref.flows.multiscale import Flow
from cinc_ref.flows.systems import COUPLINGS, DIRECTIONS, SYSTEMS

__all__ = [
    "COUPLINGS",
    "DIRECTIONS",
    "SYSTEMS",
    "Flow",
    "bits_per_dim",
    "build",
    "dequantize",
    "interpolate",
    "quantize",
    "temperature_sweep",
]
