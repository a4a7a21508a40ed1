"""`collect`, which tries every property of a layer and writes down what it saw, without judging it.

A property that does not hold becomes an `Observation`; `diagnosis` turns observations into
findings. No property stops another one: what cannot be tried is skipped, with the reason.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from cinc_ref._claims import exclusive
from cinc_ref._typing import Array
from cinc_ref.testing.evidence import EDGES, STATEMENTS, Evidence
from cinc_ref.testing.layer import InverseMissing, Layer
from cinc_ref.testing.properties.batches import independence_of_forward, independence_of_inverse
from cinc_ref.testing.properties.edges import empty_batch, nan_in_an_image
from cinc_ref.testing.properties.examination import (
    CallFailed,
    Examination,
    PropertySkipped,
    first_line,
)
from cinc_ref.testing.properties.gradients import gradients
from cinc_ref.testing.properties.log_dets import log_dets, volume
from cinc_ref.testing.properties.memory_layouts import memory_layouts
from cinc_ref.testing.properties.other_sizes import other_sizes
from cinc_ref.testing.properties.parameters import moved_parameters
from cinc_ref.testing.properties.repeated_calls import forward_results_are_kept, repeated_calls
from cinc_ref.testing.properties.round_trips import round_trips

__all__ = ["collect"]

PROPERTIES = (
    ("calls_repeat", repeated_calls),
    ("results_are_kept", forward_results_are_kept),
    ("images_are_independent", independence_of_forward),
    ("log_det_is_that_of_the_jacobian", log_dets),
    ("inverse_undoes_forward", round_trips),
    ("images_are_independent", independence_of_inverse),
    ("volume_is_preserved", volume),
    ("other_sizes", other_sizes),
    ("strided_input", memory_layouts),
    ("empty_batch", empty_batch),
    ("nan_stays", nan_in_an_image),
    ("gradients", gradients),
    ("parameters_are_read_anew", moved_parameters),
)
"""The properties in the order in which they are tried, as functions of an `Examination`."""


def collect(
    layer: Layer,
    x: Array,
    *,
    volume_preserving: bool | None = False,
    tolerance: float | None = None,
    seed: int = 0,
    edges: bool = True,
) -> Evidence:
    """Try every property of a layer at a batch.

    Parameters
    ----------
    layer : Layer
        The layer, as an adapter made it.
    x : ndarray, shape (N, ...)
        The batch, of float32 or float64.
    volume_preserving : bool or None
        Whether log_det has to be 0. None accepts a layer that only permutes its input.
    tolerance : float, optional
        The error of a round trip that is allowed, relative to the largest entry; by default it
        follows from the conditioning of the Jacobian.
    seed : int
        The seed of random vectors.
    edges : bool
        Whether the properties of `EDGES` are tried too.
    """
    examination = Examination(layer, x, volume_preserving, tolerance, seed)
    with exclusive, warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        _try_all(examination, edges)
    return examination.evidence


def _try_all(examination, edges):
    """Try the properties, the first of which decides whether the others can be tried."""
    evidence = examination.evidence
    with _trying(evidence, "returns_a_pair") as outcome:
        _first_call(examination)
    if outcome.error is not None:
        reason = f"forward raised {outcome.error}"
        facts = {"of": "forward", "got": str(outcome.error)}
        examination.observe("returns_a_pair", facts, error=outcome.error, raised=True)
        evidence.skipped |= {name: reason for name in list(STATEMENTS)[4:]}
        return
    if evidence.y is None:
        return
    for name, try_property in PROPERTIES:
        if edges or name not in EDGES:
            with _trying(evidence, name):
                try_property(examination)


class _Outcome:
    """The reason why a property could not be tried, if there is one."""

    error: Any = None


@contextmanager
def _trying(evidence: Evidence, name: str) -> Iterator[_Outcome]:
    """Note that a property is tried, or why it could not be."""
    outcome = _Outcome()
    try:
        yield outcome
    except (CallFailed, InverseMissing, PropertySkipped) as reason:
        outcome.error = reason
        evidence.skipped.setdefault(name, str(reason))
    except Exception as error:  # results of a kind that cannot even be compared
        outcome.error = error
        evidence.skipped.setdefault(name, f"it ended in {first_line(error)}")
    else:
        if name not in evidence.tried and name not in evidence.skipped:
            evidence.tried.append(name)


def _first_call(examination):
    """Call forward once: shapes and finite numbers."""
    evidence = examination.evidence
    x = evidence.x
    y, log_det = examination.call("forward", x)
    if y.ndim == 0 or len(y) != len(x) or y.size != x.size:
        expected = f"{len(x)} images of {x[0].size} entries"
        facts = {"expected": expected, "got": f"shape {y.shape}"}
        examination.observe("image_shape", facts, shape=y.shape)
        return
    for part, what in ((y, "y"), (log_det, "log_det")):
        if part is not None and not np.isfinite(part).all():
            facts = {"of": what, "expected": "finite numbers", "got": "NaN or infinity"}
            examination.observe("finite", facts, what=what, bad=~np.isfinite(part), values=part)
    evidence.y, evidence.log_det = y, log_det
    if not np.isfinite(y).all():
        evidence.y = None
