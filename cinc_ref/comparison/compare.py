"""Run what has not been run, and put all results in one table."""

import platform
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from tqdm import tqdm

from cinc_ref._extras import extra
from cinc_ref._files import make_folder
from cinc_ref._validate import is_integer
from cinc_ref.comparison.job import Job, kept_result, remeasure, run_job
from cinc_ref.comparison.table import rows_of
from cinc_ref.errors import OptionError
from cinc_ref.flows.systems import COUPLINGS, variant

SYSTEMS = ("glow", "emerging", "cinc", "cinc-plu")
MODEL = {"levels": 2, "depth": 8, "width": 64}
TRAINING = {"learning_rate": 8e-3, "batch_size": 128, "dropout": 0.2}
"""What did well on digits among what was tried, within minutes."""


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes
    ----------
    rows : list of dict
        One a system and coupling; `cinc_ref.comparison.table.COLUMNS` says what they hold.
    results : list of dict
        One a finished run.
    settings : dict
        What all runs have in common, and the machine.
    complete : bool
        False if Ctrl-C stopped it; calling again goes on.
    """

    rows: list
    results: list
    settings: dict
    complete: bool


def compare(
    out,
    *,
    systems=SYSTEMS,
    couplings=("affine", "quad"),
    data="digits",
    data_options=None,
    seeds=3,
    minutes=None,
    steps=None,
    model=None,
    training=None,
    n_jobs=1,
    measure_again=False,
    progress=False,
):
    """Train every system with every coupling on the same images, equally long, and compare.

    Runs are independent jobs of joblib: inside ``joblib.parallel_config(backend=...)`` another
    backend takes them beyond one machine, if it sees the same `out`. Times are only comparable if
    nothing else runs; measure them again afterwards if need be.

    Parameters
    ----------
    out : path
        Folder of the comparison: one folder a run, with its model and its result. What is there
        is not done again, and a run that was broken off goes on.
    systems : sequence of str
        As `cinc_ref.flows.systems.variant` reads them.
    couplings : sequence of str
    data : str
        Name of an image set.
    data_options : dict, optional
        Of the image set: "path", "size", "n_bits".
    seeds : int
        Runs of each system and coupling, with the seeds 0, 1, ...
    minutes, steps : float or int
        Budget of every run; the minutes are the processor's, so that no run loses by what else
        the machine does.
    model : dict, optional
        "levels", "depth" and "width", where they are to differ from `MODEL`.
    training : dict, optional
        Options of `cinc_ref.train`, where they are to differ from `TRAINING`.
    n_jobs : int
        Runs at the same time.
    measure_again : bool
        Measure the times of finished runs again, from their models.
    progress : bool
        Show a bar over all runs.

    Returns
    -------
    Comparison

    Raises
    ------
    OptionError
        For an unknown name or a number out of range, or if `out` holds runs with other options.
    MissingExtraError
        If joblib is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from cinc_ref.comparison import compare
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = compare(folder, systems=["glow", "cinc"], couplings=["affine"], seeds=1,
    ...                     steps=1, model={"depth": 1, "width": 4})
    >>> [(row["system"], row["runs"]) for row in found.rows]
    [('glow', 1), ('cinc', 1)]
    """
    if not is_integer(seeds) or seeds < 1:
        raise OptionError(f"seeds must be an integer >= 1; got {seeds!r}")
    if minutes is None and steps is None:
        raise OptionError("minutes or steps must be given: how long each run trains")
    common = {
        "data": data,
        "data_options": {k: _plain(v) for k, v in (data_options or {}).items() if v is not None},
        "model": MODEL | (model or {}),
        "training": TRAINING
        | (training or {})
        | {"minutes": minutes, "steps": steps, "patience": None},
    }
    jobs = [
        Job(name, coupling, seed, **common)
        for seed in range(seeds)
        for name, coupling in product(_checked(systems, variant), _checked(couplings, _coupling))
    ]
    jobs[0].flow(jobs[0].images())  # refuses what cannot be built before hours are spent
    out = make_folder(Path(out))
    done = {job.title: kept_result(job, out) for job in jobs}
    complete = _run([job for job in jobs if not done[job.title]], out, n_jobs, progress, done)
    if measure_again:
        done |= {job.title: remeasure(job, out) for job in jobs if done[job.title]}
    results = [done[job.title] for job in jobs if done[job.title]]
    settings = common | {"machine": _processor(), "python": platform.python_version()}
    return Comparison(rows_of(results), results, settings, complete)


def _checked(names, check):
    names = list(names)
    for name in names:
        check(name)
    if not names or len(set(names)) < len(names):
        raise OptionError(f"names must be given, each once; got {', '.join(names) or 'none'}")
    return names


def _coupling(name):
    if name not in COUPLINGS:
        raise OptionError(f"coupling must be one of {', '.join(COUPLINGS)}; got {name!r}")


def _plain(value):
    return str(Path(value).resolve()) if isinstance(value, Path) else value


def _run(jobs, out, n_jobs, progress, done):
    """Do jobs, and enter their results in `done`; returns whether all were finished."""
    with extra("compare"):
        from joblib import Parallel, delayed
    with tqdm(
        total=len(jobs), disable=not (progress and jobs), unit="run", dynamic_ncols=True
    ) as bar:
        if n_jobs == 1:
            return all(_run_here(job, out, bar, done) for job in jobs)
        parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
        results = list(_counted(parallel(delayed(run_job)(job, out) for job in jobs), bar))
    for result in filter(None, results):
        done[Job(**result["job"]).title] = result
    return all(results)


def _run_here(job, out, bar, done):
    """One job in this process, its progress on the bar; False if Ctrl-C stopped it."""
    before = bar.n

    def report(state):
        bar.set_description(f"{job.title}, {state['validation']:.3f} bits/dim", refresh=False)
        bar.update(before + state["fraction"] - bar.n)

    bar.set_description(job.title)
    result = done[job.title] = run_job(job, out, report)
    if result:
        bar.update(before + 1 - bar.n)
    return result is not None


def _counted(results, bar):
    for result in results:
        bar.update()
        yield result


def _processor():
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # macOS and Windows
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
