"""Tables and drawings of the comparisons of systems that are stored in `comparison/`."""

import json
from math import ceil, floor, log10
from pathlib import Path

from cinc_ref._schema import has_schema
from cinc_ref.comparison import Comparison
from cinc_ref.comparison.table import COLUMNS, budget, explanation
from site_parts.markdown import table
from site_parts.paths import ROOT
from site_parts.svg import Drawing

__all__ = ["at_equal", "gains", "gains_table", "parts", "round_numbers", "stored"]

SHAPES = {
    "additive": ("yellow", "triangle"),
    "affine": ("blue", "circle"),
    "quad": ("red", "square"),
}
"""Colour and shape of the points of each coupling, which differ without colours too."""

COMMANDS = {
    "minutes": (
        "python -m cinc_ref compare --data digits --minutes 5 --out comparison/digits",
        "python -m cinc_ref compare --data patches --size 16 --systems glow,cinc --seeds 2 "
        "--minutes 10 --out comparison/patches",
    ),
    "steps": (
        "python -m cinc_ref compare --data digits --steps 1500 --out comparison/digits-steps",
        "python -m cinc_ref compare --data patches --size 16 --systems glow,cinc --steps 1500 "
        "--out comparison/patches-steps",
    ),
}
"""Commands that make the comparisons of each kind of budget."""


def stored(folder: Path = ROOT / "comparison") -> list[tuple[Comparison, str]]:
    """Read all stored comparisons, each with the command that made it."""
    found = []
    for path in sorted(folder.glob("*/comparison.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if not has_schema(content, "comparison"):
            raise ValueError(f"{path} is no stored comparison")
        command = content["command"]
        fields = {name: content[name] for name in ("rows", "results", "settings", "complete")}
        found.append((Comparison(**fields), command))
    return found


def parts() -> dict[str, str]:
    """Return the generated parts of the page of the comparison, by file name."""
    return {
        "equal-minutes.md": at_equal("minutes", stored()),
        "equal-steps.md": at_equal("steps", stored()),
        "quad-gains.md": gains_table(stored()),
    }


def at_equal(unit: str, comparisons: list[tuple[Comparison, str]]) -> str:
    """Describe the comparisons whose runs have the same budget in this unit."""
    chosen = [pair for pair in comparisons if pair[0].settings["training"][unit] is not None]
    if not chosen:
        commands = "\n".join(COMMANDS[unit])
        words = "No such comparison is stored yet. These commands make two:"
        return f"{words}\n\n```sh\n{commands}\n```\n"
    return "\n".join(_description(comparison, command) for comparison, command in chosen)


def _description(comparison, command):
    settings = comparison.settings
    name = _data_of(comparison)
    title = f"### {name.capitalize()}, {budget(settings)}\n"
    notes = explanation(comparison)
    whole = table(
        [column.heading for column in COLUMNS],
        [[column.text(row) for column in COLUMNS] for row in comparison.rows],
        text_columns=2,
    )
    return "\n".join(
        [
            title,
            _bits_drawing(comparison).inline(),
            _times_drawing(comparison).inline(),
            notes[0] + "\n",
            "<details><summary>All figures</summary>\n",
            whole,
            *(f"{note}\n" for note in notes[1:]),
            f"Made by `{command}`.\n\n</details>\n",
        ]
    )


def _data_of(comparison):
    """Return the name of the images, with the side of patches."""
    options = comparison.settings["data_options"]
    side = options.get("size")
    return comparison.settings["data"] + (f" of {side}×{side} pixels" if side else "")


# ---- what quad gains over affine ----------------------------------------------------------------


def gains(comparison: Comparison) -> dict[str, tuple[float, float | None]]:
    """Return for each system the bits/dim of quad minus those of affine, with their uncertainty.

    The uncertainty is the standard deviation of the difference of two runs; None for one seed.
    """
    rows = {(row["system"], row["coupling"]): row for row in comparison.rows}
    found = {}
    for system in dict.fromkeys(system for system, _ in rows):
        pair = [rows.get((system, coupling)) for coupling in ("affine", "quad")]
        if None not in pair:
            affine, quad = pair
            spreads = [row["standard_deviation"] for row in pair]
            spread = None if None in spreads else sum(s**2 for s in spreads) ** 0.5
            found[system] = (quad["test_bits_per_dim"] - affine["test_bits_per_dim"], spread)
    return found


def gains_table(comparisons: list[tuple[Comparison, str]]) -> str:
    """Tabulate what quad gains, system by system, at equal steps and at equal minutes."""
    ordered = sorted(comparisons, key=lambda pair: pair[0].settings["training"]["steps"] is None)
    columns = {_heading(comparison): gains(comparison) for comparison, _ in ordered}
    systems = list(dict.fromkeys(system for column in columns.values() for system in column))
    rows = [
        [system, *(_gain_text(column.get(system)) for column in columns.values())]
        for system in systems
    ]
    verdicts = [f"- {_verdict(comparison)}" for comparison, _ in ordered]
    return table(["system", *columns], rows) + "\n" + "\n".join(verdicts) + "\n"


def _heading(comparison):
    return f"{comparison.settings['data']}, {budget(comparison.settings)}"


def _gain_text(gain):
    if gain is None:
        return ""
    value, spread = gain
    number = f"{value:+.3f}".replace("-", "−")
    return number if spread is None else f"{number} ± {spread:.3f}"


def _verdict(comparison):
    """Say in a sentence in which systems quad is better than affine, and in which it is worse.

    A change that is not larger than its uncertainty is neither.
    """
    found = gains(comparison)
    clear = {
        system: value for system, (value, spread) in found.items() if abs(value) > (spread or 0)
    }
    groups = {
        "better": [system for system, value in clear.items() if value < 0],
        "worse": [system for system, value in clear.items() if value > 0],
        "within the uncertainty": [system for system in found if system not in clear],
    }
    said = [
        f"{words} in {'every system' if len(group) == len(found) else ', '.join(group)}"
        for words, group in groups.items()
        if group
    ]
    budget_text, data = budget(comparison.settings), comparison.settings["data"]
    return f"On {data}, each run with {budget_text}, quad against affine is {'; '.join(said)}."


# ---- drawings ------------------------------------------------------------------------------------

LEFT, RIGHT, ROW, HEAD = 130, 424, 24, 46
"""Sides of the scale, height of a line and of what stands above the first, in units."""


def _bits_drawing(comparison):
    rows = sorted(comparison.rows, key=lambda row: row["test_bits_per_dim"])
    bits = {
        (row["system"], row["coupling"]): [
            result["test_bits_per_dim"]
            for result in comparison.results
            if (result["job"]["name"], result["job"]["coupling"])
            == (row["system"], row["coupling"])
        ]
        for row in rows
    }
    values = [value for group in bits.values() for value in group]
    low, high = min(values), max(values)
    margin = 0.05 * (high - low) or 0.05
    scale = _scale(low - margin, high + margin)
    best, worst = rows[0], rows[-1]
    drawing = Drawing(
        480,
        HEAD + ROW * len(rows) + 34,
        f"Bits per dimension on {_data_of(comparison)}",
        f"Points of {len(rows)} combinations, best above: {_name(best)} with "
        f"{best['test_bits_per_dim']:.3f} is best, {_name(worst)} with "
        f"{worst['test_bits_per_dim']:.3f} is worst.",
    )
    drawing.text(0, 18, "bits per dimension of test images: less is better", bold=True)
    drawing.text(0, 34, "points: runs; strokes and numbers: means", colour="muted")
    _ticks(drawing, scale, low - margin, high + margin, HEAD + ROW * len(rows))
    for place, row in enumerate(rows):
        y = HEAD + ROW * place + ROW / 2
        _label(drawing, row, y)
        for value in bits[row["system"], row["coupling"]]:
            _point(drawing, scale(value), y, row["coupling"])
        mean = row["test_bits_per_dim"]
        drawing.line((scale(mean), y - 8), (scale(mean), y + 8), width=2)
        drawing.text(RIGHT + 10, y + 4, f"{mean:.3f}")
    return drawing


def _times_drawing(comparison):
    rows = sorted(comparison.rows, key=lambda row: row["sampling_seconds"])
    longest = 1000 * rows[-1]["sampling_seconds"]
    scale = _scale(0, longest)
    drawing = Drawing(
        480,
        HEAD + ROW * len(rows) + 34,
        f"Time of sampling on {_data_of(comparison)}",
        f"Bars of {len(rows)} combinations, fastest above, from "
        f"{1000 * rows[0]['sampling_seconds']:.1f} to {longest:.1f} milliseconds; the filled part "
        "is spent in the invertible convolutions.",
    )
    drawing.text(0, 18, "time of 100 samples on one core, ms", bold=True)
    drawing.text(0, 34, "filled: the part in the invertible convolutions", colour="muted")
    _ticks(drawing, scale, 0, longest, HEAD + ROW * len(rows))
    for place, row in enumerate(rows):
        y = HEAD + ROW * place + ROW / 2
        _label(drawing, row, y)
        inside, whole = (1000 * row[f"{part}_seconds"] for part in ("convolution", "sampling"))
        colour = SHAPES[row["coupling"]][0]
        drawing.rect(LEFT, y - 7, scale(whole) - LEFT, 14, fill=colour, opacity=0.25, stroke=colour)
        drawing.rect(LEFT, y - 7, scale(inside) - LEFT, 14, fill=colour, stroke=colour)
        drawing.text(RIGHT + 10, y + 4, f"{whole:.1f}")
    return drawing


def _scale(low, high):
    return lambda value: LEFT + (RIGHT - LEFT) * (value - low) / (high - low)


def _name(row):
    return f"{row['system']}, {row['coupling']}"


def _label(drawing, row, y):
    drawing.text(LEFT - 12, y + 4, _name(row), anchor="end")
    drawing.line((LEFT, y + ROW / 2), (RIGHT, y + ROW / 2), colour="line", width=0.5)


def _point(drawing, x, y, coupling):
    colour, shape = SHAPES[coupling]
    if shape == "circle":
        drawing.circle(x, y, 4.5, fill=colour, opacity=0.75)
    elif shape == "square":
        drawing.rect(x - 4, y - 4, 8, 8, fill=colour, opacity=0.75, stroke="")
    else:
        drawing.polygon([(x, y - 5), (x + 5, y + 4), (x - 5, y + 4)], fill=colour)


def _ticks(drawing, scale, low, high, bottom):
    """Draw round numbers below the scale."""
    for number in round_numbers(low, high):
        drawing.line((scale(number), HEAD), (scale(number), bottom), colour="line", width=0.6)
        drawing.text(scale(number), bottom + 18, f"{number:g}", anchor="middle", colour="muted")


def round_numbers(low: float, high: float) -> list[float]:
    """Return the three to eight multiples of 1, 2 or 5 times a power of ten in a range."""
    power = 10.0 ** floor(log10((high - low) / 3))
    step = max(power * factor for factor in (1, 2, 5) if power * factor <= (high - low) / 3)
    return [round(step * n, 9) for n in range(ceil(low / step), floor(high / step) + 1)]
