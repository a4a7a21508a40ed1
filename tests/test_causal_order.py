"""Orders of the pixels against brute force, and the two certificates against their definition."""

from fractions import Fraction
from graphlib import CycleError, TopologicalSorter
from itertools import chain, combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinc_ref import theory
from cinc_ref.errors import OptionError, ShapeError
from cinc_ref.geometry import CORNERS, flips


def window(height, width, anchor):
    """The taps of a window other than the anchor, as offsets from it."""
    p, q = anchor
    return [(a - p, b - q) for a, b in np.ndindex(height, width) if (a, b) != (p, q)]


def subsets(taps):
    return chain.from_iterable(combinations(taps, size) for size in range(len(taps) + 1))


def readers(taps, size):
    """The pixels that each pixel of an image reads."""
    inside = set(np.ndindex(size))
    return {s: {(s[0] + u, s[1] + v) for u, v in taps} & inside for s in inside}


def has_order(taps, size):
    """Return whether the pixels can be ordered so that each reads only earlier ones."""
    try:
        TopologicalSorter(readers(taps, size)).prepare()
    except CycleError:
        return False
    return True


def check(order, taps):
    """One certificate is there, and it is right by its definition."""
    assert (order.direction is None) != (order.combination is None)
    if order.exists:
        assert all(np.dot(order.direction, tap) < 0 for tap in taps)
        assert np.gcd(*order.direction) == 1
    else:
        weights = order.combination.values()
        assert all(isinstance(weight, Fraction) and weight > 0 for weight in weights)
        assert sum(weights) == 1 and len(weights) <= 3 and set(order.combination) <= set(taps)
        for axis in (0, 1):
            assert sum(weight * tap[axis] for tap, weight in order.combination.items()) == 0


WINDOWS = [(3, 3, (1, 1)), (1, 5, (0, 2))] + [(2, 4, anchor) for anchor in np.ndindex(2, 4)]


@pytest.mark.parametrize(("height", "width", "anchor"), WINDOWS)
def test_agrees_with_brute_force_on_every_tap_set_of_a_window(height, width, anchor):
    """On an image that holds three windows either way, and the order found is one for it."""
    size = (3 * height, 3 * width)
    for taps in subsets(window(height, width, anchor)):
        order = theory.causal_order(taps)
        check(order, taps)
        assert order.exists == has_order(taps, size), taps
        if order.exists:
            place = {pixel: n for n, pixel in enumerate(order.pixels(size))}
            for pixel, read in readers(taps, size).items():
                assert all(place[other] < place[pixel] for other in read)


def test_65_sets_of_a_3x3_window_have_an_order_45_by_a_corner():
    """45 are causal in the raster order of a corner, all 65 in that order of rows or of columns."""

    def in_raster_order(taps, corner, axes):
        signs = [-1 if backwards else 1 for backwards in flips(corner)]
        return all(tuple(signs[axis] * tap[axis] for axis in axes) < (0, 0) for tap in taps)

    sets = list(subsets(window(3, 3, (1, 1))))
    ordered = [taps for taps in sets if theory.causal_order(taps).exists]
    by_rows = [taps for taps in sets if any(in_raster_order(taps, c, (0, 1)) for c in CORNERS)]
    both = [
        taps
        for taps in sets
        if any(in_raster_order(taps, c, axes) for c in CORNERS for axes in ((0, 1), (1, 0)))
    ]
    assert (len(sets), len(ordered), len(by_rows)) == (256, 65, 45)
    assert both == ordered


@given(st.lists(st.tuples(*2 * [st.integers(-6, 6)]).filter(any), max_size=6))
def test_exactly_one_certificate_is_found_for_any_taps(taps):
    check(theory.causal_order(taps), taps)


@given(st.lists(st.tuples(st.integers(-2, 2), st.integers(-2, 2)).filter(any), max_size=6))
def test_agrees_with_brute_force_on_taps_up_to_two_pixels_away(taps):
    assert theory.causal_order(taps).exists == has_order(taps, (12, 12))


@pytest.mark.parametrize("scale", [1, 10**9])
@pytest.mark.parametrize(
    ("taps", "exists"),
    [
        ([], True),
        ([(0, 0)], True),
        ([(0, -1)], True),
        ([(-1, -1), (-2, -2), (-3, -3)], True),
        ([(0, -1), (0, 1)], False),
        ([(2, 2), (-3, -3)], False),
        ([(1, 0), (0, 1), (-1, -1)], False),
        ([(1, 0), (0, 1), (-1, 0)], False),
        ([(-1, 5), (-1, -5), (0, 1)], True),
        ([(-1, 5), (-1, -5), (1, 1)], False),
        ([(1, 0), (-1, 10**6), (-1, -(10**6) - 1)], False),
        ([(0, 1), (1, -(10**6)), (10**6, -(10**12) + 1)], True),
    ],
)
def test_degenerate_and_narrow_sets(taps, exists, scale):
    """Rays, lines through 0, 0 on an edge, and angles just below or above 180 degrees."""
    taps = [(scale * u, scale * v) for u, v in taps]
    order = theory.causal_order(taps)
    check(order, [tap for tap in taps if any(tap)])
    assert order.exists == exists


def test_takes_arrays_and_repeats_and_the_pixel_itself():
    taps = np.array([[-1, 0], [-1, 0], [0, 0], [0, -1]])
    order = theory.causal_order(taps)
    assert order.taps == ((-1, 0), (0, -1)) and order.exists
    assert order == theory.causal_order(iter([(0, -1), (-1, 0)]))


@pytest.mark.parametrize("tap", [(1,), (1, 2, 3), 5, (0.5, 1), "ab", (True, 1), None])
def test_refuses_what_is_no_pair_of_integers(tap):
    with pytest.raises(OptionError, match=r"^taps must be \(row, column\) pairs of integers; got"):
        theory.causal_order([(0, 1), tap])


def test_no_order_has_no_list_of_pixels():
    order = theory.causal_order([(0, 1), (0, -1)])
    with pytest.raises(OptionError, match=r"^taps must have an order of the pixels; no order: 1/2"):
        order.pixels((2, 2))
    with pytest.raises(ShapeError):
        theory.causal_order([]).pixels((0, 2))


def test_a_matrix_in_the_order_is_triangular_with_b_on_its_diagonal():
    """A kernel of four taps that no corner of conv takes, as a matrix, in the order found."""
    rng = np.random.default_rng(0)
    taps, size = [(0, 0), (1, -1), (0, -1), (-1, -1), (1, 0)], (4, 5)
    values = dict(zip(taps, rng.integers(1, 9, len(taps)).tolist(), strict=True))
    pixels = theory.causal_order(taps).pixels(size)
    matrix = np.array([[values.get((r[0] - s[0], r[1] - s[1]), 0) for r in pixels] for s in pixels])
    assert not np.triu(matrix, 1).any()
    assert (np.diagonal(matrix) == values[0, 0]).all()
    assert len(set(pixels)) == len(list(product(*map(range, size))))
