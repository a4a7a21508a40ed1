"""A conformance suite for anybody's invertible convolutions, layers and densities.

The checks compare an implementation with the matrix of the convolution, which is written down from
its definition and solved in extended precision, never with the operations of this package.
Everything loads when it is first used. Only `strategies` needs hypothesis and only
`parametrize_with_checks` needs pytest.
"""

from cinc_ref._lazy import lazy

_HOME_OF = {
    "Check": "base",
    "CheckFailure": "failure",
    "CheckSkipped": "failure",
    "Finding": "findings",
    "Implementation": "implementation",
    "LayerReport": "findings",
    "NotChecked": "failure",
    "Problem": "problem",
    "Report": "report",
    "check": "layer_check",
    "check_bijection": "bijection",
    "check_density": "density",
    "checks": "suite",
    "parametrize_with_checks": "suite",
    "run_checks": "report",
}
_SUBMODULES = ("strategies",)

__all__ = [*_HOME_OF, *_SUBMODULES]
__getattr__, __dir__ = lazy(__name__, _HOME_OF, _SUBMODULES)
