"""The demonstration on real digits: a convolution and its exact inverse, then a trained flow."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from cinc_ref._display import repr_of, table_html
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
from cinc_ref.training.settings import Settings

MATRIX_SIZE = (5, 5)
"""Height and width of the images whose matrix is drawn."""

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
"""Names of the files that the demonstration writes."""


@dataclass(frozen=True)
class Demonstration:
    """The results of the demonstration, and the files that show them, the report first."""

    inversion: Inversion
    trained: TrainedFlow
    files: tuple[Path, ...]

    def __repr__(self) -> str:
        values = {
            "test bits_per_dim": self.trained.test.bits_per_dim,
            "steps": self.trained.training.step,
            "largest_error": self.trained.test.largest_error,
            "folder": str(self.files[0].parent) if self.files else None,
        }
        return repr_of("Demonstration", values)

    def _repr_html_(self) -> str:
        return table_html(("file",), [(file,) for file in self.files], caption=repr(self))


def run(
    folder: str | PathLike = "demo",
    *,
    minutes: float | None = None,
    steps: int | None = None,
    progress: bool = False,
) -> Demonstration:
    """Convolve digits and invert that; train a flow, invert and sample it; write a report.

    Parameters
    ----------
    folder : path, optional
        Folder that receives the files `FILES`.
    minutes : float, optional
        Time to train; 100 seconds if neither this nor `steps` is given.
    steps : int, optional
        Steps to train.
    progress : bool
        Whether a progress bar is shown.

    Returns
    -------
    Demonstration

    Raises
    ------
    OptionError
        If `minutes` or `steps` is impossible.
    OutputError
        If the folder or a file in it cannot be written.
    """
    if minutes is None and steps is None:
        minutes = MINUTES
    Settings(minutes=minutes, steps=steps)  # refuses impossible ones before anything is computed
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
        _write(inversion, trained, folder)
    return Demonstration(inversion, trained, files)


def _write(inversion, trained, folder):
    """Write the files `FILES`."""
    training = trained.training
    save(folder / "model.npz", training.flow, training.params)
    samples = {"columns": 10, "value_range": (0, trained.images.bins - 1), "cmap": "gray_r"}
    image_grid(trained.samples, **samples).savefig(folder / "samples.png")
    loss_figure(training.history).savefig(folder / "loss.png")
    names = ("digit", "its latents", "decoded")
    latents = inverse_figure(*there_and_back(trained, count=5), names=names)
    latents.savefig(folder / "latents.png")
    double = inversion.round_trips[-1]
    chosen = [index for index in PICTURED if index < len(double.images)]
    arrays = (double.images, double.convolved, double.inverted)
    inverse_figure(*(array[chosen] for array in arrays)).savefig(folder / "inverse.png")
    matrix_figure(inversion.kernel, MATRIX_SIZE).savefig(folder / "matrix.png")
    report = render(inversion, trained, MATRIX_SIZE)
    (folder / "report.md").write_text(report, encoding="utf-8")
