"""The groups of measurements, in the order in which they run, and a whole run."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from operator import itemgetter
from typing import Any

from cinc_ref import _validate
from cinc_ref._display import repr_of, short_repr, table_html
from cinc_ref._progress import tracked
from cinc_ref._schema import SCHEMA, schema
from cinc_ref._typing import Size
from cinc_ref.bench import compilation, convolution, flows, machine, scaling
from cinc_ref.bench.rows import DISTURBED, Dtype, Row

__all__ = ["GROUPS", "MARK", "Group", "Report", "convolution_group", "run"]

LOAD_OF_BENCHMARK = 0.5
"""Part of a core that must be free before the start, in units of the load average."""

MARK = "(read this)"
"""Mark in a table of the rows that answer the usual question."""

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
    answer : str
        Name of the rows that answer the usual question, which the note names; "" without any.
    """

    title: str
    note: str = field(repr=False)
    jobs: tuple[Callable[[], list[Row]], ...] = field(repr=False)
    answer: str = ""

    __repr__ = short_repr

    def label(self, row: Row) -> str:
        """Return the name of a row for a table, with a mark if it is the answer."""
        return f"{row.what} {MARK}" if row.what == self.answer else row.what


ANSWER = "conv_inverse, NCHW"
"""Row of the exact inverse as a caller with ordinary NumPy arrays has it."""

CONVOLUTION_NOTE = (
    "Ours is the public call with its checks. PyTorch: forward convolution, F.pad included, or "
    "weight gradient, in its faster memory order. GFLOP/s count taps inside the image alone; gemm: "
    "those of large matrix products, measured in turn. cinc_ref.torch: the operator on tensors; "
    "its overhead is what a call takes beyond conv_inverse on arrays. How long conv_inverse takes "
    f"on ordinary arrays: the rows with {MARK}."
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
            convolution.measure_overhead,
        ),
        ANSWER,
    ),
    "sampling": Group(
        "Sampling from a flow",
        "PyTorch: the forward pass of a twin, which has no inverse, in its fastest form: either "
        "memory order, or compiled where a compiler is. ONNX Runtime: the exported twin, where it "
        "is installed. How long sampling takes: the rows with "
        f"{MARK}. paper: the models of the paper's table, with quad-coupling.",
        (
            *(partial(flows.measure_sampling, batch, compiled=True) for batch in (1, 10, 100)),
            partial(flows.measure_sampling, 1, 51, flows.DIGIT, flows.DIGITS, compiled=True),
            flows.measure_layers,
            *(partial(flows.measure_wide, batch) for batch in (10, 100)),
            *(partial(flows.measure_paper, data) for data in flows.SIDES),
        ),
        "sample",
    ),
    "training": Group(
        "One step of training a flow",
        "PyTorch: backward pass and Adam step of a twin, in its faster memory order. Memory: what "
        "a step holds beyond parameters, gradient and optimizer state. How long a step takes: the "
        f"row with {MARK}.",
        (
            partial(flows.measure_training, "affine"),
            partial(flows.measure_training, "quad"),
            flows.measure_step_memory,
        ),
        "training step, affine",
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
        "Processor time over that of a process that imports NumPy, SciPy, Numba and autograd. "
        f"What the first call of a new machine costs: the rows with {MARK}.",
        tuple(partial(compilation.measure_compilation, case) for case in compilation.SCRIPTS),
        compilation.EMPTY,
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

    def __repr__(self) -> str:
        counts = {name: f"{len(rows)} rows" for name, rows in self.rows.items()}
        return repr_of("Report", {"date": self.date, "cpu": self.machine.cpu, **counts})

    def _repr_html_(self) -> str:
        names = ("what", "case", "dtype", "median, s", "minimum, s", "GFLOP/s", "ratios")
        return "".join(
            table_html(names, [_cells(row) for row in rows], caption=self.groups[name].title)
            for name, rows in self.rows.items()
        )

    @property
    def disturbance(self) -> str:
        """A sentence on other work that disturbed the figures; "" if nothing tells of any."""
        rows = [row for rows in self.rows.values() for row in rows]
        disturbed = [row for row in rows if row.spread > DISTURBED]
        here, signs = self.machine, []
        if disturbed:
            worst = max(disturbed, key=lambda row: row.spread)
            signs.append(
                f"in {len(disturbed)} of {len(rows)} rows the median is more than {DISTURBED:g} "
                f"times the minimum, at worst {worst.spread:.1f} times ({worst.what}, {worst.case} "
                f"{worst.dtype})"
            )
        if here.load and here.cores and here.load > here.cores - LOAD_OF_BENCHMARK:
            signs.append(
                f"the load average was {here.load:.1f} on {here.cores} "
                f"core{'s' * (here.cores > 1)} before the start"
            )
        if not signs:
            return ""
        return (
            f"The core was not alone: {'; '.join(signs)}. Minima and ratios, which are measured in "
            "turn, suffer least; for medians leave the machine alone and measure again."
        )

    def to_dict(self) -> dict[str, Any]:
        """Convert the report to JSON values."""
        return {
            SCHEMA: schema("bench"),
            "date": self.date,
            "machine": asdict(self.machine),
            "disturbance": self.disturbance,
            "rows": {name: [asdict(row) for row in rows] for name, rows in self.rows.items()},
        }


def _cells(row):
    """Return the entries of a row as a table shows them; none for what was not measured."""
    ratios = ", ".join(f"{name} {ratio:.3g}" for name, ratio in row.ratios.items())
    figures = ("" if v is None else v for v in (row.median, row.minimum, row.gflops))
    return row.what, row.case, row.dtype, *figures, ratios


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

    Raises
    ------
    OptionError
        If a group is no `Group`, or `progress` is not True or False.
    """
    progress = _validate.boolean("progress", progress)
    for name, group in _validate.instance("groups", groups, Mapping, "a dict of groups").items():
        _validate.instance(f"groups[{name!r}]", group, Group, "a Group, as in bench.GROUPS")
    here = machine.describe()
    jobs = [(name, job) for name, group in groups.items() for job in group.jobs]
    rows = {name: [] for name in groups}
    for name, job in tracked(jobs, "bench", len(jobs), itemgetter(0)) if progress else jobs:
        rows[name] += job()
    return Report(here, datetime.now().astimezone().isoformat(timespec="minutes"), groups, rows)


def convolution_group(channels: int, size: Size, batch: int, dtype: Dtype) -> Group:
    """Make the group of one convolution, whose size is checked before anything is measured.

    Parameters
    ----------
    channels, batch : int
        At least 1.
    size : (int, int)
        Height and width in pixels.
    dtype : {"float32", "float64"}

    Returns
    -------
    Group

    Raises
    ------
    OptionError
        If a number is no integer >= 1, or the dtype is another.
    ShapeError
        If the size is not two integers >= 1.

    Examples
    --------
    >>> convolution_group(3, (8, 8), 10, "float32").answer
    'conv_inverse, NCHW'
    """
    channels = _validate.integer("channels", channels, minimum=1)
    batch = _validate.integer("batch", batch, minimum=1)
    size, dtype = _validate.check_size(size), _validate.one_of("dtype", dtype, DTYPES)
    needed = 8 * channels * (channels + batch * size[0] * size[1])
    given = (channels, size, batch)
    _validate.check_memory("channels, size, batch", given, needed, "use smaller ones")
    job = partial(convolution.measure_case, channels, size, batch, dtype)
    jobs = (job, convolution.measure_overhead)
    return Group("A convolution and its exact inverse", CONVOLUTION_NOTE, jobs, ANSWER)
