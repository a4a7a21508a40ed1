"""The trainings of the paper, with the settings of the released code."""

from dataclasses import dataclass, field
from typing import Any

from cinc_ref._display import fields_html, short_repr
from cinc_ref._validate import one_of

__all__ = ["PRESETS", "Preset", "preset"]

EPOCHS = 4001
"""Number of epochs on CIFAR-10; no number is published for the other images."""

WARMUP_EPOCHS = 10
"""Number of epochs in which the learning rate rises."""


@dataclass(frozen=True)
class Preset:
    """A training of the paper: image set, model and options.

    Attributes
    ----------
    data : str
        Name of the image set.
    model : dict
        Arguments of `cinc_ref.flows.build`, without the shape and the bins of the images.
    batch_size : int
        64 at 32x32, and fewer for larger images, in proportion to the pixels.
    flip : bool
        Whether images are mirrored left to right at random.
    data_options : dict
        Options of the image set, without its path.
    """

    data: str
    model: dict[str, Any]
    batch_size: int = 64
    flip: bool = False
    data_options: dict[str, Any] = field(default_factory=dict)

    __repr__ = short_repr
    _repr_html_ = fields_html

    def training(self, images: int, batch_size: int | None = None) -> dict[str, Any]:
        """Return the options of `cinc_ref.train`, with the steps, for a number of images."""
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


PRESETS: dict[str, Preset] = {
    "paper-cifar10": Preset("cifar10", _model(3, 32), flip=True),
    "paper-imagenet32": Preset("imagenet32", _model(3, 48)),
    "paper-imagenet64": Preset("imagenet64", _model(4, 48), batch_size=16),
    "paper-galaxy": Preset("folder", _model(3, 32), data_options={"size": 32, "channels": 3}),
}
"""The trainings of the paper's model with quad-coupling, by name."""


def preset(name: str) -> Preset:
    """Return a preset by its name in `PRESETS`.

    Parameters
    ----------
    name : str

    Returns
    -------
    Preset

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
    return PRESETS[one_of("preset", name, PRESETS)]
