"""`diagnose`, which turns observations into findings: one for each cause, with the cause in words.

A wrong log-determinant is compared with candidates, each the figure of a known mistake. A candidate
is named only if it agrees with every figure that was measured.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from cinc_ref.testing.evidence import Evidence, Observation, Point
from cinc_ref.testing.findings import SEVERITIES, Finding, Severity

__all__ = ["diagnose"]

AGREEMENT = 1e-6
"""The relative difference up to which a figure is that of a candidate, besides its own error."""

APPROXIMATE = 1e-3
"""The largest relative error of an inverse that an iterative solver explains."""

SPREAD = 0.25
"""The share of entries that an approximate inverse gets wrong; a coupling leaves half unchanged."""

SINGLE = 1e-5
"""The largest relative error that computing in float32 explains."""

HALF = 2e-2
"""The largest relative error that computing in half precision explains."""


def diagnose(evidence: Evidence) -> tuple[Finding, ...]:
    """Group the observations by cause, the worst first."""
    findings: list[Finding] = []
    explained: set[int] = set()
    for rule in RULES:
        for finding, observations in rule(evidence, explained):
            findings.append(finding)
            explained |= {id(observation) for observation in observations}
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def _finding(severity: Severity, cause, diagnosis, observations, facts=None):
    """Make a finding of observations, with the facts of the first."""
    checks = tuple(dict.fromkeys(observation.check for observation in observations))
    facts = dict(observations[0].facts) if facts is None and observations else facts or {}
    return Finding(severity, cause, diagnosis, checks, facts, max(1, len(observations)))


def _left(evidence, explained, *checks):
    """Return the observations of some properties that no earlier rule has explained."""
    return [o for o in evidence.observations if o.check in checks and id(o) not in explained]


# ---- log-determinants ----------------------------------------------------------------------------


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

RATIOS = (
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
        lambda *s: "log det is the Jacobian's times log 2: nats were converted as if they were bits",
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


CONSTANTS = tuple(
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


STRUCTURE = (
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


def _batch_candidates(points):
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
        of_batch("batch", lambda v, k: v.mean(), "log det is the mean over the batch, not each image's"),
        of_batch("batch", lambda v, k: v.sum(), "log det is summed over the batch, one sum for all images"),
        of_batch("batch", lambda v, k: v[0], "log det is that of the first image for all images"),
        of_batch("batch", lambda v, k: v[-1], "log det is that of the last image for all images"),
        of_batch("batch", lambda v, k: v[::-1][k], "log det is in the reverse order of the images"),
        of_batch("batch", lambda v, k: v[k - 1], "log det is that of the image before"),
        of_batch("batch", lambda v, k: v[(k + 1) % len(v)], "log det is that of the image after"),
        of_batch("batch", lambda v, k: np.sort(v)[k], "log det is sorted over the batch"),
        of_batch("batch", lambda v, k: v[: k + 1].sum(), "log det accumulates from image to image"),
        of_batch("batch", lambda v, k: v.max(), "log det is the largest of the batch"),
    )  # fmt: skip


def _products(ratios):
    """Combine each ratio with the wrong sign."""
    sign, *others = ratios
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
    if _wrong(point):  # much nearer to the candidate than to the right figure
        allowed = min(allowed, 0.02 * abs(point.got - point.expected))
    return abs(point.got - value) <= allowed


def _separable(points):
    """Return points at which a wrong figure differs from the right one by far more than errors."""
    return [p for p in points if np.isfinite(p.got)]


def _match(points, candidates):
    """Return the candidates that agree at every point where they apply: two, if there are two."""
    matches = []
    for candidate in candidates:
        verdicts = [_agrees(candidate, point) for point in points]
        known = [p for p, verdict in zip(points, verdicts, strict=True) if verdict is not None]
        enough = len(known) >= min(2, len(points)) and any(map(_wrong, known))
        if enough and False not in verdicts:
            matches.append(candidate)
    return matches


def _match_in_turn(evidence, points, tables):
    """Return the matches of the first table that has any at the size of x.

    Images of other sizes decide between several; where none agrees there, they decide nothing.
    """
    here = [p for p in points if p.images.shape[1:] == evidence.x.shape[1:]]
    for table in tables:
        matches = _match(here, table) if any(map(_wrong, here)) else _match(points, table)
        everywhere = _match(points, matches)
        if matches:
            return everywhere or matches
    return []


def _wrong(point):
    return not abs(point.got - point.expected) <= point.error


def _wrong_log_dets(evidence, explained):
    """Return the observations of log-determinants that are not those of the Jacobian."""
    return _left(evidence, explained, "log_det_is_that_of_the_jacobian") + [
        o for o in _left(evidence, explained, "other_sizes") if o.data["what"] == "log_det"
    ]


def _log_det(evidence, explained):
    """Diagnose log-determinants that are not those of the Jacobian."""
    observations = _wrong_log_dets(evidence, explained)
    if not observations:
        return
    points = _separable(evidence.points + evidence.other_points)
    diagnosis = _diagnosis_of_points(evidence, points)
    severity, cause, words = diagnosis
    related = [
        o
        for o in _left(evidence, explained, "images_are_independent", "log_dets_are_antisymmetric",
                       "not_vacuous", "volume_is_preserved", "calls_repeat")
        if (o.check != "images_are_independent" or o.data["what"] == "log_det")
        and (o.check != "calls_repeat" or o.data["what"] == "log_det")
    ]  # fmt: skip
    if cause != "batch":  # a figure that depends on the batch is a mistake of another kind
        related = [o for o in related if o.check != "images_are_independent" or "batch" in cause]
    related += [
        o for o in _left(evidence, explained, "log_det_shape")
        if o.data["kind"] == "scalar" and cause == "batch"
    ]  # fmt: skip
    yield (
        _finding(severity, cause, words + _of_the_inverse(evidence), observations + related),
        (observations + related),
    )


def _of_the_inverse(evidence):
    """Say whether the log-determinant of the inverse is right where forward's is wrong."""
    for observation in evidence.observations:
        if observation.check == "log_dets_are_antisymmetric" and observation.data["images_agree"]:
            if observation.data["direction"] == "inverse" and evidence.points:
                point = evidence.points[0]
                got = float(observation.data["got"][point.index])
                if abs(got + point.expected) <= 2 * point.error + AGREEMENT * (1 + abs(got)):
                    return " (that of the inverse is right)"
    return ""


def _diagnosis_of_points(evidence, points):
    """Return severity, cause and words for wrong log-determinants."""
    wrong = [p for p in points if _wrong(p)]
    tables = (RATIOS, _batch_candidates(points), _products(RATIOS), CONSTANTS, STRUCTURE)
    preserved = all(abs(p.expected) <= p.error + 1e-9 for p in points)
    matches = _match_in_turn(evidence, points, (CONSTANTS,) if preserved else tables)
    if matches and wrong:
        words = list(dict.fromkeys(c.words(wrong[0]) for c in matches))
        return "wrong", matches[0].cause, " or ".join(words[:2])
    here = [p for p in points if p.images.shape[1:] == evidence.x.shape[1:]]
    if any(map(_wrong, here)):
        points, wrong = here, [p for p in here if _wrong(p)]
    elif wrong and evidence.x.ndim == 4:
        return _at_other_sizes(wrong, [p for p in points if not _wrong(p)], evidence.x.shape[1:])
    right = [p for p in points if not _wrong(p)]
    return _pattern(evidence, wrong, right, preserved)


def _pattern(evidence, wrong, right, preserved):
    """Describe wrong figures that no candidate explains."""
    if not wrong:
        return "wrong", "log det", "log det is not that of the Jacobian"
    got, expected = (np.array([getattr(p, name) for p in wrong]) for name in ("got", "expected"))
    gaps = got - expected
    relative = np.abs(gaps) / (1 + np.abs(expected))
    varies = len(wrong) > 1 and np.ptp(expected) > 1e-3
    if preserved and np.ptp(got) <= 1e-9:
        words = f"log det is {got[0]:.6g} at every image, and forward preserves volume: 0 is right"
        return "wrong", "volume", words
    if relative.max() <= SINGLE and evidence.x.dtype == np.float64:
        words = f"log det is off by {relative.max():.0e}, as if it were computed in float32"
        return "fragile", "precision", words
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
    if relative.max() <= HALF:
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


def _antisymmetry(evidence, explained):
    """Diagnose the log-determinant of the inverse, where forward's is right."""
    observations = _left(evidence, explained, "log_dets_are_antisymmetric")
    observations = [o for o in observations if o.data["images_agree"]]
    if not observations:
        return
    observation = observations[0]
    if observation.data["direction"] == "forward":
        words = "the log det of the inverse is wrong at images that forward has not seen: "
        observations += [
            o for o in _left(evidence, explained, "images_are_independent", "strided_input")
            if o.data["direction"] == "inverse"
        ]  # fmt: skip
        words = f"{words}it is kept from forward"
        yield _finding("wrong", "stale log det", words, observations), observations
        return
    got, right = -observation.data["got"], observation.data["other"]  # got should be right
    shape = evidence.x.shape
    points = [
        Point(k, evidence.x, float(right[k]), 1e-9 * (1 + abs(float(right[k]))), float(got[k]))
        for k in range(shape[0])
    ]
    matches = _match(points, (*RATIOS, *_products(RATIOS), *_batch_candidates(points), *CONSTANTS))
    words = "the log det of the inverse is not minus that of forward"
    cause = "log det of the inverse"
    if matches:
        first = matches[0].words(points[0]).replace("the Jacobian's", "forward's")
        first = first.replace(", and that of the Jacobian is not", "")
        words = f"the log det of the inverse: {first}"
        cause = f"inverse, {matches[0].cause}"
        if matches[0].cause == "sign":
            words = "the log det of the inverse has the sign of forward's: it should be minus it"
    yield _finding("wrong", cause, words, observations), observations


# ---- the inverse ---------------------------------------------------------------------------------


def _inverse(evidence, explained):
    """Diagnose round trips."""
    observations = _left(evidence, explained, "inverse_undoes_forward", "forward_undoes_inverse")
    sizes = [o for o in _left(evidence, explained, "other_sizes") if o.data["what"] == "inverse"]
    if not observations:
        if sizes:
            base = evidence.x.shape[1:]
            square = len(base) == 3 and base[1] == base[2]
            shape = tuple(sizes[0].data["shape"])
            words = f"the inverse is right for {base} and wrong for {shape}"
            if square and shape[1] != shape[2]:
                words = f"the inverse is right on square images only: {shape} is wrong"
            yield _finding("wrong", "inverse, other sizes", words, sizes), sizes
        return
    first = observations[0]
    related = [*sizes]
    related += [
        o for o in _left(evidence, explained, "log_dets_are_antisymmetric",
                         "images_are_independent", "parameters_are_read_anew")
        if o.check != "images_are_independent" or o.data["direction"] == "inverse"
    ]  # fmt: skip
    severity, cause, words = _cause_of_inverse(evidence, first)
    yield _finding(severity, cause, words, observations + related), observations + related


def _cause_of_inverse(evidence, observation):
    """Return severity, cause and words for an inverse that does not undo forward."""
    got, x = observation.data["got"], observation.data["expected"]
    if got.shape != x.shape:
        return "wrong", "inverse, shape", f"the inverse returns shape {got.shape} for {x.shape}"
    if not np.isfinite(got).all():
        return "wrong", "inverse, not finite", "the inverse returns NaN or infinity"
    if observation.check == "forward_undoes_inverse":
        return _cause_between_images(evidence, observation)
    got, x = got.astype(float), x.astype(float)
    scale = 1 + np.abs(x).max()
    error = np.abs(got - x)
    wrong = error > max(10 * evidence.tolerance, 1e-12) * scale
    relative = error.max() / scale
    if relative <= APPROXIMATE and wrong.mean() > SPREAD:
        return _approximate(evidence, got, x, relative)
    return (
        _cause_by_values(observation, got, x, scale)
        or _cause_by_derivatives(observation, got, x, scale, _where(wrong, x.shape))
        or _cause_by_order(got, x)
        or ("wrong", "inverse", f"the inverse does not undo forward{_where(wrong, x.shape)}")
    )


def _cause_between_images(evidence, observation):
    start = observation.data["start"]
    scale = 1 + np.abs(start).max()
    if start.shape == evidence.x.shape and np.abs(start - evidence.x).max() <= 1e-6 * scale:
        words = "the inverse returns what forward last saw: right after forward, wrong elsewhere"
        return "wrong", "inverse, stale", words
    words = (
        "forward(inverse(y)) is not y between the images of x, though inverse(forward(x)) is x: "
    )
    words += "the inverse keeps something of forward, or y leaves the range of forward"
    return "wrong", "inverse, range", words


def _approximate(evidence, got, x, relative):
    """Tell float32 inside from an iterative solver."""
    if 1e-9 < relative <= SINGLE and evidence.x.dtype == np.float64 and _like_float32(got, x):
        words = f"the inverse is off by {relative:.0e}, as if it were computed in float32"
        return "fragile", "inverse, precision", words
    wanted = 10 ** np.ceil(np.log10(relative))
    words = f"the inverse is approximate, to {relative:.0e}: if it is iterative by design, "
    cause = "inverse, precision" if relative <= SINGLE else "inverse, approximate"
    return "fragile", cause, f"{words}pass tolerance={wanted:.0e}"


def _cause_by_values(observation, got, x, scale):
    """Compare the result with -x, with the input, and with forward of the input."""

    def near(other):
        if other is None or other.size != got.size:
            return False
        return np.abs(got - other.reshape(got.shape)).max() <= 1e-6 * scale

    if near(observation.data["start"].astype(float)):
        return "wrong", "inverse, nothing", "the inverse returns its input"
    if near(-x):
        return "wrong", "inverse, sign", "the inverse returns -x"
    if near(observation.data.get("again")):
        return "wrong", "inverse, forward", "the inverse applies forward a second time"
    ratio = (got * x).sum() / max((x * x).sum(), 1e-300)
    if abs(ratio) > 1e-9 and abs(ratio - 1) > 1e-3 and near(ratio * x):
        return "wrong", "inverse, factor", f"the inverse is off by the factor {ratio:.6g}"
    return None


def _cause_by_derivatives(observation, got, x, scale, where):
    """Compare the Jacobian of the inverse with that of forward, at image 0."""
    jacobian, backward = observation.data.get("jacobian"), observation.data.get("backward")
    if jacobian is None or backward is None or not np.isfinite(backward).all():
        return None
    if jacobian.shape != backward.shape:
        return None

    def same(a, b):
        return np.abs(a - b).max() <= 1e-4 * (1 + np.abs(b).max())

    product, eye = backward @ jacobian, np.eye(len(jacobian))
    slopes, back = np.diagonal(jacobian), np.diagonal(backward)
    if same(backward, jacobian.T) and not same(backward, jacobian):
        return "wrong", "inverse, transpose", "the inverse is the transpose"
    if same(product, eye):
        words = "the derivative of the inverse is right, its value is off: a shift is not undone"
        return "wrong", "inverse, shift", words
    if same(product, -eye):
        return "wrong", "inverse, sign", "the inverse has the wrong sign"
    if same(product, product[0, 0] * eye):
        words = f"the inverse is off by the factor {product[0, 0]:.6g}, and perhaps by a shift"
        return "wrong", "inverse, factor", words
    if same(back, slopes) and np.abs(slopes * slopes - 1).max() > 1e-3:
        return "wrong", "inverse, scale", f"the inverse multiplies by the scale again{where}"
    if np.abs(slopes * back - 1).max() <= 1e-4:
        words = (
            "the inverse undoes the scale of each entry and not its shift: a shift in the wrong "
        )
        words += "order or of the wrong sign, or a network that reads other entries than in forward"
        return "wrong", "inverse, shift", words + where
    return None


def _cause_by_order(got, x):
    """Recognize entries of x in another order."""
    if np.array_equal(np.sort(got.ravel().round(8)), np.sort(x.ravel().round(8))):
        words = "the inverse returns the entries of x in another order: a permutation is not undone"
        return "wrong", "inverse, order", words
    return None


def _like_float32(got, x):
    """Return whether the errors are those of rounding to float32: a few units, of both signs."""
    units = (got - x) / (np.spacing(np.abs(x).astype(np.float32)).astype(float) + 1e-300)
    return np.median(np.abs(units)) < 50 and (units > 0).any() and (units < 0).any()


def _where(wrong, shape):
    """Say in which images, channels, rows or columns an array is wrong, if not everywhere."""
    names = ("image", "channel", "row", "column") if len(shape) == 4 else ("image", "entry")
    if len(shape) not in (2, 4):
        return ""
    for axis in sorted(range(len(shape)), key=lambda a: -a if a else -9):
        others = tuple(a for a in range(len(shape)) if a != axis)
        bad = np.flatnonzero(wrong.any(axis=others))
        if 0 < len(bad) < shape[axis]:
            plural = f"{names[axis]}{'s' if len(bad) > 1 else ''}"
            plural = plural.replace("entrys", "entries")
            return f": right but in {plural} {', '.join(map(str, bad[:8]))} of {shape[axis]}"
    return ""


# ---- all others ----------------------------------------------------------------------------------


def _raised(evidence, explained):
    """Report what raised, and images without log-determinants."""
    for observation in _left(evidence, explained, "returns_a_pair"):
        if observation.data.get("raised"):
            direction = observation.facts["of"]
            words = f"{direction} raises {observation.facts['got']}"
            yield _finding("wrong", f"{direction} raises", words, [observation]), [observation]
            continue
        direction = observation.data["direction"]
        words = f"{direction} returns no log det: it was not checked"
        yield (
            _finding("convention", f"no log det, {direction}", words, [observation]),
            [observation],
        )


def _input_kept(evidence, explained):
    observations = _left(evidence, explained, "inputs_are_kept")
    if observations:
        directions = " and ".join(o.data["direction"] for o in observations)
        words = f"{directions} changes the caller's array"
        yield _finding("wrong", "input overwritten", words, observations), observations


def _dtypes(evidence, explained):
    observations = _left(evidence, explained, "dtype_is_kept")
    if observations:
        first, data = observations[0], [o.data for o in observations]
        what = ", ".join(f"{d['what']} of {d['direction']}" for d in data)
        words = (
            f"the dtype is lost: {what} {_are(data)} {first.data['dtype']} for {evidence.x.dtype}"
        )
        wrong = _left(evidence, explained, "log_det_is_that_of_the_jacobian")
        if any(d["what"] == "images" for d in data):
            observations = observations + _left(
                evidence, explained, "inverse_undoes_forward", "forward_undoes_inverse",
                "log_dets_are_antisymmetric", "parameters_are_read_anew", "other_sizes",
            )  # fmt: skip
        if all(d["what"] == "log_det" for d in data) and wrong and _rounding_only(evidence, data):
            observations = observations + wrong
        unharmed = all(d["what"] == "log_det" and d["zero"] for d in data)
        severity: Severity = "convention" if unharmed else "fragile"
        yield _finding(severity, "dtype", words, observations), observations


def _are(data):
    return "are" if len(data) > 1 or data[0]["what"] == "images" else "is"


def _rounding_only(evidence, data):
    eps = max(
        float(np.finfo(d["dtype"]).eps) if np.dtype(d["dtype"]).kind == "f" else 0 for d in data
    )
    return all(
        abs(p.got - p.expected) <= 100 * eps * (1 + abs(p.expected)) + p.error
        for p in evidence.points
    )


def _figures_of_pixels(evidence, explained):
    return _log_det_shapes(evidence, explained, ("sum", "other"))


def _log_det_shapes(evidence, explained, kinds=("scalar", "column")):
    """Report shapes of log_det: scalars and columns are conventions, figures for pixels are not."""
    observations = _left(evidence, explained, "log_det_shape")
    for kind in kinds:
        group = [o for o in observations if o.data["kind"] == kind]
        if not group:
            continue
        shape = group[0].data["shape"]
        severity: Severity = "convention"
        if kind == "scalar":
            words = f"log det is one figure for the batch, shape {shape}: (N,) is customary"
        elif kind == "column":
            words = f"log det has shape {shape}: (N,) is customary"
        elif kind == "sum":
            severity = "wrong"
            words = f"log det has shape {shape}, not (N,): the sum over the other axes is missing"
            failed = _wrong_log_dets(evidence, explained)
            if failed:
                words = f"log det has shape {shape}, not (N,), and its sum is not the Jacobian's"
                group = group + failed
        else:
            severity = "wrong"
            words = f"log det has shape {shape}, which fits no batch of {len(evidence.x)} images"
        yield _finding(severity, f"shape of log det, {kind}", words, group), group


def _shapes(evidence, explained):
    for observation in _left(evidence, explained, "image_shape"):
        words = f"the images change their number of entries: {observation.facts['got']} is returned"
        yield _finding("wrong", "image shape", words, [observation]), [observation]


def _finite(evidence, explained):
    observations = _left(evidence, explained, "finite")
    for observation in observations:
        if observation.data["what"] == "log_det":
            words = (
                "log det is NaN: the logarithm of a negative number, the absolute value is missing"
            )
            if not np.isnan(observation.data["values"]).any():
                words = "log det is infinite: the logarithm of 0, or an overflow before it"
            related = [
                o for o in _left(evidence, explained, "log_dets_are_antisymmetric", "other_sizes",
                                 "images_are_independent", "log_det_is_that_of_the_jacobian")
                if o.data.get("what", "log_det") == "log_det"
            ]  # fmt: skip
            yield _finding("wrong", "log det not finite", words, [observation, *related]), [
                observation, *related,
            ]  # fmt: skip
        else:
            words = "forward returns NaN or infinity for finite images"
            yield _finding("wrong", "not finite", words, [observation]), [observation]


def _repeats(evidence, explained):
    observations = _left(evidence, explained, "calls_repeat")
    if not observations:
        return
    observation = observations[0]
    first, second = observation.data["changes"]
    what = "y" if observation.data["what"] == "y" else "log det"
    if second <= 1e-3 * first:
        words = f"{what} changes after the first call: a state that the first call sets"
    else:
        words = (
            f"{what} changes from call to call, by {first:.1e}: a state between calls, or random "
            "numbers that no global seed fixes"
        )
    related = _left(
        evidence, explained, "images_are_independent", "inverse_undoes_forward", "strided_input",
        "forward_undoes_inverse", "log_dets_are_antisymmetric", "nan_stays", "other_sizes",
        "log_det_is_that_of_the_jacobian", "conclusive", "parameters_are_read_anew", "gradients",
    )  # fmt: skip
    yield _finding("wrong", "state between calls", words, [observation, *related]), [
        observation, *related,
    ]  # fmt: skip


def _kept(evidence, explained):
    observations = _left(evidence, explained, "results_are_kept")
    if observations:
        words = "a later call changes an earlier result: one buffer serves all calls"
        yield _finding("wrong", "shared buffer", words, observations), observations


def _dependent_images(evidence, explained):
    """Report images of forward that depend on their batch, before what follows from it."""
    observations = _left(evidence, explained, "images_are_independent")
    if any(o.data["direction"] == "forward" and o.data["what"] == "images" for o in observations):
        yield from _batches(evidence, explained, "forward")


def _batches_of_forward(evidence, explained):
    return _batches(evidence, explained, "forward")


def _batches_of_inverse(evidence, explained):
    return _batches(evidence, explained, "inverse")


def _batches(evidence, explained, direction):
    """Report images or log-determinants that depend on their batch."""
    observations = _left(evidence, explained, "images_are_independent")
    observations = [o for o in observations if o.data["direction"] == direction]
    if not observations:
        return
    first = observations[0]
    what = first.data["what"]
    name = "y" if direction == "forward" else "x"
    subject = f"{name} of {direction}" if what == "images" else f"log det of {direction}"
    words = f"{subject} depends on the other images of the batch: wrong {first.data['description']}"
    count = first.data["count"]
    if first.data["description"].startswith("in a batch of"):
        words = f"{subject} is wrong in a batch of {count}: right in smaller ones"
    elif first.data["description"] == "alone":
        words = f"{subject} of an image alone is not that in a batch (as in batch normalization)"
        ratio = first.data["ratio"]
        n = len(evidence.x)
        if ratio is not None and np.isclose(ratio[0], 1 / n, rtol=1e-6):
            words = f"{subject} is {n} times that of the image alone: it is summed over the batch"
        if ratio is not None and np.isclose(ratio[0], n, rtol=1e-6):
            words = f"{subject} is 1/{n} of that of the image alone: it is averaged over the batch"
    related = _left(evidence, explained, "nan_stays", "conclusive")
    related += _left(
        evidence, explained, "inverse_undoes_forward", "forward_undoes_inverse",
        "log_dets_are_antisymmetric", "log_det_is_that_of_the_jacobian", "strided_input",
        "other_sizes", "parameters_are_read_anew",
    ) if what == "images" and direction == "forward" else []  # fmt: skip
    yield _finding("wrong", "batch", words, observations + related), observations + related


def _singular(evidence, explained):
    """Report a map that is no bijection, before everything that fails because of it."""
    observations = [o for o in _left(evidence, explained, "conclusive") if o.data["singular"]]
    if observations:
        observations += _left(
            evidence, explained, "inverse_undoes_forward", "forward_undoes_inverse", "other_sizes",
            "log_dets_are_antisymmetric", "log_det_is_that_of_the_jacobian", "finite",
        )  # fmt: skip
        words = "the Jacobian is singular: forward is no bijection at these images"
        yield _finding("wrong", "singular", words, observations), observations


def _inconclusive(evidence, explained):
    observations = _left(evidence, explained, "conclusive")
    if observations:
        words = "the layer is too ill conditioned or rough here: its log det is not decided"
        yield _finding("convention", "inconclusive", words, observations), observations


def _vacuous(evidence, explained):
    observations = _left(evidence, explained, "not_vacuous", "volume_is_preserved")
    if observations:
        words = "log det is not 0, though the layer is to preserve volume"
        if observations[0].check == "not_vacuous":
            words = "the layer only permutes its input: move its parameters from their start"
        severity: Severity = "wrong" if observations[0].check != "not_vacuous" else "convention"
        yield _finding(severity, "volume", words, observations), observations


def _memory(evidence, explained):
    observations = _left(evidence, explained, "strided_input")
    if observations:
        words = f"an input that is not contiguous is misread: {observations[0].facts['of']}"
        yield _finding("wrong", "non-contiguous input", words, observations), observations


def _edges(evidence, explained):
    for observation in _left(evidence, explained, "empty_batch"):
        words = f"{observation.facts['of']} of an empty batch has {observation.facts['got']}"
        yield _finding("fragile", "empty batch", words, [observation]), [observation]
    for observation in _left(evidence, explained, "nan_stays"):
        words = "NaN in one image is silenced: the result is finite"
        if observation.data["kind"] == "spread":
            words = "NaN in one image spreads to other images of the batch"
        yield (
            _finding("fragile", f"NaN, {observation.data['kind']}", words, [observation]),
            [observation],
        )


def _gradients(evidence, explained):
    observations = _left(evidence, explained, "gradients")
    for what in ("images", "log_det"):
        group = [o for o in observations if o.data["what"] == what]
        if not group:
            continue
        kinds = {o.data["kind"] for o in group}
        name = "y" if what == "images" else "log det"
        by = ", ".join(o.data["by"] for o in group[:4])
        words = f"the gradient of {name} by {by} is not the slope of forward"
        if kinds == {"detached"}:
            words = f"{name} is detached: it has no gradient by {by}, and it depends on it"
        elif "raises" in kinds:
            words = f"the backward pass of {name} raises {group[0].facts['got']}"
        else:
            ratios = [o.data["ratio"] for o in group if "ratio" in o.data]
            if ratios and np.ptp(ratios) <= 1e-4 * abs(ratios[0]) and abs(ratios[0]) > 1e-6:
                words += f": it is {ratios[0]:.5g} times it"
        yield _finding("wrong", f"gradient of {name}", words, group), group


def _parameters(evidence, explained):
    observations = _left(evidence, explained, "parameters_are_read_anew")
    if observations:
        words = "a change of the parameters is not followed: the inverse was computed before it"
        if observations[0].data.get("what") == "log_det":
            words = "a change of the parameters is not followed: log det was computed before it"
        yield _finding("wrong", "stale parameters", words, observations), observations


def _rest(evidence, explained):
    """Report what no rule explains, property by property."""
    groups: dict[str, list[Observation]] = {}
    for observation in evidence.observations:
        if id(observation) not in explained:
            groups.setdefault(observation.check, []).append(observation)
    for check, group in groups.items():
        if check == "log_dets_are_antisymmetric":
            words = "the log det of the inverse is not minus that of forward"
        else:
            words = f"{check.replace('_', ' ')} does not hold"
        yield _finding("wrong", check, words, group), group


Rule = Callable[[Evidence, set[int]], Any]

RULES: tuple[Rule, ...] = (
    _raised, _input_kept, _repeats, _dtypes, _shapes, _dependent_images, _singular, _finite,
    _figures_of_pixels, _log_det, _log_det_shapes, _batches_of_forward, _inconclusive, _kept,
    _inverse, _antisymmetry, _batches_of_inverse, _vacuous, _memory, _edges, _gradients, _parameters, _rest,
)  # fmt: skip
"""The rules, causes before their consequences: what a rule explains, later ones do not see."""
