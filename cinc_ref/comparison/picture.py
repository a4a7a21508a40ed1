"""The picture of a comparison: bits per dimension of the models, and times of sampling."""

import numpy as np

from cinc_ref._figure import Figure
from cinc_ref.comparison.result import Comparison
from cinc_ref.comparison.table import budget
from cinc_ref.plots import GRID, INK, LARGE, SMALL

__all__ = ["comparison_figure"]

COLOURS = {"additive": "#d9a400", "affine": "#5b87bd", "quad": "#a83c14"}
"""Colours by coupling: yellow, blue and a dark red, which colour-blind people can tell apart."""

LIGHT = {"additive": "#f2dfa0", "affine": "#c3d3e8", "quad": "#e3b9a7"}
"""Colours by coupling of the part of a bar that is spent outside the invertible convolutions."""


def comparison_figure(comparison: Comparison) -> Figure:
    """Draw two panels with one line for each system and coupling, the best above.

    The left panel shows bits per dimension of the test images: a point for each seed, a stroke for
    the mean. The right panel shows the time for 100 samples; the dark part is spent in the
    invertible convolutions.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows = sorted(comparison.rows, key=lambda row: -row["test_bits_per_dim"])
    height = 2.2 + 0.42 * len(rows)
    figure = Figure(figsize=(10.5, height), dpi=160, layout="constrained")
    settings = comparison.settings
    figure.suptitle(
        f"Systems and couplings on {settings['data']}, each trained {budget(settings)}, best above",
        fontsize=LARGE,
        color=INK,
    )
    quality, cost = figure.subplots(1, 2, sharey=True, width_ratios=[1.25, 1])
    places = np.arange(len(rows))
    _draw_bits(quality, rows, places, comparison.results)
    _draw_times(cost, rows, places)
    quality.set_ylabel("system, coupling", color=INK, fontsize=SMALL)
    quality.set_yticks(places, [f"{row['system']}, {row['coupling']}" for row in rows])
    for axes in (quality, cost):
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(GRID)
        axes.tick_params(color=GRID, labelcolor=INK, left=False)
        axes.set_axisbelow(True)
    quality.set_ylim(-0.7, len(rows) - 0.3)
    return figure


def _draw_bits(axes, rows, places, results):
    for place, row in zip(places, rows, strict=True):
        colour = COLOURS[row["coupling"]]
        bits = [
            result["test_bits_per_dim"]
            for result in results
            if (result["job"]["name"], result["job"]["coupling"])
            == (row["system"], row["coupling"])
        ]
        mean = row["test_bits_per_dim"]
        axes.plot(bits, [place] * len(bits), "o", color=colour, alpha=0.5, markersize=7, mew=0)
        axes.plot([mean, mean], [place - 0.28, place + 0.28], color=colour, linewidth=2.5)
        axes.annotate(
            f"{mean:.3f}",
            (max(bits), place),
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
            color=INK,
        )
    axes.margins(x=0.16)
    axes.grid(axis="both", color=GRID, linewidth=0.6)
    axes.set_title("dots: one run each; strokes and numbers: means", color=INK, fontsize=SMALL)
    axes.set_xlabel("bits per dimension of test images, less is better", color=INK, fontsize=SMALL)


def _draw_times(axes, rows, places):
    for place, row in zip(places, rows, strict=True):
        colour = COLOURS[row["coupling"]]
        inside, whole = (1000 * row[name] for name in ("convolution_seconds", "sampling_seconds"))
        axes.barh(place, inside, height=0.62, color=colour)
        axes.barh(place, whole - inside, 0.62, left=inside, color=LIGHT[row["coupling"]])
        axes.annotate(
            f"{whole:.3g} ms, {100 * row['convolution_share']:.0f} %",
            (whole, place),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            color=INK,
        )
    axes.set_xlim(right=1.4 * 1000 * max(row["sampling_seconds"] for row in rows))
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.set_xlabel("time of 100 samples on one core, ms", color=INK, fontsize=SMALL)
    axes.set_title(
        "dark, and %: the part in the invertible convolutions", color=INK, fontsize=SMALL
    )
