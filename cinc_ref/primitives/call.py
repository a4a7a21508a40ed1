"""A call of the convolution: prepare the arguments, execute the plan, diagnose what went wrong.

Shapes, dtypes and options are checked once for each signature, and cached with the plan. Values are
not looked at beforehand: the compiled loops report a status, and only if it is not 0 is there a
search for what is wrong. With one image, checks in advance would take a fifth of the call.
"""

from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from cinc_ref import _validate
from cinc_ref._autodiff import as_array, value_of
from cinc_ref._display import short_repr
from cinc_ref._typing import Size
from cinc_ref.geometry import Geometry, check_geometry
from cinc_ref.kernels.causal.plan import (
    CHECK_KERNEL,
    CHECK_RESULT,
    SOLVE,
    ConvPlan,
    run,
)
from cinc_ref.primitives.causal import (
    OPERATIONS,
    causal_conv_weight_grad,
    has_kernel_layout,
    kernel_arguments,
    plan_for,
)
from cinc_ref.primitives.diagnostics import (
    check_corner_invertible,
    warn_if_ill_conditioned,
    warn_if_nonfinite,
    warn_of_overflow,
)

__all__ = [
    "UNCHECKED",
    "Plan",
    "diagnose",
    "execute",
    "execute_vjp",
    "prepare",
    "prepare_corner",
    "prepare_cotangent",
    "solve",
]

Anchor: TypeAlias = tuple[int, int] | None
"""Row and column of the tap that reads the pixel itself; None for the bottom-right one."""

UNCHECKED: int = CHECK_RESULT | CHECK_KERNEL
"""Status of a call that autograd traces."""


class Plan(NamedTuple):
    """All that a call depends on but for the values.

    Attributes
    ----------
    operation : (bool, bool)
        Whether the kernel is inverted, and whether it is transposed.
    geometry : Geometry
    conv_plan : ConvPlan or None
        How the kernels do it, for arrays of this memory order; None where autograd traces them.
    """

    operation: tuple[bool, bool]
    geometry: Geometry
    conv_plan: ConvPlan | None

    __repr__ = short_repr


def prepare(
    operation: tuple[bool, bool],
    images: Any,
    name: str,
    kernel: Any,
    corner: str,
    dilation: int,
    anchor: Anchor,
) -> tuple[Any, Any, Plan]:
    """Return images and kernel as arrays or autograd boxes, and the plan; or raise an error."""
    x, k = images, kernel
    if not type(x) is type(k) is np.ndarray:
        images, kernel = as_array(images, name), as_array(kernel, "kernel")
        x, k = value_of(images), value_of(kernel)
    if anchor is None and type(corner) is str and type(dilation) is int:  # True == 1 is no key
        signature = (x.shape, x.strides, x.dtype), (k.shape, k.dtype)
        plan = _make_plan(operation, name, signature, corner, dilation)
        if images is x and kernel is k and plan.conv_plan and x.flags.behaved and k.flags.carray:
            return images, kernel, plan
        geometry = plan.geometry
    else:
        geometry = _validated(x, name, k, corner, dilation, anchor)
    return _arranged(operation, images, kernel, geometry)


def _arranged(operation, images, kernel, geometry):
    """Return arrays as the kernels take them, and their plan; boxes stay as they are."""
    if not type(images) is type(kernel) is np.ndarray:
        return images, kernel, Plan(operation, geometry, None)
    conv_plan, images, kernel = kernel_arguments(operation, images, kernel, geometry)
    return images, kernel, Plan(operation, geometry, conv_plan)


@lru_cache(maxsize=256)
def _make_plan(operation, name, signature, corner, dilation):
    """Plan a call for arrays of a signature, the bottom-right tap being the anchor."""
    (shape, strides, dtype), (kernel_shape, kernel_dtype) = signature
    images = np.broadcast_to(np.empty((), dtype), shape)
    kernel = np.broadcast_to(np.empty((), kernel_dtype), kernel_shape)
    geometry = _validated(images, name, kernel, corner, dilation, None)
    images = np.lib.stride_tricks.as_strided(np.empty((), dtype), shape, strides)
    conv_plan = None
    if has_kernel_layout(images) and kernel_dtype.isnative:
        conv_plan = plan_for(operation, images, kernel_shape, geometry)
    return Plan(operation, geometry, conv_plan)


def _validated(images, name, kernel, corner, dilation, anchor):
    _validate.check_kernel_shape(kernel)
    _validate.check_images_shape(images, kernel, name)
    _validate.check_float(kernel, "kernel")
    _validate.check_same_dtype(images, name, kernel, "kernel")
    return check_geometry(kernel, corner, dilation, anchor)


def prepare_cotangent(g: Any, images: Any) -> Any:
    """Return g as an array of the shape and dtype of the images, or raise an error."""
    g = as_array(g, "g")
    value, expected = value_of(g), value_of(images)
    _validate.check_same_dtype(value, "g", expected, "the images")
    _validate.check_same_shape(value, "g", expected, "the images")
    return g


def prepare_corner(kernel: Any, size: Size, anchor: Anchor) -> tuple[Any, int]:
    """Return the corner block and the pixels of an image, or raise an error if it is singular."""
    kernel = as_array(kernel, "kernel")
    value = value_of(kernel)
    _validate.check_kernel_shape(value)
    _validate.check_float(value, "kernel")
    height, width = _validate.check_size(size)
    p, q = check_geometry(value, anchor=anchor).anchor
    _validate.check_finite(value, "kernel")
    check_corner_invertible(value, (p, q))
    return kernel[:, :, p, q], height * width


def execute(plan: Plan, images: Any, kernel: Any) -> tuple[Any, int]:
    """Return the result, and a status: 0 if result and kernel are known to be finite."""
    if plan.conv_plan is None:
        return OPERATIONS[plan.operation](images, kernel, plan.geometry), UNCHECKED
    return run(plan.conv_plan, images, kernel)


def solve(y: Any, kernel: Any, geometry: Geometry) -> Any:
    """Return M^{-1} y for validated arrays, or raise `SingularKernelError`."""
    y, kernel, plan = _arranged(SOLVE, y, kernel, geometry)
    x, status = execute(plan, y, kernel)
    if status & CHECK_KERNEL:
        check_corner_invertible(value_of(kernel), geometry.anchor)
    return x


def execute_vjp(plan: Plan, images: Any, kernel: Any, g: Any) -> tuple[Any, Any, int]:
    """Return the gradients of <g, result> by images and kernel, and a status as `execute` does."""
    (solve, transposed), geometry, _ = plan
    cotangent, block, adjoint = _arranged((solve, not transposed), g, kernel, geometry)
    images_bar, status = execute(adjoint, cotangent, block)
    if solve:
        solution, solution_status = execute(plan, images, kernel)
        kernel_bar = -causal_conv_weight_grad(solution, images_bar, kernel.shape, geometry)
        status |= solution_status
    else:
        kernel_bar = causal_conv_weight_grad(images, g, kernel.shape, geometry)
    if not _validate.all_finite(value_of(kernel_bar)):
        status |= CHECK_RESULT
    return images_bar, kernel_bar, status


def diagnose(
    status: int,
    plan: Plan,
    kernel: Any,
    images: dict[str, Any],
    results: tuple[Any, ...] = (),
    check: bool = False,
) -> None:
    """Raise an error for invalid values, and warn of results that are not finite.

    The order is: a kernel that is not finite, images that are not, a singular corner block, a
    result that is not finite although all of these are in order.

    Parameters
    ----------
    status : int
        As `execute` returns it.
    plan : Plan
    kernel : array or box
    images : dict of str to array or box
        The images that were convolved or inverted, by their names in errors.
    results : tuple of array or box
        What was computed, or its gradients.
    check : bool
        Whether to hold the inverse to its residual and to the digits that it keeps, too.
    """
    kernel = value_of(kernel)
    _validate.check_finite(kernel, "kernel")
    if check or status & CHECK_RESULT:
        for name, array in images.items():
            _validate.check_finite(value_of(array), name)
    if not plan.operation[0]:
        if status & CHECK_RESULT:
            warn_of_overflow(tuple(map(value_of, results)), stacklevel=4)
        return
    check_corner_invertible(kernel, plan.geometry.anchor)
    y = value_of(next(iter(images.values())))
    results = tuple(map(value_of, results))
    if check:
        warn_if_ill_conditioned(*results, y, kernel, plan.geometry, stacklevel=4)
    elif status & CHECK_RESULT:
        warn_if_nonfinite(results, y, kernel, plan.geometry, stacklevel=4)
