"""A conformance suite for anybody's invertible convolutions, layers and densities.

`check` takes any layer or transform of any library, in one line, and diagnoses it. The checks of
convolutions compare an implementation with the matrix of the convolution, which is written down
from its definition and solved in extended precision, never with the operations of this package.
Everything loads when it is first used. Only `strategies` needs hypothesis and only
`parametrize_with_checks` needs pytest.
"""

from cinc_ref._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__)
