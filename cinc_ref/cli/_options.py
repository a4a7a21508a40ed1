"""The options of data, model and training that several commands share.

Typer reads the options of a command from its signature; `takes` puts options from these tables
there.
"""

import inspect
from typing import Annotated, get_type_hints

import typer

from cinc_ref import flows
from cinc_ref.bijections.conv import CORNER_BLOCKS
from cinc_ref.cli._common import Data, DataPath
from cinc_ref.comparison.compare import MODEL as SIZES
from cinc_ref.training.settings import Settings

MODEL, TRAINING = "Model", "Training"
"""Panels of ``--help``."""


def takes(*options):
    """Give a command further options, which its function receives as ``**options``."""

    def decorate(command):
        signature = inspect.signature(command)
        *parameters, _ = signature.parameters.values()
        command.__signature__ = signature.replace(parameters=[*parameters, *options])
        return command

    return decorate


def option(name, kind, default, help, **more):
    """Define one option as a parameter; a default of None is not shown."""
    shown = {} if default is not None else {"show_default": False}
    annotation = Annotated[kind, typer.Option(help=help, **shown, **more)]
    return _parameter(name, annotation, default)


def training_option(name, **changes):
    """Define the option of a field of `Settings`, with its default and help unless changed."""
    setting = Settings.__dataclass_fields__[name]
    default, help = setting.default, setting.metadata["help"]
    more = {"rich_help_panel": TRAINING}
    if choices := setting.metadata.get("choices"):
        help, more["metavar"] = f"{help}, one of: {', '.join(choices)}.", "NAME"
    values = {"default": default, "help": help} | more | changes
    return option(name, get_type_hints(Settings)[name], **values)


def _parameter(name, annotation, default):
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def _choice(name, default, help, choices):
    """Define an option of the model that is a name."""
    kind = str if default else str | None
    help = help.format(", ".join(choices))
    return option(name, kind, default, help, metavar="NAME", rich_help_panel=MODEL)


def _count(name, default, help, maximum=None):
    """Define an option of the model that is a number of at least 1."""
    return option(name, int, default, help, min=1, max=maximum, rich_help_panel=MODEL)


DATA_OPTIONS = (
    _parameter("data", Data, "digits"),
    _parameter("path", DataPath, None),
    option("size", int | None, None, "Side of a patch or of a folder's pictures."),
    option("n_bits", int | None, None, "Keep only so many bits of 8-bit images."),
)
CHANNELS = option("channels", int | None, None, "Channels of a folder's pictures: 1 (grey) or 3.")

SIZE_OPTIONS = (
    _count("levels", SIZES["levels"], "Levels; each halves height and width."),
    _count("depth", SIZES["depth"], "Steps in a level: actnorm, convolution, coupling.", 1000),
    _count("width", SIZES["width"], "Hidden channels of the coupling networks.", 4096),
)
MODEL_OPTIONS = (
    _choice("system", "cinc", "Which invertible convolution, one of: {}.", flows.SYSTEMS),
    _choice("coupling", "quad", "Coupling, one of: {}.", flows.COUPLINGS),
    _choice(
        "corner_block",
        None,
        "The kernel's tap that reads the pixel itself, one of: {}; by default that of the system.",
        CORNER_BLOCKS,
    ),
    _choice(
        "direction",
        "forward",
        "Whether the convolution runs towards the latent or towards the image, one of: {}.",
        flows.DIRECTIONS,
    ),
    _count("dilation", 1, "Distance of neighbouring taps."),
    _parameter(
        "stable",
        Annotated[
            bool,
            typer.Option(
                "--stable",
                help="Keep the inverse of every convolution bounded on images of any size, "
                "whatever is learned: the certificate S < 1 holds.",
                rich_help_panel=MODEL,
            ),
        ],
        False,
    ),
    *SIZE_OPTIONS,
)
