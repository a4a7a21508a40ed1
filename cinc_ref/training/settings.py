"""The options of a training run: names, defaults, help texts and validation in one place."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, Self

import numpy as np

from cinc_ref._display import fields_html, short_repr
from cinc_ref._validate import boolean, integer, number, one_of, shown
from cinc_ref.errors import DtypeError, OptionError
from cinc_ref.kernels._jit import without_compilation
from cinc_ref.training.optimizer import OPTIMIZERS, SCHEDULES

__all__ = ["BUDGET", "CLOCKS", "Settings"]

CLOCKS: dict[str, Callable[[], float]] = {
    "wall": partial(without_compilation, time.monotonic),
    "processor": partial(without_compilation, time.process_time),
}
"""Functions that read the clocks of a budget of minutes, in seconds, by name."""

BUDGET = ("minutes", "steps")
"""Names of the options that a resumed run may have another value of, although the learning rate
depends on them."""


def _dtype(name, value):
    if isinstance(value, type | np.dtype):
        value = str(np.dtype(value))
    if not isinstance(value, str) or value not in ("float32", "float64"):
        raise DtypeError(f"{name} must be float32 or float64; got {shown(value)}")
    return str(value)


def _option(default, check, help, **metadata):
    """Define a field by its default, the function that checks it, and its help text.

    Further metadata: "optional" allows None, "choices" lists names, and "may_change" marks what may
    differ when a run is resumed, for the parameters do not depend on it.
    """
    return field(default=default, metadata={"check": check, "help": help, **metadata})


def _choice(default, choices, help, **metadata):
    check = partial(one_of, choices=choices)
    return _option(default, check, help, choices=tuple(choices), **metadata)


_COUNT = partial(integer, minimum=1)
_INDEX = partial(integer, minimum=0)
_POSITIVE = partial(number, above=0)
_FRACTION = partial(number, minimum=0, below=1)


@dataclass(frozen=True)
class Settings:
    """The options of a training run, as `cinc_ref.train` explains them.

    They are checked when they are set. The help texts in the fields' metadata are those of the
    command line.

    Raises
    ------
    OptionError, DtypeError
        If a value is impossible.
    """

    minutes: float | None = _option(None, _POSITIVE, "Time to train.", optional=True)
    steps: int | None = _option(
        None, _COUNT, "Steps to train instead: the same result on every run.", optional=True
    )
    seed: int = _option(0, _INDEX, "Seed of everything random.")
    batch_size: int = _option(128, _COUNT, "Images in a step.")
    optimizer: str = _choice("adam", OPTIMIZERS, "Optimizer")
    learning_rate: float = _option(5e-3, _POSITIVE, "Learning rate at its peak.")
    beta1: float = _option(0.9, _FRACTION, "Decay of the optimizer's first moment.")
    beta2: float = _option(0.999, _FRACTION, "Decay of the optimizer's second moment.")
    warmup: int = _option(50, _INDEX, "Steps in which the learning rate rises.")
    schedule: str = _choice("cosine", SCHEDULES, "Course of the learning rate after that")
    clip: float | None = _option(
        10.0, _POSITIVE, "Largest norm of the gradient of bits per dimension.", optional=True
    )
    dropout: float = _option(
        0.2,
        _FRACTION,
        "Part of the hidden channels that is silenced in a step, against overfitting.",
    )
    flip: bool = _option(False, boolean, "Mirror images left to right at random.")
    polyak: float = _option(
        0.998, _FRACTION, "Decay of the average of parameters that is evaluated and saved."
    )
    evaluate_every: int = _option(100, _COUNT, "Steps between evaluations.")
    patience: int | None = _option(
        20, _COUNT, "Evaluations without improvement after which training stops.", optional=True
    )
    dtype: str = _option("float32", _dtype, "float32 or float64.")
    save_every: float = _option(
        30.0, partial(number, minimum=0), "Seconds between two savings.", may_change=True
    )
    constant_memory: bool = _option(
        False,
        boolean,
        "Let memory not grow with the depth; a step takes about 1.6 times as long.",
        may_change=True,
    )
    clock: str = _choice("wall", CLOCKS, "Clock of the budget of time", may_change=True)

    __repr__ = short_repr
    _repr_html_ = fields_html

    def __post_init__(self) -> None:
        if self.minutes is None and self.steps is None:
            raise OptionError("minutes or steps must be given: how long to train")
        for option in fields(self):
            value = getattr(self, option.name)
            if value is None and option.metadata.get("optional"):
                continue
            checked = option.metadata["check"](option.name, value)
            object.__setattr__(self, option.name, checked)

    @classmethod
    def from_options(cls, options: dict[str, Any]) -> Self:
        """Select the settings from a dict that may hold other options too."""
        names = {option.name for option in fields(cls)}
        return cls(**{name: value for name, value in options.items() if name in names})

    def reproducible(self) -> dict[str, Any]:
        """Return the options that the parameters of a run depend on, as a dict of JSON values."""
        return {
            option.name: getattr(self, option.name)
            for option in fields(self)
            if not option.metadata.get("may_change")
        }
