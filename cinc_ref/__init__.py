"""cinc_ref: reference implementation of the Characterizable Invertible Convolution (CInC Flow).

Everything below loads when it is first used, so that ``import cinc_ref`` costs next to nothing.
"""

from cinc_ref._lazy import lazy

__version__ = "0.1.0"

_HOME_OF = {
    "conv": "convolution",
    "conv_inverse": "convolution",
    "conv_vjp": "convolution",
    "conv_inverse_vjp": "convolution",
    "enclose": "convolution",
    "log_abs_det": "convolution",
    "convolution_matrix": "theory.matrix",
    "interpolate": "flows.interpolation",
    "train": "training",
    "save": "training",
    "load": "training",
    "evaluate": "evaluation",
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
__getattr__, __dir__ = lazy(__name__, _HOME_OF, _SUBMODULES)
