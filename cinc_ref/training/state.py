"""Everything that a run needs to go on from a step as if it had never stopped."""

from dataclasses import dataclass, field

import numpy as np

ARRAYS = ("parameters", "average", "best", "moments")


@dataclass
class State:
    """The state between two steps, changed in place.

    Random numbers have no state: their seeds are computed from the step.

    Attributes
    ----------
    parameters, average, best : ndarray, shape (n,)
        What is trained, its Polyak average, and the average that did best on the validation
        images.
    moments : ndarray, shape (2, n)
        Of the optimizer.
    step : int
        Steps done.
    seconds : float
        Spent, evaluation included.
    best_bits, best_step : float, int
        Validation bits per dimension of `best`, and when it was.
    stale : int
        Evaluations since then.
    loss_sum, loss_count : float, int
        Training bits per dimension since the last evaluation.
    history : list of dict
        One row an evaluation.
    """

    parameters: np.ndarray
    average: np.ndarray
    best: np.ndarray
    moments: np.ndarray
    step: int = 0
    seconds: float = 0.0
    best_bits: float | None = None
    best_step: int = 0
    stale: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0
    history: list = field(default_factory=list)

    @classmethod
    def start(cls, parameters):
        """The state before the first step."""
        moments = np.zeros((2, len(parameters)), parameters.dtype)
        return cls(parameters, parameters.copy(), parameters.copy(), moments)

    def counters(self):
        """All but the vectors, as JSON values."""
        return {name: value for name, value in vars(self).items() if name not in ARRAYS}

    def vectors(self):
        """The vectors that are saved beside the best model, by name."""
        return {"parameters": self.parameters, "average": self.average, "moments": self.moments}

    def record_validation(self, row):
        """Add a row to the history; keep the average if it is the best so far."""
        self.history.append(row)
        self.loss_sum, self.loss_count = 0.0, 0
        self.stale += 1
        if self.best_bits is None or row["validation"] < self.best_bits:
            self.best[:] = self.average
            self.best_bits, self.best_step, self.stale = row["validation"], self.step, 0
