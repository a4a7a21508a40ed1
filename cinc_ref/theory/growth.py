r"""Whether the inverse stays bounded as the image grows.

Seen along the rows, a wave e^{i theta j}, the inverse is a recursion from one row of pixels to the
next. With the taps of kernel row p - t (t rows above the anchor) summed up at that wave,

.. math:: T_t(z) = \sum_b K[:, :, p - t, b]\, z^{q - b}, \qquad z = e^{i \theta},

    x_i = T_0(z)^{-1} (y_i - T_1(z) x_{i-1} - T_2(z) x_{i-2} - ...).

It is bounded iff the recursion within a row is, det T_0(z) != 0 for |z| <= 1, and the recursion
from row to row is for every wave: det sum_t T_t(z) w^t != 0 for |w| <= 1, |z| = 1. For taps in one
quadrant these two conditions say that det P(w, z) != 0 on the closed unit bidisk (Huang, "Stability
of two-dimensional recursive filters", 1972); for half-plane taps, whose polynomial has negative
powers of z, they are the right test and the bidisk is not.
"""

import numpy as np

WAVES = 96
REFINED = 4
EDGE = 1e-3
NOISE = 1e6


def growth_rate(kernel, anchor):
    """The factor by which the inverse's response grows from pixel to pixel, or from row to row.

    Parameters
    ----------
    kernel : ndarray of float64, shape (C, C, kh, kw)
        B^{-1} K: its corner block at the anchor is the identity.
    anchor : (int, int)

    Returns
    -------
    float
        Below 1: bounded for every image size. Above 1: exponential growth. It is the rate within
        a row if that exceeds 1, otherwise the larger one of the rate within a row and the largest
        rate from row to row over all waves.
    """
    p, q = anchor
    within = _spectral_radius(kernel[:, :, p, b] for b in range(q)[::-1])
    if within > 1 + EDGE or not p:  # on the edge, rounding decides what the radius is
        return within
    return max(within, _largest(lambda wave: _row_to_row(kernel, anchor, wave)))


def _row_to_row(kernel, anchor, wave):
    """The factor from one row of pixels to the next for the wave e^{i wave j}.

    0 where T_0 is singular but for rounding, so that the factor would be noise: if growth comes
    from there, waves nearby show it.
    """
    p, q = anchor
    phases = np.exp(1j * wave * (q - np.arange(kernel.shape[3])))
    rows = kernel[:, :, : p + 1] @ phases
    try:
        inverse = np.linalg.inv(rows[:, :, p])
    except np.linalg.LinAlgError:
        return 0.0
    if np.linalg.norm(inverse) > NOISE:
        return 0.0
    return _spectral_radius(inverse @ rows[:, :, a] for a in range(p)[::-1])


def _spectral_radius(blocks):
    """The growth of x_i = -(A_1 x_{i-1} + A_2 x_{i-2} + ...), by the block companion matrix."""
    blocks = list(blocks)
    if not blocks:
        return 0.0
    channels = len(blocks[0])
    first_rows = -np.concatenate(blocks, axis=1)
    shift = np.eye(len(blocks) * channels)[:-channels]
    return float(np.abs(np.linalg.eigvals(np.concatenate([first_rows, shift]))).max())


def _largest(function):
    """The largest value over all waves: a grid from 0 to pi (real kernels are symmetric), refined.

    From each of the best points of the grid, steps to either side that halve 14 times.
    """
    waves, step = np.linspace(0, np.pi, WAVES + 1, retstep=True)
    values = np.array([function(wave) for wave in waves])
    found = [(values[k], waves[k]) for k in np.argsort(values)[-REFINED:]]
    for width in step / 2.0 ** np.arange(1, 15):
        found = [
            max((value, wave), *((function(w), w) for w in (wave - width, wave + width)))
            for value, wave in found
        ]
    return float(max(found)[0])
