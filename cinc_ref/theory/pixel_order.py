"""The order of the pixels in which a set of taps is causal, or the reason why there is none.

A convolution is triangular, thus inverted by substitution, if its pixels can be ordered so that
each reads only itself and pixels before it. Theorem 8: one rule orders the pixels of every image
so if and only if 0 is not in the convex hull of the taps other than the pixel itself.

Proof. By Gordan's theorem exactly one of two things exists: a direction n with n . t < 0 for all
these taps t, or weights w_t >= 0 with sum 1 and sum w_t t = 0. A direction orders the pixels by
n . s, because pixel s reads the pixels s + t. Weights, times their common denominator, are the
numbers of steps along each tap of a walk that ends where it began; on an image that holds the
walk, no order puts all of its pixels before their readers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import gcd, inf

import numpy as np

from cinc_ref import _validate
from cinc_ref._display import short_repr
from cinc_ref._typing import Size
from cinc_ref.errors import OptionError

__all__ = ["CausalOrder", "causal_order"]


@dataclass(frozen=True)
class CausalOrder:
    """The result of `causal_order`.

    Attributes
    ----------
    taps : tuple of (int, int)
        The taps without the one that reads the pixel itself, in raster order.
    direction : (int, int) or None
        Coprime integers n: the pixels (i, j) are ordered by ``n[0]*i + n[1]*j``, ascending; those
        of the same value do not read one another. None if there is no order.
    combination : dict of (int, int) to Fraction, or None
        At most three taps with positive weights of sum 1 whose combination is (0, 0). None if
        there is an order.
    """

    taps: tuple[tuple[int, int], ...]
    direction: tuple[int, int] | None
    combination: dict[tuple[int, int], Fraction] | None

    __repr__ = short_repr

    @property
    def exists(self) -> bool:
        """Tell whether there is an order, one for every image size."""
        return self.direction is not None

    def pixels(self, size: Size) -> list[tuple[int, int]]:
        """List the pixels of an image in the order, those of equal value in raster order.

        Parameters
        ----------
        size : (int, int)
            Image height and width (H, W).

        Returns
        -------
        list of (int, int)

        Raises
        ------
        OptionError
            If there is no order.
        ShapeError
            If the size is not as described.
        """
        height, width = _validate.check_size(size)
        if not self.exists:
            raise OptionError(f"taps must have an order of the pixels; {self}")
        pixels = [(i, j) for i in range(height) for j in range(width)]
        return sorted(pixels, key=lambda pixel: _dot(self.direction, pixel))

    def __str__(self) -> str:
        if self.exists:
            down, right = self.direction
            return f"causal in the order of {down}*row + {right}*column, ascending"
        terms = " + ".join(f"{weight}*{tap}" for tap, weight in self.combination.items())
        return f"no order: {terms} = (0, 0), so a pixel depends on itself through these taps"


def causal_order(taps: Iterable[tuple[int, int]]) -> CausalOrder:
    """Find the order of the pixels in which a set of taps is causal, for every image size.

    Parameters
    ----------
    taps : iterable of (int, int)
        Offsets (row, column) from the pixel that is computed to the pixels that it reads: (-1, 0)
        is the pixel above. (0, 0), the pixel itself, may be among them and does not matter.

    Returns
    -------
    CausalOrder
        Either with a ``direction`` that orders the pixels, or with a ``combination`` of the taps
        that gives (0, 0) and shows that there is no order.

    Raises
    ------
    OptionError
        If a tap is no pair of integers.

    References
    ----------
    Gordan, "Über die Auflösung linearer Gleichungen mit reellen Coefficienten", 1873.

    Examples
    --------
    >>> from cinc_ref import theory
    >>> order = theory.causal_order([(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 0)])
    >>> print(order)
    causal in the order of 2*row + 1*column, ascending
    >>> order.pixels((2, 3))
    [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    >>> print(theory.causal_order([(-1, 0), (1, 1), (1, -1)]))
    no order: 1/2*(-1, 0) + 1/4*(1, -1) + 1/4*(1, 1) = (0, 0), so a pixel depends on itself \
through these taps
    """
    if not np.iterable(taps):
        raise OptionError(f"taps must be pairs (row, column); got {_validate.shown(taps)}")
    taps = tuple(sorted(set(map(_checked, taps)) - {(0, 0)}))
    combination = _combination(taps)
    return CausalOrder(taps, None if combination else _direction(taps), combination)


def _checked(tap):
    pair = _validate.integers(tap, 2, minimum=-inf)
    if pair is None:
        raise OptionError(
            f"taps must be (row, column) pairs of integers; got {_validate.shown(tap)}"
        )
    return pair


def _combination(taps):
    """Return at most three taps around 0 with their weights, which suffice (Carathéodory)."""
    for a, b in combinations(taps, 2):
        if _cross(a, b) == 0 and _dot(a, b) < 0:  # on a line through 0, on either side of it
            return _weights({a: -_dot(a, b), b: _dot(a, a)})
    for a, b, c in combinations(taps, 3):
        areas = {a: _cross(b, c), b: _cross(c, a), c: _cross(a, b)}  # 0 = sum of area * tap
        if min(areas.values()) > 0 or max(areas.values()) < 0:
            return _weights(areas)
    return None


def _weights(multiples):
    total = sum(multiples.values())
    return {tap: Fraction(multiple, total) for tap, multiple in multiples.items()}


def _direction(taps):
    """Find a vector n with n . t < 0 for all taps, which lie in an open half-plane.

    They fill an angle below 180 degrees between the outermost of them, a and b. For every other
    tap t, cross(a, t) >= 0 and cross(t, b) >= 0, and not both are 0, so that the sum, which is
    cross(a - b, t), is positive. If all taps have one direction, n is the opposite one.
    """
    if not taps:
        return 1, 0
    a = next(a for a in taps if all(_cross(a, t) >= 0 for t in taps))
    b = next(b for b in taps if all(_cross(t, b) >= 0 for t in taps))
    n = (a[1] - b[1], b[0] - a[0]) if _cross(a, b) else (-a[0], -a[1])
    divisor = gcd(*n)
    return n[0] // divisor, n[1] // divisor


def _cross(a, b):
    return a[0] * b[1] - a[1] * b[0]


def _dot(a, b):
    return a[0] * b[0] + a[1] * b[1]
