"""`cause_of_points`, the cause of wrong log-determinants, by candidates and then by patterns."""

import numpy as np

from cinc_ref.testing.candidates import (
    AGREEMENT,
    CONSTANTS,
    RATIOS,
    STRUCTURE,
    batch_candidates,
    is_wrong,
    match_in_turn,
    with_sign,
)
from cinc_ref.testing.evidence import Evidence, Point
from cinc_ref.testing.findings import Severity

__all__ = ["SINGLE", "cause_of_points"]

SINGLE = 1e-5
"""The largest relative error that computing in float32 explains."""

HALF = 2e-2
"""The largest relative error that computing in half precision explains."""


def cause_of_points(evidence: Evidence, points: list[Point]) -> tuple[Severity, str, str]:
    """Return severity, cause and words for wrong log-determinants."""
    wrong = [p for p in points if is_wrong(p)]
    if wrong and evidence.x.dtype == np.float64 and _relative(wrong).max() <= SINGLE:
        return "fragile", "precision", _in_single(_relative(wrong).max())
    tables = (RATIOS, batch_candidates(points), with_sign(RATIOS), CONSTANTS, STRUCTURE)
    preserved = all(abs(p.expected) <= p.error + 1e-9 for p in points)
    matches = match_in_turn(evidence, points, (CONSTANTS,) if preserved else tables)
    if matches and wrong:
        words = list(dict.fromkeys(c.words(wrong[0]) for c in matches))
        return "wrong", matches[0].cause, " or ".join(words[:2])
    here = [p for p in points if p.images.shape[1:] == evidence.x.shape[1:]]
    if any(map(is_wrong, here)):
        points, wrong = here, [p for p in here if is_wrong(p)]
    elif wrong and evidence.x.ndim == 4:
        return _at_other_sizes(wrong, [p for p in points if not is_wrong(p)], evidence.x.shape[1:])
    right = [p for p in points if not is_wrong(p)]
    return _pattern(wrong, right, preserved)


def _relative(points):
    """Return the errors of figures, relative to those that are expected, or absolute below 1."""
    return np.array([abs(p.got - p.expected) / (1 + abs(p.expected)) for p in points])


def _in_single(error):
    return f"log det is off by {error:.0e}, as if it were computed in float32"


def _pattern(wrong, right, preserved):
    """Describe wrong figures that no candidate explains."""
    if not wrong:
        return "wrong", "log det", "log det is not that of the Jacobian"
    got, expected = (np.array([getattr(p, name) for p in wrong]) for name in ("got", "expected"))
    gaps = got - expected
    varies = len(wrong) > 1 and np.ptp(expected) > 1e-3
    if preserved and np.ptp(got) <= 1e-9:
        words = f"log det is {got[0]:.6g} at every image, and forward preserves volume: 0 is right"
        return "wrong", "volume", words
    if right:
        return _branches(wrong, right)
    if varies and np.ptp(gaps) <= 1e-6 * (1 + np.abs(got).max()):
        words = (
            f"log det is off by the same {gaps[0]:.6g} at every image: a layer or a constant term"
        )
        return "wrong", "constant", f"{words} is not counted"
    if varies and np.ptp(got) <= 1e-9 * (1 + np.abs(got).max()):
        words = f"log det is {got[0]:.6g} at every image, and that of the Jacobian changes"
        return "wrong", "constant figure", f"{words}: it is clamped, or not computed from x"
    ratios = got / expected
    if varies and np.ptp(ratios) <= 1e-6 * np.abs(ratios[0]):
        return "wrong", "factor", f"log det is {ratios[0]:.6g} times that of the Jacobian"
    if _relative(wrong).max() <= HALF:
        words = f"log det is off by {np.abs(gaps).max():.1e} nats at most: half precision, "
        words += "a clamped or shifted scale, or a truncated series"
        return "wrong", "small error", words
    words = f"log det is not that of the Jacobian: {got[0]:.6g}, not {expected[0]:.6g}"
    return "wrong", "log det", words


def _pixels(point):
    return point.images.shape[2] * point.images.shape[3]


def _at_other_sizes(wrong, right, base):
    """Diagnose a figure that is right at the size of x and wrong at other sizes."""
    pixels, shape = base[1] * base[2], wrong[0].images.shape[1:]
    others = {p.images.shape[1:] for p in right} - {base}
    if others and min(map(_pixels, wrong)) > max(map(_pixels, right)):
        words = f"log det is right up to H*W = {max(map(_pixels, right))} and wrong for {shape}"
        return "wrong", "many pixels", words
    if others:
        return "wrong", "other sizes", f"log det is right for {base} and wrong for {shape}"
    fixed = all(
        abs(p.got - p.expected * pixels / _pixels(p)) <= 2 * p.error + AGREEMENT * (1 + abs(p.got))
        for p in wrong
    )
    words = f"log det is right for {base} alone: {shape} is wrong, and not refused"
    if fixed:
        words = f"log det counts {pixels} pixels whatever the size: {shape} is wrong, not refused"
    return "convention", "fixed size", words


def _branches(wrong, right):
    """Diagnose a figure that is right at some images and wrong at others."""
    largest = [max(np.abs(p.images[p.index]).max() for p in group) for group in (right, wrong)]
    smallest = min(np.abs(p.images[p.index]).max() for p in wrong)
    where = f"wrong at {len(wrong)} of {len(wrong) + len(right)} images"
    if smallest > largest[0]:
        where += f", those with entries beyond {largest[0]:.2g}"
    return "wrong", "branch", f"log det is right on one branch only: {where}"
