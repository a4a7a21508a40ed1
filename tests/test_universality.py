"""The Lie algebras that convolutions generate: their dimensions, and what refutes wrong ones."""

import numpy as np
import pytest

from cinc_ref.geometry import CORNERS
from cinc_ref.theory.matrix import convolution_matrix
from cinc_ref.theory.modular import PRIME, row_echelon
from cinc_ref.theory.universality import (
    generated_dimension,
    one_corner_dimension,
    one_corner_generates_convolutions,
    opposite,
    opposite_corners_generate_everything,
)

OPPOSITE = ("top-left", "bottom-right")


def brute_force_dimension(shape, corners, kernel_size):
    """The closure under all brackets of any two members, with ranks in floating point."""
    channels, *size = shape
    units = np.eye(channels**2 * kernel_size[0] * kernel_size[1])
    kernels = units.reshape(-1, channels, channels, *kernel_size)
    basis = np.array([convolution_matrix(k, size, corner=c) for c in corners for k in kernels])
    dimension = 0
    while True:
        flat = basis.reshape(len(basis), -1)
        _, values, rows = np.linalg.svd(flat, full_matrices=False)
        rank = int((values > 1e-9 * values[0]).sum())
        if rank == dimension:
            return dimension
        dimension, basis = rank, rows[:rank].reshape(rank, *basis.shape[1:])
        products = basis[:, None] @ basis
        brackets = (products - products.swapaxes(0, 1)).reshape(-1, *basis.shape[1:])
        basis = np.concatenate([basis, brackets])


@pytest.mark.parametrize("corners", [OPPOSITE, OPPOSITE[:1], CORNERS[:2]])
@pytest.mark.parametrize(
    ("shape", "kernel_size"), [((1, 2, 2), (2, 2)), ((1, 1, 4), (1, 2)), ((2, 1, 3), (1, 2))]
)
def test_the_dimension_is_that_of_the_closure_under_all_brackets(shape, kernel_size, corners):
    expected = brute_force_dimension(shape, corners, kernel_size)
    assert generated_dimension(shape, corners, kernel_size) == expected


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 1, 6), (1, 4, 2), (1, 2, 3), (2, 1, 3), (3, 2, 1)]
)
def test_taps_that_cover_the_image_generate_everything(shape):
    """The sizes of the proof in words: no exception, one row included."""
    assert generated_dimension(shape, OPPOSITE, shape[1:]) == np.prod(shape) ** 2


@pytest.mark.parametrize("width", range(1, 9))
def test_two_taps_in_one_row_preserve_a_form(width):
    """The dimension is that of the scalars and so(W), or sp(W), and the form is preserved."""
    algebra = width * (width - 1) // 2 if width % 2 else width * (width + 1) // 2
    assert generated_dimension((1, 1, width), OPPOSITE, (1, 2)) == 1 + algebra
    form = np.fliplr(np.diag((-1) ** np.arange(width)))
    for corner in OPPOSITE:
        shift = convolution_matrix(np.array([[[[1, 0]]]]), (1, width), corner=corner)
        assert (shift.T @ form + form @ shift == 0).all()


def test_corners_on_one_side_leave_the_rows_triangular():
    """Top left and top right: rows of pixels read no later rows."""
    assert generated_dimension((1, 2, 2), CORNERS[:2], (2, 2)) == 8
    assert generated_dimension((1, 2, 2), CORNERS, (2, 2)) == 16


def test_one_corner_spans_the_convolutions_if_its_taps_cover_the_image():
    for channels, height, width in ((1, 2, 3), (2, 2, 2), (3, 1, 2)):
        shape = channels, height, width
        assert one_corner_dimension(shape, (height, width)) == channels**2 * height * width
        assert one_corner_dimension(shape, (3, 3)) == channels**2 * height * width
    assert one_corner_dimension((1, 9, 9), (2, 2)) == 4


def test_both_statements_hold():
    everything = opposite_corners_generate_everything()
    assert (everything.verdict, everything.cases, everything.proved) == ("holds", 12, True)
    for seed in range(3):
        convolutions = one_corner_generates_convolutions(np.random.default_rng(seed))
        assert (convolutions.verdict, convolutions.cases) == ("holds", 60), convolutions.reason


@pytest.mark.parametrize(
    "partner",
    [
        lambda corner: corner,
        lambda corner: CORNERS[CORNERS.index(corner) ^ 1],
        lambda corner: CORNERS[CORNERS.index(corner) ^ 2],
    ],
    ids=["the same", "its neighbour in the row", "its neighbour in the column"],
)
def test_another_second_corner_is_refuted(partner):
    evidence = opposite_corners_generate_everything(partner=partner)
    assert evidence.verdict == "fails" and "the dimension is" in evidence.reason
    assert [opposite(corner) for corner in CORNERS] == list(reversed(CORNERS))


@pytest.mark.parametrize(
    "dimension",
    [
        lambda shape, kernel_size: shape[0] ** 2 * shape[1] * shape[2],
        lambda shape, kernel_size: (
            shape[0] ** 2 * min(shape[1], kernel_size[0]) * min(shape[2], kernel_size[1])
        ),
        lambda shape, kernel_size: one_corner_dimension(shape, kernel_size) + (shape[0] == 3),
    ],
    ids=["all pixels", "only the taps", "three channels"],
)
def test_another_dimension_of_one_corner_is_refuted(dimension):
    evidence = one_corner_generates_convolutions(np.random.default_rng(0), dimension=dimension)
    assert evidence.verdict == "fails"


def test_the_echelon_form_spans_the_rows_and_has_its_pivots():
    rng = np.random.default_rng(0)
    factors = rng.integers(PRIME, size=(2, 6, 6)).astype(object)
    matrix = (factors[0][:, :3] @ factors[1][:3] % PRIME).astype(np.int64)
    matrix[:, 1] = 0
    rows, pivots = row_echelon(matrix)
    assert pivots.tolist() == [0, 2, 3] and (rows[:, pivots] == np.eye(3, dtype=int)).all()
    assert (matrix[:, pivots].astype(object) @ rows.astype(object) % PRIME == matrix).all()
