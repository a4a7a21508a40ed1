"""``python -m cinc_ref bench``."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from cinc_ref import bench as benchmarks
from cinc_ref._files import output_errors
from cinc_ref.cli._common import say

ONE, ALL = "conv", "all"
"""Names of the group of one convolution of your own, and of all other groups together."""

WIDTH = 200
"""Columns of a table, enough that no cell is wrapped: then the tables are Markdown."""


def bench(
    group: Annotated[
        str,
        typer.Argument(
            metavar="[GROUP]",
            help=f"What to measure, one of: {', '.join((ALL, *benchmarks.GROUPS, ONE))}.",
        ),
    ] = ALL,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all figures there as well.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 1 if a ratio misses its bound.")
    ] = False,
    channels: Annotated[
        int | None,
        typer.Option(min=1, help=f"For {ONE}; 12 by default.", show_default=False),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="HxW",
            help=f"For {ONE}: height and width, or one number for both; 16 by default.",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(min=1, help=f"For {ONE}: images; 100 by default.", show_default=False),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"For {ONE}: float32 (by default) or float64.",
            show_default=False,
        ),
    ] = None,
):
    """Measure what the exact inverse, sampling and training cost on one core.

    Every figure is also a ratio: to the loops that specify the operation, to PyTorch's convolution
    and to the same flow in PyTorch, where that is installed. Tables are Markdown. conv measures
    one convolution of a size that you choose. Other work on the machine disturbs the figures. All
    takes some minutes.
    """
    given = {"channels": channels, "size": size, "batch": batch, "dtype": dtype}
    if group == ONE:
        if check:
            raise typer.BadParameter(f"--check is not for {ONE}, which has no bounds")
        groups = {
            ONE: _single_convolution(channels or 12, size or "16", batch or 100, dtype or "float32")
        }
    else:
        unused = [f"--{name}" for name, value in given.items() if value is not None]
        if unused:
            raise typer.BadParameter(f"{', '.join(unused)}: only for {ONE}")
        groups = _named_groups(group)
    report = benchmarks.run(groups, progress=True)
    verdicts = benchmarks.judge(report.rows)
    _print(report, verdicts)
    if json_file is not None:
        _write_json(json_file, report, verdicts)
    raise typer.Exit(1 if check and any(verdict.missed for verdict in verdicts) else 0)


def _named_groups(name):
    if name == ALL:
        return benchmarks.GROUPS
    if name not in benchmarks.GROUPS:
        known = ", ".join((ALL, *benchmarks.GROUPS, ONE))
        raise typer.BadParameter(f"GROUP must be one of {known}; got {name!r}")
    return {name: benchmarks.GROUPS[name]}


def _single_convolution(channels, size, batch, dtype):
    sides = size.split("x")
    if len(sides) > 2 or not all(side.isdecimal() and int(side) for side in sides):
        raise typer.BadParameter(f"--size must be HxW or one number; got {size!r}")
    if dtype not in ("float32", "float64"):
        raise typer.BadParameter(f"--dtype must be float32 or float64; got {dtype!r}")
    height, width = int(sides[0]), int(sides[-1])
    return benchmarks.convolution_group(channels, (height, width), batch, dtype)


def _print(report, verdicts):
    machine = report.machine
    versions = ", ".join(f"{name} {v or 'not installed'}" for name, v in machine.versions.items())
    peak = ", ".join(f"{dtype} {peak:.0f}" for dtype, peak in machine.peak.items())
    say(f"{machine.cpu}, {machine.conditions}; {report.date}")
    say(f"{versions}")
    say(f"matrix products, GFLOP/s: {peak}")
    for name, group in report.groups.items():
        say(f"\n{group.title}. {group.note}")
        without_torch = "PyTorch" in group.note and machine.versions["torch"] is None
        _print_table(_figures(group, report.rows[name], without_torch))
    if report.disturbance:
        say(f"\n{report.disturbance}")
    if verdicts:
        say("\nBounds, each with the ratio that is nearest to missing it or misses it most.")
        _print_table(_bounds(verdicts))


def _print_table(table):
    Console(width=WIDTH).print(table)


def _figures(group, rows, without_torch):
    """Make a table with a line for each row, and a column for each ratio that any row has."""
    ratios = list(dict.fromkeys(name for row in rows for name in row.ratios))
    columns = ["median ms", "min ms", "GFLOP/s", *(f"/ {name}" for name in ratios)]
    if without_torch:
        columns.append("/ PyTorch")
    table = Table("what", "size", "dtype", box=box.MARKDOWN)
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows:
        figures = [_milliseconds(row.median), _milliseconds(row.minimum)]
        figures.append("" if row.gflops is None else f"{row.gflops:.1f}")
        figures += [_ratio(row.ratios.get(name)) for name in ratios]
        figures += ["not installed"] * without_torch
        table.add_row(group.label(row), row.case, row.dtype, *figures)
    return table


def _milliseconds(seconds):
    return "" if seconds is None else f"{1000 * seconds:.4g}"


def _ratio(value, otherwise=""):
    return otherwise if value is None else f"{value:.3g}"


def _bounds(verdicts):
    table = Table("ratio", box=box.MARKDOWN)
    for column in ("measured", "bound"):
        table.add_column(column, justify="right")
    table.add_column("")
    for verdict in verdicts:
        sign = "≥" if verdict.bound.at_least else "≤"
        state = "missed" if verdict.missed else "met"
        if verdict.worst is None:
            state = "not measured"
        limit = f"{sign} {verdict.bound.limit:.3g}"
        table.add_row(verdict.bound.name, _ratio(verdict.worst, "-"), limit, state)
    return table


def _write_json(path, report, verdicts):
    content = report.to_dict() | {"bounds": [verdict.to_dict() for verdict in verdicts]}
    with output_errors(path):
        path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
