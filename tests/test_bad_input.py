"""Every wrong argument gives one named error that says what was expected and what came."""

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref.errors import CincError, DtypeError, NonFiniteError, OptionError, ShapeError

X = np.ones((2, 3, 4, 5))
KERNEL = np.ones((3, 3, 2, 2))


def _with(array, index, value):
    changed = array.copy()
    changed[index] = value
    return changed


WRONG = [  # images, kernel, options, error, what the message names
    (X[0], KERNEL, {}, ShapeError, r"\(N, C, H, W\).*got \(3, 4, 5\)"),
    (X, KERNEL[0], {}, ShapeError, r"\(C, C, kh, kw\); got \(3, 2, 2\)"),
    (X, KERNEL[:2], {}, ShapeError, r"got \(2, 3, 2, 2\)"),
    (X[:, :2], KERNEL, {}, ShapeError, r"3 channels; got shape \(2, 2, 4, 5\)"),
    (X[:, :, :0], KERNEL, {}, ShapeError, r"H, W >= 1"),
    (X, KERNEL[:, :, :0], {}, ShapeError, r"got \(3, 3, 0, 2\)"),
    (X.astype(int), KERNEL, {}, DtypeError, "float32 or float64; got int64"),
    (X, KERNEL.astype(int), {}, DtypeError, "kernel must be float32 or float64; got int64"),
    (X + 0j, KERNEL, {}, DtypeError, "got complex128"),
    (X.astype(np.float16), KERNEL, {}, DtypeError, "got float16"),
    (X.astype(np.longdouble), KERNEL, {}, DtypeError, "float128|longdouble"),
    (X.astype(np.float32), KERNEL, {}, DtypeError, "same dtype; got float32 and float64"),
    (X.astype(object), KERNEL, {}, DtypeError, "got object"),
    (X.astype(str).astype(np.dtypes.StringDType()), KERNEL, {}, DtypeError, "got StringDType"),
    (_with(X, (1, 2, 3, 4), np.nan), KERNEL, {}, NonFiniteError, r"nan at index \(1, 2, 3, 4\)"),
    (X, _with(KERNEL, (0, 1, 0, 1), -np.inf), {}, NonFiniteError, r"kernel.*\(0, 1, 0, 1\)"),
    (X[:0], _with(KERNEL, (2, 1, 0, 1), np.nan), {}, NonFiniteError, r"kernel.*\(2, 1, 0, 1\)"),
    (X, KERNEL, {"corner": "middle"}, OptionError, "top-left, top-right.*got 'middle'"),
    (X, KERNEL, {"dilation": 0}, OptionError, "dilation must be an integer >= 1; got 0"),
    (X, KERNEL, {"dilation": 1.5}, OptionError, "got 1.5"),
    (X, KERNEL, {"dilation": True}, OptionError, "got True"),
    (X, KERNEL, {"anchor": (2, 0)}, OptionError, r"got \(2, 0\)"),
    (X, KERNEL, {"anchor": (-1, -1)}, OptionError, r"got \(-1, -1\)"),
    (X, KERNEL, {"anchor": 1}, OptionError, "got 1"),
    (X, KERNEL, {"anchor": np.array(1)}, OptionError, "anchor must be"),
    (X, KERNEL, {"dilation": 10**30}, OptionError, "dilation must be at most"),
    (X, KERNEL, {"anchor": (1, 0)}, OptionError, r"kernel\[0, 0, 1, 1\] = 1.0"),
]


CALLS = {
    "conv": cr.conv,
    "conv_inverse": cr.conv_inverse,
    "conv_vjp": lambda x, k, **o: cr.conv_vjp(x, k, x, **o),
    "conv_inverse_vjp": lambda x, k, **o: cr.conv_inverse_vjp(x, k, x, **o),
}


@pytest.mark.parametrize("x, kernel, options, error, message", WRONG)
@pytest.mark.parametrize("function", CALLS.values(), ids=CALLS)
def test_wrong_arguments(function, x, kernel, options, error, message):
    with pytest.raises(error, match=message) as caught:
        function(x, kernel, **options)
    assert isinstance(caught.value, CincError) and isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("channels", [3, 7, 13])  # 7 and 13 are padded to whole register blocks
@pytest.mark.parametrize("function", CALLS.values(), ids=CALLS)
def test_a_tap_that_never_reaches_the_image_must_be_finite(function, channels, value):
    kernel = np.zeros((channels, channels, 1, 8))
    kernel[:, :, 0, -1] = np.eye(channels)
    kernel[2, 1, 0, 0] = value
    with pytest.raises(NonFiniteError, match=rf"kernel.*{value} at index \(2, 1, 0, 0\)"):
        function(np.ones((2, channels, 1, 7)), kernel)


@pytest.mark.parametrize("corner", [[[np.inf, 0], [1, 1]], [[1, 1], [0, -np.inf]]])
@pytest.mark.parametrize("function", CALLS.values(), ids=CALLS)
def test_the_diagonal_of_a_corner_block_must_be_finite(function, corner):
    kernel = np.zeros((2, 2, 2, 2))
    kernel[:, :, 1, 1] = corner
    with pytest.raises(NonFiniteError, match="kernel must be finite"):  # not divided by: 1/inf = 0
        function(np.ones((3, 2, 4, 4)), kernel)


@pytest.mark.parametrize("size", [3, (3,), (0, 3), (2.0, 3), (1, 2, 3), None])
def test_wrong_size(size):
    for function in (cr.log_abs_det, cr.convolution_matrix):
        with pytest.raises(ShapeError, match="size must be"):
            function(KERNEL, size)


def test_wrong_cotangent():
    with pytest.raises(ShapeError, match="g must have the shape of the images"):
        cr.conv_vjp(X, KERNEL, X[:1])
    with pytest.raises(DtypeError, match="g and the images must have the same dtype"):
        cr.conv_inverse_vjp(X, KERNEL, X.astype(np.float32))


def test_log_abs_det_and_matrix_check_the_kernel_too():
    for function in (cr.log_abs_det, cr.convolution_matrix):
        with pytest.raises(ShapeError):
            function(KERNEL[0], (2, 2))
        with pytest.raises(NonFiniteError):
            function(_with(KERNEL, (0, 0, 1, 1), np.nan), (2, 2))
        with pytest.raises(OptionError):
            function(KERNEL, (2, 2), anchor=(1, 0))
    with pytest.raises(DtypeError):
        cr.convolution_matrix(KERNEL + 0j, (2, 2))
    with pytest.raises(ShapeError):
        cr.theory.exact_determinant(np.ones((2, 3)), (2, 2))


@pytest.mark.parametrize("size", [(200, 200), (10**9, 10**9), (3000, 3000)])
def test_a_matrix_that_does_not_fit_says_its_size_and_sparse(monkeypatch, size):
    def zeros(*arguments):
        raise MemoryError("Unable to allocate 107. GiB for an array with shape ...")

    monkeypatch.setattr(np, "zeros", zeros)
    with pytest.raises(OptionError, match=r"rows, [\d,.]+ GiB if dense: use sparse=True"):
        cr.convolution_matrix(KERNEL, size)
    monkeypatch.undo()
    assert cr.convolution_matrix(KERNEL, (3, 3), sparse=True).shape == (27, 27)


@pytest.mark.parametrize(
    "function", [cr.convolution_matrix, cr.theory.exact_determinant, cr.theory.condition_number]
)
def test_numbers_of_sympy_follow_one_rule(function):
    sympy = pytest.importorskip("sympy")
    for number in (sympy.Integer(2), sympy.Rational(1, 3)):
        function(np.array([[[[number]]]], object), (2, 2))
    for number in (sympy.Float(0.5), sympy.sqrt(2), sympy.Symbol("a")):
        with pytest.raises(DtypeError, match=r"integers, Fractions or floats; got .*, a"):
            function(np.array([[[[number]]]], object), (2, 2))
