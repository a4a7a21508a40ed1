"""The colours, sizes and words that all pictures share."""

from cinc_ref._extras import extra
from cinc_ref._figure import Figure

with extra("plots"):
    from matplotlib.axes import Axes
    from matplotlib.layout_engine import ConstrainedLayoutEngine

__all__ = [
    "ANCHOR",
    "CHARACTER",
    "DPI",
    "GRID",
    "INK",
    "LARGE",
    "SMALL",
    "counted",
    "draw_frame",
    "fitting_size",
    "new_figure",
]

DPI = 160
"""Resolution of saved figures, in pixels per inch."""

LARGE, SMALL = 12, 10
"""Sizes of titles and of labels, in points."""

CHARACTER = 0.6
"""Width of a character, as a part of the size of its letters; the mean of matplotlib's font."""

INK = "#222222"
GRID = "#d9d9d9"
ANCHOR = "#c8102e"


def new_figure(width: float, height: float) -> Figure:
    """Return a figure of a size in inches, whose layout leaves room for all texts."""
    return Figure((width, height), dpi=DPI, layout=ConstrainedLayoutEngine(h_pad=0.1))


def draw_frame(axes: Axes) -> None:
    """Draw a thin frame without ticks."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(GRID)


def fitting_size(inches: float, characters: int) -> float:
    """Return the size in points, at most `SMALL`, at which so many characters fit into a width."""
    return min(SMALL, 72 * inches / (CHARACTER * characters))


def counted(count: int, name: str) -> str:
    """Return a number of things in words, for instance "1 image" and "2 images"."""
    return f"{count:,} {name}{'s' * (count != 1)}"
