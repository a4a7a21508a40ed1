"""The figures of the paper, to be shown next to measured ones.

Nagar, Dufraisse and Varma, "CInC Flow", 2021: its tables of bits per dimension, of the ablation of
the couplings on CIFAR-10, and of sampling times.
"""

__all__ = ["figures", "image_set_of"]

BITS = {
    "cifar10": {
        ("glow", "affine"): "3.36",
        ("emerging", "affine"): "3.34 (ablation 3.3851)",
        ("emerging", "quad"): "ablation 3.3612",
        ("cinc", "affine"): "3.3498 (ablation 3.4209)",
        ("cinc", "quad"): "3.347 (ablation 3.3879)",
    },
    "imagenet32": {
        ("glow", "affine"): "4.09",
        ("emerging", "affine"): "4.09",
        ("cinc", "affine"): "4.0140",
        ("cinc", "quad"): "4.0377",
    },
    "imagenet64": {
        ("glow", "affine"): "3.81",
        ("emerging", "affine"): "3.8",
        ("cinc", "affine"): "3.8946",
        ("cinc", "quad"): "3.8514",
    },
}
"""Bits per dimension, as text, by image set, then by system and coupling."""

SAMPLING = {
    "cifar10": {"emerging": "2.45", "cinc": "1.31"},
    "imagenet32": {"emerging": "4.96", "cinc": "2.76"},
}
"""Seconds for 100 samples on "one core CPU", as text, by image set and system."""

DEFAULT = "cifar10"
"""The image set whose figures are shown for image sets that the paper does not have."""


def figures(data: str, name: str, coupling: str) -> tuple[str, str]:
    """Return bits per dimension and sampling seconds of the paper, as text, "" for none."""
    bits = BITS.get(data, BITS[DEFAULT]).get((name, coupling), "")
    return bits, SAMPLING.get(data, SAMPLING[DEFAULT]).get(name, "")


def image_set_of(data: str) -> str:
    """Return the image set on which the paper's figures for this image set were obtained."""
    return data if data in BITS else DEFAULT
