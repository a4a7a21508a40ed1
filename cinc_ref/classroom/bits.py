"""Exercise 7: bits per dimension."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.classroom.task import Case, Signature, Slip, Task
from cinc_ref.flows.dequantize import bits_per_dim as right_bits_per_dim

__all__ = ["TASK"]


def bits_per_dim(
    log_prob: Array,
    shape: tuple[int, int, int],
    bins: int,
    *,
    volume: Callable[[int, int], float] = lambda d, bins: d * np.log(bins),
    dimensions: Callable[..., float] = lambda n, c, h, w: c * h * w,
    unit: float = float(np.log(2)),
    density: Callable[[Array], Array] = lambda log_prob: log_prob,
    finish: Callable[[Array], Any] = lambda bits: bits,
) -> tuple[Any]:
    """Compute -(log_prob - D log(bins)) / (D log 2)."""
    c, h, w = shape
    nats = -(density(log_prob) - volume(c * h * w, bins))
    return (finish(nats / (dimensions(len(log_prob), c, h, w) * unit)),)


SLIPS = (
    Slip(
        "log(bins) is missing: log_prob is a density on [-1/2, 1/2)^D, where a grey level is an "
        "interval of width 1/bins and not 1.",
        {"volume": lambda d, bins: 0},
    ),
    Slip(
        "log(bins) counts once for the image, where it counts once for each of the D = {CHW} "
        "dimensions.",
        {"volume": lambda d, bins: np.log(bins)},
    ),
    Slip(
        "log(bins) has the wrong sign: a grey level has a smaller volume than 1, so it is less "
        "probable than the density says and costs more bits.",
        {"volume": lambda d, bins: -d * np.log(bins)},
    ),
    Slip(
        "log_prob is in nats and log2(bins) in bits: convert after the sum, not before.",
        {"volume": lambda d, bins: d * np.log2(bins)},
    ),
    Slip(
        "log_prob is converted to bits and log(bins) is not: it is in nats as well.",
        {"volume": lambda d, bins: d * np.log(bins) * np.log(2)},
    ),
    Slip(
        "The bins are always 256 here, whatever the argument is.",
        {"volume": lambda d, bins: d * np.log(256)},
    ),
    Slip(
        "log(bins - 1) is used: there are as many intervals as grey levels, bins.",
        {"volume": lambda d, bins: d * np.log(bins - 1)},
    ),
    Slip("bins is not in a logarithm.", {"volume": lambda d, bins: d * bins}),
    Slip(
        "These are nats per dimension: divide by log(2) to get bits.",
        {"unit": 1.0},
    ),
    Slip(
        "This multiplies by log(2), where nats are divided by it to get bits.",
        {"unit": float(1 / np.log(2))},
    ),
    Slip("This is divided by log(10), where bits need log(2).", {"unit": float(np.log(10))}),
    Slip(
        "This is divided by 2, where bits need log(2).",
        {"unit": 2.0},
    ),
    Slip(
        "These are bits of a whole image: divide by the number of dimensions C*H*W.",
        {"dimensions": lambda n, c, h, w: 1},
    ),
    Slip(
        "This divides by the number of pixels H*W: every channel of a pixel is a dimension.",
        {"dimensions": lambda n, c, h, w: h * w},
    ),
    Slip(
        "This divides by the number of channels, where D = C*H*W.",
        {"dimensions": lambda n, c, h, w: c},
    ),
    Slip(
        "This divides by the number of images, not of dimensions.",
        {"dimensions": lambda n, c, h, w: n},
    ),
    Slip(
        "This divides by the number of images as well: log_prob has one number for each image.",
        {"dimensions": lambda n, c, h, w: n * c * h * w},
    ),
    Slip("The sign is wrong: probable images cost few bits.", {"finish": lambda bits: -bits}),
    Slip(
        "log_prob has the wrong sign: probable images cost few bits.",
        {"density": lambda log_prob: -log_prob},
    ),
    Slip(
        "log_prob is a logarithm already, and here log is taken again.",
        {"density": lambda log_prob: np.log(log_prob)},
    ),
    Slip(
        "The logarithm is undone with exp: log_prob stays as it is.",
        {"density": np.exp},
    ),
    Slip(
        "This is the mean over the images, where one number for each image is expected.",
        {"finish": np.mean},
    ),
    Slip(
        "This is the sum over the images, where one number for each image is expected.",
        {"finish": np.sum},
    ),
)


def _cases():
    cases = []
    rng = np.random.default_rng(0)
    draws = [(np.array([-2.0]), (1, 1, 1), 4), (np.array([0.0, 9.0]), (1, 1, 2), 17)]
    for n, shape, bins in ((1, (3, 2, 2), 256), (5, (3, 4, 6), 256), (4, (1, 8, 8), 17)):
        draws.append((rng.normal(size=n) * np.prod(shape), shape, bins))
    for log_prob, shape, bins in draws:
        c, h, w = shape
        sizes = {"N": len(log_prob), "C": c, "H": h, "W": w, "CHW": c * h * w, "bins": bins}
        expected = right_bits_per_dim(log_prob, c * h * w, bins)
        cases.append(Case(((log_prob, shape, bins),), (expected,), sizes))
    return cases


TASK = Task(
    title="bits per dimension",
    functions=(Signature("bits_per_dim", ("log_prob", "shape", "bins"), ("bits",)),),
    text=(
        "Images of shape (C, H, W) have integer levels 0 to bins - 1. A model has the log-density "
        "log_prob (N,), in nats, of x = (level + u)/bins - 1/2 with uniform noise u in [0, 1). "
        "Compute the bits per dimension of each image, shape (N,): the code length of its levels "
        "over the number of its entries."
    ),
    hint=(
        "A level stands for a small interval of x: how wide is it, and how probable is it if the "
        "density is constant there?"
    ),
    cases=_cases,
    model=bits_per_dim,
    slips=SLIPS,
)
