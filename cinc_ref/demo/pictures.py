"""The files of the demonstration: pictures, the model and the report."""

from pathlib import Path

from cinc_ref._files import write_figure, write_text
from cinc_ref.demo.convolution import Inversion
from cinc_ref.demo.flow import TEMPERATURE, TrainedFlow, there_and_back
from cinc_ref.demo.report import render
from cinc_ref.plots import inverse_figure, loss_figure, matrix_figure, samples_figure
from cinc_ref.training import save

__all__ = ["write"]

MATRIX_SIZE = (5, 5)
"""Height and width of the images whose matrix is drawn."""

PICTURED = (0, 3, 4, 8, 9)
"""Digits whose convolution is drawn."""


def write(inversion: Inversion, trained: TrainedFlow, folder: Path) -> None:
    """Write the files `FILES` of the demonstration to a folder."""
    training = trained.training
    save(folder / "model.npz", training.flow, training.params)
    samples = samples_figure(
        trained.samples, training.flow, temperature=TEMPERATURE, data=trained.images.name
    )
    write_figure(folder / "samples.png", samples)
    write_figure(folder / "loss.png", loss_figure(training.history))
    names = ("digit", "its latents", "decoded")
    latents = inverse_figure(
        *there_and_back(trained, count=5),
        names=names,
        units=("grey levels", "standardized, no unit"),
        title="Test digits, the latents of the trained flow, and the digits decoded from them",
    )
    write_figure(folder / "latents.png", latents)
    double = inversion.round_trips[-1]
    chosen = [index for index in PICTURED if index < len(double.images)]
    arrays = (double.images, double.convolved, double.inverted)
    inverse = inverse_figure(
        *(array[chosen] for array in arrays),
        units=("grey levels", "grey levels"),
        title="Digits, their convolution, and its exact inverse",
    )
    write_figure(folder / "inverse.png", inverse)
    write_figure(folder / "matrix.png", matrix_figure(inversion.kernel, MATRIX_SIZE))
    report = render(inversion, trained, MATRIX_SIZE)
    write_text(folder / "report.md", report)
