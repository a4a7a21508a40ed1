"""Gradients by x and by every parameter, compared with slopes of forward in random directions."""

import sys

import numpy as np

from cinc_ref.testing.properties.examination import CallFailed, Examination, PropertySkipped

__all__ = ["gradients"]


def gradients(examination: Examination) -> None:
    """Compare gradients by x and by every parameter with slopes, in random directions."""
    if examination.is_random or examination.mixes_images:
        raise PropertySkipped("the layer draws random numbers or mixes the images of a batch")
    evidence = examination.evidence
    x = evidence.x[:2]
    rng = np.random.default_rng([examination.seed, 6])
    weights = [rng.normal(size=evidence.y[:2].shape), rng.normal(size=2)]
    parts = [(0, "images"), (1, "log_det")] if evidence.log_det is not None else [(0, "images")]
    for part, what in parts:
        _gradient_by_x(examination, x, rng, weights[part], (part, what))
    for name, parameter in (examination.layer.parameters or dict)().items():
        for part, what in parts:
            by = (name, parameter)
            _gradient_by_parameter(examination, by, x, rng, weights[part], (part, what))


def _value(examination, array, weight, part):
    """Compute <weight, images> or <weight, log_det>."""
    result = examination.call("forward", array)[part].astype(np.float64)
    return float(np.sum(result.reshape(weight.shape) * weight))


def _slope(examination, value):
    """Difference a function of a step centrally; return the slope and its error."""
    step = 3e-6 if examination.eps < 1e-10 else 3e-3
    slopes = [(value(s) - value(-s)) / (2 * s) for s in (step, 2 * step)]
    rounding = 100 * examination.log_det_eps * (1 + abs(value(0.0))) / step
    return slopes[0], 3 * abs(slopes[1] - slopes[0]) + rounding


def _gradient_by_x(examination, x, rng, weight, of):
    (part, what), framework = of, examination.framework
    direction = rng.normal(size=x.shape).astype(x.dtype)

    def function(user_array):
        result = examination.call_as_is("forward", user_array)[part]
        if part and not (getattr(result, "ndim", 0) == 1 and len(result) == len(x)):
            raise PropertySkipped("log_det has no shape (N,)")
        return result

    try:
        gradient = framework.gradient(function, x, weight.astype(x.dtype))
    except CallFailed:
        raise
    except PropertySkipped:
        return
    except Exception as error:  # a backward pass that raises
        facts = {"of": what, "got": f"{type(error).__name__}: {error}"}
        examination.observe("gradients", facts, what=what, by="x", kind="raises")
        return
    if gradient is None and framework.name not in ("PyTorch",):
        raise PropertySkipped(f"{framework.name} has no gradients")
    slope, error = _slope(
        examination,
        lambda s: _value(examination, (x + s * direction).astype(x.dtype), weight, part),
    )
    got = 0.0 if gradient is None else float(np.sum(gradient.astype(np.float64) * direction))
    _compare(examination, got, (slope, error), what, "x", gradient is None)


def _gradient_by_parameter(examination, by, x, rng, weight, of):
    torch = sys.modules["torch"]
    (name, parameter), (part, what) = by, of
    direction = torch.from_numpy(rng.normal(size=tuple(parameter.shape))).to(parameter)
    start = parameter.detach().clone()

    def value(s):
        with torch.no_grad():
            parameter.copy_(start + s * direction)
        return _value(examination, x, weight, part)

    try:
        with torch.enable_grad():
            result = examination.call_as_is("forward", examination.framework.array(x))[part]
            detached = not getattr(result, "requires_grad", False)
            got = 0.0
            if not detached:
                factor = examination.framework.array(weight).to(result.dtype)
                if part and result.shape != factor.shape:
                    return
                total = (result * factor.reshape(result.shape)).sum()
                (gradient,) = torch.autograd.grad(total, parameter, allow_unused=True)
                got = 0.0 if gradient is None else float((gradient * direction).sum())
                detached = gradient is None
        slope, error = _slope(examination, value)
    except (CallFailed, RuntimeError):
        return
    finally:
        with torch.no_grad():
            parameter.copy_(start)
    _compare(examination, got, (slope, error), what, name, detached)


def _compare(examination, got, expected, what, by, detached):
    """Write down a gradient that is not the slope, where the slope is known well enough."""
    slope, error = expected
    bound = error + (1e-4 if examination.eps < 1e-10 else 0.02) * abs(slope)
    if not np.isfinite(slope) or error > 0.1 * max(1.0, abs(slope)):
        return
    if not abs(got - slope) <= bound:
        facts = {
            "of": f"{what} by {by}, in a random direction",
            "expected": f"{slope:.6g}, to {bound:.1e}",
            "got": "none: it is detached" if detached else f"{got:.6g}",
        }
        examination.observe(
            "gradients", facts, what=what, by=by, kind="detached" if detached else "wrong",
            ratio=got / slope if slope else np.nan,
        )  # fmt: skip
