"""The state of a run between two steps, and the result that `train` returns."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from cinc_ref._display import repr_of, short_repr, table_html
from cinc_ref._typing import FloatArray, Params
from cinc_ref.flows import Flow

__all__ = ["State", "TrainingResult"]

ARRAYS = ("parameters", "average", "best", "moments")
"""The attributes of a `State` that are arrays; the others are JSON values."""

SHOWN_ROWS = 12
"""Number of rows of a history that a notebook shows: half of a page."""

FILE_NAMES = {"evaluations_since_best": "stale"}
"""Counters that the files of a run hold under another name than `State`."""


@dataclass
class State:
    """Everything that a run needs to continue from a step as if it had never stopped.

    It is changed in place. Random numbers have no state: their seeds are computed from the step.

    Attributes
    ----------
    parameters, average, best : ndarray, shape (n,)
        The trained parameters, their Polyak average, and the average that did best on the
        validation images.
    moments : ndarray, shape (2, n)
        The moments of the optimizer.
    step : int
        The number of steps done.
    seconds : float
        The time spent, evaluations included and compilation excluded.
    best_bits, best_step : float, int
        Validation bits per dimension of `best`, and the step after which it was evaluated.
    evaluations_since_best : int
    loss_sum, loss_count : float, int
        Sum and number of the training losses since the last evaluation, in bits per dimension.
    history : list of dict
        One row for each evaluation.
    """

    parameters: FloatArray
    average: FloatArray
    best: FloatArray
    moments: FloatArray
    step: int = 0
    seconds: float = 0.0
    best_bits: float | None = None
    best_step: int = 0
    evaluations_since_best: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)

    __repr__ = short_repr

    @classmethod
    def initial(cls, parameters: FloatArray) -> Self:
        """Return the state before the first step."""
        moments = np.zeros((2, len(parameters)), parameters.dtype)
        return cls(parameters, parameters.copy(), parameters.copy(), moments)

    @classmethod
    def from_file(cls, counters: dict[str, Any], **arrays: FloatArray) -> Self:
        """Build the state from the arrays of a file and from what `counters` returned."""
        names = {stored: name for name, stored in FILE_NAMES.items()}
        return cls(**arrays, **{names.get(name, name): v for name, v in counters.items()})

    def counters(self) -> dict[str, Any]:
        """Return all but the arrays, as JSON values by their name in a file."""
        return {
            FILE_NAMES.get(name, name): value
            for name, value in vars(self).items()
            if name not in ARRAYS
        }

    def vectors(self) -> dict[str, FloatArray]:
        """Return the arrays that are saved in addition to the best model, by name."""
        return {"parameters": self.parameters, "average": self.average, "moments": self.moments}

    def record_validation(self, row: dict[str, Any]) -> None:
        """Add a row to the history, and copy the average if it is the best so far."""
        self.history.append(row)
        self.loss_sum, self.loss_count = 0.0, 0
        self.evaluations_since_best += 1
        if self.best_bits is None or row["validation"] < self.best_bits:
            self.best[:] = self.average
            self.best_bits, self.best_step = row["validation"], self.step
            self.evaluations_since_best = 0


@dataclass(frozen=True)
class TrainingResult:
    """The best model of a training run, with the history of the run.

    Attributes
    ----------
    flow : Flow
    params : tree of ndarray
        The Polyak average that did best on the validation images, in the run's dtype.
    history : tuple of dict
        One row for each evaluation: "step", "seconds", "learning_rate", "train" and "validation"
        in bits per dimension, and the "worst_layer", whose inverse keeps the fewest decimal
        "digits", with its "condition_number" (None above 1.8e308).
    reason : {"steps", "minutes", "patience", "interrupted", "diverged", "unusable"}
        Why training stopped.
    step : int
        The number of steps done.
    seconds : float
        The time spent, evaluations included and compilation excluded.
    best_bits : float
        Validation bits per dimension of `params`.
    best_step : int
        The number of steps after which `params` were evaluated.
    out : Path or None
        The run's folder.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.flows import build
    >>> from cinc_ref.training import train
    >>> flow = build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=4, bins=4)
    >>> images = np.random.default_rng(0).binomial(3, 0.5, (40, 1, 4, 4))
    >>> result = train(flow, images[:32], images[32:], steps=1)
    >>> result.reason, result.message
    ('steps', 'Finished 1 steps.')
    """

    flow: Flow
    params: Params
    history: tuple[dict[str, Any], ...]
    reason: str
    step: int
    seconds: float
    best_bits: float
    best_step: int
    out: Path | None

    def __repr__(self) -> str:
        values = {
            "best_bits": self.best_bits, "best_step": self.best_step, "reason": self.reason,
            "step": self.step, "seconds": self.seconds, "evaluations": len(self.history),
            "out": self.out and str(self.out), "flow": self.flow,
        }  # fmt: skip
        return repr_of("TrainingResult", values)

    def _repr_html_(self) -> str:
        best = f"{self.message} {self.best_bits:.4g} bits/dim after {self.best_step} steps."
        names = list(dict.fromkeys(name for row in self.history for name in row))
        rows = [[row.get(name, "") for name in names] for row in self.history]
        if len(rows) > SHOWN_ROWS:
            rows = [*rows[: SHOWN_ROWS // 2], ["..."] * len(names), *rows[-SHOWN_ROWS // 2 :]]
        return table_html([name.replace("_", " ") for name in names], rows, caption=best)

    @property
    def message(self) -> str:
        """The reason in a sentence, with the way to continue."""
        texts = {
            "steps": f"Finished {self.step} steps.",
            "minutes": f"Time is up after {self.step} steps.",
            "patience": f"Stopped after {self.step} steps: validation no longer improves.",
            "interrupted": f"Interrupted after {self.step} steps{self._how_to_resume()}.",
            "diverged": f"Not finite after {self.step} steps.",
            "unusable": f"An inverse keeps too few digits after {self.step} steps.",
        }
        return texts[self.reason]

    def _how_to_resume(self):
        if self.out is None:
            return "; it cannot be resumed, for no output folder was given"
        return f"; saved in {self.out}: resume with the same options and --resume (resume=True)"
