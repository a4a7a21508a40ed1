"""What a theorem function returns: what was claimed, what was tried, how it came out."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Evidence:
    """The outcome of trying to refute one statement.

    Attributes
    ----------
    name : str
        Short name, as `verify` prints it.
    statement : str
        What is claimed.
    source : str
        Where the claim stands.
    cases : int
        How many cases were tried.
    largest : str
        The largest case, as its matrix size.
    worst : float or None
        The worst figure found, in the unit that the statement names; None where equality is exact.
    bound : float or None
        The figure that `worst` must stay below.
    verdict : {"holds", "fails", "skipped"}
        "holds" only if at least one case was tried and none refuted the statement.
    reason : str
        Why it fails or was skipped; empty when it holds.
    """

    name: str
    statement: str
    source: str
    cases: int
    largest: str
    worst: float | None
    bound: float | None
    verdict: str
    reason: str = ""
