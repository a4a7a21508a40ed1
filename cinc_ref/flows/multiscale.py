"""The multi-scale flow: squeeze and flow steps; half of the channels are factored out per level."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import Any

import autograd.numpy as anp
import numpy as np
from numpy.typing import ArrayLike

from cinc_ref import _validate
from cinc_ref._arrays import plain_array
from cinc_ref._autodiff import as_array, value_of
from cinc_ref._display import table_html
from cinc_ref.bijections import ActNorm, Chain, Squeeze
from cinc_ref.bijections.base import store
from cinc_ref.bijections.conv import CORNER_BLOCKS
from cinc_ref.errors import DataError, ShapeError
from cinc_ref.flows.conditioning import checked_inverse, stability_by_layer
from cinc_ref.flows.dequantize import bits_per_dim, check_fits, dequantize
from cinc_ref.flows.systems import COUPLINGS, DIRECTIONS, SYSTEMS, step_convolution
from cinc_ref.primitives.channels import take_channels
from cinc_ref.primitives.layers import add_bias, same_conv
from cinc_ref.primitives.memory_order import batch_first, batch_last
from cinc_ref.primitives.recompute import compose
from cinc_ref.theory.conditioning import Stability


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

    system: str
    coupling: str
    image_shape: tuple[int, int, int]
    levels: int
    depth: int
    width: int
    bins: int
    corner_block: str
    stable: bool
    direction: str
    dilation: int

    def __post_init__(self):
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
        coupling = COUPLINGS[self.coupling](width=self.width)

        def step(seed):
            return Chain([ActNorm(), step_convolution(self, seed), coupling])

        return tuple(
            Chain([Squeeze(), *(step(level * self.depth + k) for k in range(self.depth))])
            for level in range(self.levels)
        )

    @cached_property
    def latent_shapes(self) -> tuple[tuple[int, int, int], ...]:
        """The shape (C, H, W) of each latent, in the order of `encode`."""
        shapes, shape = [], self.image_shape
        for level, chain in enumerate(self.chains):
            shape = chain.output_shape(shape)
            if level < self.levels - 1:
                kept = shape[0] // 2
                shapes.append((shape[0] - kept, *shape[1:]))
                shape = (kept, *shape[1:])
        return (*shapes, shape)

    def init(self, rng: np.random.Generator, batch: ArrayLike) -> dict:
        """Make parameters that start from the statistics of a batch.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of the initial weights.
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
        x = self._checked(batch, "batch")
        if not len(x):
            raise DataError("batch must hold at least one image, whose statistics start the layers")
        levels, priors = [], []
        for level, chain in enumerate(self.chains):
            levels.append(chain.init(rng, x))
            x, _ = chain.forward(levels[-1], x)
            if level < self.levels - 1:
                kept = x.shape[1] // 2
                factored_out = x.shape[1] - kept
                x = x[:, :kept]
                priors.append(
                    {
                        "weight": np.zeros((2 * factored_out, kept, 3, 3), x.dtype),
                        "bias": np.zeros(2 * factored_out, x.dtype),
                    }
                )
        top = {name: np.zeros(x.shape[1:], x.dtype) for name in ("mean", "log_std")}
        return {"levels": levels, "priors": priors, "top": top}

    def log_prob(self, params: dict, x: ArrayLike, *, constant_memory: bool = False) -> np.ndarray:
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
        self._check_params(params)
        forward = _rebuilding_forward if constant_memory else _forward
        latents, log_det = self._encode(params, self._checked(x, "x", params), forward)
        return sum((_standard_normal(z) for z in latents), log_det)

    def encode(self, params: dict, x: ArrayLike) -> tuple[np.ndarray, ...]:
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
        self._check_params(params)
        latents, _ = self._encode(params, self._checked(x, "x", params), _forward)
        return tuple(batch_first(z) for z in latents)

    def decode(
        self, params: dict, latents: Sequence[ArrayLike], *, check: bool = False
    ) -> np.ndarray:
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
        self._check_params(params)
        latents = [as_array(z, f"latents[{k}]") for k, z in enumerate(latents)]
        shapes = [value_of(z).shape for z in latents]
        if [shape[1:] for shape in shapes] != list(self.latent_shapes):
            raise DataError(
                f"latents must have the shapes (N, C, H, W) of {self.latent_shapes}; got {shapes}"
            )
        for k, z in enumerate(latents):
            self._check_values(z, f"latents[{k}]", params)
        latents = [batch_last(z) for z in latents]
        if not check:
            x = batch_first(self.decode_levels(params, latents, _inverse))
            if np.isfinite(value_of(x)).all():
                return x
        inverse = partial(checked_inverse, check=check)
        return batch_first(self.decode_levels(params, latents, inverse))

    def decode_levels(
        self,
        params: dict,
        latents: Sequence[np.ndarray],
        inverse: Callable[[Chain, list, np.ndarray, int], np.ndarray],
    ) -> np.ndarray:
        """Decode with a function of the caller's for the inverse of each level.

        This is the hook for measurements and diagnostics of single layers; nothing is validated.

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
        x = latents[-1] * anp.exp(params["top"]["log_std"]) + params["top"]["mean"]
        for level in reversed(range(self.levels)):
            if level < self.levels - 1:
                mean, log_std = self._prior(params, level, x)
                x = anp.concatenate([x, latents[level] * anp.exp(log_std) + mean], axis=1)
            x = inverse(self.chains[level], params["levels"][level], x, level)
        return x

    def stability(self, params: dict) -> dict[str, Stability]:
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
        dict of str to cinc_ref.theory.Stability
            The analysis by the layer's name, from data to latent.

        Raises
        ------
        SingularKernelError, NonFiniteError
            If a kernel is singular or not finite.

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

    def sample(
        self, params: dict, rng: np.random.Generator, n: int, temperature: float = 1.0
    ) -> np.ndarray:
        """Draw images: decoded normal latents. They may leave [-1/2, 1/2) and are not clipped.

        Parameters
        ----------
        params : dict
            Parameters as `init` returns them.
        rng : numpy.random.Generator
            Source of the latents.
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
            If `n` or `temperature` is out of range.
        DataError
            If the parameters are not those of this flow.

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
        temperature = _validate.number("temperature", temperature, minimum=0)
        self._check_params(params)
        dtype = _dtype_of(params)
        draws = (rng.standard_normal((n, *shape), dtype) for shape in self.latent_shapes)
        return self.decode(params, [dtype.type(temperature) * z for z in draws])

    def bits_per_dim(self, params: dict, images: ArrayLike, rng: np.random.Generator) -> np.ndarray:
        """Compute bits per dimension of integer images, dequantized with one draw of noise.

        Parameters
        ----------
        params : dict
            Parameters as `init` returns them.
        images : array_like of integers, shape (N, C, H, W)
            Levels 0 to bins - 1.
        rng : numpy.random.Generator
            Source of the noise.

        Returns
        -------
        ndarray, shape (N,), dtype of the parameters

        Raises
        ------
        DataError, ShapeError
            If the images do not fit the model or its bins.

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
        images = plain_array(images, "images")
        check_fits(images, self.image_shape)
        self._check_params(params)
        x = dequantize(images, self.bins, rng, _dtype_of(params))
        return bits_per_dim(self.log_prob(params, x), int(np.prod(self.image_shape)), self.bins)

    def _checked(self, x, name, params=None):
        x = as_array(x, name)
        check_fits(x, self.image_shape, name)
        self._check_values(x, name, params)
        return batch_last(x)

    def _check_values(self, x, name, params):
        value = value_of(x)
        _validate.check_float(value, name)
        if params is not None:
            _validate.check_same_dtype(value, name, _top_mean(params), "the parameters")
        _validate.check_finite(value, name)

    def _check_params(self, params):
        """Refuse parameters that are plainly not those of this flow."""
        try:
            sizes = (len(params["levels"]), len(params["priors"]), _top_mean(params).shape)
        except (TypeError, KeyError, IndexError):
            sizes = None
        expected = (self.levels, self.levels - 1, self.latent_shapes[-1])
        if sizes != expected:
            raise DataError(
                "params must be those that this flow's init returned, with levels, priors and top "
                f"of {expected}; got {sizes or type(params).__name__}"
            )

    def _encode(self, params, x, forward):
        """Compute standardized latents, and log|det| of the map from x to them.

        ``forward(chain, layer_params, x)`` applies the chain of a level.
        """
        latents, total = [], 0
        for level, chain in enumerate(self.chains):
            x, log_det = forward(chain, params["levels"][level], x)
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
    return chain.forward(params, x)


def _rebuilding_forward(chain, params, x):
    return compose(chain.layers, params, x)


def _inverse(chain, params, y, level):
    return chain.inverse(params, y)[0]


def _top_mean(params):
    return value_of(params["top"]["mean"])


def _dtype_of(params):
    return _top_mean(params).dtype


def _standard_normal(z):
    """Return log N(z; 0, I) of each latent, in nats."""
    dimensions = z.shape[1] * z.shape[2] * z.shape[3]
    return -0.5 * anp.sum(z * z, axis=(1, 2, 3)) - 0.5 * dimensions * float(np.log(2 * np.pi))


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


def _check_levels(shape, levels):
    factor = 2**levels
    if shape[1] % factor or shape[2] % factor:
        raise ShapeError(
            f"{levels} levels need height and width divisible by {factor}; "
            f"got images of shape {shape}: use fewer levels or pad the images"
        )
