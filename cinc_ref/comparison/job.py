"""One run of a comparison: it trains, evaluates the test images, measures, and saves all that."""

import datetime
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cinc_ref import _typing
from cinc_ref._display import fields_html, short_repr
from cinc_ref._files import make_folder, output_errors, remove_unfinished, write_text
from cinc_ref._schema import SCHEMA, has_schema, schema
from cinc_ref.comparison.measuring import times
from cinc_ref.comparison.table import rows_of
from cinc_ref.data import ImageSet, image_set
from cinc_ref.errors import CheckpointError, OptionError
from cinc_ref.evaluation import evaluate
from cinc_ref.flows import Flow, build
from cinc_ref.flows.conditioning import worst_conditioned
from cinc_ref.flows.cost import cost
from cinc_ref.flows.systems import variant
from cinc_ref.training import load, train
from cinc_ref.training.errors import NonFiniteStep
from cinc_ref.training.folder import BEST, LAST

__all__ = ["Job", "remeasure", "run_job", "saved_result"]

RESULT = "result.json"
"""Name of the file of a run's result."""

DRAWS = 10
"""Number of draws of the noise with which the test images are dequantized."""


@dataclass(frozen=True)
class Job:
    """The options of one run, all of them JSON values: it can be sent to another machine.

    Parameters
    ----------
    name, coupling : str
        The system, as `cinc_ref.flows.systems.variant` reads it, and its coupling.
    seed : int
        Seed of the training.
    data : str
        Name of the image set.
    data_options : dict
        Options of the image set.
    model : dict
        "levels", "depth" and "width".
    training : dict
        Options of `cinc_ref.train`, with the budget among them.

    Examples
    --------
    >>> from cinc_ref.comparison import Job
    >>> job = Job("cinc-plu", "affine", 0, "digits", model={"levels": 1, "depth": 2, "width": 4})
    >>> job.title, job.flow(job.images()).corner_block
    ('cinc-plu-affine-0', 'plu')
    """

    name: str
    coupling: str
    seed: int
    data: str
    data_options: dict[str, Any] = field(default_factory=dict)
    model: dict[str, int] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)

    __repr__ = short_repr
    _repr_html_ = fields_html

    @property
    def title(self) -> str:
        """The name of the run and of its folder."""
        return f"{self.name}-{self.coupling}-{self.seed}"

    def images(self) -> ImageSet:
        """Load the image set.

        Returns
        -------
        ImageSet

        Raises
        ------
        OptionError, DataError, MissingExtraError
            As `cinc_ref.data.image_set` raises them.
        """
        return image_set(self.data, **self.data_options)

    def flow(self, images: ImageSet) -> Flow:
        """Build the model for an image set.

        Parameters
        ----------
        images : ImageSet
            The images, whose shape and number of levels the model has.

        Returns
        -------
        Flow

        Raises
        ------
        OptionError
            If an option of the job is not one of `cinc_ref.flows.build`.
        """
        return build(
            coupling=self.coupling,
            image_shape=images.image_shape,
            bins=images.bins,
            **variant(self.name),
            **self.model,
        )


def saved_result(job: Job, out: _typing.Path) -> dict[str, Any] | None:
    """Load the result of a run that was finished before, or return None.

    Raises
    ------
    OptionError
        If the run that is saved under this name had other options.
    CheckpointError
        If the file is damaged, or of another form than this version writes.
    """
    path = Path(out, job.title, RESULT)
    if not path.exists():
        return None
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        readable = has_schema(result, "comparison-run")
        if readable:
            saved = _flat(result["job"])
            rows_of([result])  # needs every figure
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} must be the result of a run; it is damaged or something else: "
            "delete it, and its run is finished again"
        ) from error
    if not readable:
        raise CheckpointError(
            f"{path} has schema {result[SCHEMA]}, this cinc_ref reads {schema('comparison-run')}: "
            "use the cinc_ref that wrote it, or choose another folder"
        )
    for name, wanted in _flat(asdict(job)).items():
        if saved.get(name) != wanted:
            raise OptionError(
                f"{path.parent} was made with {name} {saved.get(name)}; got {wanted}: compare with "
                "the same options, or choose another folder"
            )
    return result


def run_job(
    job: Job, out: _typing.Path, progress: bool | Callable[[dict[str, Any]], object] = False
) -> dict[str, Any] | None:
    """Train a flow, evaluate and measure it; an interrupted run is continued.

    Parameters
    ----------
    job : Job
    out : path
        Folder of the comparison.
    progress : bool or callable
        As `cinc_ref.train` takes it.

    Returns
    -------
    dict or None
        The result, which is also written to the folder; None if Ctrl-C or SIGTERM
        stopped the training.
    """
    folder = make_folder(Path(out, job.title))
    with output_errors(folder):
        remove_unfinished(folder / RESULT)
    images = job.images()
    flow = job.flow(images)
    try:
        training = train(
            flow,
            images.train,
            images.validation,
            seed=job.seed,
            out=folder,
            resume=(folder / LAST).exists(),
            progress=progress,
            clock="processor",
            **job.training,
        )
    except NonFiniteStep as error:
        training = error.result
        if not training.history:
            raise
    if training.reason == "interrupted":
        return None
    result = {
        "job": asdict(job),
        "date": datetime.date.today().isoformat(),
        "steps": training.step,
        "seconds": training.seconds,
        "reason": training.reason,
        "validation_bits_per_dim": training.best_bits,
        **_evaluated(flow, training.params, images.test),
        **asdict(cost(flow, training.params)),
        **times(flow, training.params, images.train, job.training),
    }
    return _save(result, folder)


def remeasure(job: Job, out: _typing.Path) -> dict[str, Any]:
    """Measure the times of a finished run again, from its model, and return its new result."""
    folder = Path(out, job.title)
    flow, params = load(folder / BEST)
    result = saved_result(job, out) | times(flow, params, job.images().train, job.training)
    return _save(result, folder)


def _evaluated(flow, params, test):
    evaluation = evaluate(flow, params, test, draws=DRAWS)
    layer, condition, digits = worst_conditioned(flow, params)
    return {
        "test_bits_per_dim": evaluation.bits_per_dim,
        "largest_inversion_error": evaluation.largest_error,
        "worst_condition_number": condition if np.isfinite(condition) else None,
        "worst_layer": layer,
        "digits": digits,
    }


def _save(result, folder):
    result = {SCHEMA: schema("comparison-run"), **result}
    write_text(folder / RESULT, json.dumps(result, indent=1, allow_nan=False) + "\n")
    return result


def _flat(entries):
    """Replace the dicts in a dict by their entries."""
    flat = {}
    for name, value in entries.items():
        flat |= value if isinstance(value, dict) else {name: value}
    return flat
