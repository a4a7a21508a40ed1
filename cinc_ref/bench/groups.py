"""The groups of measurements, in the order in which they run, and a whole run."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial

from tqdm import tqdm

from cinc_ref._display import repr_of, short_repr, table_html
from cinc_ref.bench import compilation, convolution, flows, machine, scaling

DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Group:
    """Measurements that are printed as one table.

    Attributes
    ----------
    title : str
    note : str
        The meaning of the columns of ratios.
    jobs : tuple of callables
        The measurements, each of which returns rows.
    """

    title: str
    note: str
    jobs: tuple[Callable, ...]

    __repr__ = short_repr


CONVOLUTION_NOTE = (
    "Ours is the public call with its checks. PyTorch: forward convolution, F.pad included, or "
    "weight gradient, in its faster memory order. GFLOP/s count taps inside the image alone; gemm: "
    "those of large matrix products, measured in turn."
)

GROUPS = {
    "kernels": Group(
        "The convolution and its exact inverse",
        CONVOLUTION_NOTE,
        (
            *(
                partial(convolution.measure_case, channels, (side, side), batch, dtype)
                for dtype in DTYPES
                for channels, side, batch in (
                    *((channels, side, 100) for channels, side in convolution.SHAPES),
                    (12, 16, 1),
                    (12, 16, 8),
                )
            ),
        ),
    ),
    "sampling": Group(
        "Sampling from a flow",
        "PyTorch: the forward pass of a twin, which has no inverse, in its faster memory order.",
        (flows.measure_sampling, flows.measure_layers, flows.measure_wide),
    ),
    "training": Group(
        "One step of training a flow",
        "PyTorch: backward pass and Adam step of a twin, in its faster memory order. Memory: what "
        "a step holds beyond parameters, gradient and optimizer state.",
        (
            partial(flows.measure_training, "affine"),
            partial(flows.measure_training, "quad"),
            flows.measure_step_memory,
        ),
    ),
    "scaling": Group(
        "The exact inverse by batch and image size, batch-last",
        "Time per image over the least at any smaller batch; time per multiply-add inside the "
        "image over the least of all; memory over that of the input.",
        (
            *(partial(scaling.measure_batches, dtype) for dtype in DTYPES),
            *(partial(scaling.measure_sizes, dtype) for dtype in DTYPES),
            scaling.measure_memory,
        ),
    ),
    "compile": Group(
        "Processes that compile, and that find all compiled",
        "Processor time over that of a process that imports NumPy, SciPy, Numba and autograd.",
        tuple(partial(compilation.measure_compilation, case) for case in compilation.SCRIPTS),
    ),
}


@dataclass(frozen=True)
class Report:
    """The machine and the rows of a run.

    Attributes
    ----------
    machine : Machine
    date : str
    groups : dict of str to Group
    rows : dict of str to list of Row
        The rows by the name of their group.
    """

    machine: machine.Machine
    date: str
    groups: dict
    rows: dict

    def __repr__(self) -> str:
        counts = {name: f"{len(rows)} rows" for name, rows in self.rows.items()}
        return repr_of("Report", {"date": self.date, "cpu": self.machine.cpu, **counts})

    def _repr_html_(self) -> str:
        names = ("what", "case", "dtype", "median, s", "minimum, s", "GFLOP/s", "ratios")
        return "".join(
            table_html(names, [_cells(row) for row in rows], caption=self.groups[name].title)
            for name, rows in self.rows.items()
        )

    def to_dict(self):
        """Convert the report to JSON values."""
        return {
            "date": self.date,
            "machine": asdict(self.machine),
            "rows": {name: [asdict(row) for row in rows] for name, rows in self.rows.items()},
        }


def _cells(row):
    """Return the entries of a row as a table shows them; none for what was not measured."""
    ratios = ", ".join(f"{name} {ratio:.3g}" for name, ratio in row.ratios.items())
    figures = ("" if v is None else v for v in (row.median, row.minimum, row.gflops))
    return row.what, row.case, row.dtype, *figures, ratios


def run(groups, progress=False):
    """Measure all jobs of these groups.

    Parameters
    ----------
    groups : dict of str to Group
    progress : bool
        Whether a progress bar is shown.

    Returns
    -------
    Report
    """
    here = machine.describe()
    jobs = [(name, job) for name, group in groups.items() for job in group.jobs]
    rows = {name: [] for name in groups}
    for name, job in tqdm(jobs, disable=not progress, leave=False, dynamic_ncols=True):
        rows[name] += job()
    return Report(here, datetime.now().astimezone().isoformat(timespec="minutes"), groups, rows)


def convolution_group(channels, size, batch, dtype):
    """Make the group of one convolution of the given size."""
    job = partial(convolution.measure_case, channels, size, batch, dtype)
    return Group("A convolution and its exact inverse", CONVOLUTION_NOTE, (job,))
