"""The commands of ``python -m cinc_ref``: each calls one function of the library and prints.

Errors are not caught here: `cinc_ref.__main__` turns them into one line.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np

import cinc_ref
from cinc_ref._extras import extra
from cinc_ref.errors import DataError

with extra("cli"):
    import typer
    from rich.console import Console, Group
    from rich.table import Table
    from rich.text import Text

VERDICT_STYLES = {"holds": "green", "fails": "bold red", "skipped": "yellow"}

app = typer.Typer(
    help="Invertible 3x3 convolutions: check the theorems, see an exact inverse on real images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool):
    if wanted:
        Console().print(f"cinc_ref {cinc_ref.__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
):
    pass


def _integers(separator, meaning):
    """A parser for two integers with a separator between them."""

    def parse(text: str):
        parts = text.split(separator)
        if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
            raise typer.BadParameter(f"must be {meaning}; got {text!r}")
        return tuple(map(int, parts))

    return parse


@app.command()
def verify(
    seed: Annotated[int, typer.Option(min=0, help="Of the random kernels and images.")] = 0,
    effort: Annotated[
        int, typer.Option(min=1, help="How hard to try: cases grow in proportion.")
    ] = 1,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the evidence there as well.")
    ] = None,
    kernel: Annotated[
        Path | None,
        typer.Option(help="Explain this kernel, an npy file of shape (C, C, kh, kw), instead."),
    ] = None,
    size: Annotated[
        Any,
        typer.Option(
            parser=_integers("x", "HEIGHTxWIDTH, for instance 32x32"),
            metavar="HxW",
            help="Image size for --kernel.",
        ),
    ] = None,
    dilation: Annotated[int, typer.Option(min=1, help="For --kernel.")] = 1,
    anchor: Annotated[
        Any,
        typer.Option(
            parser=_integers(",", "ROW,COLUMN, for instance 1,1"),
            metavar="ROW,COLUMN",
            help="For --kernel: the tap that reads the pixel itself; by default the last one.",
        ),
    ] = None,
):
    """Try to refute the theorems and this implementation on random kernels.

    Prints the worst error found beside its bound; exits with 1 if a claim fails. With --kernel and
    --size, says in plain words whether that kernel is invertible and how usable its inverse is.
    """
    if (kernel is None) != (size is None):
        raise typer.BadParameter("--kernel and --size go together")
    if kernel is not None:
        text = cinc_ref.theory.explain(_load(kernel), size, dilation=dilation, anchor=anchor)
        typer.echo(text)
        raise typer.Exit
    evidence = cinc_ref.theory.verify(cinc_ref, seed=seed, effort=effort)
    console = Console()
    console.print(_evidence_table(evidence))
    failed = sum(item.verdict == "fails" for item in evidence)
    held = sum(item.verdict == "holds" for item in evidence)
    console.print(f"{held} of {len(evidence)} claims hold, {failed} fail.", highlight=False)
    if json_file is not None:
        report = {
            "version": cinc_ref.__version__,
            "seed": seed,
            "effort": effort,
            "evidence": [item.to_dict() for item in evidence],
        }
        json_file.write_text(json.dumps(report, indent=1, allow_nan=False), encoding="utf-8")
    raise typer.Exit(1 if failed else 0)


def _load(path):
    try:
        array = np.load(path, allow_pickle=False)
    except (EOFError, ValueError) as error:
        raise DataError(f"{path} must be an npy file that holds an array of numbers") from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path} must be an npy file of one array; it is an archive of several")
    return array


def _evidence_table(evidence):
    table = Table(show_lines=True)
    table.add_column("claim", ratio=1)
    for heading in ("cases", "largest", "worst error", "bound"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for item in evidence:
        table.add_row(
            _claim(item),
            f"{item.cases:,}",
            item.largest,
            _number(item.worst),
            _number(item.bound),
            Text(item.verdict, style=VERDICT_STYLES[item.verdict]),
        )
    return table


def _claim(item):
    lines = [Text(item.name, style="bold"), Text(item.statement), Text(item.source, style="dim")]
    if item.reason:
        lines.append(Text(item.reason, style=VERDICT_STYLES[item.verdict]))
    return Group(*lines)


def _number(value):
    return "-" if value is None else f"{value:.3g}"


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option(help="Folder that receives the two pictures and the report.")
    ] = Path("demo"),
):
    """Convolve 1,797 real handwritten digits, invert the result exactly, and draw both.

    Leaves inverse.png, matrix.png and report.md.
    """
    from cinc_ref.demo import run  # draws: slow to import, and an extra of its own

    result = run(out)
    table = Table(title=f"{len(result.round_trips[0].images):,} digits: conv_inverse(conv(x)) - x")
    table.add_column("precision")
    table.add_column("largest error, grey levels 0 to 16", justify="right")
    for trip in result.round_trips:
        table.add_row(trip.dtype, f"{trip.largest_error:.1e}")
    console = Console()
    console.print(table)
    for path in result.files:
        console.print(f"wrote {path}", highlight=False, soft_wrap=True, markup=False)
