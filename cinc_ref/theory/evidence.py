"""Evidence for a statement: what was claimed, what was tried, and the outcome."""

import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from os import PathLike
from typing import Any, Literal

import numpy as np

from cinc_ref._display import fields_html, short_repr
from cinc_ref._files import write_atomically
from cinc_ref.errors import CheckpointError
from cinc_ref.theory.cases import Case

__all__ = ["Counterexample", "Evidence", "find", "load_counterexample", "search", "skipped"]


@dataclass(frozen=True)
class Counterexample:
    """A case with the claim that it bears on.

    Attributes
    ----------
    claim : str
        The name of the evidence.
    problem : str
        The contradiction, in words.
    case : Case
        The kernel and its options, the image size and, where the claim is about images, those.
    """

    claim: str
    problem: str
    case: Case

    __repr__ = short_repr
    _repr_html_ = fields_html

    def save(self, path: str | PathLike[str]) -> None:
        """Write it as an npz file, whole or not at all, for `load_counterexample`.

        Parameters
        ----------
        path : str or path
            Used as it is: no ending is added.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        arrays = {"claim": self.claim, "problem": self.problem}
        for field in fields(Case):
            value = getattr(self.case, field.name)
            if value is not None:
                arrays[field.name] = value
        with write_atomically(path) as file:
            np.savez(file, **arrays)

    def to_dict(self) -> dict[str, Any]:
        """Convert it to lists, numbers and strings, for JSON.

        Returns
        -------
        dict
            The claim, the problem, and the attributes of the case.
        """
        case = {field.name: getattr(self.case, field.name) for field in fields(Case)}
        lists = {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in case.items()}
        return {"claim": self.claim, "problem": self.problem, **lists}


@dataclass(frozen=True)
class Evidence:
    """The outcome of trying to refute one statement.

    Attributes
    ----------
    name : str
        Short name, as `verify` prints it.
    statement : str
        The claim in words.
    source : str
        Where the claim stands.
    cases : int
        Number of cases that were tried.
    largest : str
        The largest case, as its matrix size.
    worst : float or None
        The worst figure found, in the unit that the statement names; None where equality is exact.
    bound : float or None
        The figure that `worst` must stay below.
    verdict : {"holds", "fails", "skipped"}
        "holds" only if at least one case was tried and none refuted the statement.
    reason : str
        Why it fails or was skipped; for a statement of existence, the example.
    counterexample : Counterexample or None
        The case that refutes the statement, or the one whose existence it states.
    theorems : tuple of int
        The numbers, from 1 to 9, of the theorems that the statement is part of.
    proved : bool
        Whether the statement, as it is worded, is proved, and not only tried on cases.
    """

    name: str
    statement: str
    source: str
    cases: int
    largest: str
    worst: float | None
    bound: float | None
    verdict: Literal["holds", "fails", "skipped"]
    reason: str = ""
    counterexample: Counterexample | None = None
    theorems: tuple[int, ...] = ()
    proved: bool = False

    __repr__ = short_repr
    _repr_html_ = fields_html

    @property
    def support(self) -> str:
        """Tell what the statement rests on: "proved", "tried on 300 cases" or "not tried"."""
        if self.proved:
            return "proved"
        plural = "" if self.cases == 1 else "s"
        return f"tried on {self.cases:,} case{plural}" if self.cases else "not tried"

    def to_dict(self) -> dict[str, Any]:
        """Convert it to lists, numbers and strings, for JSON; figures that are not finite as text.

        Returns
        -------
        dict
            With the names of the attributes as keys.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.worst is not None and not np.isfinite(self.worst):
            values["worst"] = str(self.worst)
        if self.counterexample is not None:
            values["counterexample"] = self.counterexample.to_dict()
        return values


def skipped(
    name: str, statement: str, source: str, reason: str, theorems: tuple[int, ...] = ()
) -> Evidence:
    """Return evidence that nothing was tried."""
    return Evidence(
        name, statement, source, 0, "-", None, None, "skipped", reason, theorems=theorems
    )


def search(
    name: str,
    statement: str,
    source: str,
    cases: Iterable[Case],
    refute: Callable[[Any], float | str],
    bound: float | None = None,
    *,
    theorems: tuple[int, ...] = (),
    exhaustive: bool = False,
) -> Evidence:
    """Try to refute a statement on every case; stop at the first that does.

    Parameters
    ----------
    name, statement, source : str
    cases : iterable of Case
    refute : callable
        With a bound, ``refute(case)`` returns the error, which must not exceed the bound; without
        one, it returns the contradiction as text, which is empty if there is none. If it raises,
        the case has refuted the statement.
    bound : float, optional
    theorems : tuple of int
    exhaustive : bool
        The cases are all that the statement speaks of: it is proved if none refutes it.

    Returns
    -------
    Evidence
    """
    evidence = Evidence(
        name, statement, source, 0, "-", None, bound, "skipped", "no case was drawn",
        theorems=theorems,
    )  # fmt: skip
    unknowns, worst = 0, 0.0
    for count, case in enumerate(cases, 1):
        unknowns = max(unknowns, case.unknowns)
        evidence = replace(evidence, cases=count, largest=f"{unknowns} x {unknowns}")
        figure, problem = _outcome(refute, case, bound)
        if problem:
            return replace(
                evidence,
                worst=figure,
                verdict="fails",
                reason=f"{problem}: {case}",
                counterexample=Counterexample(name, problem, case),
            )
        if bound is not None:
            worst = max(worst, figure)
        evidence = replace(
            evidence, worst=None if bound is None else worst, verdict="holds", reason=""
        )
    return replace(evidence, proved=exhaustive and evidence.verdict == "holds")


def find(
    name: str,
    statement: str,
    source: str,
    cases: Iterable[Case],
    example: Callable[[Any], str],
    *,
    theorems: tuple[int, ...] = (),
) -> Evidence:
    """Look for a case that proves a statement of existence.

    ``example(case)`` describes why the case is an example, or returns "" if it is none. If it
    raises, the case proves nothing.
    """

    def describe(case):
        try:
            return example(case)
        except Exception:
            return ""

    evidence = search(name, statement, source, cases, describe, theorems=theorems)
    if evidence.verdict == "skipped":
        return evidence
    if evidence.verdict == "holds":
        return replace(evidence, verdict="fails", reason="no such case was found")
    return replace(evidence, verdict="holds", reason=evidence.counterexample.problem, proved=True)


def load_counterexample(path: str | PathLike[str]) -> Counterexample:
    """Read a file that `Counterexample.save` wrote.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    Counterexample

    Raises
    ------
    CheckpointError
        If the file is no counterexample, or is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            values = {name: stored[name] for name in stored}
        claim, problem = str(values.pop("claim")), str(values.pop("problem"))
        values["size"] = tuple(values["size"].tolist())
        values["anchor"] = tuple(values["anchor"].tolist())
        values["dilation"] = int(values["dilation"])
        values["corner"] = str(values["corner"])
        return Counterexample(claim, problem, Case(**values))
    except (EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"{path} must be a counterexample written by its save method; {error}"
        ) from error


def _outcome(refute, case, bound):
    """Return the figure, if there is one, and the problem, if there is one."""
    try:
        figure = refute(case)
    except Exception as error:
        return None if bound is None else float("nan"), f"it raised {error!r}"
    if bound is None:
        return None, figure
    problem = "" if figure <= bound else f"{figure:.3g} exceeds {bound:g}"  # also when it is NaN
    return float(figure), problem
