"""False conjectures are refuted by small counterexamples, true ones are not."""

import json

import numpy as np
import pytest

from cinc_ref import theory
from cinc_ref.errors import OptionError, OutputError
from cinc_ref.theory import refutation
from cinc_ref.theory.exact import matrix_inverse


def tap(convolution, which):
    """The single-channel weight of a tap."""
    return convolution.kernel[(0, 0, *which)]


def invertible(convolution, size):
    return convolution.determinant(size) != 0


def a_centre_that_is_not_0_suffices(convolution, size):
    return tap(convolution, convolution.anchor) == 0 or invertible(convolution, size)


def a_sum_that_is_not_0_suffices(convolution, size):
    return convolution.kernel.sum() == 0 or invertible(convolution, size)


def the_circular_determinant_is_that_of_same_padding(convolution, size):
    circular = theory.Convolution(convolution.kernel, convolution.dims, padding="circular")
    return convolution.determinant(size) == circular.determinant(size)


def no_image_is_lost(convolution, size):
    anchor = tap(convolution, convolution.anchor)
    return anchor == 0 or convolution.rank(size) == convolution.matrix(size).shape[1]


def the_two_commute(first, second, size):
    a, b = first.matrix(size), second.matrix(size)
    return (a @ b == b @ a).all()


def the_inverse_of_a_product_is_that_of_the_factors_in_the_same_order(first, second, size):
    if not (invertible(first, size) and invertible(second, size)):
        return True
    a, b = first.matrix(size), second.matrix(size)
    return (matrix_inverse(a @ b) == matrix_inverse(a) @ matrix_inverse(b)).all()


def it_is_triangular(convolution, size):
    return convolution.is_triangular(size)


def it_is_triangular_in_channel_major_order(convolution, size):
    block = convolution.kernel[(..., *convolution.anchor)]
    return np.triu(block, 1).any() or convolution.is_triangular(size, "channel-major")


def a_diagonal_that_is_not_0_suffices(convolution, size):
    block = convolution.kernel[(..., *convolution.anchor)]
    return not np.diagonal(block).all() or invertible(convolution, size)


def the_determinant_is_that_of_dilation_1(convolution, size):
    plain = theory.Convolution(convolution.kernel, padding=convolution.padding)
    return convolution.determinant(size) == plain.determinant(size)


FALSE = [  # claim, where to search, pixels of the counterexample, its entries that are not 0
    (a_centre_that_is_not_0_suffices, {"padding": "same", "kernel_size": 3}, 4, 3),
    (a_centre_that_is_not_0_suffices, {"padding": "circular", "kernel_size": 3}, 2, 2),
    (a_centre_that_is_not_0_suffices, {"padding": "reflect", "kernel_size": 3}, 2, 2),
    (a_centre_that_is_not_0_suffices, {"padding": "replicate", "kernel_size": 3}, 2, 2),
    (a_sum_that_is_not_0_suffices, {"padding": "same", "kernel_size": (2, 4)}, 2, 1),
    (a_sum_that_is_not_0_suffices, {"padding": "circular", "dims": 1, "size": (2, 3, 4)}, 2, 2),
    (the_circular_determinant_is_that_of_same_padding, {"padding": "same", "dims": (1, 2)}, 2, 1),
    (no_image_is_lost, {"stride": (2, 3)}, 2, 1),
    (the_two_commute, {"convolutions": 2, "channels": 2}, 1, 2),
    (the_two_commute, {"convolutions": 2, "anchor": ((1, 1),), "kernel_size": (2, 3)}, 2, 2),
    (
        the_inverse_of_a_product_is_that_of_the_factors_in_the_same_order,
        {"convolutions": 2, "channels": 2, "kernel_size": 1, "size": (1, 2)}, 1, 5,
    ),
    (it_is_triangular, {"corner": ("top-left", "bottom-right")}, 2, 1),
    (it_is_triangular, {"dims": 3, "padding": "same", "size": (1, 2)}, 2, 1),
    (it_is_triangular_in_channel_major_order, {"channels": 2, "size": (1, 2)}, 2, 1),
    (a_diagonal_that_is_not_0_suffices, {"channels": 2, "kernel_size": (1, 2)}, 1, 4),
    (the_determinant_is_that_of_dilation_1, {"padding": "same", "dilation": 2}, 2, 2),
]  # fmt: skip


@pytest.mark.parametrize(("claim", "over", "pixels", "entries"), FALSE)
def test_a_false_conjecture_is_refuted_by_a_small_counterexample(claim, over, pixels, entries):
    result = theory.refute(claim, over)
    assert result.is_false and result.claim == claim.__name__
    assert not claim(*result.convolutions, result.size)
    assert np.prod(result.size) <= pixels, str(result)
    used = sum(np.count_nonzero(convolution.kernel) for convolution in result.convolutions)
    assert used <= entries, str(result)
    assert all(np.abs(convolution.kernel).max() <= 1 for convolution in result.convolutions)


def the_anchor_decides(convolution, size):
    return invertible(convolution, size) == (tap(convolution, convolution.anchor) != 0)


def the_determinant_is_a_power(convolution, size):
    block = convolution.kernel[(..., *convolution.anchor)].astype(int).tolist()
    power = theory.exact.matrix_determinant(block) ** int(np.prod(size))
    return convolution.determinant(size) == power


def a_stride_keeps_the_rows_independent(convolution, size):
    anchor = tap(convolution, convolution.anchor)
    return anchor == 0 or convolution.rank(size) == len(convolution.matrix(size))


def the_transpose_of_same_padding_is_the_reversed_kernel(convolution, size):
    reversed_kernel = np.flip(convolution.kernel, range(2, 2 + convolution.dims))
    other = theory.Convolution(reversed_kernel, convolution.dims, padding="same")
    return (convolution.matrix(size).T == other.matrix(size)).all()


TRUE = [
    (the_anchor_decides, {"size": (1, 2, 3), "dilation": (1, 2)}),
    (the_determinant_is_a_power, {"channels": (1, 2), "kernel_size": (1, 2), "size": (1, 2)}),
    (it_is_triangular, {"channels": (1, 2), "groups": (1, 2), "size": (1, 2, 3)}),
    (the_two_commute, {"convolutions": 2, "size": (1, 2, 3)}),
    (a_stride_keeps_the_rows_independent, {"stride": (1, 2, 3), "dims": (1, 2), "size": (1, 2, 3)}),
    (
        the_transpose_of_same_padding_is_the_reversed_kernel,
        {"padding": "same", "kernel_size": (1, 3), "dims": (1, 2)},
    ),
]


@pytest.mark.parametrize(("claim", "over"), TRUE)
def test_a_true_conjecture_is_not_refuted_in_2000_cases(claim, over):
    result = theory.refute(claim, over)
    assert not result.is_false and result.cases >= 2000
    assert str(result) == f"{claim.__name__}: no counterexample in {result.cases} cases"


def test_a_counterexample_is_printed_saved_and_read_back(tmp_path):
    result = theory.refute(no_image_is_lost, {"stride": 2, "dims": 1})
    assert "no_image_is_lost: false on images of size 2 (" in str(result)
    assert "kernel [[[1]]], padding causal, stride (2,)" in str(result)
    result.save(tmp_path / "counterexample.json")
    stored = json.loads((tmp_path / "counterexample.json").read_text())
    again = theory.Convolution(**stored["convolutions"][0])
    assert stored["claim"] == "no_image_is_lost" and stored["size"] == [2]
    assert (again.matrix((4,)) == result.convolutions[0].matrix((4,))).all()
    assert again.to_dict() == result.convolutions[0].to_dict()
    with pytest.raises(OutputError, match="choose another place"):
        result.save(tmp_path / "missing" / "counterexample.json")


def test_the_seed_decides_what_is_found():
    found = [theory.refute(no_image_is_lost, {"stride": 2}, seed=3) for _ in range(2)]
    assert str(found[0]) == str(found[1])


def test_images_smaller_than_a_kernel_without_padding_are_left_out():
    sizes = set()

    def claim(convolution, size):
        sizes.add((convolution.kernel.shape[2:], size))
        return convolution.matrix(size).size > 0

    assert not theory.refute(claim, {"padding": "valid", "kernel_size": 3, "dims": 1}).is_false
    assert sizes == {((3,), (3,)), ((3,), (4,))}


def test_an_error_of_the_claim_is_raised():
    def broken(convolution, size):
        raise RuntimeError("a mistake in the claim")

    with pytest.raises(RuntimeError, match="a mistake in the claim"):
        theory.refute(broken)


@pytest.mark.parametrize(
    ("over", "seed", "message"),
    [
        ({"paddings": "same"}, 0, "a name in over must be one of convolutions, dims, size"),
        ({"size": ()}, 0, "over['size'] must have at least one value; got ()"),
        ({"dims": "2"}, 0, "over['dims'] must be an integer >= 1; got '2'"),
        ({"size": [(4, 4)]}, 0, "over['size'] must be an integer >= 1; got (4, 4)"),
        ({"convolutions": 0}, 0, "over['convolutions'] must be an integer >= 1; got 0"),
        ({"padding": "zeros"}, 0, "padding must be one of causal, same"),
        (["size"], 0, "over must be a dict from names to values; got ['size']"),
        ({}, -1, "seed must be an integer >= 0; got -1"),
    ],
)
def test_wrong_arguments_are_refused(over, seed, message):
    with pytest.raises(OptionError) as raised:
        theory.refute(it_is_triangular, over, seed=seed)
    assert str(raised.value).startswith(message)


def test_what_was_not_refuted_is_not_saved(tmp_path):
    with pytest.raises(OptionError, match=r"^claim must be refuted before"):
        refutation.Refutation("claim", 5).save(tmp_path / "nothing.json")
