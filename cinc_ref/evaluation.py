"""How good a model is: bits per dimension of images, and how exactly it inverts them."""

import time
from dataclasses import dataclass

import numpy as np

from cinc_ref._images import as_images
from cinc_ref._trees import named_leaves, rebuild
from cinc_ref.errors import DataError, OptionError
from cinc_ref.flows import dequantize
from cinc_ref.training.loss import EVALUATION_BATCH
from cinc_ref.training.loss import evaluate as mean_bits_per_dim


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes
    ----------
    bits_per_dim, standard_deviation : float
        Mean and standard deviation over the draws of noise.
    largest_error : float
        Of an image that went through the flow and back, in grey levels.
    images, draws : int
        How many.
    seconds : float
        Spent.
    """

    bits_per_dim: float
    standard_deviation: float
    largest_error: float
    images: int
    draws: int
    seconds: float


def evaluate(flow, params, images, *, draws=10, seed=0):
    """Bits per dimension of integer images, and the largest error of inverting them.

    Every draw dequantizes all images with noise of its own.

    Parameters
    ----------
    flow : Flow
    params : tree of ndarray
    images : array_like of integers, shape (N, C, H, W)
        Levels 0 to ``flow.bins - 1``; N >= 1.
    draws : int
    seed : int
        Of the noise.

    Returns
    -------
    Evaluation

    Raises
    ------
    DataError
        If the images do not fit the model or its bins, or there are none.
    OptionError
        If `draws` or `seed` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.evaluation import evaluate
    >>> from cinc_ref.flows import build
    >>> flow = build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=4, bins=4)
    >>> rng = np.random.default_rng(0)
    >>> params = flow.init(rng, rng.uniform(-0.5, 0.5, (20, 1, 4, 4)))
    >>> evaluation = evaluate(flow, params, rng.integers(4, size=(5, 1, 4, 4)), draws=3)
    >>> evaluation.bits_per_dim > 2, evaluation.largest_error < 1e-12
    (True, True)
    """
    began = time.perf_counter()
    images = as_images(images)
    for name, value, smallest in (("draws", draws, 1), ("seed", seed, 0)):
        if not isinstance(value, int | np.integer) or value < smallest:
            raise OptionError(f"{name} must be an integer >= {smallest}; got {value!r}")
    if not len(images):
        raise DataError("images must hold at least one image; got none")
    generators = [np.random.default_rng([seed, draw]) for draw in range(draws)]
    bits = [mean_bits_per_dim(flow, params, images, rng) for rng in generators]
    return Evaluation(
        bits_per_dim=float(np.mean(bits)),
        standard_deviation=float(np.std(bits, ddof=1)) if draws > 1 else 0.0,
        largest_error=inversion_error(flow, params, images, seed=seed),
        images=len(images),
        draws=draws,
        seconds=time.perf_counter() - began,
    )


def inversion_error(flow, params, images, *, seed=0):
    """Largest absolute error of decode(encode(x)) over all pixels of all images.

    Parameters
    ----------
    flow : Flow
    params : tree of ndarray
        Their dtype is the precision.
    images : ndarray of integers, shape (N, C, H, W)
    seed : int
        Of the noise with which the images are dequantized.

    Returns
    -------
    float
        In grey levels: an image returns from the flow unharmed as long as this is far below 1.
    """
    rng = np.random.default_rng(seed)
    dtype = next(iter(named_leaves(params).values())).dtype
    errors = []
    for start in range(0, len(images), EVALUATION_BATCH):
        x = dequantize(images[start : start + EVALUATION_BATCH], flow.bins, rng, dtype)
        errors.append(np.abs(flow.decode(params, flow.encode(params, x)) - x).max())
    return float(max(errors)) * flow.bins


def cast(params, dtype):
    """The same parameters in another floating-point type.

    Examples
    --------
    >>> import numpy as np
    >>> cast({"bias": np.ones(2, np.float32)}, np.float64)["bias"].dtype
    dtype('float64')
    """
    return rebuild(params, (leaf.astype(dtype) for leaf in named_leaves(params).values()))
