"""Actnorm and the change that a coupling makes, each in one pass over memory."""

import autograd.numpy as anp
import numpy as np
from autograd.extend import primitive

from cinc_ref.kernels import elementwise
from cinc_ref.primitives.arrays import (
    as_pixels,
    embed_channels,
    from_pixels,
    native,
    take_channels,
)
from cinc_ref.primitives.fused import define_fused
from cinc_ref.primitives.network import add_bias, log_sigmoid


@primitive
def scale_channels(x, before, scale, after):
    """(x + before) * scale + after, each of the three a number for every channel."""
    pixels = as_pixels(x)
    numbers = [native(a, a.dtype) for a in (before, scale, after)]
    y = np.empty(pixels.shape, np.result_type(pixels, *numbers))
    elementwise.scale_channels(pixels, *numbers, y)
    return from_pixels(y, x.shape[2:])


def _scale_channels(x, before, scale, after):
    return add_bias(add_bias(x, before) * scale[:, None, None], after)


def _scale_channels_gradients(g, y, x, before, scale, after):
    rows, images = (as_pixels(a).reshape(len(scale), -1) for a in (g, x))
    total = rows.sum(axis=1)
    with_images = (rows[:, None, :] @ images[:, :, None]).ravel()
    nothing = np.zeros_like(scale)
    return (
        scale_channels(g, nothing, scale, nothing),
        total * scale,
        with_images + before * total,
        total,
    )


define_fused(scale_channels, _scale_channels, _scale_channels_gradients)


@primitive
def couple(x, h, start, inverse):
    """x with the channels from `start` on shifted and scaled by what h (N, 2c, H, W) says.

    The first half of h is the shift t, the second the scale as s = sigmoid(h + 2): (x + t) s, or
    its inverse x / s - t.
    """
    y, *arguments = _split(x, h, start)
    elementwise.couple(*arguments, inverse)
    return from_pixels(y, x.shape[2:])


def _couple(x, h, start, inverse):
    channels, half = x.shape[1], h.shape[1] // 2
    shift = embed_channels(take_channels(h, 0, half), start, channels)
    log_scale = embed_channels(_log_scale(h), start, channels)
    if inverse:
        return x * anp.exp(-log_scale) - shift
    return (x + shift) * anp.exp(log_scale)


def _couple_gradients(g, y, x, h, start, inverse):
    x_bar, g_part, t, argument, e = _split(g, h, start)
    changed = as_pixels(y)[start : start + len(t)]
    h_bar = np.empty((2 * len(t), *t.shape[1:]), t.dtype)
    halves = h_bar[: len(t)], h_bar[len(t) :]
    elementwise.couple_gradient(g_part, changed, t, argument, e, inverse, *halves)
    return from_pixels(x_bar, x.shape[2:]), from_pixels(h_bar, x.shape[2:])


define_fused(couple, _couple, _couple_gradients)


def _split(x, h, start):
    """A copy of x, its channels that change, and as kernels take them t, h and e."""
    h = as_pixels(h)
    half = len(h) // 2
    copy = as_pixels(x).astype(np.result_type(x, h))
    return copy, copy[start : start + half], h[:half], h[half:], _decay(h[half:])


def _decay(h):
    e = elementwise.log_decay(h)
    return np.exp(e, out=e)


@primitive
def log_scale_sum(h):
    """log s of `couple`, summed over channels and pixels: (N,), in nats."""
    argument = as_pixels(h)[h.shape[1] // 2 :]
    e = _decay(argument)
    return elementwise.log_scale_sum(argument, np.log1p(e, out=e)).astype(argument.dtype)


def _log_scale(h):
    return log_sigmoid(take_channels(h, h.shape[1] // 2, h.shape[1]) + 2)


def _log_scale_sum(h):
    return anp.sum(_log_scale(h), axis=(1, 2, 3))


def _log_scale_sum_gradients(g, total, h):
    argument = as_pixels(h)[h.shape[1] // 2 :]
    g = native(g, argument.dtype)
    h_bar = elementwise.log_scale_gradient(g, argument, _decay(argument))
    return (from_pixels(h_bar, h.shape[2:]),)


define_fused(log_scale_sum, _log_scale_sum, _log_scale_sum_gradients)
