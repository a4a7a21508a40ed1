"""The quality of a model: bits per dimension of images, and the error of inverting them."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from cinc_ref import _validate
from cinc_ref._display import fields_html, short_repr
from cinc_ref._images import as_images
from cinc_ref._params import check_leaves
from cinc_ref._trees import named_leaves, rebuild
from cinc_ref._typing import IntegerArray, IntegerArrayLike, Params
from cinc_ref.errors import DataError
from cinc_ref.flows import Flow, dequantize
from cinc_ref.flows.dequantize import check_dtype
from cinc_ref.flows.multiscale import check_flow
from cinc_ref.training.loss import EVALUATION_BATCH
from cinc_ref.training.loss import evaluate as mean_bits_per_dim

__all__ = ["Evaluation", "cast", "evaluate", "inversion_error"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True)
class Evaluation:
    """The result of `evaluate`.

    Attributes
    ----------
    bits_per_dim, standard_deviation : float
        Mean and standard deviation over the draws of noise, in bits per dimension.
    largest_error : float
        Largest error of an image that went through the flow and back, in grey levels.
    images, draws : int
        Number of images, and of draws of noise.
    seconds : float
        Duration of the evaluation, in seconds.
    """

    bits_per_dim: float
    standard_deviation: float
    largest_error: float
    images: int
    draws: int
    seconds: float

    __repr__ = short_repr
    _repr_html_ = fields_html


def evaluate(
    flow: Flow, params: Params, images: IntegerArrayLike, *, draws: int = 10, seed: int = 0
) -> Evaluation:
    """Measure bits per dimension of integer images, and the largest error of inverting them.

    Every draw dequantizes all images with new noise.

    Parameters
    ----------
    flow : Flow
    params : tree of ndarray
        Parameters as `Flow.init` returns them.
    images : array_like of integers, shape (N, C, H, W)
        Levels 0 to ``flow.bins - 1``; N >= 1.
    draws : int
        Number of draws of noise, at least 1.
    seed : int
        Seed of the noise, at least 0.

    Returns
    -------
    Evaluation

    Raises
    ------
    ParamsError
        If the parameters do not fit the flow, or are not finite.
    DataError, ShapeError
        If the images do not fit the model or its bins, or there are none.
    OptionError
        If `flow` is no flow, or `draws` or `seed` is out of range.

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
    started = time.perf_counter()
    check_flow(flow)
    draws = _validate.integer("draws", draws, minimum=1)
    seed = _validate.integer("seed", seed, minimum=0)
    images = as_images(images)
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
        seconds=time.perf_counter() - started,
    )


def inversion_error(flow: Flow, params: Params, images: IntegerArray, *, seed: int = 0) -> float:
    """Measure the largest absolute error of decode(encode(x)) over all pixels of all images.

    Parameters
    ----------
    flow : Flow
    params : tree of ndarray
        Parameters as `Flow.init` returns them; their dtype is the precision.
    images : ndarray of integers, shape (N, C, H, W)
        Levels 0 to ``flow.bins - 1``; N >= 1.
    seed : int
        Seed of the noise with which the images are dequantized, at least 0.

    Returns
    -------
    float
        The error in grey levels: far below 1, an image returns from the flow as it was.

    Raises
    ------
    ParamsError
        If the parameters do not fit the flow, or are not finite.
    DataError, ShapeError
        If the images do not fit the model or its bins.
    OptionError
        If `flow` is no flow, or `seed` no integer >= 0.
    """
    check_flow(flow)
    seed = _validate.integer("seed", seed, minimum=0)
    rng = np.random.default_rng(seed)
    dtype = flow.check_params(params)
    errors = []
    for start in range(0, len(images), EVALUATION_BATCH):
        x = dequantize(images[start : start + EVALUATION_BATCH], flow.bins, rng, dtype)
        errors.append(np.abs(flow.decode(params, flow.encode(params, x)) - x).max())
    return float(max(errors)) * flow.bins


def cast(params: Params, dtype: DTypeLike) -> Params:
    """Convert parameters to another floating-point type.

    Parameters
    ----------
    params : tree of ndarray
    dtype : dtype
        float32 or float64.

    Returns
    -------
    tree of ndarray

    Raises
    ------
    DtypeError
        If `dtype` is neither float32 nor float64.
    ParamsError
        If the parameters are no tree of finite floats of one dtype.

    Examples
    --------
    >>> import numpy as np
    >>> cast({"bias": np.ones(2, np.float32)}, np.float64)["bias"].dtype
    dtype('float64')
    """
    dtype = check_dtype(dtype)
    check_leaves(params)
    return rebuild(params, (leaf.astype(dtype) for leaf in named_leaves(params).values()))
