"""The adapters that turn anybody's layer into a `Layer`, in one table; none imports a library.

A new adapter is a function that makes a `Layer` of a `Request`, and a line in `ADAPTERS` with the
test by which the object is recognized.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from cinc_ref._typing import Array
from cinc_ref.errors import OptionError
from cinc_ref.testing.adapters.bijectors import distrax, tfp
from cinc_ref.testing.adapters.distributions import distribution_transform, numpyro
from cinc_ref.testing.adapters.flowjax import flowjax
from cinc_ref.testing.adapters.freia import freia
from cinc_ref.testing.adapters.functions import functions, is_pair
from cinc_ref.testing.adapters.objects import plain_module, plain_object
from cinc_ref.testing.adapters.own_layers import is_ours, ours
from cinc_ref.testing.adapters.pair_modules import pair_module
from cinc_ref.testing.adapters.request import Request
from cinc_ref.testing.adapters.zuko import zuko
from cinc_ref.testing.frameworks import library_roots
from cinc_ref.testing.layer import Layer

__all__ = ["ADAPTERS", "Adapter", "adapt"]


class Adapter(NamedTuple):
    """The name of an adapter, the test of an object, and the function that makes a `Layer`."""

    name: str
    recognizes: Callable[[Any], bool]
    make: Callable[[Request], Layer]


def _made_by(*roots):
    """Return a test of whether a class of an object is defined in one of some packages."""
    return lambda obj: not library_roots(obj).isdisjoint(roots)


def _has(*names):
    return lambda obj: all(hasattr(obj, name) for name in names)


ADAPTERS: tuple[Adapter, ...] = (
    Adapter("cinc_ref", is_ours, ours),
    Adapter("pair of functions", is_pair, functions),
    Adapter("FrEIA", _made_by("FrEIA"), freia),
    Adapter("zuko", _made_by("zuko"), zuko),
    Adapter("flowjax", _has("transform_and_log_det", "shape"), flowjax),
    Adapter("distrax", _made_by("distrax"), distrax),
    Adapter("TensorFlow Probability", _made_by("tensorflow_probability"), tfp),
    Adapter("NumPyro", _made_by("numpyro"), numpyro),
    Adapter("Pyro", _made_by("pyro"), distribution_transform("Pyro")),
    Adapter(
        "torch.distributions",
        lambda obj: _made_by("torch")(obj) and _has("log_abs_det_jacobian", "inv")(obj),
        distribution_transform("torch.distributions"),
    ),
    Adapter("torchflows", _made_by("torchflows"), pair_module("torchflows")),
    Adapter("normflows", _made_by("normflows"), pair_module("normflows")),
    Adapter("nflows", _made_by("nflows", "enflows", "flowcon", "glasflow"), pair_module("nflows")),
    Adapter("PyTorch module", _has("named_parameters", "forward"), plain_module),
    Adapter("object with forward", _has("forward"), plain_object),
    Adapter("function", callable, functions),
)
"""The adapters in the order in which they are tried; the first that fits is taken."""


def adapt(obj: Any, x: Array, context: Any = None, like: Any = None) -> Layer:
    """Make a `Layer` of anybody's object by the first adapter that recognizes it.

    Parameters
    ----------
    obj : object
        A layer, a pair of functions, or a pair of one of this package's layers with parameters.
    x : ndarray, shape (N, ...)
        A batch; the object is copied and converted to its dtype where the library allows it.
    context : array_like, optional
        The context of conditional layers, shape (1 or N, ...); its first row is used.
    like : object, optional
        The user's array, which decides the library of a pair of functions.

    Raises
    ------
    OptionError
        If no adapter recognizes the object.
    """
    for adapter in ADAPTERS:
        if adapter.recognizes(obj):
            return adapter.make(Request(obj, x, context, like))
    raise OptionError(
        "check takes a layer with forward, a transform of a flow library, or a pair of functions "
        f"(forward, inverse); got {type(obj).__name__}"
    )
