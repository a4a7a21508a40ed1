"""The results of a comparison."""

from dataclasses import dataclass
from typing import Any

__all__ = ["Comparison"]


@dataclass(frozen=True)
class Comparison:
    """The results of `compare`.

    Attributes
    ----------
    rows : list of dict
        One row for each system and coupling, with the entries of
        `cinc_ref.comparison.table.rows_of`.
    results : list of dict
        One result for each finished run.
    settings : dict
        The options that all runs have in common, and the machine.
    complete : bool
        False if Ctrl-C stopped it; another call continues it.

    Examples
    --------
    >>> import tempfile
    >>> from cinc_ref.comparison import compare
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     comparison = compare(folder, systems=["cinc"], couplings=["affine"], seeds=1,
    ...                          steps=1, model={"depth": 1, "width": 4})
    >>> comparison.complete, len(comparison.rows), len(comparison.results)
    (True, 1, 1)
    """

    rows: list[dict[str, Any]]
    results: list[dict[str, Any]]
    settings: dict[str, Any]
    complete: bool
