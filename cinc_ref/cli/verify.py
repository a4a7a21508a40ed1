"""``python -m cinc_ref verify``."""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

import cinc_ref
from cinc_ref._files import output_errors
from cinc_ref.cli._common import say
from cinc_ref.errors import DataError

__all__ = ["verify"]

TITLES: dict[int | None, str] = {
    None: "implementation", 1: "triangular", 2: "determinant", 3: "characterization",
    4: "substitution", 5: "corners and anchors", 6: "other paddings", 7: "adjoint",
    9: "stability",
}  # fmt: skip
"""Titles of the theorems by number; None stands for claims about the definition alone."""

ELSEWHERE = (
    "Theorems 8 (causal orders) and 9 (stability) are decided for one kernel at a time: "
    "theory.causal_order, theory.stability. "
    "Theorems 1 to 5, 7 and 8 are proved for all sizes in Rocq as well (proofs of the repository)."
)
"""Sentences on what the rows of the table leave out."""

VERDICT_STYLES = {"holds": "green", "fails": "bold red", "skipped": "yellow"}
"""Styles of the terminal by verdict."""


def _integers(separator, meaning):
    """Return a parser for two integers with a separator between them."""

    def parse(text: str):
        parts = text.split(separator)
        if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
            raise typer.BadParameter(f"must be {meaning}; got {text!r}")
        return tuple(map(int, parts))

    return parse


def verify(
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random kernels and images.")] = 0,
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
) -> None:
    """Try to refute the theorems and this implementation on random kernels.

    Prints the worst error with its bound, and for every theorem what is proved and what is only
    tried on cases; exits with 1 if a claim fails. With --kernel and --size,
    explains in plain words whether that kernel is invertible and how usable its inverse is.
    """
    if (kernel is None) != (size is None):
        raise typer.BadParameter("--kernel and --size go together")
    if kernel is not None and json_file is not None:
        raise typer.BadParameter("--json writes the evidence of the theorems, not of a --kernel")
    if kernel is not None:
        say(cinc_ref.theory.explain(_load(kernel), size, dilation=dilation, anchor=anchor))
        raise typer.Exit
    evidence = cinc_ref.theory.verify(cinc_ref, seed=seed, effort=effort)
    Console().print(_evidence_table(evidence))
    Console().print(_support_table(evidence))
    failed = sum(item.verdict == "fails" for item in evidence)
    held = sum(item.verdict == "holds" for item in evidence)
    say(f"{held} of {len(evidence)} claims hold, {failed} fail.")
    if json_file is not None:
        _write_json(json_file, evidence, seed=seed, effort=effort)
    raise typer.Exit(1 if failed else 0)


def _write_json(path, evidence, **settings):
    items = [item.to_dict() for item in evidence]
    report = {"version": cinc_ref.__version__, **settings, "evidence": items}
    with output_errors(path):
        path.write_text(json.dumps(report, indent=1, allow_nan=False), encoding="utf-8")


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
    table.add_column("support", max_width=9)
    for heading in ("largest", "worst error", "bound"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for item in evidence:
        table.add_row(
            _claim(item),
            item.support,
            item.largest,
            _number(item.worst),
            _number(item.bound),
            Text(item.verdict, style=VERDICT_STYLES[item.verdict]),
        )
    return table


def _support_table(evidence):
    """List by theorem the statements that are proved, and those that are tried on cases."""
    table = Table(show_lines=True, caption=ELSEWHERE, caption_justify="left")
    table.add_column("theorem")
    table.add_column("proved", ratio=1)
    table.add_column("tried on cases", ratio=2)
    for number, title in TITLES.items():
        items = [item for item in evidence if number in (item.theorems or (None,))]
        proved = [item.name for item in items if item.proved]
        tried = [_tried(item) for item in items if not item.proved]
        if items:
            theorem = title if number is None else f"{number}. {title}"
            table.add_row(theorem, "; ".join(proved) or "-", "; ".join(tried) or "-")
    return table


def _tried(item):
    """Return the name of a statement that is not proved, with its cases or its verdict."""
    return f"{item.name} ({f'{item.cases:,}' if item.verdict == 'holds' else item.verdict})"


def _claim(item):
    numbers = ", ".join(map(str, item.theorems))
    source = f"theorem{'s' * (len(item.theorems) > 1)} {numbers}; {item.source}"
    source = source if item.theorems else item.source
    lines = [Text(item.name, style="bold"), Text(item.statement), Text(source, style="dim")]
    if item.reason:
        lines.append(Text(item.reason, style=VERDICT_STYLES[item.verdict]))
    return Group(*lines)


def _number(value):
    return "-" if value is None else f"{value:.3g}"
