"""What is no plain array gets one sentence that says what to do, at every function for arrays."""

import types

import numpy as np
import pytest
from autograd import grad

import cinc_ref as cr
from cinc_ref import theory
from cinc_ref.errors import CincError, DtypeError, ShapeError

X = np.linspace(-0.4, 0.4, 32).reshape(2, 1, 4, 4)
KERNEL = np.array([[[[0.5, 0.25], [-0.25, 1.0]]]])
LEVELS = np.arange(32).reshape(2, 1, 4, 4) % 16
FLOW = cr.flows.build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=2, bins=16)
PARAMS = FLOW.init(np.random.default_rng(0), X)
LAYER = cr.bijections.InvertibleConv()
LAYER_PARAMS = LAYER.init(np.random.default_rng(0), X)

FUNCTIONS = {
    "conv": lambda a: cr.conv(a, KERNEL),
    "conv, kernel": lambda a: cr.conv(X, a),
    "conv_inverse": lambda a: cr.conv_inverse(a, KERNEL),
    "conv_inverse, kernel": lambda a: cr.conv_inverse(X, a),
    "conv_vjp": lambda a: cr.conv_vjp(a, KERNEL, X),
    "conv_vjp, g": lambda a: cr.conv_vjp(X, KERNEL, a),
    "conv_inverse_vjp, g": lambda a: cr.conv_inverse_vjp(X, KERNEL, a),
    "log_abs_det": lambda a: cr.log_abs_det(a, (2, 2)),
    "enclose": lambda a: cr.enclose(a, KERNEL),
    "convolution_matrix": lambda a: cr.convolution_matrix(a, (2, 2)),
    "theory.is_invertible": theory.is_invertible,
    "theory.null_image": lambda a: theory.null_image(a, (2, 2)),
    "theory.exact_determinant": lambda a: theory.exact_determinant(a, (2, 2)),
    "theory.exact_inverse": lambda a: theory.exact_inverse(a, KERNEL),
    "theory.exact_conv": lambda a: theory.exact_conv(X, a),
    "theory.condition_number": lambda a: theory.condition_number(a, (2, 2)),
    "theory.stability": lambda a: theory.stability(a, (2, 2)),
    "theory.explain": lambda a: theory.explain(a, (2, 2)),
    "theory.padded_matrix": lambda a: theory.padded_matrix(a, (2, 2), "same"),
    "theory.Convolution": theory.Convolution,
    "layer.init": lambda a: LAYER.init(np.random.default_rng(0), a),
    "layer.forward": lambda a: LAYER.forward(LAYER_PARAMS, a),
    "layer.inverse": lambda a: LAYER.inverse(LAYER_PARAMS, a),
    "flow.init": lambda a: FLOW.init(np.random.default_rng(0), a),
    "flow.log_prob": lambda a: FLOW.log_prob(PARAMS, a),
    "flow.encode": lambda a: FLOW.encode(PARAMS, a),
    "flow.decode": lambda a: FLOW.decode(PARAMS, (a,)),
    "flow.bits_per_dim": lambda a: FLOW.bits_per_dim(PARAMS, a, np.random.default_rng(0)),
    "interpolate": lambda a: cr.interpolate(FLOW, PARAMS, a, X, 3),
    "dequantize": lambda a: cr.flows.dequantize(a, 16, np.random.default_rng(0)),
    "quantize": lambda a: cr.flows.quantize(a, 16),
    "evaluate": lambda a: cr.evaluate(FLOW, PARAMS, a),
    "train": lambda a: cr.train(FLOW, a, LEVELS, steps=1),
    "nhwc_to_nchw": cr.interop.nhwc_to_nchw,
    "nchw_to_nhwc": cr.interop.nchw_to_nhwc,
    "kernel_from_tf": cr.interop.kernel_from_tf,
    "kernel_to_tf": cr.interop.kernel_to_tf,
    "kernels_from_finc": lambda a: cr.interop.kernels_from_finc([a, a, a, a]),
    "kernels_to_finc": lambda a: cr.interop.kernels_to_finc([a, a, a, a]),
}


def foreign(module, name="Array", **attributes):
    """Make an array of a class that looks as if a library had defined it."""

    class Array:
        shape, dtype, ndim = (2, 1, 4, 4), "float64", 4

        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("an internal message of the library")

        def __getitem__(self, index):
            raise RuntimeError("an internal message of the library")

        def __len__(self):
            return 2

    Array.__module__, Array.__name__ = module, name
    array = Array()
    for attribute, value in attributes.items():
        setattr(array, attribute, value)
    return array


CUDA = types.SimpleNamespace(type="cuda")
FOREIGN = {
    "tensor": (foreign("torch"), r"torch tensor: use \S+\.detach\(\)\.numpy\(\)"),
    "parameter": (foreign("torch.nn.parameter"), r"\.detach\(\)\.numpy\(\), which leaves"),
    "bfloat16": (foreign("torch", dtype="torch.bfloat16"), r"\.detach\(\)\.float\(\)\.numpy\(\)"),
    "cuda": (foreign("torch", device=CUDA), r"\.detach\(\)\.cpu\(\)\.numpy\(\)"),
    "jax": (foreign("jaxlib._jax"), r"a JAX array: use numpy\.asarray\("),
    "jax bfloat16": (foreign("jaxlib", dtype="bfloat16"), r"numpy\.asarray\(\S+, numpy\.float32\)"),
    "tracer": (foreign("jax._src", name="JVPTracer"), r"JAX tracer: use .* outside jax\.grad"),
    "tensorflow": (foreign("tensorflow.python.framework.ops"), r"TensorFlow tensor: use .*numpy\("),
    "cupy": (foreign("cupy"), r"CuPy array: use \S+\.get\(\)"),
    "pandas": (foreign("pandas.core.frame"), r"pandas object: use \S+\.to_numpy\(\)"),
    "xarray": (foreign("xarray.core.dataarray"), r"xarray object: use \S+\.to_numpy\(\)"),
    "dask": (foreign("dask.array.core"), r"dask collection: use \S+\.compute\(\)"),
    "list of tensors": (
        [foreign("torch")] * 2,
        r"list that holds a torch tensor: use numpy\.stack",
    ),
    "masked": (np.ma.masked_less(X, 0), r"no masked entries; got 16: .*\.filled"),
    "matrix": (np.matrix([[1.0, 2.0]]), r"numpy\.matrix, which has two axes"),
    "ragged": ([[1.0, 2.0], [3.0]], "lists must have equal lengths"),
    "text": ("abc", "array of numbers; got 'abc'"),
    "texts": ([["a", "b"]], "array of numbers"),
    "None": (None, "array of numbers; got None"),
    "dict": ({"x": X}, "array of numbers"),
    "generator": ((row for row in X), "array of numbers"),
}


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_is_no_array_gets_one_sentence(function, kind):
    value, message = FOREIGN[kind]
    with pytest.raises((DtypeError, ShapeError), match=message) as caught:
        FUNCTIONS[function](value)
    text = str(caught.value)
    assert "\n" not in text and "internal message" not in text and len(text) < 250, text


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_the_module_for_arrays_of_a_framework_is_named(library):
    with pytest.raises(DtypeError, match=f"or the functions of cinc_ref.{library}"):
        cr.conv(foreign(library), KERNEL)


def test_real_tensors():
    torch = pytest.importorskip("torch")
    for tensor in (torch.ones(X.shape), torch.ones(X.shape, requires_grad=True)):
        with pytest.raises(DtypeError, match=r"torch tensor: use x\.detach\(\)\.numpy\(\)"):
            cr.conv(tensor, KERNEL)
    with pytest.raises(DtypeError, match=r"bfloat16 torch tensor: .*\.float\(\)\.numpy\(\)"):
        cr.conv(torch.ones(X.shape).bfloat16(), KERNEL)
    with pytest.raises(DtypeError, match=r"\.detach\(\)\.cpu\(\)\.numpy\(\)"):
        cr.conv(torch.ones(X.shape, device="meta"), KERNEL)


@pytest.mark.parametrize("transformation", ["grad", "jit", "vmap"])
def test_real_tracers(transformation):
    jax = pytest.importorskip("jax")
    x = jax.numpy.asarray(X, "float32")
    with pytest.raises(DtypeError, match=r"JAX tracer: use numpy\.asarray\(x\) outside jax\.grad"):
        getattr(jax, transformation)(lambda x: cr.conv(x, KERNEL).sum())(x)
    with pytest.raises(DtypeError, match=r"JAX array: use numpy\.asarray\(x\)"):
        cr.conv(x, KERNEL)


@pytest.mark.parametrize(
    "value",
    [X.tolist(), tuple(X), np.ma.masked_array(X), memoryview(X), X.astype(">f8"), X[::-1]],
    ids=["list", "tuple of arrays", "nothing masked", "buffer", "big-endian", "strided"],
)
def test_what_loses_nothing_is_taken(value):
    np.testing.assert_array_equal(cr.conv(value, KERNEL), cr.conv(np.asarray(value), KERNEL))


def test_a_list_of_traced_arrays_names_the_function_that_stacks_them():
    with pytest.raises(DtypeError, match=r"use autograd\.numpy\.stack\(\[entry for entry in x\]\)"):
        grad(lambda x: cr.conv([x, x], KERNEL).sum())(X[0])


def test_theory_is_not_differentiated():
    with pytest.raises(
        DtypeError, match=r"autograd traces: use autograd\.tracer\.getval\(kernel\)"
    ):
        grad(lambda k: cr.convolution_matrix(k, (2, 2)).sum())(KERNEL)


NUMBERS = {  # dtype: what to do
    np.uint8: r"grey levels with cinc_ref\.flows\.dequantize, or with .* / 255",
    np.uint16: r"grey levels .* / 65535",
    np.int64: r"numpy\.asarray\(\.\.\., numpy\.float64\)",
    np.bool_: r"numpy\.float32",
    np.float16: r"numpy\.float32",
    np.longdouble: r"numpy\.float64",
    np.complex64: r"\.real",
}


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize(
    "function", ["conv", "conv_inverse", "enclose", "layer.forward", "flow.encode"]
)
def test_other_numbers_are_converted_as_it_says(function, dtype):
    with pytest.raises(DtypeError, match=NUMBERS[dtype]):
        FUNCTIONS[function](LEVELS.astype(dtype))


def test_a_kernel_of_bytes_is_no_picture():
    with pytest.raises(DtypeError, match=r"kernel .*numpy\.asarray"):
        cr.conv(X, KERNEL.astype(np.uint8))


def test_other_orders_of_axes_are_recognized():
    images, kernel = np.ones((2, 12, 8, 6)), np.zeros((12, 12, 3, 3))
    nhwc, hwio = cr.interop.nchw_to_nhwc(images), kernel.transpose(2, 3, 1, 0)
    assert cr.conv(images, kernel).shape == images.shape
    for x, k in ((nhwc, kernel), (nhwc[:1], kernel)):
        with pytest.raises(ShapeError, match=r"\(N, H, W, C\): use .*nhwc_to_nchw\(x\)"):
            cr.conv(x, k)
    for x in (images, nhwc):
        with pytest.raises(ShapeError, match=r"\(kh, kw, in, out\), use kernel\.transpose"):
            cr.conv(x, hwio)
    with pytest.raises(ShapeError, match=r"kernel\.transpose\(3, 2, 0, 1\)"):
        cr.log_abs_det(np.ones((3, 5, 12, 12)), (2, 2))
    with pytest.raises(ShapeError) as other:  # images of three channels are no such case
        cr.conv(np.ones((2, 3, 5, 5)), kernel)
    assert "NHWC" not in str(other.value) and "nhwc" not in str(other.value)
    with pytest.raises(ShapeError, match=r"images\[None\]|x\[None\]"):
        cr.conv(images[0], kernel)


def test_layers_and_flows_recognize_channels_last_too():
    flow = cr.flows.build("cinc", "affine", (3, 4, 4), levels=1, depth=1, width=2)
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 3, 4, 4))
    params = flow.init(np.random.default_rng(0), x)
    layer = cr.bijections.ActNorm()
    with pytest.raises(CincError, match="nhwc_to_nchw"):
        flow.log_prob(params, x.transpose(0, 2, 3, 1))
    with pytest.raises(CincError, match="nhwc_to_nchw"):
        layer.forward(layer.init(None, x), x.transpose(0, 2, 3, 1))
