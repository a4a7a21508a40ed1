"""cinc_ref: reference implementation of the Characterizable Invertible Convolution (CInC Flow).

The names in ``__init__.pyi`` load when they are first used, so that ``import cinc_ref`` costs next
to nothing.
"""

from cinc_ref._lazy import attach_stub

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = attach_stub(__name__)
