"""Polynomial identities tried at random points modulo a large prime, with a bound on the error.

The lemma of Schwartz and Zippel: a polynomial of degree D that is not 0 modulo the prime p vanishes
at a random point with a probability of at most D/p. The entries of the kernel are drawn uniformly
from 0 to p - 1 with p = 2^61 - 1, so one point for each shape leaves nearly no room for a false
identity; entries from -3 to 3 would leave all of it (D/7 > 1). What the bound covers are the
identities as polynomials modulo p.

References
----------
Schwartz, "Fast probabilistic algorithms for verification of polynomial identities", 1980;
Zippel, "Probabilistic algorithms for sparse polynomials", 1979.
"""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.geometry import CORNERS
from cinc_ref.theory.cases import Case
from cinc_ref.theory.evidence import Evidence, search
from cinc_ref.theory.modular import PRIME, determinant_modulo, inverse_modulo
from cinc_ref.theory.substitution import convolve, substitute
from cinc_ref.theory.theorems import PAPER

__all__ = [
    "MAX_UNKNOWNS",
    "determinant_at_random_points",
    "random_points",
    "substitution_at_random_points",
]

MAX_UNKNOWNS = 125
"""The largest C*H*W of a case: 5 channels on 5x5 pixels, which taps 4 pixels apart just reach."""


def determinant_at_random_points(
    rng: np.random.Generator,
    effort: int = 1,
    *,
    exponent: Callable[[int, int], int] = lambda height, width: height * width,
) -> Evidence:
    """Try theorem 2, det M = det(B)^(H W), at random points modulo 2^61 - 1.

    Both sides are polynomials of degree C H W in the entries of the kernel. Each shape, which is a
    number of channels up to 5, a kernel up to 5x5, a corner, and quadrant or half-plane taps, is
    tried `effort` times with another dilation up to 4 and another image up to 9x9, into which
    taps reach. Rows and columns of M are shuffled alike, so that the elimination gains nothing from
    the structure that is to be tested.

    Parameters
    ----------
    rng : numpy.random.Generator
    effort : int
    exponent : callable
        The exponent that is claimed, a function of H and W.

    Returns
    -------
    Evidence
        Its statement holds the probability that a false identity of any of the shapes is missed.
    """
    cases = [case for _ in range(effort) for case in random_points(rng)]

    def refute(case):
        order = rng.permutation(case.unknowns)
        determinant = determinant_modulo(case.matrix()[np.ix_(order, order)])
        power = pow(determinant_modulo(case.corner_block), exponent(*case.size), PRIME)
        return "" if determinant == power else f"det M = {determinant}, not {power}, modulo {PRIME}"

    error = sum(case.unknowns for case in cases) / PRIME
    return search(
        "determinant modulo a prime",
        f"det M = det(B)^(H W) modulo 2^61 - 1; {_error_probability(error)}",
        PAPER, cases, refute, theorems=(2,),
    )  # fmt: skip


def substitution_at_random_points(
    rng: np.random.Generator, effort: int = 1, *, solve: Callable[..., Array] = substitute
) -> Evidence:
    """Try theorems 4 and 7, that substitution undoes M and M^T, at random points modulo 2^61 - 1.

    With D = det B, the entries of D^(H W) (M substitute(y) - y) and D^(H W) (substitute(M x) - x)
    are polynomials of degree C H W + 1 in the entries of the kernel and of the image. The shapes
    are those of `determinant_at_random_points`.

    Parameters
    ----------
    rng : numpy.random.Generator
    effort : int
    solve : callable
        The substitution, called as `cinc_ref.theory.substitution.substitute`.

    Returns
    -------
    Evidence
        Its statement holds the probability that a false identity of any of the shapes is missed.
    """
    cases = [case for _ in range(effort) for case in random_points(rng)]

    def refute(case):
        kernel, block = case.kernel.astype(object), inverse_modulo(case.corner_block)
        x = rng.integers(PRIME, size=(1, len(block), *case.size)).astype(object)
        for transpose in (False, True):
            inverse = block if transpose else block.T
            images = np.concatenate([x, convolve(x, kernel, case.geometry, transpose) % PRIME])
            solved = solve(
                images, kernel, lambda rest, b=inverse: rest @ b % PRIME, case.geometry, transpose
            )
            again = convolve(solved[:1], kernel, case.geometry, transpose) % PRIME
            name = "M^T" if transpose else "M"
            if (again != x).any():
                return f"{name} inverse(y) is not y"
            if (solved[1:] != x).any():
                return f"inverse({name} x) is not x"
        return ""

    error = sum(4 * (case.unknowns + 2) for case in cases) / PRIME  # 2: det B = 0, and the image
    return search(
        "substitution modulo a prime",
        f"substitution inverts M and M^T modulo 2^61 - 1; {_error_probability(error)}",
        PAPER, cases, refute, theorems=(4, 7),
    )  # fmt: skip


def _error_probability(bound):
    return f"error probability < {1.006 * bound:.2e}"  # the factor rounds three digits up


def random_points(rng: np.random.Generator) -> Iterator[Case]:
    """Yield a case for every shape, its taps uniform modulo the prime."""
    for channels, kh, kw, corner in product(range(1, 6), range(1, 6), range(1, 6), CORNERS):
        for q in sorted({kw - 1, int(rng.integers(kw))}):  # quadrant taps, and half-plane taps
            kernel = rng.integers(PRIME, size=(channels, channels, kh, kw))
            kernel[:, :, -1, q + 1 :] = 0
            dilation = int(rng.integers(1, 5))
            reach = (dilation if kh > 1 else 0, dilation if kw > 1 else 0)
            yield Case(kernel, _size_beyond(rng, reach, channels), corner, dilation, (kh - 1, q))


def _size_beyond(rng, reach, channels):
    """Draw an image up to 9x9, larger than the nearest taps reach, of at most MAX_UNKNOWNS."""
    height, width = (int(rng.integers(pixels + 1, 10)) for pixels in reach)
    height = min(height, MAX_UNKNOWNS // (channels * (reach[1] + 1)))
    return height, min(width, MAX_UNKNOWNS // (channels * height))
