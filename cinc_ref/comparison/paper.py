"""The figures that the paper gives, to stand beside ours.

Nagar, Dufraisse and Varma, "CInC Flow", 2021: its tables of bits per dimension, of the ablation of
the couplings on CIFAR-10, and of sampling times.
"""

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
"""Bits per dimension by image set, then by name and coupling."""

SAMPLING = {
    "cifar10": {"emerging": "2.45", "cinc": "1.31"},
    "imagenet32": {"emerging": "4.96", "cinc": "2.76"},
}
"""Seconds for 100 samples on "one core CPU", whatever the coupling."""

USUAL = "cifar10"
"""Whose figures stand beside images on which the paper has none."""


def figures(data, name, coupling):
    """(bits per dimension, sampling seconds) of the paper, as text; "" where it has none."""
    bits = BITS.get(data, BITS[USUAL]).get((name, coupling), "")
    return bits, SAMPLING.get(data, SAMPLING[USUAL]).get(name, "")


def image_set_of(data):
    """On which images the paper's figures beside this image set were obtained."""
    return data if data in BITS else USUAL
