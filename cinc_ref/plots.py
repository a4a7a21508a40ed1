"""Pictures of images and samples, of an exact inverse and of convolution matrices.

Every function returns a `matplotlib.figure.Figure` that belongs to no window and to no global
state: save it with ``figure.savefig("name.png")``, or let a notebook display it.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from colorsys import hsv_to_rgb
from typing import Literal

import numpy as np

from cinc_ref import _validate
from cinc_ref._arrays import plain_array
from cinc_ref._extras import extra
from cinc_ref._figure import Figure
from cinc_ref._images import HANDWRITING
from cinc_ref._typing import Corner, RealArrayLike, Size
from cinc_ref.errors import DtypeError, OptionError, ShapeError
from cinc_ref.flows import Flow
from cinc_ref.geometry import check_geometry
from cinc_ref.theory.matrix import convolution_matrix

with extra("plots"):
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, to_rgb, to_rgba
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.patches import Rectangle
    from matplotlib.ticker import MaxNLocator

__all__ = [
    "ANCHOR",
    "DPI",
    "GRID",
    "INK",
    "LARGE",
    "SMALL",
    "colormap_of",
    "image_grid",
    "image_table",
    "interpolation_figure",
    "inverse_figure",
    "loss_figure",
    "matrix_figure",
    "samples_figure",
    "temperature_figure",
]


def __dir__() -> list[str]:
    return __all__


DPI = 160
"""Resolution of saved figures, in pixels per inch."""

LARGE, SMALL = 12, 10
"""Sizes of titles and of labels, in points."""

CHARACTER = 0.6
"""Width of a character, as a part of the size of its letters; the mean of matplotlib's font."""

DIGITS_BINS = 17
"""Number of levels of the set digits, which no other image set has."""

INK = "#222222"
GRID = "#d9d9d9"
ANCHOR = "#c8102e"
TRAIN = "#7a9cc6"
VALIDATION = "#b5451b"


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
    images = _numbers(images)
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
    images, headings = _numbers(images), _check_strings("headings", headings)
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
    fontsize = _fitting(width / columns, max(map(len, headings)) + 1)
    axes.tick_params(length=0, labeltop=True, labelbottom=False, labelcolor=INK, labelsize=fontsize)
    axes.xaxis.set_label_position("top")
    axes.set_xlabel(heading_label, fontsize=SMALL, color=INK)
    return figure


def samples_figure(
    images: RealArrayLike, flow: Flow, *, temperature: float, data: str | None = None
) -> Figure:
    """Draw samples of a flow in rows, with the temperature and the model in the title.

    Parameters
    ----------
    images : array_like of integers, shape (N, C, H, W)
        Levels 0 to ``flow.bins - 1``, as `cinc_ref.flows.quantize` returns them; C is 1 or 3.
    flow : Flow
        The model that drew them.
    temperature : float
        Standard deviation of the latents that were decoded, at least 0.
    data : str, optional
        Name of the image set on which the model was trained, which tells `colormap_of` whether
        high levels are ink.

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
    >>> from cinc_ref.flows import build
    >>> flow = build("cinc", "affine", (1, 8, 8), levels=2, depth=1, width=4, bins=17)
    >>> figure = samples_figure(np.zeros((4, 1, 8, 8), int), flow, temperature=0.8)
    >>> print(figure.axes[0].get_title())
    4 samples at temperature 0.8
    cinc, affine coupling, 2 levels of 1
    step, width 4
    """
    temperature = _validate.number("temperature", temperature, minimum=0)
    _check_flow(flow)
    images = _numbers(images)
    count = len(images) if images.ndim else 0
    return image_grid(
        images,
        value_range=(0, flow.bins - 1),
        title=f"{_counted(count, 'sample')} at temperature {temperature:g}\n{_model(flow)}",
        cmap=colormap_of(data, flow.bins),
    )


def interpolation_figure(images: RealArrayLike, flow: Flow, *, data: str | None = None) -> Figure:
    """Draw interpolations of a flow, a row for each pair of images, which stand at its ends.

    Parameters
    ----------
    images : array_like of integers, shape (steps, N, C, H, W)
        Levels of what `cinc_ref.flows.interpolate` returns, at least two steps.
    flow : Flow
        The model.
    data : str, optional
        Name of the image set, for `colormap_of`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DtypeError
        If an array holds no real numbers.
    ShapeError
        If the images have another shape.
    OptionError
        If an option is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.flows import build
    >>> flow = build("cinc", "affine", (1, 8, 8), levels=2, depth=1, width=4, bins=17)
    >>> figure = interpolation_figure(np.zeros((3, 5, 1, 8, 8), int), flow)
    >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
    ['first image', '0.5', 'second image']
    """
    images = _numbers(images)
    if images.ndim != 5 or len(images) < 2:
        raise ShapeError(
            f"images must have shape (steps, N, C, H, W) with steps >= 2; got {images.shape}"
        )
    shares = np.linspace(0, 1, len(images))[1:-1]
    return _levels_table(
        images,
        flow,
        ["first image", *(f"{share:.2g}" for share in shares), "second image"],
        heading_label="share of the second image's latents",
        title=f"Along straight lines through the latents\n{_model(_check_flow(flow))}",
        data=data,
    )


def temperature_figure(
    images: RealArrayLike, flow: Flow, temperatures: Sequence[float], *, data: str | None = None
) -> Figure:
    """Draw samples of a flow at several temperatures, a column each and the same noise in a row.

    Parameters
    ----------
    images : array_like of integers, shape (temperatures, N, C, H, W)
        Levels of what `cinc_ref.flows.temperature_sweep` returns.
    flow : Flow
        The model.
    temperatures : sequence of float
        The temperatures.
    data : str, optional
        Name of the image set, for `colormap_of`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DtypeError
        If an array holds no real numbers.
    ShapeError
        If the images have another shape, or there is not one temperature for each column.
    OptionError
        If an option is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.flows import build
    >>> flow = build("cinc", "affine", (1, 8, 8), levels=2, depth=1, width=4, bins=17)
    >>> figure = temperature_figure(np.zeros((2, 5, 1, 8, 8), int), flow, [0.5, 1])
    >>> figure.axes[0].get_xlabel()
    'temperature'
    """
    images = _numbers(images)
    temperatures = list(temperatures) if np.iterable(temperatures) else [temperatures]
    numbers = [_validate.number("temperatures", value, minimum=0) for value in temperatures]
    if images.ndim != 5 or len(images) != len(numbers):
        raise ShapeError(
            f"images must have shape ({len(numbers)}, N, C, H, W), one temperature a column; "
            f"got {images.shape}"
        )
    return _levels_table(
        images,
        flow,
        [f"{value:g}" for value in numbers],
        heading_label="temperature",
        title=f"Samples, the same noise in each row\n{_model(_check_flow(flow))}",
        data=data,
    )


def inverse_figure(
    images: RealArrayLike,
    convolved: RealArrayLike,
    inverted: RealArrayLike,
    *,
    names: Sequence[str] = ("image", "convolution", "exact inverse"),
    units: Sequence[str] = ("pixel value", "value"),
    title: str | None = None,
) -> Figure:
    """Draw a row for each image: the image, its convolution, the inverse of that, and the error.

    Image and inverse share one grey scale. The convolution has its own, on which zero is white,
    and so has the error, from zero to its largest value. An error that is zero in every pixel is
    blank, with the words "exactly 0".

    Parameters
    ----------
    images, convolved, inverted : array_like, shape (N, 1, H, W)
        x, y = conv(x) and conv_inverse(y), or the same of another invertible map.
    names : sequence of three str
        Titles of the columns.
    units : sequence of two str
        Quantity and unit of the images, their inverses and the errors, and of the convolutions.
    title : str, optional
        Text above the columns; by default their names.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DtypeError
        If an array holds no real numbers.
    ShapeError
        If the three shapes differ, there is no image, or there is more than one channel.
    OptionError
        If there are not three names and two units, or the title is no string.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).uniform(size=(2, 1, 8, 8))
    >>> figure = inverse_figure(images, 2 * images, images)
    >>> [axes.get_title() for axes in figure.axes[:4]]
    ['image', 'convolution', 'exact inverse', 'error, float64']
    >>> figure.axes[3].texts[0].get_text()
    'exactly 0'
    """
    images = _numbers(images)
    convolved, inverted = _numbers(convolved, "convolved"), _numbers(inverted, "inverted")
    shape = images.shape
    if not shape == convolved.shape == inverted.shape or shape[1:2] != (1,) or 0 in shape:
        raise ShapeError(
            "the three arrays must have one shape (N, 1, H, W) with N >= 1; "
            f"got {shape}, {convolved.shape} and {inverted.shape}"
        )
    names, units = _check_strings("names", names), _check_strings("units", units)
    if len(names) != 3:
        raise OptionError(f"names must be three strings; got {_validate.shown(names)}")
    if len(units) != 2:
        raise OptionError(f"units must be two strings; got {_validate.shown(units)}")
    _validate.instance("title", title, str | None, "a string")
    errors = np.abs(inverted.astype(float) - images)
    largest_error = _largest(errors)
    reach = _largest(np.abs(convolved))
    grey = {"cmap": "gray_r", "vmin": images.min(), "vmax": images.max()}
    error_label = f"|error|, {units[0]}"
    panels = {
        names[0]: (images, grey, units[0]),
        names[1]: (convolved, {"cmap": "RdBu_r", "vmin": -reach, "vmax": reach}, units[1]),
        names[2]: (inverted, grey, units[0]),
        f"error, {inverted.dtype}": (errors, _error_style(errors, largest_error), error_label),
    }
    rows = len(images)
    figure = Figure(
        figsize=(6.8, 1.5 * rows + 1.6), dpi=DPI, layout=ConstrainedLayoutEngine(h_pad=0.1)
    )
    figure.suptitle(title or f"{names[0]}, {names[1]}, {names[2]} and error", color=INK)
    grid = figure.subplots(rows, 4, squeeze=False)
    for (heading, (arrays, style, label)), column in zip(panels.items(), grid.T, strict=True):
        column[0].set_title(heading, fontsize=LARGE, color=INK)
        for axes, image in zip(column, arrays, strict=True):
            _frame(axes)
            drawn = axes.imshow(image[0], **style)
        bar = figure.colorbar(drawn, ax=list(column), location="bottom", aspect=12, pad=0.02)
        bar.outline.set_edgecolor(GRID)
        bar.locator = MaxNLocator(2)
        bar.ax.tick_params(labelsize=9, color=INK, labelcolor=INK)
        bar.set_label(label, fontsize=SMALL, color=INK)
    for axes, error in zip(grid[:, -1], errors, strict=True):
        words = "" if np.isfinite(error).all() else "not finite"
        words = words if error.any() else "exactly 0"
        style = {"ha": "center", "va": "center", "color": INK}
        axes.text(0.5, 0.5, words, transform=axes.transAxes, **style)
    if largest_error:
        bar.set_ticks([0, largest_error], labels=["0", f"{largest_error:.2g}"])
    else:
        bar.set_ticks([0.5], labels=["exactly 0" if not errors.any() else "not finite"])
    return figure


def loss_figure(
    history: Sequence[Mapping[str, float]], *, against: Literal["seconds", "step"] = "seconds"
) -> Figure:
    """Draw bits per dimension of the training and validation images while a flow was trained.

    The horizontal axis starts at 0, the start of the training. The vertical axis leaves out values
    far above the rest, which occur at the start; the title tells how many.

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
    labels = {
        "seconds": "time of training without compilation, seconds",
        "step": "steps of training",
    }
    against = _validate.one_of("against", against, labels)
    if not history:
        raise ShapeError("history must hold at least one row; got none")
    x, train, validation = (
        np.array([row[name] for row in history]) for name in (against, "train", "validation")
    )
    best = validation.argmin()
    figure = _new_figure(7, 4.4)
    axes = figure.add_subplot()
    style = {"linewidth": 2, "markersize": 4, "marker": "o" if len(history) <= 40 else ""}
    axes.plot(x, train, color=TRAIN, linestyle="--", label="training batches", **style)
    axes.plot(x, validation, color=VALIDATION, label="validation images", **style)
    name = f"best validation: {validation[best]:.3f}"
    axes.plot(x[best], validation[best], "o", color=VALIDATION, markersize=8, label=name)
    hidden = _limit_losses(axes, np.concatenate([train, validation]))
    axes.set_xlim(0, 1.02 * x.max() or 1)
    title = "Bits per dimension during training, less is better"
    values = "value lies" if hidden == 1 else "values lie"
    axes.set_title(
        f"{title}\n{hidden} early {values} above the axis" if hidden else title,
        fontsize=LARGE,
        color=INK,
    )
    axes.set_xlabel(labels[against], fontsize=LARGE, color=INK)
    axes.set_ylabel("bits per dimension", fontsize=LARGE, color=INK)
    axes.grid(color=GRID, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(color=GRID, labelcolor=INK)
    axes.legend(frameon=False, labelcolor=INK)
    return figure


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

    figure = _new_figure(10.5, 7)
    grid = figure.add_gridspec(2, 2, width_ratios=[2.35, 1])
    matrix = figure.add_subplot(grid[:, 0])
    _draw_matrix(matrix, numbers, size, colours)
    matrix.set_title(
        f"Matrix of a convolution of {size[0]}x{size[1]} pixels, "
        f"{_counted(len(kernel), 'channel')}, corner {corner}",
        fontsize=LARGE,
        color=INK,
    )
    _draw_kernel(figure.add_subplot(grid[0, 1]), kernel, taps.max(axis=(0, 1)), colours)
    _draw_pixel_order(figure.add_subplot(grid[1, 1]), size)
    return figure


def _check_flow(flow):
    return _validate.instance("flow", flow, Flow, "a Flow, as cinc_ref.flows.build makes it")


def _model(flow):
    """Describe a flow in one line."""
    levels, steps = _counted(flow.levels, "level"), _counted(flow.depth, "step")
    return f"{flow.system}, {flow.coupling} coupling, {levels} of {steps}, width {flow.width}"


def _counted(count, name):
    return f"{count:,} {name}{'s' * (count != 1)}"


def _levels_table(images, flow, headings, *, data, **texts):
    """Draw grey levels (columns, rows, C, H, W) of a flow's images as a table."""
    return image_table(
        images.swapaxes(0, 1),
        headings,
        value_range=(0, flow.bins - 1),
        cmap=colormap_of(data, flow.bins),
        **texts,
    )


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
        title = f"{_counted(count, 'image')} of {height}x{width} pixels"
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
    figure = _new_figure(breadth, rows_of_pixels * scale + 0.1 + texts)
    axes = figure.add_subplot()
    axes.imshow(mosaic, interpolation="nearest")
    _frame(axes)
    axes.spines[:].set_visible(False)
    if channels == 1:
        figure.supxlabel(_explained(cmap, low, high), fontsize=SMALL, color=INK)
    return figure, title


def _numbers(values, name="images"):
    """Return values to be drawn as an array of integers or floats."""
    array = plain_array(values, name)
    if array.dtype.kind not in "biuf":
        raise DtypeError(f"{name} must hold real numbers; got {array.dtype}")
    return array


def _new_figure(width, height):
    """Return a figure of a size in inches, whose layout leaves room for all texts."""
    return Figure((width, height), dpi=DPI, layout=ConstrainedLayoutEngine(h_pad=0.1))


def _explained(cmap, low, high):
    """Return the values that the ends of a colormap stand for, in words."""
    ends = {"gray": ("black", "white"), "gray_r": ("white", "black")}
    first, last = ends.get(cmap, (f"the first colour of {cmap}", "the last"))
    return f"{low:g} is {first}, {high:g} is {last}"


def _largest(values):
    """Return the largest finite value, or 0 if there is none."""
    return values[np.isfinite(values)].max(initial=0)


def _error_style(errors, largest):
    """Return the colours of errors from 0 to the largest; only white if there is none."""
    if largest:
        return {"cmap": "Purples", "vmin": 0, "vmax": largest}
    return {"cmap": ListedColormap(["white"]), "vmin": 0, "vmax": 1}


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


def _frame(axes):
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(GRID)


def _limit_losses(axes, losses):
    """Limit the axis to the smallest loss and three times the median distance above it.

    Returns
    -------
    int
        The number of losses above the axis.
    """
    smallest = losses.min()
    reach = min(np.ptp(losses), 3 * (np.median(losses) - smallest)) or 1.0
    top = smallest + 1.05 * reach
    axes.set_ylim(smallest - 0.12 * reach, top)
    return int((losses > top).sum())


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
    fontsize = _fitting(6.0 / height, max(map(len, names)) + 1)
    axes.tick_params(length=0, labelcolor=INK, labelsize=fontsize, labeltop=True, labelbottom=False)
    order = "i·W + j" if channels == 1 else "(i·W + j)·C + c"
    axes.xaxis.set_label_position("top")
    axes.set_xlabel(f"input pixel, pixel-major order: {order}", fontsize=LARGE, color=INK)
    axes.set_ylabel(f"output pixel, pixel-major order: {order}", fontsize=LARGE, color=INK)


def _draw_kernel(axes, kernel, taps, colours):
    """Draw the legend: the kernel as cells in the colours of its taps."""
    _draw_cells(axes, taps, colours)
    fontsize = _fitting(2.6 / max(taps.shape), 6)  # -0.123
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
    style["fontsize"] = _fitting(cell, len(str(height * width - 1)) + 1)
    for index in range(height * width):
        i, j = divmod(index, width)
        axes.text(j + 0.5, i + 0.5, str(index), **style)
    axes.set_xticks(np.arange(width) + 0.5, [f"j={j}" for j in range(width)])
    axes.set_yticks(np.arange(height) + 0.5, [f"i={i}" for i in range(height)])
    axes.tick_params(length=0, labelsize=min(8, _fitting(cell, 5)), labelcolor=INK)
    axes.set_title("image: number of every pixel\nin row i and column j", fontsize=11, color=INK)


def _fitting(inches, characters):
    """Return the size in points, at most `SMALL`, at which so many characters fit into a width."""
    return min(SMALL, 72 * inches / (CHARACTER * characters))
