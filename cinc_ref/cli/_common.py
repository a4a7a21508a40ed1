"""Functions of several commands: printing, models with their images, and the command line."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from cinc_ref._images import digest
from cinc_ref._streams import printable
from cinc_ref._typing import Params
from cinc_ref._validate import shown
from cinc_ref.data import IMAGE_SETS, image_set
from cinc_ref.data.sets import options_of
from cinc_ref.errors import CheckpointError, DataError
from cinc_ref.flows import Flow
from cinc_ref.training import load
from cinc_ref.training.checkpoint import DIGESTS, load_data
from cinc_ref.training.console import Interrupt, interruptible

__all__ = [
    "COMPILING",
    "command_line",
    "describe",
    "explicit_options",
    "grey_levels",
    "images_for",
    "load_model",
    "model_file",
    "print_figures",
    "print_table",
    "say",
    "stoppable",
]

MODEL_FILES = ("best.npz", "model.npz")
"""Names of the model in the folder of a run and in that of the demonstration."""

COMPILING = "compiling for this machine, which happens once; this may take a minute ..."
"""Sentence that is printed when a command compiles."""

UNBOUNDED = 100_000
"""Columns of a page on which no line of a Markdown table is wrapped."""

# ---- printing ------------------------------------------------------------------------------------


def say(text: str) -> None:
    """Print a sentence as it is, without markup and without wrapping inside a path."""
    Console().print(text, markup=False, highlight=False, soft_wrap=True)


def print_table(
    columns: Iterable[Column],
    rows: Iterable[Sequence[str | Text]],
    *,
    lines: bool = False,
    markdown: bool = False,
) -> None:
    """Print a table: in a frame on a terminal, as Markdown into a file or pipe.

    Parameters
    ----------
    columns : iterable of rich.table.Column
    rows : iterable of sequences of str or rich.text.Text
        Cells, which may hold line breaks.
    lines : bool
        Whether a terminal shows lines between the rows.
    markdown : bool
        Whether it is Markdown on a terminal too.
    """
    console = Console()
    cells = [[_printable(cell, console.encoding) for cell in row] for row in rows]
    if console.is_terminal and not markdown:
        table = Table(*columns, show_lines=lines)
    else:
        plain = [Column(c.header, justify=c.justify, no_wrap=True) for c in columns]
        table = Table(*plain, box=MARKDOWN)
        cells = [[_on_one_line(cell) for cell in row] for row in cells]
        console = Console(width=UNBOUNDED)
    for row in cells:
        table.add_row(*row)
    console.print(table)


def print_figures(rows: Iterable[tuple[str, str]]) -> None:
    """Print names and their values, given as strings, as a table of two columns."""
    print_table((Column("quantity"), Column("value", justify="right")), rows)


def _printable(cell, encoding):
    """Return a cell as the output can write it, so that its width in the table is right."""
    text = cell if isinstance(cell, Text) else Text(cell)
    lines = text.split("\n", allow_blank=True)
    for line in lines:
        line.plain = printable(line.plain, encoding)
    return Text("\n").join(lines)


def _on_one_line(cell):
    return Text(cell.plain.replace("|", r"\|").replace("\n", "; "))


def grey_levels(error: float) -> str:
    """Format an error with its unit."""
    return f"{error:.1e} grey levels"


# ---- models and images ---------------------------------------------------------------------------


def load_model(path: Path) -> tuple[Flow, Params]:
    """Load flow and parameters from a file, or from the best model in a folder."""
    return load(model_file(path))


def model_file(path: Path) -> Path:
    """Return a model's file: the path itself, or that of the best model in a folder."""
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
    trained_on = load_data(model_file(model))
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
    place = options.get("path") if path is None else None
    if isinstance(place, str) and "\0" not in place and not Path(place).exists():
        raise DataError(
            f"{place}, which holds the images of the run, is missing: "
            "say with --path where they are"
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


def describe(flow: Flow) -> str:
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


@contextmanager
def stoppable(message: str = "") -> Iterator[Interrupt]:
    """Let Ctrl-C and SIGTERM end a command in this block, with a message and their exit codes.

    Training stops after its step, and the block continues; a second signal ends the command.
    """
    with interruptible(at_once=True) as interrupt:
        try:
            yield interrupt
        except KeyboardInterrupt:
            if message:
                say(message)
            raise typer.Exit(interrupt.exit_code) from None


def explicit_options(context: typer.Context) -> dict[str, Any]:
    """Return the options that stand on the command line, as a dict from name to value."""
    return {
        parameter.name: context.params[parameter.name]
        for parameter in context.command.params
        if context.get_parameter_source(parameter.name).name == "COMMANDLINE"
    }


def command_line(context: typer.Context, without: str) -> str:
    """Return the command as it was given, but for the option of the name `without`."""
    words = ["python", "-m", "cinc_ref", context.info_name]
    explicit = explicit_options(context)
    for parameter in context.command.params:
        if parameter.name in explicit and parameter.name != without:
            value = explicit[parameter.name]
            words.append((parameter.secondary_opts if value is False else parameter.opts)[0])
            text = ",".join(value) if isinstance(value, list) else str(value)
            words += [] if parameter.is_flag else [text]
    return shlex.join(words)
