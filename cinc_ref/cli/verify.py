"""``python -m cinc_ref verify``."""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Column
from rich.text import Text

import cinc_ref
from cinc_ref._files import check_file, write_text
from cinc_ref._reading import open_regular, refusing
from cinc_ref._schema import SCHEMA, schema
from cinc_ref.cli._common import print_table, say
from cinc_ref.cli._options import (
    found_in_files,
    integer_option,
    integers_option,
    path_option,
    refuse_unused,
    usage_error,
)
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

KERNEL = "an npy file of one array of numbers"
"""Description of the file of --kernel."""

VERDICT_STYLES = {"holds": "green", "fails": "bold red", "skipped": "yellow"}
"""Styles of the terminal by verdict."""


def verify(
    context: typer.Context,
    seed: Annotated[
        int,
        integer_option("--seed", "Seed of the random kernels and images.", minimum=0, maximum=None),
    ] = 0,
    effort: Annotated[
        int, integer_option("--effort", "How hard to try: cases grow in proportion.", minimum=1)
    ] = 1,
    json_file: Annotated[
        Path | None, path_option("--json", "Write the evidence there as well.", show_default=False)
    ] = None,
    kernel: Annotated[
        Path | None,
        path_option(
            "--kernel",
            "Explain this kernel, an npy file of shape (C, C, kh, kw), instead.",
            show_default=False,
        ),
    ] = None,
    size: Annotated[
        Any,
        integers_option("--size", "Image size for --kernel.", "HEIGHTxWIDTH", "32x32"),
    ] = None,
    dilation: Annotated[int, integer_option("--dilation", "For --kernel.", minimum=1)] = 1,
    anchor: Annotated[
        Any,
        integers_option(
            "--anchor",
            "For --kernel: the tap that reads the pixel itself; by default the last one.",
            "ROW,COLUMN",
            "1,1",
            minimum=0,
        ),
    ] = None,
) -> None:
    """Try to refute the theorems and this implementation on random kernels.

    Prints the worst error with its bound, and for every theorem what is proved and what is only
    tried on cases; exits with 1 if a claim fails. With --kernel and --size,
    explains in plain words whether that kernel is invertible and how usable its inverse is.
    """
    if kernel is None:
        refuse_unused(
            context, ["size", "dilation", "anchor"], "only with --kernel, a file to explain"
        )
    else:
        refuse_unused(context, ["seed", "effort", "json_file"], "not with --kernel")
        if size is None:
            raise usage_error("--kernel needs --size, for instance --size 32x32", context)
        array = _load(kernel)
        with found_in_files():
            text = cinc_ref.theory.explain(array, size, dilation=dilation, anchor=anchor)
        say(text)
        raise typer.Exit
    if json_file is not None:
        check_file(json_file)
    evidence = cinc_ref.theory.verify(cinc_ref, seed=seed, effort=effort)
    _print_evidence(evidence)
    _print_support(evidence)
    failed = sum(item.verdict == "fails" for item in evidence)
    held = sum(item.verdict == "holds" for item in evidence)
    say(f"{held} of {len(evidence)} claims hold, {failed} fail.")
    if json_file is not None:
        _write_json(json_file, evidence, seed=seed, effort=effort)
    raise typer.Exit(1 if failed else 0)


def _write_json(path, evidence, **settings):
    items = [item.to_dict() for item in evidence]
    content = {SCHEMA: schema("verify"), "version": cinc_ref.__version__}
    content |= {**settings, "evidence": items}
    write_text(path, json.dumps(content, indent=1, allow_nan=False))


def _load(path):
    with refusing(path, DataError, KERNEL), open_regular(path) as file:
        array = np.load(file, allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path} must be {KERNEL}; it is an archive of several")
    return array


def _print_evidence(evidence):
    """Print a row for every claim, with its worst error and its bound."""
    columns = [Column("claim", ratio=1), Column("support", max_width=9)]
    columns += [Column(name, justify="right") for name in ("largest", "worst error", "bound")]
    rows = [
        (
            _claim(item),
            item.support,
            item.largest,
            _number(item.worst),
            _number(item.bound),
            Text(item.verdict, style=VERDICT_STYLES[item.verdict]),
        )
        for item in evidence
    ]
    print_table([*columns, Column("verdict")], rows, lines=True)


def _print_support(evidence):
    """Print by theorem the statements that are proved, and those that are tried on cases."""
    columns = [Column("theorem"), Column("proved", ratio=1), Column("tried on cases", ratio=2)]
    rows = []
    for number, title in TITLES.items():
        items = [item for item in evidence if number in (item.theorems or (None,))]
        proved = [item.name for item in items if item.proved]
        tried = [_tried(item) for item in items if not item.proved]
        if items:
            theorem = title if number is None else f"{number}. {title}"
            rows.append((theorem, "; ".join(proved) or "-", "; ".join(tried) or "-"))
    print_table(columns, rows, lines=True)
    say(ELSEWHERE)


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
    return Text("\n").join(lines)


def _number(value):
    return "-" if value is None else f"{value:.3g}"
