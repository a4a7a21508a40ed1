"""Random problems, and what the tests compare with: the matrix from the definition."""

import numpy as np
from hypothesis import strategies as st

from cinc_ref.geometry import CORNERS
from cinc_ref.testing import Problem, reference

DTYPES = (np.float32, np.float64)


@st.composite
def problems(draw, dtypes=DTYPES, kinds=("lower", "upper", "dense"), largest=5):
    """Draw problems of up to four channels, 4x4 taps and `largest` pixels a side."""
    kh, kw = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    return Problem(
        seed=draw(st.integers(0, 2**32)),
        images=draw(st.integers(0, 3)),
        channels=draw(st.integers(1, 4)),
        kernel_size=(kh, kw),
        size=(draw(st.integers(1, largest)), draw(st.integers(1, largest))),
        dtype=np.dtype(draw(st.sampled_from(dtypes))).name,
        corner_block=draw(st.sampled_from(kinds)),
        corner=draw(st.sampled_from(CORNERS)),
        dilation=draw(st.integers(1, 3)),
        anchor=(kh - 1, draw(st.sampled_from([kw - 1, *range(kw)]))),
    )


def float_matrix(problem):
    """Return the matrix of a problem in float64."""
    return reference.matrix(problem).astype(np.float64)


def flat(images):
    """Reshape images to rows in the matrix's pixel-major order."""
    rows = images.transpose(0, 2, 3, 1)
    return rows.reshape(len(images), int(np.prod(images.shape[1:])))


def residual(problem, y, x):
    """Return max |y - M x| / (|M| |x|) in eps of the kernel's dtype, in extended precision."""
    matrix = reference.matrix(problem)
    gap = np.abs(flat(y) - flat(x).astype(np.longdouble) @ matrix.T)
    scale = np.abs(flat(x)) @ np.abs(matrix).T
    return np.max(gap / scale, initial=0) / np.finfo(problem.kernel.dtype).eps
