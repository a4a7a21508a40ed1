"""The layers that nflows and its forks enflows and flowcon have in common."""

from tools.conformance.catalogue import Finding, Layer

__all__ = [
    "FORK_IMPORTS", "FORK_LAYERS", "FORK_LEFT_OUT", "FORK_UNNEEDED", "IMPORTS", "LAYERS", "LEFT_OUT",
    "UNNEEDED", "findings", "fork_findings",
]  # fmt: skip

IMPORTS = """
import torch
from {root} import transforms
from {root}.transforms import *
from {root}.transforms.autoregressive import *
from {root}.transforms.linear import NaiveLinear
from {root}.transforms.nonlinearities import *
from {root}.nn.nets import ResidualNet
def net(inputs, outputs):
    return ResidualNet(inputs, outputs, hidden_features=8, num_blocks=1)
"""
"""The lines before the expressions of layers; {root} is the package."""

UNIT = {"x": "uniform(5, 4)"}

COUPLINGS = tuple(
    Layer(f"{name}CouplingTransform([1, 0, 1, 0], net{options})", (4,), options=given)
    for name, options, given in (
        ("Additive", "", {}),
        ("Affine", "", {}),
        ("PiecewiseLinear", ", num_bins=5", UNIT),
        ("PiecewiseQuadratic", ", num_bins=5", UNIT),
        ("PiecewiseCubic", ", num_bins=5", UNIT),
        ("PiecewiseRationalQuadratic", ", num_bins=5", UNIT),
        ("PiecewiseLinear", ", num_bins=5, tails='linear', tail_bound=3.0", {}),
        ("PiecewiseQuadratic", ", num_bins=5, tails='linear', tail_bound=3.0", {}),
        ("PiecewiseCubic", ", num_bins=5, tails='linear', tail_bound=3.0", {}),
        ("PiecewiseRationalQuadratic", ", num_bins=5, tails='linear', tail_bound=3.0", {}),
    )
)

LAYERS = (
    Layer("AffineTransform(0.5, 2.0)", (3, 2, 5)),
    Layer("PointwiseAffineTransform(0.5, torch.tensor([2.0, 3.0, 0.5, 1.5]))", (4,)),
    Layer("IdentityTransform()", (3, 2, 5)),
    Layer("CompositeTransform([LULinear(4), ReversePermutation(4)])", (4,)),
    Layer("InverseTransform(LULinear(4))", (4,)),
    Layer("OneByOneConvolution(3)", (3, 2, 5)),
    Layer("NaiveLinear(4)", (4,)),
    Layer("LULinear(4)", (4,)),
    Layer("LULinear(4, using_cache=True)", (4,)),
    Layer("QRLinear(4, num_householder=3)", (4,)),
    Layer("SVDLinear(4, num_householder=4)", (4,)),
    Layer("HouseholderSequence(4, num_transforms=3)", (4,)),
    Layer("ActNorm(3)", (3, 2, 5)),
    Layer("ActNorm(4)", (4,)),
    Layer("BatchNorm(4)", (4,)),
    Layer("Permutation(torch.tensor([2, 0, 1]))", (3, 2, 5)),
    Layer("RandomPermutation(3)", (3, 2, 5)),
    Layer("ReversePermutation(3)", (3, 2, 5)),
    Layer("SqueezeTransform(2)", (3, 2, 4)),
    Layer("Tanh()", (3, 2, 5)),
    Layer("LogTanh()", (3, 2, 5)),
    Layer("LeakyReLU(0.3)", (3, 2, 5)),
    Layer("Sigmoid()", (3, 2, 5)),
    Layer("Sigmoid(temperature=0.7, learn_temperature=True)", (4,)),
    Layer("Logit()", options=UNIT),
    Layer("CauchyCDF()", (4,)),
    Layer("CauchyCDFInverse()", options=UNIT),
    Layer("CompositeCDFTransform(Sigmoid(), PiecewiseRationalQuadraticCDF((4,), num_bins=5))", (4,)),
    *(
        Layer(f"Piecewise{kind}CDF((4,), num_bins=5{tails})", (4,), options=options)
        for kind in ("Linear", "Quadratic", "Cubic", "RationalQuadratic")
        for tails, options in (("", UNIT), (", tails='linear', tail_bound=3.0", {}))
    ),
    *COUPLINGS,
    Layer("MaskedAffineAutoregressiveTransform(4, 8)", (4,)),
    Layer("MaskedAffineAutoregressiveTransform(4, 8, context_features=2)", (4,),
          options={"context": "normal(1, 2)"}),
    Layer("MaskedPiecewiseLinearAutoregressiveTransform(5, 4, 8)", options=UNIT),
    Layer("MaskedPiecewiseQuadraticAutoregressiveTransform(4, 8, num_bins=5)", options=UNIT),
    Layer("MaskedPiecewiseQuadraticAutoregressiveTransform(4, 8, num_bins=5, tails='linear', tail_bound=3.0)", (4,)),
    Layer("MaskedPiecewiseCubicAutoregressiveTransform(5, 4, 8)", options=UNIT),
    Layer("MaskedPiecewiseRationalQuadraticAutoregressiveTransform(4, 8, num_bins=5)", options=UNIT),
    Layer("MaskedPiecewiseRationalQuadraticAutoregressiveTransform(4, 8, num_bins=5, tails='linear', tail_bound=3.0)", (4,)),
)  # fmt: skip

LEFT_OUT = {
    "Transform": "the base class, without a map",
    "AutoregressiveTransform": "a base class of the Masked... transforms",
    "CouplingTransform": "a base class of the ...CouplingTransforms",
    "PiecewiseCouplingTransform": "a base class of the ...CouplingTransforms",
    "Linear": "the base class of linear transforms",
    "MultiscaleCompositeTransform": "its output is one vector of another shape, made of those of its levels",
}

UNNEEDED = {
    "tensorboard": "for training logs",
    "matplotlib": "for pictures",
}


def findings(root: str) -> tuple[Finding, ...]:
    """Return the findings that nflows and its forks share, of the package `root`."""
    return (
        Finding(
            subject="searchsorted-in-place",
            severity="wrong",
            title="`torchutils.searchsorted` adds 1e-6 to its argument in place, so that the inverse of a linear "
            "spline is off by up to 2e-5 in the last bin, in float64 too",
            explains=tuple(
                (cls, cause)
                for cls in (
                    "PiecewiseLinearCDF",
                    "PiecewiseLinearCouplingTransform",
                    "PiecewiseQuadraticCDF",
                    "PiecewiseQuadraticCouplingTransform",
                    "PiecewiseCubicCDF",
                    "PiecewiseCubicCouplingTransform",
                    "MaskedPiecewiseLinearAutoregressiveTransform",
                    "PiecewiseLinearConditionalTransform",
                    "MaskedPiecewiseQuadraticAutoregressiveTransform",
                    "MaskedPiecewiseCubicAutoregressiveTransform",
                )
                for cause in ("inverse, precision", "inverse, approximate", "inverse")
            ),
            lines=f"""
import torch, {root}.transforms.nonlinearities as N
torch.manual_seed(0); t = N.PiecewiseLinearCDF((1,), num_bins=3).double()
x = torch.tensor([[0.99]], dtype=torch.float64)
got = (t.inverse(t(x)[0])[0] - x).item() * 1e6
expected = 0.0
""",
            confirm="""
import numpy as np
pdf = torch.softmax(t.unnormalized_pdf.detach(), -1).numpy().ravel()
cdf, knots = np.append(0, np.cumsum(pdf)), np.linspace(0, 1, 4)
confirmed = float(np.interp(np.interp(0.99, knots, cdf), cdf, knots) - 0.99) * 1e6
""",
            confirmation="the error of the piecewise linear function and its inverse by numpy.interp, in units of 1e-6",
            expected="inverse(forward(x)) = x to the precision of float64, about 1e-15 (the figures are errors in units of 1e-6).",
            suggestion="Add eps to a copy, or use `torch.searchsorted` with clamped indices.",
        ),
        Finding(
            subject="gated-linear-unit",
            severity="wrong",
            title="`GatedLinearUnit` returns N D log-determinants for N rows of D entries",
            lines=f"""
import torch, {root}.transforms.nonlinearities as N
x, context = torch.randn(5, 3), torch.randn(5, 3)
y, log_det = N.GatedLinearUnit()(x, context)
got = list(log_det.shape)
expected = [len(x)]
""",
            confirm="confirmed = list(torch.log(torch.sigmoid(context)).sum(1).shape)",
            confirmation="the shape of the sum of the logarithms of the gates over each row",
            expected="log|det| of row n is the sum over i of log sigmoid(c_ni), one figure a row.",
            suggestion="`torchutils.sum_except_batch(torch.log(gate))` in place of `.reshape(-1)`.",
        ),
        Finding(
            subject="cache",
            severity="by design",
            title="with using_cache=True the weight is kept until `.train()` is called, so a change of the "
            "parameters in evaluation mode is not followed",
            explains=(("LULinear", "*"),),
        ),
    )


FORK_IMPORTS = (
    IMPORTS
    + """
from {root}.transforms.adaptive_sigmoids import *
from {root}.transforms.autoregressive.autoregressive import *
from {root}.transforms.autoregressive.deep_sigmoid import MaskedDeepSigmoidTransform
from {root}.transforms.conditional import *
from {root}.transforms.coupling import *
from {root}.transforms.linear import ScalarScale, ScalarShift
from {root}.transforms.lipschitz.iresblock import iResBlock
from {root}.transforms.matrix.cholesky import CholeskyOuterProduct
from {root}.transforms.matrix.diagonal import *
from {root}.transforms.no_analytic_inv.planar import *
from {root}.transforms.orthogonal import ParametrizedHouseHolder
from {root}.transforms.permutations import FillTriangular
from {root}.transforms.unitvector import UnitVector
class Contraction(torch.nn.Linear):
    def forward(self, x, context=None):
        return 0.5 * torch.tanh(super().forward(x))
"""
)
"""The lines before the expressions of layers of a fork."""

SOLVER = {"tolerance": 1e-3}
"""The options of layers whose inverse is a bisection by design."""

CONTEXT = {"context": "normal(1, 2)"}

CONDITIONAL = (
    ("AffineConditionalTransform", "", {}),
    ("ConditionalLUTransform", "", {}),
    ("ConditionalOrthogonalTransform", "", {}),
    (
        "ConditionalPiecewiseRationalQuadraticTransform",
        ", num_bins=5, tails='linear', tail_bound=3.0",
        {},
    ),
    ("ConditionalPlanarTransform", "", SOLVER),
    ("ConditionalSVDTransform", "", {}),
    ("ConditionalScaleTransform", "", {}),
    ("ConditionalShiftTransform", "", {}),
    ("ConditionalSumOfSigmoidsTransform", "", SOLVER),
    ("ConditionalSylvesterTransform", "", SOLVER),
    ("ConditionalUMNNTransform", "", SOLVER),
)

FORK_LAYERS = (
    *LAYERS,
    Layer("GatedLinearUnit()", (1,), options={"context": "normal(1, 1)"}),
    Layer("DeepSigmoid(4)", (4,), options=SOLVER),
    Layer("SumOfSigmoids(4)", (4,), options=SOLVER),
    Layer("MaskedShiftAutoregressiveTransform(4, 8)", (4,)),
    Layer("MaskedSumOfSigmoidsTransform(4, 8, n_sigmoids=5)", (4,), options=SOLVER),
    Layer("MaskedUMNNAutoregressiveTransform(4, 8, cond_size=4)", (4,), options=SOLVER),
    Layer("MaskedDeepSigmoidTransform(4, 8, n_sigmoids=5)", (4,), options=SOLVER),
    *(
        Layer(f"{name}(features=4, hidden_features=8, context_features=2{more})", (4,), options=options | CONTEXT)
        for name, more, options in CONDITIONAL
    ),
    Layer("PiecewiseLinearConditionalTransform(num_bins=5, features=4, hidden_features=8, context_features=2)",
          options=UNIT | CONTEXT),
    Layer("ConditionalRotationTransform(features=2, hidden_features=8, context_features=2)", (2,), options=CONTEXT),
    Layer("UMNNCouplingTransform([1, 0, 1, 0], net, cond_size=4)", (4,), options=SOLVER),
    Layer("ScalarScale(1.7)", (4,)),
    Layer("ScalarShift(0.7)", (4,)),
    Layer("TransformDiagonal(3)", (3, 3)),
    Layer("TransformDiagonalExponential(3)", (3, 3)),
    Layer("TransformDiagonalSoftplus(3)", (3, 3)),
    Layer("PlanarTransform(4)", (4,), options=SOLVER),
    Layer("RadialTransform(4)", (4,), options=SOLVER),
    Layer("SylvesterTransform(4, device='cpu')", (4,), options=SOLVER),
    Layer("Exp()", (4,)),
    Layer("Softplus()", (4,)),
    Layer("ParametrizedHouseHolder(torch.randn(1, 3, 4))", (4,)),
    Layer("iResBlock(Contraction(4, 4))", (4,), options=SOLVER),
)  # fmt: skip

FORK_LEFT_OUT = LEFT_OUT | {
    "ConditionalTransform": "the base class of conditional transforms",
    "MonotonicTransform": "the base class of transforms that are inverted by bisection",
    "DeepSigmoidModule": "the map inside DeepSigmoid, which takes its parameters as an argument",
    "FillTriangular": "it maps vectors to triangular matrices, of more entries",
    "CholeskyOuterProduct": "it maps triangular matrices to symmetric ones, which fill no neighbourhood",
    "UnitVector": "it maps to the unit sphere, which has another dimension",
}

FORK_UNNEEDED = {
    "tensorboard": "for training logs",
    "pandas": "for data sets",
    "h5py": "for data sets",
    "ninja": "for an extension that the layers do not use",
    "scikit-learn": "for data sets",
    "black": "for development",
    "flake8": "for development",
    "parameterized": "for tests",
    "pytest": "for tests",
    "pytest-cov": "for tests",
    "torchtestcase": "for tests",
}


def fork_findings(root: str) -> tuple[Finding, ...]:
    """Return the findings of a fork, whose package is `root`."""
    leaky_relu = Finding(
        subject="leaky-relu-slope",
        severity="wrong",
        title="`LeakyReLU` trains the logarithm of its slope, while the slope that it applies is fixed",
        explains=(("LeakyReLU", "*"),),
        lines=f"""
import torch, {root}.transforms.nonlinearities as N
layer, x = N.LeakyReLU(0.5).double(), -torch.ones(3, dtype=torch.float64)
layer.log_negative_slope.data += 1.0  # as a step of an optimizer may
got = layer(x[None])[1].item()
expected = torch.linalg.slogdet(torch.autograd.functional.jacobian(lambda v: layer(v[None])[0][0], x))[1].item()
""",
        confirm="confirmed = numerical_log_det("
        "lambda a: layer(torch.tensor(a)[None])[0][0].detach().numpy(), x.numpy())",
        confirmation="the Jacobian by central differences in float64",
        expected="A row with k negative entries has log|det| = k log(slope), with the slope that forward applies.",
        suggestion="Keep the logarithm as a buffer, as nflows does; or apply `torch.exp(log_negative_slope)`. The mask "
        "`.type(torch.Tensor)` makes the log-determinant float32, too.",
    )
    conditional = f"import torch, {root}.transforms.conditional as C\n"
    shift = Finding(
        subject="masked-shift-inverse",
        severity="wrong",
        title="the inverse of `MaskedShiftAutoregressiveTransform` subtracts another shift than forward adds",
        explains=(("MaskedShiftAutoregressiveTransform", "*"),),
        lines=f"""
import torch; from {root}.transforms.autoregressive.autoregressive import MaskedShiftAutoregressiveTransform
torch.manual_seed(0); layer = MaskedShiftAutoregressiveTransform(4, 8).double()
x = torch.randn(5, 4, dtype=torch.float64)
got = layer.inverse(layer(x)[0])[0]
expected = x
""",
        confirm="""
y, net = layer(x)[0], layer.autoregressive_net
confirmed = torch.zeros_like(x)
for i in range(4):  # entry i reads the entries before it
    confirmed[:, i] = (y - 2 * torch.tanh(net(confirmed)))[:, i].detach()
""",
        confirmation="solving y_i = x_i + 2 tanh(s_i) entry by entry",
        expected="inverse(forward(x)) = x, with y = x + 2 tanh(s(x)).",
        suggestion="`inputs - torch.tanh(shift) * 2` in `_elementwise_inverse`.",
    )
    epsilon = Finding(
        subject="affine-conditional-epsilon",
        severity="wrong",
        title="`AffineConditionalTransform` raises, because `_epsilon` is never set",
        explains=(("AffineConditionalTransform", "forward raises"),),
        lines=conditional
        + """
layer, got, expected = C.AffineConditionalTransform(4, 8, 2), "it runs", "it runs"
try: layer(torch.randn(5, 4), torch.randn(5, 2))
except AttributeError as error: got = str(error)
""",
        confirm="layer._epsilon = 1e-3; layer(torch.randn(5, 4), torch.randn(5, 2)); confirmed = 'it runs'",
        confirmation="the same call after layer._epsilon = 1e-3",
        expected="y = (softplus(a(c)) + epsilon) x + b(c), as its inverse undoes it.",
        suggestion="Set `self._epsilon = 1e-3` in the constructor.",
    )
    squeeze = Finding(
        subject="squeeze-batch-of-one",
        severity="wrong",
        title="some conditional transforms drop the batch axis of a batch of one",
        explains=tuple(
            (f"Conditional{kind}Transform", "batch") for kind in ("Orthogonal", "SVD", "Rotation")
        ),
        lines=conditional
        + """
layer = C.ConditionalRotationTransform(features=2, hidden_features=8, context_features=2)
x = torch.randn(1, 2)
got = list(layer(x, torch.randn(1, 2))[0].shape)
expected = list(x.shape)
""",
        confirm="confirmed = list((torch.eye(2)[None] @ x[:, :, None])[:, :, 0].shape)",
        confirmation="the shape of the product with one matrix a row",
        expected="The output has the shape (N, D) of the input, for N = 1 too.",
        suggestion="`.squeeze(-1)` in place of `.squeeze()`.",
    )
    cuda = Finding(
        subject="conditional-planar-cuda",
        severity="wrong",
        title="`ConditionalPlanarTransform` cannot be made without CUDA",
        explains=(("ConditionalPlanarTransform", "error"),),
        lines=conditional
        + """
got = expected = "it is made"
try: C.ConditionalPlanarTransform(features=4, hidden_features=8, context_features=2)
except (AssertionError, RuntimeError) as error: got = type(error).__name__
""",
        confirm="C.ConditionalShiftTransform(features=4, hidden_features=8, context_features=2)\n"
        "confirmed = 'it is made'",
        confirmation="a transform of the same module is made on the CPU",
        expected="A module is made on the CPU and moved by `.to(device)`.",
        suggestion='Leave `device="cuda"` out of `diag_entries`; a buffer follows the module.',
    )
    sylvester = Finding(
        subject="conditional-sylvester-features",
        severity="wrong",
        title="`ConditionalSylvesterTransform` runs only for 2 features",
        explains=(("ConditionalSylvesterTransform", "forward raises"),),
        lines=conditional
        + """
layer, got, expected = C.ConditionalSylvesterTransform(4, 8, 2), "it runs", "it runs"
try: layer(torch.randn(5, 4), torch.randn(5, 2))
except RuntimeError as error: got = str(error).strip().splitlines()[-1]
""",
        confirm="""
from numpy import allclose
layer = C.ConditionalSylvesterTransform(2, 8, 2).double()
x, context = torch.randn(2, 2, dtype=torch.float64), torch.randn(1, 2, dtype=torch.float64).repeat(2, 1)
def forward(a):
    return layer(torch.tensor([a, a]), context)[0][0].detach().numpy()
confirmed = "it runs" if allclose(layer(x, context)[1][0].item(), numerical_log_det(forward, x[0].numpy())) else ""
""",
        confirmation="the same layer with 2 features, whose log-determinant is that of its numerical Jacobian",
        expected="x + Q R2 tanh(R1 Q^T x + b) with an orthogonal Q of D rows, for any number D of features.",
        suggestion="`build_orthogonal_matrix` reflects rows 0 and 1 of the identity only; it should reflect all D rows, for "
        "example `[... for row in range(self.features)]`.",
    )
    quadrature = Finding(
        subject="quadrature",
        severity="by design",
        title="the unconstrained monotonic networks integrate numerically, so that derivatives agree to 1e-4",
        explains=(("MaskedUMNNAutoregressiveTransform", "gradient of y"),),
    )
    return (
        *findings(root), leaky_relu, shift, epsilon, squeeze, cuda, sylvester, quadrature,
    )  # fmt: skip
