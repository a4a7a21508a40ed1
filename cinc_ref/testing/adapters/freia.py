"""The adapter of FrEIA: lists of arrays, and flags for the direction and the Jacobian."""

from cinc_ref.testing.adapters.request import Request, rows
from cinc_ref.testing.adapters.torch_modules import module_layer, prepared_copy
from cinc_ref.testing.frameworks import Torch
from cinc_ref.testing.layer import Layer

__all__ = ["freia"]

FREIA_NETWORKS = ("SequenceINN", "GraphINN", "ReversibleSequential", "ReversibleGraphNet")
"""The classes of FrEIA that take an array, where its modules take a list of one."""


def freia(request: Request) -> Layer:
    """Adapt FrEIA: modules take lists, ``rev`` and ``jac``; graphs take the array itself."""
    module, notes = prepared_copy(request.obj, request.x.dtype)
    framework = Torch()
    bare = type(module).__name__ in FREIA_NETWORKS
    dims = getattr(request.obj, "dims_in", None)

    def call(x, rev):
        options = {}
        if request.context is not None:
            options["c"] = [rows(framework, request.context, x)]
        out, log_det = module(x if bare else [x], rev=rev, jac=True, **options)
        return (out if bare else out[0]), log_det

    is_list = isinstance(dims, list | tuple) and dims and isinstance(dims[0], list | tuple)
    shape = tuple(dims[0]) if is_list and not bare else None
    layer = module_layer(
        request, "FrEIA", module, lambda x: call(x, False), lambda y: call(y, True),
        notes=notes, shape=shape,
    )  # fmt: skip
    move = layer.perturb

    def perturb(rng, size):
        moved = move(rng, size)
        for part in module.modules():  # orthogonal matrices are brought back to their group
            if hasattr(part, "_correct_weights"):
                part._correct_weights()
        return moved

    layer.perturb = perturb
    return layer
