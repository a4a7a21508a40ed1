"""The affine coupling: channels shifted and scaled by a network's output, in one pass."""

import autograd.numpy as anp
import numpy as np
from autograd.extend import primitive

from cinc_ref._typing import FloatArray
from cinc_ref.kernels import elementwise
from cinc_ref.primitives.channels import pad_channels, take_channels
from cinc_ref.primitives.fused import define_fused
from cinc_ref.primitives.layers import log_sigmoid
from cinc_ref.primitives.memory_order import (
    as_native_contiguous,
    as_pixels,
    by_channel,
    from_pixels,
)
from cinc_ref.primitives.program import Program

__all__ = ["affine_coupling", "log_scale_sum", "record_affine_coupling"]


@primitive
def affine_coupling(x: FloatArray, h: FloatArray, start: int, inverse: bool) -> FloatArray:
    """Shift and scale the channels of x from `start` on by h (N, 2c, H, W).

    The first half of h is the shift t, the second the scale as s = sigmoid(h + 2): (x + t) s, or
    its inverse x / s - t.
    """
    y, *arguments = _split(x, h, start)
    elementwise.affine_coupling(*map(by_channel, arguments), inverse)
    return from_pixels(y, x.shape[2:])


def _expression(x, h, start, inverse):
    channels, half = x.shape[1], h.shape[1] // 2
    shift = pad_channels(take_channels(h, 0, half), start, channels)
    log_scale = pad_channels(_log_scale(h), start, channels)
    if inverse:
        return x * anp.exp(-log_scale) - shift
    return (x + shift) * anp.exp(log_scale)


def _gradients(g, y, x, h, start, inverse):
    x_bar, g_part, t, argument, e = _split(g, h, start)
    changed = as_pixels(y)[start : start + len(t)]
    h_bar = np.empty((2 * len(t), *t.shape[1:]), t.dtype)
    halves = h_bar[: len(t)], h_bar[len(t) :]
    arrays = map(by_channel, (g_part, changed, t, argument, e, *halves))
    elementwise.affine_coupling_gradient(*arrays, inverse)
    return from_pixels(x_bar, x.shape[2:]), from_pixels(h_bar, x.shape[2:])


define_fused(affine_coupling, _expression, _gradients)


def _split(x, h, start):
    """A copy of x, its channels that change, and as kernels take them t, h and e."""
    h = as_pixels(h)
    half = len(h) // 2
    copy = as_pixels(x).astype(np.result_type(x, h))
    return copy, copy[start : start + half], h[:half], h[half:], _decay(h[half:])


def _decay(h):
    e = np.empty_like(h)
    elementwise.neg_abs_logit(by_channel(h), by_channel(e))
    return np.exp(e, out=e)


@primitive
def log_scale_sum(h: FloatArray) -> FloatArray:
    """Sum log s of `affine_coupling` over channels and pixels: (N,), in nats."""
    argument = as_pixels(h)[h.shape[1] // 2 :]
    e, total = _decay(argument), np.zeros(len(h))
    elementwise.log_scale_sum(argument, np.log1p(e, out=e), total)
    return total.astype(argument.dtype)


def record_affine_coupling(
    program: Program, part: FloatArray, h: FloatArray, inverse: bool
) -> FloatArray | None:
    """Append the coupling of images (c, H, W, N), in place, and of h (2c, H, W, N).

    Returns the array of log-determinants (N,), None unless `program.density`.
    """
    t, argument = h[: len(part)], h[len(part) :]
    e = program.array(part.shape, "decay")
    program.add(elementwise.neg_abs_logit, *map(by_channel, (argument, e)))
    program.add(np.exp, e, e)
    program.add(elementwise.affine_coupling, *map(by_channel, (part, t, argument, e)), inverse)
    if not program.density:
        return None
    total, log_det = np.zeros(program.count), program.array((program.count,))
    pixels = [a.reshape(len(part), -1, program.count) for a in (argument, e)]
    program.add(np.log1p, e, e)
    program.add(total.fill, 0)
    program.add(elementwise.log_scale_sum, *pixels, total)
    program.add(np.copyto, log_det, total, "same_kind")
    if inverse:
        program.add(np.negative, log_det, log_det)
    return log_det


def _log_scale(h):
    return log_sigmoid(take_channels(h, h.shape[1] // 2, h.shape[1]) + 2)


def _log_scale_sum(h):
    return anp.sum(_log_scale(h), axis=(1, 2, 3))


def _log_scale_sum_gradients(g, total, h):
    argument = as_pixels(h)[h.shape[1] // 2 :]
    g = as_native_contiguous(g, argument.dtype)
    h_bar = np.zeros((2 * len(argument), *argument.shape[1:]), argument.dtype)  # 0 for the shift
    elementwise.log_scale_gradient(g, argument, _decay(argument), h_bar[len(argument) :])
    return (from_pixels(h_bar, h.shape[2:]),)


define_fused(log_scale_sum, _log_scale_sum, _log_scale_sum_gradients)
