"""normflows, https://github.com/VincentStimper/normalizing-flows."""

from tools.conformance.catalogue import Finding, Layer, Library

__all__ = ["LIBRARY"]

IMPORTS = """
import torch
import normflows as nf
from normflows.flows import *
from normflows.flows.affine.autoregressive import MaskedAffineAutoregressive
from normflows.flows.affine.coupling import *
from normflows.flows.base import Composite, Reverse
from normflows.flows.neural_spline.coupling import *
from normflows.flows.neural_spline.autoregressive import *
from normflows.nets.resnet import ResidualNet
from normflows.transforms import Logit, Shift
def mlp(*sizes):
    return nf.nets.MLP(list(sizes), init_zeros=False)
def net(inputs, outputs):
    return ResidualNet(inputs, outputs, hidden_features=8, num_blocks=1)
def lipschitz(size=4):
    return nf.nets.LipschitzMLP([size, 8, size], init_zeros=False, lipschitz_const=0.9)
"""

FINDINGS = (
    Finding(
        subject="gaussian-pca",
        severity="wrong",
        title="the density of `GaussianPCA` does not integrate to 1",
        lines="""
import torch, normflows as nf
torch.manual_seed(0); p = nf.distributions.GaussianPCA(2, 2, sigma=0.5).double()
z = torch.cartesian_prod(*[torch.linspace(-24, 24, 1201, dtype=torch.float64)] * 2)
got = p.log_prob(z).exp().sum().item() * 0.04**2
expected = 1.0
""",
        confirm="""
import numpy as np
W, s2, a = p.W.detach().numpy(), float(torch.exp(2 * p.log_sigma)), z.numpy()
S = W.T @ W + s2 * np.eye(2)
log_p = -np.log(2 * np.pi) - np.linalg.slogdet(S)[1] / 2 - np.einsum("ni,ij,nj->n", a, np.linalg.inv(S), a) / 2
confirmed = float(np.exp(log_p).sum() * 0.04**2)
""",
        confirmation="the same sum with the normal density in NumPy",
        expected="log p(z) = -d/2 log 2 pi - 1/2 log det S - 1/2 (z - m)^T S^-1 (z - m), with S = W^T W + sigma^2 I.",
        suggestion="The first term needs a minus, the second `torch.logdet(Sig)` in place of `torch.det(Sig)`; and "
        "`forward` should add noise of size sigma to what it samples.",
    ),
    Finding(
        subject="shift-overwrites-input",
        severity="wrong",
        title="`transforms.Shift` changes the array that it is given",
        explains=(("Shift", "input overwritten"),),
        lines="""
import torch, normflows as nf
z = torch.zeros(1, 3)
expected = z.clone()
nf.transforms.Shift(-0.5)(z)
got = z
""",
        confirm="confirmed = [[0.0, 0.0, 0.0]]",
        confirmation="zeros, written down",
        expected="A call leaves its argument as it is.",
        suggestion="`z = z - self.shift` and `z = z + self.shift`.",
    ),
    Finding(
        subject="circular-spline-tails",
        severity="wrong",
        title="the splines with circular coordinates map everything outside the interval to 0, in the coordinates "
        "with linear tails too",
        explains=(
            ("CircularAutoregressiveRationalQuadraticSpline", "NaN, silenced"),
            ("CircularCoupledRationalQuadraticSpline", "NaN, silenced"),
        ),
        lines="""
import torch, normflows as nf
torch.manual_seed(0); flow = nf.flows.CircularCoupledRationalQuadraticSpline(4, 1, 8, ind_circ=[1], tail_bound=3.0)
z = torch.tensor([[5.0, 0.0, 5.0, 0.0]])
got = flow(z)[0][0, [0, 2]]
expected = z[0, [0, 2]]
""",
        confirm="confirmed = nf.flows.CoupledRationalQuadraticSpline(4, 1, 8, tail_bound=3.0)(z)[0][0, [0, 2]]",
        confirmation="the same layer without circular coordinates",
        expected="With linear tails y_i = x_i for |x_i| > tail_bound, as in CoupledRationalQuadraticSpline.",
        suggestion="In `unconstrained_rational_quadratic_spline`, the branch for lists of tails should set "
        "`outputs[outside_interval_mask] = inputs[outside_interval_mask]`, as the other branches do.",
    ),
    Finding(
        subject="dtype",
        severity="fragile",
        title="`Composite` and `Planar(act='leaky_relu')` compute log-determinants in float32 for float64",
        explains=(("Composite", "dtype"), ("Planar", "dtype"), ("Planar", "inverse, shift")),
        lines="""
import torch, normflows as nf
flow = nf.flows.base.Composite([nf.flows.InvertibleAffine(4)]).double()
z = torch.randn(5, 4, dtype=torch.float64)
got = str(flow(z)[1].dtype)
expected = "torch.float64"
""",
        confirm="confirmed = str(nf.flows.InvertibleAffine(4).double()(z)[1].dtype)",
        confirmation="the dtype that the layer inside returns",
        expected="A layer of float64 returns log-determinants of float64.",
        suggestion="`torch.zeros(len(inputs), dtype=inputs.dtype, device=inputs.device)` in `Composite._cascade`; "
        "`torch.where(x < 0, slope, 1)` of the dtype of x in `Planar`.",
    ),
    Finding(
        subject="batch-statistics",
        severity="by design",
        title="`BatchNorm` normalizes by the mean and deviation of the batch, which an image alone has not",
        explains=(("BatchNorm", "*"),),
    ),
    Finding(
        subject="iterative-inverse",
        severity="by design",
        title="`Residual` inverts by a fixed-point iteration that stops for the whole batch at once, and truncates or "
        "estimates its log-determinant by a power series",
        explains=(("Residual", "*"),),
    ),
)

LIBRARY = Library(
    title="normflows",
    distribution="normflows",
    version="1.7.3",
    imports=IMPORTS,
    roots=("normflows.flows", "normflows.transforms"),
    bases=("normflows.flows.base.Flow",),
    layers=(
        Layer("AffineConstFlow((4,))", (4,)),
        Layer("AffineConstFlow((3, 1, 1))", (3, 2, 5)),
        Layer("CCAffineConst((4,), 2)", (4,), options={"context": "normal(1, 2)"}),
        Layer("AffineCouplingBlock(mlp(2, 8, 4))", (4,)),
        Layer("AffineCouplingBlock(mlp(2, 8, 4), scale_map='sigmoid')", (4,)),
        Layer("AffineCouplingBlock(mlp(2, 8, 4), scale_map='sigmoid_inv')", (4,)),
        Layer("AffineCouplingBlock(mlp(2, 8, 2), scale=False, split_mode='channel_inv')", (4,)),
        Layer("MaskedAffineFlow(torch.tensor([1.0, 0.0, 1.0, 0.0]), mlp(4, 8, 4), mlp(4, 8, 4))", (4,)),
        Layer("MaskedAffineAutoregressive(4, 8)", (4,)),
        Layer("MaskedAffineAutoregressive(4, 8, context_features=2)", (4,), options={"context": "normal(1, 2)"}),
        Layer("GlowBlock(4, 8)", (4, 2, 6)),
        Layer("GlowBlock(4, 8, scale_map='exp', split_mode='checkerboard')", (4, 2, 6)),
        Layer("GlowBlock(4, 8, scale_map='sigmoid_inv', use_lu=False)", (4, 2, 6)),
        Layer("Composite([InvertibleAffine(4), Permute(4)])", (4,)),
        Layer("Reverse(InvertibleAffine(4))", (4,)),
        Layer("Invertible1x1Conv(3)", (3, 2, 5)),
        Layer("Invertible1x1Conv(3, use_lu=True)", (3, 2, 5)),
        Layer("InvertibleAffine(4)", (4,)),
        Layer("InvertibleAffine(4, use_lu=False)", (4,)),
        Layer("LULinearPermute(4)", (4,)),
        Layer("Permute(4)", (4,)),
        Layer("Permute(4, mode='swap')", (4,)),
        Layer("MaskedPiecewiseRationalQuadraticAutoregressive(4, 8, num_bins=5, tails='linear', tail_bound=3.0)", (4,)),
        Layer("PiecewiseRationalQuadraticCDF((4,), num_bins=5, tails='linear', tail_bound=3.0)", (4,)),
        Layer("PiecewiseRationalQuadraticCoupling(torch.tensor([1, 0, 1, 0]), net, num_bins=5, tails='linear', tail_bound=3.0)", (4,)),
        Layer("AutoregressiveRationalQuadraticSpline(4, 1, 8)", (4,)),
        Layer("CoupledRationalQuadraticSpline(4, 1, 8)", (4,)),
        Layer("CircularAutoregressiveRationalQuadraticSpline(4, 1, 8, [1])", (4,)),
        Layer("CircularCoupledRationalQuadraticSpline(4, 1, 8, [1])", (4,)),
        Layer("ActNorm((4,))", (4,)),
        Layer("ActNorm((3, 1, 1))", (3, 2, 5)),
        Layer("BatchNorm()", (4,)),
        Layer("PeriodicShift([1], bound=1.0, shift=0.3)", options={"x": "2 * uniform(5, 4) - 1"}),
        Layer("PeriodicWrap([1], bound=5.0)", (4,)),
        Layer("Planar((4,))", (4,)),
        Layer("Planar((4,), act='leaky_relu')", (4,)),
        Layer("Radial((4,))", (4,)),
        Layer("Squeeze()", (4, 2, 6)),
        Layer("Residual(lipschitz(2), brute_force=True)", (2,), options={"tolerance": 1e-3}),
        Layer("Residual(lipschitz(), exact_trace=True, n_power_series=20)", (4,), options={"tolerance": 1e-3}),
        Layer("Residual(lipschitz())", (4,), options={"tolerance": 1e-3}),
        Layer("Logit(0.05)", options={"x": "uniform(5, 3, 2, 5)"}),
        Layer("Shift(-0.5)", (3, 2, 5)),
    ),
    left_out={
        "Flow": "the base class, without a map",
        "AffineCoupling": "its input is a list of two arrays; AffineCouplingBlock, which uses it, is checked",
        "Autoregressive": "the base class of the autoregressive flows",
        "Coupling": "the base class of the spline couplings",
        "PiecewiseCoupling": "the base class of the spline couplings",
        "Split": "its output is a list of two arrays",
        "Merge": "its input is a list of two arrays",
        "HamiltonianMonteCarlo": "a step of a Markov chain, no bijection: its log-determinant is a ratio of densities",
        "MetropolisHastings": "a step of a Markov chain, no bijection: its log-determinant is a ratio of densities",
    },
    findings=FINDINGS,
    wrapping="forward(z) and inverse, which return pairs; a scalar log-determinant is a convention",
)  # fmt: skip
