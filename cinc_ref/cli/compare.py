"""``python -m cinc_ref compare``."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column

from cinc_ref import flows
from cinc_ref._files import check_folder, write_figure, write_text
from cinc_ref._validate import one_of
from cinc_ref.cli._common import command_line, print_table, say, stoppable
from cinc_ref.cli._options import (
    DATA_OPTIONS,
    SIZE_OPTIONS,
    Dask,
    check_data,
    folder_option,
    found_in_files,
    integer_option,
    names_option,
    options_must_fit,
    takes,
    training_option,
)
from cinc_ref.comparison.compare import SYSTEMS, TRAINING
from cinc_ref.comparison.compare import compare as compare_systems
from cinc_ref.comparison.table import COLUMNS, as_json, explanation, markdown
from cinc_ref.data import image_set
from cinc_ref.errors import OptionError
from cinc_ref.flows.systems import variant

__all__ = ["compare"]

ALL_SYSTEMS = ",".join(SYSTEMS)
"""The systems that are compared by default, as on the command line."""

INTERRUPTED = "Interrupted; everything is saved. To continue, repeat the command."
"""Sentence that is printed after Ctrl-C or SIGTERM."""

MINUTES = 5.0
"""Minutes that each run trains where neither a time nor a number of steps is given."""

WIDE, PIECE = 200, 4
"""Columns of a terminal on which the whole table fits, and columns of its pieces elsewhere."""

TRAINING_OPTIONS = (
    training_option(
        "minutes",
        help="Processor time that each run trains, in minutes; "
        f"{MINUTES:g} if neither this nor --steps is given.",
    ),
    training_option("steps", help="Steps that each run trains instead."),
    *(training_option(name, default=default) for name, default in TRAINING.items()),
)


@takes(*DATA_OPTIONS, *SIZE_OPTIONS, *TRAINING_OPTIONS)
def compare(
    context: typer.Context,
    out: Annotated[
        Path,
        folder_option(
            "--out",
            "Folder of the comparison. Finished runs in it are not repeated, and interrupted "
            "ones are continued.",
        ),
    ],
    systems: Annotated[
        Any,
        names_option(
            "--systems",
            f"With commas between, of: {', '.join(flows.SYSTEMS)}. After a hyphen may stand "
            "another corner block, and inverse: cinc-plu, cinc-plu-inverse.",
            lambda name: variant(name, "--systems"),
        ),
    ] = ALL_SYSTEMS,
    couplings: Annotated[
        Any,
        names_option(
            "--couplings",
            f"With commas between, of: {', '.join(flows.COUPLINGS)}.",
            lambda name: one_of("--couplings", name, flows.COUPLINGS),
        ),
    ] = "affine,quad",
    seeds: Annotated[int, integer_option("--seeds", "Runs of each of them.", minimum=1)] = 3,
    jobs: Annotated[
        int,
        integer_option(
            "--jobs", "Runs at the same time; the times are then worth little.", minimum=1
        ),
    ] = 1,
    dask: Dask = None,
    measure_again: Annotated[
        bool,
        typer.Option("--measure-again", help="Measure the times of finished runs again."),
    ] = False,
    **options: Any,
) -> None:
    """Train several systems in the same way, and compare their quality and their cost.

    Every run has the same time, images and seeds. Ctrl-C or SIGTERM stops it, with exit
    code 130 or 143; the same command continues.
    The folder --out receives comparison.md, comparison.json, comparison.png, and a folder for each
    run.
    """
    if options["minutes"] is None and options["steps"] is None:
        options["minutes"] = MINUTES
    data_options = {name: options[name] for name in ("path", "size", "n_bits")}
    if dask is not None and jobs > 1:
        raise OptionError(f"--jobs must be 1 with --dask, where workers count; got {jobs}")
    check_data(options["data"], options["path"], size=options["size"])
    check_folder(out)
    image_set(options["data"], **data_options)  # refuses what does not fit, before runs are read
    with stoppable(INTERRUPTED) as interrupt, options_must_fit(), found_in_files():
        comparison = compare_systems(
            out,
            systems=systems,
            couplings=couplings,
            data=options["data"],
            data_options=data_options,
            seeds=seeds,
            minutes=options["minutes"],
            steps=options["steps"],
            model={option.name: options[option.name] for option in SIZE_OPTIONS},
            training={name: options[name] for name in TRAINING},
            n_jobs=jobs,
            dask=dask,
            measure_again=measure_again,
            progress=True,
        )
    if comparison.rows:
        _write(comparison, out, command_line(context, without="measure_again"))
        _print(comparison)
        say(f"wrote {out / 'comparison.md'}, comparison.json and comparison.png")
    if not comparison.complete:
        say(INTERRUPTED)
        raise typer.Exit(interrupt.exit_code)


def _write(comparison, out, command):
    texts = {
        "comparison.md": markdown(comparison, command),
        "comparison.json": as_json(comparison, command),
    }
    for name, text in texts.items():
        write_text(out / name, text)
    if find_spec("matplotlib") is None:
        return
    from cinc_ref.comparison.picture import comparison_figure  # slow to import

    write_figure(out / "comparison.png", comparison_figure(comparison))


def _print(comparison):
    """Print the table in one piece, or on a narrow terminal in several."""
    figures = COLUMNS[2:]
    terminal = Console()
    step = PIECE if terminal.is_terminal and terminal.width < WIDE else len(figures)
    for start in range(0, len(figures), step):
        piece = figures[start : start + step]
        columns = [Column(column.heading, justify="right") for column in piece]
        rows = [
            (f"{row['system']}, {row['coupling']}", *(column.text(row) for column in piece))
            for row in comparison.rows
        ]
        print_table([Column("system, coupling", no_wrap=True), *columns], rows)
    for line in explanation(comparison):
        say(line)
