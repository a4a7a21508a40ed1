"""The demonstration on real digits: a convolution and its exact inverse, then a trained flow."""

from dataclasses import dataclass
from pathlib import Path

from cinc_ref import _typing
from cinc_ref._display import repr_of, table_html
from cinc_ref._files import make_folder, output_errors, remove_unfinished
from cinc_ref._locks import locked
from cinc_ref.data import digits, image_set
from cinc_ref.demo.convolution import Inversion, convolve_and_invert
from cinc_ref.demo.flow import MINUTES, STEPS, TrainedFlow, stage, train_and_sample
from cinc_ref.errors import OutputError
from cinc_ref.timing import one_blas_thread
from cinc_ref.training.folder import LAST
from cinc_ref.training.settings import Settings

__all__ = ["FILES", "MINUTES", "STEPS", "Demonstration", "run"]


def __dir__() -> list[str]:
    return __all__


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
    folder: _typing.Path = "demo",
    *,
    minutes: float | None = MINUTES,
    steps: int = STEPS,
    progress: bool = False,
) -> Demonstration:
    """Convolve digits and invert that; train a flow, invert and sample it; write a report.

    Parameters
    ----------
    folder : path, optional
        Folder that receives the files `FILES`.
    minutes : float, optional
        Limit of the time to train, in minutes without compilation; None for no limit.
    steps : int
        Number of steps to train.
    progress : bool
        Whether the progress of each part is shown.

    Returns
    -------
    Demonstration

    Raises
    ------
    OptionError
        If `minutes` or `steps` is impossible.
    OutputError
        If the folder or a file in it cannot be written, or another process works in it.
    MissingExtraError
        If matplotlib or scikit-learn is not installed.
    """
    from cinc_ref.demo.pictures import write  # draws: slow to import, and an extra of its own

    Settings(minutes=minutes, steps=steps)  # refuses impossible ones before anything is computed
    folder = make_folder(folder)
    files = tuple(folder / name for name in FILES)
    with locked(folder):
        if (folder / LAST).exists():
            raise OutputError(f"{folder} holds a training run ({LAST}); choose another folder")
        with output_errors(folder):
            for file in files:
                remove_unfinished(file)
        with stage("convolve digits and invert that", progress):
            inversion = convolve_and_invert(digits())
        with one_blas_thread():
            trained = train_and_sample(
                image_set("digits"), minutes=minutes, steps=steps, progress=progress
            )
        with output_errors(folder), stage("draw the pictures", progress):
            write(inversion, trained, folder)
    return Demonstration(inversion, trained, files)
