"""The Mahler gap of a kernel with one channel: the loss that its log-determinant does not show.

The Mahler measure of P(w, z) = sum of K_uv w^u z^v is m(P), the mean of log|P| over |z| = |w| = 1.
The gap m(P) - log|K_nn| of quadrant taps is 0 if and only if P has no zero with |z|, |w| < 1, and
positive otherwise.

On the line (zeta e^(i phi), zeta) Jensen's formula says that the mean of log|P| over |zeta| = 1 is
log|K_nn| plus the sum of log(1/|zeta|) over the zeros with |zeta| < 1. The gap is the mean of these
sums over phi. So it is not negative, and 0 iff no line has such a zero (zeros move continuously),
that is, iff P has no zero with |z| = |w| < 1. A P with a zero in the open bidisk has one of those:
the smallest closed bidisk with a zero has one on |z| = |w|, or P(zeta, zeta) has one inside
(DeCarlo, Murray and Saeks).

The singular values of M on large images are distributed as |P| on the bicircle (Avram and Parter;
in two variables Tyrtyshnikov), so the logarithms of those above a small threshold have nearly the
mean m(P). By theorem 2 all logarithms have the mean log|K_nn|: a vanishing share of exponentially
small singular values carries the gap.

References
----------
Jensen, "Sur un nouvel et important théorème de la théorie des fonctions", 1899; Mahler, "On some
inequalities for polynomials in several variables", 1962; DeCarlo, Murray and Saeks, "Multivariable
Nyquist theory", 1977; Parter, "On the distribution of the singular values of Toeplitz matrices",
1986; Avram, "On bilinear forms in Gaussian random variables and Toeplitz matrices", 1988;
Tyrtyshnikov, "A unifying approach to some old and new theorems on distribution and clustering",
1996.
"""

from collections.abc import Callable

import numpy as np

from cinc_ref._typing import RealArrayLike
from cinc_ref.geometry import CORNERS
from cinc_ref.theory.cases import Case
from cinc_ref.theory.conditioning import stability
from cinc_ref.theory.evidence import Evidence, search

__all__ = ["gap_decides_growth", "mahler_gap", "small_singular_values_carry_the_gap"]

POINTS = 1024
"""Number of lines: the error is of the order 1/POINTS^2 where a zero crosses |zeta| = 1."""

KERNELS: tuple[list[list[float]], ...] = (
    [[0.2, -0.9], [-0.9, 1]], [[1, 2], [2, 1]], [[4, 1]], [[1, 3], [0, 1]], [[1, 3], [5, 2]],
    [[1, 1], [1, 4]], [[1, -1], [-1, 1]],
)  # fmt: skip
"""Kernels of gap 0.2 to 1.4, and two of gap 0, without zeros and with zeros on the circles."""

SIDES = (12, 20, 28)
"""Sides in pixels of the square images whose singular values are computed."""

THRESHOLD = 1e-3
"""Singular values up to it count as small; |P| is above it on nearly all of the bicircle."""


def mahler_gap(kernel: RealArrayLike, points: int = POINTS) -> tuple[float, float]:
    """Compute the Mahler gap m(P) - log|K_nn| by Jensen's formula on lines through 0.

    In one variable all lines are alike and nothing but rounding is left.

    Parameters
    ----------
    kernel : array_like, shape (1, 1, kh, kw)
        Quadrant taps, with the anchor at the bottom right; the anchor's tap is not 0.
    points : int
        The number of lines, a multiple of 4.

    Returns
    -------
    gap : float
    error : float
        Estimate of the error: the differences between the means over every fourth line, and the
        roundings of zeros on |zeta| = 1.

    Examples
    --------
    >>> import numpy as np
    >>> gap, error = mahler_gap(np.array([[[[2.0, 1.0]]]]))
    >>> bool(abs(gap - np.log(2)) <= error < 1e-6)
    True
    """
    taps = np.asarray(kernel, float)[0, 0, ::-1, ::-1]
    angles = 2j * np.pi * (np.arange(points) + 0.5) / points
    coefficients = np.zeros((points, sum(taps.shape) - 1), complex)
    for (u, v), tap in np.ndenumerate(taps / taps[0, 0]):
        coefficients[:, u + v] += tap * np.exp(u * angles)
    degree = coefficients.shape[1] - 1
    if not degree:
        return 0.0, 0.0
    companion = np.zeros((points, degree, degree), complex)
    companion[:, np.arange(1, degree), np.arange(degree - 1)] = 1
    companion[:, 0] = -coefficients[:, 1:]  # its eigenvalues are 1/zeta
    moduli = np.abs(np.linalg.eigvals(companion))
    sums = np.log(np.maximum(moduli, 1)).sum(axis=1)
    quarters = [sums[start::4].mean() for start in range(4)]
    rounding = _rounding_on_the_circle(moduli).mean() + 1e-13
    return float(sums.mean()), float(max(quarters) - min(quarters) + rounding)


def _rounding_on_the_circle(moduli):
    """Estimate for each line what roundings add to log(1/|zeta|) of zeros on |zeta| = 1.

    If m of them coincide, each is off by about eps^(1/m).
    """
    eps = np.finfo(float).eps
    degree = moduli.shape[1]
    near = (np.abs(moduli - 1) < 4 * eps ** (1 / degree)).sum(axis=1)
    return 4 * near * eps ** (1 / np.maximum(near, 1))


def gap_decides_growth(
    rng: np.random.Generator,
    effort: int = 1,
    *,
    gap: Callable[..., tuple[float, float]] = mahler_gap,
) -> Evidence:
    """Try that the gap is positive only where the inverse grows, and 0 wherever it is bounded.

    The judge is the exact verdict of `cinc_ref.theory.stability`. An inverse that grows although
    the gap is 0 belongs to zeros on the circles, and its rate must be 1.

    Parameters
    ----------
    rng : numpy.random.Generator
    effort : int
    gap : callable
        Called as `mahler_gap`.

    Returns
    -------
    Evidence
    """

    def refute(case):
        computed, error = gap(case.kernel)
        judged = stability(case.kernel, case.size)
        if computed < -error:
            return f"the gap is negative, {computed:.3g}"
        if computed > error and judged.verdict != "growing":
            return f"the gap is {computed:.3g}, the inverse is {judged.verdict}"
        if computed <= error and judged.verdict == "growing" and judged.rate > 1.001:
            return f"the gap is 0, the inverse grows by a factor of {judged.rate:.3g}"
        return ""

    return search(
        "Mahler gap and growth", "C = 1: m(P) - log|K_nn| > 0 only if the inverse grows; "
        "0 if bounded or growing with rate 1",
        "Jensen's formula", (_quadrant_case(rng) for _ in range(100 * effort)), refute,
        theorems=(9,),
    )  # fmt: skip


def small_singular_values_carry_the_gap(
    rng: np.random.Generator | None = None,
    effort: int = 1,
    *,
    gap: Callable[..., tuple[float, float]] = mahler_gap,
) -> Evidence:
    """Try that without the small singular values the mean logarithm tends to m(P), not log|K_nn|.

    Parameters
    ----------
    rng, effort
        Not used: the kernels and sizes are fixed.
    gap : callable
        Called as `mahler_gap`.

    Returns
    -------
    Evidence
        Its figure is the largest difference times the side of the image.
    """

    def refute(case):
        values = np.linalg.svd(case.matrix(), compute_uv=False)
        large = values[values > THRESHOLD]
        mean = np.log(large).sum() / case.unknowns - np.log(np.abs(case.corner_block[0, 0]))
        return case.size[0] * abs(mean - gap(case.kernel)[0])

    return search(
        "Mahler gap and singular values", "singular values above 1e-3, on n x n pixels, n = "
        "12, 20, 28: n |mean log - m(P)|",
        "Avram and Parter's theorem", _square_cases(), refute, bound=3.0, theorems=(9,),
    )  # fmt: skip


def _quadrant_case(rng):
    """Draw small integers for up to 3x3 taps, a larger one more often for the anchor's tap."""
    kh, kw = (int(n) for n in rng.integers(1, 4, 2))
    kernel = rng.integers(-3, 4, (1, 1, kh, kw))
    kernel[0, 0, -1, -1] = rng.choice([-9, -3, -2, -1, 1, 2, 3, 9])
    return Case(kernel, (4, 4), CORNERS[0], 1, (kh - 1, kw - 1))


def _square_cases():
    """Yield the fixed kernels on square images of every side."""
    for taps in KERNELS:
        kernel = np.array([[taps]], float)
        anchor = (kernel.shape[2] - 1, kernel.shape[3] - 1)
        for side in SIDES:
            yield Case(kernel, (side, side), CORNERS[0], 1, anchor)
