"""Elementwise operations in one pass over memory. Images are contiguous (C, P, N) here.

exp and log are NumPy's, whose loops are several times as fast: what they yield comes as arrays.
"""

import numba


def _jit(function):
    try:
        return numba.njit(cache=True, error_model="numpy")(function)
    except RuntimeError:  # read-only installation and no writable cache folder
        return numba.njit(error_model="numpy")(function)


@_jit
def scale_channels(x, before, scale, after, y):
    """y = (x + before) * scale + after, by channel."""
    for c in range(len(x)):
        b, s, a = before[c], scale[c], after[c]
        source, target = x[c].ravel(), y[c].ravel()
        for n in range(len(source)):
            target[n] = (source[n] + b) * s + a


@_jit
def couple(x, shift, argument, decay, log_decay, inverse, log_det):
    """x = (x + shift) * s, or x / s - shift, in place; log s is added to log_det (N,).

    s = sigmoid(argument); decay = exp(-|argument|) and log_decay = log(1 + decay), so that
    s = 1 / (1 + decay) and log s = -log_decay where the argument is positive; elsewhere
    s = decay / (1 + decay) and log s = argument - log_decay.
    """
    one, zero = x.dtype.type(1), x.dtype.type(0)
    for c in range(x.shape[0]):
        for p in range(x.shape[1]):
            value, t, h = x[c, p], shift[c, p], argument[c, p]
            e, log_e = decay[c, p], log_decay[c, p]
            if inverse:
                for n in range(len(value)):
                    value[n] = value[n] * (one + e[n]) / (e[n] if h[n] < zero else one) - t[n]
            else:
                for n in range(len(value)):
                    value[n] = (value[n] + t[n]) * (e[n] if h[n] < zero else one) / (one + e[n])
            for n in range(len(value)):
                log_det[n] += (h[n] if h[n] < zero else zero) - log_e[n]


@_jit
def couple_gradient(g, log_det_g, changed, shift, argument, decay, inverse, h_bar):
    """Gradients of `couple`: g becomes that of x, in place, and h_bar those of shift and argument.

    `changed` is what couple made of x. With y = (x + t) s, dy = s dx + s dt + y (1 - s) dh; with
    x = y / s - t, dx = dy / s - dt - (x + t) (1 - s) dh; and d log s = (1 - s) dh.
    """
    channels = len(g)
    one, zero = g.dtype.type(1), g.dtype.type(0)
    for c in range(channels):
        for p in range(g.shape[1]):
            change, value, t = g[c, p], changed[c, p], shift[c, p]
            h, e = argument[c, p], decay[c, p]
            t_bar, argument_bar = h_bar[c, p], h_bar[channels + c, p]
            if inverse:
                for n in range(len(change)):
                    s = (e[n] if h[n] < zero else one) / (one + e[n])
                    rest = (one if h[n] < zero else e[n]) / (one + e[n])
                    argument_bar[n] = -(change[n] * (value[n] + t[n]) + log_det_g[n]) * rest
                    t_bar[n] = -change[n]
                    change[n] = change[n] / s
            else:
                for n in range(len(change)):
                    s = (e[n] if h[n] < zero else one) / (one + e[n])
                    rest = (one if h[n] < zero else e[n]) / (one + e[n])
                    argument_bar[n] = (change[n] * value[n] + log_det_g[n]) * rest
                    t_bar[n] = change[n] * s
                    change[n] = t_bar[n]
