"""The adapters that turn anybody's layer into a `Layer`, in one table; none imports a library.

A new adapter is a function that makes a `Layer` of an object, and a line in `ADAPTERS` with the
test by which the object is recognized.
"""

import copy
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.errors import OptionError
from cinc_ref.testing.frameworks import Jax, NumPy, TensorFlow, Torch, framework_of, library_roots

__all__ = ["ADAPTERS", "Adapter", "InverseMissing", "Layer", "Perturbation", "adapt"]

FLAGS = ("reverse", "rev", "inverse", "invert")
"""Names of the argument by which ``forward`` is asked for the inverse."""

ACCUMULATORS = ("logdet", "log_det", "ldj", "sldj", "log_det_jac", "logdet_accum")
"""Names of the argument to which ``forward`` adds its log-determinant."""

CONTEXTS = ("context", "cond", "condition", "c", "h", "conditioning")
"""Names of the argument of conditional layers."""

INVERSES = ("inverse", "inv", "reverse", "reverse_flow", "decode")
"""Names of the method that inverts."""

FREIA_NETWORKS = ("SequenceINN", "GraphINN", "ReversibleSequential", "ReversibleGraphNet")
"""The classes of FrEIA that take an array, where its modules take a list of one."""

LOG_DETS = (
    "log_abs_det_jacobian", "forward_log_det_jacobian", "log_det_jacobian", "log_abs_det",
    "log_det", "logdet",
)  # fmt: skip
"""Names of the method that returns the log-determinant by itself."""


class InverseMissing(Exception):
    """The layer has no inverse, by the library's account."""


Perturbation = Callable[[np.random.Generator, float], int]
"""A function that moves trainable parameters by noise of a size, and returns their number."""


@dataclass
class Layer:
    """A layer as two functions of batches of its library's arrays, with what checks need to know.

    Parameters
    ----------
    name : str
        The name in reports.
    adapter : str
        The name of the adapter in `ADAPTERS`.
    framework : NumPy or a subclass
        The array library.
    forward : callable
        ``forward(x) -> (y, log_det)``; log_det is None where the layer has none.
    inverse : callable, optional
        ``inverse(y) -> (x, log_det)``; it raises `InverseMissing` where the layer has none.
    perturb : callable, optional
        The function that moves trainable parameters in place.
    perturb_constant : callable, optional
        The function that moves only those whose entries are all equal, as zeros: what is drawn at
        random is away from special values already, and may be constrained.
    parameters : callable, optional
        ``parameters()`` returns the trainable parameters by name, for the checks of gradients.
    shape : tuple of int, optional
        The shape of one entry of the batch, where the layer knows it.
    domain : (float, float)
        The interval from which entries are drawn.
    converted : bool
        Whether the layer was made in float32, and its constants with it.
    notes : list of str
        Sentences for the report.
    """

    name: str
    adapter: str
    framework: Any
    forward: Callable[[Any], tuple[Any, Any]]
    inverse: Callable[[Any], tuple[Any, Any]] | None = None
    perturb: Perturbation | None = None
    perturb_constant: Perturbation | None = None
    parameters: Callable[[], dict[str, Any]] | None = None
    shape: tuple[int, ...] | None = None
    domain: tuple[float, float] = (-np.inf, np.inf)
    converted: bool = False
    notes: list[str] = field(default_factory=list)


class Request(NamedTuple):
    """The object, the batch for which it is adapted, and the context of one entry, if any."""

    obj: Any
    x: Array
    context: Any
    like: Any  # the user's log_det_method array, or None


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


def _is_pair(obj):
    return isinstance(obj, tuple | list) and len(obj) == 2 and callable(obj[0])


def _name(obj):
    return getattr(obj, "__name__", None) or type(obj).__name__


# ---- contexts and results ------------------------------------------------------------------------


def _rows(framework, context, x):
    """Repeat the context of one entry for every entry of a batch."""
    row = framework.to_numpy(context)[:1]
    return framework.array(np.repeat(row, len(x), axis=0))


def _with_context(request, framework, function):
    """Return a function of a batch that passes the context on, if there is one."""
    if request.context is None:
        return function
    return lambda x: function(x, _rows(framework, request.context, x))


def _sum_entries(log_det, x, event_dim=None):
    """Sum elementwise log-determinants over the entries of an image, as torch.distributions do.

    A transform of events of `event_dim` axes may return any shape that broadcasts over the others.
    """
    if event_dim is not None and hasattr(log_det, "expand"):
        log_det = log_det.expand(x.shape[: x.ndim - event_dim])
    while log_det.ndim > 1:
        log_det = log_det.sum(-1)
    return log_det


def _without_inverse(error):
    """Return whether an exception says that there is no inverse."""
    name, text = type(error).__name__, str(error).lower()
    return (
        isinstance(error, NotImplementedError)
        or "InverseNotAvailable" in name
        or "not invertible" in text
        or "no analytical inverse" in text
        or "no algebraic inverse" in text
        or (isinstance(error, KeyError) and "intermediates cache" in text)
    )


def _guarded(inverse):
    """Translate a library's way of having no inverse to `InverseMissing`."""

    def guarded(y):
        try:
            return inverse(y)
        except Exception as error:
            if _without_inverse(error):
                reason = str(error) or type(error).__name__
                raise InverseMissing(reason) from error
            raise

    return guarded


def _pair(result):
    """Split a result into images and log-determinant: the images have the entries of the input."""
    if not isinstance(result, tuple | list):
        return result, None
    result = [part for part in result if part is not None]
    if len(result) == 1:
        return result[0], None
    if len(result) > 1:
        sizes = [getattr(part, "shape", None) for part in result[:2]]
        if sizes[0] is not None and len(sizes[0]) <= 1 < len(sizes[1] or ()):
            return result[1], result[0]  # the log-determinant first
    return result[0], result[1]


# ---- PyTorch modules -----------------------------------------------------------------------------


def _prepared(module, dtype):
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


def _trainable(module):
    return lambda: {
        name: parameter
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and parameter.is_floating_point()
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


def _of_module(request, adapter, module, forward, inverse, **known):
    """Make a `Layer` of a copied module and two functions of tensors that use it."""
    framework = Torch()
    is_module = hasattr(module, "named_parameters")
    _initialized(module, forward, framework.array(request.x))
    return Layer(
        _name(request.obj), adapter, framework, forward,
        None if inverse is None else _guarded(inverse),
        _module_perturbation(module) if is_module else None,
        _module_perturbation(module, constant_only=True) if is_module else None,
        _trainable(module) if is_module else None,
        converted=_is_single(request.obj), **known,
    )  # fmt: skip


def _is_single(obj):
    """Return whether an object holds float32, or no parameters to tell."""
    torch = sys.modules["torch"]
    tensors = list(obj.parameters()) if hasattr(obj, "parameters") else []
    dtypes = {tensor.dtype for tensor in tensors}
    return torch.float64 not in dtypes


def _pair_module(adapter):
    """Make the adapter of libraries with ``forward(x[, context])`` and ``inverse``, both pairs."""

    def make(request):
        module, notes = _prepared(request.obj, request.x.dtype)
        framework = Torch()

        def wrap(function):
            return _with_context(request, framework, function)

        names = ("forward_and_log_det", "forward"), ("inverse_and_log_det", "inverse")
        forward, inverse = (
            next((getattr(module, name) for name in pair if hasattr(module, name)), None)
            for pair in names
        )
        return _of_module(
            request, adapter, module, wrap(forward), wrap(inverse) if inverse else None,
            notes=notes, shape=_event_shape(request.obj),
        )  # fmt: skip

    return make


def _event_shape(obj):
    """Return the shape that a layer declares for one entry of a batch, or None."""
    for name in ("event_shape", "shape"):
        shape = getattr(obj, name, None)
        if isinstance(shape, tuple | list) and all(isinstance(n, int) for n in shape) and shape:
            return tuple(shape)
    return None


def _freia(request):
    """Adapt FrEIA: modules take lists, ``rev`` and ``jac``; graphs take the array itself."""
    module, notes = _prepared(request.obj, request.x.dtype)
    framework = Torch()
    bare = type(module).__name__ in FREIA_NETWORKS
    dims = getattr(request.obj, "dims_in", None)

    def call(x, rev):
        options = {}
        if request.context is not None:
            options["c"] = [_rows(framework, request.context, x)]
        out, log_det = module(x if bare else [x], rev=rev, jac=True, **options)
        return (out if bare else out[0]), log_det

    is_list = isinstance(dims, list | tuple) and dims and isinstance(dims[0], list | tuple)
    shape = tuple(dims[0]) if is_list and not bare else None
    layer = _of_module(
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


def _distribution_transform(adapter):
    """Make the adapter of transforms ``t(x)``, ``t.inv`` and ``t.log_abs_det_jacobian(x, y)``."""

    def make(request):
        held, notes = _prepared(request.obj, request.x.dtype)
        framework = Torch()

        def transform(x):
            if hasattr(held, "condition") and request.context is not None:
                return held.condition(_rows(framework, request.context, x))
            return held

        def forward(x):
            t = transform(x)
            y = t(x)
            return y, _sum_entries(t.log_abs_det_jacobian(x, y), x, _event_dim(t))

        def inverse(y):
            t = transform(y)
            x = t.inv(y)
            return x, _sum_entries(t.inv.log_abs_det_jacobian(y, x), y, _event_dim(t.inv))

        domain = _interval(getattr(request.obj, "domain", None))
        return _of_module(request, adapter, held, forward, inverse, notes=notes, domain=domain)

    return make


def _event_dim(transform):
    """Return the number of axes of an event, or None where the domain and codomain differ in it."""
    dims = {getattr(transform, name).event_dim for name in ("domain", "codomain")}
    return dims.pop() if len(dims) == 1 else None


def _interval(constraint):
    """Return the interval of a constraint of torch.distributions or NumPyro."""
    name = type(constraint).__name__.lower()
    bounds = [getattr(constraint, side, None) for side in ("lower_bound", "upper_bound")]
    if name.startswith("independent") and hasattr(constraint, "base_constraint"):
        return _interval(constraint.base_constraint)
    if constraint is None or all(bound is None for bound in bounds):
        return (0.0, 1.0) if "unit" in name else (-np.inf, np.inf)
    lower, upper = (
        end if bound is None else float(np.asarray(bound))
        for bound, end in zip(bounds, (-np.inf, np.inf), strict=True)
    )
    return lower, upper


def _zuko(request):
    """Adapt zuko: ``call_and_ladj``; lazy transforms are called with the context first."""
    held, notes = _prepared(request.obj, request.x.dtype)
    framework = Torch()

    def transform(x):
        if hasattr(held, "call_and_ladj"):
            return held
        made = held() if request.context is None else held(_rows(framework, request.context, x))
        return getattr(made, "transform", made)

    def call(t, x):
        y, ladj = t.call_and_ladj(x)
        return y, _sum_entries(ladj, x)

    return _of_module(
        request, "zuko", held, lambda x: call(transform(x), x),
        lambda y: call(transform(y).inv, y), notes=notes,
        domain=_interval(getattr(request.obj, "domain", None)),
    )  # fmt: skip


# ---- anything with forward and inverse -----------------------------------------------------------


def _plain_module(request):
    """Adapt a PyTorch module by the names of its methods and of their arguments."""
    module, notes = _prepared(request.obj, request.x.dtype)
    forward, inverse, remarks = _functions_of(module, request, Torch())
    return _of_module(
        request, "PyTorch module", module, forward, inverse, notes=notes + remarks,
        shape=_event_shape(request.obj),
    )  # fmt: skip


def _plain_object(request):
    """Adapt an object with ``forward`` in the library of its arrays."""
    framework = framework_of(request.obj if request.like is None else request.like)
    forward, inverse, notes = _functions_of(request.obj, request, framework)
    return Layer(
        _name(request.obj), "object with forward", framework, forward,
        None if inverse is None else _guarded(inverse), notes=notes,
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
                    options[name] = _rows(framework, request.context, x)
            return _pair(function(x, **options))

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


def _functions(request):
    """Adapt a pair (forward, inverse) of functions, or one function without inverse."""
    forward, inverse = request.obj if _is_pair(request.obj) else (request.obj, None)
    framework = framework_of(getattr(forward, "__self__", forward))
    if request.like is not None:
        framework = framework_of(request.like)
    framework = _accepted(framework, forward, request.x)

    def call(function):
        return lambda x: _pair(function(x))

    module = next(
        (
            m
            for m in (getattr(forward, "__self__", None), forward)
            if hasattr(m, "named_parameters")
        ),
        None,
    )
    return Layer(
        _name(forward), "pair of functions" if inverse is not None else "function", framework,
        call(forward), None if inverse is None else _guarded(call(inverse)),
        parameters=_trainable(module) if module is not None else None,
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


def _ours(request):
    """Adapt a layer of this package, alone or in a pair with its parameters."""
    layer, params = request.obj if isinstance(request.obj, tuple | list) else (request.obj, None)
    notes = [] if params is not None else ["parameters are those of init(0, x)"]
    held = [layer.init(np.random.default_rng(0), request.x) if params is None else params]

    def perturb(rng, size):
        counter = [0]
        held[0] = _moved(held[0], rng, size, counter)
        return counter[0]

    return Layer(
        type(layer).__name__, "cinc_ref", NumPy(), lambda x: layer.forward(held[0], x),
        lambda y: layer.inverse(held[0], y), perturb if params is None else None, notes=notes,
    )  # fmt: skip


def _moved(tree, rng, size, counter):
    """Add noise to every array of a tree."""
    if isinstance(tree, dict):
        return {name: _moved(leaf, rng, size, counter) for name, leaf in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(_moved(leaf, rng, size, counter) for leaf in tree)
    counter[0] += 1
    return tree + size * rng.uniform(-1, 1, tree.shape).astype(tree.dtype)


# ---- JAX and TensorFlow Probability --------------------------------------------------------------


def _flowjax(request):
    """Adapt flowjax: one unbatched sample at a time, mapped over the batch."""
    jax = sys.modules["jax"]
    framework, obj = Jax(), request.obj
    held = [obj]
    context = None if request.context is None else np.asarray(request.context)[0]

    def mapped(name):
        def batched(layer, x):
            def one(entry):
                method = getattr(layer, name)
                return method(entry) if context is None else method(entry, context)

            if layer.shape == ():  # a map of numbers acts on every entry
                y, log_det = jax.vmap(one)(x.ravel())
                return y.reshape(x.shape), log_det.reshape(len(x), -1).sum(1)
            return jax.vmap(one)(x)

        compiled = sys.modules["equinox"].filter_jit(batched)
        return lambda x: compiled(held[0], x)

    def perturb(rng, size):
        counter = [0]
        held[0] = _moved_leaves(held[0], rng, size, counter)
        return counter[0]

    return Layer(
        _name(obj), "flowjax", framework, mapped("transform_and_log_det"),
        _guarded(mapped("inverse_and_log_det")), perturb, shape=tuple(obj.shape) or None,
    )  # fmt: skip


def _moved_leaves(tree, rng, size, counter):
    """Add noise to the floating leaves of an equinox module that are trainable."""
    jax = sys.modules["jax"]
    frozen = getattr(sys.modules.get("paramax"), "NonTrainable", ())

    def move(leaf):
        inexact = hasattr(leaf, "dtype") and jax.numpy.issubdtype(leaf.dtype, jax.numpy.inexact)
        if isinstance(leaf, frozen) or not inexact:
            return leaf
        counter[0] += 1
        return leaf + jax.numpy.asarray(size * rng.normal(size=leaf.shape), leaf.dtype)

    return jax.tree_util.tree_map(move, tree, is_leaf=lambda leaf: isinstance(leaf, frozen))


def _numpyro(request):
    """Adapt NumPyro: as torch.distributions, in JAX."""
    framework, obj = Jax(), request.obj

    def forward(x):
        y = obj(x)
        return y, _sum_entries(obj.log_abs_det_jacobian(x, y), x)

    def inverse(y):
        x = obj._inverse(y) if hasattr(obj, "_inverse") else obj.inv(y)
        return x, -_sum_entries(obj.log_abs_det_jacobian(x, y), y)

    return Layer(
        _name(obj), "NumPyro", framework, forward, _guarded(inverse),
        domain=_interval(getattr(obj, "domain", None)),
    )  # fmt: skip


def _distrax(request):
    """Adapt distrax: ``forward_and_log_det`` and ``inverse_and_log_det``, both of batches."""
    obj = request.obj

    def call(function):
        def apply(x):
            y, log_det = function(x)
            return y, _sum_entries(log_det, x)

        return apply

    return Layer(
        _name(obj), "distrax", Jax(), call(obj.forward_and_log_det),
        _guarded(call(obj.inverse_and_log_det)),
    )  # fmt: skip


def _tfp(request):
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

    return Layer(_name(obj), "TensorFlow Probability", framework, forward, _guarded(inverse))


def _is_ours(obj):
    layer = obj[0] if isinstance(obj, tuple | list) and obj else obj
    return "cinc_ref" in library_roots(layer) and _has("init", "forward", "inverse")(layer)


def _is_lazy_zuko(obj):
    return "zuko" in library_roots(obj)


ADAPTERS: tuple[Adapter, ...] = (
    Adapter("cinc_ref", _is_ours, _ours),
    Adapter("pair of functions", _is_pair, _functions),
    Adapter("FrEIA", _made_by("FrEIA"), _freia),
    Adapter("zuko", _is_lazy_zuko, _zuko),
    Adapter("flowjax", _has("transform_and_log_det", "shape"), _flowjax),
    Adapter("distrax", _made_by("distrax"), _distrax),
    Adapter("TensorFlow Probability", _made_by("tensorflow_probability"), _tfp),
    Adapter("NumPyro", _made_by("numpyro"), _numpyro),
    Adapter("Pyro", _made_by("pyro"), _distribution_transform("Pyro")),
    Adapter(
        "torch.distributions",
        lambda obj: _made_by("torch")(obj) and _has("log_abs_det_jacobian", "inv")(obj),
        _distribution_transform("torch.distributions"),
    ),
    Adapter("torchflows", _made_by("torchflows"), _pair_module("torchflows")),
    Adapter("normflows", _made_by("normflows"), _pair_module("normflows")),
    Adapter("nflows", _made_by("nflows", "enflows", "flowcon", "glasflow"), _pair_module("nflows")),
    Adapter("PyTorch module", _has("named_parameters", "forward"), _plain_module),
    Adapter("object with forward", _has("forward"), _plain_object),
    Adapter("function", callable, _functions),
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
