r"""The convolution, its exact inverse and its log-determinant for JAX arrays.

`conv`, `conv_inverse` and `log_abs_det` take the options of the functions of the same names in
`cinc_ref`. They run the same compiled loops, through `jax.pure_callback` where JAX traces.

- **Gradients** of any order in reverse mode (``grad``, ``vjp``, ``jacrev``), with respect to images
  and kernels. Forward mode (``jvp``, ``jacfwd``, ``hessian``) is refused by JAX, as for every
  function with derivatives of its own; ``jacrev(jacrev(f))`` is the Hessian.
- **jit** and **vmap**: images to which ``vmap`` adds an axis are one larger batch; kernels, and
  gradients with respect to them, are taken one by one.
- **Options**, and the size of `log_abs_det`, are no arrays: name those that are arguments of what
  ``jit`` compiles in its ``static_argnames``.
- **dtypes**: float32, and float64 where JAX has it (``jax_enable_x64``).
- **Errors**: those of shapes, dtypes and options are raised at once. What only numbers show, a
  singular corner block or NaN, is an error of the same class outside of ``jit``, and inside of it
  JAX's error of a callback, which quotes it.

Derivatives do not look for what is not finite: infinities and NaN arrive in gradients as in those
of any JAX operation.
"""

from collections.abc import Callable, Sequence
from math import prod
from types import SimpleNamespace
from typing import Any

import numpy as np

from cinc_ref import _validate, convolution
from cinc_ref._extras import extra
from cinc_ref._typing import Corner, Size
from cinc_ref.errors import DtypeError, OptionError
from cinc_ref.geometry import check_options
from cinc_ref.primitives import causal
from cinc_ref.primitives.corner import inverse_transpose
from cinc_ref.primitives.derivatives import DERIVATIVES, Derivatives

with extra("jax"):
    import jax
    import jax.numpy as jnp
    from jax import Array

__all__ = ["conv", "conv_inverse", "log_abs_det"]


def __dir__() -> list[str]:
    return __all__


FLOATS = (np.float32, np.float64)
ARRAYS = (Array, np.ndarray, np.generic, list, tuple, int, float)
"""The classes of arguments that become arrays without a loss."""


def conv(
    x: Array,
    kernel: Array,
    *,
    corner: Corner = "top-left",
    dilation: int = 1,
    anchor: Sequence[int] | None = None,
) -> Array:
    """Convolve images with a kernel that reads each pixel and pixels before it.

    Parameters
    ----------
    x : Array, shape (N, C, H, W)
        float32 or float64; N may be 0.
    kernel : Array, shape (C, C, kh, kw)
        Output channel first; the dtype of x.
    corner, dilation, anchor
        As for `cinc_ref.conv`.

    Returns
    -------
    Array, shape (N, C, H, W), dtype of x

    Raises
    ------
    ShapeError, DtypeError, NonFiniteError, OptionError
        If an argument is not as described.

    Examples
    --------
    >>> import jax
    >>> from cinc_ref.jax import conv
    >>> x = jax.numpy.array([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> conv(x, jax.numpy.array([[[[0.0, 1.0], [10.0, 2.0]]]]))
    Array([[[[ 2., 14.],
             [ 7., 40.]]]], dtype=float32)
    """
    x, kernel, geometry = _prepared(x, "x", kernel, corner, dilation, anchor)
    return _ops.conv(x, kernel, geometry)


def conv_inverse(
    y: Array,
    kernel: Array,
    *,
    corner: Corner = "top-left",
    dilation: int = 1,
    anchor: Sequence[int] | None = None,
    check: bool = False,
) -> Array:
    """Undo `conv`, exactly, by substitution in raster order.

    Parameters
    ----------
    y : Array, shape (N, C, H, W)
        float32 or float64; N may be 0.
    kernel : Array, shape (C, C, kh, kw)
        Its corner block must be invertible; the dtype of y.
    corner, dilation, anchor, check
        As for `cinc_ref.conv_inverse`.

    Returns
    -------
    Array, shape (N, C, H, W), dtype of y

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
    >>> import jax
    >>> from cinc_ref.jax import conv_inverse
    >>> kernel = jax.numpy.array([[[[0.0, 1.0], [10.0, 2.0]]]])
    >>> y = jax.numpy.array([[[[2.0, 14.0], [7.0, 40.0]]]])
    >>> jax.jit(conv_inverse)(y, kernel)
    Array([[[[1., 2.],
             [3., 4.]]]], dtype=float32)
    >>> jax.grad(lambda kernel: conv_inverse(y, kernel).sum())(kernel).shape
    (1, 1, 2, 2)
    """
    _check_is_known(check=check)
    y, kernel, geometry = _prepared(y, "y", kernel, corner, dilation, anchor)
    return _ops.conv_inverse(y, kernel, _validate.boolean("check", check), geometry)


def log_abs_det(kernel: Array, size: Size, *, anchor: Sequence[int] | None = None) -> Array:
    """Compute the log-determinant of `conv` on one image, in nats.

    Parameters
    ----------
    kernel : Array, shape (C, C, kh, kw)
        float32 or float64.
    size : (int, int)
        Image height and width (H, W).
    anchor : (int, int), optional
        As for `cinc_ref.log_abs_det`.

    Returns
    -------
    Array, shape (), dtype of the kernel

    Raises
    ------
    SingularKernelError
        If the corner block is singular.
    ShapeError, DtypeError, NonFiniteError, OptionError
        If an argument is not as described.

    Examples
    --------
    >>> import jax
    >>> from cinc_ref.jax import log_abs_det
    >>> kernel = jax.numpy.array([[[[7.0, 7.0], [7.0, -2.0]]]])
    >>> round(float(log_abs_det(kernel, (3, 5)) / jax.numpy.log(2.0)), 4)
    15.0
    """
    kernel = _as_array(kernel, "kernel")
    _validate.check_kernel_shape(kernel)
    _check_float(kernel, "kernel")
    _check_is_known(size=size, anchor=anchor)
    size = _validate.check_size(size)
    return _ops.log_abs_det(kernel, size, check_options(kernel.shape[2:], anchor=anchor).anchor)


def _prepared(images, name, kernel, corner, dilation, anchor):
    """Return images and kernel as arrays, and the geometry, or raise an error."""
    images, kernel = _as_array(images, name), _as_array(kernel, "kernel")
    _validate.check_kernel_shape(kernel)
    _validate.check_images_shape(images, kernel, name)
    _check_float(images, name)
    _check_float(kernel, "kernel")
    _validate.check_same_dtype(images, name, kernel, "kernel")
    _check_is_known(corner=corner, dilation=dilation, anchor=anchor)
    return images, kernel, check_options(kernel.shape[2:], corner, dilation, anchor)


def _as_array(value, name):
    """Return a JAX array, or raise an error; gradients of other libraries would get lost."""
    if not (isinstance(value, ARRAYS) or hasattr(value, "__jax_array__")):
        raise DtypeError(
            f"{name} must be a JAX or NumPy array; got {_validate.shown(value)}: "
            "use jax.numpy.asarray"
        )
    try:
        return jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise DtypeError(
            f"{name} must be an array of numbers; got {_validate.shown(value)}"
        ) from error


def _check_float(array, name):
    """Refuse anything but float32 and float64."""
    if array.dtype not in FLOATS:
        is_complex = jnp.issubdtype(array.dtype, jnp.complexfloating)
        step = f"{name}.real" if is_complex else f"jax.numpy.asarray({name}, 'float32')"
        raise DtypeError(f"{name} must be float32 or float64; got {array.dtype}: use {step}")


def _check_is_known(**options):
    """Refuse options that JAX traces."""
    for name, value in options.items():
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(value)):
            raise OptionError(
                f"{name} must be known when JAX traces; got an array that it traces: name it in "
                "static_argnames of jax.jit"
            )


# ---- the operations -----------------------------------------------------------------------------

_ops = SimpleNamespace()
"""The differentiable operations, with the arguments with which `DERIVATIVES` calls them."""


def _at_tap(block, shape, tap):
    """Return a kernel that is 0 but for the block at one tap."""
    return jnp.zeros(shape, block.dtype).at[:, :, *tap].set(block)


_ops.at_tap = _at_tap


def _define(
    name: str,
    axes: tuple[int, ...],
    others: int,
    on_arrays: Callable[..., Any],
    shape_of: Callable[..., tuple[int, ...]],
    rules: Derivatives,
    options: Callable[..., tuple[Any, ...]] = lambda *others: others,
) -> None:
    """Define a differentiable operation of `_ops`.

    Parameters
    ----------
    name : str
    axes : tuple of int
        The number of axes of each array among the arguments; arrays come first.
    others : int
        The number of other arguments.
    on_arrays : callable
        The function of NumPy arrays, and of the other arguments, that computes it.
    shape_of : callable
        The function of the arguments that returns the shape of the result.
    rules : Derivatives
    options : callable
        The function that makes of the other arguments what the derivatives take.
    """
    arrays = len(axes)

    def compute(*arguments):
        values, rest = arguments[:arrays], arguments[arrays:]

        def on_host(*values):
            values = [np.asarray(value) for value in values]
            takes_batches = shape_of is _shape_of_images
            return _over_leading_axes(
                lambda *values: on_arrays(*values, *rest), axes, values, takes_batches
            )

        if not any(isinstance(value, jax.core.Tracer) for value in values):
            return jnp.asarray(on_host(*values))
        result = jax.ShapeDtypeStruct(shape_of(*arguments), values[0].dtype)
        return jax.pure_callback(on_host, result, *values, vmap_method="expand_dims")

    def forward(*arguments):
        result = operation(*arguments)  # which may itself be differentiated
        return result, (result, *arguments[:arrays])

    def backward(*arguments):
        *rest, saved, g = arguments
        return tuple(rule(_ops, g, *saved, *options(*rest)) for rule in rules.vjp)

    operation = jax.custom_vjp(compute, nondiff_argnums=tuple(range(arrays, arrays + others)))
    operation.defvjp(forward, backward)
    setattr(_ops, name, operation)


def _over_leading_axes(function, axes, values, takes_batches):
    """Apply a function of arrays along the axes that vmap has put before those that it takes.

    One kernel for all images, which come first, makes them one larger batch.
    """
    added = [value.shape[: value.ndim - count] for value, count in zip(values, axes, strict=True)]
    cores = [value.shape[value.ndim - count :] for value, count in zip(values, axes, strict=True)]
    shape = np.broadcast_shapes(*added)
    if not shape:
        return np.asarray(function(*values))
    if takes_batches and prod(added[1]) == 1:
        images = values[0].reshape(-1, *cores[0][1:])
        return function(images, values[1].reshape(cores[1])).reshape(*shape, *cores[0])
    rows = [
        np.broadcast_to(value, shape + core).reshape(-1, *core)
        for value, core in zip(values, cores, strict=True)
    ]
    results = np.stack([function(*row) for row in zip(*rows, strict=True)])
    return results.reshape(*shape, *results.shape[1:])


def _shape_of_images(images, *_):
    return images.shape


def _define_on_images(name, others, on_arrays, derivatives, options=lambda geometry: (geometry,)):
    rules = DERIVATIVES[derivatives]
    _define(name, (4, 4), others, on_arrays, _shape_of_images, rules, options)


def _keywords(kernel, geometry):
    """Return the options of a public function; the default anchor is taken faster than a tap."""
    is_default = geometry.anchor == (kernel.shape[2] - 1, kernel.shape[3] - 1)
    return geometry._asdict() | ({"anchor": None} if is_default else {})


_define_on_images(
    "conv",
    1,
    lambda x, kernel, geometry: convolution.conv(x, kernel, **_keywords(kernel, geometry)),
    "causal_conv",
)
_define_on_images(
    "conv_inverse",
    2,
    lambda y, kernel, check, geometry: convolution.conv_inverse(
        y, kernel, check=check, **_keywords(kernel, geometry)
    ),
    "causal_solve",
    lambda check, geometry: (geometry,),
)
for _operation in causal.OPERATIONS.values():
    _define_on_images(_operation.__name__, 1, _operation, _operation.__name__)
_define(
    "causal_conv_weight_grad",
    (4, 4),
    2,
    causal.causal_conv_weight_grad,
    lambda x, g, shape, geometry: shape,
    DERIVATIVES["causal_conv_weight_grad"],
)
_define(
    "log_abs_det",
    (4,),
    2,
    lambda kernel, size, anchor: convolution.log_abs_det(kernel, size, anchor=anchor),
    lambda *_: (),
    DERIVATIVES["log_abs_det"],
    lambda size, anchor: (size[0] * size[1], anchor),
)
_define(
    "inverse_transpose",
    (2,),
    0,
    inverse_transpose,
    lambda corner: corner.shape,
    DERIVATIVES["inverse_transpose"],
)
