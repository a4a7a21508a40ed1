"""The options of a training run, validated."""

from dataclasses import MISSING, asdict, dataclass, fields

import numpy as np

from cinc_ref._validate import is_integer
from cinc_ref.errors import DtypeError, OptionError
from cinc_ref.training.optimizer import OPTIMIZERS, SCHEDULES


@dataclass(frozen=True)
class Settings:
    """Everything but the flow and the images that the parameters of a run depend on."""

    minutes: float | None
    steps: int | None
    seed: int
    batch_size: int
    optimizer: str
    learning_rate: float
    warmup: int
    clip: float | None
    dropout: float
    polyak: float
    evaluate_every: int
    patience: int | None
    dtype: str
    beta1: float = 0.9
    beta2: float = 0.999
    schedule: str = "cosine"
    flip: bool = False

    def __post_init__(self):
        if self.minutes is None and self.steps is None:
            raise OptionError("minutes or steps must be given: how long to train")
        if self.optimizer not in OPTIMIZERS:
            raise OptionError(
                f"optimizer must be one of {', '.join(OPTIMIZERS)}; got {self.optimizer!r}"
            )
        if self.schedule not in SCHEDULES:
            raise OptionError(
                f"schedule must be one of {', '.join(SCHEDULES)}; got {self.schedule!r}"
            )
        if not isinstance(self.flip, bool):
            raise OptionError(f"flip must be True or False; got {self.flip!r}")
        if self.dtype not in ("float32", "float64"):
            raise DtypeError(f"dtype must be float32 or float64; got {self.dtype!r}")
        for name in ("batch_size", "evaluate_every"):
            self._integer(name, smallest=1)
        for name in ("seed", "warmup"):
            self._integer(name, smallest=0)
        for name in ("steps", "patience"):
            self._integer(name, smallest=1, optional=True)
        self._number("learning_rate")
        for name in ("minutes", "clip"):
            self._number(name, optional=True)
        for name in ("dropout", "polyak", "beta1", "beta2"):
            self._fraction(name)

    @classmethod
    def later_options(cls):
        """What options were before there were any: a run that lacks them had these values."""
        return {field.name: field.default for field in fields(cls) if field.default is not MISSING}

    def as_json(self):
        """The settings as a dict of JSON values."""
        return asdict(self)

    def _integer(self, name, smallest, optional=False):
        value = getattr(self, name)
        if optional and value is None:
            return
        if not is_integer(value) or value < smallest:
            raise OptionError(f"{name} must be an integer >= {smallest}; got {value!r}")
        object.__setattr__(self, name, int(value))

    def _number(self, name, optional=False):
        value = getattr(self, name)
        if optional and value is None:
            return
        if not _is_real(value) or not 0 < value < np.inf:
            raise OptionError(f"{name} must be a number > 0; got {value!r}")
        object.__setattr__(self, name, float(value))

    def _fraction(self, name):
        value = getattr(self, name)
        if not _is_real(value) or not 0 <= value < 1:
            raise OptionError(f"{name} must be a number >= 0 and < 1; got {value!r}")
        object.__setattr__(self, name, float(value))


def _is_real(value):
    return is_integer(value) or isinstance(value, float | np.floating)
