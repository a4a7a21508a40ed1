"""Other layouts: against the released code's own arrays, and against the layers written out."""

from pathlib import Path

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref import interop
from cinc_ref.errors import CincError

DATA = Path(__file__).parent / "data"
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("name", ["cinc_conv_0", "cinc_conv_1", "cinc_conv_2"])
def test_released_tensorflow_kernels(name):
    case = np.load(DATA / f"{name}.npz")
    kernel = interop.kernel_from_tf(case["raw_W"])
    assert np.array_equal(kernel, case["kernel"])
    assert np.array_equal(interop.kernel_from_tf(interop.kernel_to_tf(kernel)), kernel)


def test_embedded_kernel_is_a_same_convolution_of_channel_last_images():
    x, raw = RNG.normal(size=(2, 4, 5, 3)), RNG.normal(size=(5, 3, 3, 3))
    masked = interop.kernel_to_tf(interop.kernel_from_tf(raw))
    padded = np.pad(x, ((0, 0), (2, 2), (1, 1), (0, 0)))
    expected = np.zeros_like(x)
    for i, j in np.ndindex(4, 5):
        expected[:, i, j] = np.einsum("nabc,abco->no", padded[:, i : i + 5, j : j + 3], masked)
    y = cr.conv(interop.nhwc_to_nchw(x), interop.kernel_from_tf(raw))
    np.testing.assert_allclose(interop.nchw_to_nhwc(y), expected, rtol=1e-12, atol=1e-12)


def test_finc_groups_are_padded_correlations_with_its_own_kernels():
    finc_kernels = RNG.normal(size=(4, 2, 2, 3, 3))
    converted = interop.kernels_from_finc(finc_kernels)
    pads = [((2, 0), (2, 0)), ((2, 0), (0, 2)), ((0, 2), (2, 0)), ((0, 2), (0, 2))]
    x = RNG.normal(size=(2, 2, 4, 5))
    back = interop.kernels_to_finc([kernel for kernel, _ in converted])
    for (kernel, corner), same, pad in zip(converted, back, pads, strict=True):
        padded, expected = np.pad(x, ((0, 0), (0, 0), *pad)), np.zeros_like(x)
        for i, j in np.ndindex(4, 5):
            window = padded[:, :, i : i + 3, j : j + 3]
            expected[:, :, i, j] = np.einsum("ncab,ocab->no", window, same)
        y = cr.conv(x, kernel, corner=corner)
        np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
        assert cr.log_abs_det(kernel, (4, 5)) == 0
        np.testing.assert_allclose(cr.conv_inverse(y, kernel, corner=corner), x, rtol=1e-6)


def test_finc_taps_other_than_the_corner_are_kept():
    finc_kernels = RNG.normal(size=(4, 2, 2, 3, 3))
    back = interop.kernels_to_finc(
        [kernel for kernel, _ in interop.kernels_from_finc(finc_kernels)]
    )
    for before, after in zip(finc_kernels, back, strict=True):
        assert np.sum(before != after) == 3  # the diagonal and the entry above it


def test_channel_last_images():
    x = np.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    y = interop.nchw_to_nhwc(x)
    assert y.shape == (2, 4, 5, 3) and y[1, 2, 3, 0] == x[1, 0, 2, 3]
    assert np.array_equal(interop.nhwc_to_nchw(y), x)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: interop.kernel_from_tf(np.ones((4, 5, 2, 2))), r"odd sides; got \(4, 5, 2, 2\)"),
        (lambda: interop.kernel_from_tf(np.ones((5, 2, 2))), r"got \(5, 2, 2\)"),
        (lambda: interop.kernel_to_tf(np.ones((2, 2, 3, 3))), "must be upper triangular"),
        (lambda: interop.kernel_to_tf(np.ones((2, 3, 3, 3))), r"\(C, C, kh, kw\)"),
        (lambda: interop.kernels_from_finc(np.ones((3, 2, 2, 3, 3))), "four.*got 3"),
        (lambda: interop.kernels_to_finc(2 * np.ones((4, 1, 1, 3, 3))), "unit lower.*top-left"),
        (lambda: interop.nhwc_to_nchw(np.ones((2, 3, 4))), r"\(N, H, W, C\); got \(2, 3, 4\)"),
    ],
)
def test_what_does_not_fit(call, message):
    with pytest.raises(CincError, match=message):
        call()
