"""The folder of a run: its best model, its state to resume from, its history."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from cinc_ref import _typing
from cinc_ref._files import (
    check_folder,
    make_folder,
    output_errors,
    remove_unfinished,
    write_text,
)
from cinc_ref._locks import check_unlocked, locked
from cinc_ref.errors import CheckpointError, OptionError, OutputError
from cinc_ref.flows import Flow
from cinc_ref.training import npz_file
from cinc_ref.training.checkpoint import model_arrays, model_header, read_model
from cinc_ref.training.flat_params import FlatParams
from cinc_ref.training.settings import BUDGET
from cinc_ref.training.state import State

__all__ = ["BEST", "HISTORY", "LAST", "LOSS", "Folder", "held"]

BEST, LAST, HISTORY, LOSS = "best.npz", "last.npz", "history.json", "loss.png"
DEMO = "model.npz"
"""Name of the model of a demonstration, whose pictures a run would overwrite."""

STATE = "training/"
"""Prefix of the names of the arrays of the state in a file."""

LATER_OPTIONS: dict[str, Any] = {"beta1": 0.9, "beta2": 0.999, "schedule": "cosine", "flip": False}
"""Values that runs had which were saved before these options existed."""


class Folder:
    """The folder in which one run is saved.

    ``best.npz`` is the model that did best on the validation images, for `load`. ``last.npz`` is
    the training state, with the best model so far in it. ``history.json`` and ``loss.png`` are for
    people. Each file is replaced as a whole, and ``last.npz`` is the first to be written: wherever
    a process is killed, its folder holds a run to resume or none.
    """

    path: Path

    def __init__(self, path: _typing.Path) -> None:
        self.path = Path(path)

    def budget(self) -> dict[str, Any]:
        """Return the options `BUDGET` of the run that the folder holds.

        Raises
        ------
        CheckpointError
            If there is no whole run.
        """
        self.check(resume=True)
        with self._opened_state() as file:
            run = file.header["run"]
            return {name: run[name] for name in BUDGET}

    @classmethod
    def open(cls, path: _typing.Path, resume: bool) -> Self:
        """Open a folder that holds a run, or make one that holds none.

        Parameters
        ----------
        path : path
        resume : bool
            Whether the folder must hold a run.

        Raises
        ------
        OutputError
            If it cannot be written, or holds another run.
        CheckpointError
            If there is no run to resume.
        """
        folder = cls(path)
        check_folder(folder.path)
        folder._check_content(resume)
        make_folder(folder.path)
        return folder

    def check(self, resume: bool) -> None:
        """Refuse a folder that cannot be opened, without making it.

        Errors are as for `open`, and an `OutputError` for a folder that another process or thread
        holds.
        """
        check_folder(self.path)
        check_unlocked(self.path)
        self._check_content(resume)

    def _check_content(self, resume):
        path = self.path
        run = next((name for name in (LAST, BEST, DEMO) if (path / name).exists()), None)
        if resume and run == BEST:
            raise CheckpointError(
                f"{path} holds no run to resume ({LAST} is missing), only a model ({BEST}); begin "
                "one in another folder"
            )
        if resume and run != LAST:
            raise CheckpointError(
                f"{path} holds no run to resume ({LAST} is missing); leave out --resume "
                "(resume=True) to begin one"
            )
        if run and not resume:
            advice = "continue it with --resume (resume=True) or " if run == LAST else ""
            raise OutputError(f"{path} holds another run ({run}); {advice}choose another folder")

    @contextmanager
    def _opened_state(self) -> Iterator[npz_file.NpzFile]:
        """Open the state; if that is impossible, say what remains."""
        path = self.path / LAST
        try:
            with npz_file.opened(path) as file:
                if file.header["kind"] != "training state":
                    raise CheckpointError(f"{path} is a model, not a state of training")
                yield file
        except CheckpointError as error:
            model = f"its best model is in {self.path / BEST}"
            remains = f"{model}; train anew" if (self.path / BEST).exists() else "train anew"
            raise CheckpointError(
                f"{error}: the run cannot be resumed; {remains} in another folder"
            ) from error

    def save_best(self, flow: Flow, params: _typing.Params, data: dict[str, Any] | None) -> None:
        """Write the best model so far, with what identifies the run's images."""
        npz_file.write(self.path / BEST, model_header(flow, data), model_arrays(params))

    def save_state(
        self,
        flow: Flow,
        best: _typing.Params,
        state: State,
        fingerprint: dict[str, Any],
        data: dict[str, Any] | None,
    ) -> None:
        """Write the state with the best model in it, and the history.

        Parameters
        ----------
        flow : Flow
        best : tree of ndarray
            The parameters of the best model.
        state : State
        fingerprint : dict
            JSON values that must be equal for the run to be resumed, but for those of `BUDGET`.
        data : dict or None
            JSON values that identify the images.
        """
        header = {
            **model_header(flow, data),
            "kind": "training state",
            "run": fingerprint,
            "counters": state.counters(),
        }
        vectors = {STATE + name: vector for name, vector in state.vectors().items()}
        npz_file.write(self.path / LAST, header, model_arrays(best) | vectors)
        write_text(self.path / HISTORY, json.dumps(state.history, indent=1) + "\n")

    def load_state(
        self, flow: Flow, fingerprint: dict[str, Any], data: dict[str, Any] | None
    ) -> tuple[FlatParams, State]:
        """Load the state that was saved.

        Returns
        -------
        flat : FlatParams
        state : State

        Raises
        ------
        CheckpointError
            If the file is damaged.
        OptionError
            If it belongs to another flow, other images or other settings, which the message names.
        """
        with self._opened_state() as file:
            saved_flow, params = read_model(file)
            flat = FlatParams.of(params)
            best = flat.vector(params)
            vectors = _read_vectors(file, best)
            state = State.from_file(file.header["counters"], best=best, **vectors)
            saved = saved_flow.config() | LATER_OPTIONS | file.header["run"]
            saved_data = file.header.get("data")
        must_agree = {name: v for name, v in fingerprint.items() if name not in BUDGET}
        _check_equal(self.path, saved, {**flow.config(), **must_agree})
        if saved_data and data:
            test_images = {"test_images": data["test_images"]}
            _check_equal(self.path, saved_data, test_images)
        return flat, state


@contextmanager
def held(path: _typing.Path | None, resume: bool) -> Iterator[None]:
    """Keep other processes and threads out of the folder of a run in this block, if there is one.

    What killed processes left unfinished is removed.

    Raises
    ------
    OutputError, CheckpointError
        As for `Folder.check`.
    """
    if path is None:
        yield
        return
    Folder(path).check(resume)
    folder = make_folder(path)
    with locked(folder):
        with output_errors(folder):
            for name in (BEST, LAST, HISTORY, LOSS):
                remove_unfinished(folder / name)
        yield


def _read_vectors(file, best):
    shapes = {"parameters": best.shape, "average": best.shape, "moments": (2, *best.shape)}
    for name, shape in shapes.items():
        if file.entries[STATE + name] != (shape, best.dtype):
            raise ValueError(f"{STATE + name} must have shape {shape} and dtype {best.dtype}")
    return {name: file.read(STATE + name) for name in shapes}


def _check_equal(path, saved, wanted):
    for name, value in wanted.items():
        if saved.get(name) != value:
            raise OptionError(
                f"{path} was trained with {name} {saved.get(name)}; got {value}: resume with the "
                "same, or choose another folder"
            )
