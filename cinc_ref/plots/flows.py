"""Images that a flow made: samples, interpolations and a sweep of temperatures."""

from collections.abc import Sequence

import numpy as np

from cinc_ref import _validate
from cinc_ref._figure import Figure
from cinc_ref._typing import RealArrayLike
from cinc_ref.errors import ShapeError
from cinc_ref.flows import Flow
from cinc_ref.plots.arguments import check_numbers
from cinc_ref.plots.images import colormap_of, image_grid, image_table
from cinc_ref.plots.style import counted

__all__ = ["interpolation_figure", "samples_figure", "temperature_figure"]


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
    images = check_numbers(images)
    count = len(images) if images.ndim else 0
    return image_grid(
        images,
        value_range=(0, flow.bins - 1),
        title=f"{counted(count, 'sample')} at temperature {temperature:g}\n{_model(flow)}",
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
    images = check_numbers(images)
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
    images = check_numbers(images)
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


def _check_flow(flow):
    return _validate.instance("flow", flow, Flow, "a Flow, as cinc_ref.flows.build makes it")


def _model(flow):
    """Describe a flow in one line."""
    levels, steps = counted(flow.levels, "level"), counted(flow.depth, "step")
    return f"{flow.system}, {flow.coupling} coupling, {levels} of {steps}, width {flow.width}"


def _levels_table(images, flow, headings, *, data, **texts):
    """Draw grey levels (columns, rows, C, H, W) of a flow's images as a table."""
    return image_table(
        images.swapaxes(0, 1),
        headings,
        value_range=(0, flow.bins - 1),
        cmap=colormap_of(data, flow.bins),
        **texts,
    )
