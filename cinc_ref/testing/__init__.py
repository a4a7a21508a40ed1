"""A conformance suite for anybody's invertible convolutions, layers and densities.

The checks compare an implementation with the matrix of the convolution, which is written down from
its definition and solved in extended precision, never with the operations of this package.
Everything loads when it is first used. Only `strategies` needs hypothesis and only
`parametrize_with_checks` needs pytest.
"""

from importlib import import_module

_HOME_OF = {
    "Check": "base",
    "CheckFailure": "failure",
    "CheckSkipped": "failure",
    "Implementation": "implementation",
    "NotChecked": "failure",
    "Problem": "problem",
    "Report": "report",
    "check_bijection": "bijection",
    "check_density": "density",
    "checks": "suite",
    "parametrize_with_checks": "suite",
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
