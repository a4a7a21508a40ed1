"""The commands of ``python -m cinc_ref``: each calls one function of the library and prints.

Errors are not caught here: `cinc_ref.__main__` turns them into one line.
"""

from pathlib import Path
from typing import Annotated

import cinc_ref
from cinc_ref._extras import extra

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


@app.command()
def verify(
    seed: Annotated[int, typer.Option(min=0, help="Of the random kernels and images.")] = 0,
    effort: Annotated[
        int, typer.Option(min=1, help="How hard to try: cases grow in proportion.")
    ] = 1,
):
    """Try to refute the theorems and this implementation on random kernels.

    Prints the worst error found beside its bound; exits with 1 if a claim fails.
    """
    evidence = cinc_ref.theory.verify(cinc_ref, seed=seed, effort=effort)
    console = Console()
    console.print(_evidence_table(evidence))
    failed = sum(item.verdict == "fails" for item in evidence)
    held = sum(item.verdict == "holds" for item in evidence)
    console.print(f"{held} of {len(evidence)} claims hold, {failed} fail.", highlight=False)
    raise typer.Exit(1 if failed else 0)


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
