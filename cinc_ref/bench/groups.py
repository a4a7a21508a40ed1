"""The groups of measurements, in the order in which they run, and a whole run."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from operator import itemgetter
from typing import Any

from cinc_ref._progress import tracked
from cinc_ref._typing import Size
from cinc_ref.bench import compilation, convolution, flows, machine, scaling
from cinc_ref.bench.rows import Dtype, Row

__all__ = ["GROUPS", "Group", "Report", "convolution_group", "run"]

DTYPES: tuple[Dtype, ...] = ("float32", "float64")


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
    jobs: tuple[Callable[[], list[Row]], ...]


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
    groups: Mapping[str, Group]
    rows: dict[str, list[Row]]

    def to_dict(self) -> dict[str, Any]:
        """Convert the report to JSON values."""
        return {
            "date": self.date,
            "machine": asdict(self.machine),
            "rows": {name: [asdict(row) for row in rows] for name, rows in self.rows.items()},
        }


def run(groups: Mapping[str, Group], progress: bool = False) -> Report:
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
    for name, job in tracked(jobs, "bench", len(jobs), itemgetter(0)) if progress else jobs:
        rows[name] += job()
    return Report(here, datetime.now().astimezone().isoformat(timespec="minutes"), groups, rows)


def convolution_group(channels: int, size: Size, batch: int, dtype: Dtype) -> Group:
    """Make the group of one convolution of the given size."""
    job = partial(convolution.measure_case, channels, size, batch, dtype)
    return Group("A convolution and its exact inverse", CONVOLUTION_NOTE, (job,))
