"""Every check as a pytest case of its own."""

from cinc_ref._extras import extra
from cinc_ref.testing.catalogue import checks
from cinc_ref.testing.report import check_names


def parametrize_with_checks(implementations, *, expected_failures=None):
    """A pytest decorator: the test runs once for every implementation and check.

    Parameters
    ----------
    implementations : iterable of Implementation
    expected_failures : dict, optional
        Name of a check to the reason why it is known to fail; these are marked xfail.

    Returns
    -------
    pytest.MarkDecorator
        Of a test with the arguments ``implementation`` and ``check``.

    Raises
    ------
    MissingExtraError
        If pytest is not installed.
    OptionError
        If `expected_failures` names no check.

    Examples
    --------
    >>> import cinc_ref as cr
    >>> @cr.testing.parametrize_with_checks([cr.testing.Implementation(conv=cr.conv)])
    ... def test_my_layer(implementation, check):
    ...     check(implementation)
    """
    with extra("test"):
        import pytest

    expected_failures = dict(expected_failures or {})
    catalogue = checks()
    check_names(expected_failures, catalogue)

    def marks(name):
        reason = expected_failures.get(name)
        return [pytest.mark.xfail(reason=reason)] if name in expected_failures else []

    return pytest.mark.parametrize(
        ("implementation", "check"),
        [
            pytest.param(
                implementation, check, id=f"{implementation.name}-{name}", marks=marks(name)
            )
            for implementation in implementations
            for name, check in catalogue
        ],
    )
