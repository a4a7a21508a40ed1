"""The operations for JAX, held against our functions and JAX's own checks."""

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref.errors import DtypeError, OptionError, ShapeError, SingularKernelError
from cinc_ref.geometry import CORNERS
from cinc_ref.testing import Implementation, parametrize_with_checks
from cinc_ref.theory.random_kernels import random_kernel
from tests.conftest import INTERPRETED
from tests.support.interpreted import run_drawn_checks

jax = pytest.importorskip("jax", reason='JAX is not installed: pip install ".[jax]"')
import jax.numpy as jnp  # noqa: E402
from jax.test_util import check_grads  # noqa: E402

from cinc_ref import jax as cj  # noqa: E402

GEOMETRIES = [  # kernel size, corner, dilation, anchor
    *(((2, 2), corner, 1, None) for corner in CORNERS),
    ((1, 1), "top-left", 1, None),
    ((3, 3), "bottom-right", 2, None),
    ((1, 3), "top-right", 1, None),
    ((3, 1), "bottom-left", 1, None),
    ((2, 3), "top-left", 1, (1, 1)),
    ((3, 2), "top-right", 1, (1, 0)),
]
SHAPES = [(2, 2, 3, 4), (1, 1, 4, 3), (0, 2, 3, 3)]


@pytest.fixture(autouse=True)
def x64():
    """Let JAX have float64 in these tests."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def problem(shape, geometry, kind="lower", dtype=np.float64):
    """Draw images and a kernel with a bounded inverse, and the options of a geometry."""
    kernel_size, corner, dilation, anchor = geometry
    rng = np.random.default_rng(0)
    kernel = random_kernel(rng, (shape[1], shape[1], *kernel_size), anchor=anchor, kind=kind)
    options = {"corner": corner, "dilation": dilation, "anchor": anchor}
    return rng.normal(size=shape).astype(dtype), kernel.astype(dtype), options


@pytest.mark.parametrize("kind", ["lower", "dense"])
@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("name", ["conv", "conv_inverse"])
def test_results_and_gradients_are_the_bits_of_our_functions(name, geometry, kind):
    for shape in SHAPES:
        for dtype in (np.float32, np.float64):
            x, kernel, options = problem(shape, geometry, kind, dtype)
            g = np.random.default_rng(1).normal(size=shape).astype(dtype)
            expected = getattr(cr, name)(x, kernel, **options)
            bars = getattr(cr, f"{name}_vjp")(x, kernel, g, **options)

            def function(x, kernel, options=options):
                return getattr(cj, name)(x, kernel, **options)

            for run in (function, jax.jit(function)):
                result, vjp = jax.vjp(run, jnp.asarray(x), jnp.asarray(kernel))
                np.testing.assert_array_equal(result, expected)
                assert result.dtype == dtype
                for got, bar in zip(vjp(jnp.asarray(g)), bars, strict=True):
                    np.testing.assert_array_equal(got, bar)
                    assert got.dtype == dtype


def test_without_x64_everything_is_float32():
    jax.config.update("jax_enable_x64", False)
    x, kernel, _ = problem((2, 2, 3, 3), GEOMETRIES[0])
    result = cj.conv_inverse(x, kernel)
    assert result.dtype == np.float32 and cj.log_abs_det(kernel, (3, 3)).dtype == np.float32
    expected = cr.conv_inverse(x.astype("f"), kernel.astype("f"))
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("name", ["conv", "conv_inverse"])
def test_derivatives_of_first_and_second_order(name, geometry):
    x, kernel, options = problem((2, 2, 3, 2), geometry, "dense")
    # taps after the anchor are no arguments
    p, q = options["anchor"] or (kernel.shape[2] - 1, kernel.shape[3] - 1)
    mask = (np.arange(kernel[0, 0].size) <= p * kernel.shape[3] + q).reshape(kernel.shape[2:])

    def function(x, kernel):
        return getattr(cj, name)(x, kernel * mask, **options)

    check_grads(function, (x, kernel), order=2, modes=["rev"])
    check_grads(jax.jit(function), (x, kernel), order=2, modes=["rev"])


def test_derivatives_of_the_log_determinant():
    for kind in ("lower", "dense"):
        _, kernel, _ = problem((1, 3, 2, 2), ((2, 3), "top-left", 1, (1, 2)), kind)

        def function(kernel):
            return cj.log_abs_det(kernel, (2, 3))

        assert float(jax.jit(function)(kernel)) == cr.log_abs_det(kernel, (2, 3))
        check_grads(function, (jnp.asarray(kernel),), order=3, modes=["rev"])


def test_vmap_in_any_order_with_grad_and_jit():
    x, kernel, _ = problem((2, 2, 3, 2), GEOMETRIES[0], "dense")
    images = jnp.stack([x, 2 * x, 3 * x])
    kernels = jnp.stack([kernel, 1.5 * kernel, 2 * kernel])
    for function in (cj.conv, cj.conv_inverse):

        def loss(x, kernel, function=function):
            return (function(x, kernel) ** 3).sum() + cj.log_abs_det(kernel, (3, 2))

        for mapped in (loss, jax.grad(loss), jax.grad(loss, 1)):
            for axes, given in (
                ((0, None), (images, kernel)),
                ((None, 0), (x, kernels)),
                ((0, 0), (images, kernels)),
                ((1, 0), (images.swapaxes(0, 1), kernels)),
            ):
                got = jax.vmap(mapped, axes)(*given)
                many = [
                    jnp.moveaxis(g, axis, 0) if axis is not None else [g] * 3
                    for g, axis in zip(given, axes, strict=True)
                ]
                expected = jnp.stack([mapped(*row) for row in zip(*many, strict=True)])
                np.testing.assert_allclose(got, expected, rtol=1e-12)
                np.testing.assert_allclose(
                    jax.jit(jax.vmap(mapped, axes))(*given), expected, rtol=1e-12
                )
        twice = jax.vmap(jax.vmap(loss, (0, None)), (None, 0))(images, kernels)
        expected = [[loss(x, kernel) for x in images] for kernel in kernels]
        np.testing.assert_allclose(twice, expected, rtol=1e-12)


def test_forward_mode_is_refused_by_jax():
    x, kernel, _ = problem((1, 1, 2, 2), GEOMETRIES[0])
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(lambda x: cj.conv(x, kernel), (x,), (x,))


def test_what_the_operations_do_not_take_gets_one_sentence():
    x, k = jnp.ones((1, 1, 2, 2)), jnp.ones((1, 1, 1, 1))
    cases = [
        (
            DtypeError,
            r"(?m)same dtype; .* use x\.astype\('float32'\)$",
            lambda x: cj.conv(x, k.astype("float32")),
        ),
        (
            DtypeError,
            r"(?m)^x must be .* got complex128: use x\.real$",
            lambda x: cj.conv(x + 0j, k + 0j),
        ),
        (
            DtypeError,
            r"(?m)^kernel must be .* use jax\.numpy\.asarray\(kernel, 'float32'\)$",
            lambda x: cj.conv_inverse(x, k.astype("float16")),
        ),
        (
            DtypeError,
            r"(?m)got bfloat16: use jax\.numpy\.asarray\(x, 'float32'\)$",
            lambda x: cj.conv(x.astype("bfloat16"), k),
        ),
        (DtypeError, "got int", lambda x: cj.conv(x.astype(int), k)),
        (ShapeError, r"use x\[None\]", lambda x: cj.conv(x[0], k)),
        (ShapeError, "kernel must have shape", lambda x: cj.conv(x, k[0])),
        (OptionError, "corner must be one of", lambda x: cj.conv(x, k, corner=3)),
        (OptionError, "dilation must be", lambda x: cj.conv(x, k, dilation=True)),
        (OptionError, "anchor must be", lambda x: cj.conv(x, k, anchor=(1, 0))),
        (OptionError, "check must be", lambda x: cj.conv_inverse(x, k, check=1)),
    ]
    for error, message, call in cases:
        for run in (call, jax.jit(call)):
            with pytest.raises(error, match=message) as caught:
                run(x)
            assert "\n" not in str(caught.value)
    with pytest.raises(SingularKernelError, match=r"K_nn = kernel\[0, 0, 0, 0\]"):
        cj.conv_inverse(x, 0 * k)
    with pytest.raises(Exception, match=r"SingularKernelError: .* zero on its diagonal"):
        jax.block_until_ready(jax.jit(cj.conv_inverse)(x, 0 * k))


@pytest.mark.parametrize(
    "options",
    [{"dilation": 2}, {"anchor": (1, 1)}, {"check": True}, {"size": (2, 2)}, {"anchor": 1}],
)
def test_options_that_jax_traces_are_named(options):
    (name,) = options
    x, k = jnp.ones((1, 1, 2, 2)), jnp.ones((1, 1, 2, 2))

    def function(x, kernel, **options):
        if "size" in options:
            return cj.log_abs_det(kernel, **options)
        return cj.conv_inverse(x, kernel, **options)

    message = rf"(?m)^{name} must be known when JAX traces; .* in static_argnames of jax\.jit$"
    with pytest.raises(OptionError, match=message):
        jax.jit(function)(x, k, **options)
    if options != {"anchor": 1}:
        known = jax.jit(function, static_argnames=name)(x, k, **options)
        np.testing.assert_array_equal(known, function(x, k, **options))


NO_ARRAYS = {
    "None": (None, "JAX or NumPy array; got None: use jax.numpy.asarray"),
    "text": ("abc", "JAX or NumPy array; got 'abc'"),
    "dict": ({}, "JAX or NumPy array"),
    "range": (range(3), "JAX or NumPy array"),
    "ragged": ([[1.0], [1.0, 2.0]], "array of numbers"),
    "objects": (np.array([{}]), "array of numbers"),
    "texts": (["a"], "array of numbers"),
}


@pytest.mark.parametrize("kind", NO_ARRAYS)
def test_what_is_no_array_gets_one_sentence(kind):
    value, message = NO_ARRAYS[kind]
    x, k = jnp.ones((1, 1, 2, 2)), jnp.ones((1, 1, 1, 1))
    for name, call in (
        ("x", lambda: cj.conv(value, k)),
        ("y", lambda: cj.conv_inverse(value, k)),
        ("kernel", lambda: cj.conv(x, value)),
        ("kernel", lambda: cj.log_abs_det(value, (2, 2))),
    ):
        with pytest.raises(DtypeError, match=f"^{name} must be an? {message}") as caught:
            call()
        assert "\n" not in str(caught.value)


def test_tensors_do_not_leave_their_graph():
    torch = pytest.importorskip("torch", reason='PyTorch is not installed: pip install ".[torch]"')
    with pytest.raises(DtypeError, match="x must be a JAX or NumPy array; got tensor"):
        cj.conv(torch.ones(1, 1, 2, 2), jnp.ones((1, 1, 1, 1)))


def test_what_holds_an_array_is_taken():
    class Variable:
        def __jax_array__(self):
            return jnp.ones((1, 1, 2, 2))

    k = jnp.ones((1, 1, 1, 1))
    for value in (Variable(), np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2)).tolist()):
        np.testing.assert_array_equal(cj.conv(value, k.astype(jnp.asarray(value).dtype)), 1)


def test_control_flow_and_axes_of_no_length():
    x, kernel, _ = problem((3, 2, 4, 5), GEOMETRIES[0])

    def loss(kernel):
        last, _ = jax.lax.scan(lambda c, _: (cj.conv_inverse(c, kernel), None), x, None, length=2)
        return (last**2).sum()

    def unrolled(kernel):
        return (cj.conv_inverse(cj.conv_inverse(x, kernel), kernel) ** 2).sum()

    for run in (jax.grad(loss), jax.jit(jax.grad(jax.checkpoint(loss)))):
        np.testing.assert_allclose(run(kernel), jax.grad(unrolled)(kernel), rtol=1e-9)
    none = jnp.zeros((0, *kernel.shape))
    assert jax.vmap(cj.conv_inverse, (None, 0))(x, none).shape == (0, *x.shape)
    assert jax.vmap(jax.grad(loss))(none).shape == none.shape


def vjp_of(function):
    def vjp(x, kernel, g, **options):
        return jax.vjp(lambda x, kernel: function(x, kernel, **options), x, kernel)[1](g)

    return vjp


def on_arrays(function):
    def wrapped(*arguments, **options):
        arguments = [jnp.asarray(a) if isinstance(a, np.ndarray) else a for a in arguments]
        return function(*arguments, **options)

    return wrapped


def implementation():
    names = ("conv", "conv_inverse", "log_abs_det")
    functions = {name: on_arrays(getattr(cj, name)) for name in names}
    functions |= {f"{n}_vjp": on_arrays(vjp_of(getattr(cj, n))) for n in names[:2]}
    options = ("corner", "dilation", "anchor")
    return Implementation(**functions, options=options, name="cinc_ref.jax")


@parametrize_with_checks([implementation()])
def test_our_operation(implementation, check):
    if "_drawn_" in check.name and not INTERPRETED:
        pytest.skip("every drawn shape compiles; test_drawn_shapes has it")
    check(implementation, seed=0)


def test_drawn_shapes():
    if INTERPRETED:
        pytest.skip("test_our_operation has them")
    run_drawn_checks(__file__)
