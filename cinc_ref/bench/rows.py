"""Rows of a benchmark: one figure each, with its ratios to other figures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from cinc_ref._display import fields_html, short_repr
from cinc_ref.timing import Timing

__all__ = ["DISTURBED", "Dtype", "Row", "timed"]

Dtype: TypeAlias = Literal["float32", "float64"]
"""Name of a dtype of images and parameters."""

DISTURBED = 1.5
"""Ratio of median to minimum above which other work on the core disturbed a measurement.

19 of 20 rows of ``bench kernels`` on an idle machine are below 1.41.
"""


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

    @property
    def spread(self) -> float:
        """The median divided by the minimum; 1 where no time is measured."""
        return self.median / self.minimum if self.median and self.minimum else 1.0

    __repr__ = short_repr
    _repr_html_ = fields_html


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
