"""Claims about an implementation, each held against theory's own substitution.

An implementation is any object with functions ``conv(x, kernel, **options)``,
``conv_inverse(y, kernel, **options)``, ``log_abs_det(kernel, size, anchor=...)`` and perhaps
``conv_vjp(x, kernel, g, **options)`` and ``conv_inverse_vjp(y, kernel, g, **options)``, for
instance the package itself. If it has an attribute ``options``, only those are passed; if it has
``dtypes``, only those are used.

Every claim below is a function of the implementation and one case. Where equality is exact it
returns the first difference in words ("" if there is none), otherwise an error that must stay
below a bound; `claim` makes a search over random cases of it.
"""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, TypeAlias

import numpy as np

from cinc_ref.theory.cases import OPTIONS, Case, float_case, unit_case, with_integer_images
from cinc_ref.theory.evidence import Evidence, search, skipped
from cinc_ref.theory.exact import log_abs, matrix_determinant, to_fractions
from cinc_ref.theory.norms import norms
from cinc_ref.theory.substitution import (
    convolve,
    elementwise_residual,
    exact_inverse,
)
from cinc_ref.theory.theorems import PAPER

__all__ = [
    "CLAIMS",
    "FUNCTIONS",
    "check_implementation",
    "conv_of_floats",
    "conv_of_integers",
    "gradient_of_conv",
    "gradient_of_the_inverse",
    "inverse_of_integers",
    "log_determinant",
    "round_trip",
]

Outcome: TypeAlias = Callable[[Any, Case], float | str]
"""A function of an implementation and a case: an error, or the first difference in words."""

Attempt: TypeAlias = Callable[..., Evidence]
"""``attempt(implementation, rng, effort=1)``."""

FUNCTIONS = ("conv", "conv_inverse", "log_abs_det", "conv_vjp", "conv_inverse_vjp")


def check_implementation(
    implementation: Any, rng: np.random.Generator, effort: int = 1
) -> Iterator[Evidence]:
    """Yield the evidence for every claim; "skipped" where the implementation lacks a function.

    Parameters
    ----------
    implementation : object or None
    rng : numpy.random.Generator
    effort : int
        Multiplies the number of cases.

    Yields
    ------
    Evidence
    """
    for attempt in CLAIMS:
        yield attempt(implementation, rng, effort)


def _unit_integers(rng, options, dtype):
    """Draw a unit triangular integer case: sums stay below 2^24, exact in float32 as well."""
    return with_integer_images(rng, unit_case(rng, options)).astype(dtype)


def _floats(rng, options, dtype):
    """Draw a case whose inverse is bounded."""
    return float_case(rng, dtype, options)


def claim(
    name: str,
    statement: str,
    needs: str,
    draw: Callable[..., Case],
    bound: float | None = None,
    cases: int = 200,
    theorem: int | None = None,
) -> Callable[[Outcome], Attempt]:
    """Make an attempt to refute a claim of a function of an implementation and a case.

    The attempt is ``attempt(implementation, rng, effort=1)`` and returns `Evidence`.

    Parameters
    ----------
    name, statement : str
    needs : str
        The function of the implementation that the claim is about.
    draw : callable
        ``draw(rng, options, dtype)`` returns a `Case`.
    bound : float, optional
        The claim's errors must not exceed it. Without one the claim returns words.
    cases : int
        The number of cases at effort 1, drawn in the dtypes of the implementation in turn.
    theorem : int, optional
        The theorem that the claim is about; without one it is about the definition.
    """
    theorems = () if theorem is None else (theorem,)

    def decorate(outcome):
        @wraps(outcome)
        def attempt(implementation, rng, effort=1):
            if implementation is None:
                return skipped(name, statement, PAPER, "no implementation was given", theorems)
            if getattr(implementation, needs, None) is None:
                reason = f"the implementation has no {needs}"
                return skipped(name, statement, PAPER, reason, theorems)
            options = _options(implementation)
            dtypes = getattr(implementation, "dtypes", ("float32", "float64"))
            drawn = (
                draw(rng, options, np.dtype(dtypes[number % len(dtypes)]))
                for number in range(max(1, int(cases * effort)))
            )
            return search(
                name, statement, PAPER, drawn, lambda case: outcome(implementation, case), bound,
                theorems=theorems,
            )  # fmt: skip

        return attempt

    return decorate


@claim("conv, integers", "conv(x) = M x, bit for bit, for integers", "conv", _unit_integers)
def conv_of_integers(implementation: Any, case: Case) -> str:
    """conv(x) is M x exactly where nothing rounds."""
    y = _call(implementation, "conv", case, case.x)
    return _first_difference(y, _integer_conv(case, case.x))


@claim(
    "conv", "conv(x) = M x: largest |y - M x| / (|M| |x|) in eps",
    "conv", _floats, bound=10, cases=100,
)  # fmt: skip
def conv_of_floats(implementation: Any, case: Case) -> float:
    """conv(x) = M x up to rounding, entry by entry."""
    return _residual(case, case.x, _call(implementation, "conv", case, case.x))


@claim(
    "inverse, integers",
    "conv_inverse(M x) = x, bit for bit, for integers and a unit triangular B",
    "conv_inverse", _unit_integers, theorem=4,
)  # fmt: skip
def inverse_of_integers(implementation: Any, case: Case) -> str:
    """conv_inverse rounds nowhere for integers and a unit triangular corner block."""
    y = _integer_conv(case, case.x).astype(case.x.dtype)
    return _first_difference(_call(implementation, "conv_inverse", case, y), case.x)


@claim(
    "residual", "M conv_inverse(y) = y: largest |y - M x| / (|M| |x|) in eps",
    "conv_inverse", _floats, bound=10, cases=100, theorem=4,
)  # fmt: skip
def residual_of_the_inverse(implementation: Any, case: Case) -> float:
    """M conv_inverse(y) = y up to rounding, entry by entry."""
    return _residual(case, _call(implementation, "conv_inverse", case, case.x), case.x)


@claim(
    "inverse", "conv_inverse(y) = exact substitution: largest relative error in eps * Skeel number",
    "conv_inverse", _floats, bound=10, cases=60, theorem=4,
)  # fmt: skip
def error_of_the_inverse(implementation: Any, case: Case) -> float:
    """conv_inverse(y) is theory's substitution in Fractions, up to rounding."""
    exact = exact_inverse(case.x, case.kernel, **case.options).astype(float)
    error = np.abs(_call(implementation, "conv_inverse", case, case.x) - exact).max()
    return error / np.abs(exact).max() / _eps_times_skeel(case)


@claim(
    "round trip", "conv_inverse(conv(x)) = x: largest relative error in eps * Skeel number",
    "conv_inverse", _floats, bound=10, theorem=4,
)  # fmt: skip
def round_trip(implementation: Any, case: Case) -> float:
    """conv_inverse(conv(x)) = x up to rounding."""
    y = _call(implementation, "conv", case, case.x)
    back = _call(implementation, "conv_inverse", case, y)
    return np.abs(back - case.x).max() / np.abs(case.x).max() / _eps_times_skeel(case)


@claim(
    "log-determinant", "log_abs_det = H W log|det B|: error a pixel in eps, relative if above 1",
    "log_abs_det", _floats, bound=10, theorem=2,
)  # fmt: skip
def log_determinant(implementation: Any, case: Case) -> float:
    """log_abs_det = log|det M|, the determinant taken exactly."""
    options = {"anchor": case.anchor} if "anchor" in _options(implementation) else {}
    log_det = float(implementation.log_abs_det(case.kernel, case.size, **options))
    exact = log_abs(matrix_determinant(case.corner_block))
    error = abs(log_det / (case.size[0] * case.size[1]) - exact)
    return error / max(1, abs(exact)) / np.finfo(case.kernel.dtype).eps


@claim(
    "gradient of conv", "conv_vjp = (M^T g, weight gradient), bit for bit, for integers",
    "conv_vjp", _unit_integers, theorem=7,
)  # fmt: skip
def gradient_of_conv(implementation: Any, case: Case) -> str:
    """conv_vjp is the transposed matrix and the weight gradient, exactly."""
    x_bar, kernel_bar = _call(implementation, "conv_vjp", case, case.x, case.g)
    expected = _integer_conv(case, case.g, transpose=True)
    return (
        _first_difference(x_bar, expected)
        or _first_difference(kernel_bar, _weight_gradient(case, case.x, case.g))
    )  # fmt: skip


@claim(
    "gradient of inverse",
    "conv_inverse_vjp = transposed substitution, bit for bit, for integers, unit B",
    "conv_inverse_vjp", _unit_integers, theorem=7,
)  # fmt: skip
def gradient_of_the_inverse(implementation: Any, case: Case) -> str:
    """conv_inverse_vjp is the transposed substitution, exactly."""
    y = _integer_conv(case, case.x).astype(case.x.dtype)
    g = _integer_conv(case, case.g, transpose=True).astype(case.g.dtype)
    y_bar, kernel_bar = _call(implementation, "conv_inverse_vjp", case, y, g)
    return (
        _first_difference(y_bar, case.g)
        or _first_difference(kernel_bar, -_weight_gradient(case, case.x, case.g))
    )  # fmt: skip


CLAIMS: tuple[Attempt, ...] = (
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


def _options(implementation):
    return getattr(implementation, "options", OPTIONS)


def _call(implementation, function, case, images, *more):
    options = {name: case.options[name] for name in _options(implementation)}
    return getattr(implementation, function)(images, case.kernel, *more, **options)


def _integer_conv(case, images, transpose=False):
    """Compute M x or M^T x in integers, which are far below 2^63."""
    kernel, images = case.kernel.astype(np.int64), images.astype(np.int64)
    return convolve(images, kernel, case.geometry, transpose)


def _first_difference(actual, expected):
    """Say where two arrays differ; "" if they are equal."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    if actual.shape != expected.shape:
        return f"its shape is {actual.shape}, not {expected.shape}"
    different = np.argwhere(actual != expected)
    if not len(different):
        return ""
    index = tuple(int(i) for i in different[0])
    return f"it is {actual[index]}, not {expected[index]}, at index {index}"


def _residual(case, x, y):
    """Return the elementwise residual, computed exactly, in units of eps; NaN if not finite."""
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return float("nan")
    eps = np.finfo(case.kernel.dtype).eps
    return elementwise_residual(*map(to_fractions, (x, y, case.kernel)), case.geometry) / eps


def _eps_times_skeel(case):
    """Return eps times Skeel's number, the unit of the error of an inverse."""
    skeel = norms(case.kernel, case.size, case.geometry).skeel
    return float(skeel) * np.finfo(case.kernel.dtype).eps


def _weight_gradient(case, x, g):
    """Return the gradient of <g, conv(x, K)>: for a tap, the sums of g times what the tap reads."""
    x, g = x.astype(np.int64), g.astype(np.int64)
    gradient = np.zeros(case.kernel.shape)
    for a, b in np.ndindex(case.kernel.shape[2:]):
        if (a, b) <= case.anchor:
            tap = np.zeros(case.kernel.shape, int)
            tap[:, :, a, b] = np.eye(len(tap), dtype=int)
            gradient[:, :, a, b] = np.einsum("noij,ncij->oc", g, convolve(x, tap, case.geometry))
    return gradient
