"""Exercise 6: an affine coupling, its inverse and their log-determinants.

The right results are computed from the definition. The model splits the channels, asks the network
and merges, in steps that mistakes change.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.classroom.task import Case, Signature, Slip, Task
from cinc_ref.testing import check

__all__ = ["TASK"]


class _Network:
    """A network that mixes pixels and channels: z of any number of channels to (t, s), s > 0."""

    def __init__(self, scale: float, shift: float, roll: int):
        self.scale, self.shift, self.roll = scale, shift, roll

    def __call__(self, z: Array) -> tuple[Array, Array]:
        mixed = np.roll(z, self.roll, axis=(1, 2, 3)) if self.roll else z
        return self.shift - z, self.scale + mixed**2

    def __repr__(self) -> str:
        mixed = "r * r, r being z with its entries rolled" if self.roll else "z * z"
        return f"a function of z that returns ({self.shift} - z, {self.scale} + {mixed})"


def _sum_of_logs(s, t):
    return np.log(s).sum(axis=(1, 2, 3))


STEPS: dict[str, Any] = {
    "changed": 0,  # which half is changed
    "read": None,  # which half the network reads: the other one
    "read_back": None,  # which it reads in the inverse: the same one
    "ask": lambda network, z: network(z),
    "forward": lambda half, t, s: (half + t) * s,
    "inverse": lambda half, t, s: half / s - t,
    "log_det": _sum_of_logs,
    "inverse_log_det": lambda s, t: -_sum_of_logs(s, t),
    "merge": lambda halves: np.concatenate(halves, axis=1),
    "order": lambda images, log_det: (images, log_det),
}
"""The steps of a right coupling by name, each of which a mistake may replace."""


def coupling(
    x: Array,
    network: Callable[[Array], tuple[Array, Array]],
    y: Array,
    _same_network: Callable[[Array], tuple[Array, Array]],
    **changes: Any,
) -> tuple[Any, ...]:
    """Compute y and log_det of x, then x and log_det of y, with some of `STEPS` replaced."""
    steps = SimpleNamespace(**STEPS | changes)
    read = 1 - steps.changed if steps.read is None else steps.read
    read_back = read if steps.read_back is None else steps.read_back
    results: tuple[Any, ...] = ()
    for images, source, step, figure in (
        (x, read, steps.forward, steps.log_det),
        (y, read_back, steps.inverse, steps.inverse_log_det),
    ):
        halves = np.split(images, 2, axis=1)
        t, s = steps.ask(network, halves[source])
        halves[steps.changed] = step(halves[steps.changed], t, s)
        results += steps.order(steps.merge(halves), figure(s, t))
    return results


def _both(figure):
    """Return the options of a mistake in the log-determinants of both directions."""
    return {"log_det": figure, "inverse_log_det": lambda s, t: -figure(s, t)}


SLIPS = (
    Slip(
        "The network reads the half that is changed, x1: then the inverse would have to know x1 to "
        "find x1.",
        {"read": 0},
    ),
    Slip(
        "In forward the network reads the half that is changed, x1, and in the inverse the other.",
        {"read": 0, "read_back": 1},
    ),
    Slip(
        "The inverse lets the network read y1, the half that was changed: forward let it read the "
        "other half.",
        {"read_back": 0},
    ),
    Slip("The second half is changed, where it should be the first, x1.", {"changed": 1}),
    Slip(
        "Forward scales first and then shifts: x1 s + t, where the task has (x1 + t) s.",
        {"forward": lambda half, t, s: half * s + t},
    ),
    Slip(
        "Both directions scale first and then shift, x1 s + t, where the task has (x1 + t) s.",
        {"forward": lambda half, t, s: half * s + t, "inverse": lambda half, t, s: (half - t) / s},
    ),
    Slip(
        "Forward scales the shift only, x1 + t s, and the inverse undoes that: the task has "
        "(x1 + t) s.",
        {"forward": lambda half, t, s: half + t * s, "inverse": lambda half, t, s: half - t * s},
    ),
    Slip(
        "Forward and inverse are exchanged.",
        {
            "forward": lambda half, t, s: half / s - t,
            "inverse": lambda half, t, s: (half + t) * s,
            "log_det": lambda s, t: -_sum_of_logs(s, t),
            "inverse_log_det": _sum_of_logs,
        },
    ),
    Slip(
        "The results are returned in the wrong order: the images come first.",
        {"order": lambda images, log_det: (log_det, images)},
    ),
    Slip(
        "The inverse undoes the steps in the wrong order: what forward did last must be undone "
        "first.",
        {"inverse": lambda half, t, s: (half - t) / s},
    ),
    Slip(
        "The inverse multiplies by the scale again, where it should divide.",
        {"inverse": lambda half, t, s: half * s - t},
    ),
    Slip(
        "The inverse adds the shift again, where it should subtract it.",
        {"inverse": lambda half, t, s: half / s + t},
    ),
    Slip(
        "The inverse applies forward again.",
        {"inverse": lambda half, t, s: (half + t) * s},
    ),
    Slip("The inverse does not undo the shift.", {"inverse": lambda half, t, s: half / s}),
    Slip("The inverse does not undo the scale.", {"inverse": lambda half, t, s: half - t}),
    Slip("Forward subtracts the shift.", {"forward": lambda half, t, s: (half - t) * s}),
    Slip("Forward divides by the scale.", {"forward": lambda half, t, s: (half + t) / s}),
    Slip("Forward leaves out the shift.", {"forward": lambda half, t, s: half * s}),
    Slip("Forward leaves out the scale.", {"forward": lambda half, t, s: half + t}),
    Slip(
        "Shift and scale are exchanged: network(z) returns (t, s), the shift first.",
        {"ask": lambda network, z: network(z)[::-1]},
    ),
    Slip(
        "The scale is taken as exp(s): network returns s itself, which is positive.",
        {"ask": lambda network, z: (network(z)[0], np.exp(network(z)[1]))},
    ),
    Slip(
        "The halves are put together in the wrong order.",
        {"merge": lambda halves: np.concatenate(halves[::-1], axis=1)},
    ),
    Slip(
        "Only the changed half is returned: the other half belongs to the result, unchanged.",
        {"merge": lambda halves: halves[0]},
    ),
    Slip(
        "The log-determinant adds up the scales s themselves, not their logarithms.",
        _both(lambda s, t: s.sum(axis=(1, 2, 3))),
    ),
    Slip(
        "The log-determinant is the product of the scales: its logarithm is missing.",
        {
            "log_det": lambda s, t: s.prod(axis=(1, 2, 3)),
            "inverse_log_det": lambda s, t: 1 / s.prod(axis=(1, 2, 3)),
        },
    ),
    Slip(
        "The log-determinant counts the shift, which does not change volumes.",
        _both(lambda s, t: (np.log(s) + t).sum(axis=(1, 2, 3))),
    ),
    Slip(
        "The log-determinant is a mean over entries, where it should be their sum.",
        _both(lambda s, t: np.log(s).mean(axis=(1, 2, 3))),
    ),
    Slip(
        "The log-determinant is one sum over all images: each image has its own, shape (N,).",
        _both(lambda s, t: np.log(s).sum()),
    ),
    Slip(
        "The log-determinant is not added up over channels and pixels: each image has one number.",
        _both(lambda s, t: np.log(s)),
    ),
    Slip(
        "The log-determinant is added up over the channels only, not over the pixels.",
        _both(lambda s, t: np.log(s).sum(axis=1)),
    ),
    Slip(
        "The log-determinant is in bits (log2), where nats (log) are expected.",
        _both(lambda s, t: np.log2(s).sum(axis=(1, 2, 3))),
    ),
    Slip(
        "Both log-determinants are 0, as if the scale were 1.",
        {
            "log_det": lambda s, t: np.zeros(len(s)),
            "inverse_log_det": lambda s, t: np.zeros(len(s)),
        },
    ),
    Slip(
        "Both log-determinants have the wrong sign: log_det of forward is that of dy/dx.",
        {"log_det": lambda s, t: -_sum_of_logs(s, t), "inverse_log_det": _sum_of_logs},
    ),
    Slip(
        "The log-determinant of forward has the wrong sign.",
        {"log_det": lambda s, t: -_sum_of_logs(s, t)},
    ),
    Slip(
        "The log-determinant of the inverse has the sign of forward's: the inverse shrinks where "
        "forward stretches.",
        {"inverse_log_det": _sum_of_logs},
    ),
    Slip(
        "The log-determinant of the inverse is 0: it is that of dx/dy.",
        {"inverse_log_det": lambda s, t: np.zeros(len(s))},
    ),
)


def _expected(x, y, network):
    """Compute the results as the task defines them."""
    half = x.shape[1] // 2
    t, s = network(x[:, half:])
    changed = x.copy()
    changed[:, :half] = (x[:, :half] + t) * s
    log_det = np.log(s).reshape(len(x), -1).sum(axis=1)
    t, s = network(y[:, half:])
    back = y.copy()
    back[:, :half] = y[:, :half] / s - t
    return changed, log_det, back, -np.log(s).reshape(len(y), -1).sum(axis=1)


def _cases():
    network = _Network(2.0, 1.0, 0)
    x = np.array([[[[3.0]], [[2.0]]]])
    y = np.array([[[[22.0]], [[3.0]]]])
    cases = [_case(x, y, network)]
    rng = np.random.default_rng(0)
    for shape in ((1, 2, 1, 2), (1, 4, 2, 3), (3, 2, 2, 3), (2, 6, 3, 2)):
        x, y = rng.normal(size=shape), rng.normal(size=shape)
        cases.append(_case(x, y, _Network(1.5, 0.5, 1)))
    return cases


def _case(x, y, network):
    n, c, h, w = x.shape
    sizes = {"N": n, "C": c, "H": h, "W": w}
    return Case(((x, network), (y, network)), _expected(x, y, network), sizes)


def _second_opinion(case, forward, inverse):
    """Check the functions as a stranger's layer and quote what is wrong with it, if anything."""
    network = case.arguments[0][1]
    report = check(
        (lambda x: forward(x, network), lambda y: inverse(y, network)),
        shape=case.arguments[0][0].shape[1:],
    )
    if report.ok:
        return (
            "Forward and inverse belong together, and their log-determinants are right: this is "
            "another bijection than that of the task."
        )
    words = report.findings[0].diagnosis
    return f"As a layer, checked by cinc_ref.testing.check: {words}."


TASK = Task(
    title="a coupling",
    functions=(
        Signature("forward", ("x", "network"), ("y", "log_det")),
        Signature("inverse", ("y", "network"), ("x", "log_det of the inverse")),
    ),
    text=(
        "Split the channels of x (N, C, H, W), C even, into halves x1, x2. With "
        "t, s = network(x2), s > 0, forward returns y = ((x1 + t) s, x2), the halves put together "
        "again, and log|det dy/dx| in nats, shape (N,). inverse takes y and returns x and "
        "log|det dx/dy|. Hand in check(forward, inverse)."
    ),
    hint="What does the inverse know of x2, and so of t and s? The Jacobian is triangular.",
    cases=_cases,
    model=coupling,
    slips=SLIPS,
    second_opinion=_second_opinion,
)
