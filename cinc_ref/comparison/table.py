"""The table of a comparison as rows, Markdown and JSON, with a row for a system and coupling."""

import json
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from cinc_ref._display import short_repr
from cinc_ref._schema import SCHEMA, schema
from cinc_ref.comparison import paper
from cinc_ref.comparison.result import Comparison

__all__ = ["COLUMNS", "Column", "as_json", "budget", "explanation", "markdown", "rows_of"]


@dataclass(frozen=True)
class Column:
    """A column: its heading, and the function that formats its entry in a row."""

    heading: str
    text: Callable[[dict[str, Any]], str]

    __repr__ = short_repr


def rows_of(results: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Combine results of runs into rows, in the order in which systems and couplings first come.

    A row has the mean and the standard deviation of the bits over the seeds, the worst condition
    number and error, and medians of the times.
    """
    groups = {}
    for result in results:
        job = result["job"]
        groups.setdefault((job["name"], job["coupling"]), []).append(result)
    return [_row(*key, group) for key, group in groups.items()]


def _row(name, coupling, group):
    bits = [result["test_bits_per_dim"] for result in group]
    conditions = [result["worst_condition_number"] for result in group]
    paper_bits, paper_seconds = paper.figures(group[0]["job"]["data"], name, coupling)
    share = _median(group, "convolution_share")
    sampling = _median(group, "sampling_seconds")
    counts = ("parameters", "convolution_parameters", "multiply_adds", "convolution_multiply_adds")
    return {
        "system": name,
        "coupling": coupling,
        "runs": len(group),
        "test_bits_per_dim": statistics.fmean(bits),
        "standard_deviation": statistics.stdev(bits) if len(bits) > 1 else None,
        "best_test_bits_per_dim": min(bits),
        "steps": round(_median(group, "steps")),
        **{count: group[0][count] for count in counts},
        "training_images_per_second": _median(group, "training_images_per_second"),
        "sampling_seconds": sampling,
        "convolution_seconds": share * sampling,
        "convolution_share": share,
        "worst_condition_number": None if None in conditions else max(conditions),
        "largest_inversion_error": max(result["largest_inversion_error"] for result in group),
        "paper_bits_per_dim": paper_bits,
        "paper_sampling_seconds": paper_seconds,
    }


def _median(group, name):
    return statistics.median(result[name] for result in group)


def _bits(row):
    if row["standard_deviation"] is None:
        return f"{row['test_bits_per_dim']:.3f}"
    return f"{row['test_bits_per_dim']:.3f} ± {row['standard_deviation']:.3f}"


def _paper(row):
    seconds = row["paper_sampling_seconds"]
    parts = [row["paper_bits_per_dim"], seconds and f"{seconds} s"]
    return "; ".join(filter(None, parts)) or "-"


def _condition(row):
    condition = row["worst_condition_number"]
    return "above 1.8e308" if condition is None else f"{condition:.1e}"


COLUMNS = (
    Column("system", lambda row: row["system"]),
    Column("coupling", lambda row: row["coupling"]),
    Column("test bits/dim", _bits),
    Column("steps", lambda row: f"{row['steps']:,}"),
    Column(
        "parameters in the invertible convolutions",
        lambda row: f"{row['convolution_parameters']:,}",
    ),
    Column("parameters in all", lambda row: f"{row['parameters']:,}"),
    Column("multiply-adds an image, millions", lambda row: f"{row['multiply_adds'] / 1e6:.2f}"),
    Column("training, images/s", lambda row: f"{row['training_images_per_second']:,.0f}"),
    Column("sampling 100, ms", lambda row: f"{1000 * row['sampling_seconds']:.1f}"),
    Column(
        "of it in the convolutions",
        lambda row: (
            f"{1000 * row['convolution_seconds']:.1f} ({100 * row['convolution_share']:.0f} %)"
        ),
    ),
    Column("worst condition number", _condition),
    Column("largest inversion error", lambda row: f"{row['largest_inversion_error']:.1e}"),
    Column("paper: bits/dim; sampling 100", _paper),
)
"""The columns of the printed table; the JSON holds all entries of a row."""


def markdown(comparison: Comparison, command: str | None = None) -> str:
    """Format the table as Markdown, with the common options and the command."""
    lines = [f"# Comparison on {comparison.settings['data']}", ""]
    lines.append("| " + " | ".join(column.heading for column in COLUMNS) + " |")
    lines.append("|---|---" + "|---:" * (len(COLUMNS) - 2) + "|")
    for row in comparison.rows:
        lines.append("| " + " | ".join(column.text(row) for column in COLUMNS) + " |")
    lines += ["", *explanation(comparison)]
    if command:
        lines += ["", f"Made by `{command}`."]
    return "\n".join(lines) + "\n"


def budget(settings: dict[str, Any]) -> str:
    """Return how long each run of a comparison with these settings trained, in words."""
    training = settings["training"]
    if training["minutes"] is not None:
        return f"{training['minutes']:g} minutes of one core"
    return f"{training['steps']:,} steps"


def explanation(comparison: Comparison) -> list[str]:
    """Return the meaning of the figures and the conditions of the runs, as a list of lines."""
    settings = comparison.settings
    training, model = settings["training"], settings["model"]
    runs = sorted({row["runs"] for row in comparison.rows})
    conditions = {result["conditions"] for result in comparison.results}
    data = ", ".join(
        [
            settings["data"],
            *(f"{k} {v}" for k, v in settings["data_options"].items() if k != "path"),
        ]
    )
    dates = sorted(result["date"] for result in comparison.results)
    period = " to ".join(sorted({dates[0], dates[-1]}))
    source = paper.image_set_of(settings["data"])
    return [
        f"Every run: {budget(settings)} on {data}; {model['levels']} levels of {model['depth']} "
        f"steps, width {model['width']}; learning rate {training['learning_rate']:g}, batches of "
        f"{training['batch_size']}, dropout {training['dropout']:g}. "
        f"{' or '.join(map(str, runs))} seeds each; bits/dim: mean and standard deviation over the "
        "seeds, each run the mean of 10 draws of noise on the test images.",
        "Parameters are the numbers that are learned, those of the 1x1 convolutions of Emerging "
        "included. Parameters and multiply-adds are counted. Times are medians, float32, "
        f"{' or '.join(sorted(conditions))}; condition number and error (in grey levels, of test "
        "images through the flow and back in float32) are the worst of all seeds.",
        f"The paper's figures are of its own, larger models on {source}; they can be compared with "
        "one another, not with ours.",
        f"{period}, Python {settings['python']}, {settings['machine']}.",
    ]


def as_json(comparison: Comparison, command: str | None = None) -> str:
    """Format all of a comparison as JSON."""
    content = {
        SCHEMA: schema("comparison"),
        "command": command,
        "settings": comparison.settings,
        "complete": comparison.complete,
        "rows": comparison.rows,
        "results": comparison.results,
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"
