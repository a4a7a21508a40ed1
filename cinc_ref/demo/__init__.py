"""The demonstration: real handwritten digits, convolved, inverted exactly, learned and sampled."""

from dataclasses import dataclass
from pathlib import Path

from cinc_ref._files import make_folder, output_errors
from cinc_ref.data import digits, image_set
from cinc_ref.demo.convolution import Inversion, convolve_and_invert
from cinc_ref.demo.flow import MINUTES, TrainedFlow, there_and_back, train_and_sample
from cinc_ref.demo.report import render
from cinc_ref.errors import OutputError
from cinc_ref.plots import image_grid, inverse_figure, loss_figure, matrix_figure
from cinc_ref.timing import one_blas_thread
from cinc_ref.training import save
from cinc_ref.training.folder import LAST

MATRIX_SIZE = (5, 5)
PICTURED = (0, 3, 4, 8, 9)
"""Digits whose convolution is drawn."""

FILES = (
    "report.md",
    "samples.png",
    "loss.png",
    "latents.png",
    "inverse.png",
    "matrix.png",
    "model.npz",
)


@dataclass(frozen=True)
class Demonstration:
    """What was computed, and the files that show it, the report first."""

    inversion: Inversion
    trained: TrainedFlow
    files: tuple[Path, ...]


def run(folder="demo", *, minutes=None, steps=None, progress=False):
    """Convolve digits and invert that; train a flow, invert it, sample it; leave a report.

    Parameters
    ----------
    folder : path, optional
        Receives the files `FILES`.
    minutes : float, optional
        Time to train; 100 seconds if neither this nor `steps` is given.
    steps : int, optional
        Steps to train.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Demonstration

    Raises
    ------
    OutputError
        If the folder or a file in it cannot be written.
    """
    if minutes is None and steps is None:
        minutes = MINUTES
    folder = make_folder(folder)
    if (folder / LAST).exists():
        raise OutputError(f"{folder} holds a training run ({LAST}); choose another folder")
    files = tuple(folder / name for name in FILES)
    inversion = convolve_and_invert(digits())
    with one_blas_thread():
        trained = train_and_sample(
            image_set("digits"), minutes=minutes, steps=steps, progress=progress
        )
    with output_errors(folder):
        _write(inversion, trained, *files)
    return Demonstration(inversion, trained, files)


def _write(inversion, trained, report, samples, loss, latents, inverse, matrix, model):
    save(model, trained.training.flow, trained.training.params)
    top = trained.images.bins - 1
    image_grid(trained.samples, columns=10, value_range=(0, top), cmap="gray_r").savefig(samples)
    loss_figure(trained.training.history).savefig(loss)
    inverse_figure(
        *there_and_back(trained, count=5), names=("digit", "its latents", "decoded")
    ).savefig(latents)
    double = inversion.round_trips[-1]
    shown = [index for index in PICTURED if index < len(double.images)]
    arrays = (double.images, double.convolved, double.inverted)
    inverse_figure(*(array[shown] for array in arrays)).savefig(inverse)
    matrix_figure(inversion.kernel, MATRIX_SIZE).savefig(matrix)
    report.write_text(render(inversion, trained, MATRIX_SIZE), encoding="utf-8")
