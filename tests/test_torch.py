"""The operators and the layer for PyTorch, held against our functions and PyTorch's own checks."""

import copy
from itertools import product

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref.bijections.conv import CORNER_BLOCKS, InvertibleConv
from cinc_ref.errors import DtypeError, OptionError, ParamsError, ShapeError, SingularKernelError
from cinc_ref.geometry import CORNERS
from cinc_ref.testing import Implementation, check, parametrize_with_checks
from cinc_ref.theory.random_kernels import random_kernel
from tests.conftest import INTERPRETED
from tests.support.interpreted import run_drawn_checks
from tests.support.processes import run_code

torch = pytest.importorskip("torch", reason='PyTorch is not installed: pip install ".[torch]"')
from torch.nn import functional as F  # noqa: E402

from cinc_ref import torch as ct  # noqa: E402

GEOMETRIES = [  # kernel size, corner, dilation, anchor
    *(((2, 2), corner, 1, None) for corner in CORNERS),
    ((1, 1), "top-left", 1, None),
    ((3, 3), "bottom-right", 2, None),
    ((1, 3), "top-right", 1, None),
    ((3, 1), "bottom-left", 1, None),
    ((2, 3), "top-left", 1, (1, 1)),
    ((2, 3), "bottom-right", 2, (1, 0)),
    ((3, 2), "top-right", 1, (1, 1)),
]
SHAPES = [(2, 2, 3, 4), (1, 1, 4, 3), (0, 2, 3, 3), (2, 3, 1, 1)]


def problem(shape, geometry, kind="lower", dtype=np.float64):
    """Draw images and a kernel with a bounded inverse, and the options of a geometry."""
    kernel_size, corner, dilation, anchor = geometry
    rng = np.random.default_rng(0)
    kernel = random_kernel(rng, (shape[1], shape[1], *kernel_size), anchor=anchor, kind=kind)
    options = {"corner": corner, "dilation": dilation, "anchor": anchor}
    return rng.normal(size=shape).astype(dtype), kernel.astype(dtype), options


def tensors(*arrays):
    return [torch.from_numpy(array).requires_grad_() for array in arrays]


def pairs(shapes=SHAPES):
    return [(shape, geometry) for geometry in GEOMETRIES for shape in shapes]


@pytest.mark.parametrize("kind", ["lower", "upper", "dense"])
@pytest.mark.parametrize(("shape", "geometry"), pairs())
@pytest.mark.parametrize("name", ["conv", "conv_inverse"])
def test_results_and_gradients_are_the_bits_of_our_functions(name, shape, geometry, kind):
    for dtype in (np.float32, np.float64):
        x, kernel, options = problem(shape, geometry, kind, dtype)
        tx, tk = tensors(x, kernel)
        result = getattr(ct, name)(tx, tk, **options)
        np.testing.assert_array_equal(result.detach(), getattr(cr, name)(x, kernel, **options))
        g = np.random.default_rng(1).normal(size=shape).astype(dtype)
        result.backward(torch.from_numpy(g))
        expected = getattr(cr, f"{name}_vjp")(x, kernel, g, **options)
        for tensor, bar in zip((tx, tk), expected, strict=True):
            np.testing.assert_array_equal(tensor.grad, bar)
            assert tensor.grad.dtype == tensor.dtype


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("name", ["conv", "conv_inverse"])
def test_first_and_second_derivatives_in_both_modes(name, geometry):
    for shape, kind in (((1, 2, 2, 3), "dense"), ((2, 1, 3, 2), "lower")):
        x, kernel, options = problem(shape, geometry, kind)
        x, kernel = tensors(x, kernel)

        # taps after the anchor are no arguments
        p, q = options["anchor"] or (kernel.shape[2] - 1, kernel.shape[3] - 1)
        before = p * kernel.shape[3] + q + 1
        taps = kernel.detach().flatten(2)[:, :, :before].requires_grad_()

        def function(x, taps, options=options, size=kernel.shape[2:], before=before):
            kernel = F.pad(taps, (0, size[0] * size[1] - before)).unflatten(2, size)
            return getattr(ct, name)(x, kernel, **options)

        assert torch.autograd.gradcheck(
            function, (x, taps), check_forward_ad=True, check_batched_grad=True
        )
        assert torch.autograd.gradgradcheck(function, (x, taps), check_fwd_over_rev=True)


def test_derivatives_of_the_log_determinant():
    for kind in ("lower", "dense"):
        _, kernel, _ = problem((1, 3, 2, 2), ((2, 3), "top-left", 1, (1, 1)), kind)
        (kernel,) = tensors(kernel)

        def function(kernel):
            return ct.log_abs_det(kernel, (2, 3), anchor=(1, 1))

        np.testing.assert_array_equal(
            function(kernel).detach(),
            cr.log_abs_det(kernel.detach().numpy(), (2, 3), anchor=(1, 1)),
        )
        assert torch.autograd.gradcheck(
            lambda k: function(_masked(k)), kernel, check_forward_ad=True
        )
        assert torch.autograd.gradgradcheck(lambda k: function(_masked(k)), kernel)


def _masked(kernel):
    """Set the tap after the anchor (1, 1) of a 2x3 kernel to 0."""
    mask = torch.ones_like(kernel)
    mask[:, :, 1, 2] = 0
    return kernel * mask


def operators():
    x, kernel, _ = problem((2, 2, 3, 3), GEOMETRIES[0], "dense")
    last = x.transpose(1, 2, 3, 0).copy().transpose(3, 0, 1, 2)
    places = ("top-left", 1, [1, 1])
    for images in (x, last):
        yield "conv", [*tensors(images, kernel), *places]
        yield "conv_inverse", [*tensors(images, kernel), False, *places]
        for operation in ("conv", "conv_transpose", "solve", "solve_transpose"):
            yield f"causal_{operation}", [*tensors(images, kernel), *places]
    yield "causal_conv_weight_grad", [*tensors(x, x), [2, 2, 2, 2], *places]
    yield "log_abs_det", [*tensors(kernel), [2, 3], [1, 1]]
    yield "inverse_transpose", tensors(kernel[:, :, 1, 1].copy())


@pytest.mark.parametrize(("name", "arguments"), list(operators()))
def test_opcheck(name, arguments):
    torch.library.opcheck(getattr(torch.ops.cinc_ref, name).default, arguments)


def memory_orders(x):
    yield "contiguous", x
    yield "batch last", x.permute(1, 2, 3, 0).contiguous().permute(3, 0, 1, 2)
    yield "channels_last", x.contiguous(memory_format=torch.channels_last)
    yield "every second row", torch.stack([x, x], 3).flatten(2, 3)[:, :, ::2]
    yield "broadcast", x[:1].expand(x.shape)


def test_any_memory_order():
    x, kernel, _ = problem((3, 2, 4, 5), GEOMETRIES[0])
    x, kernel = torch.from_numpy(x), torch.from_numpy(kernel)
    for name, images in memory_orders(x):
        kernels = (kernel, kernel.transpose(0, 1).contiguous().transpose(0, 1))
        for function, k in product((ct.conv, ct.conv_inverse), kernels):
            result = function(images, k)
            assert torch.equal(result, function(images.contiguous(), kernel)), name
            fake = torch.library.opcheck(
                getattr(torch.ops.cinc_ref, function.__name__).default,
                (
                    images,
                    k,
                    *([False] if function is ct.conv_inverse else []),
                    "top-left",
                    1,
                    [1, 1],
                ),
                test_utils=("test_faketensor",),
            )
            assert set(fake.values()) == {"SUCCESS"}


def test_nothing_is_copied(monkeypatch):
    x, kernel, _ = problem((3, 2, 4, 5), GEOMETRIES[0])
    addresses = []

    def spy(x, kernel, **options):
        result = conv(x, kernel, **options)
        addresses.extend(array.__array_interface__["data"][0] for array in (x, kernel, result))
        return result

    conv = cr.convolution.conv
    monkeypatch.setattr(cr.convolution, "conv", spy)
    x, kernel = torch.from_numpy(x), torch.from_numpy(kernel)
    for name, images in list(memory_orders(x))[:2]:
        addresses.clear()
        result = ct.conv(images, kernel)
        assert addresses == [tensor.data_ptr() for tensor in (images, kernel, result)], name
        assert result.stride() == images.stride()


def test_transforms_of_torch_func():
    x, kernel, _ = problem((2, 2, 3, 2), GEOMETRIES[0], "dense")
    x, kernel = torch.from_numpy(x), torch.from_numpy(kernel)
    func = torch.func
    for function in (ct.conv, ct.conv_inverse):

        def loss(x, kernel, function=function):
            return function(x, kernel).pow(3).sum() + ct.log_abs_det(kernel, (3, 2))

        by_autograd = torch.autograd.functional
        for k, argument in enumerate((x, kernel)):
            torch.testing.assert_close(
                func.grad(loss, argnums=k)(x, kernel), by_autograd.jacobian(loss, (x, kernel))[k]
            )
            hessian = by_autograd.hessian(loss, (x, kernel))[k][k]
            torch.testing.assert_close(func.hessian(loss, argnums=k)(x, kernel), hessian)
            torch.testing.assert_close(
                func.jacrev(func.jacfwd(loss, argnums=k), argnums=k)(x, kernel), hessian
            )
            direction = torch.ones_like(argument)
            at = (lambda x: loss(x, kernel)) if k == 0 else (lambda kernel: loss(x, kernel))
            _, tangent = func.jvp(at, (argument,), (direction,))
            torch.testing.assert_close(tangent, func.grad(at)(argument).sum())
        for axes in ((0, None), (None, 0), (0, 0), (1, None)):
            many = torch.stack([x, 2 * x], axes[0] or 0), torch.stack([kernel, 1.5 * kernel])
            given = [m if axis is not None else m[0] for m, axis in zip(many, axes, strict=True)]
            if axes[0] is None:
                given[0] = x
            rows = [
                [
                    g if axis is None else g.select(axis, k)
                    for g, axis in zip(given, axes, strict=True)
                ]
                for k in range(2)
            ]
            for mapped in (loss, func.grad(loss), func.grad(loss, argnums=1)):
                torch.testing.assert_close(
                    torch.vmap(mapped, axes)(*given), torch.stack([mapped(*row) for row in rows])
                )


def test_torch_compile_without_a_break():
    x, kernel, _ = problem((3, 2, 3, 4), GEOMETRIES[0])

    def step(y, kernel):
        x = ct.conv_inverse(ct.conv(2 * y, kernel), kernel, corner="bottom-left")
        return x.pow(2).sum() + ct.log_abs_det(kernel, y.shape[2:])

    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    for count in (3, 2, 1):
        images, kernels = tensors(x[:count].copy(), kernel.copy())
        expected = step(images, kernels)
        got = compiled(images, kernels)
        torch.testing.assert_close(got, expected)
        torch.testing.assert_close(
            torch.autograd.grad(got, (images, kernels)),
            torch.autograd.grad(expected, (images, kernels)),
        )
    layer = ct.InvertibleConv2d(2, dtype=torch.float64)
    images = torch.from_numpy(x)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(images), layer(images))


@pytest.mark.parametrize("transform", ["grad", "jvp"])
def test_derivatives_within_what_is_compiled_are_refused(transform):
    x, kernel, _ = problem((1, 1, 2, 2), GEOMETRIES[0])
    x, kernel = torch.from_numpy(x), torch.from_numpy(kernel)

    def loss(x):
        return ct.conv(x, kernel).sum()

    def function(x):
        if transform == "grad":
            return torch.func.grad(loss)(x)
        return torch.func.jvp(loss, (x,), (x,))[1]

    with pytest.raises(Exception, match=r"call torch\.func outside of what is compiled"):
        torch.compile(function, fullgraph=True, backend="eager")(x)


def test_autocast_computes_in_float32_and_halves_are_refused_elsewhere():
    x, kernel, _ = problem((2, 2, 3, 3), GEOMETRIES[0], dtype=np.float32)
    for half in (torch.bfloat16, torch.float16):
        images = torch.from_numpy(x).to(half).requires_grad_()
        (weight,) = tensors(kernel)
        with pytest.raises(DtypeError, match=r"must be float32 or float64; got torch\.\w*float16"):
            ct.conv_inverse(images, weight)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = ct.conv_inverse(images, weight)
        assert result.dtype == torch.float32
        assert torch.equal(result, ct.conv_inverse(images.float(), weight))
        result.sum().backward()
        assert images.grad.dtype == half and weight.grad.dtype == torch.float32


def test_what_the_operators_do_not_take_gets_one_sentence():
    from torch._subclasses.fake_tensor import FakeTensorMode

    x, k = torch.ones(1, 1, 2, 2), torch.ones(1, 1, 1, 1)
    with FakeTensorMode():
        on_cuda = torch.ones(1, 1, 2, 2, device="cuda")
    nested = torch.nested.nested_tensor([x[0], x[0]])
    cases = [
        (DtypeError, r"on cuda:0: use x\.cpu\(\)", lambda: ct.conv(on_cuda, k)),
        (DtypeError, r"use x\.to_dense\(\)", lambda: ct.conv(x.to_sparse(), k)),
        (DtypeError, "must be a torch tensor", lambda: ct.conv(x.numpy(), k)),
        (
            DtypeError,
            r"float32 and torch.float64: use x\.double\(\)$",
            lambda: ct.conv(x, k.double()),
        ),
        (DtypeError, r"dtype; .* use y\.float\(\)$", lambda: ct.conv_inverse(x.double(), k)),
        (DtypeError, r"got torch.int64: use x\.float\(\)$", lambda: ct.conv(x.long(), k)),
        (DtypeError, r"use x\.real$", lambda: ct.conv(x.cfloat(), k)),
        (
            DtypeError,
            r"kernel.* use kernel\.float\(\), or compute under torch\.auto",
            lambda: ct.conv(x, k.half()),
        ),
        (DtypeError, "one device; got cpu and meta", lambda: ct.conv_inverse(x, k.to("meta"))),
        (DtypeError, "one device; got meta and cpu", lambda: ct.conv(x.to("meta"), k)),
        (DtypeError, r"torch\.stack\(x\.unbind", lambda: ct.conv(nested, k)),
        (ShapeError, r"use x\[None\]", lambda: ct.conv(x[0], k)),
        (ShapeError, r"kernel must have shape .* got \(1, 1, 1\)", lambda: ct.conv(x, k[0])),
        (OptionError, "corner must be one of", lambda: ct.conv(x, k, corner=3)),
        (OptionError, "dilation must be", lambda: ct.conv(x, k, dilation=True)),
        (OptionError, "anchor must be", lambda: ct.conv(x, k, anchor=(1, 0))),
        (OptionError, "check must be", lambda: ct.conv_inverse(x, k, check=1)),
        (ShapeError, r"use shape\[2:\] if", lambda: ct.log_abs_det(k, x.shape)),
        (SingularKernelError, r"K_nn = kernel\[0, 0, 0, 0\]", lambda: ct.conv_inverse(x, 0 * k)),
        (SingularKernelError, "zero on its diagonal", lambda: ct.log_abs_det(0 * k, (2, 2))),
    ]
    for error, message, call in cases:
        with pytest.raises(error, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_what_derivatives_do_not_need_may_be_changed_in_place():
    x, kernel, _ = problem((3, 2, 4, 5), GEOMETRIES[0])
    x = torch.from_numpy(x)
    for function, changes_result in ((ct.conv, True), (ct.conv_inverse, False)):
        grads = []
        for in_place in (False, True):
            (k,) = tensors(kernel.copy())
            images = x.clone().requires_grad_() * 1
            y = function(images, k)
            if in_place and changes_result:
                y.relu_()
            elif in_place:
                images.zero_()
            else:
                y = y.relu() if changes_result else y
            y.square().sum().backward()
            grads.append(k.grad)
        assert torch.equal(*grads), function
        images = x.clone().requires_grad_() * 1
        y = function(images, k)
        (images if changes_result else y).add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()


def test_vmap_over_no_kernels():
    x, kernel, _ = problem((3, 2, 4, 5), GEOMETRIES[0])
    x, none = torch.from_numpy(x), torch.empty(0, *kernel.shape, dtype=torch.float64)
    for function in (ct.conv, ct.conv_inverse):
        assert torch.vmap(function, (None, 0))(x, none).shape == (0, *x.shape)
    log_det = torch.vmap(lambda kernel: ct.log_abs_det(kernel, (4, 5)))
    assert log_det(none).shape == (0,) and log_det(none).dtype == torch.float64


def test_views_with_a_sign_and_from_flips():
    x, kernel, _ = problem((3, 2, 4, 5), GEOMETRIES[0])
    x, kernel = torch.from_numpy(x), torch.from_numpy(kernel)
    negative = torch.complex(x, x).conj().imag
    assert negative.is_neg()
    for function in (ct.conv, ct.conv_inverse):
        assert torch.equal(function(negative, kernel), function(-x, kernel))
        assert torch.equal(function(x.flip(2, 3).flip(2, 3), kernel), function(x, kernel))


def test_compiled_for_sizes_that_change():
    _, kernel, _ = problem((3, 2, 3, 4), GEOMETRIES[0])

    def step(y, kernel):
        return ct.conv_inverse(2 * y, kernel).relu() + ct.log_abs_det(kernel, y.shape[2:])

    compiled = torch.compile(step, fullgraph=True, dynamic=True, backend="aot_eager")
    kernel = torch.from_numpy(kernel)
    for shape in ((3, 2, 3, 4), (5, 2, 6, 2), (1, 2, 1, 1)):
        images = torch.randn(shape, dtype=torch.float64)
        torch.testing.assert_close(compiled(images, kernel), step(images, kernel))


def test_exported_programs():
    layer = ct.InvertibleConv2d(2, corner_block="plu", dtype=torch.float64)
    x = torch.randn(3, 2, 4, 5, dtype=torch.float64)
    sizes = {0: torch.export.Dim("n", min=2), 2: torch.export.Dim("h", min=2)}
    program = torch.export.export(layer, (x,), dynamic_shapes={"x": sizes})
    assert "cinc_ref.conv.default" in map(str, (node.target for node in program.graph.nodes))
    x = torch.randn(7, 2, 9, 5, dtype=torch.float64)
    torch.testing.assert_close(program.module()(x), layer(x))


def on_arrays(function):
    def wrapped(*arguments, **options):
        arguments = [torch.from_numpy(a) if isinstance(a, np.ndarray) else a for a in arguments]
        return function(*arguments, **options)

    return wrapped


def vjp_of(function):
    def vjp(x, kernel, g, **options):
        x, kernel = x.requires_grad_(), kernel.requires_grad_()
        return torch.autograd.grad(function(x, kernel, **options), (x, kernel), g)

    return vjp


def implementation():
    functions = {
        name: on_arrays(getattr(ct, name)) for name in ("conv", "conv_inverse", "log_abs_det")
    }
    functions |= {f"{n}_vjp": on_arrays(vjp_of(getattr(ct, n))) for n in ("conv", "conv_inverse")}
    options = ("corner", "dilation", "anchor")
    return Implementation(**functions, options=options, name="cinc_ref.torch")


@parametrize_with_checks([implementation()])
def test_our_operation(implementation, check):
    if "_drawn_" in check.name and not INTERPRETED:
        pytest.skip("every drawn shape compiles; test_drawn_shapes has it")
    check(implementation, seed=0)


def test_drawn_shapes():
    if INTERPRETED:
        pytest.skip("test_our_operation has them")
    run_drawn_checks(__file__)


# ---- the module ----------------------------------------------------------------------------------

LAYERS = [
    {},
    {"kernel_size": 2, "corner": "bottom-right", "triangle": "upper"},
    {"kernel_size": (2, 3), "anchor": (1, 1), "dilation": 2},
    {"kernel_size": (3, 1), "seed": 5},
    {"kernel_size": 1},
]


@pytest.mark.parametrize("stable", [False, True])
@pytest.mark.parametrize("corner_block", CORNER_BLOCKS)
@pytest.mark.parametrize("options", LAYERS)
def test_the_module_is_the_layer(options, corner_block, stable):
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-13)):
        module = ct.InvertibleConv2d(
            3, corner_block=corner_block, stable=stable, dtype=dtype, **options
        )
        layer = InvertibleConv(corner_block=corner_block, stable=stable, **options)
        assert module.layer == layer
        x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(f"f{dtype.itemsize}")
        params = layer.init(1, x)
        module.load_params(params)
        assert list(module.params()) == list(params)
        for name, value in params.items():
            np.testing.assert_array_equal(module.params()[name], value)
        y, log_det = layer.forward(params, x)
        got = module(torch.from_numpy(x))
        np.testing.assert_allclose(got.detach(), y, rtol=0, atol=10 * tolerance)
        np.testing.assert_allclose(
            module.log_abs_det((4, 5)).detach(), log_det[0], rtol=0, atol=100 * tolerance
        )
        inverted = module.inverse(got).detach()
        np.testing.assert_allclose(inverted, x, rtol=0, atol=100 * tolerance)


def test_a_module_is_saved_copied_and_converted(tmp_path):
    for kind in CORNER_BLOCKS:
        torch.manual_seed(1)
        module = ct.InvertibleConv2d(3, corner_block=kind)
        torch.manual_seed(1)
        assert all(
            map(
                torch.equal,
                module.parameters(),
                ct.InvertibleConv2d(3, corner_block=kind).parameters(),
            )
        )
        torch.save(module.state_dict(), tmp_path / "state.pt")
        other = ct.InvertibleConv2d(3, corner_block=kind)
        other.load_state_dict(torch.load(tmp_path / "state.pt"))
        x = torch.randn(2, 3, 4, 4)
        for twin in (other, copy.deepcopy(module)):
            assert torch.equal(twin(x), module(x))
        assert module.double()(x.double()).dtype == torch.float64
        with pytest.raises(ParamsError, match="params must fit InvertibleConv2d"):
            module.load_params({})


@pytest.mark.parametrize("corner_block", CORNER_BLOCKS)
def test_a_module_of_the_device_meta_gets_values_by_loading(corner_block):
    x = torch.randn(2, 3, 4, 4)
    options = {"corner_block": corner_block, "stable": True}
    source = ct.InvertibleConv2d(3, **options)
    with torch.device("meta"):
        module = ct.InvertibleConv2d(3, **options)
    assert {parameter.device.type for parameter in module.parameters()} == {"meta"}
    assert module(x.to("meta")).shape == x.shape
    module.load_state_dict(source.state_dict(), assign=True)
    emptied = ct.InvertibleConv2d(3, **options).to("meta").to_empty(device="cpu")
    emptied.load_state_dict(source.state_dict())
    for twin in (module, emptied):
        assert torch.equal(twin.inverse(x), source.inverse(x))


@pytest.mark.parametrize("corner_block", CORNER_BLOCKS)
def test_autocast_leaves_the_kernel_of_a_module_alone(corner_block):
    module, x = (
        ct.InvertibleConv2d(3, corner_block=corner_block, stable=True),
        torch.randn(2, 3, 4, 4),
    )
    with torch.autocast("cpu"):
        kernel, y, log_det = module.kernel(), module(x), module.log_abs_det((4, 4))
        undone = module.inverse(y)
    assert torch.equal(kernel, module.kernel()) and torch.equal(y, module(x))
    assert torch.equal(undone, module.inverse(y))
    assert torch.equal(log_det, module.log_abs_det((4, 4)))
    half = module.bfloat16()
    with torch.autocast("cpu"):
        assert half(x.bfloat16()).dtype == torch.float32
    for name, value in half.params().items():
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, getattr(half, name).detach().float())


HALF_MODULE = (
    r"the parameter \w+ must be float32 or float64; .* use module\.float\(\), or compute under"
)


@pytest.mark.parametrize("corner_block", CORNER_BLOCKS)
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_a_module_in_half_precision_computes_under_autocast_alone(corner_block, half):
    module, x = ct.InvertibleConv2d(3, corner_block=corner_block).to(half), torch.randn(2, 3, 4, 4)
    wide = ct.InvertibleConv2d(3, corner_block=corner_block)
    wide.load_params(module.params())
    for call in (
        lambda module: module(x),
        lambda module: module.inverse(x),
        lambda module: module.log_abs_det((400, 500)),
        lambda module: module.kernel(),
    ):
        with torch.autocast("cpu"):
            result = call(module)
        assert result.dtype == torch.float32 and torch.equal(result, call(wide))
        with pytest.raises(DtypeError, match=HALF_MODULE):
            call(module)


def test_a_module_on_another_device_is_refused_by_its_name():
    from torch._subclasses.fake_tensor import FakeTensorMode

    module = ct.InvertibleConv2d(2)
    with FakeTensorMode():
        x = torch.ones(1, 2, 3, 3, device="cuda")
        for name, value in list(module.named_parameters()):
            on_cuda = torch.nn.Parameter(torch.ones(value.shape, device="cuda"))
            module.register_parameter(name, on_cuda)
    for call in (module, module.inverse, lambda _: module.log_abs_det((3, 3))):
        with pytest.raises(DtypeError, match=r"^the parameter \w+ must .* use module\.cpu\(\)$"):
            call(x)


def test_tensors_are_loaded_by_load_state_dict():
    module = ct.InvertibleConv2d(2)
    with pytest.raises(ParamsError, match="must hold arrays; got tensors: use load_state_dict"):
        module.load_params(module.state_dict())


def test_the_representation_of_a_module_is_its_call():
    module = ct.InvertibleConv2d(3, (2, 3), "plu", stable=True, seed=4)
    again = eval(repr(module), {"InvertibleConv2d": ct.InvertibleConv2d})
    assert again.layer == module.layer and again.channels == 3


def test_parameters_of_a_parametrized_module():
    module = ct.InvertibleConv2d(2, dtype=torch.float64)
    params = module.params()
    torch.nn.utils.parametrizations.weight_norm(module, "taps")
    assert list(module.params()) == list(params)
    np.testing.assert_allclose(module.params()["taps"], params["taps"])
    module.load_params({name: 2 * value for name, value in params.items()})
    np.testing.assert_allclose(module.params()["taps"], 2 * params["taps"])
    np.testing.assert_allclose(module.params()["lower"], 2 * params["lower"])


@pytest.mark.parametrize("dtype", [torch.float16, torch.int64, torch.complex64, np.float32, "f4"])
def test_a_module_of_another_dtype_is_refused(dtype):
    with pytest.raises(OptionError, match=r"dtype must be torch\.float32 or torch\.float64"):
        ct.InvertibleConv2d(2, dtype=dtype)


def test_ensembles_and_gradients_of_each_image():
    x = torch.randn(3, 2, 4, 5, dtype=torch.float64)
    options = {"corner_block": "plu", "stable": True, "dtype": torch.float64}
    modules = [ct.InvertibleConv2d(2, **options) for _ in range(3)]
    params, buffers = torch.func.stack_module_state(modules)

    def apply(params, buffers, x):
        return torch.func.functional_call(modules[0], (params, buffers), (x,))

    torch.testing.assert_close(
        torch.vmap(apply, (0, 0, None))(params, buffers, x),
        torch.stack([module(x) for module in modules]),
    )
    own = dict(modules[0].named_parameters())
    grads = torch.vmap(
        torch.func.grad(lambda params, x: apply(params, {}, x[None]).square().sum()), (None, 0)
    )({name: value.detach() for name, value in own.items()}, x)
    for k, image in enumerate(x):
        modules[0].zero_grad()
        modules[0](image[None]).square().sum().backward()
        for name, value in own.items():
            torch.testing.assert_close(grads[name][k], value.grad)


def test_parameters_are_exchanged_with_checkpoints(tmp_path):
    flow = cr.flows.build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=2, bins=16)
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 1, 4, 4))
    params = flow.init(0, x)
    cr.save(tmp_path / "flow.npz", flow, params)
    flow, params = cr.load(tmp_path / "flow.npz")
    layer, layer_params, tree, key = _convolution_of(flow, params)
    module = ct.InvertibleConv2d(4, dtype=torch.float64)
    assert module.layer == layer
    module.load_params(layer_params)
    images = np.random.default_rng(1).normal(size=(2, 4, 2, 2))
    np.testing.assert_allclose(
        module(torch.from_numpy(images)).detach(), layer.forward(layer_params, images)[0]
    )
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.01
    tree[key] = module.params()
    cr.save(tmp_path / "back.npz", flow, params)
    back = _convolution_of(*cr.load(tmp_path / "back.npz"))[1]
    for name, value in module.params().items():
        np.testing.assert_array_equal(back[name], value)


def _convolution_of(flow, tree):
    """Return the convolution of a flow of one step, its parameters, and where they are held."""
    if isinstance(tree, dict) and "taps" in tree:
        return None
    for key in tree if isinstance(tree, dict) else range(len(tree)):
        branch = tree[key]
        if isinstance(branch, dict) and "taps" in branch:
            return InvertibleConv(), branch, tree, key
        if isinstance(branch, dict | list | tuple) and (found := _convolution_of(flow, branch)):
            return found
    return None


def test_check_knows_the_module():
    for kind in CORNER_BLOCKS:
        report = check(ct.InvertibleConv2d(3, corner_block=kind, stable=True), shape=(3, 4, 4))
        assert report.ok, report


def test_a_training_gives_the_losses_of_a_plain_forward_pass():
    """200 steps of maximum likelihood, with our layers and with F.pad and conv2d."""
    x = torch.randn(64, 3, 6, 6, generator=torch.Generator().manual_seed(0)).cumsum(2).cumsum(3) / 3

    def losses(forward):
        torch.manual_seed(0)
        layers = torch.nn.ModuleList(ct.InvertibleConv2d(3) for _ in range(2))
        optimizer, result = torch.optim.Adam(layers.parameters(), 0.01), []
        for step in range(200):
            y, log_det = x[step % 4 * 16 :][:16], 0
            for layer in layers:
                y, log_det = torch.tanh(forward(layer, y)) + y, log_det + layer.log_abs_det((6, 6))
            loss = y.square().sum() / 32 - log_det
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            result.append(loss.item())
        return np.array(result)

    ours = losses(lambda layer, y: layer(y))
    plain = losses(lambda layer, y: F.conv2d(F.pad(y, (2, 0, 2, 0)), layer.kernel()))
    np.testing.assert_allclose(ours, plain, rtol=1e-4)
    assert ours[-1] < ours[0] - 1


def test_the_core_does_not_import_frameworks():
    code = (
        "import sys, cinc_ref as cr; dir(cr); cr.conv, cr.flows, cr.testing.check, cr.training; "
        "assert not {'torch', 'jax', 'sklearn', 'dask', 'zarr'} & set(sys.modules)"
    )
    run_code(code)
