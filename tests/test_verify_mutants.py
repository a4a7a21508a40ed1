"""Statements and implementations that are wrong in rare places are refuted at default effort.

Every mutant is right but for a condition on the channels, the kernel, the image or an option. Each
is given to the claim that concerns it, as `verify` calls it with effort 1.
"""

from types import SimpleNamespace

import numpy as np
import pytest

from cinc_ref.geometry import Geometry
from cinc_ref.theory import (
    claims,
    convolution_matrix,
    exact_inverse,
    is_invertible,
    null_image,
    schwartz_zippel,
    theorems,
    verification,
    verify,
)
from cinc_ref.theory.substitution import convolve, substitute

# ---- a right implementation, in NumPy ------------------------------------------------------------


def _solver(block):
    """Solve for one pixel: by substitution if B is triangular, so that integers stay exact."""
    if not np.triu(block, 1).any():
        order = range(len(block))
    elif not np.tril(block, -1).any():
        order = reversed(range(len(block)))
    else:
        return lambda rest: np.linalg.solve(block, rest.T).T
    order = list(order)

    def solve(rest):
        x = np.zeros_like(rest)
        for o in order:
            x[:, o] = (rest[:, o] - x @ block[o]) / block[o, o]
        return x

    return solve


def conv(x, kernel, **options):
    return convolve(x, kernel, Geometry(**options))


def conv_inverse(y, kernel, **options):
    return _inverse(y, kernel, options)


def _inverse(y, kernel, options, transpose=False):
    block = kernel[:, :, *options["anchor"]]
    solve = _solver(block.T if transpose else block)
    return substitute(y, kernel, solve, Geometry(**options), transpose)


def log_abs_det(kernel, size, *, anchor):
    block = kernel[:, :, *anchor].astype(np.float64)
    return size[0] * size[1] * np.linalg.slogdet(block)[1]


def conv_vjp(x, kernel, g, **options):
    gradient = np.zeros_like(kernel)
    for tap in np.ndindex(kernel.shape[2:]):
        if tap <= options["anchor"]:
            read = np.zeros_like(kernel)
            read[:, :, *tap] = np.eye(len(kernel))
            gradient[:, :, *tap] = np.einsum("noij,ncij->oc", g, conv(x, read, **options))
    return convolve(g, kernel, Geometry(**options), transpose=True), gradient


def conv_inverse_vjp(y, kernel, g, **options):
    y_bar = _inverse(g, kernel, options, transpose=True)
    return y_bar, -conv_vjp(conv_inverse(y, kernel, **options), kernel, y_bar, **options)[1]


RIGHT = {
    "conv": conv,
    "conv_inverse": conv_inverse,
    "log_abs_det": log_abs_det,
    "conv_vjp": conv_vjp,
    "conv_inverse_vjp": conv_inverse_vjp,
}


@pytest.mark.parametrize("claim", claims.CLAIMS, ids=lambda claim: claim.__name__)
def test_without_a_mutation_every_claim_holds(claim):
    evidence = claim(SimpleNamespace(**RIGHT), np.random.default_rng(0))
    assert evidence.verdict == "holds", evidence.reason


# ---- implementations that forget the first tap somewhere -----------------------------------------


def _reaches(geometry, size):
    """The first row of taps reads a pixel of the image."""
    return geometry.anchor[0] * geometry.dilation < size[0]


SOMEWHERE = {  # name: condition on the kernel, the image size and the geometry
    "C > 3": lambda k, size, geometry: len(k) > 3,
    "C = 5": lambda k, size, geometry: len(k) == 5,
    "kh > 4": lambda k, size, geometry: k.shape[2] > 4,
    "kw > 4": lambda k, size, geometry: k.shape[3] > 4,
    "dilation > 3": lambda k, size, geometry: geometry.dilation > 3,
    "dilation = 2 at the bottom right": lambda k, size, geometry: (
        geometry.dilation == 2 and geometry.corner == "bottom-right"
    ),
    "more than 36 pixels": lambda k, size, geometry: size[0] * size[1] > 36,
    "9 rows": lambda k, size, geometry: size[0] == 9,
    "9 columns": lambda k, size, geometry: size[1] == 9,
    "wider than 6 and high": lambda k, size, geometry: 6 < size[1] < size[0],
    "one row": lambda k, size, geometry: size[0] == 1,
    "bottom left": lambda k, size, geometry: geometry.corner == "bottom-left",
    "top right": lambda k, size, geometry: geometry.corner == "top-right",
    "an anchor above the last row": lambda k, size, geometry: geometry.anchor[0] < k.shape[2] - 1,
    "an anchor in the first column": lambda k, size, geometry: geometry.anchor[1] == 0,
    "half-planes of 5 columns": lambda k, size, geometry: (
        k.shape[3] == 5 and 0 < geometry.anchor[1] < 4
    ),
    "tall kernels": lambda k, size, geometry: k.shape[2] > 2 * k.shape[3],
    "taps 8 pixels away": lambda k, size, geometry: (
        geometry.anchor[0] * geometry.dilation == 8 and size[0] == 9
    ),
}  # fmt: skip


def _forgetful(function, condition):
    """Call a function with the kernel's first tap 0 where the condition holds."""

    def mutant(images, kernel, *more, **options):
        if condition(kernel, images.shape[2:], Geometry(**options)):
            kernel = kernel.copy()
            if options["anchor"] == (0, 0):
                kernel[:, :, 0, 0] *= 2
            else:
                kernel[:, :, 0, 0] = 0
        return function(images, kernel, *more, **options)

    return mutant


@pytest.mark.parametrize("somewhere", SOMEWHERE)
@pytest.mark.parametrize(
    ("name", "claim"),
    [
        ("conv", claims.conv_of_integers),
        ("conv_inverse", claims.inverse_of_integers),
        ("conv_vjp", claims.gradient_of_conv),
        ("conv_inverse_vjp", claims.gradient_of_the_inverse),
    ],
    ids=["conv", "conv_inverse", "conv_vjp", "conv_inverse_vjp"],
)
def test_an_implementation_that_is_wrong_somewhere_is_refuted(name, claim, somewhere):
    condition = SOMEWHERE[somewhere]
    mutant = SimpleNamespace(**RIGHT | {name: _forgetful(RIGHT[name], condition)})
    evidence = claim(mutant, np.random.default_rng(0))
    assert evidence.verdict == "fails"
    case = evidence.counterexample.case
    assert condition(case.kernel, case.size, case.geometry)


# ---- implementations that are wrong in another way -----------------------------------------------


def _without_gradient_of_the_corner(function):
    def mutant(images, kernel, g, **options):
        images_bar, kernel_bar = function(images, kernel, g, **options)
        kernel_bar[:, :, *options["anchor"]] = 0
        return images_bar, kernel_bar

    return mutant


def _with_exponent(exponent):
    """The log-determinant with another exponent than H W."""

    def mutant(kernel, size, *, anchor):
        height, width = size
        return log_abs_det(kernel, (1, exponent(height, width)), anchor=anchor)

    return mutant


WRONG_IMPLEMENTATIONS = {
    "an adjoint that does not move B": (
        claims.gradient_of_the_inverse,
        {"conv_inverse_vjp": _without_gradient_of_the_corner(conv_inverse_vjp)},
    ),
    "a gradient of conv without B": (
        claims.gradient_of_conv, {"conv_vjp": _without_gradient_of_the_corner(conv_vjp)},
    ),
    "an exponent above 36 pixels": (
        claims.log_determinant,
        {"log_abs_det": _with_exponent(lambda h, w: h * w + (h * w > 36))},
    ),
    "an exponent of 9x9 pixels": (
        claims.log_determinant, {"log_abs_det": _with_exponent(lambda h, w: min(h * w, 80))},
    ),
    "the diagonal alone counts": (
        claims.log_determinant,
        {
            "log_abs_det": lambda kernel, size, anchor: size[0] * size[1] * np.log(
                np.abs(np.diagonal(kernel[:, :, *anchor]))
            ).sum()
        },
    ),
    "a round trip that loses the last channel of 5": (
        claims.round_trip,
        {
            "conv_inverse": lambda y, kernel, **options: conv_inverse(y, kernel, **options)
            * np.where(np.arange(len(kernel)) == 4, 1 - 1e-3, 1)[:, None, None]
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_IMPLEMENTATIONS)
def test_a_wrong_implementation_is_refuted(name):
    claim, functions = WRONG_IMPLEMENTATIONS[name]
    evidence = claim(SimpleNamespace(**RIGHT | functions), np.random.default_rng(0))
    assert evidence.verdict == "fails"


def test_verify_refutes_a_wrong_implementation_in_the_claim_that_is_wrong(monkeypatch):
    monkeypatch.setattr(verification, "THEOREMS", ())
    _, functions = WRONG_IMPLEMENTATIONS["an adjoint that does not move B"]
    verdicts = {item.name: item.verdict for item in verify(SimpleNamespace(**RIGHT | functions))}
    assert verdicts.pop("gradient of inverse") == "fails"
    assert set(verdicts.values()) == {"holds"}


# ---- wrong theorems ------------------------------------------------------------------------------


def _matrix_without_a_tap(condition):
    def matrix(kernel, size, **options):
        changed = np.array(kernel)
        if condition(changed, size, Geometry(**({"corner": "top-left", "dilation": 1} | options))):
            changed[:, :, 0, 0] += 1
        return convolution_matrix(changed, size, **options)

    return matrix


def _exact_inverse_without_a_tap(condition):
    def inverse(y, kernel, *, transpose=False, **options):
        kernel = np.array(kernel)
        if condition(kernel, y.shape[2:], Geometry(**options)):
            kernel[:, :, 0, 0] *= 2
        return exact_inverse(y, kernel, transpose=transpose, **options)

    return inverse


def _substitution_without_a_tap(condition):
    def solve(y, kernel, solve_pixel, geometry, transpose):
        if condition(kernel, y.shape[2:], geometry):
            kernel = kernel.copy()
            kernel[:, :, 0, 0] = 0
        return substitute(y, kernel, solve_pixel, geometry, transpose)

    return solve


def _change_without_the_corner(adjoint, x, case):
    change = case.change.copy()
    change[:, :, *case.anchor] = 0
    moved = convolve(x, change.astype(object), case.geometry)
    return -(adjoint * moved).sum()


def _float_determinant(tolerance):
    def decide(kernel, anchor):
        return bool(abs(np.linalg.det(kernel[:, :, *anchor].astype(float))) > tolerance)

    return decide


def _wrong_exponent(exponent):
    return schwartz_zippel.determinant_at_random_points, {"exponent": exponent}


def _wrong_inverse(condition):
    return theorems.substitution_is_the_inverse, {
        "inverse": _exact_inverse_without_a_tap(condition)
    }


WRONG_THEOREMS = {
    "2: an exponent above 36 pixels": _wrong_exponent(lambda h, w: h * w + (h * w > 36)),
    "2: an exponent of 9 rows": _wrong_exponent(lambda h, w: h * w - (h == 9)),
    "2: an exponent of 9x9 pixels": _wrong_exponent(lambda h, w: min(h * w, 80)),
    "3: a float determinant": (
        theorems.invertible_iff_corner_is, {"decide": _float_determinant(0)},
    ),
    "3: a float determinant with a tolerance": (
        theorems.invertible_iff_corner_is, {"decide": _float_determinant(1e-9)},
    ),
    "3: singular only up to C = 4": (
        theorems.invertible_iff_corner_is,
        {"decide": lambda kernel, anchor: len(kernel) > 4 or is_invertible(kernel, anchor)},
    ),
    "3: a null image for C = 5": (
        theorems.invertible_iff_corner_is,
        {
            "null": lambda kernel, size, **options: null_image(kernel, size, **options)
            * (len(kernel) < 5)
        },
    ),
    "4: C > 3": _wrong_inverse(SOMEWHERE["C > 3"]),
    "4: k > 4": _wrong_inverse(SOMEWHERE["kh > 4"]),
    "4: d > 3": _wrong_inverse(SOMEWHERE["dilation > 3"]),
    "4, modulo a prime: d = 4 and k = 5": (
        schwartz_zippel.substitution_at_random_points,
        {
            "solve": _substitution_without_a_tap(
                lambda k, size, geometry: geometry.dilation == 4 and k.shape[3] > 2
            )
        },
    ),
    "1: C = 5": (theorems.block_triangular, {"matrix": lambda kernel, size, **options: (
        convolution_matrix(kernel, size, **options) + (len(kernel) == 5)
    )}),
    "5: more than 36 pixels": (
        theorems.corners_and_anchors_reduce,
        {"matrix": _matrix_without_a_tap(lambda k, size, g: (
            size[0] * size[1] > 36 and g.corner == "bottom-right"
        ))},
    ),
    "5: an anchor above the last row": (
        theorems.corners_and_anchors_reduce,
        {"matrix": _matrix_without_a_tap(lambda k, size, g: g.anchor[0] < k.shape[2] - 3)},
    ),
    "7: an adjoint that does not move B": (
        theorems.adjoint_is_transposed_substitution,
        {"change_of_inverse": _change_without_the_corner},
    ),
    "7: C > 3": (
        theorems.adjoint_is_transposed_substitution,
        {"inverse": lambda y, kernel, *, transpose=False, **options: exact_inverse(
            y, kernel, transpose=transpose and len(kernel) <= 3, **options
        )},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_THEOREMS)
def test_a_wrong_theorem_is_refuted(name):
    theorem, hook = WRONG_THEOREMS[name]
    evidence = theorem(np.random.default_rng(0), **hook)
    assert evidence.verdict == "fails"
