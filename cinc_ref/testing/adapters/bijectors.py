"""The adapters of bijectors as in TensorFlow Probability: of it and of distrax."""

from cinc_ref.testing.adapters.request import Request, name_of
from cinc_ref.testing.adapters.results import guarded, sum_entries
from cinc_ref.testing.frameworks import Jax, NumPy, TensorFlow
from cinc_ref.testing.layer import Layer

__all__ = ["distrax", "tfp"]


def distrax(request: Request) -> Layer:
    """Adapt distrax: ``forward_and_log_det`` and ``inverse_and_log_det``, both of batches."""
    obj = request.obj

    def call(function):
        def apply(x):
            y, log_det = function(x)
            return y, sum_entries(log_det, x)

        return apply

    return Layer(
        name_of(obj), "distrax", Jax(), call(obj.forward_and_log_det),
        guarded(call(obj.inverse_and_log_det)),
    )  # fmt: skip


def tfp(request: Request) -> Layer:
    """Adapt TensorFlow Probability on any of its substrates."""
    obj = request.obj
    modules = " ".join(cls.__module__ for cls in type(obj).__mro__)
    substrates = (("substrates.jax", Jax), ("substrates.numpy", NumPy))
    framework = next((make() for part, make in substrates if part in modules), TensorFlow())
    events = request.x.ndim - 1

    def forward(x):
        return obj.forward(x), obj.forward_log_det_jacobian(x, event_ndims=events)

    def inverse(y):
        return obj.inverse(y), obj.inverse_log_det_jacobian(y, event_ndims=events)

    return Layer(name_of(obj), "TensorFlow Probability", framework, forward, guarded(inverse))
