"""``python -m cinc_ref compare``."""

import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cinc_ref import flows
from cinc_ref._output import writing
from cinc_ref.cli.models import Data, DataPath
from cinc_ref.cli.printing import say
from cinc_ref.comparison.compare import MODEL, SYSTEMS, TRAINING
from cinc_ref.comparison.compare import compare as compare_systems
from cinc_ref.comparison.table import COLUMNS, as_json, explanation, markdown

MINUTES = 5.0
WIDE, PIECE = 200, 4
"""Width of a terminal on which the whole table stands, and columns on which it does otherwise."""


def compare(
    context: typer.Context,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder of the comparison. What it holds already is not done again, and what was "
            "broken off goes on."
        ),
    ],
    data: Data = "digits",
    path: DataPath = None,
    size: Annotated[
        int | None,
        typer.Option(help="Side of a patch or of a folder's pictures.", show_default=False),
    ] = None,
    n_bits: Annotated[
        int | None,
        typer.Option(help="Keep so many of the bits of 8-bit images.", show_default=False),
    ] = None,
    systems: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help=f"With commas between, of: {', '.join(flows.SYSTEMS)}. After a hyphen may stand "
            "another corner block, and inverse: cinc-plu, cinc-plu-inverse.",
        ),
    ] = ",".join(SYSTEMS),
    couplings: Annotated[
        str,
        typer.Option(
            metavar="NAMES", help=f"With commas between, of: {', '.join(flows.COUPLINGS)}."
        ),
    ] = "affine,quad",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each of them.")] = 3,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="Each run trains for so much of the processor's time; "
            f"{MINUTES:g} if neither this nor --steps is given.",
            show_default=False,
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Steps each run trains instead.", show_default=False)
    ] = None,
    levels: Annotated[int, typer.Option(min=1)] = MODEL["levels"],
    depth: Annotated[int, typer.Option(min=1, max=1000, help="Steps in a level.")] = MODEL["depth"],
    width: Annotated[
        int, typer.Option(min=1, max=4096, help="Hidden channels of the coupling networks.")
    ] = MODEL["width"],
    batch_size: Annotated[int, typer.Option(help="Images in a step.")] = TRAINING["batch_size"],
    learning_rate: Annotated[float, typer.Option(help="At its peak.")] = TRAINING["learning_rate"],
    dropout: Annotated[float, typer.Option(help="As for train.")] = TRAINING["dropout"],
    jobs: Annotated[
        int, typer.Option(min=1, help="Runs at the same time; the times are then worth little.")
    ] = 1,
    measure_again: Annotated[
        bool,
        typer.Option("--measure-again", help="Measure the times of finished runs again."),
    ] = False,
):
    """Train several systems alike, and compare what they learned and what they cost.

    Every run has the same time, images and seeds. Ctrl-C stops it, and the same command goes on.
    The folder --out receives comparison.md, comparison.json and comparison.png, and a folder a run.
    """
    if minutes is None and steps is None:
        minutes = MINUTES
    found = compare_systems(
        out,
        systems=systems.split(","),
        couplings=couplings.split(","),
        data=data,
        data_options={"path": path, "size": size, "n_bits": n_bits},
        seeds=seeds,
        minutes=minutes,
        steps=steps,
        model={"levels": levels, "depth": depth, "width": width},
        training={"batch_size": batch_size, "learning_rate": learning_rate, "dropout": dropout},
        n_jobs=jobs,
        measure_again=measure_again,
        progress=True,
    )
    if found.rows:
        _write(found, out, _command(context))
        _print(found)
        say(f"wrote {out / 'comparison.md'}, comparison.json and comparison.png beside it")
    if not found.complete:
        say("Interrupted; everything is saved. To go on, repeat the command.")
        raise typer.Exit(130)  # by custom, for a process that Ctrl-C ended


def _write(found, out, command):
    texts = {"comparison.md": markdown(found, command), "comparison.json": as_json(found, command)}
    for name, text in texts.items():
        with writing(out / name):
            (out / name).write_text(text, encoding="utf-8")
    if find_spec("matplotlib") is None:
        return
    from cinc_ref.comparison.picture import comparison_figure  # slow to import

    with writing(out / "comparison.png"):
        comparison_figure(found).savefig(out / "comparison.png")


def _print(found):
    """The table in one piece, or on a narrow terminal in several."""
    console = Console()
    figures = COLUMNS[2:]
    step = len(figures) if console.width >= WIDE else PIECE
    for start in range(0, len(figures), step):
        table = Table()
        table.add_column("system, coupling", no_wrap=True)
        for column in figures[start : start + step]:
            table.add_column(column.heading, justify="right")
        for row in found.rows:
            cells = [column.text(row) for column in figures[start : start + step]]
            table.add_row(f"{row['system']}, {row['coupling']}", *cells)
        console.print(table)
    for line in explanation(found):
        say(line)


def _command(context):
    """The command as it was given, without --measure-again."""
    words = ["python", "-m", "cinc_ref", "compare"]
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name).name == "COMMANDLINE"
        if given and not parameter.is_flag:
            words += [parameter.opts[0], str(context.params[parameter.name])]
    return shlex.join(words)
