"""`check`, which tests anybody's invertible layer in one line and says what is wrong with it."""

import time
from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from cinc_ref import _validate
from cinc_ref._blas import one_blas_thread, one_torch_thread
from cinc_ref._typing import Array, Seed
from cinc_ref.errors import OptionError
from cinc_ref.testing.adapters.table import adapt
from cinc_ref.testing.collect import collect
from cinc_ref.testing.diagnosis import diagnose
from cinc_ref.testing.failure import to_numpy
from cinc_ref.testing.findings import SEVERITIES, LayerReport
from cinc_ref.testing.layer import Layer

__all__ = ["check"]

IMAGES = 5
"""The number of images that are drawn, another one than the sizes in `SHAPES` have."""

SHAPES = (
    (4, 4, 6), (3, 4, 6), (2, 4, 6), (1, 4, 6), (6, 4, 6), (8, 4, 6), (12, 4, 6), (16, 4, 6),
    (4,), (2,), (3,), (5,), (6,), (8,), (10,), (1,), (16,), (32,), (64,),
)  # fmt: skip
"""The shapes that are tried in turn where none is given: oblong images, then vectors."""

TRANSFORMS = (
    "torch.distributions", "Pyro", "NumPyro", "zuko", "distrax", "TensorFlow Probability",
)  # fmt: skip
"""The adapters of libraries whose transforms may map to a space of another dimension."""

DTYPE_ERRORS = ("same dtype", "same data type", "scalar type", "Float and Double", "float32")
"""Words of the errors by which a layer does not take float64."""

NOISE = 0.3
"""The noise by which trainable parameters are moved, over the square root of the fan-in."""


def check(
    obj: Any,
    x: Any = None,
    shape: Sequence[int] | None = None,
    *,
    context: Any = None,
    tolerance: float | None = None,
    perturb: bool = True,
    seed: int = 0,
    name: str | None = None,
) -> LayerReport:
    r"""Test whether a layer is a bijection with the right log-determinants, and diagnose it.

    The object is recognized by the packages and names that define it
    (`cinc_ref.testing.adapters.table`): torch.distributions, nflows, enflows, flowcon, normflows,
    torchflows, FrEIA, zuko, Pyro, NumPyro, distrax, flowjax, TensorFlow Probability, PyTorch
    modules and other objects with ``forward`` and perhaps an inverse, functions, and the layers of
    this package. PyTorch modules are copied, converted to float64, shown one batch, switched to
    evaluation, and their trainable parameters are moved, because mistakes do not show at the
    identity.

    Log-determinants are compared with

    .. math:: \log|\det \partial y / \partial x|

    by central differences, for more than 1024 entries by random vectors.

    Parameters
    ----------
    obj : object
        A layer, a transform, a pair (forward, inverse) of functions that return (images, log_det)
        or images alone, a function without inverse, or a pair (layer, params) of this package.
    x : array_like or tensor, shape (N, ...), optional
        The images; drawn from the normal distribution, or inside the layer's domain, unless given.
    shape : sequence of int, optional
        The shape of one image, such as (C, H, W) or (D,); common ones are tried unless given.
    context : array_like, optional
        The context of conditional layers, shape (1, ...), the same for all images.
    tolerance : float, optional
        The relative error of a round trip that is by design, as of an iterative inverse.
    perturb : bool
        Whether trainable parameters (requires_grad) are moved.
    seed : int
        The seed of images and noise.
    name : str, optional
        The name in the report.

    Returns
    -------
    LayerReport
        The findings, ordered by severity, with ``.ok``; printing it shows them.

    Raises
    ------
    OptionError
        If the object is none of these, an option is of the wrong kind, or x is no batch of
        float32 or float64.
    CincError
        If a BLAS library continues to use several threads.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.testing import check
    >>> def forward(x):
    ...     return np.exp(x), np.sum(x, axis=1)
    >>> def inverse(y):
    ...     return np.log(y), np.sum(np.log(y), axis=1)  # the sign
    >>> print(check((forward, inverse), shape=(5,)).findings[0].diagnosis)
    the log det of the inverse has the sign of forward's: it should be minus it
    """
    started = time.perf_counter()
    seed = _validate.integer("seed", seed, minimum=0)
    perturb = _validate.boolean("perturb", perturb)
    if tolerance is not None:
        tolerance = _validate.number("tolerance", tolerance, above=0)
    _validate.instance("name", name, str | None, "a string")
    with one_blas_thread(), one_torch_thread():
        layer, batch, notes = _prepared(obj, x, shape, context, seed)
        notes += _moved(layer, batch, perturb, seed)
        options = {"volume_preserving": None, "tolerance": tolerance, "seed": seed}
        evidence = collect(layer, batch, **options)
        findings = diagnose(evidence)
        if perturb and _may_be_constrained(findings, layer):
            given = adapt(obj, batch, context, like=x)
            given.perturb_constant(np.random.default_rng([seed, 3]), NOISE)
            findings = _of_constraints(findings, diagnose(collect(given, batch, **options)))
    findings = _fair(findings, layer)
    failed = {check for finding in findings for check in finding.checks}
    return LayerReport(
        name=name or layer.name,
        adapter=layer.adapter,
        shape=tuple(batch.shape),
        dtype=str(batch.dtype),
        findings=findings,
        passed=tuple(n for n in evidence.tried if n not in failed and n not in evidence.skipped),
        skipped={n: why for n, why in evidence.skipped.items() if n not in failed},
        notes=tuple(dict.fromkeys([*notes, *evidence.notes])),
        seconds=time.perf_counter() - started,
    )


def _fair(findings, layer):
    """Take account of what an adapter knows: functions of one size, float32, other supports."""
    if layer.adapter in ("pair of functions", "function"):  # they may be made for one size
        findings = [finding for finding in findings if finding.cause != "fixed size"]
    fair = []
    for finding in findings:
        reason = None
        if finding.cause == "image shape" and layer.adapter in TRANSFORMS:
            reason = "it has no square Jacobian, and nothing else was checked"
        elif layer.converted and finding.cause in ("precision", "inverse, precision"):
            reason = "it was made in float32"
        if reason is not None:
            words = f"{finding.diagnosis}: {reason}"
            finding = replace(finding, severity="convention", diagnosis=words)
        fair.append(finding)
    return tuple(sorted(fair, key=lambda finding: SEVERITIES.index(finding.severity)))


def _may_be_constrained(findings, layer):
    """Return whether a wrong inverse may follow from parameters that moved off a constraint."""
    inverse = {"inverse_undoes_forward", "forward_undoes_inverse"}
    wrong = [finding for finding in findings if finding.severity == "wrong"]
    return layer.perturb_constant is not None and any(inverse & set(f.checks) for f in wrong)


def _of_constraints(findings, given):
    """Call findings fragile if nothing is wrong where only constant parameters have moved.

    Orthogonal matrices and contractions are drawn so, and nothing keeps them so but their owner.
    """
    if any(finding.severity == "wrong" for finding in given):
        return findings
    reason = (
        "only after noise on parameters that are right as they were drawn: a constraint, such as "
        "orthogonality, that no parametrization keeps"
    )
    return [
        replace(finding, severity="fragile", diagnosis=f"{finding.diagnosis}; {reason}")
        if finding.severity == "wrong" else finding
        for finding in findings
    ]  # fmt: skip


def _prepared(obj, x, shape, context, seed):
    """Adapt the object for a batch that it takes; return the layer, the batch and notes."""
    if x is not None:
        batch = _batch(x)
        return adapt(obj, batch, context, like=x), batch, []
    if shape is not None:
        count = len(shape) if isinstance(shape, list | tuple) or np.ndim(shape) == 1 else 0
        sizes = _validate.integers(shape, count, 1)
        if not sizes:
            raise OptionError(f"shape must hold integers >= 1, such as (C, H, W); got {shape!r}")
        _validate.check_memory("shape", sizes, 8 * prod(sizes), "use a smaller one")
        return _fitting(obj, [sizes], context, seed)
    declared = adapt(obj, np.zeros((1, 1)), context).shape
    return _fitting(obj, [declared] if declared else SHAPES, context, seed)


def _fitting(obj, shapes, context, seed):
    """Find the first shape and dtype that the layer takes; the first ones if it takes none."""
    first = None
    for shape in shapes:
        for dtype in ("float64", "float32"):
            batch = _draw((-np.inf, np.inf), shape, dtype, seed)
            layer = adapt(obj, batch, context)
            if dtype not in layer.framework.dtypes:
                continue
            batch = _draw(layer.domain, shape, dtype, seed)
            notes = (
                [] if dtype == "float64" else ["the layer does not take float64: tested in float32"]
            )
            if type(layer.framework).__name__ == "Jax" and dtype == "float32":
                notes = ["JAX computes in float32 here; set jax_enable_x64 for a sharper test"]
            first = first or (layer, batch, notes)
            if _takes(layer, batch):  # adapted anew, so that no call has left anything behind
                return adapt(obj, batch, context), batch, notes
            unit = _draw((0.0, 1.0), shape, dtype, seed)
            if not np.isfinite(layer.domain).any() and _takes(layer, unit):
                layer.domain = (0.0, 1.0)
                return (
                    layer,
                    unit,
                    [*notes, "x is drawn from 0 to 1: forward is not finite elsewhere"],
                )
    return first


def _takes(layer, batch):
    try:
        with np.errstate(all="ignore"):
            result, _ = layer.forward(layer.framework.array(batch))
            images = layer.framework.to_numpy(result)
    except Exception:
        return False
    if layer.inverse is not None and batch.dtype == np.float64:
        try:
            layer.inverse(layer.framework.array(images))
        except Exception as error:
            if any(words in str(error) for words in DTYPE_ERRORS):
                return False
    return images.ndim > 0 and images.size == batch.size and bool(np.isfinite(images).all())


def _draw(domain, shape, dtype, seed):
    """Draw images: normal, exponential, or uniform, as the domain asks."""
    rng, (lower, upper) = np.random.default_rng(seed), domain
    size = (IMAGES, *shape)
    if np.isfinite(lower) and np.isfinite(upper):
        images = lower + (upper - lower) * rng.uniform(0.05, 0.95, size)
    elif np.isfinite(lower):
        images = lower + np.exp(rng.normal(size=size))
    elif np.isfinite(upper):
        images = upper - np.exp(rng.normal(size=size))
    else:
        images = rng.normal(size=size)
    return images.astype(dtype)


def _batch(x):
    """Return the user's images as an array of at least two."""
    batch = np.array(to_numpy(x), order="C")
    if batch.dtype not in (np.float32, np.float64):
        raise OptionError(f"x must be float32 or float64; got {batch.dtype}")
    if batch.ndim < 2 or not batch.size:
        raise OptionError(f"x must be images (N, ...), N >= 1; got shape {batch.shape}")
    if len(batch) == 1:
        batch = np.concatenate([batch, batch * batch.dtype.type(0.75)])
    return batch


def _moved(layer: Layer, batch: Array, perturb: bool, seed: Seed):
    """Move the trainable parameters, less if the layer is not finite then; return notes."""
    if layer.perturb is None or not perturb:
        return [] if layer.perturb is None else ["parameters are as they were given"]
    rng = np.random.default_rng([seed, 3])  # type: ignore[list-item]
    moved = layer.perturb(rng, NOISE)
    if not moved:
        return ["the layer has no trainable parameters"]
    for size in (-NOISE, 0.03):
        if _takes(layer, batch):
            break
        layer.perturb(np.random.default_rng([seed, 3]), size)  # type: ignore[list-item]
    arrays = f"{moved} array{'s' if moved > 1 else ''}"
    return [
        f"random noise was added to the trainable parameters ({arrays}) first; perturb=False keeps "
        "them as they are"
    ]
