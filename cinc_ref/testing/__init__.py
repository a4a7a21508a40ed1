"""A conformance suite for everybody's invertible convolutions, layers and densities.

The checks hold an implementation against the matrix of the convolution, written down from its
definition and solved in extended precision, never against our own operations. Everything loads when
it is first used; hypothesis is needed for `strategies` alone, pytest for `parametrize_with_checks`.
"""

from importlib import import_module

_HOME_OF = {
    "Check": "catalogue",
    "CheckFailure": "failure",
    "Implementation": "implementation",
    "NotChecked": "failure",
    "Problem": "problem",
    "Report": "report",
    "check_bijection": "bijection",
    "check_density": "density",
    "checks": "catalogue",
    "parametrize_with_checks": "parametrize",
    "run_checks": "report",
}
_SUBMODULES = ("strategies",)

__all__ = [*_HOME_OF, *_SUBMODULES]


def __getattr__(name):
    if name in _SUBMODULES:
        return import_module(f"cinc_ref.testing.{name}")
    if name in _HOME_OF:
        value = getattr(import_module(f"cinc_ref.testing.{_HOME_OF[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'cinc_ref.testing' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
