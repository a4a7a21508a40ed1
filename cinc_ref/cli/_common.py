"""Functions of several commands: printing, models with their images, and the command line."""

import logging
import shlex
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from cinc_ref._images import digest
from cinc_ref._validate import shown
from cinc_ref.data import IMAGE_SETS, image_set
from cinc_ref.data.sets import options_of
from cinc_ref.errors import CheckpointError, DataError
from cinc_ref.training import load
from cinc_ref.training.checkpoint import DIGESTS, load_data

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
DataOfRun = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Images, by default those of the model's training, or digits where it does not say; "
        f"one of: {', '.join(IMAGE_SETS)}.",
        show_default=False,
    ),
]  # fmt: skip
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


class _Announcement(logging.Handler):
    """A sentence on stderr at the first log record of a compiled function."""

    def __init__(self):
        super().__init__(logging.INFO)
        self.printed = False

    def emit(self, record):
        if hasattr(record, "compiled_function") and not self.printed:
            self.printed = True
            tqdm.write(COMPILING, file=sys.stderr)  # above a bar, if there is one


@contextmanager
def announced_compilation():
    """Print `COMPILING` in this block as soon as a function is compiled, not found in the cache."""
    logger, handler = logging.getLogger("cinc_ref"), _Announcement()
    level = logger.level
    logger.setLevel(min(logging.INFO, logger.getEffectiveLevel()))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


# ---- models and images ---------------------------------------------------------------------------


def load_model(path):
    """Load flow and parameters from a file, or from the best model in a folder."""
    return load(_model_file(path))


def _model_file(path):
    if not path.is_dir():
        return path
    for name in MODEL_FILES:
        if (path / name).exists():
            return path / name
    raise CheckpointError(
        f"{path} holds no model: expected {' or '.join(MODEL_FILES)} in it; give a run's --out"
    )


def images_of_model(model, flow, data, path):
    """Load the image set on which a model was trained, unchanged, or the one that is named.

    Parameters
    ----------
    model : Path
        The file, or the folder of a run.
    flow : Flow
    data : str or None
        Name of another image set.
    path : Path or None
        Where the images are now.

    Returns
    -------
    ImageSet

    Raises
    ------
    DataError
        If the images of the run have changed since.
    """
    trained_on = load_data(_model_file(model))
    if data is not None or trained_on is None:
        images = images_for(flow, data or "digits", path)
        if trained_on is not None and _changed_parts(images, trained_on):
            say("These are not the images of the run: some of them may have been trained on.")
        return images
    name, options = trained_on["name"], trained_on["options"]
    if name not in IMAGE_SETS or not set(options) <= {*options_of(name), "n_bits"}:
        raise CheckpointError(
            f"{model} was trained on {shown(name)}, which is unknown: name the images with --data"
        )
    images = image_set(name, **options | ({} if path is None else {"path": path}))
    if changed := _changed_parts(images, trained_on):
        raise DataError(
            f"{images.name} has changed since the model was trained on it ({changed}), so that "
            "test images may have been trained on: restore the files, or name the images with "
            "--data to use them all the same"
        )
    _check_same_images(flow, images)
    return images


def _changed_parts(images, trained_on):
    """Name the parts of which the images are not those of a run."""
    parts = {name: getattr(images, name.removesuffix("_images")) for name in DIGESTS}
    changed = [name for name, part in parts.items() if digest(part) != trained_on[name]]
    return ", ".join(name.replace("_", " ") for name in changed)


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
