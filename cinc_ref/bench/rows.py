"""Rows of a benchmark: one figure each, with its ratios to other figures."""

from dataclasses import dataclass, field

from cinc_ref._display import fields_html, short_repr


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
    ratios: dict = field(default_factory=dict)

    __repr__ = short_repr
    _repr_html_ = fields_html


def timed(what, case, dtype, timing, multiply_adds=None, ratios=()):
    """Make the row of a `Timing`; ratios that are None (not installed) are left out."""
    return Row(
        what,
        case,
        dtype,
        timing.median,
        timing.minimum,
        multiply_adds and 2 * multiply_adds / timing.median / 1e9,
        {name: ratio for name, ratio in dict(ratios).items() if ratio is not None},
    )
