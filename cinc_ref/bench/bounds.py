"""The bounds on the ratios of a benchmark in one table, and the verdicts on a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cinc_ref._display import short_repr
from cinc_ref.bench.compilation import EMPTY, FILLED, SCRIPTS
from cinc_ref.bench.convolution import OVERHEAD, case_name
from cinc_ref.bench.rows import Row

__all__ = ["BOUNDS", "Bound", "Verdict", "judge"]

LEVELS = tuple(case_name(c, (side, side), 100) for c, side in ((12, 16), (24, 8), (48, 4)))
LARGE = tuple(case_name(c, (side, side), 100) for c, side in ((12, 32), (3, 32)))
OPERATIONS, INVERSE, TRAINING_STEP = SCRIPTS
ONE, EIGHT = (case_name(12, (16, 16), batch) for batch in (1, 8))

COLOUR = "3x32x32 levels=3 depth=32"
WIDE = f"{COLOUR} width=512 N=100"
DIGIT = "1x8x8 levels=2 depth=8 width=64 N=1"


@dataclass(frozen=True)
class Bound:
    """A limit of one ratio.

    Attributes
    ----------
    group, what, over : str
        The group and the name of the rows, and the name of the ratio.
    limit : float
        The limit of the ratio.
    dtype : str or None
        The dtype of the rows; None for any.
    cases : tuple of str
        The sizes of the rows; empty for all.
    at_least : bool
        Whether the ratio must be at least the limit, instead of at most.
    """

    group: str
    what: str
    over: str
    limit: float
    dtype: str | None = None
    cases: tuple[str, ...] = ()
    at_least: bool = False

    __repr__ = short_repr

    @property
    def name(self) -> str:
        """The description of the ratio."""
        cases = f" at {'; '.join(self.cases)}" if self.cases else ""
        return f"{self.what} / {self.over}{f', {self.dtype}' if self.dtype else ''}{cases}"

    def applies(self, row: Row) -> bool:
        """Return whether a row has this ratio."""
        return (
            row.what == self.what
            and self.over in row.ratios
            and self.dtype in (None, row.dtype)
            and (not self.cases or row.case in self.cases)
        )


def _both(group, what, over, float32, float64, cases):
    return (
        Bound(group, what, over, float32, "float32", cases),
        Bound(group, what, over, float64, "float64", cases),
    )


def _compiling(case, empty, filled):
    return (
        Bound("compile", EMPTY, "imports", empty, cases=(case,)),
        Bound("compile", FILLED, "imports", filled, cases=(case,)),
    )


BOUNDS = (
    *_both("kernels", "conv_inverse, batch-last", "PyTorch", 0.70, 0.40, LEVELS),
    *_both("kernels", "conv_inverse, NCHW", "PyTorch", 0.75, 0.40, LEVELS),
    *_both("kernels", "conv_inverse, batch-last", "PyTorch", 0.90, 0.45, LARGE),
    *_both("kernels", "conv_inverse, NCHW", "PyTorch", 0.90, 0.45, LARGE),
    *_both("kernels", "conv, batch-last", "PyTorch", 0.70, 0.40, LEVELS),
    Bound("kernels", "weight gradient", "PyTorch", 0.90, cases=LEVELS),
    Bound("kernels", "conv_inverse, kernel alone", "gemm", 0.75, cases=LEVELS, at_least=True),
    Bound("kernels", "conv_inverse, batch-last", "PyTorch", 1.0, cases=(ONE,)),
    Bound("kernels", "conv_inverse, batch-last", "PyTorch", 0.65, cases=(EIGHT,)),
    Bound("kernels", "cinc_ref.torch.conv_inverse, NCHW", "PyTorch", 0.75, "float32", LEVELS),
    Bound("kernels", OVERHEAD["inference mode"], "1 µs", 15),
    Bound("kernels", OVERHEAD["recording"], "1 µs", 35),
    Bound("kernels", "VJP of conv_inverse", "conv_inverse", 3.5, cases=LEVELS),
    Bound("kernels", "conv_inverse, batch-last", "reference", 1 / 12, "float64", LEVELS),
    Bound("scaling", "conv_inverse by batch", "least per image", 1.35),
    Bound("scaling", "conv_inverse by size", "least per multiply-add", 1.6),
    Bound("scaling", "memory of conv_inverse, batch-last", "input", 2.2),
    Bound("scaling", "memory of conv_inverse, NCHW", "input", 2.2),
    Bound("sampling", "sample", "encode", 1.15),
    *(
        Bound("sampling", "sample", "PyTorch", limit, cases=(f"{COLOUR} width=64 N={batch}",))
        for batch, limit in ((1, 0.60), (10, 0.55), (100, 0.50))
    ),
    Bound("sampling", "sample", "PyTorch", 0.55, cases=(DIGIT,)),
    Bound("sampling", "sample, width 512", "PyTorch", 0.95),
    Bound("sampling", "sample, width 512", "gemm", 0.80, cases=(WIDE,), at_least=True),
    Bound("training", "training step, affine", "PyTorch", 0.70),
    Bound("training", "training step, quad", "PyTorch", 0.65),
    Bound("training", "memory of a step, constant memory", "depth 4", 1.3),
    *_compiling(OPERATIONS, 9, 1.8),
    *_compiling(INVERSE, 12, 1.8),
    *_compiling(TRAINING_STEP, 32, 4),
)


@dataclass(frozen=True)
class Verdict:
    """The comparison of a run with one bound.

    Attributes
    ----------
    bound : Bound
    worst : float or None
        The ratio that is nearest to missing the bound, or misses it most; None if none was
        measured.
    case : str
        The size and dtype at which that ratio was measured.
    """

    bound: Bound
    worst: float | None
    case: str

    __repr__ = short_repr

    @property
    def missed(self) -> bool:
        """True if a ratio lies beyond the limit."""
        if self.worst is None:
            return False
        if self.bound.at_least:
            return self.worst < self.bound.limit
        return self.worst > self.bound.limit

    def to_dict(self) -> dict[str, Any]:
        """Convert the verdict to JSON values."""
        return {
            "bound": self.bound.name,
            "limit": self.bound.limit,
            "at_least": self.bound.at_least,
            "worst": self.worst,
            "case": self.case,
            "missed": self.missed,
        }


def judge(
    rows_by_group: Mapping[str, Sequence[Row]], bounds: Sequence[Bound] = BOUNDS
) -> list[Verdict]:
    """Judge the rows by every bound on one of their groups.

    Parameters
    ----------
    rows_by_group : dict of str to list of Row
        The rows of a run by the name of their group.
    bounds : sequence of Bound

    Returns
    -------
    list of Verdict

    Examples
    --------
    >>> from cinc_ref.bench.rows import Row
    >>> rows = {"sampling": [Row("sample", "a flow", ratios={"encode": 1.3})]}
    >>> [verdict.missed for verdict in judge(rows) if verdict.worst]
    [True]
    """
    return [
        _judge(bound, rows_by_group[bound.group])
        for bound in bounds
        if bound.group in rows_by_group
    ]


def _judge(bound, rows):
    ratios = [(row.ratios[bound.over], row.case, row.dtype) for row in rows if bound.applies(row)]
    if not ratios:
        return Verdict(bound, None, "")
    worst, case, dtype = (min if bound.at_least else max)(ratios)
    return Verdict(bound, worst, f"{case} {dtype}")
