"""The multi-scale flow: squeeze and flow steps, half of the channels leaving after each level."""

from dataclasses import asdict, dataclass
from functools import cached_property, partial

import autograd.numpy as anp
import numpy as np

from cinc_ref import _validate
from cinc_ref._autodiff import as_array, value_of
from cinc_ref.bijections import ActNorm, Chain, Squeeze
from cinc_ref.errors import DataError, OptionError
from cinc_ref.flows.dequantize import bits_per_dim, check_fits, dequantize
from cinc_ref.flows.systems import COUPLINGS, step_convolution
from cinc_ref.flows.trust import stability_by_layer, watched_inverse
from cinc_ref.primitives.arrays import batch_first, batch_last, take_channels
from cinc_ref.primitives.network import add_bias, same_conv
from cinc_ref.primitives.reversible import compose


@dataclass(frozen=True)
class Flow:
    r"""A density of images, by an invertible map to latents that are standard normal.

    Each level squeezes the image and applies `depth` steps of actnorm, invertible convolution and
    coupling. After every level but the last, the second half of the channels leaves as a latent,
    its mean and scale learned from the first half; what remains at the end has a learned mean
    and scale of its own. With z all latents, standardized,

    .. math::
        \log p(x) = \log N(z; 0, I) + \log|\det \partial z / \partial x|.

    Make one with `build`; parameters come from `init` and are handed to every method. Images are
    floats in [-1/2, 1/2) but for `bits_per_dim`. All methods are differentiable by autograd.

    References
    ----------
    Nagar, Dufraisse and Varma, "CInC Flow", 2021, architecture; Dinh et al., "Real NVP", 2017,
    for the levels.
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

    def config(self):
        """The arguments with which `build` makes this flow again, all of them JSON values."""
        return asdict(self) | {"image_shape": list(self.image_shape)}

    @cached_property
    def chains(self):
        """One `Chain` a level: squeeze, then `depth` chains of actnorm, convolution, coupling."""
        coupling = COUPLINGS[self.coupling](width=self.width)

        def step(seed):
            return Chain([ActNorm(), step_convolution(self, seed), coupling])

        return tuple(
            Chain([Squeeze(), *(step(level * self.depth + k) for k in range(self.depth))])
            for level in range(self.levels)
        )

    @cached_property
    def latent_shapes(self):
        """(C, H, W) of each latent, in the order of `encode`."""
        shapes, shape = [], self.image_shape
        for level, chain in enumerate(self.chains):
            shape = chain._output_shape(shape)
            if level < self.levels - 1:
                kept = shape[0] // 2
                shapes.append((shape[0] - kept, *shape[1:]))
                shape = (kept, *shape[1:])
        return (*shapes, shape)

    def init(self, rng, batch):
        """Parameters that start from the statistics of a batch.

        Parameters
        ----------
        rng : numpy.random.Generator
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
                leaving = x.shape[1] - kept
                x = x[:, :kept]
                priors.append(
                    {
                        "weight": np.zeros((2 * leaving, kept, 3, 3), x.dtype),
                        "bias": np.zeros(2 * leaving, x.dtype),
                    }
                )
        top = {name: np.zeros(x.shape[1:], x.dtype) for name in ("mean", "log_std")}
        return {"levels": levels, "priors": priors, "top": top}

    def log_prob(self, params, x, *, constant_memory=False):
        """The log-density of images.

        Parameters
        ----------
        params : dict
        x : array_like, shape (N, C, H, W)
            Floats in [-1/2, 1/2), the dtype of the parameters; see `dequantize`.
        constant_memory : bool
            Keep one array a level for the gradient, whatever the depth: the backward pass rebuilds
            the input of each step from its output, by the inverse. That must be usable, see
            `stability`, and costs about as much again.

        Returns
        -------
        ndarray, shape (N,), dtype of x
            Nats.

        Raises
        ------
        DataError, DtypeError, NonFiniteError
            If x does not fit, or holds NaN or infinity.
        """
        self._check_params(params)
        forward = _rebuilding_forward if constant_memory else _forward
        latents, log_det = self._encode(params, self._checked(x, "x", params), forward)
        return sum((_standard_normal(z) for z in latents), log_det)

    def encode(self, params, x):
        """All latents of images, standardized: under the model they are standard normal.

        Parameters
        ----------
        params : dict
        x : array_like, shape (N, C, H, W)

        Returns
        -------
        tuple of ndarray
            Of the shapes (N, `latent_shapes`), the earliest split first.

        Raises
        ------
        DataError, DtypeError, NonFiniteError
        """
        self._check_params(params)
        latents, _ = self._encode(params, self._checked(x, "x", params), _forward)
        return tuple(batch_first(z) for z in latents)

    def decode(self, params, latents, *, check=False):
        """The images that have these latents: the inverse of `encode`.

        Parameters
        ----------
        params : dict
        latents : sequence of array_like
            As `encode` returns them.
        check : bool
            Hold every convolution's inverse to its residual and to the digits that it keeps.

        Returns
        -------
        ndarray, shape (N, C, H, W)

        Raises
        ------
        DataError, DtypeError, NonFiniteError

        Warns
        -----
        IllConditionedWarning
            With `check`, for a convolution whose inverse keeps fewer than three digits or leaves a
            large residual; with or without, for the layer at which the images cease to be finite.
        """
        self._check_params(params)
        latents = [as_array(z) for z in latents]
        shapes = [value_of(z).shape for z in latents]
        if [shape[1:] for shape in shapes] != list(self.latent_shapes):
            raise DataError(
                f"latents must have the shapes (N, C, H, W) of {self.latent_shapes}; got {shapes}"
            )
        for k, z in enumerate(latents):
            self._check_values(z, f"latents[{k}]", params)
        latents = [batch_last(z) for z in latents]
        if not check:
            x = batch_first(self._decode(params, latents, _inverse))
            if np.isfinite(value_of(x)).all():
                return x
        watched = partial(watched_inverse, check=check)
        return batch_first(self._decode(params, latents, watched))

    def stability(self, params):
        """Analyse how usable the inverse of every convolution is, on its images and on larger ones.

        The numbers (condition number, digits) are those of the image size that the convolution
        works on. The verdict is about images of any size: "bounded" and "growing" are proved, and
        what is not proved is "undecided". See `cinc_ref.theory.stability`.

        Parameters
        ----------
        params : dict

        Returns
        -------
        dict of str to cinc_ref.theory.Stability
            By the layer's name, from data to latent.

        Examples
        --------
        >>> import numpy as np
        >>> import cinc_ref as cr
        >>> flow = cr.flows.build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=4)
        >>> params = flow.init(np.random.default_rng(0), np.zeros((2, 1, 4, 4)))
        >>> for name, found in flow.stability(params).items():
        ...     print(name, found.verdict)
        level 1, step 1, InvertibleConv bounded
        """
        return stability_by_layer(self, params)

    def sample(self, params, rng, n, temperature=1.0):
        """Draw images: decoded normal latents. They may leave [-1/2, 1/2) and are not clipped.

        Parameters
        ----------
        params : dict
        rng : numpy.random.Generator
        n : int
            How many.
        temperature : float
            Standard deviation of the latents; 0 gives the image at the mode of the latents.

        Returns
        -------
        ndarray, shape (n, C, H, W), dtype of the parameters
        """
        if not _validate.is_integer(n) or n < 0:
            raise OptionError(f"n must be an integer >= 0; got {n!r}")
        self._check_params(params)
        dtype = _any_leaf(params).dtype
        draws = (rng.standard_normal((n, *shape), dtype) for shape in self.latent_shapes)
        return self.decode(params, [dtype.type(temperature) * z for z in draws])

    def bits_per_dim(self, params, images, rng):
        """Bits per dimension of integer images, dequantized with one draw of noise.

        Parameters
        ----------
        params : dict
        images : array_like of integers, shape (N, C, H, W)
            Levels 0 to bins - 1.
        rng : numpy.random.Generator
            Of the noise.

        Returns
        -------
        ndarray, shape (N,)

        Raises
        ------
        DataError
            If the images do not fit the model or its bins.
        """
        images = np.asarray(images)
        check_fits(images, self.image_shape)
        self._check_params(params)
        dtype = _any_leaf(params).dtype
        x = dequantize(images, self.bins, rng, dtype)
        return bits_per_dim(self.log_prob(params, x), int(np.prod(self.image_shape)), self.bins)

    def _checked(self, x, name, params=None):
        x = as_array(x)
        check_fits(x, self.image_shape, name)
        self._check_values(x, name, params)
        return batch_last(x)

    def _check_values(self, x, name, params):
        value = value_of(x)
        _validate.check_float(value, name)
        if params is not None:
            _validate.check_same_dtype(value, name, _any_leaf(params), "the parameters")
        _validate.check_finite(value, name)

    def _check_params(self, params):
        """Refuse parameters that are plainly not those of this flow."""
        try:
            found = (len(params["levels"]), len(params["priors"]), _any_leaf(params).shape)
        except (TypeError, KeyError, IndexError):
            found = None
        expected = (self.levels, self.levels - 1, self.latent_shapes[-1])
        if found != expected:
            raise DataError(
                "params must be those that this flow's init returned, with levels, priors and top "
                f"of {expected}; got {found or type(params).__name__}"
            )

    def _encode(self, params, x, forward):
        """Standardized latents, and log|det| of the map from x to them.

        `forward` is how a level's chain is applied.
        """
        latents, total = [], 0
        for level, chain in enumerate(self.chains):
            x, log_det = forward(chain, params["levels"][level], x)
            total = total + log_det
            if level < self.levels - 1:
                kept = x.shape[1] // 2
                leaving = take_channels(x, kept, x.shape[1])
                x = take_channels(x, 0, kept)
                mean, log_std = self._prior(params, level, x)
                latents.append((leaving - mean) * anp.exp(-log_std))
                total = total - anp.sum(log_std, axis=(1, 2, 3))
        mean, log_std = params["top"]["mean"], params["top"]["log_std"]
        latents.append((x - mean) * anp.exp(-log_std))
        return latents, total - anp.sum(log_std)

    def _decode(self, params, latents, inverse):
        """Images from latents; `inverse` is how a level's chain is undone."""
        x = latents[-1] * anp.exp(params["top"]["log_std"]) + params["top"]["mean"]
        for level in reversed(range(self.levels)):
            if level < self.levels - 1:
                mean, log_std = self._prior(params, level, x)
                x = anp.concatenate([x, latents[level] * anp.exp(log_std) + mean], axis=1)
            x = inverse(self.chains[level], params["levels"][level], x, level)
        return x

    def _prior(self, params, level, kept):
        """Mean and log standard deviation of the channels that leave, from those that stay."""
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


def _any_leaf(params):
    """One array of the parameters, for their dtype."""
    return value_of(params["top"]["mean"])


def _standard_normal(z):
    """log N(z; 0, I) of each latent, in nats."""
    dimensions = z.shape[1] * z.shape[2] * z.shape[3]
    return -0.5 * anp.sum(z * z, axis=(1, 2, 3)) - 0.5 * dimensions * float(np.log(2 * np.pi))
