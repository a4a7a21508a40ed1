"""The conformance suite: every check in one list, operation by operation."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from cinc_ref._extras import extra
from cinc_ref.errors import OptionError
from cinc_ref.testing import gradients, log_det, structure
from cinc_ref.testing.base import Check
from cinc_ref.testing.contract import contract_checks
from cinc_ref.testing.correctness import correctness_checks
from cinc_ref.testing.drawn import drawn_checks
from cinc_ref.testing.implementation import Implementation
from cinc_ref.testing.memory import memory_checks
from cinc_ref.testing.scaling import scaling_checks
from cinc_ref.testing.values import value_checks

__all__ = [
    "check_names",
    "checks",
    "conv_checks",
    "conv_inverse_checks",
    "conv_inverse_vjp_checks",
    "conv_vjp_checks",
    "log_abs_det_checks",
    "parametrize_with_checks",
]


def checks() -> list[tuple[str, Check]]:
    """List every check of the suite, as (name, check) pairs.

    Returns
    -------
    list of (str, Check)
        A check is called as ``check(implementation, seed=0)``. It returns nothing, raises
        `CheckFailure`, an AssertionError, or `CheckSkipped` where the implementation lacks what it
        needs.

    Examples
    --------
    >>> import cinc_ref as cr
    >>> dict(cr.testing.checks())["conv_tall"].statement
    'conv(x, K) is M x: images taller than wide'
    """
    generators = (
        conv_checks,
        conv_inverse_checks,
        log_abs_det_checks,
        conv_vjp_checks,
        conv_inverse_vjp_checks,
    )
    return [(check.name, check) for generator in generators for check in generator()]


def conv_checks() -> Iterator[Check]:
    """Yield the checks of `conv`."""
    yield from correctness_checks("conv")
    yield from drawn_checks("conv")
    yield structure.conv_exact
    yield structure.conv_of_zero_is_zero
    yield structure.conv_is_homogeneous
    yield structure.conv_reads_earlier_pixels_only
    yield from contract_checks("conv")
    yield from scaling_checks("conv")
    yield from memory_checks("conv")
    yield from value_checks("conv")


def conv_inverse_checks() -> Iterator[Check]:
    """Yield the checks of `conv_inverse`, with those that also need `conv`."""
    yield from correctness_checks("conv_inverse")
    yield from drawn_checks("conv_inverse")
    yield structure.conv_inverse_exact
    yield structure.inverse_undoes_conv
    yield structure.conv_undoes_inverse
    yield structure.conv_inverse_residual
    yield structure.conv_inverse_of_zero_is_zero
    yield structure.conv_inverse_is_homogeneous
    yield structure.conv_inverse_reads_every_entry
    yield from contract_checks("conv_inverse")
    yield from scaling_checks("conv_inverse")
    yield from memory_checks("conv_inverse")
    yield from value_checks("conv_inverse")


def log_abs_det_checks() -> Iterator[Check]:
    """Yield the checks of `log_abs_det`, with the one that also needs `conv`."""
    yield from correctness_checks("log_abs_det")
    yield from drawn_checks("log_abs_det")
    yield log_det.log_abs_det_one_figure
    yield log_det.log_abs_det_sign
    yield log_det.log_abs_det_counts_pixels
    yield log_det.log_abs_det_takes_absolute_values
    yield log_det.log_abs_det_in_nats
    yield log_det.log_abs_det_reads_the_corner_block_alone
    yield log_det.log_abs_det_does_not_underflow
    yield log_det.log_abs_det_of_large_images
    yield log_det.log_abs_det_is_that_of_conv
    yield from contract_checks("log_abs_det")
    yield from scaling_checks("log_abs_det")
    yield from memory_checks("log_abs_det")
    yield from value_checks("log_abs_det")


def conv_vjp_checks() -> Iterator[Check]:
    """Yield the checks of `conv_vjp`, with those that also need `conv`."""
    yield from correctness_checks("conv_vjp")
    yield from drawn_checks("conv_vjp")
    yield gradients.conv_vjp_where_the_kernel_is_zero
    yield gradients.conv_vjp_finite_differences
    yield gradients.conv_vjp_adjoint
    yield from contract_checks("conv_vjp")
    yield from scaling_checks("conv_vjp")
    yield from memory_checks("conv_vjp")
    yield from value_checks("conv_vjp")


def conv_inverse_vjp_checks() -> Iterator[Check]:
    """Yield the checks of `conv_inverse_vjp`, with those that also need `conv_inverse`."""
    yield from correctness_checks("conv_inverse_vjp")
    yield from drawn_checks("conv_inverse_vjp")
    yield gradients.conv_inverse_vjp_where_the_kernel_is_zero
    yield gradients.conv_inverse_vjp_finite_differences
    yield gradients.conv_inverse_vjp_adjoint
    yield from contract_checks("conv_inverse_vjp")
    yield from scaling_checks("conv_inverse_vjp")
    yield from memory_checks("conv_inverse_vjp")
    yield from value_checks("conv_inverse_vjp")


def parametrize_with_checks(
    implementations: Iterable[Implementation],
    *,
    expected_failures: Mapping[str, str] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a pytest test so that it runs once for every implementation and check.

    Parameters
    ----------
    implementations : iterable of Implementation
    expected_failures : dict, optional
        The reason why a check is known to fail, by its name; these cases are marked xfail.

    Returns
    -------
    pytest.MarkDecorator
        The decorator of a test with the arguments ``implementation`` and ``check``.

    Raises
    ------
    MissingExtraError
        If pytest is not installed.
    OptionError
        If `expected_failures` holds the name of no check.

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
    suite = checks()
    check_names(expected_failures, suite)

    def case(implementation, name, check):
        reason = expected_failures.get(name)
        marks = [pytest.mark.xfail(reason=reason)] if name in expected_failures else []
        return pytest.param(implementation, check, id=f"{implementation.name}-{name}", marks=marks)

    cases = [case(each, name, check) for each in implementations for name, check in suite]
    return pytest.mark.parametrize(("implementation", "check"), cases)


def check_names(names: Iterable[str], suite: Iterable[tuple[str, Check]]) -> None:
    """Refuse names that no check of the suite has."""
    unknown = sorted(set(names) - {name for name, _ in suite})
    if unknown:
        raise OptionError(f"expected_failures must name checks; got {', '.join(unknown)}")
