"""Images in rows, and in tables with headings."""

import math
import textwrap
from collections.abc import Sequence
from typing import Literal

import numpy as np

from cinc_ref import _validate
from cinc_ref._extras import extra
from cinc_ref._figure import Figure
from cinc_ref._images import HANDWRITING
from cinc_ref._typing import RealArrayLike
from cinc_ref.errors import OptionError, ShapeError
from cinc_ref.plots.arguments import check_numbers, check_strings
from cinc_ref.plots.style import (
    CHARACTER,
    GRID,
    INK,
    LARGE,
    SMALL,
    counted,
    draw_frame,
    fitting_size,
    new_figure,
)

with extra("plots"):
    from matplotlib import colormaps
    from matplotlib.colors import to_rgba

__all__ = ["colormap_of", "image_grid", "image_table"]

DIGITS_BINS = 17
"""Number of levels of the set digits, which no other image set has."""


def colormap_of(data: str | None, bins: int) -> Literal["gray", "gray_r"]:
    """Return the colormap in which pictures show the images of one channel of an image set.

    This is the one place that decides it: the high levels of handwriting are ink, which is drawn
    dark on light paper; the high levels of all other images are light.

    Parameters
    ----------
    data : str or None
        Name of the image set; None if it is not known. Then a model of 17 levels is one of digits.
    bins : int
        Number of levels of the images, at least 2.

    Returns
    -------
    {"gray", "gray_r"}
        "gray_r" draws high values dark.

    Raises
    ------
    OptionError
        If `data` is no string or `bins` no integer >= 2.

    Examples
    --------
    >>> colormap_of("mnist", 256), colormap_of("folder", 256), colormap_of(None, 17)
    ('gray_r', 'gray', 'gray_r')
    """
    _validate.instance("data", data, str | None, "the name of an image set, or None")
    bins = _validate.integer("bins", bins, minimum=2)
    if data is None:
        return "gray_r" if bins == DIGITS_BINS else "gray"
    return "gray_r" if data in HANDWRITING else "gray"


def image_grid(
    images: RealArrayLike,
    *,
    columns: int | None = None,
    value_range: tuple[float, float] | None = None,
    title: str | None = None,
    cmap: str = "gray",
) -> Figure:
    """Draw images side by side, in rows, with light lines between them.

    Parameters
    ----------
    images : array_like, shape (N, C, H, W)
        C = 1 is drawn in grey, and a line below the images tells which value is white and which
        is black; C = 3 is drawn as red, green and blue.
    columns : int, optional
        Images in a row; by default about as many as there are rows.
    value_range : (float, float), optional
        Values that are drawn black and white; by default the smallest and the largest one.
    title : str, optional
        Text above the images; by default their number and size.
    cmap : str
        Name of a colormap of matplotlib for C = 1; "gray_r" draws high values as ink on paper,
        and `colormap_of` chooses one for an image set.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DtypeError
        If an array holds no real numbers.
    ShapeError
        If the images are not of shape (N, 1, H, W) or (N, 3, H, W) with N >= 1.
    OptionError
        If an option is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> figure = image_grid(np.random.default_rng(0).uniform(size=(6, 3, 8, 8)), columns=3)
    >>> figure.axes[0].images[0].get_array().shape  # two rows of three, and lines between them
    (17, 26, 4)
    >>> figure.axes[0].get_title()
    '6 images of 8x8 pixels'
    """
    images = check_numbers(images)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape:
        raise ShapeError(
            f"images must have shape (N, 1, H, W) or (N, 3, H, W) with N >= 1; got {images.shape}"
        )
    if columns is None:
        columns = math.ceil(math.sqrt(len(images)))
    columns = _validate.integer("columns", columns, minimum=1)
    figure, title = _image_figure(images, columns, value_range, title, cmap)
    figure.axes[0].set_title(title, fontsize=LARGE, color=INK)
    return figure


def image_table(
    images: RealArrayLike,
    headings: Sequence[str],
    *,
    heading_label: str = "",
    value_range: tuple[float, float] | None = None,
    title: str | None = None,
    cmap: str = "gray",
) -> Figure:
    """Draw images in rows and columns, each column with a heading.

    Parameters
    ----------
    images : array_like, shape (rows, columns, C, H, W)
        C = 1 is drawn in grey, C = 3 as red, green and blue, as by `image_grid`.
    headings : sequence of str
        The heading of each column.
    heading_label : str
        The quantity that the headings give, for instance "temperature".
    value_range : (float, float), optional
        Values that are drawn black and white; by default the smallest and the largest one.
    title : str, optional
        Text above the headings; by default the number and size of the images.
    cmap : str
        Name of a colormap of matplotlib for C = 1.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DtypeError
        If an array holds no real numbers.
    ShapeError
        If the images have another shape, or there is not one heading a column.
    OptionError
        If an option is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).uniform(size=(2, 3, 1, 8, 8))
    >>> figure = image_table(images, ["0", "0.5", "1"], heading_label="temperature")
    >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
    ['0', '0.5', '1']
    >>> figure.axes[0].get_xlabel()
    'temperature'
    """
    images, headings = check_numbers(images), check_strings("headings", headings)
    if images.ndim != 5 or images.shape[1] != len(headings):
        raise ShapeError(
            f"images must have shape (rows, {len(headings)}, C, H, W), one heading a column; "
            f"got {images.shape}"
        )
    _validate.instance("heading_label", heading_label, str, "a string")
    flat = images.reshape(-1, *images.shape[2:])
    if flat.shape[1] not in (1, 3) or 0 in flat.shape:
        raise ShapeError(
            f"images must have shape (rows, columns, C, H, W) with C = 1 or 3; got {images.shape}"
        )
    columns = len(headings)
    figure, title = _image_figure(flat, columns, value_range, title, cmap)
    figure.suptitle(title, fontsize=LARGE, color=INK)
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + (0.4 if heading_label else 0.2))
    axes = figure.axes[0]
    pitch = images.shape[4] + _gap(images.shape[4])
    axes.set_xticks(np.arange(columns) * pitch + (images.shape[4] - 1) / 2, headings)
    fontsize = fitting_size(width / columns, max(map(len, headings)) + 1)
    axes.tick_params(length=0, labeltop=True, labelbottom=False, labelcolor=INK, labelsize=fontsize)
    axes.xaxis.set_label_position("top")
    axes.set_xlabel(heading_label, fontsize=SMALL, color=INK)
    return figure


def _image_figure(images, columns, value_range, title, cmap):
    """Draw images (N, C, H, W) in rows, with a line that explains the colours.

    Returns
    -------
    Figure
    str
        The title, in lines that fit above the images; its place is left free.
    """
    count, channels, height, width = images.shape
    if title is None:
        title = f"{counted(count, 'image')} of {height}x{width} pixels"
    _validate.instance("title", title, str, "a string")
    cmap = _check_colormap(cmap)
    low, high = _check_range(value_range, images)
    scaled = np.clip((images - low) / (high - low or 1), 0, 1)
    mosaic = _mosaic(colormaps[cmap](scaled[:, 0]) if channels == 1 else _rgba(scaled), columns)
    rows_of_pixels, columns_of_pixels = mosaic.shape[:2]
    longest = max(rows_of_pixels, columns_of_pixels)
    scale = min(max(0.7 / width, 3 / longest), 40 / longest)  # inches per pixel
    breadth = max(columns_of_pixels * scale + 0.2, 4)
    characters = int(72 * breadth / (CHARACTER * LARGE))
    title = "\n".join(textwrap.fill(line, characters) for line in title.splitlines())
    texts = 0.4 + 0.2 * title.count("\n") + (0.25 if channels == 1 else 0)  # inches
    figure = new_figure(breadth, rows_of_pixels * scale + 0.1 + texts)
    axes = figure.add_subplot()
    axes.imshow(mosaic, interpolation="nearest")
    draw_frame(axes)
    axes.spines[:].set_visible(False)
    if channels == 1:
        figure.supxlabel(_explained(cmap, low, high), fontsize=SMALL, color=INK)
    return figure, title


def _explained(cmap, low, high):
    """Return the values that the ends of a colormap stand for, in words."""
    ends = {"gray": ("black", "white"), "gray_r": ("white", "black")}
    first, last = ends.get(cmap, (f"the first colour of {cmap}", "the last"))
    return f"{low:g} is {first}, {high:g} is {last}"


def _check_range(value_range, images):
    """Return the (low, high) of the grey scale, by default those of the images."""
    if value_range is None:
        return float(images.min()), float(images.max())
    if not isinstance(value_range, tuple | list | np.ndarray) or len(value_range) != 2:
        raise OptionError(
            f"value_range must be (low, high), two numbers; got {_validate.shown(value_range)}"
        )
    return tuple(_validate.number("value_range", value) for value in value_range)


def _check_colormap(name):
    if not isinstance(name, str) or name not in colormaps:
        raise OptionError(
            f"cmap must name a colormap of matplotlib, for instance gray; "
            f"got {_validate.shown(name)}"
        )
    return name


def _rgba(images):
    """Convert red, green and blue (N, 3, H, W), from 0 to 1, to opaque colours (N, H, W, 4)."""
    return np.pad(np.moveaxis(images, 1, -1), [(0, 0)] * 3 + [(0, 1)], constant_values=1)


def _mosaic(images, columns):
    """Arrange images (N, H, W, 4) in rows, on a background that shows as lines between them."""
    count, height, width, _ = images.shape
    gap = _gap(width)
    rows = math.ceil(count / columns)
    mosaic = np.tile(to_rgba(GRID), (rows * (height + gap) - gap, columns * (width + gap) - gap, 1))
    for index, image in enumerate(images):
        i, j = divmod(index, columns)
        top, left = i * (height + gap), j * (width + gap)
        mosaic[top : top + height, left : left + width] = image
    return mosaic


def _gap(width):
    """Return the width of the lines between images, in pixels."""
    return max(1, width // 10)
