"""Elementwise operations in one pass over memory, on contiguous images.

Images are (C, P, N) where results are by image, otherwise (C, P * N): fewer loops compile sooner.

exp and log are NumPy's, whose loops are several times as fast: what they yield comes as arrays.
Results are arrays of the caller's: an allocation here would be compiled for a quarter of a second.
Numbers beside the arrays must have their dtype, or the arithmetic is float64.
"""

from cinc_ref._typing import FloatArray
from cinc_ref.kernels._jit import compiled

__all__ = [
    "affine_coupling",
    "affine_coupling_gradient",
    "log_scale_gradient",
    "log_scale_sum",
    "neg_abs_logit",
    "scale_channels",
]


@compiled
def scale_channels(
    x: FloatArray, before: FloatArray, scale: FloatArray, after: FloatArray, y: FloatArray
) -> None:
    """y = (x + before) * scale + after, by channel."""
    for c in range(len(x)):
        b, s, a = before[c], scale[c], after[c]
        source, target = x[c], y[c]
        for n in range(len(source)):
            target[n] = (source[n] + b) * s + a


@compiled
def neg_abs_logit(h: FloatArray, result: FloatArray) -> None:
    """-|h + 2|, whose exponential e gives s = sigmoid(h + 2) without overflow.

    s = 1 / (1 + e) where h + 2 is positive and e / (1 + e) elsewhere; 1 - s the other way round.
    """
    two = h.dtype.type(2)
    for c in range(len(h)):
        source, target = h[c], result[c]
        for n in range(len(source)):
            target[n] = -abs(source[n] + two)


@compiled
def log_scale_sum(h: FloatArray, log_one_plus_e: FloatArray, total: FloatArray) -> None:
    """Add log s = min(h + 2, 0) - log(1 + e) of all channels and pixels to the total, by image."""
    zero, two = h.dtype.type(0), h.dtype.type(2)
    for c in range(h.shape[0]):
        for p in range(h.shape[1]):
            z, log_e = h[c, p], log_one_plus_e[c, p]
            for n in range(len(z)):
                total[n] += min(z[n] + two, zero) - log_e[n]


@compiled
def log_scale_gradient(g: FloatArray, h: FloatArray, e: FloatArray, h_bar: FloatArray) -> None:
    """Gradient of <g, log_scale_sum> by h: d log s = (1 - s) dh."""
    one, two = h.dtype.type(1), h.dtype.type(2)
    for c in range(h.shape[0]):
        for p in range(h.shape[1]):
            z, decay, z_bar = h[c, p], e[c, p], h_bar[c, p]
            for n in range(len(z)):
                z_bar[n] = g[n] * (one if z[n] < -two else decay[n]) / (one + decay[n])


@compiled
def affine_coupling(
    x: FloatArray, t: FloatArray, h: FloatArray, e: FloatArray, inverse: bool
) -> None:
    """x = (x + t) s, or x / s - t, in place."""
    one, two = x.dtype.type(1), x.dtype.type(2)
    for c in range(len(x)):
        value, shift, z, decay = x[c], t[c], h[c], e[c]
        if inverse:
            for n in range(len(value)):
                up = decay[n] if z[n] < -two else one
                value[n] = value[n] * (one + decay[n]) / up - shift[n]
        else:
            for n in range(len(value)):
                up = decay[n] if z[n] < -two else one
                value[n] = (value[n] + shift[n]) * up / (one + decay[n])


@compiled
def affine_coupling_gradient(
    g: FloatArray,
    changed: FloatArray,
    t: FloatArray,
    h: FloatArray,
    e: FloatArray,
    t_bar: FloatArray,
    h_bar: FloatArray,
    inverse: bool,
) -> None:
    """Gradients of `affine_coupling`: g becomes that of x, in place; `changed` is what x became.

    y = (x + t) s: dy = s (dx + dt) + y (1 - s) dh. x = y / s - t: dx = dy / s - dt - (x + t)
    (1 - s) dh.
    """
    one, two = g.dtype.type(1), g.dtype.type(2)
    for c in range(len(g)):
        change, value, shift, z, decay = g[c], changed[c], t[c], h[c], e[c]
        shift_bar, z_bar = t_bar[c], h_bar[c]
        if inverse:
            for n in range(len(change)):
                up = decay[n] if z[n] < -two else one
                rest = one if z[n] < -two else decay[n]
                z_bar[n] = -change[n] * (value[n] + shift[n]) * rest / (one + decay[n])
                shift_bar[n] = -change[n]
                change[n] = change[n] * (one + decay[n]) / up
        else:
            for n in range(len(change)):
                up = decay[n] if z[n] < -two else one
                rest = one if z[n] < -two else decay[n]
                z_bar[n] = change[n] * value[n] * rest / (one + decay[n])
                shift_bar[n] = change[n] * up / (one + decay[n])
                change[n] = shift_bar[n]
