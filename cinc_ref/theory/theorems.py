"""The statements of the paper, tried on random cases, and an implementation held against them."""

from fractions import Fraction

import numpy as np

from cinc_ref.theory.cases import float_case, integer_case
from cinc_ref.theory.evidence import Evidence
from cinc_ref.theory.exact import matrix_determinant

PAPER = "CInC Flow, section 3"


def verify(implementation=None, *, seed=0, effort=1):
    """Try to refute the theorems, and an implementation of the convolution if one is given.

    Parameters
    ----------
    implementation : object, optional
        Anything with functions ``conv``, ``conv_inverse`` and ``log_abs_det`` called as those of
        cinc_ref, for instance the package itself.
    seed : int
        The random cases follow from it.
    effort : int
        Multiplies the number of cases.

    Returns
    -------
    list of Evidence
        One for each statement. What needs an implementation is "skipped" without one.

    Examples
    --------
    >>> import cinc_ref as cr
    >>> {evidence.verdict for evidence in cr.theory.verify(cr)}
    {'holds'}
    """
    rng = np.random.default_rng(seed)
    cases = 100 * effort
    return [
        determinant_is_a_power(rng, cases),
        conv_is_the_matrix(rng, cases, implementation),
        log_det_is_that_of_the_matrix(rng, cases, implementation),
        inverse_undoes_conv(rng, cases, implementation),
        conv_undoes_inverse(rng, cases, implementation),
    ]


def determinant_is_a_power(rng, cases):
    """det M = det(B)^(H W), an equality of integers."""

    def gap(case):
        power = matrix_determinant(case.corner_block) ** (case.size[0] * case.size[1])
        return matrix_determinant(case.matrix()) != power

    return _try_all(
        "determinant", "det M = det(B)^(H W), in exact integers (1 where it differs)", 0, gap,
        (integer_case(rng) for _ in range(cases)),
    )  # fmt: skip


def conv_is_the_matrix(rng, cases, implementation):
    """conv(x) = M x, relative to |M| |x|."""

    def gap(case):
        x = _images(rng, case)
        y = implementation.conv(x, case.kernel, **case.options)
        return _residual(case, y, x)

    return _try_floats(
        "matrix", "conv(x) = M x, largest |y - M x| / (|M| |x|) in eps", 10, gap, rng, cases,
        implementation,
    )  # fmt: skip


def log_det_is_that_of_the_matrix(rng, cases, implementation):
    """log_abs_det = log|det M|, the determinant taken exactly."""

    def gap(case):
        log_det = implementation.log_abs_det(case.kernel, case.size, anchor=case.anchor)
        exact = _log_abs(matrix_determinant(case.corner_block)) * case.size[0] * case.size[1]
        return abs(log_det - exact) / max(1, abs(exact)) / np.finfo(case.kernel.dtype).eps

    return _try_floats(
        "log-determinant", "log_abs_det = H W log|det B|, relative error in eps", 100, gap, rng,
        cases, implementation,
    )  # fmt: skip


def inverse_undoes_conv(rng, cases, implementation):
    """conv_inverse(conv(x)) = x, relative to the largest pixel."""

    def gap(case):
        x = _images(rng, case)
        y = implementation.conv(x, case.kernel, **case.options)
        back = implementation.conv_inverse(y, case.kernel, **case.options)
        return np.max(np.abs(back - x)) / np.max(np.abs(x)) / np.finfo(x.dtype).eps

    return _try_floats(
        "inverse of conv", "conv_inverse(conv(x)) = x, largest relative error in eps", 1000, gap,
        rng, cases, implementation,
    )  # fmt: skip


def conv_undoes_inverse(rng, cases, implementation):
    """conv(conv_inverse(y)) = y: the elementwise residual, which a normwise one would hide."""

    def gap(case):
        y = _images(rng, case)
        return _residual(case, y, implementation.conv_inverse(y, case.kernel, **case.options))

    return _try_floats(
        "conv of inverse", "M conv_inverse(y) = y, largest |y - M x| / (|M| |x|) in eps", 10, gap,
        rng, cases, implementation,
    )  # fmt: skip


def _try_floats(name, statement, bound, gap, rng, cases, implementation):
    """Like `_try_all`, on float32 and float64 cases in turn; skipped without an implementation."""
    if implementation is None:
        return Evidence(
            name, statement, PAPER, 0, "-", None, bound, "skipped", "no implementation was given"
        )
    drawn = (float_case(rng, (np.float32, np.float64)[k % 2]) for k in range(cases))
    return _try_all(name, statement, bound, gap, drawn)


def _try_all(name, statement, bound, gap, cases):
    """Evidence from cases whose gap must stay within a bound; the first beyond ends the search."""
    count, unknowns, worst = 0, 0, 0.0
    for case in cases:
        count += 1
        unknowns = max(unknowns, case.unknowns)
        value, problem = _outcome(gap, case)
        if not value <= bound:  # also when it is NaN
            reason = f"{problem or value} for kernel {case.kernel.tolist()}, size {case.size}, "
            reason += str(case.options)
            return _evidence(name, statement, count, unknowns, value, bound, "fails", reason)
        worst = max(worst, value)
    return _evidence(name, statement, count, unknowns, worst, bound, "holds", "")


def _outcome(gap, case):
    """The gap of one case; an implementation that raises has failed it."""
    try:
        return float(gap(case)), ""
    except Exception as error:
        return float("nan"), repr(error)


def _evidence(name, statement, count, unknowns, worst, bound, verdict, reason):
    largest = f"{unknowns} x {unknowns}"
    return Evidence(name, statement, PAPER, count, largest, worst, bound, verdict, reason)


def _images(rng, case):
    shape = (2, len(case.kernel), *case.size)
    return rng.normal(size=shape).astype(case.kernel.dtype)


def _residual(case, y, x):
    """max |y - M x| / (|M| |x|) in units of eps, elementwise, in extended precision."""
    matrix = case.matrix().astype(np.longdouble)
    x, y = _flat(x).astype(np.longdouble), _flat(y).astype(np.longdouble)
    residual = np.abs(y - x @ matrix.T) / (np.abs(x) @ np.abs(matrix).T)
    return residual.max() / np.finfo(case.kernel.dtype).eps


def _flat(images):
    """Images as rows in the matrix's pixel-major order."""
    return images.transpose(0, 2, 3, 1).reshape(len(images), -1)


def _log_abs(value):
    """log|value| of an integer or Fraction of any size."""
    value = abs(Fraction(value))
    return float(np.log(np.longdouble(value.numerator)) - np.log(np.longdouble(value.denominator)))
