"""PyTorch modules as layers: a copy in the dtype of the batch, whose parameters can be moved."""

import copy
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from cinc_ref.testing.adapters.request import Request, name_of
from cinc_ref.testing.adapters.results import guarded
from cinc_ref.testing.frameworks import Torch
from cinc_ref.testing.layer import Layer

__all__ = ["module_layer", "prepared_copy", "trainable"]


def prepared_copy(module: Any, dtype: np.dtype[Any]) -> tuple[Any, list[str]]:
    """Copy a module, in a dtype; it stays as it is if it cannot be copied."""
    torch = sys.modules["torch"]
    notes = []
    if not hasattr(module, "named_parameters"):
        return module, notes
    try:
        module = copy.deepcopy(module)
    except Exception as error:
        notes.append(f"the layer itself is tested: it cannot be copied ({type(error).__name__})")
        return module, notes
    return module.to(getattr(torch, str(dtype))), notes


def _module_perturbation(module, constant_only=False):
    """Return a function that moves the parameters of a module that require gradients."""

    def perturb(rng, size):
        torch = sys.modules["torch"]
        moved = 0
        with torch.no_grad():
            for parameter in module.parameters():
                if not (parameter.requires_grad and parameter.is_floating_point()):
                    continue
                if constant_only and not (parameter == parameter.reshape(-1)[:1]).all():
                    continue
                fan_in = max(
                    1, parameter.numel() // max(1, len(parameter)) if parameter.ndim else 1
                )
                noise = size * rng.normal(size=tuple(parameter.shape)) / np.sqrt(fan_in)
                parameter.add_(torch.from_numpy(np.asarray(noise)).to(parameter))
                moved += 1
        return moved

    return perturb


def trainable(module: Any, dtype: np.dtype[Any]) -> Callable[[], dict[str, Any]]:
    """Return a function that returns the trainable parameters of a module by name.

    Those of another dtype than the images are left out: a step of float64 is rounded in float32,
    so that a difference by them is wrong by percents.
    """
    wanted = getattr(sys.modules["torch"], str(dtype))
    return lambda: {
        name: parameter
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and parameter.dtype == wanted
    }


def _initialized(module, function, x):
    """Show a module a batch in training mode, which initializes activation norms; then evaluate."""
    if not hasattr(module, "eval"):
        return
    try:
        function(x)
    except Exception:  # the checks report it
        pass
    module.eval()


def module_layer(
    request: Request,
    adapter: str,
    module: Any,
    forward: Callable[..., Any],
    inverse: Callable[..., Any] | None,
    **known: Any,
) -> Layer:
    """Make a `Layer` of a copied module and two functions of tensors that use it."""
    framework = Torch()
    is_module = hasattr(module, "named_parameters")
    _initialized(module, forward, framework.array(request.x))
    return Layer(
        name_of(request.obj), adapter, framework, forward,
        None if inverse is None else guarded(inverse),
        _module_perturbation(module) if is_module else None,
        _module_perturbation(module, constant_only=True) if is_module else None,
        trainable(module, request.x.dtype) if is_module else None,
        converted=_is_single(request.obj), **known,
    )  # fmt: skip


def _is_single(obj):
    """Return whether an object holds float32, or no parameters to tell."""
    torch = sys.modules["torch"]
    tensors = list(obj.parameters()) if hasattr(obj, "parameters") else []
    dtypes = {tensor.dtype for tensor in tensors}
    return torch.float64 not in dtypes
