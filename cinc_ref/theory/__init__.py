"""The theorems as evidence, exact arithmetic, and how usable an inverse is.

An independent oracle: nothing here imports the kernels or primitives that it judges. Everything
loads when it is first used.
"""

from cinc_ref._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__)
