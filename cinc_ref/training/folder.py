"""The folder of a run: its best model, its state to resume from, its history."""

import json
from pathlib import Path

from cinc_ref.errors import CheckpointError, OptionError, OutputError
from cinc_ref.training import container
from cinc_ref.training.checkpoint import model_arrays, model_header, read_model
from cinc_ref.training.settings import Settings
from cinc_ref.training.state import State
from cinc_ref.training.tree import Layout

BEST, LAST, HISTORY = "best.npz", "last.npz", "history.json"
DEMO = "model.npz"
"""The model of a demonstration, whose pictures a run would overwrite."""

STATE = "training/"
"""Prefix of the names of the state's arrays."""


class Folder:
    """Where one run writes.

    ``best.npz`` is the model that did best on the validation images, for `load`. ``last.npz`` is
    the training state, with the best model so far in it. ``history.json`` is for people.
    """

    def __init__(self, path):
        self.path = Path(path)

    @classmethod
    def open(cls, path, resume):
        """The folder, made if need be, after checking that it holds a run exactly if it should.

        Raises
        ------
        OutputError
            If it cannot be written, or holds another run.
        CheckpointError
            If there is no run to resume.
        """
        folder = cls(path)
        run = next((name for name in (LAST, BEST, DEMO) if (folder.path / name).exists()), None)
        if resume and not (folder.path / LAST).exists():
            raise CheckpointError(
                f"{path} holds no run to resume ({LAST} is missing); leave out --resume "
                "(resume=True) to begin one"
            )
        if run and not resume:
            go_on = "" if run == DEMO else "continue it with --resume (resume=True) or "
            raise OutputError(f"{path} holds another run ({run}); {go_on}choose another folder")
        folder._prepare()
        return folder

    def _prepare(self):
        """Make the folder, and remove what a killed process left half written."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for name in (BEST, LAST):
                for file in self.path.glob(container.temporary_prefix(name) + "*.tmp"):
                    file.unlink()
        except OSError as error:
            raise _output_error(self.path, error) from error

    def save_best(self, flow, layout, state):
        """Write the best model so far."""
        container.write(self.path / BEST, model_header(flow), _model_arrays(layout, state.best))

    def save_state(self, flow, layout, state, run):
        """Write the state, and the history beside it; `run` is what must be equal on resuming."""
        header = {
            **model_header(flow),
            "kind": "training state",
            "run": run,
            "counters": state.counters(),
        }
        vectors = {STATE + name: vector for name, vector in state.vectors().items()}
        arrays = _model_arrays(layout, state.best) | vectors
        container.write(self.path / LAST, header, arrays)
        self._write_history(state.history)

    def _write_history(self, history):
        try:
            text = json.dumps(history, indent=1) + "\n"
            (self.path / HISTORY).write_text(text, encoding="utf-8")
        except OSError as error:
            raise _output_error(self.path / HISTORY, error) from error

    def load_state(self, flow, run):
        """The state that was saved, and its layout.

        Raises
        ------
        CheckpointError
            If the file is damaged.
        OptionError
            If it belongs to another flow, other images or other settings: which, is said.
        """
        path = self.path / LAST
        with container.opened(path) as file:
            if file.header["kind"] != "training state":
                raise CheckpointError(f"{path} is a model, not a state of training")
            saved_flow, params = read_model(file)
            layout = Layout.of(params)
            best = layout.vector(params)
            state = State(best=best, **_read_vectors(file, best), **file.header["counters"])
            saved = saved_flow.config() | Settings.later_options() | file.header["run"]
        _check_equal(self.path, saved, {**flow.config(), **run})
        return layout, state


def _model_arrays(layout, vector):
    return model_arrays(layout.params(vector))


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


def _output_error(path, error):
    return OutputError(f"cannot write {path}: {error.strerror}; choose another output folder")
