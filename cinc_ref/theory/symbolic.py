"""det M = det(B)^(H W) as an identity of polynomials in all entries of the kernel, with sympy."""

import numpy as np

from cinc_ref.geometry import CORNERS
from cinc_ref.theory.cases import Case
from cinc_ref.theory.evidence import search, skipped
from cinc_ref.theory.exact import bareiss
from cinc_ref.theory.theorems import PAPER

NAME = "determinant, symbolic"
STATEMENT = "det M = det(B)^(H W) as polynomials: C = 1, 3x3, images to 4x4; C = 2, 2x2, image 2x2"


def determinant_identities(rng=None, effort=1, *, exponent=lambda height, width: height * width):
    """Theorem 2 for every kernel of these shapes at once, for all four corners.

    Both determinants are computed by elimination in the ring of integer polynomials whose
    variables are the entries of the kernel; nothing is drawn and nothing is estimated. A
    counterexample holds the kernel 1, 2, 3, ... in place of the variables. Skipped without sympy.
    """
    try:
        from sympy.polys.domains import ZZ
        from sympy.polys.rings import ring
    except ModuleNotFoundError:
        return skipped(NAME, STATEMENT, PAPER, "sympy is not installed")

    def wrong(case):
        polynomials, *entries = ring([f"k{number}" for number in range(case.kernel.size)], ZZ)
        symbols = [polynomials.zero, *entries]
        determinant = bareiss([[symbols[n] for n in row] for row in case.matrix().tolist()])
        block = bareiss([[symbols[n] for n in row] for row in case.corner_block.tolist()])
        return "" if determinant == block ** exponent(*case.size) else "the polynomials differ"

    return search(NAME, STATEMENT, PAPER, _numbered_kernels(), wrong)


def _numbered_kernels():
    """Cases whose kernel holds 1, 2, 3, ...: entry n of their matrix stands for variable n."""
    sizes = [(height, width) for height in range(1, 5) for width in range(1, 5)]
    for channels, side, shapes in ((1, 3, sizes), (2, 2, [(2, 2)])):
        shape = (channels, channels, side, side)
        kernel = np.arange(1, np.prod(shape) + 1).reshape(shape)
        for size in shapes:
            for corner in CORNERS:
                yield Case(kernel, size, corner, 1, (side - 1, side - 1))
