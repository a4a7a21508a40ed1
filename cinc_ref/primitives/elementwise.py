"""Actnorm and the change that a coupling makes, each in one pass over memory."""

import autograd.numpy as anp
import numpy as np
from autograd.builtins import tuple as traced_tuple
from autograd.extend import primitive

from cinc_ref.kernels import elementwise
from cinc_ref.primitives.arrays import (
    as_pixels,
    embed_channels,
    from_pixels,
    take_channels,
)
from cinc_ref.primitives.fused import define_fused
from cinc_ref.primitives.network import add_bias, log_sigmoid


@primitive
def scale_channels(x, before, scale, after):
    """(x + before) * scale + after, each of the three a number for every channel."""
    pixels = as_pixels(x)
    dtype = np.result_type(x, before, scale, after)
    y = np.empty(pixels.shape, dtype)
    elementwise.scale_channels(pixels, before, scale, after, y)
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
    """x with the channels from `start` on shifted and scaled, and the log-determinant (N,).

    h (N, 2c, H, W) is the shift t of c channels, then their scale as s = sigmoid(h + 2):
    (x + t) s, or its inverse x / s - t.
    """
    y, part, shift, argument, decay = _prepared(x, h, start)
    log_det = np.zeros(len(x))
    elementwise.couple(part, shift, argument, decay, np.log1p(decay), inverse, log_det)
    log_det = (-log_det if inverse else log_det).astype(y.dtype)
    return from_pixels(y, x.shape[2:]), log_det


def _prepared(x, h, start):
    """A copy of x, its channels that change, their shift, h + 2 and exp(-|h + 2|)."""
    h = as_pixels(h)
    half = len(h) // 2
    copy = as_pixels(x).astype(np.result_type(x, h))
    argument = h[half:] + h.dtype.type(2)
    decay = np.abs(argument)
    np.negative(decay, out=decay)
    np.exp(decay, out=decay)
    return copy, copy[start : start + half], h[:half], argument, decay


def _couple(x, h, start, inverse):
    channels, half = x.shape[1], h.shape[1] // 2
    shift = embed_channels(take_channels(h, 0, half), start, channels)
    log_scale = log_sigmoid(take_channels(h, half, 2 * half) + 2)
    if inverse:
        log_scale = -log_scale
    scale = anp.exp(embed_channels(log_scale, start, channels))
    y = x * scale - shift if inverse else (x + shift) * scale
    return traced_tuple((y, anp.sum(log_scale, axis=(1, 2, 3))))


def _couple_gradients(g, result, x, h, start, inverse):
    x_bar, part, shift, argument, decay = _prepared(g[0], h, start)
    changed = as_pixels(result[0])[start : start + len(part)]
    h_bar = np.empty((2 * len(part), *part.shape[1:]), part.dtype)
    elementwise.couple_gradient(part, g[1], changed, shift, argument, decay, inverse, h_bar)
    return from_pixels(x_bar, x.shape[2:]), from_pixels(h_bar, h.shape[2:])


define_fused(couple, _couple, _couple_gradients)
