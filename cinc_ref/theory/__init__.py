"""The theorems as evidence: definitions, exact arithmetic, and checks of an implementation.

An independent oracle: nothing here imports the kernels or primitives that it judges.
"""

from cinc_ref.theory.evidence import Evidence
from cinc_ref.theory.exact import exact_determinant, is_invertible
from cinc_ref.theory.matrix import convolution_matrix
from cinc_ref.theory.theorems import verify

__all__ = ["Evidence", "convolution_matrix", "exact_determinant", "is_invertible", "verify"]
