"""The adapters of transforms as in torch.distributions: of PyTorch, Pyro and NumPyro."""

from collections.abc import Callable

from cinc_ref.testing.adapters.declarations import interval
from cinc_ref.testing.adapters.request import Request, name_of, rows
from cinc_ref.testing.adapters.results import guarded, sum_entries
from cinc_ref.testing.adapters.torch_modules import module_layer, prepared_copy
from cinc_ref.testing.frameworks import Jax, Torch
from cinc_ref.testing.layer import Layer

__all__ = ["distribution_transform", "numpyro"]


def distribution_transform(adapter: str) -> Callable[[Request], Layer]:
    """Make the adapter of transforms ``t(x)``, ``t.inv`` and ``t.log_abs_det_jacobian(x, y)``."""

    def make(request):
        held, notes = prepared_copy(request.obj, request.x.dtype)
        framework = Torch()

        def transform(x):
            if hasattr(held, "condition") and request.context is not None:
                return held.condition(rows(framework, request.context, x))
            return held

        def forward(x):
            t = transform(x)
            y = t(x)
            return y, sum_entries(t.log_abs_det_jacobian(x, y), x, _event_dim(t))

        def inverse(y):
            t = transform(y)
            x = t.inv(y)
            return x, sum_entries(t.inv.log_abs_det_jacobian(y, x), y, _event_dim(t.inv))

        domain = interval(getattr(request.obj, "domain", None))
        return module_layer(request, adapter, held, forward, inverse, notes=notes, domain=domain)

    return make


def _event_dim(transform):
    """Return the number of axes of an event, or None where the domain and codomain differ in it."""
    dims = {getattr(transform, name).event_dim for name in ("domain", "codomain")}
    return dims.pop() if len(dims) == 1 else None


def numpyro(request: Request) -> Layer:
    """Adapt NumPyro: as torch.distributions, in JAX."""
    framework, obj = Jax(), request.obj

    def forward(x):
        y = obj(x)
        return y, sum_entries(obj.log_abs_det_jacobian(x, y), x)

    def inverse(y):
        x = obj._inverse(y) if hasattr(obj, "_inverse") else obj.inv(y)
        return x, -sum_entries(obj.log_abs_det_jacobian(x, y), y)

    return Layer(
        name_of(obj), "NumPyro", framework, forward, guarded(inverse),
        domain=interval(getattr(obj, "domain", None)),
    )  # fmt: skip
