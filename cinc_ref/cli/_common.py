"""Functions of several commands: printing, models with their images, and the command line."""

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cinc_ref.data import IMAGE_SETS, image_set
from cinc_ref.data.sets import options_of
from cinc_ref.errors import CheckpointError, DataError
from cinc_ref.training import load

MODEL_FILES = ("best.npz", "model.npz")
"""Names of the model in the folder of a run and in that of the demonstration."""

INTERRUPTED = 130
"""Exit code, by custom, of a process that Ctrl-C ended."""

COMPILING = "compiling for this machine, which happens once; this may take a minute ..."
"""Sentence that is printed when a command compiles."""

Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A model's .npz file, or the folder of a run.")
]
Data = Annotated[
    str, typer.Option(metavar="NAME", help=f"Images, one of: {', '.join(IMAGE_SETS)}.")
]
DataPath = Annotated[
    Path | None,
    typer.Option(
        "--path", help="File or folder of the images, for data that is not bundled.",
        show_default=False,
    ),
]  # fmt: skip


# ---- printing ------------------------------------------------------------------------------------


def say(text, **style):
    """Print a sentence as it is, without markup and without wrapping inside a path."""
    Console().print(text, markup=False, highlight=False, soft_wrap=True, **style)


def print_figures(rows):
    """Print names and their values, given as strings, as a table of two columns."""
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows:
        table.add_row(name, value)
    Console().print(table)


def grey_levels(error):
    """Format an error with its unit."""
    return f"{error:.1e} grey levels"


# ---- models and images ---------------------------------------------------------------------------


def load_model(path):
    """Load flow and parameters from a file, or from the best model in a folder."""
    if not path.is_dir():
        return load(path)
    for name in MODEL_FILES:
        if (path / name).exists():
            return load(path / name)
    raise CheckpointError(
        f"{path} holds no model: expected {' or '.join(MODEL_FILES)} in it; give a run's --out"
    )


def images_for(flow, data, path):
    """Load an image set, in the model's size, channels and levels as far as it has the options."""
    channels, size, _ = flow.image_shape
    known = options_of(data) if data in IMAGE_SETS else ()
    fitting = {"size": size, "channels": channels}
    images = image_set(data, path=path, **{k: v for k, v in fitting.items() if k in known})
    if flow.bins < images.bins == 256 and flow.bins.bit_count() == 1:
        images = images.with_bits(flow.bins.bit_length() - 1)
    _check_same_images(flow, images)
    return images


def _check_same_images(flow, images):
    """Refuse an image set of another shape, or other bins, than the model has."""
    model = (flow.image_shape, flow.bins)
    data = (images.image_shape, images.bins)
    if model != data:
        raise DataError(
            f"the model takes images of shape {model[0]} with {model[1]} levels; {images.name} "
            f"has shape {data[0]} with {data[1]} levels: choose the data it was trained on"
        )


def describe(flow):
    """Describe a model in one line."""
    traits = [f"{flow.corner_block} corner"]
    traits += ["stable"] if flow.stable else []
    traits += ["inverse flow"] if flow.direction == "inverse" else []
    traits += [f"dilation {flow.dilation}"] if flow.dilation > 1 else []
    return (
        f"{flow.system} ({', '.join(traits)}) with {flow.coupling} coupling, "
        f"{flow.levels} levels of {flow.depth} steps, width {flow.width}"
    )


# ---- the command line ----------------------------------------------------------------------------


def explicit_options(context):
    """Return the options that stand on the command line, as a dict from name to value."""
    return {
        parameter.name: context.params[parameter.name]
        for parameter in context.command.params
        if context.get_parameter_source(parameter.name).name == "COMMANDLINE"
    }


def command_line(context, without):
    """Return the command as it was given, but for the option of the name `without`."""
    words = ["python", "-m", "cinc_ref", context.info_name]
    explicit = explicit_options(context)
    for parameter in context.command.params:
        if parameter.name in explicit and parameter.name != without:
            value = explicit[parameter.name]
            words.append((parameter.secondary_opts if value is False else parameter.opts)[0])
            words += [] if parameter.is_flag else [str(value)]
    return shlex.join(words)
