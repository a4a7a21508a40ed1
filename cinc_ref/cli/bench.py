"""``python -m cinc_ref bench``."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column

from cinc_ref import bench as benchmarks
from cinc_ref._files import check_file, write_text
from cinc_ref._validate import one_of
from cinc_ref.cli._common import print_table, say
from cinc_ref.cli._options import (
    integer_option,
    integers_option,
    name_option,
    parsed_by,
    path_option,
    refuse_unused,
)

__all__ = ["bench"]

ONE, ALL = "conv", "all"
"""Names of the group of one convolution of your own, and of all other groups together."""

NAMES = (ALL, *benchmarks.GROUPS, ONE)
"""Names that choose what to measure."""

OPTIONAL = {
    "torch": ("PyTorch", "pip install torch"),
    "onnxruntime": ("ONNX Runtime", "pip install onnx onnxruntime onnxscript"),
}
"""Packages that some rows need: their names in the notes of groups, and how to install them."""

DTYPES = ("float32", "float64")
"""Dtypes of the images of one convolution."""


def bench(
    context: typer.Context,
    group: Annotated[
        str,
        typer.Argument(
            metavar="[GROUP]",
            help=f"What to measure, one of: {', '.join(NAMES)}.",
            parser=parsed_by(str, lambda name: one_of("GROUP", name, NAMES)),
        ),
    ] = ALL,
    json_file: Annotated[
        Path | None, path_option("--json", "Write all figures there as well.", show_default=False)
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 1 if a ratio misses its bound.")
    ] = False,
    channels: Annotated[int, integer_option("--channels", f"For {ONE}.", minimum=1)] = 12,
    size: Annotated[
        Any,
        integers_option(
            "--size",
            f"For {ONE}: height and width, or one number for both.",
            "HxW",
            "16x16",
            one_for_all=True,
        ),
    ] = "16x16",
    batch: Annotated[int, integer_option("--batch", f"For {ONE}: images.", minimum=1)] = 100,
    dtype: Annotated[str, name_option("--dtype", f"For {ONE}: {{}}.", DTYPES)] = "float32",
) -> None:
    """Measure what the exact inverse, sampling and training cost on one core.

    Every figure is also a ratio: to the loops that specify the operation, to PyTorch's convolution
    and to the same flow in PyTorch, where that is installed. Tables are Markdown. conv measures
    one convolution of a size that you choose. Other work on the machine disturbs the figures. All
    takes some minutes.
    """
    if group == ONE:
        refuse_unused(context, ["check"], f"not for {ONE}, which has no bounds")
        groups = {ONE: benchmarks.convolution_group(channels, size, batch, dtype)}
    else:
        refuse_unused(context, ["channels", "size", "batch", "dtype"], f"only for {ONE}")
        groups = benchmarks.GROUPS if group == ALL else {group: benchmarks.GROUPS[group]}
    if json_file is not None:
        check_file(json_file)
    report = benchmarks.run(groups, progress=True)
    verdicts = benchmarks.judge(report.rows)
    _print(report, verdicts)
    if json_file is not None:
        _write_json(json_file, report, verdicts)
    raise typer.Exit(1 if check and any(verdict.missed for verdict in verdicts) else 0)


def _print(report, verdicts):
    machine = report.machine
    versions = ", ".join(f"{name} {v or 'not installed'}" for name, v in machine.versions.items())
    peak = ", ".join(f"{dtype} {peak:.0f}" for dtype, peak in machine.peak.items())
    say(f"{machine.cpu}, {machine.conditions}; {report.date}")
    say(f"{versions}")
    say(f"matrix products, GFLOP/s: {peak}")
    for name, group in report.groups.items():
        say(f"\n{group.title}. {group.note}")
        for package, (title, advice) in OPTIONAL.items():
            if title in group.note and machine.versions.get(package, "") is None:
                say(f"{title} is not installed, so its rows are left out: {advice}")
        without_torch = "PyTorch" in group.note and machine.versions["torch"] is None
        print_table(*_figures(group, report.rows[name], without_torch), markdown=True)
    if report.disturbance:
        say(f"\n{report.disturbance}")
    if verdicts:
        say("\nBounds, each with the ratio that is nearest to missing it or misses it most.")
        print_table(*_bounds(verdicts), markdown=True)


def _figures(group, rows, without_torch):
    """Return columns and rows of a table, with a column for each ratio that any row has."""
    ratios = list(dict.fromkeys(name for row in rows for name in row.ratios))
    headings = ["median ms", "min ms", "GFLOP/s", *(f"/ {name}" for name in ratios)]
    headings += ["/ PyTorch"] * without_torch
    table = []
    for row in rows:
        figures = [_milliseconds(row.median), _milliseconds(row.minimum)]
        figures.append("" if row.gflops is None else f"{row.gflops:.1f}")
        figures += [_ratio(row.ratios.get(name)) for name in ratios]
        figures += ["not installed"] * without_torch
        table.append((group.label(row), row.case, row.dtype, *figures))
    columns = [Column(heading) for heading in ("what", "size", "dtype")]
    return columns + [Column(heading, justify="right") for heading in headings], table


def _milliseconds(seconds):
    return "" if seconds is None else f"{1000 * seconds:.4g}"


def _ratio(value, otherwise=""):
    return otherwise if value is None else f"{value:.3g}"


def _bounds(verdicts):
    """Return columns and rows of the table of ratios and their bounds."""
    rows = []
    for verdict in verdicts:
        sign = "≥" if verdict.bound.at_least else "≤"
        state = "missed" if verdict.missed else "met"
        if verdict.worst is None:
            state = "not measured"
        limit = f"{sign} {verdict.bound.limit:.3g}"
        rows.append((verdict.bound.name, _ratio(verdict.worst, "-"), limit, state))
    columns = [Column("measured", justify="right"), Column("bound", justify="right")]
    return [Column("ratio"), *columns, Column("")], rows


def _write_json(path, report, verdicts):
    content = report.to_dict() | {"bounds": [verdict.to_dict() for verdict in verdicts]}
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")
