"""Hypothesis strategies for kernels, images and layers, which shrink to readable cases.

Entries are small multiples of powers of two, exact in float32 and float64. Kernels are well
conditioned by construction, not by rejection. ``pip install ".[test]"`` in the checkout installs
Hypothesis.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from cinc_ref import bijections
from cinc_ref._extras import extra
from cinc_ref._typing import Array
from cinc_ref.theory.random_kernels import norm_sum

with extra("test"):
    from hypothesis import strategies as st
    from hypothesis.extra.numpy import arrays
    from hypothesis.strategies import DrawFn

__all__ = ["DIAGONAL", "LAYERS", "Layered", "images", "kernels", "layers"]


def __dir__() -> list[str]:
    return __all__


DIAGONAL = (2.0, -2.0, 1.5, -1.5, 0.5, -0.5, 3.0, -3.0)
"""The diagonal entries of corner blocks, the simplest first."""


class Layered(NamedTuple):
    """A layer, parameters away from their initial values, and images that the layer takes."""

    layer: bijections.Bijection
    params: object
    x: Array


@st.composite
def kernels(
    draw: DrawFn,
    channels: int | None = None,
    kernel_size: tuple[int, int] | None = None,
    dtype: DTypeLike = np.float64,
    corner_block: str | None = None,
) -> Array:
    """Draw kernels (C, C, kh, kw) of well-conditioned causal convolutions.

    The corner block B is triangular or dense with a diagonal of both signs, never 1. The other taps
    are divided by a power of two such that the spectral norms of B^-1 K_ab add up to at most 1/2,
    which bounds the inverse by 2 ||B^-1|| at any image size.

    Parameters
    ----------
    channels : int, optional
        C; drawn from 1 to 4 unless given.
    kernel_size : (int, int), optional
        (kh, kw); each drawn from 1 to 3 unless given.
    dtype : dtype
        float32 or float64.
    corner_block : {"lower", "upper", "dense"}, optional
        The shape of B; drawn unless given.

    Returns
    -------
    hypothesis.strategies.SearchStrategy of ndarray
        The simplest kernel is 2 in the corner block's diagonal and 0 elsewhere.

    Examples
    --------
    >>> import cinc_ref as cr
    >>> import numpy as np
    >>> from hypothesis import given, settings
    >>> from cinc_ref.testing import strategies
    >>> @settings(deadline=None)  # the first call compiles, or reads compiled code from disk
    ... @given(strategies.kernels(channels=3))
    ... def test_my_inverse(kernel):
    ...     assert np.isfinite(cr.log_abs_det(kernel, (4, 4)))
    >>> test_my_inverse()
    """
    c = draw(st.integers(1, 4)) if channels is None else channels
    size = draw(st.tuples(st.integers(1, 3), st.integers(1, 3))) if kernel_size is None else None
    kh, kw = size or kernel_size
    kind = draw(st.sampled_from(["lower", "upper", "dense"])) if corner_block is None else None
    block = _corner_block(draw, c, kind or corner_block)
    taps = draw(arrays(np.float64, (c, c, kh, kw), elements=_halves(4), fill=st.nothing()))
    taps[:, :, -1, -1] = 0
    norms = norm_sum(block, taps)
    kernel = taps * 2.0 ** -max(0, int(np.ceil(np.log2(2 * norms))) if norms else 0)
    kernel[:, :, -1, -1] = block
    return kernel.astype(dtype)


@st.composite
def images(
    draw: DrawFn,
    shape: tuple[int, int, int, int] | None = None,
    channels: int | None = None,
    dtype: DTypeLike = np.float64,
) -> Array:
    """Draw images (N, C, H, W) of small multiples of 1/2.

    Parameters
    ----------
    shape : (int, int, int, int), optional
        The shape; unless given, N is drawn from 1 to 3, H and W from 1 to 5.
    channels : int, optional
        C, if the shape is drawn; drawn from 1 to 4 unless given.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    hypothesis.strategies.SearchStrategy of ndarray
        The simplest image is 0.

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> from cinc_ref.testing import strategies
    >>> @settings(deadline=None)  # the first draw of a process may take longer than the others
    ... @given(strategies.images(channels=2))
    ... def test_shape(x):
    ...     assert x.ndim == 4 and x.shape[1] == 2
    >>> test_shape()
    """
    if shape is None:
        c = draw(st.integers(1, 4)) if channels is None else channels
        n, h, w = draw(st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)))
        shape = (n, c, h, w)
    return draw(arrays(np.float64, shape, elements=_halves(8), fill=st.nothing())).astype(dtype)


LAYERS: dict[
    str, tuple[Callable[[], bijections.Bijection], int, int]
] = {  # name: (constructor, smallest number of channels, divisor of H and W)
    "InvertibleConv": (bijections.InvertibleConv, 1, 1),
    "ActNorm": (bijections.ActNorm, 1, 1),
    "AdditiveCoupling": (lambda: bijections.AdditiveCoupling(3), 2, 1),
    "AffineCoupling": (lambda: bijections.AffineCoupling(3), 2, 1),
    "QuadCoupling": (lambda: bijections.QuadCoupling(3), 4, 1),
    "EmergingConv": (bijections.EmergingConv, 1, 1),
    "FincConv": (lambda: bijections.FincConv(2), 4, 1),
    "InvertibleConv plu": (lambda: bijections.InvertibleConv(2, corner_block="plu"), 1, 1),
    "Squeeze and InvertibleConv": (
        lambda: bijections.Chain([bijections.Squeeze(), bijections.InvertibleConv()]),
        1,
        2,
    ),
}


@st.composite
def layers(draw: DrawFn, dtype: DTypeLike = np.float64) -> Layered:
    """Draw layers of `cinc_ref.bijections` with parameters away from their initial values.

    Parameters
    ----------
    dtype : dtype
        The dtype of parameters and images, float32 or float64.

    Returns
    -------
    hypothesis.strategies.SearchStrategy of Layered
        Named tuples (layer, params, x) with images x that the layer takes.

    Examples
    --------
    >>> import numpy as np
    >>> from hypothesis import given, settings
    >>> from cinc_ref.testing import strategies
    >>> @settings(max_examples=5, deadline=None)  # the first call compiles
    ... @given(strategies.layers())
    ... def test_round_trip(case):
    ...     y, _ = case.layer.forward(case.params, case.x)
    ...     assert np.allclose(case.layer.inverse(case.params, y)[0], case.x)
    >>> test_round_trip()
    """
    make, least, divisor = LAYERS[draw(st.sampled_from(list(LAYERS)))]
    c = draw(st.integers(least, least + 2))
    height, width = (divisor * draw(st.integers(1, 3)) for _ in range(2))
    x = draw(images((draw(st.integers(1, 3)), c, height, width), dtype=dtype))
    layer, rng = make(), np.random.default_rng(draw(st.integers(0, 99)))
    return Layered(layer, _moved(layer.init(rng, x), rng), x)


def _halves(largest):
    """Draw multiples of 1/2 up to `largest`, which shrink to 0."""
    return st.integers(-2 * largest, 2 * largest).map(lambda k: k / 2)


def _corner_block(draw, c, kind):
    """Draw L D, D U or L D U with |D| from 1/2 to 3 and other entries of L and U up to 1/2."""

    def unit(triangle):
        entries = draw(arrays(np.float64, (c, c), elements=_halves(2), fill=st.nothing()))
        return triangle(entries / 4, -1 if triangle is np.tril else 1) + np.eye(c)

    diagonal = np.array([draw(st.sampled_from(DIAGONAL)) for _ in range(c)])
    lower = unit(np.tril) if kind in ("lower", "dense") else np.eye(c)
    upper = unit(np.triu) if kind in ("upper", "dense") else np.eye(c)
    return lower @ np.diag(diagonal) @ upper


def _moved(params, rng):
    """Add noise to every leaf, so that no layer is near the identity."""
    if isinstance(params, dict):
        return {name: _moved(leaf, rng) for name, leaf in params.items()}
    if isinstance(params, list | tuple):
        return type(params)(_moved(leaf, rng) for leaf in params)
    return params + rng.uniform(-0.2, 0.2, params.shape).astype(params.dtype)
