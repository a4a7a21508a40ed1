"""``python -m cinc_ref verify``."""

from typing import Annotated

import typer
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

import cinc_ref
from cinc_ref.cli.printing import say

VERDICT_STYLES = {"holds": "green", "fails": "bold red", "skipped": "yellow"}


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
    Console().print(_evidence_table(evidence))
    failed = sum(item.verdict == "fails" for item in evidence)
    held = sum(item.verdict == "holds" for item in evidence)
    say(f"{held} of {len(evidence)} claims hold, {failed} fail.")
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
