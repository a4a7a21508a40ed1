r"""The convolution, its exact inverse and its log-determinant for PyTorch tensors on the CPU.

`conv`, `conv_inverse` and `log_abs_det` take the options of the functions of the same names in
`cinc_ref`, and `InvertibleConv2d` is the layer as a module. They run the same compiled loops on the
memory of the tensors, without a copy.

- **Gradients** of any order, in reverse and in forward mode (`torch.autograd`,
  `torch.autograd.forward_ad`), with respect to images and kernels.
- **torch.func**: ``grad``, ``vjp``, ``jvp``, ``jacrev``, ``jacfwd``, ``hessian`` and ``vmap``, in
  any order. Images to which ``vmap`` adds an axis are one larger batch; kernels, and gradients
  with respect to them, are taken one by one.
- **torch.compile**: one operator in the graph, no break (``fullgraph=True``), with first
  derivatives and ``vmap``. Derivatives of torch.func belong outside of what is compiled, where
  they are refused.
- **dtypes**: float32 and float64. Under ``torch.autocast("cpu")`` float16 and bfloat16 tensors, and
  parameters of modules, are converted to float32, and so is the result, because substitution adds
  up many terms; elsewhere they are refused.
- **devices**: the CPU. Tensors on other devices are refused; ``x.cpu()`` copies them.
- **memory**: tensors that are contiguous as (N, C, H, W), or as (C, H, W, N) behind a permutation,
  are read in place, and results lie in memory as they do. Others, channels_last among them, are
  copied once.

Derivatives do not look for what is not finite: infinities and NaN arrive in gradients as in those
of any PyTorch operation.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import reduce
from operator import add
from types import SimpleNamespace
from typing import Any

import numpy as np

from cinc_ref import _validate, convolution
from cinc_ref._extras import extra
from cinc_ref._params import check_params
from cinc_ref._typing import Array, Corner, Size
from cinc_ref.bijections.base import template
from cinc_ref.bijections.conv import CornerBlock, InvertibleConv, Triangle, rotation, triangles
from cinc_ref.errors import DtypeError, OptionError, ParamsError
from cinc_ref.geometry import Geometry, check_options
from cinc_ref.primitives import causal
from cinc_ref.primitives.corner import inverse_transpose
from cinc_ref.primitives.derivatives import DERIVATIVES
from cinc_ref.primitives.stable import BOUND

with extra("torch"):
    import torch
    from torch import Tensor
    from torch.nn import functional as F
    from torch.nn.utils.parametrize import is_parametrized

__all__ = ["InvertibleConv2d", "conv", "conv_inverse", "log_abs_det"]


def __dir__() -> list[str]:
    return __all__


FLOATS = (torch.float32, torch.float64)
HALVES = (torch.float16, torch.bfloat16)


def conv(
    x: Tensor,
    kernel: Tensor,
    *,
    corner: Corner = "top-left",
    dilation: int = 1,
    anchor: Sequence[int] | None = None,
) -> Tensor:
    """Convolve images with a kernel that reads each pixel and pixels before it.

    Parameters
    ----------
    x : Tensor, shape (N, C, H, W)
        float32 or float64, on the CPU; N may be 0.
    kernel : Tensor, shape (C, C, kh, kw)
        Output channel first; the dtype of x.
    corner, dilation, anchor
        As for `cinc_ref.conv`.

    Returns
    -------
    Tensor, shape (N, C, H, W), dtype of x

    Raises
    ------
    ShapeError, DtypeError, NonFiniteError, OptionError
        If an argument is not as described.

    Examples
    --------
    >>> import torch
    >>> from cinc_ref.torch import conv
    >>> x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> conv(x, torch.tensor([[[[0.0, 1.0], [10.0, 2.0]]]]))
    tensor([[[[ 2., 14.],
              [ 7., 40.]]]])
    """
    x, kernel, geometry = _prepared(x, "x", kernel, corner, dilation, anchor)
    return _ops.conv(x, kernel, geometry)


def conv_inverse(
    y: Tensor,
    kernel: Tensor,
    *,
    corner: Corner = "top-left",
    dilation: int = 1,
    anchor: Sequence[int] | None = None,
    check: bool = False,
) -> Tensor:
    """Undo `conv`, exactly, by substitution in raster order.

    Parameters
    ----------
    y : Tensor, shape (N, C, H, W)
        float32 or float64, on the CPU; N may be 0.
    kernel : Tensor, shape (C, C, kh, kw)
        Its corner block must be invertible; the dtype of y.
    corner, dilation, anchor, check
        As for `cinc_ref.conv_inverse`.

    Returns
    -------
    Tensor, shape (N, C, H, W), dtype of y

    Raises
    ------
    SingularKernelError
        If the corner block is singular.
    ShapeError, DtypeError, NonFiniteError, OptionError
        If an argument is not as described.

    Warns
    -----
    IllConditionedWarning
        As `cinc_ref.conv_inverse` does.

    Examples
    --------
    >>> import torch
    >>> from cinc_ref.torch import conv_inverse
    >>> kernel = torch.tensor([[[[0.0, 1.0], [10.0, 2.0]]]], requires_grad=True)
    >>> x = conv_inverse(torch.tensor([[[[2.0, 14.0], [7.0, 40.0]]]]), kernel)
    >>> x.detach()
    tensor([[[[1., 2.],
              [3., 4.]]]])
    >>> x.sum().backward()
    >>> kernel.grad.shape
    torch.Size([1, 1, 2, 2])
    """
    y, kernel, geometry = _prepared(y, "y", kernel, corner, dilation, anchor)
    return _ops.conv_inverse(y, kernel, _validate.boolean("check", check), geometry)


def log_abs_det(kernel: Tensor, size: Size, *, anchor: Sequence[int] | None = None) -> Tensor:
    """Compute the log-determinant of `conv` on one image, in nats.

    Parameters
    ----------
    kernel : Tensor, shape (C, C, kh, kw)
        float32 or float64, on the CPU.
    size : (int, int)
        Image height and width (H, W).
    anchor : (int, int), optional
        As for `cinc_ref.log_abs_det`.

    Returns
    -------
    Tensor, shape (), dtype of the kernel

    Raises
    ------
    SingularKernelError
        If the corner block is singular.
    ShapeError, DtypeError, NonFiniteError, OptionError
        If an argument is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from cinc_ref.torch import log_abs_det
    >>> nats = log_abs_det(torch.tensor([[[[7.0, 7.0], [7.0, -2.0]]]]), (3, 5))
    >>> float(round(nats.item() / np.log(2), 3))  # 3 * 5 * log2|-2|
    15.0
    """
    kernel = _checked_tensor(kernel, "kernel")
    _validate.check_kernel_shape(kernel)
    size = _validate.check_size(size)
    return _ops.log_abs_det(kernel, size, check_options(kernel.shape[2:], anchor=anchor).anchor)


class InvertibleConv2d(torch.nn.Module):
    r"""Causal convolution with a corner block that stays invertible, as a module.

    It is `cinc_ref.bijections.InvertibleConv` for tensors: the parameters have the same names,
    shapes and meaning, so `params` and `load_params` exchange them with flows and checkpoints.

    Parameters
    ----------
    channels : int
        Number of channels C.
    kernel_size, corner_block, corner, dilation, anchor, seed, stable, triangle
        As for `cinc_ref.bijections.InvertibleConv`.
    dtype : torch.dtype, optional
        float32 or float64; PyTorch's default dtype unless given.

    Attributes
    ----------
    layer : InvertibleConv
        The layer of `cinc_ref.bijections` with the same options.

    Raises
    ------
    OptionError
        If an option is not as described.

    Notes
    -----
    Parameters start from random numbers that follow `torch.manual_seed`, on PyTorch's default
    device; a module of the device "meta" gets values by `load_state_dict(..., assign=True)`.
    Autocast does not change how the kernel is computed from them.

    Examples
    --------
    >>> import torch
    >>> from cinc_ref.torch import InvertibleConv2d
    >>> layer, x = InvertibleConv2d(3, corner_block="plu"), torch.randn(2, 3, 5, 4)
    >>> bool(torch.allclose(layer.inverse(layer(x)), x, atol=1e-4))
    True
    >>> log_det = layer.log_abs_det(x.shape[2:])  # of each image
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int | tuple[int, int] = 3,
        corner_block: CornerBlock = "triangular",
        corner: Corner = "top-left",
        *,
        dilation: int = 1,
        anchor: tuple[int, int] | None = None,
        seed: int = 0,
        stable: bool = False,
        triangle: Triangle = "lower",
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.channels: int = _validate.integer("channels", channels, minimum=1)
        _validate.check_memory("channels", channels, 4 * self.channels**2, "use fewer")
        self.layer: InvertibleConv = InvertibleConv(
            kernel_size, corner_block, corner, dilation, anchor, seed, stable, triangle
        )
        dtype = torch.get_default_dtype() if dtype is None else dtype
        if dtype not in FLOATS:
            raise OptionError(
                "dtype must be torch.float32 or torch.float64, PyTorch's default unless given; "
                f"got {_validate.shown(dtype)}"
            )
        rng = np.random.default_rng(torch.randint(2**63 - 1, (), device="cpu").item())
        params = self.layer.init(rng, np.zeros((1, self.channels, 1, 1)))
        device = torch.empty(0).device
        for name, value in params.items():
            tensor = torch.from_numpy(value).to(device, dtype)
            self.register_parameter(name, torch.nn.Parameter(tensor))
        self._names: tuple[str, ...] = tuple(params)
        # Constants are no buffers: those of a module from the device "meta" would never get values.
        _, lower, upper = triangles(self.channels)
        permutation, _, _, signs = rotation(self.layer.seed, self.channels)
        constants = {
            "lower": lower, "upper": upper, "identity": np.eye(self.channels),
            "permutation": permutation, "signs": signs,
        }  # fmt: skip
        self._constants: dict[str, Tensor] = {
            name: torch.from_numpy(value.copy()) for name, value in constants.items()
        }

    def forward(self, x: Tensor) -> Tensor:
        """Convolve images.

        Parameters
        ----------
        x : Tensor, shape (N, C, H, W), dtype of the parameters

        Returns
        -------
        Tensor, shape (N, C, H, W)

        Raises
        ------
        ShapeError, DtypeError, NonFiniteError, OptionError
            As `conv` does.
        """
        return conv(x, self.kernel(), **self._options)

    def inverse(self, y: Tensor) -> Tensor:
        """Return the images of which `forward` makes y.

        Parameters
        ----------
        y : Tensor, shape (N, C, H, W), dtype of the parameters

        Returns
        -------
        Tensor, shape (N, C, H, W)

        Raises
        ------
        SingularKernelError
            If a "dense" corner block has become singular.
        ShapeError, DtypeError, NonFiniteError, OptionError
            As `conv_inverse` does.
        """
        return conv_inverse(y, self.kernel(), **self._options)

    def log_abs_det(self, size: Size) -> Tensor:
        """Compute the log-determinant of `forward` on one image, in nats.

        Parameters
        ----------
        size : (int, int)
            Image height and width (H, W).

        Returns
        -------
        Tensor, shape ()

        Raises
        ------
        SingularKernelError
            If a "dense" corner block has become singular.
        ShapeError, DtypeError, NonFiniteError, OptionError
            As `log_abs_det` does.
        """
        if self.layer.corner_block == "dense":
            return log_abs_det(self.kernel(), size, anchor=self.layer.anchor)
        height, width = _validate.check_size(size)
        if self.layer.corner_block == "unit":
            return self._parameter("taps").new_zeros(())
        return height * width * self._parameter("log_diagonal").sum()

    def kernel(self) -> Tensor:
        """Compute the kernel from the parameters; see `cinc_ref.bijections.InvertibleConv`.

        Returns
        -------
        Tensor, shape (C, C, kh, kw)

        Raises
        ------
        DtypeError
            If the parameters are in half precision, outside of autocast, or not on the CPU.
        """
        values = {name: self._parameter(name) for name in self._names}
        if torch.is_autocast_enabled("cpu"):  # which would multiply matrices in half precision
            with torch.autocast("cpu", enabled=False):
                return self._kernel_of(values)
        return self._kernel_of(values)

    def params(self) -> dict[str, Array]:
        """Copy the parameters into arrays, as those of `cinc_ref.bijections.InvertibleConv`.

        Returns
        -------
        dict of str to ndarray
            float32, also of parameters in half precision, or float64.
        """
        values = {name: getattr(self, name).detach().cpu() for name in self._names}
        wider = {
            name: value.float() if value.dtype in HALVES else value
            for name, value in values.items()
        }
        return {name: value.numpy().copy() for name, value in wider.items()}

    def load_params(self, params: dict[str, Array]) -> None:
        """Copy parameters of `cinc_ref.bijections.InvertibleConv` into those of the module.

        Parameters
        ----------
        params : dict of str to ndarray
            Those of a layer with the options of this one, for instance of a flow that
            `cinc_ref.load` has read.

        Raises
        ------
        ParamsError
            If the parameters do not fit.
        """
        if isinstance(params, dict) and any(isinstance(v, Tensor) for v in params.values()):
            raise ParamsError("params must hold arrays; got tensors: use load_state_dict")
        expected = template(self.layer, (self.channels, 1, 1))
        check_params(params, expected, lambda: "params must fit InvertibleConv2d")
        with torch.no_grad():
            for name in self._names:
                value = torch.from_numpy(np.array(params[name]))
                if is_parametrized(self, name):
                    setattr(self, name, value.to(getattr(self, name)))
                else:
                    getattr(self, name).copy_(value)

    def extra_repr(self) -> str:
        """Return the options that the representation of the module shows."""
        options = (
            f"{field.name}={getattr(self.layer, field.name)!r}" for field in fields(self.layer)
        )
        return ", ".join([str(self.channels), *options])

    @property
    def _options(self):
        return {name: getattr(self.layer, name) for name in ("corner", "dilation", "anchor")}

    def _parameter(self, name):
        """Return a parameter as the operators take tensors, or raise an error."""
        return _checked_tensor(getattr(self, name), f"the parameter {name}", "module")

    def _kernel_of(self, values):
        """Compute the kernel from the values of the parameters."""
        corner, taps = self._corner_block(values), values["taps"]
        if self.layer.stable:  # cinc_ref.primitives.stable has the equation
            shrink = BOUND / (1 + taps.shape[2] * taps.square().sum()).sqrt()
            taps = torch.tensordot(corner, taps, 1) * shrink
        height, width = self.layer.kernel_size
        later = height * width - taps.shape[2] - 1
        flat = torch.cat([taps, corner[:, :, None]], 2)
        return F.pad(flat, (0, later)).unflatten(2, (height, width))

    def _corner_block(self, values):
        kind, triangle = self.layer.corner_block, self.layer.triangle
        if kind == "dense":
            return values["corner"]
        identity = self._constants["identity"].to(values["taps"])
        if kind == "plu":
            lower = self._strict(values, "lower") + identity
            permutation, signs = (
                self._constants[name].to(values["taps"]) for name in ("permutation", "signs")
            )
            diagonal = signs * values["log_diagonal"].exp()
            upper = self._strict(values, "upper") + torch.diag(diagonal)
            return permutation @ (lower @ upper)
        strict = self._strict(values, triangle)
        if kind == "unit":
            return strict + identity
        return strict + torch.diag(values["log_diagonal"].exp())

    def _strict(self, values, triangle):
        """Return the parameters of a strict triangle as a (C, C) matrix."""
        entries = values[triangle]
        indices = self._constants[triangle].to(entries.device)
        flat = entries.new_zeros(self.channels**2).scatter(0, indices, entries)
        return flat.unflatten(0, (self.channels, self.channels))


def _prepared(images, name, kernel, corner, dilation, anchor):
    """Return images and kernel as the operators take them, and the geometry."""
    images, kernel = _checked_tensor(images, name), _checked_tensor(kernel, "kernel")
    _validate.check_kernel_shape(kernel)
    _validate.check_images_shape(images, kernel, name)
    if images.dtype != kernel.dtype:
        step = "double" if kernel.dtype == torch.float64 else "float"
        raise DtypeError(
            f"{name} and kernel must have the same dtype; got {images.dtype} and {kernel.dtype}: "
            f"use {name}.{step}()"
        )
    if images.device != kernel.device:
        raise DtypeError(
            f"{name} and kernel must be on one device; got {images.device} and {kernel.device}"
        )
    return images, kernel, check_options(kernel.shape[2:], corner, dilation, anchor)


def _checked_tensor(value, name, owner=None):
    """Return a tensor that the operators take, or raise an error that says what to do.

    Parameters are converted by their owner, the module.
    """
    owner = owner or name
    if not isinstance(value, Tensor):
        raise DtypeError(
            f"{name} must be a torch tensor; got {_validate.shown(value)}: use torch.as_tensor, or "
            "the functions of cinc_ref, which take arrays"
        )
    if value.dtype in HALVES and torch.is_autocast_enabled("cpu"):
        value = value.to(torch.float32)
    if value.dtype not in FLOATS:
        step = "real" if value.is_complex() else "float()"
        halves = ', or compute under torch.autocast("cpu")' if value.dtype in HALVES else ""
        raise DtypeError(
            f"{name} must be float32 or float64; got {value.dtype}: use {owner}.{step}{halves}"
        )
    if value.is_nested:
        raise DtypeError(
            f"{name} must be a dense tensor; got a nested one: use torch.stack({name}.unbind())"
        )
    if value.device.type not in ("cpu", "meta") or value.layout is not torch.strided:
        where = f"on {value.device}" if value.layout is torch.strided else f"with {value.layout}"
        step = "cpu" if value.layout is torch.strided else "to_dense"
        raise DtypeError(
            f"{name} must be a dense tensor on the CPU; got one {where}: use {owner}.{step}()"
        )
    return value


# ---- the operators ------------------------------------------------------------------------------

_LIBRARY = torch.library.Library("cinc_ref", "DEF")

OF_RESULT = ("causal_solve", "causal_solve_transpose", "inverse_transpose")
"""The operations whose derivatives take the result in the place of the first argument.

The other one is not saved, so that it needs no memory and may be changed in place.
"""

_ops = SimpleNamespace()
"""The differentiable operations, with the arguments with which `DERIVATIVES` calls them."""


def _at_tap(block, shape, tap):
    """Return a kernel that is 0 but for the block at one tap."""
    (_, _, height, width), (row, column) = shape, tap
    return F.pad(block[:, :, None, None], (column, width - 1 - column, row, height - 1 - row))


_ops.at_tap = _at_tap


def _define(
    schema: str,
    on_arrays: Callable[..., Any],
    fake: Callable[..., Tensor],
    derivatives: str,
    options: Callable[..., tuple[Any, ...]],
) -> None:
    """Define an operator, and the differentiable operation of `_ops` that calls it.

    Parameters
    ----------
    schema : str
        Name and arguments, the tensors first.
    on_arrays : callable
        The function of arrays, and of the other arguments, that computes it.
    fake : callable
        The function of tensors without numbers, and of the other arguments, that describes it.
    derivatives : str
        The key of `DERIVATIVES`.
    options : callable
        The function that makes of the other arguments what the derivatives take.
    """
    name, tensors, rules = (
        schema.partition("(")[0],
        schema.count("Tensor"),
        DERIVATIVES[derivatives],
    )

    def compute(*inputs):
        arrays = [tensor.numpy() for tensor in inputs[:tensors]]
        return torch.from_numpy(np.asarray(on_arrays(*arrays, *inputs[tensors:])))

    def setup_context(ctx, inputs, output):
        first = (output, None) if derivatives in OF_RESULT else (None, inputs[0])
        ctx.save_for_backward(*first, *inputs[1:tensors])
        ctx.save_for_forward(*first, *inputs[1:tensors])
        ctx.options = options(*inputs[tensors:])
        ctx.no_gradients = (None,) * (len(inputs) - tensors)

    def backward(ctx, g):
        saved = (*ctx.saved_tensors, *ctx.options)
        gradients = (
            rule(_ops, g, *saved) if is_needed else None
            for rule, is_needed in zip(rules.vjp, ctx.needs_input_grad, strict=False)
        )
        return *gradients, *ctx.no_gradients

    def jvp(ctx, *tangents):
        saved = (*ctx.saved_tensors, *ctx.options)
        changes = [
            rule(_ops, tangent, *saved)
            for rule, tangent in zip(rules.jvp, tangents, strict=False)
            if tangent is not None
        ]
        return reduce(add, changes)

    def mapped(function):
        along = _over_images if fake is _like else _one_by_one
        return lambda info, axes, *inputs: (
            along(function, info.batch_size, axes[:tensors], inputs),
            0,
        )

    def forward(*inputs):
        with torch._C._AutoDispatchBelowAutograd():
            return operator(*inputs)

    def record(*inputs):
        if torch._C._are_functorch_transforms_active():
            raise NotImplementedError(
                "torch.compile must not hold derivatives of torch.func through operators of "
                "cinc_ref: call torch.func outside of what is compiled"
            )
        return function.apply(*inputs)

    _LIBRARY.define(f"{schema} -> Tensor")
    operator = getattr(torch.ops.cinc_ref, name).default
    members = {
        "forward": forward,
        "setup_context": setup_context,
        "backward": backward,
        "jvp": jvp,
        "vmap": mapped(lambda *inputs: function.apply(*inputs)),
    }
    members = {key: staticmethod(member) for key, member in members.items()}
    function = type(name, (torch.autograd.Function,), members)
    _LIBRARY.impl(name, compute, "CPU")
    _LIBRARY.impl(name, record, "Autograd")
    torch.library.register_fake(f"cinc_ref::{name}", fake, lib=_LIBRARY)
    torch.library.register_vmap(f"cinc_ref::{name}", mapped(operator), lib=_LIBRARY)

    def operation(*inputs):
        *others, last = inputs
        if isinstance(last, Geometry):
            inputs = (*others, *last)
        # torch.compile knows operators, and no Function that has a forward mode; without gradients
        # an operator alone takes less time
        if torch.compiler.is_compiling() or torch.is_inference_mode_enabled():
            return operator(*inputs)
        return function.apply(*inputs)

    setattr(_ops, name, operation)


def _over_images(function, count, axes, inputs):
    """Apply a function to one larger batch if the images alone, its first tensor, have the axis."""
    (images, *others), (axis, kernel_axis) = inputs, axes
    if kernel_axis is not None:
        return _one_by_one(function, count, axes, inputs)
    images = images.movedim(axis, 0)
    return function(images.flatten(0, 1), *others).unflatten(0, images.shape[:2])


def _one_by_one(function, count, axes, inputs):
    """Apply a function at each index of a new axis that some of its tensors have."""
    axes = (*axes, *[None] * (len(inputs) - len(axes)))
    if count == 0:  # one result of no numbers has the shape
        inputs = [
            value if axis is None else value.new_empty(value.movedim(axis, 0).shape[1:])[None]
            for value, axis in zip(inputs, axes, strict=True)
        ]
        meta = [value.to("meta") if isinstance(value, Tensor) else value for value in inputs]
        axes = [axis and 0 for axis in axes]
        return inputs[0].new_empty((0, *_one_by_one(function, 1, axes, meta).shape[1:]))
    results = [
        function(
            *(
                value if axis is None else value.select(axis, k)
                for value, axis in zip(inputs, axes, strict=True)
            )
        )
        for k in range(count)
    ]
    return torch.stack(results)


def _like(images, *_):
    """Describe a result that lies in memory as the images do, if the kernels take such images."""
    last = images.permute(1, 2, 3, 0)
    if last.is_contiguous() and not images.is_contiguous():
        return torch.empty_like(last).permute(3, 0, 1, 2)
    return images.new_empty(images.shape)


def _geometry(corner, dilation, anchor):
    return Geometry(corner, dilation, tuple(anchor))


def _keywords(kernel, corner, dilation, anchor):
    """Return the options of a public function; the default anchor is taken faster than a tap."""
    is_default = tuple(anchor) == (kernel.shape[2] - 1, kernel.shape[3] - 1)
    return {"corner": corner, "dilation": dilation, "anchor": None if is_default else anchor}


_PLACES = "str corner, int dilation, int[] anchor"

_define(
    f"conv(Tensor x, Tensor kernel, {_PLACES})",
    lambda x, kernel, *places: convolution.conv(x, kernel, **_keywords(kernel, *places)),
    _like,
    "causal_conv",
    lambda *places: (_geometry(*places),),
)
_define(
    f"conv_inverse(Tensor y, Tensor kernel, bool check, {_PLACES})",
    lambda y, kernel, check, *places: convolution.conv_inverse(
        y, kernel, check=check, **_keywords(kernel, *places)
    ),
    _like,
    "causal_solve",
    lambda check, *places: (_geometry(*places),),
)
for _operation in causal.OPERATIONS.values():
    _define(
        f"{_operation.__name__}(Tensor images, Tensor kernel, {_PLACES})",
        lambda images, kernel, *places, operation=_operation: operation(
            images, kernel, _geometry(*places)
        ),
        _like,
        _operation.__name__,
        lambda *places: (_geometry(*places),),
    )
_define(
    f"causal_conv_weight_grad(Tensor x, Tensor g, SymInt[] shape, {_PLACES})",
    lambda x, g, shape, *places: causal.causal_conv_weight_grad(
        x, g, tuple(shape), _geometry(*places)
    ),
    lambda x, g, shape, *_: x.new_empty(shape),
    "causal_conv_weight_grad",
    lambda shape, *places: (shape, _geometry(*places)),
)
_define(
    "log_abs_det(Tensor kernel, int[] size, int[] anchor)",
    lambda kernel, size, anchor: convolution.log_abs_det(kernel, size, anchor=anchor),
    lambda kernel, *_: kernel.new_empty(()),
    "log_abs_det",
    lambda size, anchor: (size[0] * size[1], tuple(anchor)),
)
_define(
    "inverse_transpose(Tensor corner)",
    inverse_transpose,
    lambda corner: corner.new_empty(corner.shape),
    "inverse_transpose",
    lambda: (),
)
