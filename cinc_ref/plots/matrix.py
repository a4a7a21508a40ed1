"""The matrix of a convolution."""

from collections.abc import Sequence
from colorsys import hsv_to_rgb

import numpy as np

from cinc_ref import _validate
from cinc_ref._arrays import plain_array
from cinc_ref._extras import extra
from cinc_ref._figure import Figure
from cinc_ref._typing import Corner, RealArrayLike, Size
from cinc_ref.geometry import check_geometry
from cinc_ref.plots.style import ANCHOR, GRID, INK, LARGE, counted, fitting_size, new_figure
from cinc_ref.theory.matrix import convolution_matrix

with extra("plots"):
    from matplotlib.colors import ListedColormap, to_rgb
    from matplotlib.patches import Rectangle

__all__ = ["matrix_figure"]


def matrix_figure(
    kernel: RealArrayLike,
    size: Size,
    *,
    corner: Corner = "top-left",
    dilation: int = 1,
    anchor: Sequence[int] | None = None,
) -> Figure:
    """Draw the matrix of a convolution, every entry in the colour of its tap.

    The kernel, which is the legend, and the order of the pixels are drawn on the right. Zeros are
    blank.

    Parameters
    ----------
    kernel : array_like, shape (C, C, kh, kw)
        Output channel first, with one colour for each of the kh*kw taps.
    size : (int, int)
        Height and width of the image.
    corner : {"top-left", "top-right", "bottom-left", "bottom-right"}
        The padded image corner.
    dilation : int
        Distance between neighbouring taps, in pixels.
    anchor : (int, int), optional
        Row and column of the tap that reads the pixel itself; the bottom-right one unless given.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError, DtypeError, NonFiniteError, OptionError
        If an argument is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> figure = matrix_figure(np.arange(1.0, 10).reshape(1, 1, 3, 3), (4, 5))
    >>> figure.axes[0].get_xlabel()
    'input pixel, pixel-major order: i·W + j'
    """
    kernel = plain_array(kernel, "kernel")
    options = {"corner": corner, "dilation": dilation, "anchor": anchor}
    convolution_matrix(kernel, size, **options)  # validates all arguments
    size = _validate.check_size(size)
    taps = _number_taps(kernel)
    numbers = convolution_matrix(taps, size, **options)
    colours = _tap_colours(*kernel.shape[2:], check_geometry(kernel, **options).anchor)

    figure = new_figure(10.5, 7)
    grid = figure.add_gridspec(2, 2, width_ratios=[2.35, 1])
    matrix = figure.add_subplot(grid[:, 0])
    _draw_matrix(matrix, numbers, size, colours)
    matrix.set_title(
        f"Matrix of a convolution of {size[0]}x{size[1]} pixels, "
        f"{counted(len(kernel), 'channel')}, corner {corner}",
        fontsize=LARGE,
        color=INK,
    )
    _draw_kernel(figure.add_subplot(grid[0, 1]), kernel, taps.max(axis=(0, 1)), colours)
    _draw_pixel_order(figure.add_subplot(grid[1, 1]), size)
    return figure


def _number_taps(kernel):
    """Replace the entries of tap (a, b) of a kernel by the tap's number 1, 2, ...; zeros stay.

    An entry of a convolution matrix comes from one tap, which the matrix of this kernel identifies.
    """
    height, width = kernel.shape[2:]
    return np.where(kernel != 0, np.arange(1, height * width + 1).reshape(height, width), 0)


def _tap_colours(height, width, anchor):
    """Choose a colour for each tap: a hue for each row, darker to the right; red for the anchor."""
    # Violet to green-blue, then yellow, avoid the pairs of hues that some people cannot tell apart.
    hues = [*np.linspace(0.78, 0.5, height - 1), 0.12]
    colours = [
        hsv_to_rgb(hue, *shade)
        for hue in hues
        for shade in zip(np.linspace(0.3, 0.85, width), np.linspace(0.95, 0.72, width), strict=True)
    ]
    row, column = anchor
    colours[row * width + column] = ANCHOR
    return ["white", *colours]


def _draw_cells(axes, numbers, colours):
    """Draw a table of tap numbers as coloured cells with thin lines between them."""
    rows, columns = numbers.shape
    axes.pcolormesh(
        np.arange(columns + 1),
        np.arange(rows + 1),
        numbers,
        cmap=ListedColormap(colours),
        vmin=-0.5,
        vmax=len(colours) - 0.5,
        edgecolors=GRID,
        linewidth=0.4,
    )
    axes.set_aspect("equal")
    axes.invert_yaxis()
    for spine in axes.spines.values():
        spine.set_color(INK)


def _draw_matrix(axes, numbers, size, colours):
    height, width = size
    channels = len(numbers) // (height * width)
    _draw_cells(axes, numbers, colours)
    row_starts = np.arange(height) * width * channels
    for start in row_starts[1:]:
        axes.axhline(start, color=INK, linewidth=0.8)
        axes.axvline(start, color=INK, linewidth=0.8)
    names = [f"row {i}" for i in range(height)]
    middles = row_starts + width * channels / 2
    axes.set_xticks(middles, names)
    axes.set_yticks(middles, names, rotation=90, va="center")
    fontsize = fitting_size(6.0 / height, max(map(len, names)) + 1)
    axes.tick_params(length=0, labelcolor=INK, labelsize=fontsize, labeltop=True, labelbottom=False)
    order = "i·W + j" if channels == 1 else "(i·W + j)·C + c"
    axes.xaxis.set_label_position("top")
    axes.set_xlabel(f"input pixel, pixel-major order: {order}", fontsize=LARGE, color=INK)
    axes.set_ylabel(f"output pixel, pixel-major order: {order}", fontsize=LARGE, color=INK)


def _draw_kernel(axes, kernel, taps, colours):
    """Draw the legend: the kernel as cells in the colours of its taps."""
    _draw_cells(axes, taps, colours)
    fontsize = fitting_size(2.6 / max(taps.shape), 6)  # -0.123
    for (a, b), number in np.ndenumerate(taps):
        name = f"$K_{{{a + 1}{b + 1}}}$"
        value = f"\n{kernel[0, 0, a, b]:.3g}" if len(kernel) == 1 else ""
        colour = "white" if _is_dark(colours[number]) else INK
        style = {"ha": "center", "va": "center", "color": colour, "fontsize": fontsize}
        axes.text(b + 0.5, a + 0.5, name + value, **style)
        if colours[number] == ANCHOR:
            frame = Rectangle((b, a), 1, 1, fill=False, edgecolor=INK, linewidth=3, zorder=3)
            axes.add_patch(frame)
    axes.set_xticks([])
    axes.set_yticks([])
    blocks = "" if len(kernel) == 1 else f" of {len(kernel)}x{len(kernel)} blocks"
    axes.set_title(
        f"kernel{blocks}: one colour per tap,\nthe framed one reads the pixel itself",
        fontsize=11,
        color=INK,
    )


def _is_dark(colour):
    return np.dot(to_rgb(colour), (0.299, 0.587, 0.114)) < 0.6  # luma, ITU-R BT.601


def _draw_pixel_order(axes, size):
    """Draw the image with the number of every pixel: pixel-major, row by row."""
    height, width = size
    _draw_cells(axes, np.zeros((height, width), dtype=int), ["white"])
    cell = 2.6 / max(height, width)  # inches
    style = {"ha": "center", "va": "center", "color": INK}
    style["fontsize"] = fitting_size(cell, len(str(height * width - 1)) + 1)
    for index in range(height * width):
        i, j = divmod(index, width)
        axes.text(j + 0.5, i + 0.5, str(index), **style)
    axes.set_xticks(np.arange(width) + 0.5, [f"j={j}" for j in range(width)])
    axes.set_yticks(np.arange(height) + 0.5, [f"i={i}" for i in range(height)])
    axes.tick_params(length=0, labelsize=min(8, fitting_size(cell, 5)), labelcolor=INK)
    axes.set_title("image: number of every pixel\nin row i and column j", fontsize=11, color=INK)
