"""An implementation held against theory's own substitution, exactly.

An implementation is any object with functions ``conv(x, kernel, **options)``,
``conv_inverse(y, kernel, **options)``, ``log_abs_det(kernel, size, anchor=...)`` and perhaps
``conv_vjp(x, kernel, g, **options)`` and ``conv_inverse_vjp(y, kernel, g, **options)``, for
instance the package itself. If it has an attribute ``options``, only those are passed; if it has
``dtypes``, only those are used.
"""

from functools import partial

import numpy as np

from cinc_ref.theory.cases import OPTIONS, float_case, unit_case, with_integer_images
from cinc_ref.theory.evidence import search, skipped
from cinc_ref.theory.exact import log_abs, matrix_determinant
from cinc_ref.theory.impulse import norms
from cinc_ref.theory.residual import elementwise_residual
from cinc_ref.theory.substitution import convolve, exact_conv, exact_inverse
from cinc_ref.theory.theorems import PAPER

FUNCTIONS = ("conv", "conv_inverse", "log_abs_det", "conv_vjp", "conv_inverse_vjp")


def hold_against_theory(implementation, rng, effort=1):
    """Evidence for every claim about an implementation; "skipped" where it lacks a function.

    Parameters
    ----------
    implementation : object or None
    rng : numpy.random.Generator
    effort : int

    Returns
    -------
    list of Evidence
    """
    return [claim(implementation, rng, effort) for claim in CLAIMS]


def conv_of_integers(implementation, rng, effort=1):
    """conv(x) is M x exactly where nothing rounds."""

    def gap(case):
        y = _call(implementation, "conv", case, case.x)
        return _first_difference(y, exact_conv(case.x, case.kernel, **case.options))

    statement = "conv(x) = M x, bit for bit, for integers"
    return _try_integers("conv, integers", statement, "conv", gap, implementation, rng, effort)


def conv_of_floats(implementation, rng, effort=1):
    """conv(x) = M x up to rounding, entry by entry."""

    def gap(case):
        return _residual(case, case.x, _call(implementation, "conv", case, case.x))

    statement = "conv(x) = M x: largest |y - M x| / (|M| |x|) in eps"
    return _try_floats("conv", statement, "conv", gap, 10, implementation, rng, effort)


def inverse_of_integers(implementation, rng, effort=1):
    """With integers and a unit triangular corner block no operation of the inverse rounds."""

    def gap(case):
        y = exact_conv(case.x, case.kernel, **case.options).astype(case.x.dtype)
        return _first_difference(_call(implementation, "conv_inverse", case, y), case.x)

    statement = "conv_inverse(M x) = x, bit for bit, for integers and a unit triangular B"
    return _try_integers(
        "inverse, integers", statement, "conv_inverse", gap, implementation, rng, effort
    )


def residual_of_the_inverse(implementation, rng, effort=1):
    """M conv_inverse(y) = y up to rounding, entry by entry."""

    def gap(case):
        return _residual(case, _call(implementation, "conv_inverse", case, case.x), case.x)

    statement = "M conv_inverse(y) = y: largest |y - M x| / (|M| |x|) in eps"
    return _try_floats("residual", statement, "conv_inverse", gap, 10, implementation, rng, effort)


def error_of_the_inverse(implementation, rng, effort=1):
    """conv_inverse(y) is theory's substitution in Fractions, up to rounding."""

    def gap(case):
        exact = exact_inverse(case.x, case.kernel, **case.options).astype(float)
        error = np.abs(_call(implementation, "conv_inverse", case, case.x) - exact).max()
        return error / np.abs(exact).max() / _unit(case)

    statement = "conv_inverse(y) = exact substitution: largest relative error in eps * Skeel number"
    return _try_floats(
        "inverse", statement, "conv_inverse", gap, 10, implementation, rng, effort, cases=40
    )


def round_trip(implementation, rng, effort=1):
    """conv_inverse(conv(x)) = x up to rounding."""

    def gap(case):
        y = _call(implementation, "conv", case, case.x)
        back = _call(implementation, "conv_inverse", case, y)
        return np.abs(back - case.x).max() / np.abs(case.x).max() / _unit(case)

    statement = "conv_inverse(conv(x)) = x: largest relative error in eps * Skeel number"
    return _try_floats(
        "round trip", statement, "conv_inverse", gap, 10, implementation, rng, effort
    )


def log_determinant(implementation, rng, effort=1):
    """log_abs_det = log|det M|, the determinant taken exactly."""

    def gap(case):
        options = {"anchor": case.anchor} if "anchor" in _options(implementation) else {}
        log_det = float(implementation.log_abs_det(case.kernel, case.size, **options))
        exact = log_abs(matrix_determinant(case.corner_block))
        error = abs(log_det / (case.size[0] * case.size[1]) - exact)
        return error / max(1, abs(exact)) / np.finfo(case.kernel.dtype).eps

    statement = "log_abs_det = H W log|det B|: error a pixel in eps, relative if above 1"
    return _try_floats(
        "log-determinant", statement, "log_abs_det", gap, 10, implementation, rng, effort
    )


def gradient_of_conv(implementation, rng, effort=1):
    """conv_vjp is the transposed matrix and the weight gradient, exactly."""

    def gap(case):
        x_bar, kernel_bar = _call(implementation, "conv_vjp", case, case.x, case.g)
        expected = exact_conv(case.g, case.kernel, transpose=True, **case.options)
        return (
            _first_difference(x_bar, expected)
            or _first_difference(kernel_bar, _weight_gradient(case, case.x, case.g))
        )  # fmt: skip

    statement = "conv_vjp = (M^T g, weight gradient), bit for bit, for integers"
    return _try_integers(
        "gradient of conv", statement, "conv_vjp", gap, implementation, rng, effort, cases=40
    )


def gradient_of_the_inverse(implementation, rng, effort=1):
    """conv_inverse_vjp is the transposed substitution, exactly."""

    def gap(case):
        y = exact_conv(case.x, case.kernel, **case.options).astype(case.x.dtype)
        g = exact_conv(case.g, case.kernel, transpose=True, **case.options).astype(case.g.dtype)
        y_bar, kernel_bar = _call(implementation, "conv_inverse_vjp", case, y, g)
        return (
            _first_difference(y_bar, case.g)
            or _first_difference(kernel_bar, -_weight_gradient(case, case.x, case.g))
        )  # fmt: skip

    statement = "conv_inverse_vjp = transposed substitution, bit for bit, for integers, unit B"
    return _try_integers(
        "gradient of inverse", statement, "conv_inverse_vjp", gap, implementation, rng, effort,
        cases=40,
    )  # fmt: skip


CLAIMS = (
    conv_of_integers,
    conv_of_floats,
    inverse_of_integers,
    residual_of_the_inverse,
    error_of_the_inverse,
    round_trip,
    log_determinant,
    gradient_of_conv,
    gradient_of_the_inverse,
)


def _try_integers(name, statement, function, gap, implementation, rng, effort, cases=100):
    """Try unit triangular integer cases: sums stay below 2^24, so float32 is exact as well."""

    def draw(dtype):
        return with_integer_images(rng, unit_case(rng, _options(implementation))).astype(dtype)

    drawn = _in_turn(draw, implementation, cases * effort)
    return _try(name, statement, function, implementation, partial(search, cases=drawn, gap=gap))


def _try_floats(name, statement, function, gap, bound, implementation, rng, effort, cases=100):
    """Try cases whose inverse is bounded."""

    def draw(dtype):
        return float_case(rng, dtype, _options(implementation))

    drawn = _in_turn(draw, implementation, cases * effort)
    trial = partial(search, cases=drawn, gap=gap, bound=bound)
    return _try(name, statement, function, implementation, trial)


def _try(name, statement, function, implementation, trial):
    if implementation is None:
        return skipped(name, statement, PAPER, "no implementation was given")
    if getattr(implementation, function, None) is None:
        return skipped(name, statement, PAPER, f"the implementation has no {function}")
    return trial(name, statement, PAPER)


def _in_turn(draw, implementation, count):
    """Cases in the dtypes of the implementation, one after the other."""
    dtypes = getattr(implementation, "dtypes", ("float32", "float64"))
    return (draw(np.dtype(dtypes[k % len(dtypes)])) for k in range(max(1, int(count))))


def _options(implementation):
    return getattr(implementation, "options", OPTIONS)


def _call(implementation, function, case, images, *more):
    options = {name: case.options[name] for name in _options(implementation)}
    return getattr(implementation, function)(images, case.kernel, *more, **options)


def _first_difference(found, expected):
    """Where two arrays differ, in words; "" if they are equal."""
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape:
        return f"its shape is {found.shape}, not {expected.shape}"
    different = np.argwhere(found != expected)
    if not len(different):
        return ""
    index = tuple(int(i) for i in different[0])
    return f"it is {found[index]}, not {expected[index]}, at index {index}"


def _residual(case, x, y):
    """In units of eps."""
    residual = elementwise_residual(x, y, case.kernel, case.geometry)
    return residual / np.finfo(case.kernel.dtype).eps


def _unit(case):
    """eps times Skeel's number."""
    d = case.dilation
    size = (-(-case.size[0] // d), -(-case.size[1] // d))
    return float(norms(case.kernel, size, case.anchor).skeel) * np.finfo(case.kernel.dtype).eps


def _weight_gradient(case, x, g):
    """The gradient of <g, conv(x, K)> by its definition: <g, conv(x, E)> for every causal entry."""
    x, g = x.astype(np.int64), g.astype(np.int64)
    gradient = np.zeros(case.kernel.shape)
    for o, c, a, b in np.ndindex(case.kernel.shape):
        if (a, b) <= case.anchor:
            entry = np.zeros(case.kernel.shape, int)
            entry[o, c, a, b] = 1
            gradient[o, c, a, b] = (g * convolve(x, entry, case.geometry)).sum()
    return gradient
