"""The public function `compare`: it does the runs that are missing, and makes one table of all."""

import platform
from collections.abc import Iterable
from dataclasses import fields
from itertools import product
from os import PathLike
from pathlib import Path
from typing import Any

from tqdm import tqdm

from cinc_ref import _typing
from cinc_ref._cluster import check_address, completed
from cinc_ref._extras import extra
from cinc_ref._files import make_folder
from cinc_ref._locks import locked
from cinc_ref._validate import boolean, instance, integer, one_of, shown
from cinc_ref.comparison.job import Job, remeasure, run_job, saved_result
from cinc_ref.comparison.result import Comparison
from cinc_ref.comparison.table import rows_of
from cinc_ref.errors import OptionError
from cinc_ref.flows.systems import COUPLINGS, CouplingName, variant
from cinc_ref.training.settings import Settings

__all__ = ["MODEL", "SYSTEMS", "TRAINING", "compare"]

SYSTEMS = ("glow", "emerging", "cinc", "cinc-plu")
"""The systems that are compared by default."""

MODEL = {"levels": 2, "depth": 8, "width": 64}
"""Size of the models, the best on digits within minutes among those tried."""

TRAINING: dict[str, Any] = {"learning_rate": 8e-3, "batch_size": 128, "dropout": 0.2}
"""Options of training, the best on digits within minutes among those tried."""

DATA_OPTIONS = ("path", "size", "n_bits")
"""Names of the options of an image set that `compare` takes."""

TRAINING_OPTIONS = tuple(field.name for field in fields(Settings))
"""Names of the options of training."""


def compare(
    out: _typing.Path,
    *,
    systems: Iterable[str] = SYSTEMS,
    couplings: Iterable[CouplingName] = ("affine", "quad"),
    data: str = "digits",
    data_options: dict[str, Any] | None = None,
    seeds: int = 3,
    minutes: float | None = None,
    steps: int | None = None,
    model: dict[str, int] | None = None,
    training: dict[str, Any] | None = None,
    n_jobs: int = 1,
    dask: str | None = None,
    measure_again: bool = False,
    progress: bool = False,
) -> Comparison:
    """Train every system with every coupling on the same images for the same time, and compare.

    Runs are independent jobs of this process, of joblib or of a Dask cluster, whose machines must
    see the same `out` and the same images. Times are only comparable if nothing else runs; they can
    be measured again afterwards.

    Parameters
    ----------
    out : path
        Folder of the comparison, with one folder for each run, which holds its model and its
        result. Finished runs are not repeated, and interrupted ones are continued.
    systems : sequence of str
        Names that `cinc_ref.flows.systems.variant` reads.
    couplings : sequence of str
        Names in `cinc_ref.flows.COUPLINGS`.
    data : str
        Name of an image set.
    data_options : dict, optional
        Options of the image set: "path", "size", "n_bits".
    seeds : int
        Number of runs of each system and coupling, with the seeds 0, 1, ...
    minutes, steps : float or int
        Budget of every run. The minutes are processor time, so that other work of the machine
        does not shorten a run.
    model : dict, optional
        "levels", "depth" and "width", where they differ from `MODEL`.
    training : dict, optional
        Options of `cinc_ref.train`, where they differ from `TRAINING`.
    n_jobs : int
        Number of runs at the same time, as joblib takes it.
    dask : str, optional
        Address of a Dask scheduler whose workers do the runs, as many at the same time as they have
        threads: start them with one thread each (``dask worker --nthreads 1``), since `minutes` are
        those of a process. The run of a worker that dies is continued by another. After Ctrl-C
        the runs that are begun end by themselves.
    measure_again : bool
        Whether the times of finished runs are measured again, from their models.
    progress : bool
        Whether a bar over all runs is shown.

    Returns
    -------
    Comparison

    Raises
    ------
    OptionError, DtypeError
        For an unknown name or an impossible option, or if `out` holds runs with other options.
    DataError, ShapeError
        If the image set cannot be loaded.
    MissingExtraError
        If joblib is not installed, or distributed with `dask`.
    OutputError
        If the folder cannot be written, or another process works in it.
    CheckpointError
        If the model or the result of a finished run is damaged.
    CincError
        If a BLAS library continues to use several threads, if no scheduler or no worker answers,
        or if the workers die of a run.

    Examples
    --------
    >>> import tempfile
    >>> from cinc_ref.comparison import compare
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     comparison = compare(folder, systems=["glow", "cinc"], couplings=["affine"], seeds=1,
    ...                          steps=1, model={"depth": 1, "width": 4})
    >>> [(row["system"], row["runs"]) for row in comparison.rows]
    [('glow', 1), ('cinc', 1)]
    """
    common = {
        "data": data,
        "data_options": _data_options(data_options or {}),
        "model": MODEL | _known_options("model", model or {}, MODEL),
        "training": TRAINING
        | _known_options("training", training or {}, TRAINING_OPTIONS)
        | {"minutes": minutes, "steps": steps, "patience": None},
    }
    Settings(**common["training"])  # refuses impossible options before anything is trained
    n_jobs = integer("n_jobs", n_jobs)
    if not n_jobs:
        raise OptionError("n_jobs must be an integer other than 0; got 0: -1 means all cores")
    if dask is not None:
        check_address("dask", dask)
        if n_jobs != 1:
            raise OptionError(f"n_jobs must be 1 with dask, where workers count; got {n_jobs}")
    with extra("compare"):
        import joblib  # noqa: F401
    measure_again, progress = boolean("measure_again", measure_again), boolean("progress", progress)
    systems = _checked_names("systems", systems, lambda name: variant(name, "systems"))
    couplings = _checked_names(
        "couplings", couplings, lambda name: one_of("couplings", name, COUPLINGS)
    )
    jobs = [
        Job(name, coupling, seed, **common)
        for seed in range(integer("seeds", seeds, minimum=1))
        for name, coupling in product(systems, couplings)
    ]
    jobs[0].flow(jobs[0].images())  # refuses an impossible model before anything is trained
    out = make_folder(Path(instance("out", out, str | PathLike, "a path")))
    with locked(out):
        results_by_title = {job.title: saved_result(job, out) for job in jobs}
        missing = [job for job in jobs if not results_by_title[job.title]]
        complete = _run(missing, out, n_jobs, dask, progress, results_by_title)
        if measure_again:
            finished = [job for job in jobs if results_by_title[job.title]]
            results_by_title |= {job.title: remeasure(job, out) for job in finished}
    results = [results_by_title[job.title] for job in jobs if results_by_title[job.title]]
    settings = common | {"machine": _processor(), "python": platform.python_version()}
    return Comparison(rows_of(results), results, settings, complete)


def _checked_names(option, names, check):
    """Return names as a list, each of which passes a check and comes once."""
    if isinstance(names, str):
        raise OptionError(f"{option} must be a sequence of names; got {shown(names)}")
    names = list(instance(option, names, Iterable, "a sequence of names"))
    for name in names:
        check(name)
    if not names or len(set(names)) < len(names):
        raise OptionError(f"{option} must be names, each once; got {', '.join(names) or 'none'}")
    return names


def _known_options(option, values, known):
    """Return a dict of options, of which all must be known."""
    for name in instance(option, values, dict, "a dict of options"):
        one_of(f"an option in {option}", name, known)
    return values


def _data_options(options):
    """Return the options of the image set that are given, as JSON values."""
    _known_options("data_options", options, DATA_OPTIONS)
    return {name: _json_value(value) for name, value in options.items() if value is not None}


def _json_value(value):
    return str(Path(value).resolve()) if isinstance(value, Path) else value


def _run(jobs, out, n_jobs, dask, progress, results):
    """Do jobs, and enter their results by title; return whether all were finished."""
    with tqdm(
        total=len(jobs), disable=not (progress and jobs), unit="run", dynamic_ncols=True
    ) as bar:
        if n_jobs == 1 and dask is None:
            return all(_run_here(job, out, bar, results) for job in jobs)
        outcomes = list(_counted(_run_elsewhere(jobs, out, n_jobs, dask), bar))
    for result in filter(None, outcomes):
        results[Job(**result["job"]).title] = result
    return all(outcomes)


def _run_here(job, out, bar, results):
    """Do one job in this process, with its progress on the bar; return False after Ctrl-C."""
    before = bar.n

    def report(state):
        bar.set_description(f"{job.title}, {state['validation']:.3f} bits/dim", refresh=False)
        bar.update(before + state["fraction"] - bar.n)

    bar.set_description(job.title)
    result = results[job.title] = run_job(job, out, report)
    if result:
        bar.update(before + 1 - bar.n)
    return result is not None


def _run_elsewhere(jobs, out, n_jobs, dask):
    """Yield the results of jobs in other processes, as they end."""
    if dask is not None:
        return (result for _, result in completed(run_job, jobs, out.resolve(), dask))
    from joblib import Parallel, delayed  # optional; `compare` says how to install it

    parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    return parallel(delayed(run_job)(job, out) for job in jobs)


def _counted(results, bar):
    for result in results:
        bar.update()
        yield result


def _processor():
    """Return the processor's name, as exactly as the system knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # macOS and Windows
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
