"""What training returns."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TrainingResult:
    """What `train` returns.

    Attributes
    ----------
    flow : Flow
    params : tree of ndarray
        The Polyak average that did best on the validation images.
    history : tuple of dict
        One row an evaluation: "step", "seconds", "learning_rate", "train" and "validation" in bits
        per dimension, and the "worst_layer", whose inverse keeps the fewest decimal "digits", with
        its "condition_number" (None above 1.8e308).
    reason : {"steps", "minutes", "patience", "interrupted", "diverged", "unusable"}
        Why training stopped.
    step : int
        Steps done.
    seconds : float
        Spent, evaluation and compilation included.
    best_bits : float
        Validation bits per dimension of `params`.
    best_step : int
        After how many steps that was.
    out : Path or None
        The run's folder.
    """

    flow: Any
    params: Any
    history: tuple
    reason: str
    step: int
    seconds: float
    best_bits: float
    best_step: int
    out: Path | None

    @property
    def message(self):
        """The reason in a sentence, and how to go on."""
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
