"""Pictures of images, of an exact inverse and of convolution matrices.

Every function returns a `matplotlib.figure.Figure` that belongs to no window and to no global
state: save it with ``figure.savefig("name.png")``, or let a notebook display it.
"""

import math
from collections.abc import Sequence
from colorsys import hsv_to_rgb

import numpy as np
from numpy.typing import ArrayLike

from cinc_ref import _validate
from cinc_ref._extras import extra
from cinc_ref._figure import Figure
from cinc_ref.errors import OptionError, ShapeError
from cinc_ref.geometry import check_geometry
from cinc_ref.theory.matrix import convolution_matrix

with extra("plots"):
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, to_rgb, to_rgba
    from matplotlib.ticker import MaxNLocator

DPI = 160
"""Resolution of saved figures, in pixels per inch."""

INK = "#222222"
GRID = "#d9d9d9"
ANCHOR = "#c8102e"
TRAIN = "#7a9cc6"
VALIDATION = "#b5451b"


def image_grid(
    images: ArrayLike,
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
        C = 1 is drawn in grey, C = 3 as red, green and blue.
    columns : int, optional
        Images in a row; by default about as many as there are rows.
    value_range : (float, float), optional
        Values that are drawn black and white; by default the smallest and the largest one.
    title : str, optional
        Text above the images.
    cmap : str
        Name of a colormap of matplotlib for C = 1; "gray_r" draws high values as ink on paper.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
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
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape:
        raise ShapeError(
            f"images must have shape (N, 1, H, W) or (N, 3, H, W) with N >= 1; got {images.shape}"
        )
    if columns is None:
        columns = math.ceil(math.sqrt(len(images)))
    columns = _validate.integer("columns", columns, minimum=1)
    _validate.instance("title", title, str | None, "a string")
    cmap = _check_colormap(cmap)
    low, high = _check_range(value_range, images)
    scaled = np.clip((images - low) / (high - low or 1), 0, 1)
    mosaic = _mosaic(
        colormaps[cmap](scaled[:, 0]) if images.shape[1] == 1 else _rgba(scaled), columns
    )
    height, width = mosaic.shape[:2]
    scale = min(0.7 / images.shape[3], 40 / max(height, width))  # inches per pixel
    header = 0.4 if title else 0
    size = (width * scale + 0.2, height * scale + 0.2 + header)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(mosaic, interpolation="nearest")
    axes.set_axis_off()
    if title:
        axes.set_title(title, fontsize=12, color=INK)
    return figure


def image_table(
    images: ArrayLike,
    headings: Sequence[str],
    *,
    value_range: tuple[float, float] | None = None,
    cmap: str = "gray",
) -> Figure:
    """Draw images in rows and columns, each column with a heading.

    Parameters
    ----------
    images : array_like, shape (rows, columns, C, H, W)
        C = 1 is drawn in grey, C = 3 as red, green and blue.
    headings : sequence of str
        The heading of each column.
    value_range : (float, float), optional
        Values that are drawn black and white; by default the smallest and the largest one.
    cmap : str
        Name of a colormap of matplotlib for C = 1.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        If the images have another shape, or there is not one heading a column.
    OptionError
        If an option is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).uniform(size=(2, 3, 1, 8, 8))
    >>> figure = image_table(images, ["0", "0.5", "1"])
    >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
    ['0', '0.5', '1']
    """
    images, headings = np.asarray(images), _check_strings("headings", headings)
    if images.ndim != 5 or images.shape[1] != len(headings):
        raise ShapeError(
            f"images must have shape (rows, {len(headings)}, C, H, W), one heading a column; "
            f"got {images.shape}"
        )
    columns = len(headings)
    figure = image_grid(
        images.reshape(-1, *images.shape[2:]), columns=columns, value_range=value_range, cmap=cmap
    )
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + 0.35)
    axes = figure.axes[0]
    axes.set_axis_on()
    axes.set_yticks([])
    pitch = images.shape[4] + max(1, images.shape[4] // 10)
    axes.set_xticks(np.arange(columns) * pitch + (images.shape[4] - 1) / 2, headings)
    axes.tick_params(top=False, bottom=False, labeltop=True, labelbottom=False, labelcolor=INK)
    axes.spines[:].set_visible(False)
    return figure


def inverse_figure(
    images: ArrayLike,
    convolved: ArrayLike,
    inverted: ArrayLike,
    *,
    names: Sequence[str] = ("image", "convolution", "exact inverse"),
) -> Figure:
    """Draw a row for each image: the image, its convolution, the inverse of that, and the error.

    Image and inverse share one grey scale. The convolution has its own, on which zero is white,
    and so has the error, from zero to its largest value.

    Parameters
    ----------
    images, convolved, inverted : array_like, shape (N, 1, H, W)
        x, y = conv(x) and conv_inverse(y), or the same of another invertible map.
    names : sequence of three str
        Titles of the columns.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        If the three shapes differ, there is no image, or there is more than one channel.
    OptionError
        If there are not three names.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).uniform(size=(2, 1, 8, 8))
    >>> figure = inverse_figure(images, 2 * images, images)
    >>> [axes.get_title() for axes in figure.axes[:4]]
    ['image', 'convolution', 'exact inverse', 'error, float64']
    """
    images, convolved, inverted = map(np.asarray, (images, convolved, inverted))
    shape = images.shape
    if not shape == convolved.shape == inverted.shape or shape[1:2] != (1,) or 0 in shape:
        raise ShapeError(
            "the three arrays must have one shape (N, 1, H, W) with N >= 1; "
            f"got {shape}, {convolved.shape} and {inverted.shape}"
        )
    names = _check_strings("names", names)
    if len(names) != 3:
        raise OptionError(f"names must be three strings; got {_validate.shown(names)}")
    errors = np.abs(inverted.astype(float) - images)
    largest_error = errors.max()
    grey = {"cmap": "gray_r", "vmin": images.min(), "vmax": images.max()}
    reach = np.abs(convolved).max()
    panels = {
        names[0]: (images, grey),
        names[1]: (convolved, {"cmap": "RdBu_r", "vmin": -reach, "vmax": reach}),
        names[2]: (inverted, grey),
        f"error, {inverted.dtype}": (
            errors,
            {"cmap": "Purples", "vmin": 0, "vmax": largest_error or 1},
        ),
    }
    rows = len(images)
    figure = Figure(figsize=(6.4, 1.5 * rows + 0.8), dpi=DPI, layout="constrained")
    grid = figure.subplots(rows, 4, squeeze=False)
    for (title, (arrays, style)), column in zip(panels.items(), grid.T, strict=True):
        column[0].set_title(title, fontsize=12, color=INK)
        for axes, image in zip(column, arrays, strict=True):
            _frame(axes)
            drawn = axes.imshow(image[0], **style)
        bar = figure.colorbar(drawn, ax=list(column), location="bottom", aspect=12, pad=0.02)
        bar.outline.set_visible(False)
        bar.locator = MaxNLocator(2)
        bar.ax.tick_params(labelsize=9, color=INK, labelcolor=INK)
    bar.set_ticks([0, largest_error], labels=["0", f"{largest_error:.2g}"])
    return figure


def loss_figure(history: Sequence[dict], *, against: str = "seconds") -> Figure:
    """Draw bits per dimension of the training and validation images while a flow was trained.

    The axis leaves out values far above the rest, which occur at the start of a training.

    Parameters
    ----------
    history : sequence of dict
        The rows of `cinc_ref.training.TrainingResult`, one for each evaluation.
    against : {"seconds", "step"}
        Quantity on the horizontal axis.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    OptionError
        If `against` is anything else.
    ShapeError
        If the history is empty.

    Examples
    --------
    >>> rows = [{"step": k, "seconds": k / 9, "train": 3.1, "validation": 3.2} for k in (0, 9)]
    >>> loss_figure(rows, against="step").axes[0].get_xlabel()
    'steps of training'
    """
    labels = {"seconds": "seconds of training", "step": "steps of training"}
    against = _validate.one_of("against", against, labels)
    if not history:
        raise ShapeError("history must hold at least one row; got none")
    x, train, validation = (
        np.array([row[name] for row in history]) for name in (against, "train", "validation")
    )
    best = validation.argmin()
    figure = Figure(figsize=(7, 4.2), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.plot(x, train, color=TRAIN, linewidth=2, label="training batches")
    axes.plot(x, validation, color=VALIDATION, linewidth=2, label="validation")
    axes.plot(x[best], validation[best], "o", color=VALIDATION, markersize=7)
    axes.annotate(
        f"best: {validation[best]:.3f}",
        (x[best], validation[best]),
        xytext=(0, 9),
        textcoords="offset points",
        ha="right" if 2 * best >= len(history) else "left",
        va="bottom",
        color=VALIDATION,
    )
    _limit_losses(axes, np.concatenate([train, validation]))
    axes.set_xlabel(labels[against], fontsize=12, color=INK)
    axes.set_ylabel("bits per dimension", fontsize=12, color=INK)
    axes.grid(color=GRID, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(color=GRID, labelcolor=INK)
    axes.legend(frameon=False, labelcolor=INK)
    return figure


def matrix_figure(
    kernel: ArrayLike,
    size: tuple[int, int],
    *,
    corner: str = "top-left",
    dilation: int = 1,
    anchor: tuple[int, int] | None = None,
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
    kernel = np.asarray(kernel)
    options = {"corner": corner, "dilation": dilation, "anchor": anchor}
    convolution_matrix(kernel, size, **options)  # validates all arguments
    size = _validate.check_size(size)
    taps = _number_taps(kernel)
    numbers = convolution_matrix(taps, size, **options)
    colours = _tap_colours(*kernel.shape[2:], check_geometry(kernel, **options).anchor)

    figure = Figure(figsize=(10.5, 7), dpi=DPI, layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=[2.35, 1])
    _draw_matrix(figure.add_subplot(grid[:, 0]), numbers, size, colours)
    _draw_kernel(figure.add_subplot(grid[0, 1]), kernel, taps.max(axis=(0, 1)), colours)
    _draw_pixel_order(figure.add_subplot(grid[1, 1]), size)
    return figure


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


def _check_strings(name, values):
    """Return a sequence of strings as a list."""
    strings = list(values) if np.iterable(values) else None
    if strings is None or not all(isinstance(string, str) for string in strings):
        raise OptionError(f"{name} must be a sequence of strings; got {_validate.shown(values)}")
    return strings


def _rgba(images):
    """Convert red, green and blue (N, 3, H, W), from 0 to 1, to opaque colours (N, H, W, 4)."""
    return np.pad(np.moveaxis(images, 1, -1), [(0, 0)] * 3 + [(0, 1)], constant_values=1)


def _mosaic(images, columns):
    """Arrange images (N, H, W, 4) in rows, on a background that shows as lines between them."""
    count, height, width, _ = images.shape
    gap = max(1, width // 10)
    rows = math.ceil(count / columns)
    mosaic = np.tile(to_rgba(GRID), (rows * (height + gap) - gap, columns * (width + gap) - gap, 1))
    for index, image in enumerate(images):
        i, j = divmod(index, columns)
        top, left = i * (height + gap), j * (width + gap)
        mosaic[top : top + height, left : left + width] = image
    return mosaic


def _frame(axes):
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(GRID)


def _limit_losses(axes, losses):
    """Limit the axis to the smallest loss and three times the median distance above it."""
    smallest = losses.min()
    reach = min(np.ptp(losses), 3 * (np.median(losses) - smallest)) or 1.0
    axes.set_ylim(smallest - 0.12 * reach, smallest + 1.05 * reach)


def _number_taps(kernel):
    """Replace the entries of tap (a, b) of a kernel by the tap's number 1, 2, ...; zeros stay.

    An entry of a convolution matrix comes from one tap, which the matrix of this kernel identifies.
    """
    height, width = kernel.shape[2:]
    return np.where(kernel != 0, np.arange(1, height * width + 1).reshape(height, width), 0)


def _tap_colours(height, width, anchor):
    """Choose a colour for each tap: a hue for each row, darker to the right; red for the anchor."""
    hues = np.linspace(0.58, 0.12, height)
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
    axes.tick_params(length=0, labelcolor=INK, labeltop=True, labelbottom=False)
    order = "i·W + j" if channels == 1 else "(i·W + j)·C + c"
    axes.xaxis.set_label_position("top")
    axes.set_xlabel(f"input pixel, pixel-major order: {order}", fontsize=12, color=INK)
    axes.set_ylabel(f"output pixel, pixel-major order: {order}", fontsize=12, color=INK)


def _draw_kernel(axes, kernel, taps, colours):
    """Draw the legend: the kernel as cells in the colours of its taps."""
    _draw_cells(axes, taps, colours)
    for (a, b), number in np.ndenumerate(taps):
        name = f"$K_{{{a + 1}{b + 1}}}$"
        value = f"\n{kernel[0, 0, a, b]:.3g}" if len(kernel) == 1 else ""
        colour = "white" if _is_dark(colours[number]) else INK
        axes.text(b + 0.5, a + 0.5, name + value, ha="center", va="center", color=colour)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(
        "kernel: one colour per tap,\nred reads the pixel itself", fontsize=12, color=INK
    )


def _is_dark(colour):
    return np.dot(to_rgb(colour), (0.299, 0.587, 0.114)) < 0.6  # luma, ITU-R BT.601


def _draw_pixel_order(axes, size):
    """Draw the image with the number of every pixel: pixel-major, row by row."""
    height, width = size
    _draw_cells(axes, np.zeros((height, width), dtype=int), ["white"])
    for index in range(height * width):
        i, j = divmod(index, width)
        axes.text(j + 0.5, i + 0.5, str(index), ha="center", va="center", color=INK)
    axes.set_xticks(np.arange(width) + 0.5, [f"j={j}" for j in range(width)])
    axes.set_yticks(np.arange(height) + 0.5, [f"i={i}" for i in range(height)])
    axes.tick_params(length=0, labelsize=8, labelcolor=INK)
    axes.set_title("image: order of the pixels", fontsize=12, color=INK)
