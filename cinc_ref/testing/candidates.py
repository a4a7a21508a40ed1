"""The figures of known mistakes of log-determinants, as functions of the right figure.

A candidate is named only if it agrees with every figure that was measured.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from cinc_ref.testing.evidence import Evidence, Point

__all__ = [
    "AGREEMENT", "CONSTANTS", "RATIOS", "STRUCTURE", "Candidate", "batch_candidates", "is_wrong",
    "match", "match_in_turn", "with_sign",
]  # fmt: skip

AGREEMENT = 1e-6
"""The relative difference up to which a figure is that of a candidate, besides its own error."""


class Candidate(NamedTuple):
    """The figure of a known mistake at a point, or None where it does not apply."""

    cause: str
    figure: Callable[[Point], float | None]
    words: Callable[[Point], str]


def _sizes(point):
    """Return N, C, H, W and the number of entries D; H W is None for what is no image."""
    shape = point.images.shape
    n, event = shape[0], shape[1:]
    c, h, w = event if len(event) == 3 else (event[0], None, None)
    return n, c, h, w, int(np.prod(event))


def _ratio(cause, factor, words, images_only=True):
    """Make the candidate "expected times a factor" from the sizes (N, C, H, W, D)."""

    def figure(point):
        sizes = _sizes(point)
        if images_only and sizes[2] is None:
            return None
        return point.expected * factor(*sizes)

    return Candidate(cause, figure, lambda point: words(*_sizes(point)))


def _quotient(name):
    return lambda n, c, h, w, d: {
        "H*W": f"log det is 1/{_count(h, w)} of the Jacobian's: {_count(h, w)} = H*W, "
        "the pixels were not counted",
        "C*H*W": f"log det is 1/{d} of the Jacobian's: {d} = C*H*W, the entries were not counted",
        "D": f"log det is 1/{d} of the Jacobian's: {d} entries, a mean was taken for a sum",
        "C": f"log det is 1/{c} of the Jacobian's: {c} = C, the channels were not counted",
        "N": f"log det is 1/{n} of the Jacobian's: {n} = N, it was averaged over the batch",
        "H": f"log det is 1/{h} of the Jacobian's: {h} = H, the rows were not counted",
        "W": f"log det is 1/{w} of the Jacobian's: {w} = W, the columns were not counted",
    }[name]


def _times(name):
    return lambda n, c, h, w, d: {
        "H*W": f"log det is {_count(h, w)} times the Jacobian's: {_count(h, w)} = H*W, the pixels "
        "were counted twice",
        "C": f"log det is {c} times the Jacobian's: {c} = C, the channels were counted twice",
        "N": f"log det is {n} times the Jacobian's: {n} = N, it was summed over the batch",
        "D": f"log det is {d} times the Jacobian's: {d} entries, they were counted twice",
    }[name]


def _count(h, w):
    return None if h is None else h * w


LN2 = float(np.log(2))
LN10 = float(np.log(10))

RATIOS: tuple[Candidate, ...] = (
    _ratio("sign", lambda n, c, h, w, d: -1, lambda *s: "log det has the wrong sign", False),
    _ratio("pixels", lambda n, c, h, w, d: 1 / (h * w), _quotient("H*W")),
    _ratio(
        "H*H for H*W", lambda n, c, h, w, d: h / w,
        lambda n, c, h, w, d: "log det counts H*H pixels for H*W: right on square images only",
    ),
    _ratio(
        "W*W for H*W", lambda n, c, h, w, d: w / h,
        lambda n, c, h, w, d: "log det counts W*W pixels for H*W: right on square images only",
    ),
    _ratio(
        "H+W for H*W", lambda n, c, h, w, d: (h + w) / (h * w),
        lambda n, c, h, w, d: "log det counts H + W pixels for H*W",
    ),
    _ratio("pixels twice", lambda n, c, h, w, d: h * w, _times("H*W")),
    _ratio("channels", lambda n, c, h, w, d: 1 / c, _quotient("C"), True),
    _ratio("channels twice", lambda n, c, h, w, d: c, _times("C"), True),
    _ratio("entries", lambda n, c, h, w, d: 1 / d, _quotient("C*H*W"), True),
    _ratio(
        "entries", lambda n, c, h, w, d: 1 / d if h is None else np.nan, _quotient("D"), False
    ),
    _ratio("entries twice", lambda n, c, h, w, d: d, _times("D"), False),
    _ratio(
        "half", lambda *s: 1 / 2, lambda *s: "log det is half of the Jacobian's: a factor 2", False
    ),
    _ratio(
        "double", lambda *s: 2, lambda *s: "log det is twice the Jacobian's: a factor 2", False
    ),
    _ratio(
        "log 2", lambda *s: 1 / LN2,
        lambda *s: "log det is the Jacobian's over log 2: it is in bits, not nats", False,
    ),
    _ratio(
        "log 2", lambda *s: LN2,
        lambda *s: "log det is the Jacobian's times log 2: nats were taken for bits",
        False,
    ),
    _ratio(
        "log 10", lambda *s: 1 / LN10,
        lambda *s: "log det is the Jacobian's over log 10: a decimal logarithm", False,
    ),
    _ratio("rows", lambda n, c, h, w, d: 1 / h, _quotient("H")),
    _ratio("columns", lambda n, c, h, w, d: 1 / w, _quotient("W")),
    _ratio("batch", lambda n, c, h, w, d: n if n > 1 else np.nan, _times("N"), False),
    _ratio("batch", lambda n, c, h, w, d: 1 / n if n > 1 else np.nan, _quotient("N"), False),
    _ratio("zero", lambda *s: 0, lambda *s: "log det is 0, and that of the Jacobian is not", False),
)  # fmt: skip
"""Candidates that multiply the right figure, the more common mistakes first."""


def _added(cause, amount, words):
    def figure(point):
        return point.expected + amount(*_sizes(point))

    return Candidate(cause, figure, lambda point: words)


CONSTANTS: tuple[Candidate, ...] = tuple(
    _added(cause, amount, words)
    for sign, verb in ((1, "added"), (-1, "taken off"))
    for cause, amount, words in (
        (
            "log 2 an entry", lambda n, c, h, w, d, s=sign: s * d * LN2,
            f"log 2 is {verb} for every entry of an image",
        ),
        (
            "normal constant", lambda n, c, h, w, d, s=sign: s * d / 2 * np.log(2 * np.pi),
            f"log(2 pi)/2 is {verb} for every entry: a constant of the normal density",
        ),
        (
            "bins", lambda n, c, h, w, d, s=sign: s * d * np.log(256),
            f"log 256 is {verb} for every entry: the width of a grey level",
        ),
        (
            "pixels of log 2", lambda n, c, h, w, d, s=sign: s * (h or 1) * (w or 1) * LN2,
            f"log 2 is {verb} for every pixel",
        ),
        (
            "log 2 an image", lambda n, c, h, w, d, s=sign: s * LN2,
            f"log 2 is {verb} once for every image",
        ),
    )
)  # fmt: skip
"""Candidates that add a known constant."""


def _of_jacobian(cause, figure, words):
    """Make a candidate from the Jacobian, whose rows and columns are entries of the image."""

    def from_point(point):
        if point.jacobian is None or not np.isfinite(point.jacobian).all():
            return None
        with np.errstate(all="ignore"):
            value = figure(point, point.jacobian)
        return None if value is None else float(value)

    return Candidate(cause, from_point, lambda point: words)


def _diagonal_where(condition):
    """Sum log|J_ii| over the entries for which a condition of (x, J_ii) holds."""

    def figure(point, jacobian):
        diagonal = np.diagonal(jacobian)
        logs = np.log(np.abs(diagonal))
        if not abs(logs.sum() - point.expected) <= point.error + 1e-6:  # triangular
            return None
        x = point.images[point.index].ravel()
        chosen = condition(x, diagonal)
        return None if chosen.all() else logs[chosen].sum()

    return figure


def _block(choose):
    """Take log|det| of the block of the entries that a function of the index array chooses."""

    def figure(point, jacobian):
        index = np.arange(len(jacobian)).reshape(point.images.shape[1:])
        chosen = choose(index)
        if chosen is None or not 0 < np.size(chosen) < len(jacobian):
            return None
        rows = np.ravel(chosen)
        return np.linalg.slogdet(jacobian[np.ix_(rows, rows)])[1]

    return figure


def _image(choose):
    """Apply a choice of entries to images only."""
    return lambda index: choose(index) if index.ndim == 3 else None


STRUCTURE: tuple[Candidate, ...] = (
    _of_jacobian(
        "branch", _diagonal_where(lambda x, slope: x > 0),
        "only one branch is counted: entries x > 0, those below 0 are left out",
    ),
    _of_jacobian(
        "branch", _diagonal_where(lambda x, slope: x < 0),
        "only one branch is counted: entries x < 0, those above 0 are left out",
    ),
    _of_jacobian(
        "branch", _diagonal_where(lambda x, slope: np.abs(slope) > 1),
        "only slopes above 1 are counted: those that shrink are left out",
    ),
    _of_jacobian(
        "branch", _diagonal_where(lambda x, slope: np.abs(slope) < 1),
        "only slopes below 1 are counted: those that stretch are left out",
    ),
    _of_jacobian(
        "negative slopes", _diagonal_where(lambda x, slope: slope > 0),
        "negative slopes are left out: the absolute value is missing",
    ),
    _of_jacobian(
        "part", _block(lambda i: i[: len(i) // 2] if len(i) > 1 else None),
        "only the first half of the channels is counted",
    ),
    _of_jacobian(
        "part", _block(lambda i: i[len(i) // 2 :] if len(i) > 1 else None),
        "only the second half of the channels is counted",
    ),
    _of_jacobian("part", _block(lambda i: i[:1]), "only the first channel is counted"),
    _of_jacobian("part", _block(lambda i: i[-1:]), "only the last channel is counted"),
    _of_jacobian("part", _block(lambda i: i[:-1]), "the last channel is not counted"),
    _of_jacobian("part", _block(lambda i: i[1:]), "the first channel is not counted"),
    _of_jacobian(
        "pixels", _block(_image(lambda i: i[:, 0, 0])),
        "only the first pixel is counted: no sum over H and W",
    ),
    _of_jacobian(
        "part", _block(_image(lambda i: i[:, 0])),
        "only the first row is counted: no sum over H",
    ),
    _of_jacobian(
        "part", _block(_image(lambda i: i[:, :, 0])),
        "only the first column is counted: no sum over W",
    ),
    _of_jacobian("part", _block(_image(lambda i: i[:, :-1])), "the last row is not counted"),
    _of_jacobian("part", _block(_image(lambda i: i[:, :, :-1])), "the last column is not counted"),
    _of_jacobian(
        "no logarithm", lambda p, j: np.linalg.det(j),
        "the determinant itself is returned, not its logarithm",
    ),
    _of_jacobian(
        "no logarithm", lambda p, j: np.abs(np.linalg.det(j)),
        "the determinant itself is returned, not its logarithm",
    ),
    _of_jacobian(
        "trace", lambda p, j: np.trace(j),
        "the trace of the Jacobian is returned: a sum of slopes, not of their logarithms",
    ),
    _of_jacobian(
        "trace", lambda p, j: np.abs(np.diagonal(j)).sum(),
        "the sum of the slopes is returned, not of their logarithms",
    ),
    _of_jacobian(
        "trace", lambda p, j: np.diagonal(j)[np.abs(np.diagonal(j) - 1) > 1e-9].sum(),
        "the sum of the scales is returned, not of their logarithms",
    ),
    _of_jacobian(
        "log of a sum", lambda p, j: np.log(np.abs(np.trace(j))),
        "the logarithm of a sum is returned, not the sum of logarithms",
    ),
    _of_jacobian(
        "log of a sum", lambda p, j: np.log(np.abs(np.trace(j)) / len(j)),
        "the logarithm of a mean is returned, not the sum of logarithms",
    ),
    _of_jacobian(
        "diagonal", lambda p, j: np.log(np.abs(np.diagonal(j))).sum(),
        "only the diagonal of the Jacobian is counted: it is not triangular",
    ),
    _of_jacobian(
        "log1p", lambda p, j: np.log1p(np.abs(np.diagonal(j))).sum(),
        "log(1 + s) stands where log(s) belongs",
    ),
    _of_jacobian(
        "log1p", lambda p, j: np.log1p(np.diagonal(j) - 1 + np.diagonal(j)).sum()
        if (2 * np.diagonal(j) > 0).all() else None,
        "log(2 s) stands where log(s) belongs",
    ),
    _of_jacobian(
        "sign of the determinant", lambda p, j: np.linalg.slogdet(j)[0],
        "the sign of the determinant is returned, the first result of slogdet",
    ),
    _of_jacobian(
        "square", lambda p, j: np.log(np.abs(np.diagonal(j)) ** 2 + 1).sum(),
        "log(1 + s^2) stands where log(s) belongs",
    ),
)  # fmt: skip
"""Candidates that count a part of the Jacobian, or another function of it."""


def batch_candidates(points: list[Point]) -> tuple[Candidate, ...]:
    """Make the candidates that need the right figures of a whole batch."""
    expected = {}
    for point in points:
        expected.setdefault(id(point.images), {})[point.index] = point.expected

    def whole(point):
        known = expected.get(id(point.images), {})
        n = len(point.images)
        return np.array([known[k] for k in range(n)]) if n > 1 and len(known) == n else None

    def of_batch(cause, function, words):
        def figure(point):
            values = whole(point)
            return None if values is None else float(function(values, point.index))

        return Candidate(cause, figure, lambda point: words)

    return (
        of_batch("batch", lambda v, k: v.mean(), "log det is the mean over the batch"),
        of_batch("batch", lambda v, k: v.sum(), "log det is summed over the batch"),
        of_batch("batch", lambda v, k: v[0], "log det is that of the first image for all images"),
        of_batch("batch", lambda v, k: v[-1], "log det is that of the last image for all images"),
        of_batch("batch", lambda v, k: v[::-1][k], "log det is in the reverse order of the images"),
        of_batch("batch", lambda v, k: v[k - 1], "log det is that of the image before"),
        of_batch("batch", lambda v, k: v[(k + 1) % len(v)], "log det is that of the image after"),
        of_batch("batch", lambda v, k: np.sort(v)[k], "log det is sorted over the batch"),
        of_batch("batch", lambda v, k: v[: k + 1].sum(), "log det accumulates from image to image"),
        of_batch("batch", lambda v, k: v.max(), "log det is the largest of the batch"),
    )  # fmt: skip


def with_sign(ratios: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Combine each ratio with the wrong sign."""
    _, *others = ratios
    combined = []
    for other in others:
        if other.cause != "zero":

            def figure(point, of=other.figure):
                value = of(point)
                return None if value is None else -value

            def words(point, of=other.words):
                return f"{of(point)}; and the sign is wrong"

            combined.append(Candidate(f"sign and {other.cause}", figure, words))
    return tuple(combined)


def _agrees(candidate, point):
    value = candidate.figure(point)
    if value is None or not np.isfinite(value):
        return None
    allowed = 2 * point.error + AGREEMENT * (1 + abs(value))
    if is_wrong(point):  # much nearer to the candidate than to the right figure
        allowed = min(allowed, 0.02 * abs(point.got - point.expected))
    return abs(point.got - value) <= allowed


def match(points: list[Point], candidates: Any) -> list[Candidate]:
    """Return the candidates that agree at every point where they apply: two, if there are two."""
    matches = []
    for candidate in candidates:
        verdicts = [_agrees(candidate, point) for point in points]
        known = [p for p, verdict in zip(points, verdicts, strict=True) if verdict is not None]
        enough = len(known) >= min(2, len(points)) and any(map(is_wrong, known))
        if enough and False not in verdicts:
            matches.append(candidate)
    return matches


def match_in_turn(evidence: Evidence, points: list[Point], tables: Any) -> list[Candidate]:
    """Return the matches of the first table that has any at the size of x.

    Images of other sizes decide between several; where none agrees there, they decide nothing.
    """
    here = [p for p in points if p.images.shape[1:] == evidence.x.shape[1:]]
    for table in tables:
        matches = match(here, table) if any(map(is_wrong, here)) else match(points, table)
        everywhere = match(points, matches)
        if matches:
            return everywhere or matches
    return []


def is_wrong(point: Point) -> bool:
    """Return whether a figure is not that of the Jacobian."""
    return not abs(point.got - point.expected) <= point.error
