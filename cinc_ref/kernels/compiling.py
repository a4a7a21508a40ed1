"""How the loops of this package are compiled: at the first call, cached on disk where it can be.

``error_model="numpy"``: a division by zero gives infinity, as in NumPy, and no branch. Without the
compiler `blocks` are those in NumPy. Numba's disk cache does not notice an edit of a callee in
another file; modules with such callees name them, and are to be edited too.
"""

import numba

if numba.config.DISABLE_JIT:
    from cinc_ref.kernels import blocks_interpreted as blocks
else:
    from cinc_ref.kernels import blocks

__all__ = ["blocks", "compiled", "inlined"]


def compiled(function):
    """A loop that Python calls."""
    try:
        return numba.njit(cache=True, error_model="numpy")(function)
    except RuntimeError:  # read-only installation and no writable cache folder
        return numba.njit(error_model="numpy")(function)


def inlined(function):
    """A part of the loops that call it, where what they know as a literal stays one."""
    return numba.njit(inline="always", error_model="numpy")(function)
