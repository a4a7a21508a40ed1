"""The figures of the slides, as SVG files beside this program.

Run ``python docs/class/figures/draw.py`` in the top folder; with the argument FOLDER they go there.
"""

import sys
import warnings
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

import cinc_ref as cr

SETTINGS = {
    "font.size": 15,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "cinc_ref",  # the same file every time
    "axes.spines.top": False,
    "axes.spines.right": False,
}
BLUE, RED, INK, GREY = "#1f6fb4", "#c8102e", "#222222", "#d9d9d9"
BLUE_FILL, RED_FILL = "#bcd7ee", "#f2a0a0"
CALM, WILD = ([[[[0.2, other], [other, 1.0]]]] for other in (-0.3, -0.9))


def new_figure(title, width=12.0, height=5.2):
    """Make a figure of a slide, with a title."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title)
    return figure


def show_numbers(axes, numbers, colours, title):
    """Draw a table of numbers in coloured cells."""
    for (row, column), number in np.ndenumerate(numbers):
        axes.add_patch(
            Rectangle((column, row), 1, 1, facecolor=colours(row, column), edgecolor=GREY)
        )
        axes.text(column + 0.5, row + 0.5, number, ha="center", va="center")
    axes.set(xlim=(0, numbers.shape[1]), ylim=(numbers.shape[0], 0), aspect="equal", title=title)
    axes.axis("off")


def padding():
    """Draw which pixels a pixel reads."""
    figure = new_figure("Padded at the top left, a pixel reads itself and pixels before it")
    x = np.arange(1, 13).reshape(3, 4)
    padded = np.pad(x, ((1, 0), (1, 0)))
    read = {(1, 2), (1, 3), (2, 2), (2, 3)}

    def colours(row, column):
        if (row, column) == (2, 3):
            return RED_FILL
        if (row, column) in read:
            return BLUE_FILL
        return "#ffffff" if row and column else "#eeeeee"

    image, kernel = figure.subplots(1, 2, width_ratios=(5, 2))
    show_numbers(image, padded, colours, "image, with zeros above and on the left")
    taps = np.array([["K₁₁", "K₁₂"], ["K₂₁", "K₂₂"]])
    show_numbers(kernel, taps, lambda *tap: RED_FILL if tap == (1, 1) else BLUE_FILL, "kernel")
    return figure


def matrix():
    """Draw the matrix of a convolution with its entries."""
    figure = new_figure("A convolution is a matrix: nothing above the diagonal, K₂₂ on all of it")
    kernel = np.array([[[[1, 2], [3, 4]]]])
    m = cr.convolution_matrix(kernel, (2, 3))
    names = np.array(["", "K₁₁", "K₁₂", "K₂₁", "K₂₂"])
    fills = ["#ffffff", "#e4dcf3", "#cbb9ea", "#f7edd5", RED_FILL]
    axes = figure.subplots()
    show_numbers(axes, names[m], lambda row, column: fills[m[row, column]], "")
    for row in range(6):
        axes.text(-0.15, row + 0.5, f"pixel ({row // 3}, {row % 3})", ha="right", va="center")
    return figure


def corner():
    """Draw the rank of the matrix when a tap is 0."""
    figure = new_figure("Rank of M (16 rows) when one tap is 0: only the corner decides")
    kernel = np.array([[1, -2, 1], [2, 1, -1], [1, 3, 2]])
    ranks = np.zeros((3, 3), int)
    for tap in np.ndindex(3, 3):
        changed = kernel.copy()
        changed[tap] = 0
        ranks[tap] = np.linalg.matrix_rank(cr.convolution_matrix(changed[None, None], (4, 4)))
    left, right = figure.subplots(1, 2)
    for axes, numbers, title in ((left, kernel, "kernel"), (right, ranks, "rank without this tap")):
        show_numbers(axes, numbers, lambda *tap: RED_FILL if tap == (2, 2) else "#ffffff", title)
    return figure


def a_digit():
    """Return a digit of 8 x 8 pixels."""
    return cr.data.image_set("digits").test[:1] / 16.0


def show_digit(axes, pixels, title):
    """Draw a digit with its frame."""
    axes.imshow(pixels, cmap="gray_r", vmin=0, vmax=1)
    axes.set(title=title, xticks=[], yticks=[])
    axes.spines[:].set_visible(True)


def substitution():
    """Draw a digit that is solved pixel by pixel."""
    figure = new_figure("The inverse: one pixel after the other", height=3.6)
    kernel, digit = np.array(CALM), a_digit()
    y = cr.conv(digit, kernel)
    x = cr.conv_inverse(y, kernel)[0, 0]
    panels = figure.subplots(1, 5)
    for axes, count in zip(panels, (0, 20, 36, 52, 64), strict=True):
        solved = np.where(np.arange(64).reshape(8, 8) < count, x, np.nan)
        show_digit(axes, solved, f"{count} solved")
    return figure


def area():
    """Draw a unit square of images of two pixels and what the convolution makes of it."""
    figure = new_figure("Images of two pixels, kernel [0.8, 2]: the area grows by |det M| = 2² = 4")
    kernel = np.array([[[[0.8, 2.0]]]])
    points = np.random.default_rng(0).uniform(size=(300, 2))
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]], float)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, name in zip(panels, ("x", "y = conv(x)"), strict=True):
        axes.plot(*points.T, ".", color=BLUE, markersize=4)
        axes.plot(*square.T, color=INK)
        axes.set(title=name, xlabel="pixel 0", ylabel="pixel 1", aspect="equal")
        points, square = (
            cr.conv(each.reshape(-1, 1, 1, 2), kernel).reshape(-1, 2) for each in (points, square)
        )
    return figure


def usable():
    """Draw a digit that went through two kernels and back, and the responses of the inverses."""
    figure = new_figure("Both have K₂₂ = 1 and log det 0. Only one is usable", height=5.6)
    digit = a_digit().astype(np.float32).repeat(4, axis=2).repeat(4, axis=3)
    pixel = np.zeros((1, 1, 32, 32))
    pixel[0, 0, 0, 0] = 1
    grid = figure.subplot_mosaic([["calm", "wild", "response"]], width_ratios=(2, 2, 3))
    with np.errstate(all="ignore"):
        for name, taps, colour in (("calm", CALM, BLUE), ("wild", WILD, RED)):
            kernel = np.array(taps, np.float32)
            back = inverse_in_silence(cr.conv(digit, kernel), kernel)
            show_digit(grid[name], back[0, 0], f"{name}, float32\n{taps[0][0]}")
            response = inverse_in_silence(pixel, kernel.astype(float))[0, 0]
            grid["response"].semilogy(np.abs(np.diag(response)), color=colour, label=name)
    grid["response"].set(
        title="the inverse's answer\nto one pixel", xlabel="pixel (i, i)", ylabel="magnitude"
    )
    grid["response"].legend(frameon=False)
    return figure


def inverse_in_silence(y, kernel):
    """Undo the convolution without the warning that few digits are left."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cr.errors.IllConditionedWarning)
        return cr.conv_inverse(y, kernel)


def coupling():
    """Draw the two halves of a coupling, and what the network reads."""
    figure = new_figure("A coupling: the network is never inverted", height=4.4)
    axes = figure.subplots()
    boxes = {
        "x₁": (0, 2), "x₂": (0, 0), "network": (4, 1), "(x₁ + t) · s": (7, 2), "x₂ ": (7, 0),
    }  # fmt: skip
    for name, (left, bottom) in boxes.items():
        width = 1.4 if name[0] == "x" else 2.2
        fill = "#fff3d6" if name == "network" else "#ffffff"
        axes.add_patch(Rectangle((left, bottom), width, 0.7, facecolor=fill, edgecolor=INK))
        axes.text(left + width / 2, bottom + 0.35, name.strip(), ha="center", va="center")
    arrows = [
        ((1.4, 2.35), (7, 2.35)), ((1.4, 0.35), (7, 0.35)), ((1.4, 0.5), (4, 1.35)),
        ((6.2, 1.35), (7.2, 2.0)),
    ]  # fmt: skip
    for start, end in arrows:
        axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=18, color=INK))
    axes.text(6.4, 1.2, "t, s", ha="left", va="center", color=RED)
    axes.set(xlim=(-0.2, 9.5), ylim=(-0.2, 3), aspect="equal")
    axes.axis("off")
    return figure


def bits():
    """Draw a density, the interval of a grey level, and the probability of the level."""
    figure = new_figure("A level costs -log₂ of its share: density × width 1/bins")
    axes = figure.subplots()
    bins, x = 8, np.linspace(-0.5, 0.5, 400)
    density = np.exp(-0.5 * ((x + 0.1) / 0.16) ** 2)
    density /= np.trapezoid(density, x)
    axes.plot(x, density, color=INK)
    edges = np.linspace(-0.5, 0.5, bins + 1)
    for level, (left, right) in enumerate(pairwise(edges)):
        inside = (x >= left) & (x <= right)
        share = np.trapezoid(density[inside], x[inside])
        axes.fill_between(
            x[inside], density[inside], color=BLUE_FILL if level % 2 else "#e3eef8", linewidth=0
        )
        axes.text((left + right) / 2, -0.35, f"{-np.log2(share):.1f}", ha="center", color=BLUE)
    axes.text(0.5, -0.35, " bits", color=BLUE)
    axes.set(
        xlabel="x, dequantized level", ylabel="density p(x)", ylim=(-0.5, 2.8), xlim=(-0.5, 0.5)
    )
    axes.set_xticks(edges)
    axes.set_yticks([0, 1, 2])
    return figure


FIGURES = (padding, matrix, corner, substitution, area, usable, coupling, bits)


def main(folder):
    """Write every figure to a folder, as NAME.svg."""
    folder = Path(folder)
    with matplotlib.rc_context(SETTINGS):
        for draw in FIGURES:
            draw().savefig(folder / f"{draw.__name__}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main(*sys.argv[1:] or [Path(__file__).parent])
