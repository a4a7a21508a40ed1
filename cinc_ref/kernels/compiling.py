"""How the loops of this package are compiled: at the first call, cached on disk where it can be.

``error_model="numpy"``: a division by zero gives infinity, as in NumPy, and no branch. Without the
compiler `blocks` are those in NumPy.

Numba's disk cache looks at the text of a function's own file, and goes on serving old code when a
callee in another file is edited. So a module with such callees holds their digest, `CALLEES`: an
edit there, which a test notices, becomes one here.
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
