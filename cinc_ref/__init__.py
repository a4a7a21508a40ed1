"""cinc_ref: reference implementation of the Characterizable Invertible Convolution (CInC Flow).

Everything below loads when it is first used, so that ``import cinc_ref`` costs next to nothing.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME_OF = {
    "conv": "cinc_ref.convolution",
    "conv_inverse": "cinc_ref.convolution",
    "conv_vjp": "cinc_ref.convolution",
    "conv_inverse_vjp": "cinc_ref.convolution",
    "log_abs_det": "cinc_ref.convolution",
    "convolution_matrix": "cinc_ref.theory.matrix",
    "interpolate": "cinc_ref.flows.interpolation",
    "warm_up": "cinc_ref.compilation",
    "train": "cinc_ref.training",
    "save": "cinc_ref.training",
    "load": "cinc_ref.training",
    "evaluate": "cinc_ref.evaluation",
}
_SUBMODULES = (
    "bijections",
    "comparison",
    "data",
    "errors",
    "evaluation",
    "flows",
    "interop",
    "plots",
    "testing",
    "theory",
    "timing",
    "training",
)

__all__ = [*_HOME_OF, *_SUBMODULES]


def __getattr__(name):
    if name in _SUBMODULES:
        return import_module(f"cinc_ref.{name}")
    if name in _HOME_OF:
        value = getattr(import_module(_HOME_OF[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'cinc_ref' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
