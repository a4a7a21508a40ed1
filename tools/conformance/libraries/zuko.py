"""zuko, https://github.com/probabilists/zuko."""

from tools.conformance.catalogue import Finding, Layer, Library

__all__ = ["LIBRARY"]

IMPORTS = """
import math, torch
from zuko.transforms import *
from zuko.lazy import LazyComposedTransform, LazyInverse, UnconditionalTransform
from zuko.flows.autoregressive import MaskedAutoregressiveTransform
from zuko.flows.continuous import FFJTransform
from zuko.flows.coupling import GeneralCouplingTransform
from zuko.flows.gaussianization import ElementWiseTransform
G = torch.Generator().manual_seed(0)
def draw(*shape):
    return torch.randn(*shape, generator=G, dtype=torch.float64)

def lower(x):
    before = torch.cumsum(x, -1) - x
    return MonotonicAffineTransform(before.sin(), before.cos())
M = 0.5 * draw(4, 4)
def refuse_nan(x):
    if x.isnan().any():  # the solver would not end
        raise ValueError("NaN")
    return x
def without_nan(transform):
    transform.ode.register_forward_pre_hook(lambda module, inputs: [refuse_nan(x) for x in inputs] and None)
    return transform
def half(x):
    return MonotonicAffineTransform(x.sum(-1, keepdim=True).sin().expand(x.shape[:-1] + (2,)), x.cos())
"""

FINDINGS = (
    Finding(
        subject="nan-endless-loop",
        severity="fragile",
        title="the ODE solver of `FreeFormJacobianTransform` and `FFJTransform` never ends when its input holds NaN",
        lines="""
import signal, torch; from zuko.utils import odeint
signal.signal(signal.SIGALRM, lambda *_: 1 / 0); signal.alarm(5); expected = "NaN"
try: got = str(odeint(lambda t, x: x, torch.tensor([float("nan")]), 0.0, 1.0).item())
except ZeroDivisionError: got = "no end within 5 s"
signal.alarm(0)
""",
        confirm="import numpy as np; confirmed = 'NaN' if np.isnan(np.nan * np.e) else 'a number'",
        confirmation="the solution of x' = x in NumPy",
        expected="x' = x has the solution x(1) = e x(0), NaN for NaN; or an error.",
        suggestion="Raise an error if the estimated error is not finite: `error < 1.0` is false for NaN for ever.",
    ),
    Finding(
        subject="ode-tolerance",
        severity="by design",
        title="`FFJTransform` solves an ODE to tolerances of 1e-5, in each direction anew; its log-determinants and "
        "gradients agree to that",
        explains=(("FFJTransform", "*"),),
    ),
)

LIBRARY = Library(
    title="zuko",
    distribution="zuko",
    version="1.6.0",
    imports=IMPORTS,
    roots=("zuko",),
    bases=("torch.distributions.Transform", "zuko.lazy.LazyTransform"),
    layers=(
        Layer("IdentityTransform()", (4,)),
        Layer("AdditiveTransform(draw(4))", (4,)),
        Layer("MonotonicAffineTransform(draw(4), draw(4))", (4,)),
        Layer("MonotonicRQSTransform(draw(4, 8), draw(4, 8), draw(4, 7))", (4,)),
        Layer("MonotonicTransform(lambda x: x + x**3)", (4,), options={"tolerance": 1e-4}),
        Layer("BernsteinTransform(draw(4, 8))", (4,), options={"tolerance": 1e-4}),
        Layer("BoundedBernsteinTransform(draw(4, 8))", (4,), options={"tolerance": 1e-4}),
        Layer("GaussianizationTransform(draw(4, 8), draw(4, 8))", (4,), options={"tolerance": 1e-4}),
        Layer("UnconstrainedMonotonicTransform(lambda x: 1 + x.square())", (4,), options={"tolerance": 1e-4}),
        Layer("SOSPolynomialTransform(draw(4, 3, 4))", (4,), options={"tolerance": 1e-4}),
        Layer("SignedPowerTransform(0.3 * draw(4))", (4,)),
        Layer("SoftclipTransform(5.0)", (4,)),
        Layer("CircularShiftTransform(5.0)", (4,)),
        Layer("SinTransform()", options={"x": "2 * uniform(5, 4) - 1"}),
        Layer("CosTransform()", options={"x": "3 * uniform(5, 4)"}),
        Layer("ComposedTransform(AdditiveTransform(draw(4)), SoftclipTransform(5.0))", (4,)),
        Layer("DependentTransform(AdditiveTransform(draw(4)), 1)", (4,)),
        Layer("AutoregressiveTransform(lower, passes=4)", (4,)),
        Layer("CouplingTransform(half, torch.tensor([True, False, True, False]))", (4,)),
        Layer("FreeFormJacobianTransform(lambda t, x: refuse_nan(x).sin() @ M, exact=True)", (4,), options={"tolerance": 1e-4}),
        Layer("LULinearTransform(draw(4, 4))", (4,)),
        Layer("PermutationTransform(torch.tensor([2, 0, 3, 1]))", (4,)),
        Layer("RotationTransform(draw(4, 4))", (4,)),
        Layer("MaskedAutoregressiveTransform(4, hidden_features=(8,))", (4,)),
        Layer("MaskedAutoregressiveTransform(4, context=2, hidden_features=(8,))", (4,), options={"context": "normal(1, 2)"}),
        Layer("MaskedAutoregressiveTransform(4, univariate=MonotonicRQSTransform, shapes=[(8,), (8,), (7,)], hidden_features=(8,))", (4,)),
        Layer("GeneralCouplingTransform(4, hidden_features=(8,))", (4,)),
        Layer("ElementWiseTransform(4)", (4,)),
        Layer("without_nan(FFJTransform(2, hidden_features=(8,)))", (2,), of="FFJTransform", options={"tolerance": 1e-4}),
        Layer("LazyComposedTransform(MaskedAutoregressiveTransform(4, hidden_features=(8,)), ElementWiseTransform(4))", (4,)),
        Layer("LazyInverse(ElementWiseTransform(4))", (4,)),
        Layer("UnconditionalTransform(MonotonicAffineTransform, draw(4), draw(4))", (4,)),
    ),
    left_out={"LazyTransform": "the base class, without a map"},
    findings=FINDINGS,
    wrapping="call_and_ladj(x) of the transform and of its inv; lazy transforms are called with the context first",
)  # fmt: skip
