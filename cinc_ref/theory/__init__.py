"""The theorems as evidence, exact arithmetic, and how usable an inverse is.

An independent oracle: nothing here imports the kernels or primitives that it judges. Everything
loads when it is first used.
"""

from importlib import import_module

_HOME_OF = {
    "Convolution": "general_convolution",
    "Counterexample": "evidence",
    "Evidence": "evidence",
    "Stability": "conditioning",
    "causal_order": "pixel_order",
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
    "prove": "proofs",
    "refute": "refutation",
    "stability": "conditioning",
    "verify": "verification",
}

__all__ = list(_HOME_OF)


def __getattr__(name):
    if name in _HOME_OF:
        value = getattr(import_module(f"cinc_ref.theory.{_HOME_OF[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'cinc_ref.theory' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
