"""The adapter of nflows, normflows and torchflows: both directions return pairs."""

from collections.abc import Callable

from cinc_ref.testing.adapters.declarations import event_shape
from cinc_ref.testing.adapters.request import Request, with_context
from cinc_ref.testing.adapters.torch_modules import module_layer, prepared_copy
from cinc_ref.testing.frameworks import Torch
from cinc_ref.testing.layer import Layer

__all__ = ["pair_module"]


def pair_module(adapter: str) -> Callable[[Request], Layer]:
    """Make the adapter of libraries with ``forward(x[, context])`` and ``inverse``, both pairs."""

    def make(request):
        module, notes = prepared_copy(request.obj, request.x.dtype)
        framework = Torch()

        def wrap(function):
            return with_context(request, framework, function)

        names = ("forward_and_log_det", "forward"), ("inverse_and_log_det", "inverse")
        forward, inverse = (
            next((getattr(module, name) for name in pair if hasattr(module, name)), None)
            for pair in names
        )
        return module_layer(
            request, adapter, module, wrap(forward), wrap(inverse) if inverse else None,
            notes=notes, shape=event_shape(request.obj),
        )  # fmt: skip

    return make
