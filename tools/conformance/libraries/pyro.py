"""Pyro, https://github.com/pyro-ppl/pyro."""

from tools.conformance.catalogue import Finding, Layer, Library

__all__ = ["LIBRARY"]

IMPORTS = """
import torch
from torch.distributions import transforms
from pyro.distributions.transforms import *
from pyro.distributions.torch_transform import ComposeTransformModule
from pyro.distributions.transforms.generalized_channel_permute import ConditionedGeneralizedChannelPermute
from pyro.distributions.transforms.householder import ConditionedHouseholder
from pyro.distributions.transforms.matrix_exponential import ConditionedMatrixExponential
from pyro.distributions.transforms.planar import ConditionedPlanar
from pyro.distributions.transforms.radial import ConditionedRadial
from pyro.distributions.transforms.spline import ConditionedSpline
from pyro.nn import AutoRegressiveNN, DenseNN
torch.manual_seed(0)
def chart(t):
    # x of the simplex by all but its last coordinate
    def whole(x):
        return torch.cat([x, 1 - x.sum(-1, keepdim=True)], -1)
    def forward(x):
        y = t(whole(x))
        return y, t.log_abs_det_jacobian(whole(x), y)
    def inverse(y):
        x = t.inv(y)
        return x[..., :-1], -t.log_abs_det_jacobian(x, y)
    return forward, inverse
def double(*shape):
    return torch.randn(*shape, dtype=torch.float64)
"""

FINDINGS = (
    Finding(
        subject="sylvester",
        severity="wrong",
        title="the log-determinant of `Sylvester` is not that of its Jacobian",
        explains=(("Sylvester", "*"),),
        lines="""
import torch, pyro.distributions.transforms as T
torch.manual_seed(0); t = T.Sylvester(4, count_transforms=2).double()
[torch.nn.init.normal_(p) for p in t.parameters()]
x = torch.randn(4, dtype=torch.float64)
got = t.log_abs_det_jacobian(x, t(x)).item()
expected = torch.linalg.slogdet(torch.autograd.functional.jacobian(t, x))[1].item()
""",
        confirm="confirmed = numerical_log_det(lambda a: t(torch.tensor(a)).detach().numpy(), x.numpy())",
        confirmation="the Jacobian by central differences in float64",
        expected="With rows y = x + h(x B + b) A, Sylvester's identity gives det J = det(I + A B diag(h')), which is the "
        "product of 1 + h'_i R_ii S_ii only if A B is triangular. The code has A = Q R and B = S Q^T, so that "
        "A B = Q R S Q^T is not.",
        suggestion="A = R Q^T and B = Q S make A B = R S triangular, and the present log-determinant right.",
    ),
    Finding(
        subject="permute-dim",
        severity="wrong",
        title="`Permute(..., dim=-3).with_cache(0)` permutes the last dimension",
        explains=(
            ("Permute", "image shape"),
            ("Permute", "inverse raises"),
            ("Permute", "forward raises"),
        ),
        lines="""
import torch, pyro.distributions.transforms as T
x = torch.arange(27.0).reshape(3, 3, 3)
t = T.Permute(torch.tensor([2, 0, 1]), dim=-3)
got = t.with_cache(0)(x)
expected = t(x)
""",
        confirm="confirmed = x.numpy()[[2, 0, 1]]",
        confirmation="NumPy's indexing of the first axis, x[[2, 0, 1]]",
        expected="A copy of a transform with another cache size is the same map: along dim = -3, y_i = x_p(i).",
        suggestion="`Permute.with_cache` should hand `dim=self.dim` on to the new transform.",
    ),
    Finding(
        subject="rounding",
        severity="check",
        title="a difference of a few roundings near the edge of a bin, no mistake of the library",
        explains=(("Spline", "stale log det"),),
    ),
)

LIBRARY = Library(
    title="Pyro",
    distribution="pyro-ppl",
    version="1.9.2",
    imports=IMPORTS,
    roots=("pyro.distributions",),
    bases=("torch.distributions.transforms.Transform",),
    layers=(
        Layer("AffineAutoregressive(AutoRegressiveNN(4, [8]))", (4,)),
        Layer("AffineAutoregressive(AutoRegressiveNN(4, [8]), stable=True)", (4,)),
        Layer("AffineCoupling(2, DenseNN(2, [8], [2, 2]))", (4,)),
        Layer("affine_coupling(4, [8], dim=-1)", (3, 2, 4), of="AffineCoupling"),
        Layer("BatchNorm(4)", (4,)),
        Layer("BlockAutoregressive(4)", (4,)),
        Layer("BlockAutoregressive(4, activation='ELU', residual='gated')", (4,)),
        Layer("BlockAutoregressive(4, activation='LeakyReLU', residual='normal')", (4,)),
        Layer("NeuralAutoregressive(AutoRegressiveNN(4, [8], param_dims=[16] * 3))", (4,)),
        Layer("NeuralAutoregressive(AutoRegressiveNN(4, [8], param_dims=[16] * 3), activation='ELU')", (4,)),
        Layer("polynomial(4, [8])", (4,), of="Polynomial"),
        Layer("DiscreteCosineTransform()", (6,)),
        Layer("DiscreteCosineTransform(smooth=1.0)", (6,)),
        Layer("HaarTransform()", (6,)),
        Layer("HaarTransform(dim=-2, flip=True)", (3, 4, 6)),
        Layer("ELUTransform()", (4,)),
        Layer("LeakyReLUTransform()", (4,)),
        Layer("GeneralizedChannelPermute(3)", (3, 2, 5)),
        Layer("Householder(4, count_transforms=3)", (4,)),
        Layer("MatrixExponential(4)", (4,)),
        Layer("LowerCholeskyAffine(double(4), torch.eye(4, dtype=torch.float64) + double(4, 4).tril(-1))", (4,)),
        Layer("OrderedTransform()", (4,)),
        Layer("Permute(torch.tensor([2, 0, 3, 1]))", (4,)),
        Layer("Permute(torch.tensor([2, 0, 1]), dim=-3)", (3, 2, 5)),
        Layer("Permute(torch.tensor([2, 0, 1]), dim=-3).with_cache(0)", (3, 2, 5), of="Permute"),
        Layer("Planar(4)", (4,)),
        Layer("Radial(4)", (4,)),
        Layer("PositivePowerTransform(torch.tensor(2.5))", (4,)),
        Layer("chart(SimplexToOrderedTransform())", of="SimplexToOrderedTransform", options={"x": "simplex(5, 4)[:, :3]"}),
        Layer("SoftplusTransform()", (4,)),
        Layer("Spline(4)", (4,)),
        Layer("Spline(4, order='quadratic')", (4,)),
        Layer("SplineAutoregressive(4, AutoRegressiveNN(4, [8], param_dims=[8, 8, 7, 8]))", (4,)),
        Layer("SplineCoupling(4, 2, DenseNN(2, [8], [16, 16, 14, 16]))", (4,)),
        Layer("SplineCoupling(4, 2, DenseNN(2, [8], [16, 16, 14]), order='quadratic')", (4,)),
        Layer("Sylvester(4, count_transforms=2)", (4,)),
        Layer("ComposeTransformModule([Householder(4), Spline(4)])", (4,)),
        Layer("ConditionedHouseholder(double(2, 4))", (4,)),
        Layer("ConditionedPlanar(lambda: (double(1), 0.3 * double(4), 0.3 * double(4)))", (4,), of="ConditionedPlanar"),
    ),
    left_out={
        "TransformModule": "the base class, without a map",
        "CholeskyTransform": "a map of matrices; torch.distributions has the same",
        "CorrLCholeskyTransform": "it maps vectors to the Cholesky factors of correlation matrices, of more entries",
        "CorrMatrixCholeskyTransform": "a map of correlation matrices, which fill no neighbourhood of a vector space",
        "ConditionedGeneralizedChannelPermute": "the implementation of GeneralizedChannelPermute, which is checked",
        "ConditionedMatrixExponential": "the implementation of MatrixExponential, which is checked",
        "ConditionedRadial": "the implementation of Radial, which is checked",
        "ConditionedSpline": "the implementation of Spline, which is checked",
        "Normalize": "not bijective, as it declares",
        "SoftplusLowerCholeskyTransform": "it has no log-determinant",
        "UnitLowerCholeskyTransform": "it has no log-determinant",
    },
    findings=FINDINGS,
    wrapping="as torch.distributions",
)  # fmt: skip
