"""The adapter of a pair (forward, inverse) of functions, or of one function."""

import sys
from typing import Any

from cinc_ref.testing.adapters.request import Request, name_of
from cinc_ref.testing.adapters.results import guarded, split_pair
from cinc_ref.testing.adapters.torch_modules import trainable
from cinc_ref.testing.frameworks import NumPy, Torch, framework_of
from cinc_ref.testing.layer import Layer

__all__ = ["functions", "is_pair"]


def is_pair(obj: Any) -> bool:
    """Return whether an object is a pair (forward, inverse), of which forward can be called."""
    return isinstance(obj, tuple | list) and len(obj) == 2 and callable(obj[0])


def functions(request: Request) -> Layer:
    """Adapt a pair (forward, inverse) of functions, or one function without inverse."""
    forward, inverse = request.obj if is_pair(request.obj) else (request.obj, None)
    framework = framework_of(getattr(forward, "__self__", forward))
    if request.like is not None:
        framework = framework_of(request.like)
    framework = _accepted(framework, forward, request.x)

    def call(function):
        return lambda x: split_pair(function(x))

    module = next(
        (
            m
            for m in (getattr(forward, "__self__", None), forward)
            if hasattr(m, "named_parameters")
        ),
        None,
    )
    return Layer(
        name_of(forward), "pair of functions" if inverse is not None else "function", framework,
        call(forward), None if inverse is None else guarded(call(inverse)),
        parameters=trainable(module, request.x.dtype) if module is not None else None,
    )  # fmt: skip


def _accepted(framework, function, x):
    """Return the framework whose arrays a function takes: NumPy or, if that raises, PyTorch."""
    if type(framework) is not NumPy or "torch" not in sys.modules:
        return framework
    try:
        function(framework.array(x))
    except Exception:
        try:
            function(Torch().array(x))
        except Exception:
            return framework
        return Torch()
    return framework
