"""The adapter of zuko, whose lazy transforms are called with the context first."""

from cinc_ref.testing.adapters.declarations import interval
from cinc_ref.testing.adapters.request import Request, rows
from cinc_ref.testing.adapters.results import sum_entries
from cinc_ref.testing.adapters.torch_modules import module_layer, prepared_copy
from cinc_ref.testing.frameworks import Torch
from cinc_ref.testing.layer import Layer

__all__ = ["zuko"]


def zuko(request: Request) -> Layer:
    """Adapt zuko: ``call_and_ladj``; lazy transforms are called with the context first."""
    held, notes = prepared_copy(request.obj, request.x.dtype)
    framework = Torch()

    def transform(x):
        if hasattr(held, "call_and_ladj"):
            return held
        made = held() if request.context is None else held(rows(framework, request.context, x))
        return getattr(made, "transform", made)

    def call(t, x):
        y, ladj = t.call_and_ladj(x)
        return y, sum_entries(ladj, x)

    return module_layer(
        request, "zuko", held, lambda x: call(transform(x), x),
        lambda y: call(transform(y).inv, y), notes=notes,
        domain=interval(getattr(request.obj, "domain", None)),
    )  # fmt: skip
