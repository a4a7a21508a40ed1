"""The theorems as evidence, exact arithmetic, and how usable an inverse is.

An independent oracle: nothing here imports the kernels or primitives that it judges. Everything
loads when it is first used.
"""

from cinc_ref._lazy import lazy

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

_SUBMODULES = ("enclosures", "exact", "trust")

__all__ = list(_HOME_OF)
__getattr__, __dir__ = lazy(__name__, _HOME_OF, _SUBMODULES)
