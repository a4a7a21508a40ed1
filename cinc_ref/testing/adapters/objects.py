"""The adapters of any object with ``forward``, by the names of its methods and arguments."""

import inspect

import numpy as np

from cinc_ref.testing.adapters.declarations import event_shape
from cinc_ref.testing.adapters.request import Request, name_of, rows
from cinc_ref.testing.adapters.results import guarded, split_pair
from cinc_ref.testing.adapters.torch_modules import module_layer, prepared_copy
from cinc_ref.testing.frameworks import Torch, framework_of
from cinc_ref.testing.layer import Layer

__all__ = ["plain_module", "plain_object"]

FLAGS = ("reverse", "rev", "inverse", "invert")
"""Names of the argument by which ``forward`` is asked for the inverse."""

ACCUMULATORS = ("logdet", "log_det", "ldj", "sldj", "log_det_jac", "logdet_accum")
"""Names of the argument to which ``forward`` adds its log-determinant."""

CONTEXTS = ("context", "cond", "condition", "c", "h", "conditioning")
"""Names of the argument of conditional layers."""

INVERSES = ("inverse", "inv", "reverse", "reverse_flow", "decode")
"""Names of the method that inverts."""

LOG_DETS = (
    "log_abs_det_jacobian", "forward_log_det_jacobian", "log_det_jacobian", "log_abs_det",
    "log_det", "logdet",
)  # fmt: skip
"""Names of the method that returns the log-determinant by itself."""


def plain_module(request: Request) -> Layer:
    """Adapt a PyTorch module by the names of its methods and of their arguments."""
    module, notes = prepared_copy(request.obj, request.x.dtype)
    forward, inverse, remarks = _functions_of(module, request, Torch())
    return module_layer(
        request, "PyTorch module", module, forward, inverse, notes=notes + remarks,
        shape=event_shape(request.obj),
    )  # fmt: skip


def plain_object(request: Request) -> Layer:
    """Adapt an object with ``forward`` in the library of its arrays."""
    framework = framework_of(request.obj if request.like is None else request.like)
    forward, inverse, notes = _functions_of(request.obj, request, framework)
    return Layer(
        name_of(request.obj), "object with forward", framework, forward,
        None if inverse is None else guarded(inverse), notes=notes,
    )  # fmt: skip


def _functions_of(obj, request, framework):
    """Find both directions of an object with the log-determinant, and describe what it takes."""
    forward = obj.forward if hasattr(obj, "forward") else obj
    names = _parameters_of(forward)
    flag = next((name for name in FLAGS if name in names), None)
    method = next((name for name in INVERSES if callable(getattr(obj, name, None))), None)
    notes = []
    run = obj if callable(obj) else forward

    log_det_method = next((n for n in LOG_DETS if callable(getattr(obj, n, None))), None)

    def directed(function, takes_from, **flags):
        def apply(x):
            options = dict(flags)
            takes = _parameters_of(takes_from)
            for name in takes:
                if name in ACCUMULATORS:
                    options[name] = framework.array(np.zeros(len(x), framework.to_numpy(x).dtype))
                elif name in CONTEXTS and request.context is not None:
                    options[name] = rows(framework, request.context, x)
            return split_pair(function(x, **options))

        return apply

    forward_pair = directed(run, forward, **({flag: False} if flag else {}))
    if log_det_method is not None:
        notes.append(f"where forward returns no log-determinant, {log_det_method} gives it")
        plain, function = forward_pair, getattr(obj, log_det_method)

        def forward_pair(x):
            y, log_det = plain(x)
            if log_det is None:
                required = _required(function)
                if [parameter.name for parameter in required] == ["size"]:  # one for all images
                    log_det = function(x.shape[2:]) + 0 * x.flatten(1).sum(1)
                else:
                    log_det = function(*(x, y)[: len(required)])
            return y, log_det

    if method is not None:
        inverse = directed(getattr(obj, method), getattr(obj, method))
        notes.append(f"{method} is the inverse")
    elif flag is not None:
        inverse = directed(run, forward, **{flag: True})
        notes.append(f"{flag}=True asks for the inverse")
    else:
        inverse = None
    return forward_pair, inverse, notes


def _parameters_of(function):
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return {}


def _required(function):
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [
        p for p in _parameters_of(function).values() if p.kind in kinds and p.default is p.empty
    ]
