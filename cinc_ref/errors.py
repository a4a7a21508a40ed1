"""Exceptions and warnings; each message is one sentence with what was expected and given."""

import numpy as np

__all__ = [
    "CheckpointError",
    "CincError",
    "DataError",
    "DtypeError",
    "IllConditionedWarning",
    "MissingExtraError",
    "NonFiniteError",
    "OptionError",
    "OutputError",
    "ParamsError",
    "ShapeError",
    "SingularKernelError",
]


def __dir__() -> list[str]:
    return __all__


class CincError(Exception):
    """Base of everything that cinc_ref raises on purpose."""


class ShapeError(CincError, ValueError):
    """An array has the wrong rank or size."""


class DtypeError(CincError, ValueError):
    """An array is not float32 or float64, or two arrays differ in dtype."""


class NonFiniteError(CincError, ValueError):
    """An array holds NaN or infinity."""


class OptionError(CincError, ValueError):
    """An option has a value that it cannot take."""


class SingularKernelError(CincError, np.linalg.LinAlgError):
    """The corner block of a kernel is singular, so the convolution has no inverse.

    `numpy.linalg.LinAlgError` is a `ValueError`, hence so is this.
    """


class ParamsError(CincError, ValueError):
    """Parameters do not fit their flow or layer, or are not finite; the message names the leaf."""


class CheckpointError(CincError, ValueError):
    """A file is not a checkpoint, or is damaged."""


class DataError(CincError, ValueError):
    """An image set is missing, damaged or does not fit."""


class OutputError(CincError, OSError):
    """A result cannot be written to the place that was given."""


class MissingExtraError(CincError, ImportError):
    """An optional dependency is not installed."""


class IllConditionedWarning(UserWarning):
    """An inverse exists but keeps too few digits to be used.

    Attributes
    ----------
    layer : str
        Name of the kernel or layer.
    condition_number : float
        Condition number in the 1-norm; infinite above 1.8e308.
    digits : float
        Approximate number of correct decimal digits of the largest pixel.
    """

    layer: str
    condition_number: float | None
    digits: float | None

    def __init__(
        self,
        message: str,
        layer: str = "kernel",
        condition_number: float | None = None,
        digits: float | None = None,
    ) -> None:
        super().__init__(message)
        self.layer, self.condition_number, self.digits = layer, condition_number, digits
