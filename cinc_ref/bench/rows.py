"""What a benchmark finds: rows, one a figure, each with its ratios to other figures."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes
    ----------
    what : str
        The operation and the memory order of its images, or the part of a flow.
    case : str
        Its size, for instance "C=12 16x16 N=100".
    dtype : str
    median, minimum : float or None
        Seconds; None where no time is measured.
    gflops : float or None
        10^9 additions and multiplications a second by the median, those outside the image not
        counted.
    ratios : dict of str to float
        What it is divided by, and the quotient.
    """

    what: str
    case: str
    dtype: str = "float32"
    median: float | None = None
    minimum: float | None = None
    gflops: float | None = None
    ratios: dict = field(default_factory=dict)


def timed(what, case, dtype, timing, multiply_adds=None, ratios=()):
    """The row of a `Timing`; ratios that are None, for something not installed, are left out."""
    return Row(
        what,
        case,
        dtype,
        timing.median,
        timing.minimum,
        multiply_adds and 2 * multiply_adds / timing.median / 1e9,
        {name: ratio for name, ratio in dict(ratios).items() if ratio is not None},
    )
