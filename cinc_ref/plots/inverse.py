"""An invertible map, its inverse, and the error of both together."""

from collections.abc import Sequence

import numpy as np

from cinc_ref import _validate
from cinc_ref._extras import extra
from cinc_ref._figure import Figure
from cinc_ref._typing import RealArrayLike
from cinc_ref.errors import OptionError, ShapeError
from cinc_ref.plots.arguments import check_numbers, check_strings
from cinc_ref.plots.style import GRID, INK, LARGE, SMALL, draw_frame, new_figure

with extra("plots"):
    from matplotlib.colors import ListedColormap
    from matplotlib.ticker import MaxNLocator

__all__ = ["inverse_figure"]


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
    images = check_numbers(images)
    convolved, inverted = check_numbers(convolved, "convolved"), check_numbers(inverted, "inverted")
    shape = images.shape
    if not shape == convolved.shape == inverted.shape or shape[1:2] != (1,) or 0 in shape:
        raise ShapeError(
            "the three arrays must have one shape (N, 1, H, W) with N >= 1; "
            f"got {shape}, {convolved.shape} and {inverted.shape}"
        )
    names, units = check_strings("names", names), check_strings("units", units)
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
    figure = new_figure(6.8, 1.5 * rows + 1.6)
    figure.suptitle(title or f"{names[0]}, {names[1]}, {names[2]} and error", color=INK)
    grid = figure.subplots(rows, 4, squeeze=False)
    for (heading, (arrays, style, label)), column in zip(panels.items(), grid.T, strict=True):
        column[0].set_title(heading, fontsize=LARGE, color=INK)
        for axes, image in zip(column, arrays, strict=True):
            draw_frame(axes)
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


def _largest(values):
    """Return the largest finite value, or 0 if there is none."""
    return values[np.isfinite(values)].max(initial=0)


def _error_style(errors, largest):
    """Return the colours of errors from 0 to the largest; only white if there is none."""
    if largest:
        return {"cmap": "Purples", "vmin": 0, "vmax": largest}
    return {"cmap": ListedColormap(["white"]), "vmin": 0, "vmax": 1}
