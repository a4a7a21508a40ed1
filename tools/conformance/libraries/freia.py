"""FrEIA, https://github.com/vislearn/FrEIA."""

from tools.conformance.catalogue import Finding, Layer, Library

__all__ = ["LIBRARY"]

IMPORTS = """
import torch
from torch import nn
from FrEIA.modules import *
from FrEIA.framework import SequenceINN, GraphINN, InputNode, OutputNode, Node, ReversibleSequential, ReversibleGraphNet
def dense(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, outputs))
def conv(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, 8, 3, padding=1), nn.Tanh(), nn.Conv2d(8, outputs, 3, padding=1))
def sequence(cls):
    inn = cls(4)
    inn.append(GLOWCouplingBlock, subnet_constructor=dense)
    inn.append(PermuteRandom, seed=1)
    inn.append(ActNorm)
    return inn
def graph(cls):
    a = InputNode(4, name="a")
    b = Node(a, GLOWCouplingBlock, dict(subnet_constructor=dense), name="b")
    return cls([a, b, OutputNode(b, name="c")])
"""

V, I, E = "[(4,)]", "[(4, 2, 6)]", "[(4, 4, 6)]"

COUPLINGS = (
    "NICECouplingBlock", "RNVPCouplingBlock", "GLOWCouplingBlock", "GINCouplingBlock", "AffineCouplingOneSided",
)  # fmt: skip

FINDINGS = (
    Finding(
        subject="elementwise-scaling-sign",
        severity="wrong",
        title="`LearnedElementwiseScaling` returns the same log-determinant in both directions",
        explains=(("LearnedElementwiseScaling", "inverse, sign"),),
        lines="""
import torch, FrEIA.modules as Fm
layer = Fm.LearnedElementwiseScaling([(4,)]).double(); layer.s.data += 0.5
y = torch.arange(4.0, dtype=torch.float64)[None]
got = layer([y], rev=True, jac=True)[1].item()
expected = torch.linalg.slogdet(torch.autograd.functional.jacobian(lambda v: layer([v[None]], rev=True)[0][0][0], y[0]))[1].item()
""",
        confirm="confirmed = numerical_log_det("
        "lambda a: layer([torch.tensor(a)[None]], rev=True)[0][0][0].detach().numpy(), y[0].numpy())",
        confirmation="the Jacobian of rev=True by central differences in float64",
        expected="The inverse x = y / s has log|det dx/dy| = -sum log|s|.",
        suggestion="Return minus the sum if `rev` is true.",
    ),
    Finding(
        subject="elementwise-scaling-init",
        severity="wrong",
        title="`LearnedElementwiseScaling(init_scale=...)` begins at scale 1 whatever init_scale is",
        lines="""
import torch, FrEIA.modules as Fm
layer = Fm.LearnedElementwiseScaling([(4,)], init_scale=2.0)
x = torch.ones(1, 4)
got = layer([x])[0][0]
expected = 2 * x
""",
        confirm="import numpy as np; confirmed = np.exp(np.log(2.0) * np.ones((1, 4)))",
        confirmation="x exp(s) with exp(s) = init_scale, in NumPy",
        expected="y = x exp(s), where s begins at log(init_scale), as documented.",
        suggestion="`np.log(init_scale) * torch.ones(...)` in place of `torch.zeros(...)`.",
    ),
    Finding(
        subject="haar-overwrites-input",
        severity="wrong",
        title="the Haar layers change the array that they are given",
        explains=(
            ("HaarDownsampling", "input overwritten"),
            ("HaarUpsampling", "input overwritten"),
        ),
        lines="""
import torch, FrEIA.modules as Fm
x = torch.ones(1, 4, 2, 2)
expected = x.clone()
Fm.HaarUpsampling([(4, 2, 2)])([x])
got = x
""",
        confirm="confirmed = [[[[1.0] * 2] * 2] * 4]",
        confirmation="ones, written down",
        expected="A call leaves its argument as it is.",
        suggestion="`x = x[0] * self.fac_rev` (a new tensor) in place of the in-place product.",
    ),
    Finding(
        subject="householder-conditional",
        severity="wrong",
        title="`HouseholderPerm` with a condition raises",
        explains=(("HouseholderPerm", "forward raises"),),
        lines="""
import torch, FrEIA.modules as Fm
layer, got, expected = Fm.HouseholderPerm([(4,)], dims_c=[(4, 3)], n_reflections=3), "it runs", "it runs"
try: layer([torch.randn(5, 4)], c=[torch.randn(5, 4, 3)])
except RuntimeError as error: got = str(error)
""",
        confirm="""
v, x = torch.randn(5, 3, 4).numpy(), torch.randn(5, 4).numpy()
import numpy as np
H = [np.eye(4) - 2 * np.einsum("ni,nj->nij", w, w) / (w**2).sum(1)[:, None, None] for w in v.transpose(1, 0, 2)]
y = np.einsum("ni,nij->nj", x, H[0] @ H[1] @ H[2])
confirmed = "it runs" if np.allclose((y**2).sum(1), (x**2).sum(1)) else "not orthogonal"
""",
        confirmation="the product of three reflections a row in NumPy, which keeps the norms",
        expected="y_n = x_n W_n with one orthogonal matrix W_n for each row of the condition, as documented.",
        suggestion="W has shape (N, d, d) then: `torch.bmm(x[0][:, None], W)[:, 0]` in place of `x[0].mm(W)`.",
    ),
    Finding(
        subject="sigmoid-shape",
        severity="wrong",
        title="`InvertibleSigmoid` on images returns a log-determinant of shape (N, H, W)",
        explains=(("InvertibleSigmoid", "shape of log det, sum"),),
        lines="""
import torch, FrEIA.modules as Fm
layer = Fm.InvertibleSigmoid([(4, 2, 3)])
y, log_det = layer([torch.zeros(5, 4, 2, 3)], jac=True)
got = list(log_det.shape)
expected = [5]
""",
        confirm="confirmed = [len(y[0])]",
        confirmation="the number of images",
        expected="One figure an image, the sum of log sigmoid'(x_i) over all C, H and W.",
        suggestion="Sum over all dimensions but the first. (A pull request, 177, does this already.)",
    ),
    Finding(
        subject="approximate-autoencoders",
        severity="by design",
        title="the layers of invertible autoencoders use the transpose for an inverse, which training makes nearly "
        "orthogonal, and 0 for the log-determinant",
        explains=(("InvAutoConv2D", "*"), ("InvAutoFC", "*")),
    ),
    Finding(
        subject="stochastic-log-det",
        severity="by design",
        title="`IResNetLayer` estimates its log-determinant by random vectors, other ones in each direction",
        explains=(("IResNetLayer", "*"),),
    ),
    Finding(
        subject="single-precision-matrix",
        severity="check",
        title="the fixed matrix is made in float32 and orthogonal to 1e-7: the log-determinant 0 is as good as its "
        "precision, and calling it missing is too hard",
        explains=(("HouseholderPerm", "zero"), ("OrthogonalTransform", "*")),
    ),
)

LIBRARY = Library(
    title="FrEIA",
    distribution="FrEIA",
    version="0.2",
    imports=IMPORTS,
    roots=("FrEIA.modules", "FrEIA.framework"),
    bases=("FrEIA.modules.base.InvertibleModule",),
    layers=(
        *(Layer(f"{name}({V}, subnet_constructor=dense)", (4,)) for name in COUPLINGS),
        *(Layer(f"{name}({E}, subnet_constructor=conv)", (4, 4, 6)) for name in COUPLINGS),
        Layer(f"GLOWCouplingBlock({V}, dims_c=[(2,)], subnet_constructor=dense)", (4,),
              options={"context": "normal(1, 2)"}),
        Layer(f"GLOWCouplingBlock({V}, subnet_constructor=dense, clamp_activation='TANH')", (4,)),
        Layer(f"GLOWCouplingBlock({V}, subnet_constructor=dense, clamp_activation='SIGMOID')", (4,)),
        Layer(f"ConditionalAffineTransform({V}, dims_c=[(2,)], subnet_constructor=dense)", (4,),
              options={"context": "normal(1, 2)"}),
        Layer(f"AllInOneBlock({V}, subnet_constructor=dense)", (4,)),
        Layer(f"AllInOneBlock({E}, subnet_constructor=conv)", (4, 4, 6)),
        Layer(f"AllInOneBlock({V}, subnet_constructor=dense, gin_block=True)", (4,)),
        Layer(f"AllInOneBlock({V}, subnet_constructor=dense, permute_soft=True)", (4,)),
        Layer(f"AllInOneBlock({V}, subnet_constructor=dense, reverse_permutation=True)", (4,)),
        Layer(f"AllInOneBlock({V}, subnet_constructor=dense, global_affine_type='SIGMOID')", (4,)),
        Layer(f"AllInOneBlock({V}, subnet_constructor=dense, global_affine_type='EXP')", (4,)),
        Layer(f"AllInOneBlock({V}, subnet_constructor=dense, learned_householder_permutation=2)", (4,)),
        Layer(f"AllInOneBlock({E}, subnet_constructor=conv, learned_householder_permutation=2)", (4, 4, 6)),
        Layer(f"Fixed1x1Conv({E}, M=torch.eye(4) + 0.3 * torch.ones(4, 4).tril(-1) + torch.diag(torch.tensor([1.0, 0.5, -1.7, 0.2])))", (4, 4, 6)),
        Layer(f"FixedLinearTransform({V}, M=torch.eye(4) + 0.3 * torch.ones(4, 4).tril(-1) + torch.diag(torch.tensor([1.0, 0.5, -1.7, 0.2])), b=torch.arange(4.0))", (4,)),
        Layer(f"InvertibleSigmoid({V})", (4,)),
        Layer(f"InvertibleSigmoid({E})", (4, 4, 6)),
        Layer(f"PermuteRandom({E}, seed=1)", (4, 4, 6)),
        Layer(f"InvAutoAct({V})", (4,)),
        Layer(f"InvAutoActFixed({V})", (4,)),
        Layer(f"InvAutoActTwoSided({V})", (4,)),
        Layer(f"InvAutoConv2D({E})", (4, 4, 6)),
        Layer(f"InvAutoFC({V})", (4,)),
        Layer(f"LearnedElementwiseScaling({V})", (4,)),
        Layer(f"LearnedElementwiseScaling({E})", (4, 4, 6)),
        Layer(f"ActNorm({V})", (4,)),
        Layer(f"ActNorm({E})", (4, 4, 6)),
        Layer(f"IResNetLayer({V})", (4,)),
        Layer(f"HouseholderPerm({V}, n_reflections=3)", (4,)),
        Layer(f"HouseholderPerm({V}, n_reflections=3, fixed=True)", (4,)),
        Layer(f"HouseholderPerm({V}, dims_c=[(12,)], n_reflections=3)", (4,), options={"context": "normal(1, 12)"}),
        Layer(f"OrthogonalTransform({V})", (4,), options={"perturb": False}),
        Layer(f"Flatten({E})", (4, 4, 6)),
        Layer(f"Reshape({E}, output_dims=(8, 2, 6))", (4, 4, 6)),
        Layer(f"HaarDownsampling({E})", (4, 4, 6)),
        Layer(f"HaarDownsampling({E}, order_by_wavelet=True, rebalance=0.5)", (4, 4, 6)),
        Layer(f"HaarUpsampling({E})", (4, 4, 6)),
        Layer(f"HaarUpsampling({E}, rebalance=0.5)", (4, 4, 6)),
        Layer(f"IRevNetDownsampling({E})", (4, 4, 6)),
        Layer(f"IRevNetDownsampling({E}, legacy_backend=True)", (4, 4, 6)),
        Layer(f"IRevNetUpsampling({E})", (4, 4, 6)),
        Layer(f"IRevNetUpsampling({E}, legacy_backend=True)", (4, 4, 6)),
        Layer("sequence(SequenceINN)", (4,), of="SequenceINN"),
        Layer("graph(GraphINN)", (4,), of="GraphINN"),
        Layer("sequence(ReversibleSequential)", (4,), of="ReversibleSequential"),
        Layer("graph(ReversibleGraphNet)", (4,), of="ReversibleGraphNet"),
    ),
    left_out={
        "InvertibleModule": "the base class, without a map",
        "GaussianMixtureModel": "its result is a latent variable with a loss, not a bijection of x alone",
        "Concat": "it has two inputs",
        "Split": "it has two outputs",
        "deprecated_class": "a helper that raises a warning about old names",
    },
    findings=FINDINGS,
    wrapping="module([x], rev=False, jac=True), the same with rev=True",
)  # fmt: skip
