r"""Boundedness from an accretive symbol: a certificate for every kind of taps.

*Theorem.* If there are a matrix X and delta > 0 with

.. math:: \mathrm{Re} \langle x, X P(w, z)\, x\rangle \ge \delta \|x\|^2
          \qquad\text{for } |w| = |z| = 1,

then ||M^{-1}||_2 <= ||X||_2 / delta on images of every size, with any dilation.

*Proof.* (I (x) X) M is a section of the convolution on the infinite grid with the symbol X P: rows
and columns of the same pixels are kept. By Parseval's equation Re<x, X M x> is the mean of
Re<x^(w,z), X P x^(w,z)> over all waves, at least delta ||x||^2, so ||X M x|| >= delta ||x||.

S < 1 is a special case: with X = B^{-1}, X P = 1 + a sum of norm at most S, so delta >= 1 - S.

The least eigenvalue of the Hermitian part H on the whole torus follows from finitely many waves:
in the angles it changes by at most L_w = sum |u| ||X K_uv|| and L_z = sum |v| ||X K_uv|| a radian,
so a cell of half-widths h and k is done when its centre has lambda_min >= delta + h L_w + k L_z;
other cells are halved.
"""

import numpy as np

from cinc_ref.theory.symbol import EPS, Symbol

__all__ = ["accretive"]

CELLS = 2**21
"""The number of cells times C^2 up to which cells are halved: a second's worth."""


def accretive(symbol: Symbol) -> tuple[float | None, float]:
    """Return a delta that the theorem holds with for X = `symbol.inverse`, and what was seen.

    Returns
    -------
    delta : float or None
        None if X P is not accretive, or not proved to be within the number of cells.
    least : float
        The least eigenvalue of the Hermitian part that was seen.
    """
    taps = symbol.normalized.transpose(2, 3, 0, 1)
    if not np.isfinite(taps).all():
        return None, -np.inf
    norms = np.linalg.norm(taps, axis=(2, 3))
    up = symbol.anchor[0] - np.arange(taps.shape[0])[:, None]
    left = symbol.anchor[1] - np.arange(taps.shape[1])[None, :]
    slopes = np.array([(np.abs(up) * norms).sum(), (np.abs(left) * norms).sum()])
    slack = float(np.linalg.norm(symbol.normalized_error, axis=(0, 1)).sum())
    slack += 8 * EPS * (symbol.channels + norms.size + 8) * float(norms.sum())

    half = np.array([np.pi / 32, np.pi / 16])  # real kernels: half the circle of w is enough
    cells = np.stack(np.meshgrid(np.arange(16), np.arange(16), indexing="ij"), axis=-1)
    centres = (2 * cells.reshape(-1, 2) + 1) * half
    values = _least_eigenvalues(centres, taps, up, left)
    least = _descend(centres[np.argmin(values)], half, taps, (up, left))
    delta, work = least / 2, 0
    while len(centres):
        work += len(centres) * symbol.channels**2
        values = _least_eigenvalues(centres, taps, up, left)
        least = min(least, float(values.min()))
        if least <= max(delta, 0) + slack or work > CELLS:
            return None, least
        undecided = values < delta + slack + half @ slopes
        axis = int(half[1] * slopes[1] > half[0] * slopes[0])
        half[axis] /= 2
        step = np.zeros(2)
        step[axis] = half[axis]
        centres = np.concatenate([centres[undecided] - step, centres[undecided] + step])
    return delta, least


def _descend(centre, half, taps, offsets):
    """Return the least eigenvalue around a wave, by steps that halve."""
    best, width = centre, half.copy()
    value = _least_eigenvalues(best[None], taps, *offsets)[0]
    moves = np.array([[1, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [1, -1], [-1, 1], [-1, -1]])
    for _ in range(12):
        near = best + moves * width
        values = _least_eigenvalues(near, taps, *offsets)
        if values.min() < value:
            best, value = near[np.argmin(values)], values.min()
        else:
            width = width / 2
    return float(value)


def _least_eigenvalues(angles, taps, up, left):
    """Return the least eigenvalue of the Hermitian part of X P at each pair of angles."""
    phases = np.exp(1j * (angles[:, 0, None, None] * up + angles[:, 1, None, None] * left))
    symbols = np.einsum("nab,abio->nio", phases, taps)
    return np.linalg.eigvalsh((symbols + symbols.conj().transpose(0, 2, 1)) / 2)[:, 0]
