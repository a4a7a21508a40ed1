"""`cause_of_inverse`, the cause of an inverse that does not undo forward."""

import numpy as np

from cinc_ref.testing.evidence import Evidence, Observation
from cinc_ref.testing.findings import Severity
from cinc_ref.testing.log_det_causes import SINGLE

__all__ = ["cause_of_inverse"]

APPROXIMATE = 1e-3
"""The largest relative error of an inverse that an iterative solver explains."""

SPREAD = 0.25
"""The share of entries that an approximate inverse gets wrong; a coupling leaves half unchanged."""


def cause_of_inverse(evidence: Evidence, observation: Observation) -> tuple[Severity, str, str]:
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
    scaled = np.abs(slopes).min() > 1e-3 and np.abs(slopes * slopes - 1).max() > 1e-3
    if same(back, slopes) and scaled:
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
