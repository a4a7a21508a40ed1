"""Tables and a drawing of the benchmarks that are stored in `results/`."""

import json
from pathlib import Path
from typing import Any

from cinc_ref._schema import has_schema
from cinc_ref.bench.bounds import LEVELS
from cinc_ref.bench.groups import GROUPS, MARK
from site_parts.markdown import table
from site_parts.paths import ROOT
from site_parts.svg import Drawing

__all__ = ["parts", "ranges_table", "stored", "times_drawing"]

RATIOS = (
    ("time of the exact inverse / of PyTorch's *forward* convolution, batch-last",
     "conv_inverse, batch-last", "PyTorch"),
    ("the same from NCHW arrays", "conv_inverse, NCHW", "PyTorch"),
    ("time of the gradient of the inverse / of the inverse", "VJP of conv_inverse", "conv_inverse"),
    ("time of the weight gradient / of PyTorch's", "weight gradient", "PyTorch"),
    ("rate of the inverse / of large matrix products", "conv_inverse, kernel alone", "gemm"),
)  # fmt: skip
"""Rows of the short table: what it says, the name of the measurement, and of the ratio."""


def stored(folder: Path = ROOT / "results") -> list[tuple[str, dict[str, Any]]]:
    """Read every stored benchmark, each with the path of its file below the top folder."""
    found = []
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if has_schema(content, "bench"):
            found.append((f"{folder.name}/{path.name}", content))
    return found


def parts() -> dict[str, str]:
    """Return the generated parts about benchmarks, by file name."""
    kernels = next(content for _, content in stored() if "kernels" in content["rows"])
    rows = kernels["rows"]["kernels"]
    return {
        "benchmark-machine.md": _machine(kernels),
        "benchmark-ranges.md": ranges_table(rows),
        "benchmark-times.md": times_drawing(rows, "float32").inline(),
        "benchmarks.md": "\n".join(_whole(path, content) for path, content in stored()),
    }


def _machine(content):
    machine = content["machine"]
    peak = ", ".join(f"{dtype} {rate:.0f}" for dtype, rate in machine["peak"].items())
    versions = ", ".join(
        f"{name} {v or 'not installed'}" for name, v in machine["versions"].items()
    )
    return (
        f"{machine['cpu']}, {machine['conditions']}; {content['date'][:10]}. {versions}. "
        f"Matrix products, GFLOP/s: {peak}.\n"
    )


def ranges_table(rows: list[dict[str, Any]]) -> str:
    """Tabulate the smallest and the largest of each ratio at three levels of a flow, by dtype."""
    lines = []
    for words, what, over in RATIOS:
        cells = []
        for dtype in ("float32", "float64"):
            ratios = [
                row["ratios"][over]
                for row in rows
                if (row["what"], row["dtype"]) == (what, dtype) and row["case"] in LEVELS
            ]
            cells.append(f"{min(ratios):.2f} to {max(ratios):.2f}")
        lines.append([words, *cells])
    return table(["ratio", "float32", "float64"], lines)


def times_drawing(rows: list[dict[str, Any]], dtype: str) -> Drawing:
    """Draw the time of the exact inverse next to that of PyTorch's forward convolution."""
    chosen = [row for row in rows if row["dtype"] == dtype and row["case"].endswith("N=100")]
    cases = list(dict.fromkeys(row["case"] for row in chosen if row["case"].startswith("C=")))
    ours = {row["case"]: row["median"] for row in chosen if row["what"] == "conv_inverse, NCHW"}
    torch = {
        row["case"]: row["median"] for row in chosen if row["what"].startswith("PyTorch forward")
    }
    longest = max([*ours.values(), *torch.values()])
    left, right, step = 112, 424, 46
    drawing = Drawing(
        480,
        52 + step * len(cases) + 8,
        f"Time of the exact inverse and of PyTorch's forward convolution, {dtype}",
        "; ".join(
            f"{case}: {1000 * ours[case]:.2f} ms against {1000 * torch[case]:.2f} ms"
            for case in cases
        ),
    )
    drawing.text(0, 18, f"time for 100 images, ms, {dtype}", bold=True)
    drawing.rect(0, 27, 10, 10, fill="red", stroke="red")
    drawing.text(16, 37, "exact inverse, NCHW")
    drawing.rect(170, 27, 10, 10, fill="blue", opacity=0.25, stroke="blue")
    drawing.text(186, 37, "PyTorch, forward convolution alone")
    for place, case in enumerate(cases):
        y = 52 + step * place
        drawing.text(left - 12, y + 21, case.removesuffix(" N=100"), anchor="end")
        for offset, times, colour, opacity in ((0, ours, "red", 1), (16, torch, "blue", 0.25)):
            length = (right - left) * times[case] / longest
            drawing.rect(left, y + offset, length, 14, fill=colour, opacity=opacity, stroke=colour)
            drawing.text(left + length + 6, y + offset + 11, f"{1000 * times[case]:.2f}", size=11)
    return drawing


def _whole(path, content):
    """Return everything that a file says: the machine, a table for each group, the bounds."""
    lines = [f"## `{path}`\n", _machine(content)]
    lines += [f"{content['disturbance']}\n"] if content.get("disturbance") else []
    for name, rows in content["rows"].items():
        group = GROUPS.get(name)
        lines += [f"### {group.title if group else name}\n"]
        lines += [group.note.replace(MARK, f"`{group.answer}`") + "\n"] if group else []
        for dtype in dict.fromkeys(row["dtype"] for row in rows):
            same = [row for row in rows if row["dtype"] == dtype]
            lines += [f"{dtype}:\n", _figures(same)]
    if content.get("bounds"):
        lines += ["### Bounds\n", BOUNDS_NOTE, _bounds(content["bounds"])]
    return "\n".join(lines)


BOUNDS_NOTE = "Each with the ratio that is nearest to missing it, or misses it most.\n"


def _figures(rows):
    ratios = list(dict.fromkeys(name for row in rows for name in row["ratios"]))
    lines = []
    for row in rows:
        cells = [row["what"], row["case"], _number(row["median"], 1000, ".4g")]
        cells += [_number(row["gflops"], 1, ".0f")]
        cells += [_number(row["ratios"].get(name), 1, ".3g") for name in ratios]
        lines.append(cells)
    headings = ["what", "size", "median ms", "GFLOP/s", *(f"/ {name}" for name in ratios)]
    return table(headings, lines, text_columns=2)


def _number(value, factor, form):
    return "" if value is None else format(factor * value, form)


def _bounds(verdicts):
    lines = []
    for verdict in verdicts:
        sign = "≥" if verdict["at_least"] else "≤"
        state = "missed" if verdict["missed"] else "met"
        if verdict["worst"] is None:
            state = "not measured"
        measured = _number(verdict["worst"], 1, ".3g")
        lines.append([verdict["bound"], measured, f"{sign} {verdict['limit']:.3g}", state])
    return table(["ratio", "measured", "bound", "state"], lines)
