"""Activation normalization: one scale and one shift for each channel, started from the data."""

from dataclasses import dataclass
from typing import Any

import autograd.numpy as anp
import numpy as np

from cinc_ref._autodiff import value_of
from cinc_ref.bijections.base import Bijection, per_image
from cinc_ref.kernels import elementwise
from cinc_ref.primitives.layers import scale_channels
from cinc_ref.primitives.program import batch_first_view

__all__ = ["ActNorm"]


@dataclass(frozen=True)
class ActNorm(Bijection):
    r"""Activation normalization: a scale and a shift of each channel.

    .. math::
        y[n, c] = (x[n, c] + b_c)\, e^{s_c}, \qquad \log|\det| = H W \sum_c s_c

    `init` chooses b ("bias") and s ("log_scale"), both of shape (C,), so that every channel of its
    batch has mean 0 and standard deviation 1. A constant channel is only shifted.

    References
    ----------
    Kingma and Dhariwal, "Glow: Generative Flow with Invertible 1x1 Convolutions", 2018,
    section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.bijections import ActNorm
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(loc=3, scale=5, size=(8, 2, 4, 4))
    >>> layer = ActNorm()
    >>> y, log_det = layer.forward(layer.init(rng, x), x)
    >>> bool(np.allclose(y.std(axis=(0, 2, 3)), 1)), log_det.shape
    (True, (8,))
    """

    def _init(self, rng, x):
        pixels = x.astype(np.float64)
        mean, deviation = pixels.mean(axis=(0, 2, 3)), pixels.std(axis=(0, 2, 3))
        deviation = np.where(deviation > 1e-6, deviation, 1)  # a constant channel keeps its scale
        return {
            "bias": (-mean).astype(x.dtype),
            "log_scale": (-np.log(deviation)).astype(x.dtype),
        }

    def _forward(self, params, x):
        log_scale = params["log_scale"]
        y = scale_channels(x, params["bias"], anp.exp(log_scale), _zeros_per_channel(x))
        return y, per_image(x.shape[2] * x.shape[3] * anp.sum(log_scale), x)

    def _inverse(self, params, y):
        log_scale = params["log_scale"]
        x = scale_channels(y, _zeros_per_channel(y), anp.exp(-log_scale), -params["bias"])
        return x, per_image(-(y.shape[2] * y.shape[3]) * anp.sum(log_scale), y)

    def _record(self, program, params, x, inverse):
        bias, log_scale = params["bias"], params["log_scale"]
        zeros = np.zeros_like(bias)
        before, after = (zeros, -bias) if inverse else (bias, zeros)
        scale = np.exp(-log_scale if inverse else log_scale)
        pixels = x.reshape(len(x), -1)
        program.add(elementwise.scale_channels, pixels, before, scale, after, pixels)
        log_det = per_image(x.shape[1] * x.shape[2] * np.sum(log_scale), batch_first_view(x))
        return x, (-log_det if inverse else log_det) if program.density else None

    def channels_of(self, params: Any) -> int:
        """Return the number of channels that are normalized; see `Bijection.channels_of`."""
        return len(params["bias"])


def _zeros_per_channel(images):
    return np.zeros(images.shape[1], value_of(images).dtype)
