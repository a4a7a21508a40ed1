"""conv and conv_inverse against the matrix from the definition, over every option."""

import warnings

import numpy as np
import pytest
from autograd import grad, make_vjp
from hypothesis import given
from hypothesis import strategies as st

import cinc_ref as cr
from cinc_ref.errors import IllConditionedWarning, SingularKernelError
from cinc_ref.geometry import CORNERS, Geometry
from cinc_ref.kernels.causal.packing import pack
from cinc_ref.kernels.causal.plan import make_plan
from cinc_ref.kernels.causal.sweep import compiled_sweep
from cinc_ref.primitives.causal import OPERATIONS
from cinc_ref.primitives.memory_order import as_native_contiguous
from cinc_ref.theory.random_kernels import causal_mask, random_kernel
from tests.support.oracles import DTYPES, flat, float_matrix, problems, residual


@given(problems())
def test_conv_is_the_matrix(problem):
    y = cr.conv(problem.x, problem.kernel, **problem.options)
    assert y.dtype == problem.x.dtype and y.shape == problem.x.shape
    assert residual(problem, y, problem.x) < 10


@given(problems(dtypes=(np.float64,)))
def test_conv_equals_the_matrix_product_to_1e_10(problem):
    y = cr.conv(problem.x, problem.kernel, **problem.options)
    expected = flat(problem.x) @ float_matrix(problem).T
    np.testing.assert_allclose(flat(y), expected, rtol=1e-10, atol=1e-12)


@given(problems())
def test_residual_of_the_inverse(problem):
    x = cr.conv_inverse(problem.x, problem.kernel, **problem.options)
    assert x.dtype == problem.x.dtype and x.shape == problem.x.shape
    assert residual(problem, problem.x, x) < 10


@given(problems())
def test_round_trip(problem):
    y = cr.conv(problem.x, problem.kernel, **problem.options)
    x = cr.conv_inverse(y, problem.kernel, **problem.options)
    tolerance = 1e-10 if x.dtype == np.float64 else 1e-4
    scale = np.max(np.abs(problem.x), initial=0)
    assert np.max(np.abs(x - problem.x), initial=0) <= tolerance * scale


@given(problems())
def test_inverse_is_the_dense_solve(problem):
    x = cr.conv_inverse(problem.x, problem.kernel, **problem.options)
    expected = np.linalg.solve(float_matrix(problem), flat(problem.x.astype(np.float64)).T).T
    tolerance = 1e-10 if x.dtype == np.float64 else 1e-4
    np.testing.assert_allclose(flat(x), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("channels", [16, 30])
@pytest.mark.parametrize("kind", ["lower", "upper", "dense"])
def test_residual_with_many_channels(channels, kind, interpreted):
    if interpreted:
        channels = 6
    rng = np.random.default_rng(channels)
    for dtype in DTYPES:
        kernel = random_kernel(rng, (channels, channels, 3, 3), (2, 2), kind).astype(dtype)
        y = rng.normal(size=(2, channels, 3, 4)).astype(dtype)
        matrix = cr.convolution_matrix(kernel, (3, 4)).astype(np.longdouble)
        x = flat(cr.conv_inverse(y, kernel))
        gap = np.abs(flat(y) - x @ matrix.T) / (np.abs(x) @ np.abs(matrix).T)
        assert gap.max() < 10 * np.finfo(dtype).eps


@given(st.integers(0, 2**32), st.sampled_from(DTYPES), st.sampled_from(CORNERS), st.booleans())
def test_integers_and_a_unit_triangular_corner_are_exact(seed, dtype, corner, upper):
    """No rounding as long as every sum stays below 2^24 or 2^53, so equality is bit for bit."""
    rng = np.random.default_rng(seed)
    channels = int(rng.integers(1, 4))
    anchor = (1, int(rng.integers(3)))
    kernel = rng.integers(-2, 3, (channels, channels, 2, 3)) * causal_mask(
        (channels, channels, 2, 3), anchor
    )
    block = rng.integers(-2, 3, (channels, channels))
    triangle = np.triu(block, 1) if upper else np.tril(block, -1)
    kernel[:, :, anchor[0], anchor[1]] = triangle + np.eye(channels)
    x = rng.integers(-9, 10, (2, channels, 3, 2)).astype(dtype)
    options = {"corner": corner, "dilation": int(rng.integers(1, 3)), "anchor": anchor}
    y = cr.conv(x, kernel.astype(dtype), **options)
    assert np.array_equal(cr.conv_inverse(y, kernel.astype(dtype), **options), x)


@given(problems(largest=4), st.integers(1, 5))
def test_an_image_has_the_same_bits_in_any_batch(problem, others):
    rng = np.random.default_rng(others)
    x = problem.x[:1]
    neighbours = rng.normal(size=(others, *problem.x.shape[1:])).astype(x.dtype)
    for operation in (cr.conv, cr.conv_inverse):
        alone = operation(x, problem.kernel, **problem.options)
        batch = operation(np.concatenate([neighbours, x]), problem.kernel, **problem.options)
        assert np.array_equal(batch[others:], alone)


def test_kernel_larger_than_the_image():
    rng = np.random.default_rng(0)
    kernel = random_kernel(rng, (2, 2, 7, 5), (6, 4), "lower")
    x = rng.normal(size=(2, 2, 3, 2))
    y = cr.conv(x, kernel)
    np.testing.assert_allclose(flat(y), flat(x) @ cr.convolution_matrix(kernel, (3, 2)).T)
    np.testing.assert_allclose(cr.conv_inverse(y, kernel), x, rtol=1e-12)


@pytest.mark.parametrize("channels", [3, 7, 13, 25])  # all but 3 are padded to register blocks
@pytest.mark.parametrize("operation", [cr.conv, cr.conv_inverse])
def test_a_tap_that_never_reaches_the_image_has_no_influence(operation, channels):
    rng = np.random.default_rng(channels)
    kernel = rng.normal(size=(channels, channels, 1, 3)) / channels
    kernel[:, :, 0, 2] = np.eye(channels)
    images = rng.normal(size=(2, channels, 1, 2)) * 1e10
    expected = operation(images, kernel)
    kernel[:, :, 0, 0] = 1e300  # times the images it overflows
    np.testing.assert_array_equal(operation(images, kernel), expected)


def test_anchor_in_the_middle_of_a_centred_kernel():
    """A centred 3x3 kernel with nothing after its middle is the half-plane kernel of 2 rows."""
    rng = np.random.default_rng(0)
    kernel = random_kernel(rng, (2, 2, 3, 3), (1, 1), "lower")
    x = rng.normal(size=(2, 2, 4, 5))
    centred = cr.conv(x, kernel, anchor=(1, 1))
    assert np.array_equal(centred, cr.conv(x, kernel[:, :, :2], anchor=(1, 1)))


def test_conv_accepts_a_singular_corner_and_the_inverse_does_not():
    kernel = np.full((1, 1, 2, 2), 3.0)
    kernel[..., 1, 1] = 0
    x = np.ones((1, 1, 2, 2))
    assert cr.conv(x, kernel)[0, 0].tolist() == [[0, 3], [3, 9]]
    for images in (x, x[:0]):
        with pytest.raises(SingularKernelError, match=r"kernel\[0, 0, 1, 1\] = 0"):
            cr.conv_inverse(images, kernel)


@pytest.mark.parametrize("dtype", DTYPES)
def test_elimination_that_overflows_warns_and_leaves_the_exact_determinant(dtype):
    """The last pivot of this well conditioned block is four times as large as its entries.

    The inverse eliminates in the dtype of the images; the logarithm of the determinant, 4 s³ for
    entries of size s, is a small number that is found without elimination if that overflows.
    """
    block = np.array([[1, 0, 1], [-1, 1, 1], [-1, -1, 1]], dtype) * (np.finfo(dtype).max / 3.5)
    kernel = block.astype(dtype)[:, :, None, None]
    with pytest.warns(IllConditionedWarning, match="not finite"):
        x = cr.conv_inverse(np.ones((1, 3, 1, 1), dtype), kernel)
    assert not np.isfinite(x).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = 3 * np.log(float(kernel.max())) + np.log(4)
        assert cr.log_abs_det(kernel, (1, 1)) == pytest.approx(
            expected, rel=float(np.finfo(dtype).eps)
        )
        gradient = grad(lambda k: cr.log_abs_det(k, (1, 1)))(kernel)[:, :, 0, 0]
    inverse = np.linalg.inv(block / block.max()).T / block.max()
    np.testing.assert_allclose(gradient, inverse, rtol=8 * np.finfo(dtype).eps, atol=1e-320)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_convolution_that_overflows_warns_once_and_names_the_first_index(dtype):
    """The exact value there is 0: only the terms of the sum are too large."""
    large = np.finfo(dtype).max / 2
    kernel = np.array([[10, -10], [0, 1]], dtype)[:, :, None, None]
    x = np.array([1, large, 1, large], dtype).reshape(1, 2, 1, 2)
    calls = (
        lambda: cr.conv(x, kernel),
        lambda: cr.conv_vjp(x / large, kernel, x)[0],
        lambda: make_vjp(lambda k: cr.conv(x, k))(kernel)[1],
    )
    for call in calls:
        with pytest.warns(RuntimeWarning, match="overflow") as caught:
            assert not np.isfinite(call()).all()
        (warning,) = (w for w in caught if "the convolution" in str(w.message))
        assert f"{np.dtype(dtype)} at index (0, 0, 0, 1)" in str(warning.message)
        assert warning.filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(cr.conv(x / 100, kernel)).all()


@pytest.mark.parametrize("operation", [cr.conv, cr.conv_inverse])
def test_any_memory_layout_and_no_change_of_the_input(operation):
    rng = np.random.default_rng(1)
    kernel = random_kernel(rng, (3, 3, 2, 2), (1, 1), "lower")
    x = rng.normal(size=(2, 3, 4, 5))
    expected = operation(x, kernel)
    read_only = x.copy()
    read_only.flags.writeable = False
    layouts = {
        "view": np.repeat(x, 2, axis=3)[..., ::2],
        "reversed": x[:, :, ::-1, ::-1].copy()[:, :, ::-1, ::-1],
        "read-only": read_only,
        "Fortran": np.asfortranarray(x),
        "big-endian": x.astype(">f8"),
        "list": x.tolist(),
    }
    for layout, array in layouts.items():
        before = np.array(array)
        result = operation(array, kernel)
        assert np.array_equal(result, expected), layout
        assert result.dtype.isnative and result.flags.writeable
        assert np.array_equal(array, before)
    for kernel_layout in (np.asfortranarray(kernel), kernel.astype(">f8"), kernel[::1]):
        before = kernel_layout.copy()
        assert np.array_equal(operation(x, kernel_layout), expected)
        assert np.array_equal(kernel_layout, before)


@pytest.mark.parametrize("operation", [cr.conv, cr.conv_inverse])
def test_nothing_is_compiled_once_more_for_read_only_arrays(operation, interpreted):
    if interpreted:
        pytest.skip("nothing is compiled")
    kernel = random_kernel(np.random.default_rng(1), (3, 3, 2, 2), (1, 1), "lower")
    x = np.ones((2, 3, 4, 5))
    expected, solving = operation(x, kernel), operation is cr.conv_inverse
    call = kernel.shape, x.shape, True, 8, (1, (1, 1), (False, False))
    sweep = compiled_sweep(*make_plan((solving, False), *call).block, False)
    compiled = {function: len(function.signatures) for function in (sweep, pack)}
    for array in (x, kernel):
        array.flags.writeable = False
    assert np.array_equal(operation(x, kernel), expected)
    assert all(len(function.signatures) == count for function, count in compiled.items())


def test_only_what_kernels_cannot_take_is_copied():
    x = np.ones((2, 3))
    assert as_native_contiguous(x, x.dtype) is x
    for other in (x.astype(">f8"), x.astype(np.float32), np.asfortranarray(x)):
        taken = as_native_contiguous(other, x.dtype)
        assert np.array_equal(taken, x) and taken.dtype == x.dtype
        assert taken.flags.carray and taken.dtype.isnative


def test_results_are_plain_arrays_and_corners_any_strings():
    class Corner(str):
        """As a member of an Enum, which shows itself by its name."""

        __slots__ = ()

        def __str__(self):
            return "Corner.LAST"

    x = np.random.default_rng(1).normal(size=(4, 3, 5, 6))
    kernel = random_kernel(np.random.default_rng(0), (3, 3, 2, 2), (1, 1), "lower")
    expected = cr.conv(x, kernel, corner="bottom-right")
    y = cr.conv(np.ma.array(x), np.ma.array(kernel), corner=Corner("bottom-right"))
    assert type(y) is np.ndarray and np.array_equal(y, expected)
    for operation in OPERATIONS.values():
        assert type(operation(np.ma.array(x), kernel, Geometry(anchor=(1, 1)))) is np.ndarray


def test_results_lie_in_memory_as_the_images_do():
    kernel = random_kernel(np.random.default_rng(0), (3, 3, 2, 2), (1, 1), "lower")
    x = np.random.default_rng(1).normal(size=(4, 3, 5, 6))
    batch_last = np.ascontiguousarray(x.transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2)
    for operation in (cr.conv, cr.conv_inverse):
        first, last = operation(x, kernel), operation(batch_last, kernel)
        assert first.flags.c_contiguous and last.transpose(1, 2, 3, 0).flags.c_contiguous
        assert np.array_equal(first, last)
