"""Figures that a test records while code saves them, and the rules that each must keep."""

from contextlib import contextmanager

import pytest
from matplotlib.figure import Figure


@contextmanager
def recorded():
    """Yield a list that receives every figure that is saved in this block."""
    figures, savefig = [], Figure.savefig

    def record(figure, *arguments, **options):
        figures.append(figure)
        return savefig(figure, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", record)
        yield figures


def problems(figure):
    """List what a reader misses: a title, labels of axes with ticks, labels of colour bars."""
    found = []
    bars = {axes for axes in figure.axes if getattr(axes, "_colorbar", None)}
    headed = any(text.get_text() for text in [figure._suptitle, *figure.texts] if text)
    for k, axes in enumerate(figure.axes):
        if axes in bars:
            if not (axes.get_xlabel() or axes.get_ylabel()):
                found.append(f"colour bar {k} has no label")
            continue
        if not (axes.get_title() or headed):
            found.append(f"axes {k} has no title")
        if not axes.axison:
            continue
        for name in "xy":
            if not _is_labelled(axes, name):
                found.append(f"the {name} axis of axes {k} has no label")
    return found


def _is_labelled(axes, name):
    """Return whether an axis has a label, no ticks, or ticks that are names."""
    siblings = getattr(axes, f"get_shared_{name}_axes")().get_siblings(axes)
    if any(getattr(sibling, f"get_{name}label")() for sibling in siblings):
        return True
    ticks = [label.get_text() for label in getattr(axes, f"get_{name}ticklabels")()]
    return all(any(letter.isalpha() for letter in tick) for tick in ticks)


def legend_of_greys(figure):
    """Return the line of an image figure that says which value is white and which black."""
    return figure._supxlabel.get_text()
