"""Rows of a benchmark: one figure each, with its ratios to other figures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from cinc_ref.timing import Timing

__all__ = ["Dtype", "Row", "timed"]

Dtype: TypeAlias = Literal["float32", "float64"]
"""Name of a dtype of images and parameters."""


@dataclass(frozen=True)
class Row:
    """One measured figure.

    Attributes
    ----------
    what : str
        The operation and the memory order of its images, or the part of a flow.
    case : str
        The size, for instance "C=12 16x16 N=100".
    dtype : str
    median, minimum : float or None
        Seconds; None where no time is measured.
    gflops : float or None
        Additions and multiplications inside the image, in 10^9 a second by the median.
    ratios : dict of str to float
        The quotients, by the name of the figure in the denominator.
    """

    what: str
    case: str
    dtype: str = "float32"
    median: float | None = None
    minimum: float | None = None
    gflops: float | None = None
    ratios: dict[str, float] = field(default_factory=dict)


def timed(
    what: str,
    case: str,
    dtype: str,
    timing: Timing,
    multiply_adds: int | None = None,
    ratios: Mapping[str, float | None] = MappingProxyType({}),
) -> Row:
    """Make the row of a `Timing`; ratios that are None (not installed) are left out."""
    return Row(
        what,
        case,
        dtype,
        timing.median,
        timing.minimum,
        multiply_adds and 2 * multiply_adds / timing.median / 1e9,
        {name: ratio for name, ratio in ratios.items() if ratio is not None},
    )
