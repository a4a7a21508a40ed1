"""Figures of matplotlib that belong to no window and that notebooks show."""

import io

from cinc_ref._extras import extra

with extra("plots"):
    from matplotlib import figure

__all__ = ["Figure"]

NOTEBOOK_DPI = 80
"""Resolution of figures in notebooks, in pixels per inch: ten inches fill the width of a page."""


class Figure(figure.Figure):
    """A figure of matplotlib that a notebook shows without ``%matplotlib inline``.

    It has all methods of `matplotlib.figure.Figure`, ``savefig`` for instance.
    """

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=NOTEBOOK_DPI)
        return buffer.getvalue()
