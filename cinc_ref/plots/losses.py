"""The progress of a training."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from cinc_ref import _validate
from cinc_ref._figure import Figure
from cinc_ref.errors import ShapeError
from cinc_ref.plots.style import GRID, INK, LARGE, new_figure

__all__ = ["loss_figure"]

TRAIN = "#7a9cc6"
VALIDATION = "#b5451b"


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
    figure = new_figure(7, 4.4)
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
