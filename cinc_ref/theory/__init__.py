"""The theorems as evidence, exact arithmetic, and how usable an inverse is.

An independent oracle: nothing here imports the kernels or primitives that it judges. Everything
loads when it is first used.
"""

from importlib import import_module

_HOME_OF = {
    "Counterexample": "evidence",
    "Evidence": "evidence",
    "Stability": "conditioning",
    "check_certificate": "certificates",
    "condition_number": "conditioning",
    "convolution_matrix": "matrix",
    "exact_conv": "substitution",
    "exact_determinant": "invertibility",
    "exact_inverse": "substitution",
    "explain": "explanation",
    "is_invertible": "invertibility",
    "load_counterexample": "evidence",
    "null_image": "invertibility",
    "padded_matrix": "padding",
    "parameter_counts": "systems",
    "stability": "conditioning",
    "verify": "verification",
}

_SUBMODULES = {*_HOME_OF.values(), "exact"}

__all__ = list(_HOME_OF)


def __getattr__(name):
    if name in _SUBMODULES:
        return import_module(f"cinc_ref.theory.{name}")
    if name in _HOME_OF:
        value = getattr(import_module(f"cinc_ref.theory.{_HOME_OF[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'cinc_ref.theory' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
