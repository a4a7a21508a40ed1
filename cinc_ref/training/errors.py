"""The errors of a run, which carry the result so far."""

from cinc_ref.errors import NonFiniteError, OptionError
from cinc_ref.training.state import TrainingResult

__all__ = ["InverseTooIllConditioned", "NonFiniteStep"]


class NonFiniteStep(NonFiniteError):
    """An error for a loss or gradient that is not finite; it names the parameters.

    Attributes
    ----------
    result : TrainingResult or None
        The run so far, where `train` raises it; None where a single step does.
    """

    result: TrainingResult | None

    def __init__(self, message: str, result: TrainingResult | None = None) -> None:
        super().__init__(message)
        self.result = result


class InverseTooIllConditioned(OptionError):
    """An error for constant memory with an inverse that keeps too few digits; it names the layer.

    Attributes
    ----------
    result : TrainingResult or None
        The run so far, where `train` raises it.
    """

    result: TrainingResult | None

    def __init__(self, message: str, result: TrainingResult | None = None) -> None:
        super().__init__(message)
        self.result = result
