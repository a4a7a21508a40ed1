r"""A map from free parameters to kernels whose inverse is bounded on images of every size."""

import autograd.numpy as anp

from cinc_ref._typing import FloatArray

__all__ = ["BOUND", "stable_taps"]

BOUND = 0.95


def stable_taps(free: FloatArray, corner: FloatArray, bound: float = BOUND) -> FloatArray:
    r"""Compute taps that satisfy the certificate S < 1 whatever the free parameters are.

    .. math::
        K_{ab} = \frac{s\, B A_{ab}}{\sqrt{1 + T \sum_{ab} \lVert A_{ab} \rVert_F^2}},
        \qquad
        S = \sum_{ab} \lVert B^{-1} K_{ab} \rVert_2 < s

    for the free blocks :math:`A_{ab}` of the T taps other than the corner block B, because
    :math:`\sum \lVert A_{ab} \rVert_2 \le \sum \lVert A_{ab} \rVert_F
    \le \sqrt{T \sum \lVert A_{ab} \rVert_F^2}` (Cauchy and Schwarz). Hence
    :math:`\lVert M^{-1} \rVert_2 \le \lVert B^{-1} \rVert_2 / (1 - s)` for every image size. The
    map is smooth, one to one, and close to :math:`s B A_{ab}` for small parameters; differentiable
    by autograd.

    Parameters
    ----------
    free : ndarray, shape (C, C, T)
        A, any finite numbers.
    corner : ndarray, shape (C, C)
        B, invertible.
    bound : float
        s, below 1 by more than rounding costs (about eps times the condition number of B).

    Returns
    -------
    ndarray, shape (C, C, T)

    Examples
    --------
    >>> import numpy as np
    >>> taps = stable_taps(1e3 * np.ones((1, 1, 3)), np.array([[2.0]]))
    >>> np.round(taps / 2, 4)  # times B^-1: together just below 0.95
    array([[[0.3167, 0.3167, 0.3167]]])
    """
    shrink = bound / anp.sqrt(1 + free.shape[2] * anp.sum(free * free))
    return anp.tensordot(corner, free, 1) * shrink
