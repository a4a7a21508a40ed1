"""Pictures of images and samples, of an exact inverse and of convolution matrices.

Every function returns a `matplotlib.figure.Figure` that belongs to no window and to no global
state: save it with ``figure.savefig("name.png")``, or let a notebook display it.
"""

from cinc_ref.plots.flows import interpolation_figure, samples_figure, temperature_figure
from cinc_ref.plots.images import colormap_of, image_grid, image_table
from cinc_ref.plots.inverse import inverse_figure
from cinc_ref.plots.losses import loss_figure
from cinc_ref.plots.matrix import matrix_figure
from cinc_ref.plots.style import ANCHOR, DPI, GRID, INK, LARGE, SMALL

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
