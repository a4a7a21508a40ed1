"""The theorems, one numbering from 1 to 9: functions that try to refute them, exactly.

Each takes a random generator and an effort (the number of cases grows in proportion). The function
or formula that it judges is a keyword, so that a wrong one can be put in its place.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.errors import MissingExtraError
from cinc_ref.geometry import CORNERS, flip, flips
from cinc_ref.theory.cases import (
    Case,
    integer_case,
    unit_case,
    with_cancelling_corner,
    with_integer_images,
    with_singular_corner,
    with_tiny_entries,
)
from cinc_ref.theory.evidence import Counterexample, Evidence, find, search, skipped
from cinc_ref.theory.exact import bareiss, matrix_determinant, to_fractions, to_integers
from cinc_ref.theory.invertibility import is_invertible, null_image
from cinc_ref.theory.matrix import convolution_matrix
from cinc_ref.theory.modular import PRIME, determinant_modulo
from cinc_ref.theory.proofs import STATEMENTS, IndexOrder, prove
from cinc_ref.theory.substitution import convolve, exact_conv, exact_inverse, substitute

__all__ = [
    "PAPER",
    "adjoint_is_transposed_substitution",
    "block_triangular",
    "corners_and_anchors_reduce",
    "determinant_is_a_power_of_polynomials",
    "invertible_iff_corner_is",
    "not_triangular_in_channel_major_order",
    "order_of_indices",
    "substitution_is_the_inverse",
    "substitution_of_integers_is_exact",
]

PAPER = "CInC Flow, section 3"
CHANNELS = "CInC Flow, section 3, several channels"


def order_of_indices(
    rng: np.random.Generator | None = None, effort: int = 1, *, order: IndexOrder = "pixel-major"
) -> Evidence:
    """Theorems 1, 3, 4, 5 and 7: the order of indices that they need, for all sizes, by z3.

    Skipped without z3-solver. A counterexample holds a kernel of one tap, the entry of M that
    contradicts the statement.
    """
    name, source = "order of indices", "formulas of cinc_ref.theory.prove, by z3"
    statement = "for all sizes: " + ", ".join(formula[1] for formula in STATEMENTS)
    theorems = tuple(sorted({formula[0] for formula in STATEMENTS}))
    try:
        proofs = prove(order).proofs
    except MissingExtraError as error:
        return skipped(name, statement, source, f"not tried: {error}", theorems)
    evidence = Evidence(
        name, statement, source, len(proofs), "all sizes", None, None, "holds",
        theorems=theorems, proved=True,
    )  # fmt: skip
    for proof in proofs:
        if proof.verdict == "refuted":
            case = _case_of_model(proof.model)
            problem = f"{proof.formula.name} is refuted"
            return replace(
                evidence, verdict="fails", proved=False, reason=f"{problem}: {proof.model}",
                counterexample=Counterexample(name, problem, case),
            )  # fmt: skip
        if proof.verdict == "unknown":
            reason = f"z3 did not settle {proof.formula.name}"
            evidence = replace(evidence, verdict="skipped", proved=False, reason=reason)
    return evidence


def _case_of_model(model):
    """Return the case of one tap that a model of z3 is about."""
    kernel = np.zeros((model["C"], model["C"], model["kh"], model["kw"]), int)
    kernel[model["o"], model["c"], model["a"], model["b"]] = 1
    seen = (model["bottom"], model["right"])
    corner = next(corner for corner in CORNERS if flips(corner) == seen)
    size, anchor = (model["H"], model["W"]), (model["p"], model["q"])
    return Case(kernel, size, corner, model["dilation"], anchor)


def block_triangular(
    rng: np.random.Generator, effort: int = 1, *, matrix: Callable[..., Array] = convolution_matrix
) -> Evidence:
    """Theorem 1: in pixel-major order M is block lower triangular with B all along its diagonal.

    For a corner other than the top left one, after the same flip of the pixels.
    """

    def refute(case):
        channels, pixels = len(case.kernel), case.size[0] * case.size[1]
        blocks = matrix(case.kernel, case.size, **case.options)
        blocks = blocks.reshape(pixels, channels, pixels, channels).transpose(0, 2, 1, 3)
        order = _pixels_from_corner(case)
        blocks = blocks[np.ix_(order, order)]
        if blocks[np.triu_indices(pixels, 1)].any():
            return "a block above the diagonal is not 0"
        diagonal = blocks[np.arange(pixels), np.arange(pixels)]
        return "" if (diagonal == case.corner_block).all() else "a diagonal block is not B"

    return search(
        "block triangular", "pixel-major M is block lower triangular, all diagonal blocks are B",
        PAPER, (integer_case(rng) for _ in range(300 * effort)), refute, theorems=(1,),
    )  # fmt: skip


def not_triangular_in_channel_major_order(
    rng: np.random.Generator, effort: int = 1, *, order: str = "channel-major"
) -> Evidence:
    """Theorem 1, second half: with the channels outermost M is not triangular, though B is."""

    def example(case):
        channels, pixels = len(case.kernel), case.size[0] * case.size[1]
        rows = np.arange(channels * pixels)
        if order == "channel-major":
            rows = rows.reshape(pixels, channels).T.ravel()
        entries = convolution_matrix(case.kernel, case.size, anchor=case.anchor)[np.ix_(rows, rows)]
        triangular = not np.triu(entries, 1).any() or not np.tril(entries, -1).any()
        return "" if triangular else f"for example M = {entries.tolist()}"

    cases = (unit_case(rng, options=()) for _ in range(3000 * effort))
    lower = (case for case in cases if not np.triu(case.corner_block, 1).any())
    small = (case for case in lower if case.unknowns <= 6)
    return find(
        "channel-major order", "with the channels outermost some M is not triangular, though B is",
        CHANNELS, small, example, theorems=(1,),
    )  # fmt: skip


def determinant_is_a_power_of_polynomials(
    rng: np.random.Generator | None = None,
    effort: int = 1,
    *,
    exponent: Callable[[int, int], int] = lambda height, width: height * width,
) -> Evidence:
    """Theorem 2 for every kernel of some shapes at once, for all four corners.

    Both determinants are computed by elimination in the ring of integer polynomials whose
    variables are the entries of the kernel; nothing is drawn and nothing is estimated. A
    counterexample holds the kernel 1, 2, 3, ... in place of the variables. Skipped without sympy.
    """
    name = "determinant, symbolic"
    statement = (
        "det M = det(B)^(H W) as polynomials: C = 1, 3x3, images to 4x4; C = 2, 2x2, image 2x2"
    )
    try:
        from sympy.polys.domains import ZZ
        from sympy.polys.rings import ring
    except ModuleNotFoundError:
        return skipped(name, statement, PAPER, "sympy is not installed", (2,))

    def refute(case):
        polynomials, *entries = ring([f"k{number}" for number in range(case.kernel.size)], ZZ)
        symbols = [polynomials.zero, *entries]
        determinant = bareiss([[symbols[n] for n in row] for row in case.matrix().tolist()])
        block = bareiss([[symbols[n] for n in row] for row in case.corner_block.tolist()])
        return "" if determinant == block ** exponent(*case.size) else "the polynomials differ"

    return search(
        name, statement, PAPER, _numbered_kernels(), refute, theorems=(2,), exhaustive=True
    )


def _numbered_kernels():
    """Yield cases whose kernel holds 1, 2, 3, ...: entry n of their matrix is variable n."""
    sizes = [(height, width) for height in range(1, 5) for width in range(1, 5)]
    for channels, side, shapes in ((1, 3, sizes), (2, 2, [(2, 2)])):
        shape = (channels, channels, side, side)
        kernel = np.arange(1, np.prod(shape) + 1).reshape(shape)
        for size in shapes:
            for corner in CORNERS:
                yield Case(kernel, size, corner, 1, (side - 1, side - 1))


def invertible_iff_corner_is(
    rng: np.random.Generator,
    effort: int = 1,
    *,
    decide: Callable[..., bool] = is_invertible,
    null: Callable[..., Array] = null_image,
) -> Evidence:
    """Theorem 3: invertible iff det B != 0, for C = 1 iff K_nn != 0; otherwise a null image."""

    def refute(case):
        invertible = decide(case.kernel, case.anchor)
        if len(case.kernel) == 1 and invertible != (case.corner_block.item() != 0):
            return f"K_nn contradicts invertible = {invertible}"
        if invertible:
            integers = replace(case, kernel=to_integers(case.kernel)[0])
            residues = (integers.matrix() % PRIME).astype(np.int64)
            return "" if determinant_modulo(residues) else "it is called invertible, but det M = 0"
        image = null(case.kernel, case.size, corner=case.corner, anchor=case.anchor)
        if not image.any():
            return "it is called singular, but the null image is 0"
        return "conv of the null image is not 0" if exact_conv(
            image, case.kernel, **case.options
        ).any() else ""  # fmt: skip

    def cases():
        for _ in range(75 * effort):
            yield (case := integer_case(rng))
            yield with_singular_corner(rng, case)
            yield with_tiny_entries(case)
            yield with_cancelling_corner(rng, case)

    return search(
        "invertible iff", "invertible iff det B != 0 (C = 1: K_nn != 0); if not, conv(v) = 0 != v",
        PAPER, cases(), refute, theorems=(3,),
    )  # fmt: skip


def substitution_is_the_inverse(
    rng: np.random.Generator, effort: int = 1, *, inverse: Callable[..., Array] = exact_inverse
) -> Evidence:
    """Theorem 4: substitution in raster order undoes M from both sides, in Fractions."""

    def refute(case):
        matrix, x = case.matrix().astype(object), to_fractions(_as_rows(case.x))
        solved = inverse(case.x, case.kernel, **case.options)
        if (_multiply(matrix, _as_rows(solved)) != x).any():
            return "M inverse(y) is not y"
        y = _as_images(_multiply(matrix, x), case)
        solved = inverse(y, case.kernel, **case.options)
        return "" if (_as_rows(solved) == x).all() else "inverse(M x) is not x"

    return search(
        "substitution", "substitution in raster order is the inverse, in exact fractions",
        PAPER, _invertible_cases(rng, 80 * effort), refute, theorems=(4,),
    )  # fmt: skip


def _substitute_floats(y, case):
    """Substitute in floating point, for a unit triangular corner block."""
    block = case.corner_block
    channels = range(len(block))

    def solve(rest):
        x = np.zeros_like(rest)
        for o in channels if not np.triu(block, 1).any() else reversed(channels):
            x[:, o] = rest[:, o] - x @ block[o]
        return x

    return substitute(y, case.kernel, solve, case.geometry)


def substitution_of_integers_is_exact(
    rng: np.random.Generator, effort: int = 1, *, inverse: Callable[..., Array] = _substitute_floats
) -> Evidence:
    """Theorem 4: with integers and a unit triangular B no floating-point operation rounds."""

    def refute(case):
        x = case.x
        floats = case.astype(np.float64)
        y = convolve(x, case.kernel, case.geometry)
        largest = convolve(np.abs(x), np.abs(case.kernel), case.geometry).max()
        if not 2 * largest < 2**53:
            return f"magnitudes up to {2 * largest} are not below 2^53"
        solved = inverse(y.astype(np.float64), floats)
        return "" if np.array_equal(solved, floats.x) else "the floating-point inverse is not x"

    return search(
        "exact in floats", "integers, unit triangular B: the floating-point inverse is exact",
        PAPER, (with_integer_images(rng, unit_case(rng)) for _ in range(200 * effort)), refute,
        theorems=(4,),
    )  # fmt: skip


def corners_and_anchors_reduce(
    rng: np.random.Generator, effort: int = 1, *, matrix: Callable[..., Array] = convolution_matrix
) -> Evidence:
    """Theorem 5: a corner is a flip of the pixels, and what lies after the anchor is no tap."""

    def refute(case):
        options = {"dilation": case.dilation}
        order = _pixels_from_corner(case)
        rows = (order[:, None] * len(case.kernel) + np.arange(len(case.kernel))).ravel()
        seen = matrix(case.kernel, case.size, anchor=case.anchor, corner=case.corner, **options)
        plain = matrix(case.kernel, case.size, anchor=case.anchor, **options)
        if (seen[np.ix_(rows, rows)] != plain).any():
            return "M of this corner is not the flipped M of the top left one"
        moved = np.pad(case.kernel, [(0, 0), (0, 0), (1, 2), (2, 1)])
        anchor = (case.anchor[0] + 1, case.anchor[1] + 2)
        same = matrix(moved, case.size, anchor=anchor, **options)
        return "" if (same == plain).all() else "zeros around the kernel change M"

    return search(
        "corners and anchors", "other corners: M after a flip of the pixels; anchors: the same M",
        CHANNELS, (integer_case(rng) for _ in range(200 * effort)), refute, theorems=(5,),
    )  # fmt: skip


@dataclass(frozen=True)
class _Changed(Case):
    """A case with a change of its kernel."""

    change: np.ndarray | None = None

    def __str__(self):
        return f"{super().__str__()}, change of the kernel {self.change.tolist()}"


def _change_of_inverse(adjoint, x, case):
    """Return <g, M(K + E)^{-1} y> - <g, x>, with x = M(K)^{-1} y and M(K + E)^{-T} g."""
    return -(adjoint * exact_conv(x, case.change, **case.options)).sum()


def adjoint_is_transposed_substitution(
    rng: np.random.Generator,
    effort: int = 1,
    *,
    inverse: Callable[..., Array] = exact_inverse,
    change_of_inverse: Callable[..., Array] = _change_of_inverse,
) -> Evidence:
    """Theorem 7: <g, M^-1 y> = <M^-T g, y>, and the change of M^-1 y with the kernel.

    With x = M(K)^{-1} y and any change E of the kernel, B included, exactly,

        <g, M(K + E)^{-1} y> - <g, x> = -<M(K + E)^{-T} g, M(E) x>,

    whose part of first order in E is the gradient with respect to the kernel.
    """

    def refute(case):
        y, g, options = case.x, case.g, case.options
        x = inverse(y, case.kernel, **options)
        adjoint = inverse(g, case.kernel, transpose=True, **options)
        if (g * x).sum() != (adjoint * y).sum():
            return "<g, M^-1 y> is not <M^-T g, y>"
        if (g * exact_conv(y, case.kernel, **options)).sum() != (
            exact_conv(g, case.kernel, transpose=True, **options) * y
        ).sum():
            return "<g, M y> is not <M^T g, y>"
        changed = case.kernel + case.change
        difference = (g * inverse(y, changed, **options)).sum() - (g * x).sum()
        adjoint = inverse(g, changed, transpose=True, **options)
        same = difference == change_of_inverse(adjoint, x, case)
        return "" if same else "the change with the kernel is another one"

    return search(
        "adjoint", "the gradient of the inverse is the transposed substitution, in fractions",
        "transposition of theorem 4", _changed_cases(rng, 40 * effort), refute, theorems=(7,),
    )  # fmt: skip


def _changed_cases(rng, count):
    """Yield invertible cases with a change of all taps, after which B is invertible as well."""
    for case in _invertible_cases(rng, count):
        drawn = case.corner_block
        while not (drawn != 0).any() or not matrix_determinant(case.corner_block + drawn):
            drawn = rng.integers(-3, 4, case.corner_block.shape)
        change = rng.integers(-3, 4, case.kernel.shape) * (case.kernel != 0)
        change[:, :, *case.anchor] = drawn
        yield _Changed(**vars(case), change=change)


def _invertible_cases(rng, count):
    """Yield integer cases with images and an invertible B, every other one unit triangular."""
    while count:
        case = with_integer_images(rng, (unit_case if count % 2 else integer_case)(rng))
        if matrix_determinant(case.corner_block):
            count -= 1
            yield case


def _pixels_from_corner(case):
    """Return the pixel numbers in the raster order that starts at the padded corner."""
    return flip(np.arange(np.prod(case.size)).reshape(case.size), case.corner).ravel()


def _multiply(matrix, rows):
    """Compute M x for every row x, from the entries of M that are not 0."""
    products = np.empty_like(rows)
    for i, entries in enumerate(matrix):
        read = np.flatnonzero(entries)
        products[:, i] = rows[:, read] @ entries[read]
    return products


def _as_rows(images):
    """Reshape images to rows in the matrix's pixel-major order."""
    return images.transpose(0, 2, 3, 1).reshape(len(images), -1)


def _as_images(rows, case):
    return rows.reshape(len(rows), *case.size, len(case.kernel)).transpose(0, 3, 1, 2)
