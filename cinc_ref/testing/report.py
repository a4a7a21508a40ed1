"""`run_checks`, which tries all checks without pytest, and the report that it returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import itemgetter

from cinc_ref import _validate
from cinc_ref._progress import tracked
from cinc_ref.testing.another_map import another_map
from cinc_ref.testing.failure import CheckSkipped
from cinc_ref.testing.implementation import OPERATIONS, Implementation
from cinc_ref.testing.suite import check_names, checks

__all__ = ["Report", "run_checks"]

SHOWN_NAMES = 6
"""The number of skipped checks that a printed report names for each reason, to stay readable."""


@dataclass(frozen=True)
class Report:
    """The outcome of `run_checks`; printed, it shows a record of each operation that failed.

    It also names the other failures, whose records are in `failures`, and what was not checked.

    Parameters
    ----------
    implementation : str
        The name of the implementation.
    seed : int
        The seed of the inputs.
    passed : list of str
        The names of the checks that passed.
    failures : dict
        The messages of the checks that failed unexpectedly, by name.
    expected : dict
        Pairs (reason, message) of the checks that were expected to fail and did, by name.
    unexpected_passes : dict
        The reasons for the checks that were expected to fail and did not, by name.
    skipped : dict
        The reasons why checks could not be tried, by name.

    Examples
    --------
    >>> import cinc_ref as cr
    >>> report = cr.testing.run_checks(cr.testing.Implementation(log_abs_det=cr.log_abs_det))
    >>> report.ok, report.failed, report.skipped["conv_inverse_tall"]
    (True, [], 'conv_inverse was not given')
    """

    implementation: str
    seed: int
    passed: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    expected: dict[str, tuple[str, str]] = field(default_factory=dict)
    unexpected_passes: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> list[str]:
        """The names of the checks that failed unexpectedly."""
        return list(self.failures)

    @property
    def ok(self) -> bool:
        """True if no check failed unexpectedly."""
        return not self.failures

    @property
    def not_checked(self) -> dict[str, str]:
        """The former name of `skipped`."""
        return self.skipped

    def __str__(self) -> str:
        head = (
            f"{self.implementation}, seed {self.seed}: {len(self.passed)} checks passed, "
            f"{len(self.failures)} failed, {len(self.expected)} failed as expected, "
            f"{len(self.skipped)} not checked"
        )
        blocks = [head, *_grouped(self.failures)]
        blocks += [
            f"{name}: failed as expected: {reason}" for name, (reason, _) in self.expected.items()
        ]
        blocks += [
            f"{name}: passed, though expected to fail: {reason}"
            for name, reason in self.unexpected_passes.items()
        ]
        reasons = {}
        for name, reason in self.skipped.items():
            reasons.setdefault(reason, []).append(name)
        blocks += [
            f"not checked, {reason}: {_first_names(names)}" for reason, names in reasons.items()
        ]
        return "\n\n".join(blocks)


def _operation(name):
    """Return the operation of a check's name; those of two operations stand by themselves."""
    return next((o for o in sorted(OPERATIONS, key=len, reverse=True) if name.startswith(o)), name)


def _grouped(failures):
    """Return the first record of each operation in full, and the names of the others.

    A bug fails many checks: its records differ in the shapes alone.
    """
    groups = {}
    for name in failures:
        groups.setdefault(_operation(name), []).append(name)
    blocks = []
    for operation, names in groups.items():
        blocks.append(failures[names[0]])
        if len(names) > 1:
            others = ", ".join(names[1:])
            blocks.append(
                f"{len(names) - 1} more of {operation} failed, each with a record in "
                f"report.failures: {others}"
            )
    return blocks


def run_checks(
    implementation: Implementation,
    seed: int = 0,
    expected_failures: Mapping[str, str] | None = None,
) -> Report:
    """Try every check on an implementation.

    One that is no causal convolution, but has a bias or another padding, fails the checks that
    show it, and the others are skipped: `check` tests any layer.

    Parameters
    ----------
    implementation : Implementation
    seed : int
        The seed of all random inputs.
    expected_failures : dict, optional
        The reason why a check is known to fail, by its name; such a failure leaves the report ok.

    Returns
    -------
    Report
        The outcome, with ``.ok`` and ``.failed`` (names); printing it shows the failures.

    Raises
    ------
    OptionError
        If `expected_failures` holds the name of no check.

    Examples
    --------
    The log-determinant of this implementation forgets the image size:

    >>> import numpy as np
    >>> from cinc_ref import testing
    >>> def log_abs_det(kernel, size):
    ...     return np.log(np.abs(np.linalg.det(kernel[:, :, -1, -1])))
    >>> report = testing.run_checks(testing.Implementation(log_abs_det=log_abs_det))
    >>> report.ok, "log_abs_det_counts_pixels" in report.failed
    (False, True)
    """
    _validate.instance("implementation", implementation, Implementation, "an Implementation")
    seed = _validate.integer("seed", seed, minimum=0)
    expected_failures = dict(expected_failures or {})
    suite = checks()
    check_names(expected_failures, suite)
    report = Report(implementation.name, seed)
    other = another_map(implementation, seed)
    if other is not None:
        decisive, reason = other
        report.skipped.update({name: reason for name, _ in suite if name != decisive})
        suite = [(name, check) for name, check in suite if name == decisive]
    for name, check in tracked(suite, "run_checks", len(suite), itemgetter(0)):
        try:
            check(implementation, seed)
        except CheckSkipped as reason:
            report.skipped[name] = str(reason)
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


def _first_names(names):
    """List the first names; `Report.skipped` has the others."""
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + more
