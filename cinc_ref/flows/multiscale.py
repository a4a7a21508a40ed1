"""The multi-scale flow: squeeze and flow steps; half of the channels are factored out per level."""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from math import prod
from typing import Any

import autograd.numpy as anp
import numpy as np
from numpy.typing import DTypeLike

from cinc_ref import _validate
from cinc_ref._arrays import plain_array
from cinc_ref._autodiff import as_array, unboxed, value_of
from cinc_ref._display import table_html
from cinc_ref._params import Template, check_params, check_same_dtype
from cinc_ref._typing import Array, FloatArray, FloatArrayLike, IntegerArrayLike, Params, Seed
from cinc_ref.bijections import ActNorm, Chain, Squeeze
from cinc_ref.bijections.base import Shape, store, template
from cinc_ref.bijections.conv import CORNER_BLOCKS, CornerBlock
from cinc_ref.errors import DataError, OptionError, ParamsError, ShapeError, SingularKernelError
from cinc_ref.flows.conditioning import (
    StabilityByLayer,
    checked_inverse,
    named_convolutions,
    stability_by_layer,
)
from cinc_ref.flows.dequantize import bits_per_dim, check_dtype, check_fits, dequantize
from cinc_ref.flows.normal import log_normal
from cinc_ref.flows.sampler import BATCH, Sampler
from cinc_ref.flows.systems import (
    COUPLINGS,
    DIRECTIONS,
    SYSTEMS,
    CouplingName,
    Direction,
    SystemName,
    step_convolution,
)
from cinc_ref.primitives.channels import take_channels
from cinc_ref.primitives.layers import add_bias, same_conv
from cinc_ref.primitives.memory_order import batch_first, batch_last
from cinc_ref.primitives.recompute import compose

__all__ = ["Flow", "check_flow"]

STEP = 1000
"""Bytes that the objects of a step take at least; `sys.getsizeof` counts some 2000."""


@dataclass(frozen=True)
class Flow:
    r"""A density of images, by an invertible map to latents that are standard normal.

    Each level squeezes the image and applies `depth` steps of actnorm, invertible convolution and
    coupling. After every level but the last, the second half of the channels is factored out as a
    latent, its mean and scale learned from the first half; what remains at the end has a learned
    mean and scale of its own. With z all latents, standardized,

    .. math::
        \log p(x) = \log N(z; 0, I) + \log|\det \partial z / \partial x|.

    `build` makes one, and describes the options; parameters come from `init` and are handed to
    every method. Images are floats in [-1/2, 1/2) but for `bits_per_dim`. All methods are
    differentiable by autograd.

    Parameters
    ----------
    system, coupling : str
        Names in `SYSTEMS` and `COUPLINGS`.
    image_shape : (int, int, int)
        (C, H, W) of an image.
    levels, depth, width, bins : int
        Levels, steps in a level, hidden channels of the coupling networks, levels of grey.
    corner_block : {"unit", "triangular", "plu", "dense"}
        Corner block of the convolutions.
    stable : bool
        Whether the inverses are kept bounded.
    direction : {"forward", "inverse"}
        Which way the convolutions run when images are encoded.
    dilation : int
        Distance between neighbouring taps, in pixels.

    Raises
    ------
    OptionError
        If an option is not as described.
    ShapeError
        If images of this shape do not fit the levels or the coupling.

    References
    ----------
    Nagar, Dufraisse and Varma, "CInC Flow", 2021, architecture; Dinh, Sohl-Dickstein and Bengio,
    "Density estimation using Real NVP", 2017, for the levels.

    Examples
    --------
    >>> import numpy as np
    >>> import cinc_ref as cr
    >>> flow = cr.flows.build("cinc", "affine", (1, 8, 8), levels=2, depth=1, width=4)
    >>> flow.latent_shapes
    ((2, 4, 4), (8, 2, 2))
    >>> x = np.random.default_rng(0).uniform(-0.5, 0.5, (3, 1, 8, 8))
    >>> params = flow.init(np.random.default_rng(0), x)
    >>> flow.log_prob(params, x).shape
    (3,)
    """

    system: SystemName
    coupling: CouplingName
    image_shape: Shape
    levels: int
    depth: int
    width: int
    bins: int
    corner_block: CornerBlock
    stable: bool
    direction: Direction
    dilation: int

    def __post_init__(self) -> None:
        store(
            self,
            system=_validate.one_of("system", self.system, SYSTEMS),
            coupling=_validate.one_of("coupling", self.coupling, COUPLINGS),
            levels=_validate.integer("levels", self.levels, minimum=1),
            depth=_validate.integer("depth", self.depth, minimum=1),
            width=_validate.integer("width", self.width, minimum=1),
            bins=_validate.integer("bins", self.bins, minimum=2),
            dilation=_validate.integer("dilation", self.dilation, minimum=1),
            image_shape=_check_image_shape(self.image_shape),
            corner_block=_validate.one_of("corner_block", self.corner_block, CORNER_BLOCKS),
            stable=_validate.boolean("stable", self.stable),
            direction=_validate.one_of("direction", self.direction, DIRECTIONS),
        )
        _check_levels(self.image_shape, self.levels)
        self.latent_shapes  # noqa: B018  computing it raises an error for shapes that do not fit
        _check_memory(self)

    def config(self) -> dict[str, Any]:
        """Return the arguments with which `build` makes this flow again, as JSON values.

        Returns
        -------
        dict of str to str, int, bool or list of int

        Examples
        --------
        >>> from cinc_ref.flows import build
        >>> flow = build("cinc", "affine", (1, 4, 4), levels=1)
        >>> build(**flow.config()) == flow
        True
        """
        return asdict(self) | {"image_shape": list(self.image_shape)}

    def _repr_html_(self) -> str:
        rows, shape = [], self.image_shape
        for level, (chain, latent) in enumerate(zip(self.chains, self.latent_shapes, strict=True)):
            output = chain.output_shape(shape)
            names = ", ".join(type(layer).__name__ for layer in chain.layers[1].layers)
            layers = f"Squeeze, then {self.depth} x ({names})"
            rows.append((level, shape, layers, output, latent))
            shape = (output[0] - latent[0], *output[1:])
        options = ("system", "coupling", "width", "bins", "corner_block", "stable", "direction")
        caption = ", ".join(f"{name} {getattr(self, name)}" for name in options)
        return table_html(("level", "input", "layers", "output", "latent"), rows, caption)

    @cached_property
    def chains(self) -> tuple[Chain, ...]:
        """The `Chain` of each level: squeeze, then `depth` of actnorm, convolution, coupling."""
        return tuple(
            Chain([Squeeze(), *(self._step(level * self.depth + k) for k in range(self.depth))])
            for level in range(self.levels)
        )

    def _step(self, seed):
        coupling = COUPLINGS[self.coupling](width=self.width)
        return Chain([ActNorm(), step_convolution(self, seed), coupling])

    @cached_property
    def latent_shapes(self) -> tuple[Shape, ...]:
        """The shape (C, H, W) of each latent, in the order of `encode`."""
        *split, last = self._level_shapes
        return (*((c - c // 2, height, width) for c, height, width in split), last)

    @cached_property
    def _level_shapes(self):
        """The shape (C, H, W) of what the steps of each level return."""
        level = Chain([Squeeze(), self._step(0)])  # the steps of a level differ in their seeds only
        shapes, shape = [], self.image_shape
        for _ in range(self.levels):
            shapes.append(level.output_shape(shape))
            shape = (shapes[-1][0] // 2, *shapes[-1][1:])
        return shapes

    @cached_property
    def template(self) -> Template:
        """The structure of the parameters and the shape of each leaf."""
        levels, channels = [], self.image_shape[0]
        for chain, (squeezed, _, _) in zip(self.chains, self._level_shapes, strict=True):
            levels.append(template(chain, (channels, 2, 2)).tree)  # the same for images of any size
            channels = squeezed // 2
        return Template.of({"levels": levels, **self._initial_priors(np.float64)})

    def check_params(self, params: Params) -> np.dtype[Any]:
        """Refuse parameters that do not fit the flow; every method does this first.

        Parameters
        ----------
        params : dict
            Parameters as `init` returns them.

        Returns
        -------
        numpy.dtype
            float32 or float64, the dtype of all of them.

        Raises
        ------
        ParamsError
            If a container, shape or dtype differs from those of `init`, or a number is not finite;
            the message names the leaf.

        Examples
        --------
        >>> import numpy as np
        >>> from cinc_ref.flows import build
        >>> flow = build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=4)
        >>> params = flow.init(0, np.zeros((2, 1, 4, 4)))
        >>> flow.check_params(params)
        dtype('float64')
        >>> flow.check_params({**params, "top": {}})
        Traceback (most recent call last):
        cinc_ref.errors.ParamsError: params must fit this flow: top/mean (4, 2, 2) is missing
        """
        dtype = check_params(params, self.template, lambda: "params must fit this flow")
        assert dtype is not None  # every flow has parameters
        return dtype

    def init(self, rng: Seed, batch: FloatArrayLike) -> Params:
        """Make parameters that start from the statistics of a batch.

        Parameters
        ----------
        rng : numpy.random.Generator, int or None
            Source of the initial weights; whatever `numpy.random.default_rng` takes.
        batch : array_like, shape (N, C, H, W)
            Float images in [-1/2, 1/2); the parameters take its dtype.

        Returns
        -------
        params : dict
            "levels" (one list a level), "priors" (one dict a split) and "top".

        Raises
        ------
        DataError, DtypeError, NonFiniteError
            If the batch does not fit.
        OptionError
            If `rng` is no seed.

        Examples
        --------
        >>> import numpy as np
        >>> from cinc_ref.flows import build
        >>> flow = build("cinc", "affine", (1, 8, 8), levels=2, depth=1, width=4, bins=17)
        >>> rng = np.random.default_rng(0)
        >>> x = rng.uniform(-0.5, 0.5, (3, 1, 8, 8))
        >>> params = flow.init(rng, x)
        >>> [key for key in params], params["top"]["mean"].shape
        (['levels', 'priors', 'top'], (8, 2, 2))
        """
        rng = _validate.generator("rng", rng)
        x = self._checked(batch, "batch")
        if not len(x):
            raise DataError("batch must hold at least one image, whose statistics start the layers")
        levels = []
        for chain in self.chains:
            levels.append(chain._init(rng, x))
            x, _ = chain._forward(levels[-1], x)
            x = x[:, : x.shape[1] // 2]
        return {"levels": levels, **self._initial_priors(x.dtype)}

    def _initial_priors(self, dtype):
        """Return the parameters with which all latents are standard normal."""
        *split, last = self._level_shapes
        priors = [
            {
                "weight": np.zeros((2 * (c - c // 2), c // 2, 3, 3), dtype),
                "bias": np.zeros(2 * (c - c // 2), dtype),
            }
            for c, _, _ in split
        ]
        top = {name: np.zeros(last, dtype) for name in ("mean", "log_std")}
        return {"priors": priors, "top": top}

    def log_prob(
        self, params: Params, x: FloatArrayLike, *, constant_memory: bool = False
    ) -> Array:
        """Compute the log-density of images.

        Parameters
        ----------
        params : dict
            Parameters as `init` returns them.
        x : array_like, shape (N, C, H, W)
            Floats in [-1/2, 1/2), the dtype of the parameters; see `dequantize`.
        constant_memory : bool
            Keep one array per level for the gradient, at any depth: the backward pass rebuilds
            the input of each step from its output, by the inverse. The inverse must be usable, see
            `stability`, and costs about as much again.

        Returns
        -------
        ndarray, shape (N,), dtype of x
            Nats.

        Raises
        ------
        ParamsError
            If the parameters do not fit the flow, or are not finite.
        DataError, DtypeError, NonFiniteError
            If x does not fit, or holds NaN or infinity.
        OptionError
            If `constant_memory` is no truth value.

        Examples
        --------
        >>> import numpy as np
        >>> from cinc_ref.flows import build
        >>> flow = build("cinc", "affine", (1, 8, 8), levels=2, depth=1, width=4, bins=17)
        >>> rng = np.random.default_rng(0)
        >>> x = rng.uniform(-0.5, 0.5, (3, 1, 8, 8))
        >>> params = flow.init(rng, x)
        >>> flow.log_prob(params, x).shape
        (3,)
        """
        constant_memory = _validate.boolean("constant_memory", constant_memory)
        x = self._checked(x, "x", self.check_params(params))
        return self._log_prob(params, x, _rebuilding_forward if constant_memory else _forward)

    def _log_prob(self, params, x, forward):
        latents, log_det = self._encode(params, x, forward)
        return sum((log_normal(z) for z in latents), log_det)

    def encode(self, params: Params, x: FloatArrayLike) -> tuple[Array, ...]:
        """Compute all latents of images, standardized: the model has them standard normal.

        Parameters
        ----------
        params : dict
            Parameters as `init` returns them.
        x : array_like, shape (N, C, H, W)
            Floats in [-1/2, 1/2), the dtype of the parameters.

        Returns
        -------
        tuple of ndarray, shapes (N, C, H, W) of `latent_shapes`, dtype of x
            The latents, the earliest split first.

        Raises
        ------
        ParamsError
            If the parameters do not fit the flow, or are not finite.
        DataError, DtypeError, NonFiniteError
            If x does not fit, or holds NaN or infinity.

        Examples
        --------
        >>> import numpy as np
        >>> from cinc_ref.flows import build
        >>> flow = build("cinc", "affine", (1, 8, 8), levels=2, depth=1, width=4, bins=17)
        >>> rng = np.random.default_rng(0)
        >>> x = rng.uniform(-0.5, 0.5, (3, 1, 8, 8))
        >>> params = flow.init(rng, x)
        >>> [z.shape for z in flow.encode(params, x)]
        [(3, 2, 4, 4), (3, 8, 2, 2)]
        """
        x = self._checked(x, "x", self.check_params(params))
        latents, _ = self._encode(params, x, _forward)
        return tuple(batch_first(z) for z in latents)

    def decode(
        self, params: Params, latents: Sequence[FloatArrayLike], *, check: bool = False
    ) -> Array:
        """Compute the images that have these latents: the inverse of `encode`.

        Parameters
        ----------
        params : dict
            Parameters as `init` returns them.
        latents : sequence of array_like
            Latents as `encode` returns them.
        check : bool
            Check the residual of every convolution's inverse, and the digits that it keeps.

        Returns
        -------
        ndarray, shape (N, C, H, W), dtype of the latents

        Raises
        ------
        ParamsError
            If the parameters do not fit the flow, or are not finite.
        DataError, ShapeError, DtypeError, NonFiniteError
            If the latents do not fit, or hold NaN or infinity.
        OptionError
            If `check` is no truth value.

        Warns
        -----
        IllConditionedWarning
            With `check`, for a convolution whose inverse keeps fewer than three digits or leaves a
            large residual; with or without, for the layer at which the images cease to be finite.

        Examples
        --------
        >>> import numpy as np
        >>> from cinc_ref.flows import build
        >>> flow = build("cinc", "affine", (1, 8, 8), levels=2, depth=1, width=4, bins=17)
        >>> rng = np.random.default_rng(0)
        >>> x = rng.uniform(-0.5, 0.5, (3, 1, 8, 8))
        >>> params = flow.init(rng, x)
        >>> bool(np.allclose(flow.decode(params, flow.encode(params, x)), x))
        True
        """
        check = _validate.boolean("check", check)
        latents = self._checked_latents(latents, self.check_params(params))
        return self._decode(params, latents, check)

    def _decode(self, params, latents, check):
        latents = [batch_last(z) for z in latents]
        if not check:
            with suppress(ParamsError, SingularKernelError):  # which name no layer yet
                x = batch_first(self._decode_levels(params, latents, _inverse))
                if np.isfinite(value_of(x)).all():
                    return x
        inverse = partial(checked_inverse, check=check)
        return batch_first(self._decode_levels(params, latents, inverse))

    def decode_levels(
        self,
        params: Params,
        latents: Sequence[FloatArray],
        inverse: Callable[[Chain, Any, FloatArray, int], FloatArray],
    ) -> FloatArray:
        """Decode with a function of the caller's for the inverse of each level.

        This is the hook for measurements and diagnostics of single layers.

        Parameters
        ----------
        params : dict
            Parameters as `init` returns them.
        latents : sequence of ndarray
            Latents as `encode` returns them; fastest batch-last in memory.
        inverse : callable
            ``inverse(chain, layer_params, y, level)`` returns ``chain.inverse(layer_params, y)[0]``
            for ``chain = flow.chains[level]``; called for the last level first.

        Returns
        -------
        ndarray, shape (N, C, H, W)

        Raises
        ------
        ParamsError, DataError, DtypeError, NonFiniteError
            If the parameters or the latents do not fit the flow, or are not finite.

        Examples
        --------
        >>> import numpy as np
        >>> from cinc_ref.flows import build
        >>> flow = build("cinc", "affine", (1, 8, 8), levels=2, depth=1, width=4)
        >>> x = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 1, 8, 8))
        >>> params = flow.init(np.random.default_rng(0), x)
        >>> def inverse(chain, layer_params, y, level):
        ...     print(f"level {level}: {y.shape[1:]}")
        ...     return chain.inverse(layer_params, y)[0]
        >>> images = flow.decode_levels(params, flow.encode(params, x), inverse)
        level 1: (8, 2, 2)
        level 0: (4, 4, 4)
        """
        latents = self._checked_latents(latents, self.check_params(params))
        return self._decode_levels(params, latents, inverse)

    def _decode_levels(self, params, latents, inverse):
        x = latents[-1] * anp.exp(params["top"]["log_std"]) + params["top"]["mean"]
        for level in reversed(range(self.levels)):
            if level < self.levels - 1:
                mean, log_std = self._prior(params, level, x)
                x = anp.concatenate([x, latents[level] * anp.exp(log_std) + mean], axis=1)
            x = inverse(self.chains[level], params["levels"][level], x, level)
        return x

    def stability(self, params: Params) -> StabilityByLayer:
        """Analyse how usable the inverse of every convolution is, on its images and on larger ones.

        The numbers (condition number, digits) are those of the image size that the convolution
        works on. The verdict is about images of any size: "bounded" and "growing" are proved, and
        what is not proved is "undecided". See `cinc_ref.theory.stability`.

        Parameters
        ----------
        params : dict
            Parameters as `init` returns them.

        Returns
        -------
        StabilityByLayer
            A dict of `cinc_ref.theory.Stability` by the layer's name, from data to latent.

        Raises
        ------
        ParamsError
            If the parameters do not fit the flow, or are not finite.
        SingularKernelError, NonFiniteError
            If a kernel is singular, or overflows.

        Examples
        --------
        >>> import numpy as np
        >>> import cinc_ref as cr
        >>> flow = cr.flows.build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=4)
        >>> params = flow.init(np.random.default_rng(0), np.zeros((2, 1, 4, 4)))
        >>> for name, stability in flow.stability(params).items():
        ...     print(name, stability.verdict)
        level 1, step 1, InvertibleConv bounded
        """
        return stability_by_layer(self, params)

    def sample(self, params: Params, rng: Seed, n: int, temperature: float = 1.0) -> Array:
        """Draw images: decoded normal latents. They may leave [-1/2, 1/2) and are not clipped.

        Parameters
        ----------
        params : dict
            Parameters as `init` returns them.
        rng : numpy.random.Generator, int or None
            Source of the latents; whatever `numpy.random.default_rng` takes.
        n : int
            Number of images, at least 0.
        temperature : float
            Standard deviation of the latents, at least 0; 0 gives the image at their mode.

        Returns
        -------
        ndarray, shape (n, C, H, W), dtype of the parameters

        Raises
        ------
        OptionError
            If `n` or `temperature` is out of range, or `rng` is no seed.
        ParamsError
            If the parameters do not fit the flow, or are not finite.

        Warns
        -----
        IllConditionedWarning
            For the layer at which the images cease to be finite.

        Examples
        --------
        >>> import numpy as np
        >>> from cinc_ref.flows import build
        >>> flow = build("cinc", "affine", (1, 8, 8), levels=2, depth=1, width=4, bins=17)
        >>> rng = np.random.default_rng(0)
        >>> x = rng.uniform(-0.5, 0.5, (3, 1, 8, 8))
        >>> params = flow.init(rng, x)
        >>> flow.sample(params, rng, 5, temperature=0.7).shape
        (5, 1, 8, 8)
        """
        n = _validate.integer("n", n, minimum=0)
        latents = self._draw_latents(rng, n, temperature, self.check_params(params))
        return self._decode(params, latents, check=False)

    def _draw_latents(self, rng, n, temperature, dtype):
        """Draw normal latents of n images; n and dtype are validated already."""
        temperature = _validate.number("temperature", temperature, minimum=0)
        rng = _validate.generator("rng", rng)
        self._check_count("n", n, dtype)
        scale = _scale_in(dtype, temperature)
        draws = (rng.standard_normal((n, *shape), dtype) for shape in self.latent_shapes)
        return [scale * z for z in draws]

    def _check_count(self, name, count, dtype):
        """Refuse so many images that they do not fit into memory."""
        needed = count * prod(self.image_shape) * dtype.itemsize
        advice = "use fewer at a time, or write them to a file with cinc_ref.streaming"
        _validate.check_memory(name, count, needed, advice)

    def sampler(
        self, params: Params, *, batch: int = BATCH, dtype: DTypeLike | None = None
    ) -> Sampler:
        """Prepare these parameters for many calls: the fast way to sample.

        All that does not depend on the latents is done once, so that a single image takes a third
        of the time of `sample`; the results are the same, bit for bit.

        Parameters
        ----------
        params : dict
            Parameters as `init` returns them, which are copied.
        batch : int
            Number of images that are computed at a time, which memory depends on, but no result.
        dtype : {float32, float64}, optional
            Dtype of the computation, to which the parameters are rounded; theirs by default.

        Returns
        -------
        Sampler
            With the methods ``draw(rng, n, temperature=1.0)`` and ``decode(latents)``.

        Raises
        ------
        ParamsError
            If the parameters do not fit the flow, or are not finite.
        OptionError, DtypeError
            If an option is not as described.

        Examples
        --------
        >>> import numpy as np
        >>> from cinc_ref.flows import build
        >>> flow = build("cinc", "affine", (1, 8, 8), levels=2, depth=1, width=4, bins=17)
        >>> params = flow.init(0, np.random.default_rng(0).uniform(-0.5, 0.5, (3, 1, 8, 8)))
        >>> sampler = flow.sampler(params)
        >>> sampler.draw(0, 5, temperature=0.7).shape
        (5, 1, 8, 8)
        """
        batch = _validate.integer("batch", batch, minimum=1)
        params_dtype = self.check_params(params)
        dtype = check_dtype(params_dtype if dtype is None else dtype)
        self._check_count("batch", batch, dtype)
        return Sampler(self, params, batch, dtype)

    def bits_per_dim(self, params: Params, images: IntegerArrayLike, rng: Seed) -> Array:
        """Compute bits per dimension of integer images, dequantized with one draw of noise.

        Parameters
        ----------
        params : dict
            Parameters as `init` returns them.
        images : array_like of integers, shape (N, C, H, W)
            Levels 0 to bins - 1.
        rng : numpy.random.Generator, int or None
            Source of the noise; whatever `numpy.random.default_rng` takes.

        Returns
        -------
        ndarray, shape (N,), dtype of the parameters

        Raises
        ------
        DataError, ShapeError
            If the images do not fit the model or its bins.
        ParamsError
            If the parameters do not fit the flow, or are not finite.
        OptionError
            If `rng` is no seed.

        Examples
        --------
        >>> import numpy as np
        >>> from cinc_ref.flows import build
        >>> flow = build("cinc", "affine", (1, 8, 8), levels=2, depth=1, width=4, bins=17)
        >>> rng = np.random.default_rng(0)
        >>> x = rng.uniform(-0.5, 0.5, (3, 1, 8, 8))
        >>> params = flow.init(rng, x)
        >>> images = rng.integers(17, size=(3, 1, 8, 8))
        >>> flow.bits_per_dim(params, images, rng).shape
        (3,)
        """
        rng = _validate.generator("rng", rng)
        images = plain_array(images, "images")
        check_fits(images, self.image_shape)
        x = dequantize(images, self.bins, rng, self.check_params(params))
        log_prob = self._log_prob(params, batch_last(x), _forward)
        return bits_per_dim(log_prob, int(np.prod(self.image_shape)), self.bins)

    def _checked(self, x, name, dtype=None):
        x = as_array(x, name)
        check_fits(x, self.image_shape, name)
        _check_values(value_of(x), name, dtype)
        return batch_last(x)

    def _checked_latents(self, latents, dtype):
        """Return latents as arrays, or raise the error that names the first wrong one."""
        if not isinstance(unboxed(latents), list | tuple) or len(latents) != self.levels:
            shapes = ", ".join(f"(N, {c}, {h}, {w})" for c, h, w in self.latent_shapes)
            raise DataError(
                f"latents must have the shapes {shapes}, in a tuple of {self.levels}; "
                f"got {_shown_latents(unboxed(latents))}"
            )
        latents = [as_array(z, f"latents[{k}]") for k, z in enumerate(latents)]
        count = next((len(z) for z in latents if np.ndim(value_of(z))), 0)
        for k, (z, shape) in enumerate(zip(latents, self.latent_shapes, strict=True)):
            name, value = f"latents[{k}]", value_of(z)
            if value.ndim != 4 or value.shape[1:] != shape:
                raise DataError(f"{name} must have shape (N, *{shape}); got {value.shape}")
            if len(value) != count:
                raise DataError(
                    f"{name} must hold as many images as latents[0], {count}; got {len(value)}"
                )
            _check_values(value, name, dtype)
        return latents

    def _encode(self, params, x, forward):
        """Compute standardized latents, and log|det| of the map from x to them.

        ``forward(chain, layer_params, x)`` applies the chain of a level.
        """
        latents, total = [], 0
        for level, chain in enumerate(self.chains):
            try:
                x, log_det = forward(chain, params["levels"][level], x)
            except ParamsError:
                deque(named_convolutions(self, params), maxlen=0)  # names the layer
                raise
            total = total + log_det
            if level < self.levels - 1:
                kept = x.shape[1] // 2
                factored_out = take_channels(x, kept, x.shape[1])
                x = take_channels(x, 0, kept)
                mean, log_std = self._prior(params, level, x)
                latents.append((factored_out - mean) * anp.exp(-log_std))
                total = total - anp.sum(log_std, axis=(1, 2, 3))
        mean, log_std = params["top"]["mean"], params["top"]["log_std"]
        latents.append((x - mean) * anp.exp(-log_std))
        return latents, total - anp.sum(log_std)

    def _prior(self, params, level, kept):
        """Compute mean and log standard deviation of the factored-out channels from the others."""
        prior = params["priors"][level]
        h = add_bias(same_conv(kept, prior["weight"]), prior["bias"])
        half = h.shape[1] // 2
        return take_channels(h, 0, half), take_channels(h, half, 2 * half)


def _forward(chain, params, x):
    return chain._forward(params, x)


def _rebuilding_forward(chain, params, x):
    return compose(chain.layers, params, x)


def _inverse(chain, params, y, level):
    return chain._inverse(params, y)[0]


def _check_values(value, name, dtype):
    """Refuse images or latents that are no finite floats, or not of the parameters' dtype."""
    _validate.check_float(value, name)
    check_same_dtype(value, name, dtype)
    _validate.check_finite(value, name)


def _shown_latents(latents):
    if isinstance(latents, list | tuple):
        return f"{len(latents)} of them"
    if isinstance(latents, np.ndarray):
        return f"one array of shape {latents.shape}"
    return _validate.shown(latents)


def _scale_in(dtype, temperature):
    """Return the temperature as a number of a dtype, or raise `OptionError` if it overflows."""
    with np.errstate(over="ignore"):
        scale = dtype.type(temperature)
    if not np.isfinite(scale):
        raise OptionError(f"temperature must be finite in {dtype}; got {temperature:g}")
    return scale


def check_flow(flow: Any) -> Flow:
    """Return a flow, or raise the `OptionError` for anything else."""
    return _validate.instance("flow", flow, Flow, "a Flow, as cinc_ref.flows.build makes it")


def _check_image_shape(image_shape):
    shape = _validate.integers(image_shape, 3, minimum=1)
    if shape is None:
        raise ShapeError(
            f"image_shape must be (C, H, W), integers >= 1; got {_validate.shown(image_shape)}"
        )
    return shape


def _check_memory(flow):
    """Refuse a flow of which one image, or the parameters, do not fit into memory in float32."""
    image = 4 * prod(flow.image_shape)
    _validate.check_memory("image_shape", flow.image_shape, image, "use smaller images")
    numbers = sum(flow.width**2 + channels**2 // 2 for channels, _, _ in flow._level_shapes)
    parameters = flow.depth * (4 * numbers + flow.levels * STEP)
    sizes = {name: getattr(flow, name) for name in ("image_shape", "levels", "depth", "width")}
    _validate.check_memory(
        ", ".join(sizes), tuple(sizes.values()), parameters, "use a smaller flow"
    )


def _check_levels(shape, levels):
    factor = 2 ** min(levels, 64)  # no side has so many pixels
    if shape[1] % factor or shape[2] % factor:
        raise ShapeError(
            f"{levels} levels need height and width divisible by {factor}; "
            f"got images of shape {shape}: use fewer levels or pad the images"
        )
