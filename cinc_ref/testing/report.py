"""All checks on one implementation without pytest, and what came out."""

from dataclasses import dataclass, field

from cinc_ref.errors import OptionError
from cinc_ref.testing.catalogue import checks
from cinc_ref.testing.failure import NotChecked

FEW = 6
"""How many unchecked names a printed report gives for each reason."""


@dataclass(frozen=True)
class Report:
    """The outcome of `run_checks`; printing it gives the failures and what was not checked.

    Attributes
    ----------
    implementation : str
        Its name.
    seed : int
    passed : list of str
    failures : dict
        Name to message, of the checks that failed unexpectedly.
    expected : dict
        Name to (reason, message), of those that were expected to fail and did.
    unexpected_passes : dict
        Name to reason, of those that were expected to fail and did not.
    not_checked : dict
        Name to reason, of those that could not be tried.
    """

    implementation: str
    seed: int
    passed: list = field(default_factory=list)
    failures: dict = field(default_factory=dict)
    expected: dict = field(default_factory=dict)
    unexpected_passes: dict = field(default_factory=dict)
    not_checked: dict = field(default_factory=dict)

    @property
    def failed(self):
        """The names of the checks that failed unexpectedly."""
        return list(self.failures)

    @property
    def ok(self):
        """Whether none did."""
        return not self.failures

    def __str__(self):
        head = (
            f"{self.implementation}, seed {self.seed}: {len(self.passed)} checks passed, "
            f"{len(self.failures)} failed, {len(self.expected)} failed as expected, "
            f"{len(self.not_checked)} not checked"
        )
        blocks = [head, *self.failures.values()]
        blocks += [
            f"{name}: failed as expected: {reason}" for name, (reason, _) in self.expected.items()
        ]
        blocks += [
            f"{name}: passed, though expected to fail: {reason}"
            for name, reason in self.unexpected_passes.items()
        ]
        reasons = {}
        for name, reason in self.not_checked.items():
            reasons.setdefault(reason, []).append(name)
        blocks += [f"not checked, {reason}: {_few(names)}" for reason, names in reasons.items()]
        return "\n\n".join(blocks)


def run_checks(implementation, seed=0, expected_failures=None):
    """Try every check on an implementation.

    Parameters
    ----------
    implementation : Implementation
    seed : int
        All inputs follow from it.
    expected_failures : dict, optional
        Name of a check to the reason why it is known to fail; such a failure leaves the report ok.

    Returns
    -------
    Report
        With ``.ok``, ``.failed`` (names), and a text when printed.

    Raises
    ------
    OptionError
        If `expected_failures` names no check.

    Examples
    --------
    A log-determinant that forgets the image size:

    >>> import numpy as np
    >>> from cinc_ref import testing
    >>> def log_abs_det(kernel, size):
    ...     return np.log(np.abs(np.linalg.det(kernel[:, :, -1, -1])))
    >>> report = testing.run_checks(testing.Implementation(log_abs_det=log_abs_det))
    >>> report.ok, "log_abs_det_counts_pixels" in report.failed
    (False, True)
    """
    expected_failures = dict(expected_failures or {})
    catalogue = checks()
    check_names(expected_failures, catalogue)
    report = Report(implementation.name, int(seed))
    for name, check in catalogue:
        try:
            check(implementation, seed)
        except NotChecked as reason:
            report.not_checked[name] = str(reason)
        except AssertionError as failure:
            if name in expected_failures:
                report.expected[name] = (expected_failures[name], str(failure))
            else:
                report.failures[name] = str(failure)
        else:
            report.passed.append(name)
            if name in expected_failures:
                report.unexpected_passes[name] = expected_failures[name]
    return report


def _few(names):
    """The first names of a list; `Report.not_checked` has the others."""
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more


def check_names(names, catalogue):
    """Refuse names that no check has."""
    unknown = sorted(set(names) - {name for name, _ in catalogue})
    if unknown:
        raise OptionError(f"expected_failures must name checks; got {', '.join(unknown)}")
