"""Derivatives: finite differences to second order in both modes, and adjoint identities."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad, jacobian, make_jvp, make_vjp
from autograd.test_util import check_grads
from hypothesis import given, settings

import cinc_ref as cr
from cinc_ref.theory.random_kernels import causal_mask, corner_block, random_kernel
from tests.support.oracles import flat, float_matrix, problems

CASES = [  # channels, (kh, kw), (H, W), kind of corner block, options
    (1, (3, 3), (4, 3), "lower", {}),
    (2, (3, 3), (3, 4), "lower", {}),
    (2, (2, 3), (3, 4), "upper", {"anchor": (1, 1)}),
    (2, (2, 2), (4, 3), "dense", {"corner": "bottom-right"}),
    (3, (2, 2), (2, 3), "dense", {"corner": "top-right", "dilation": 2}),
    (2, (3, 3), (3, 3), "lower", {"corner": "bottom-left", "anchor": (1, 2)}),
    (2, (1, 1), (2, 3), "dense", {}),
    (1, (4, 2), (2, 3), "lower", {"dilation": 2}),
]


@pytest.fixture(params=CASES, ids=str)
def case(request):
    channels, shape, size, kind, options = request.param
    rng = np.random.default_rng(5)
    anchor = options.get("anchor", (shape[0] - 1, shape[1] - 1))
    kernel = random_kernel(rng, (channels, channels, *shape), anchor, kind)
    # Only these entries of the kernel are free: what the anchor forbids stays 0, and a triangular
    # corner stays triangular, as in a layer.
    return rng.normal(size=(2, channels, *size)), kernel, (kernel != 0).astype(float), options


@pytest.mark.parametrize("operation", [cr.conv, cr.conv_inverse])
def test_second_order_in_both_modes(operation, case):
    x, kernel, free, options = case
    check_grads(
        lambda x, k: operation(x, k * free, **options), (0, 1), modes=["fwd", "rev"], order=2
    )(x, kernel)


def test_log_abs_det_to_second_order(case):
    _, kernel, free, options = case
    anchor = options.get("anchor")
    check_grads(
        lambda k: cr.log_abs_det(k * free, (3, 2), anchor=anchor), modes=["fwd", "rev"], order=2
    )(kernel)


@pytest.mark.parametrize("operation", [cr.conv, cr.conv_inverse])
def test_jacobian_is_the_matrix_or_its_inverse(operation, case):
    x, kernel, _, options = case
    matrix = cr.convolution_matrix(kernel, x.shape[2:], **options)
    expected = matrix if operation is cr.conv else np.linalg.inv(matrix)

    def pixel_major(v):
        image = anp.transpose(anp.reshape(v, (*x.shape[2:], x.shape[1])), (2, 0, 1))[None]
        return anp.ravel(anp.transpose(operation(image, kernel, **options)[0], (1, 2, 0)))

    np.testing.assert_allclose(jacobian(pixel_major)(flat(x)[0]), expected, rtol=1e-10, atol=1e-12)


@given(problems(dtypes=(np.float64,)))
def test_adjoint_identities(problem):
    x, kernel, options = problem.x, problem.kernel, problem.options
    rng = np.random.default_rng(0)
    g = rng.normal(size=x.shape)
    direction = rng.normal(size=kernel.shape) * causal_mask(kernel.shape, problem.anchor)

    x_bar, kernel_bar = cr.conv_vjp(x, kernel, g, **options)
    y = cr.conv(x, kernel, **options)
    _assert_same_product(y, g, x, x_bar)
    _assert_same_product(y, g, kernel, kernel_bar)  # conv is linear in the kernel as well

    y_bar, kernel_bar = cr.conv_inverse_vjp(x, kernel, g, **options)
    solution = cr.conv_inverse(x, kernel, **options)
    _assert_same_product(solution, g, x, y_bar)
    change = -np.linalg.solve(
        float_matrix(problem),
        cr.convolution_matrix(direction, problem.size, **options) @ flat(solution).T,
    ).T
    _assert_same_product(change, flat(g), direction, kernel_bar)


@given(problems(dtypes=(np.float64,)))
@settings(max_examples=20)
def test_autograd_and_plain_vjps_are_the_same(problem):
    x, kernel, options = problem.x, problem.kernel, problem.options
    g = np.random.default_rng(0).normal(size=x.shape)
    for operation, vjp in ((cr.conv, cr.conv_vjp), (cr.conv_inverse, cr.conv_inverse_vjp)):
        gradients = grad(
            lambda pair, operation=operation: anp.sum(operation(*pair, **options) * g)
        )((x, kernel))
        for ours, expected in zip(vjp(x, kernel, g, **options), gradients, strict=True):
            assert np.array_equal(ours, expected)


@given(problems(dtypes=(np.float32,)))
@settings(max_examples=20)
def test_float32_stays_float32(problem):
    x, kernel, options = problem.x, problem.kernel, problem.options
    log_det_options = {"anchor": problem.anchor}
    for operation in (cr.conv, cr.conv_inverse):

        def loss(x, k, operation=operation):
            return anp.sum(operation(x, k, **options) ** 2) + cr.log_abs_det(
                k, problem.size, **log_det_options
            )

        for argnum in (0, 1):
            first = grad(loss, argnum)
            assert first(x, kernel).dtype == np.float32
            second = grad(lambda x, k, first=first, argnum=argnum: anp.sum(first(x, k)), argnum)
            assert second(x, kernel).dtype == np.float32
        value, tangent = make_jvp(lambda k, operation=operation: operation(x, k, **options))(
            kernel
        )(kernel)
        assert value.dtype == tangent.dtype == np.float32


@pytest.mark.parametrize("operation", [cr.conv, cr.conv_inverse])
def test_gradients_and_directions_of_another_dtype(operation):
    """One float64 in a float32 loss makes the gradient float64 on its way back."""
    rng = np.random.default_rng(2)
    kernel = random_kernel(rng, (2, 2, 3, 3), (2, 2), "lower")
    x, direction = rng.normal(size=(2, 3, 2, 4, 6))
    for argnum, moved in ((0, direction), (1, 0 * kernel + 0.1)):
        results = {}
        for dtypes in (("f4", "f8"), ("f4", "f4"), ("f8", "f4"), ("f8", "f8")):
            inputs = [array.astype(dtypes[0]) for array in (x, kernel)]

            def of_one(a, inputs=inputs, argnum=argnum):
                return operation(*inputs[:argnum], a, *inputs[argnum + 1 :])

            back, value = make_vjp(of_one)(inputs[argnum])
            _, tangent = make_jvp(of_one)(inputs[argnum])(moved.astype(dtypes[1]))
            results[dtypes] = back(value.astype(dtypes[1])), tangent
        exact = results["f8", "f8"]
        for found in results.values():
            for array, expected in zip(found, exact, strict=True):
                np.testing.assert_allclose(
                    array, expected, rtol=1e-3, atol=1e-4 * np.max(np.abs(expected))
                )


@pytest.mark.parametrize("kind", ["lower", "upper", "dense"])
def test_gradient_of_log_abs_det_is_the_inverse_transposed(kind):
    rng = np.random.default_rng(3)
    kernel = random_kernel(rng, (4, 4, 2, 2), (1, 1), kind)
    gradient = grad(lambda k: cr.log_abs_det(k, (3, 5)))(kernel)
    expected = np.zeros_like(kernel)
    expected[:, :, 1, 1] = 15 * np.linalg.inv(kernel[:, :, 1, 1]).T
    np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-12)


def test_hessian_of_a_dense_corner_is_symmetric():
    block = corner_block(np.random.default_rng(0), 3, "dense")
    hessian = jacobian(grad(lambda b: cr.log_abs_det(b[:, :, None, None], (2, 2))))(block)
    np.testing.assert_allclose(hessian, hessian.transpose(2, 3, 0, 1), atol=1e-12)


def _assert_same_product(a, b, c, d):
    """<a, b> = <c, d> to 1e-12 of the terms' size."""
    scale = max(1, np.sum(np.abs(a * b)), np.sum(np.abs(c * d)))
    assert abs(np.sum(a * b) - np.sum(c * d)) <= 1e-12 * scale
