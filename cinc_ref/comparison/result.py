"""The results of a comparison."""

from dataclasses import dataclass
from typing import Any

from cinc_ref._display import repr_of, table_html

__all__ = ["Comparison"]


SHOWN = (
    "system", "coupling", "runs", "test_bits_per_dim", "standard_deviation", "steps", "parameters",
    "sampling_seconds", "worst_condition_number",
)  # fmt: skip
"""Entries of a row that a notebook shows; `cinc_ref.comparison.table` has all of them."""


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

    def __repr__(self) -> str:
        values = {
            "data": self.settings.get("data"), "rows": len(self.rows),
            "results": len(self.results), "complete": self.complete,
        }  # fmt: skip
        return repr_of("Comparison", values)

    def _repr_html_(self) -> str:
        rows = [["" if row.get(name) is None else row[name] for name in SHOWN] for row in self.rows]
        return table_html([name.replace("_", " ") for name in SHOWN], rows, caption=repr(self))
