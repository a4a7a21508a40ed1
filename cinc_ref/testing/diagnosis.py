"""`diagnose`, which turns observations into findings: one for each cause, with the cause in words.

Rules are tried in turn, causes before their consequences: what one explains, later ones do not see.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from cinc_ref.testing.candidates import (
    AGREEMENT,
    CONSTANTS,
    RATIOS,
    batch_candidates,
    match,
    with_sign,
)
from cinc_ref.testing.evidence import Evidence, Observation, Point
from cinc_ref.testing.findings import SEVERITIES, Finding, Severity
from cinc_ref.testing.inverse_causes import cause_of_inverse
from cinc_ref.testing.log_det_causes import cause_of_points

__all__ = ["diagnose"]


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
    points = [p for p in evidence.points + evidence.other_points if np.isfinite(p.got)]
    diagnosis = cause_of_points(evidence, points)
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


def _antisymmetry(evidence, explained):
    """Diagnose the log-determinant of the inverse, where forward's is right."""
    observations = _left(evidence, explained, "log_dets_are_antisymmetric")
    observations = [o for o in observations if o.data["images_agree"]]
    if not observations:
        yield from _antisymmetry_at_other_sizes(evidence, explained)
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
    matches = match(points, (*RATIOS, *with_sign(RATIOS), *batch_candidates(points), *CONSTANTS))
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


def _antisymmetry_at_other_sizes(evidence, explained):
    """Report a log-determinant of the inverse that is right for images like x alone."""
    sizes = _left(evidence, explained, "other_sizes")
    sizes = [o for o in sizes if o.data["what"] == "inverse's log_det"]
    if sizes:
        base, shape = evidence.x.shape[1:], tuple(sizes[0].data["shape"])
        words = f"the log det of the inverse is right for {base} and wrong for {shape}"
        yield _finding("wrong", "log det of the inverse, other sizes", words, sizes), sizes


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
    severity, cause, words = cause_of_inverse(evidence, first)
    yield _finding(severity, cause, words, observations + related), observations + related


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
        what = observations[0].data.get("what")
        if what is not None:
            figure = "log det" if what == "log_det" else "a log det"
            words = f"a change of the parameters is not followed: {figure} was computed before it"
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


Rule: TypeAlias = Callable[[Evidence, set[int]], Any]

RULES: tuple[Rule, ...] = (
    _raised, _input_kept, _repeats, _dtypes, _shapes, _dependent_images, _singular, _finite,
    _figures_of_pixels, _log_det, _log_det_shapes, _batches_of_forward, _inconclusive, _kept,
    _inverse, _antisymmetry, _batches_of_inverse, _vacuous, _memory, _edges, _gradients,
    _parameters, _rest,
)  # fmt: skip
"""The rules, causes before their consequences: what a rule explains, later ones do not see."""
