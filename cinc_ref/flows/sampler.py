"""The sampler: a flow with fixed parameters, prepared once for many calls."""

from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from cinc_ref import _validate
from cinc_ref._arrays import plain_array
from cinc_ref._display import repr_of
from cinc_ref._trees import named_leaves, rebuild
from cinc_ref._typing import Array, FloatArrayLike, Params, Seed
from cinc_ref.errors import ParamsError, SingularKernelError
from cinc_ref.flows.normal import log_normal
from cinc_ref.kernels.stacked_convs import Layer
from cinc_ref.primitives.program import Program, batch_first_view

if TYPE_CHECKING:
    from cinc_ref.flows.multiscale import Flow

__all__ = ["BATCH", "Sampler"]

BATCH = 100
"""Images that are computed at a time by default."""

PROGRAMS = 3
"""Numbers of images for which a sampler is prepared at the same time, in each direction."""


class Sampler:
    """A flow with fixed parameters; `Flow.sampler` makes one and describes the options.

    The parameters are copied: later changes to them do not reach the sampler. Results are new
    arrays. Several threads may use one sampler; they wait for one another. A pickle holds the
    flow and the parameters, so that another process can prepare them anew.

    Attributes
    ----------
    flow : Flow
    batch : int
        Number of images that are computed at a time; no result depends on it.
    dtype : numpy.dtype
        float32 or float64.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.flows import build
    >>> flow = build("cinc", "affine", (1, 8, 8), levels=2, depth=1, width=4, bins=17)
    >>> params = flow.init(0, np.random.default_rng(0).uniform(-0.5, 0.5, (3, 1, 8, 8)))
    >>> sampler = flow.sampler(params, batch=2)
    >>> bool(np.array_equal(sampler.draw(1, 5), flow.sample(params, 1, 5)))
    True
    """

    flow: "Flow"
    batch: int
    dtype: "np.dtype[Any]"

    def __init__(self, flow: "Flow", params: Params, batch: int, dtype: "np.dtype[Any]") -> None:
        with np.errstate(over="ignore"):  # the result is checked
            leaves = [np.array(leaf, dtype) for leaf in named_leaves(params).values()]
        self.flow, self.batch, self.dtype = flow, batch, dtype
        self._params = rebuild(params, iter(leaves))
        flow.check_params(self._params)
        self._lock = Lock()
        self._decoders = _Programs(self._decoder)
        self._encoders = _Programs(self._encoder)
        self._decoders.of(batch)  # raises what is wrong with the parameters

    def __repr__(self) -> str:
        return repr_of(
            "Sampler", {"flow": self.flow, "batch": self.batch, "dtype": str(self.dtype)}
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Sampler, (self.flow, self._params, self.batch, self.dtype)

    def decode(self, latents: Sequence[FloatArrayLike]) -> Array:
        """Compute the images that have these latents, as `Flow.decode` does.

        Parameters
        ----------
        latents : sequence of array_like
            Latents as `Flow.encode` returns them, of the dtype of the sampler.

        Returns
        -------
        ndarray, shape (N, C, H, W), dtype of the sampler

        Raises
        ------
        DataError, ShapeError, DtypeError, NonFiniteError
            If the latents do not fit the flow, or hold NaN or infinity.

        Warns
        -----
        IllConditionedWarning
            For the layer at which the images cease to be finite.
        """
        latents = self.flow._checked_latents(latents, self.dtype)
        return self._decode([plain_array(z, f"latents[{k}]") for k, z in enumerate(latents)])

    def draw(self, rng: Seed, n: int, temperature: float = 1.0) -> Array:
        """Draw images, the same as `Flow.sample` draws.

        Parameters
        ----------
        rng : numpy.random.Generator, int or None
            Source of the latents; whatever `numpy.random.default_rng` takes.
        n : int
            Number of images, at least 0.
        temperature : float
            Standard deviation of the latents, at least 0; 0 gives the image at their mode.

        Returns
        -------
        ndarray, shape (n, C, H, W), dtype of the sampler

        Raises
        ------
        OptionError
            If `n` or `temperature` is out of range, or `rng` is no seed.

        Warns
        -----
        IllConditionedWarning
            For the layer at which the images cease to be finite.
        """
        n = _validate.integer("n", n, minimum=0)
        return self._decode(self.flow._draw_latents(rng, n, temperature, self.dtype))

    def encode(self, images: FloatArrayLike) -> tuple[tuple[Array, ...], Array]:
        """Compute latents and log-density of images, as `Flow.encode` and `Flow.log_prob` do.

        Parameters
        ----------
        images : array_like, shape (N, C, H, W)
            Floats in [-1/2, 1/2), of the dtype of the sampler.

        Returns
        -------
        latents : tuple of ndarray, shapes (N, C, H, W) of `Flow.latent_shapes`
            The latents, the earliest split first.
        log_prob : ndarray, shape (N,)
            Nats. Its last digits depend on the number of images that are computed at a time.

        Raises
        ------
        DataError, DtypeError, NonFiniteError
            If the images do not fit the flow, or hold NaN or infinity.
        """
        x = plain_array(self.flow._checked(images, "images", self.dtype), "images")
        latents = tuple(np.empty((len(x), *s), self.dtype) for s in self.flow.latent_shapes)
        log_prob = np.empty(len(x), self.dtype)
        with self._lock:
            for part in self._parts(len(x)):
                source, program, targets, density = self._encoders.of(part.stop - part.start)
                np.copyto(source, x[part].transpose(1, 2, 3, 0))
                program.run()
                for latent, target in zip(latents, targets, strict=True):
                    latent[part] = batch_first_view(target)
                log_prob[part] = density
        return latents, log_prob

    def _decode(self, latents):
        images = np.empty((len(latents[0]), *self.flow.image_shape), self.dtype)
        with self._lock:
            for part in self._parts(len(images)):
                sources, program, target = self._decoders.of(part.stop - part.start)
                for source, latent in zip(sources, latents, strict=True):
                    np.copyto(source, latent[part].transpose(1, 2, 3, 0))
                program.run()
                images[part] = batch_first_view(target)
        if not np.isfinite(images).all():
            return self.flow.decode(self._params, latents)  # warns, and names the layer
        return images

    def _parts(self, count):
        return [slice(k, min(k + self.batch, count)) for k in range(0, count, self.batch)]

    def _decoder(self, count, constants):
        """Return the arrays of the latents, the program, and the array of the images."""
        flow, params = self.flow, self._params
        program = Program(count, self.dtype, False, constants)
        latents = [program.array((*shape, count)) for shape in flow.latent_shapes]
        x = program.array(latents[-1].shape)
        _add_scaled(program, latents[-1], *_top(params), x)
        for level in reversed(range(flow.levels)):
            if level < flow.levels - 1:
                kept = len(x)
                joined = program.array((kept + len(latents[level]), *x.shape[1:]))
                program.add(np.copyto, joined[:kept], x)
                mean, log_std = self._prior(program, level, x)
                program.add(np.exp, log_std, log_std)
                _add_scaled(program, latents[level], mean, log_std, joined[kept:])
                x = joined
            try:
                x, _ = flow.chains[level]._record(program, params["levels"][level], x, True)
            except (ParamsError, SingularKernelError):
                zeros = [np.zeros((1, *shape), self.dtype) for shape in flow.latent_shapes]
                flow.decode(params, zeros)  # names the layer
                raise
        return latents, program, x

    def _encoder(self, count, constants):
        """Return the array of the images, the program, the arrays of latents and log-density."""
        flow, params = self.flow, self._params
        program = Program(count, self.dtype, True, constants)
        x = images = program.array((*flow.image_shape, count))
        latents = [program.array((*shape, count)) for shape in flow.latent_shapes]
        total = None
        for level, chain in enumerate(flow.chains):
            x, log_det = chain._record(program, params["levels"][level], x, False)
            total = program.add_log_dets(total, log_det)
            if level < flow.levels - 1:
                kept = len(x) // 2
                rest = x[kept:]
                x = x[:kept]
                mean, log_std = self._prior(program, level, x)
                _subtract_sum(program, total, log_std)
                program.add(np.negative, log_std, log_std)
                program.add(np.exp, log_std, log_std)
                program.add(np.subtract, rest, mean, latents[level])
                program.add(np.multiply, latents[level], log_std, latents[level])
        mean, log_std = (params["top"][name] for name in ("mean", "log_std"))
        program.add(np.subtract, x, mean[..., None], latents[-1])
        program.add(np.multiply, latents[-1], np.exp(-log_std)[..., None], latents[-1])
        program.add(np.subtract, total, np.sum(log_std), total)
        for z in latents:
            program.add(_add_log_normal, total, batch_first_view(z))
        return images, program, latents, total

    def _prior(self, program, level, kept):
        """Append the prior of a level; return the arrays of mean and log standard deviation."""
        prior = self._params["priors"][level]
        zeros = np.zeros_like(prior["bias"])
        h = program.add_layers([Layer(prior["weight"], zeros, False)], kept)
        program.add(np.add, h, prior["bias"][:, None, None, None], h)
        return h[: len(h) // 2], h[len(h) // 2 :]


class _Programs:
    """Programs by number of images, made when they are first needed."""

    def __init__(self, make):
        self._make, self._known, self._constants = make, {}, []

    def of(self, count):
        if count not in self._known:
            if len(self._known) >= PROGRAMS:
                del self._known[next(reversed(self._known))]  # the first one is the whole batch
            self._known[count] = self._make(count, self._constants)
        return self._known[count]


def _top(params):
    """Return mean and standard deviation of the last latent, as (C, H, W, 1)."""
    top = params["top"]
    return top["mean"][..., None], np.exp(top["log_std"])[..., None]


def _add_scaled(program, z, mean, std, result):
    """Append result = z * std + mean."""
    program.add(np.multiply, z, std, result)
    program.add(np.add, result, mean, result)


def _subtract_sum(program, total, log_std):
    def subtract():
        np.subtract(total, np.sum(batch_first_view(log_std), axis=(1, 2, 3)), total)

    program.add(subtract)


def _add_log_normal(total, z):
    np.add(total, log_normal(z), total)
