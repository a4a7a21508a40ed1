"""`Finding`, a cause with its diagnosis in words, and `LayerReport`, what `check` returns."""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from cinc_ref._schema import SCHEMA, schema
from cinc_ref.testing import rendering

__all__ = ["SEVERITIES", "Finding", "LayerReport", "Severity"]

Severity: TypeAlias = Literal["wrong", "fragile", "convention"]
"""The grades of a finding: wrong, wrong at the edges only, or a difference of custom."""

SEVERITIES: tuple[Severity, ...] = ("wrong", "fragile", "convention")
"""The severities, the worst first."""


@dataclass(frozen=True)
class Finding:
    """A mistake in a layer, with its cause in words and all the properties that it breaks.

    Parameters
    ----------
    severity : {"wrong", "fragile", "convention"}
        Whether results are wrong, wrong at the edges (dtypes, memory, NaN, other sizes), or right
        but of another shape than is customary.
    cause : str
        The name of the cause, the same for the same mistake in any layer.
    diagnosis : str
        The cause in a sentence.
    checks : tuple of str
        The names of the properties that do not hold because of it.
    facts : dict
        What was expected and what was returned, of the first of these properties.
    occurrences : int
        The number of observations that have this cause.

    Examples
    --------
    >>> from cinc_ref.testing import Finding
    >>> Finding("wrong", "sign", "log det has the wrong sign", ("log_det_is_that_of_the_jacobian",))
    Finding(wrong, sign: log det has the wrong sign)
    """

    severity: Severity
    cause: str
    diagnosis: str
    checks: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    occurrences: int = 1

    def __repr__(self) -> str:
        return f"Finding({self.severity}, {self.cause}: {self.diagnosis})"

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as strings and lists of strings, for JSON.

        Returns
        -------
        dict
        """
        return {
            "severity": self.severity,
            "cause": self.cause,
            "diagnosis": self.diagnosis,
            "checks": list(self.checks),
            "facts": {
                label: str(value) for label, value in self.facts.items() if value is not None
            },
            "occurrences": self.occurrences,
        }


@dataclass(frozen=True)
class LayerReport:
    """The outcome of `check`: findings in the order of their severity, and what was tried.

    Printing it shows the diagnosis of every finding; notebooks show a table.

    Parameters
    ----------
    name : str
        The name of the layer.
    adapter : str
        The name of the adapter that was taken.
    shape : tuple of int
        The shape of the batch.
    dtype : str
        The dtype of the batch.
    findings : tuple of Finding
        The findings, the worst first.
    passed : tuple of str
        The names of the properties that hold.
    skipped : dict
        The reasons why properties could not be tried, by name.
    notes : tuple of str
        Sentences on how the layer was called.
    seconds : float
        The time of the checks in seconds.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.testing import check
    >>> def forward(x):
    ...     return 3 * x, np.full(len(x), np.log(3))  # H * W and C were forgotten
    >>> def inverse(y):
    ...     return y / 3, np.full(len(y), -np.log(3))
    >>> report = check((forward, inverse), shape=(2, 3, 5))
    >>> report.ok, report.adapter
    (False, 'pair of functions')
    >>> print(report.findings[0].diagnosis)
    log det is 1/30 of the Jacobian's: 30 = C*H*W, the entries were not counted
    """

    name: str
    adapter: str
    shape: tuple[int, ...]
    dtype: str
    findings: tuple[Finding, ...] = ()
    passed: tuple[str, ...] = ()
    skipped: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """True if no finding is wrong or fragile; a convention does not count."""
        return all(finding.severity == "convention" for finding in self.findings)

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """Return the findings of one severity.

        Parameters
        ----------
        severity : {"wrong", "fragile", "convention"}

        Returns
        -------
        tuple of Finding
        """
        return tuple(finding for finding in self.findings if finding.severity == severity)

    def __repr__(self) -> str:
        return rendering.short(self)

    def __str__(self) -> str:
        return rendering.text(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as numbers, strings, lists and dicts, for JSON.

        Returns
        -------
        dict
        """
        return {
            SCHEMA: schema("check"),
            "name": self.name,
            "adapter": self.adapter,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "ok": self.ok,
            "findings": [finding.to_dict() for finding in self.findings],
            "passed": list(self.passed),
            "skipped": dict(self.skipped),
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }

    def to_markdown(self) -> str:
        """Return the report as Markdown, for an issue or a README.

        Returns
        -------
        str
        """
        return rendering.markdown(self)

    def _repr_html_(self) -> str:
        return rendering.html(self)

    def to_junit(self) -> str:
        """Return the report as JUnit XML, one test case for each property and finding.

        Returns
        -------
        str
        """
        return rendering.junit(self)

    def to_badge(self) -> str:
        """Return an SVG image of a line: the number of findings, or "passing".

        Returns
        -------
        str
        """
        return rendering.badge(self)

    def to_test(self) -> str:
        """Return the lines of a pytest test that checks the layer again, to paste into a file.

        Returns
        -------
        str
        """
        return rendering.test(self)
