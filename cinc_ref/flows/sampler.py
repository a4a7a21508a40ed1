"""The sampler: a flow with fixed parameters, prepared once for many calls."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cinc_ref import _validate
from cinc_ref._arrays import plain_array
from cinc_ref._display import repr_of
from cinc_ref._trees import named_leaves, rebuild
from cinc_ref._typing import Array, FloatArrayLike, Params, Seed

if TYPE_CHECKING:
    from cinc_ref.flows.multiscale import Flow

__all__ = ["BATCH", "Sampler"]

BATCH = 100
"""Images that are computed at a time by default."""


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
        leaves = (np.array(leaf, dtype) for leaf in named_leaves(params).values())
        self.flow, self.batch, self.dtype = flow, batch, dtype
        self._params = rebuild(params, leaves)

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

    def _decode(self, latents):
        images = np.empty((len(latents[0]), *self.flow.image_shape), self.dtype)
        for first in range(0, len(images), self.batch):
            part = [z[first : first + self.batch] for z in latents]
            images[first : first + self.batch] = self.flow.decode(self._params, part)
        return images
