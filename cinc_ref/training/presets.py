"""The trainings of the paper, with the settings of the released code, and what they would cost."""

import time
from dataclasses import dataclass, field, fields
from inspect import signature

import numpy as np

from cinc_ref._blas import one_blas_thread
from cinc_ref.errors import OptionError
from cinc_ref.training.loop import train
from cinc_ref.training.run import Run, advance
from cinc_ref.training.settings import Settings
from cinc_ref.training.state import State
from cinc_ref.training.tree import Layout

EPOCHS = 4001
"""On CIFAR-10. For the other images no number is known, and the same is reckoned with."""

WARMUP_EPOCHS = 10


@dataclass(frozen=True)
class Preset:
    """Images, a model, and how it is trained.

    Attributes
    ----------
    data : str
        Name of the image set.
    data_options : dict
        Of the image set, but for its path.
    model : dict
        Arguments of `cinc_ref.flows.build` beside the shape and the bins of the images.
    batch_size : int
        64 at 32x32, for larger images fewer in proportion to the pixels.
    flip : bool
    """

    data: str
    model: dict
    batch_size: int = 64
    flip: bool = False
    data_options: dict = field(default_factory=dict)

    def training(self, images, batch_size=None):
        """The options of `cinc_ref.train`, its steps included, for so many training images."""
        batch_size = min(batch_size or self.batch_size, images)
        epoch = images // batch_size
        return {
            "steps": EPOCHS * epoch,
            "batch_size": batch_size,
            "optimizer": "adamax",
            "learning_rate": 1e-3,
            "beta1": 0.9,
            "beta2": 1 - 1 / epoch,
            "warmup": WARMUP_EPOCHS * epoch,
            "schedule": "constant",
            "clip": None,
            "dropout": 0.0,
            "flip": self.flip,
            "polyak": 1 - 1 / epoch,
            "patience": None,
            "constant_memory": False,
        }


def _model(levels, depth):
    return {
        "system": "cinc",
        "coupling": "quad",
        "corner_block": "triangular",
        "levels": levels,
        "depth": depth,
        "width": 512,
    }


PRESETS = {
    "paper-cifar10": Preset("cifar10", _model(3, 32), flip=True),
    "paper-imagenet32": Preset("imagenet32", _model(3, 48)),
    "paper-imagenet64": Preset("imagenet64", _model(4, 48), batch_size=16),
    "paper-galaxy": Preset("folder", _model(3, 32), data_options={"size": 32, "channels": 3}),
}
"""Name of a preset: the training of the paper's model with quad-coupling on these images."""


def preset(name):
    """A preset by its name in `PRESETS`.

    Raises
    ------
    OptionError
        For an unknown name; the message lists the known ones.

    Examples
    --------
    >>> from cinc_ref.training.presets import preset
    >>> preset("paper-cifar10").training(45_000)["steps"]  # 4,001 epochs of 703 steps
    2812703
    """
    if name not in PRESETS:
        raise OptionError(f"preset must be one of {', '.join(PRESETS)}; got {name!r}")
    return PRESETS[name]


@dataclass(frozen=True)
class Estimate:
    """What a training would take on one core.

    Attributes
    ----------
    step_seconds : float
        Of one step, the faster of two.
    steps : int
    bits : float
        Of the first batch, per dimension.
    """

    step_seconds: float
    steps: int
    bits: float

    @property
    def seconds(self):
        """Of all steps; evaluations come on top."""
        return self.step_seconds * self.steps

    def __str__(self):
        return (
            f"{self.step_seconds:.3g} s a step, {self.steps:,} steps: "
            f"{duration(self.seconds)} on one core"
        )


def estimate(flow, images, **options):
    """Make two steps of training and reckon what all would take.

    Parameters
    ----------
    flow : Flow
    images : array_like of integers, shape (N, C, H, W)
        To train on.
    **options
        Of `cinc_ref.train`; `steps` among them.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.flows import build
    >>> from cinc_ref.training.presets import estimate, preset
    >>> images = np.random.default_rng(0).integers(256, size=(8, 3, 8, 8))
    >>> flow = build(**preset("paper-cifar10").model | {"depth": 1, "width": 4, "levels": 2},
    ...              image_shape=(3, 8, 8))
    >>> found = estimate(flow, images, **preset("paper-cifar10").training(8))
    >>> found.steps, found.seconds == 4001 * found.step_seconds
    (4001, True)
    """
    seconds, bits = step_seconds(flow, images, repeat=2, **options)
    return Estimate(min(seconds), options["steps"], bits)


FEW = 16
"""Images from which the parameters are initialized where only the time matters."""

DEFAULTS = {
    name: parameter.default
    for name, parameter in signature(train).parameters.items()
    if name in {option.name for option in fields(Settings)}
} | {"steps": 1}


def step_seconds(flow, images, *, repeat, constant_memory=False, **options):
    """Seconds of each of several steps of training, and the bits per dimension of the one before.

    Parameters
    ----------
    flow : Flow
    images : array_like of integers, shape (N, C, H, W)
    repeat : int
        How many steps are timed; the one before them compiles.
    constant_memory : bool
    **options
        Of `cinc_ref.train`, too.

    Returns
    -------
    seconds : list of float
    bits : float
    """
    run = Run(flow, images, images, Settings(**DEFAULTS | options), constant_memory)
    with one_blas_thread():
        params = flow.init(run.rng(0), run.batch(0, run.rng(0))[:FEW])
        layout = Layout.of(params)
        state = State.start(layout.vector(params))
        bits = advance(run, layout, state)
        return [_seconds(run, layout, state) for _ in range(repeat)], bits


def _seconds(run, layout, state):
    began = time.perf_counter()
    advance(run, layout, state)
    return time.perf_counter() - began


def duration(seconds):
    """A time in the unit that suits it.

    Examples
    --------
    >>> duration(90), duration(36_000), duration(86_400 * 365.25 * 3)
    ('1.5 minutes', '10 hours', '3 years')
    """
    units = {"years": 365.25 * 86_400, "days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}
    name = next((name for name, length in units.items() if seconds >= length), "seconds")
    return f"{np.round(seconds / units[name], 1):,g} {name}"
