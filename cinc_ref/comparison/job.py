"""One run of a comparison: train, judge by the test images, measure; all of it kept in a folder."""

import datetime
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from cinc_ref._output import make_folder, writing
from cinc_ref.comparison.measuring import times
from cinc_ref.data import image_set
from cinc_ref.errors import NonFiniteError, OptionError
from cinc_ref.evaluation import evaluate
from cinc_ref.flows import build
from cinc_ref.flows.conditioning import worst_conditioned
from cinc_ref.flows.cost import cost
from cinc_ref.flows.systems import variant
from cinc_ref.training import load, train
from cinc_ref.training.folder import BEST, LAST

RESULT = "result.json"
DRAWS = 10
"""Of the noise with which the test images are dequantized."""


@dataclass(frozen=True)
class Job:
    """What one run is made of, all of it JSON values: it can be sent to another machine.

    Attributes
    ----------
    name, coupling : str
        The system as `cinc_ref.flows.systems.variant` reads it, and its coupling.
    seed : int
    data : str
    data_options : dict
        Of the image set.
    model : dict
        levels, depth and width.
    training : dict
        Options of `cinc_ref.train`, the budget among them.
    """

    name: str
    coupling: str
    seed: int
    data: str
    data_options: dict = field(default_factory=dict)
    model: dict = field(default_factory=dict)
    training: dict = field(default_factory=dict)

    @property
    def title(self):
        """What the run is called, and its folder."""
        return f"{self.name}-{self.coupling}-{self.seed}"

    def images(self):
        """The image set."""
        return image_set(self.data, **self.data_options)

    def flow(self, images):
        """The model, for these images."""
        return build(
            coupling=self.coupling,
            image_shape=images.image_shape,
            bins=images.bins,
            **variant(self.name),
            **self.model,
        )


def kept_result(job, out):
    """The result of a run that was finished before, or None.

    Raises
    ------
    OptionError
        If the run that is kept under this name was another one.
    """
    path = Path(out, job.title, RESULT)
    if not path.exists():
        return None
    result = json.loads(path.read_text(encoding="utf-8"))
    was = _flat(result["job"])
    for name, wanted in _flat(asdict(job)).items():
        if was.get(name) != wanted:
            raise OptionError(
                f"{path.parent} was made with {name} {was.get(name)}; got {wanted}: compare with "
                "the same options, or choose another folder"
            )
    return result


def run_job(job, out, progress=False):
    """Train, judge and measure; goes on with a run that was broken off.

    Returns
    -------
    dict or None
        The result, which is also written to the folder; None if Ctrl-C stopped the training.
    """
    folder = make_folder(Path(out, job.title))
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
    except NonFiniteError as error:
        training = getattr(error, "result", None)
        if training is None or not training.history:
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
        **_judged(flow, training.params, images.test),
        **asdict(cost(flow, training.params)),
        **times(flow, training.params, images.train, job.training),
    }
    return _keep(result, folder)


def remeasure(job, out):
    """Measure the times of a finished run again, from its model."""
    folder = Path(out, job.title)
    flow, params = load(folder / BEST)
    result = kept_result(job, out) | times(flow, params, job.images().train, job.training)
    return _keep(result, folder)


def _judged(flow, params, test):
    found = evaluate(flow, params, test, draws=DRAWS)
    layer, condition, digits = worst_conditioned(flow, params)
    return {
        "test_bits_per_dim": found.bits_per_dim,
        "largest_inversion_error": found.largest_error,
        "worst_condition_number": condition if np.isfinite(condition) else None,
        "worst_layer": layer,
        "digits": digits,
    }


def _keep(result, folder):
    path = folder / RESULT
    with writing(path):
        new = path.with_name(f".{RESULT}.tmp")
        new.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        new.replace(path)
    return result


def _flat(entries):
    """A dict with the entries of the dicts in it in their place."""
    flat = {}
    for name, value in entries.items():
        flat |= value if isinstance(value, dict) else {name: value}
    return flat
