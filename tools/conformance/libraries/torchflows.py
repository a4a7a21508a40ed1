"""torchflows, https://github.com/davidnabergoj/torchflows."""

from tools.conformance.catalogue import Finding, Layer, Library

__all__ = ["LIBRARY"]

IMPORTS = """
import torch
from torchflows.bijections.base import *
from torchflows.bijections.continuous.ddnf import *
from torchflows.bijections.continuous.ffjord import *
from torchflows.bijections.continuous.otflow import *
from torchflows.bijections.continuous.rnode import *
from torchflows.bijections.finite.autoregressive.architectures import *
from torchflows.bijections.finite.autoregressive.layers import *
from torchflows.bijections.finite.matrix.base import *
from torchflows.bijections.finite.matrix.decomposition import *
from torchflows.bijections.finite.matrix.identity import *
from torchflows.bijections.finite.matrix.orthogonal import *
from torchflows.bijections.finite.matrix.permutation import *
from torchflows.bijections.finite.matrix.triangular import *
from torchflows.bijections.finite.multiscale.architectures import *
from torchflows.bijections.finite.multiscale.base import *
from torchflows.bijections.finite.residual.architectures import *
from torchflows.bijections.finite.residual.iterative import *
from torchflows.bijections.finite.residual.planar import *
from torchflows.bijections.finite.residual.proximal import *
from torchflows.bijections.finite.residual.radial import *
from torchflows.bijections.finite.residual.quasi_autoregressive import *
from torchflows.bijections.finite.multiscale.layers import *
from torchflows.bijections.finite.autoregressive.transformers.spline.cubic import *
from torchflows.bijections.finite.autoregressive.transformers.integration.unconstrained_monotonic_neural_network import *
from torchflows.bijections.finite.residual.sylvester import *
from torchflows.bijections.finite.autoregressive.transformers.combination.sigmoid import *
from torchflows.bijections.finite.autoregressive.transformers.linear.affine import *
from torchflows.bijections.finite.autoregressive.transformers.linear.convolution import *
from torchflows.bijections.finite.autoregressive.transformers.linear.matrix import *
from torchflows.bijections.finite.autoregressive.transformers.spline.linear import *
from torchflows.bijections.finite.autoregressive.transformers.spline.linear_rational import *
from torchflows.bijections.finite.autoregressive.transformers.spline.rational_quadratic import *
class fixed(torch.nn.Module):
    # a transformer with parameters of one image
    def __init__(self, transformer):
        super().__init__()
        self.transformer = transformer
        try:
            h = transformer.default_parameters
        except NotImplementedError:
            h = torch.zeros(transformer.parameter_shape)
        h = h + 0.3 * torch.randn(h.shape, generator=torch.Generator().manual_seed(0))
        self.register_buffer("h", h)
    def forward(self, x):
        return self.transformer.forward(x, self.h.expand(len(x), *self.h.shape))
    def inverse(self, y):
        return self.transformer.inverse(y, self.h.expand(len(y), *self.h.shape))
"""

VECTOR = (
    "AffineCoupling", "InverseAffineCoupling", "ShiftCoupling", "LRSCoupling", "RQSCoupling", "LinearAffineCoupling",
    "LinearLRSCoupling", "LinearRQSCoupling", "LinearShiftCoupling",
    "AffineForwardMaskedAutoregressive", "AffineInverseMaskedAutoregressive",
    "LRSForwardMaskedAutoregressive", "LRSInverseMaskedAutoregressive",
    "RQSForwardMaskedAutoregressive", "RQSInverseMaskedAutoregressive",
    "ElementwiseAffine", "ElementwiseInverseAffine", "ElementwiseRQSpline", "ElementwiseScale", "ElementwiseShift",
    "ActNorm",
    "LUMatrix", "QRMatrix", "IdentityMatrix", "HouseholderProductMatrix", "RandomPermutationMatrix",
    "ReversePermutationMatrix", "LowerTriangularInvertibleMatrix", "UpperTriangularInvertibleMatrix", 
)  # fmt: skip
"""The layers of vectors."""

SOLVED = (
    "DeepSigmoidalCoupling", "DenseSigmoidalCoupling", "DeepDenseSigmoidalCoupling",
    "DeepSigmoidalForwardMaskedAutoregressive", "DeepSigmoidalInverseMaskedAutoregressive",
    "DenseSigmoidalForwardMaskedAutoregressive", "DenseSigmoidalInverseMaskedAutoregressive",
    "DeepDenseSigmoidalForwardMaskedAutoregressive", "DeepDenseSigmoidalInverseMaskedAutoregressive",
    "UMNNMaskedAutoregressive", "InvertibleResNetBlock", "ResFlowBlock", "ProximalResFlowBlock",
)  # fmt: skip
"""The layers of vectors whose inverse, in one direction, is a bisection or a fixed point."""

ARCHITECTURES = (
    "NICE", "RealNVP", "InverseRealNVP", "MAF", "IAF", "CouplingRQNSF", "CouplingLRS", "MaskedAutoregressiveRQNSF",
    "MaskedAutoregressiveLRS", "InverseAutoregressiveRQNSF", "InverseAutoregressiveLRS", 
)  # fmt: skip

SOLVED_ARCHITECTURES = (
    "CouplingDeepSF", "CouplingDenseSF", "CouplingDeepDenseSF", "MaskedAutoregressiveDeepSF",
    "MaskedAutoregressiveDenseSF", "MaskedAutoregressiveDeepDenseSF", "InverseAutoregressiveDeepSF",
    "InverseAutoregressiveDenseSF", "InverseAutoregressiveDeepDenseSF", "UMNNMAF", "InvertibleResNet", "ResFlow",
    "ProximalResFlow",
)  # fmt: skip

IMAGES = (
    "Invertible1x1ConvolutionalCoupling", "GlowChannelWiseCoupling", "GlowCheckerboardCoupling",
    "NormalizedChannelWiseCoupling", "NormalizedCheckerboardCoupling", "ChannelWiseCoupling", "CheckerboardCoupling",
    "Squeeze",
)  # fmt: skip

MULTISCALE = (
    "AffineGlow", "RQSGlow", "LRSGlow", "ShiftGlow", "MultiscaleNICE", "MultiscaleRealNVP", "MultiscaleRQNSF",
    "MultiscaleLRSNSF",
)  # fmt: skip

SOLVED_MULTISCALE = (
    "DeepSigmoidGlow", "DenseSigmoidGlow", "DeepDenseSigmoidGlow", "MultiscaleDeepSigmoid", "MultiscaleDenseSigmoid",
    "MultiscaleDeepDenseSigmoid",
)  # fmt: skip

SOLVER = {"tolerance": 1e-3}
"""The options of layers whose inverse is a bisection or a fixed point by design."""

BASES = (
    "AutoregressiveArchitecture", "AutoregressiveBijection", "BaseSylvester", "Bijection", "ClassicResidualBijection", "ContinuousBijection", "ConvolutionalCouplingBijection", "CouplingBijection", "ElementwiseBijection", "Integration", "InverseMaskedAutoregressiveBijection", "InvertibleMatrix", "IterativeResidualBijection", "MaskedAutoregressiveBijection", "MonotonicSpline", "MultiscaleBijection", "ResidualArchitecture", "ScalarTransformer", "TensorTransformer", "Combination",
)  # fmt: skip

SIGMOIDAL = (
    "DeepSigmoidalCoupling", "DenseSigmoidalCoupling", "DeepDenseSigmoidalCoupling",
    "DeepSigmoidalForwardMaskedAutoregressive", "DeepSigmoidalInverseMaskedAutoregressive",
    "DenseSigmoidalForwardMaskedAutoregressive", "DenseSigmoidalInverseMaskedAutoregressive",
    "DeepDenseSigmoidalForwardMaskedAutoregressive", "DeepDenseSigmoidalInverseMaskedAutoregressive",
    "CouplingDeepSF", "CouplingDenseSF", "CouplingDeepDenseSF", "MaskedAutoregressiveDeepSF",
    "MaskedAutoregressiveDenseSF", "MaskedAutoregressiveDeepDenseSF", "InverseAutoregressiveDeepSF",
    "InverseAutoregressiveDenseSF", "InverseAutoregressiveDeepDenseSF", "DeepSigmoidGlow", "DenseSigmoidGlow",
    "DeepDenseSigmoidGlow", "MultiscaleDeepSigmoid", "MultiscaleDenseSigmoid", "MultiscaleDeepDenseSigmoid",
    "Sigmoid", "DenseSigmoid", "DeepSigmoid", "DeepDenseSigmoid",
)  # fmt: skip
"""The layers that use the transformers Sigmoid and DenseSigmoid."""

LOG_DETS = ("log det", "factor", "small error", "log det of the inverse")
"""The causes of a wrong log-determinant of which `check` says no more."""

FINDINGS = (
    Finding(
        subject="sigmoid-log-det",
        severity="wrong",
        title="the log-determinants of the transformers `Sigmoid` and `DenseSigmoid`, and of all layers that use them, "
        "are wrong by tens to thousands of nats",
        explains=tuple((name, cause) for name in SIGMOIDAL for cause in LOG_DETS),
        lines="""
import torch; from torchflows.bijections.finite.autoregressive.layers import DeepSigmoidalCoupling
torch.manual_seed(0); layer = DeepSigmoidalCoupling((4,)).double()
x = torch.randn(4, dtype=torch.float64)
got = layer(x[None])[1].item()
J = torch.autograd.functional.jacobian(lambda v: layer(v[None])[0][0], x)
expected = torch.linalg.slogdet(J)[1].item()
""",
        confirm="confirmed = numerical_log_det("
        "lambda a: layer(torch.tensor(a)[None])[0][0].detach().numpy(), x.numpy())",
        confirmation="the Jacobian by central differences in float64",
        expected="With z = logit(d), d = sum_i w_i sigma(a_i x + b_i), the derivative is dz/dx = "
        "sum_i w_i a_i sigma'(a_i x + b_i) / (d (1 - d)). Its logarithm is the log-sum-exp over i of "
        "log w_i + log a_i + log sigma(c_i) + log sigma(-c_i), minus log d + log(1 - d).",
        suggestion="`forward_1d` sums these logarithms over i where log-sum-exp belongs, and has log d - log(1 - d) in "
        "place of -log d - log(1 - d). `DenseSigmoid` needs a product of such matrices by log-sum-exp, layer by "
        "layer, where it adds all entries.",
    ),
    Finding(
        subject="ode-solver",
        severity="by design",
        title="continuous flows solve an ODE in fixed steps and estimate the trace by random vectors, so that the two "
        "directions agree approximately",
        explains=(
            ("FFJORD", "log det of the inverse"),
            ("RNODE", "log det of the inverse"),
        ),
    ),
    Finding(
        subject="invertible-1x1-convolution",
        severity="wrong",
        title="the log-determinant of `Invertible1x1ConvolutionalCoupling` forgets the number of pixels H W, and with "
        "it that of all Glow architectures",
        explains=tuple(
            (name, cause)
            for cause in (*LOG_DETS, "pixels")
            for name in (
                "Invertible1x1ConvolutionalCoupling",
                "Invertible1x1ConvolutionTransformer",
                "GlowChannelWiseCoupling",
                "GlowCheckerboardCoupling",
                "AffineGlow",
                "RQSGlow",
                "LRSGlow",
                "ShiftGlow",
            )
        ),
        lines="""
import torch; from torchflows.bijections.finite.multiscale.base import Invertible1x1ConvolutionalCoupling
torch.manual_seed(0); layer = Invertible1x1ConvolutionalCoupling((4, 2, 2)).double()
x = torch.randn(1, 4, 2, 2, dtype=torch.float64)
got = layer(x)[1].item()
J = torch.autograd.functional.jacobian(lambda v: layer(v)[0], x).reshape(16, 16)
expected = torch.linalg.slogdet(J)[1].item()
""",
        confirm="confirmed = numerical_log_det(lambda a: layer(torch.tensor(a))[0].detach().numpy(), x.numpy())",
        confirmation="the Jacobian by central differences in float64",
        expected="A matrix A that acts on the channels of each of H W pixels has log|det J| = H W log|det A|.",
        suggestion="`apply_linear` should sum the log-determinant over `image_dims`, or multiply it by their number.",
    ),
)

LIBRARY = Library(
    title="torchflows",
    distribution="torchflows",
    version="1.2.1",
    unneeded={"pytest": "a test runner, which its layers do not import"},
    imports=IMPORTS,
    roots=("torchflows.bijections",),
    bases=("torchflows.bijections.base.Bijection",),
    layers=(
        *(Layer(f"{name}((4,))", (4,)) for name in VECTOR),
        *(Layer(f"{name}((4,))", (4,), options=SOLVER) for name in SOLVED),
        *(Layer(f"{name}((4,), n_layers=1)", (4,)) for name in ARCHITECTURES),
        *(Layer(f"{name}((4,), n_layers=1)", (4,), options=SOLVER) for name in SOLVED_ARCHITECTURES),
        *(Layer(f"{name}((4, 4, 4)" + (", transformer_class=Affine)" if "wise" in name.lower() or "Checker" in name else ")"), (4, 4, 4)) for name in IMAGES),
        *(Layer(f"{name}((3, 4, 4), n_layers=1)", (3, 4, 4)) for name in MULTISCALE),
        Layer("AffineGlow((3, 8, 8))", (3, 8, 8)),
        *(Layer(f"{name}((3, 4, 4), n_layers=1)", (3, 4, 4), options=SOLVER) for name in SOLVED_MULTISCALE),
        Layer("BijectiveComposition([ElementwiseAffine((4,)), ReversePermutationMatrix((4,))])", (4,)),
        Layer("PermutationMatrix((4,), torch.tensor([2, 0, 3, 1]))", (4,)),
        Layer("NonTrainableLowerTriangularInvertibleMatrix(torch.eye(4) + 0.3 * torch.ones(4, 4).tril(-1))", (4,)),
        *(
            Layer(f"{name}((4,)).inverse", (4,), of=name)
            for name in ("Planar", "Radial", "HouseholderSylvester", "IdentitySylvester", "PermutationSylvester")
        ),
        *(
            Layer(f"{name}((4,), n_layers=1).inverse", (4,), of=name)
            for name in ("PlanarBijection", "RadialBijection", "SylvesterBijection")
        ),
        Layer("ConvolutionalInvertibleResNetBlock((3, 4, 4))", (3, 4, 4), options=SOLVER),
        Layer("ConvolutionalResFlowBlock((3, 4, 4))", (3, 4, 4), options=SOLVER),
        Layer("ConvolutionalInvertibleResNet((3, 4, 4), n_layers=1)", (3, 4, 4), options=SOLVER),
        Layer("ConvolutionalResFlow((3, 4, 4), n_layers=1)", (3, 4, 4), options=SOLVER),
        Layer("MultiscaleAffineCoupling((3, 4, 4), n_blocks=1)", (3, 4, 4)),
        Layer("fixed(DeepSigmoid((4,)))", (4,), of="DeepSigmoid", options=SOLVER),
        Layer("fixed(DeepDenseSigmoid((4,)))", (4,), of="DeepDenseSigmoid", options=SOLVER),
        Layer("fixed(SafeAffine((4,)))", (4,), of="SafeAffine"),
        Layer("fixed(Cubic((4,)))", (4,), of="Cubic"),
        Layer("fixed(UnconstrainedMonotonicNeuralNetwork((4,)))", (4,), of="UnconstrainedMonotonicNeuralNetwork", options=SOLVER),
        Layer("DDNF((4,), n_steps=20)", (4,), options=SOLVER),
        Layer("FFJORD((4,))", (4,), options=SOLVER),
        Layer("RNODE((4,))", (4,), options=SOLVER),
        Layer("OTFlowBijection((4,))", (4,), options=SOLVER),
        *(
            Layer(f"fixed({name}((4,){more}))", (4,), of=name, options=options)
            for name, more, options in (
                ("Affine", "", {}), ("Affine2", "", {}), ("InverseAffine", "", {}), ("Scale", "", {}), ("Shift", "", {}),
                ("LUTransformer", "", {}), ("Linear", "", {}), ("LinearRational", "", {}), ("RationalQuadratic", "", {}),
                ("Sigmoid", "", SOLVER), ("DenseSigmoid", "", SOLVER),
            )
        ),
        Layer("fixed(Invertible1x1ConvolutionTransformer((3, 2, 5)))", (3, 2, 5), of="Invertible1x1ConvolutionTransformer"),
    ),
    left_out={
        **dict.fromkeys(BASES, "a base class, without a map of its own"),
        "QuasiAutoregressiveFlowBlock": "its constructor raises TypeError (torch.randn without a size), so that there is nothing to check",
        "ConvolutionalDDNF": "its log-determinant is an integral over time of images: as DDNF, at a hundred times the cost",
        "ConvolutionalFFJORD": "as FFJORD, at a hundred times the cost",
        "ConvolutionalRNODE": "as RNODE, at a hundred times the cost",
        "UnconstrainedMonotonicTransformer": "the map inside UnconstrainedMonotonicNeuralNetwork, which is checked",
    },
    findings=FINDINGS,
    wrapping="forward and inverse, which return pairs; transformers with parameters of one image, as a module; layers that have only an inverse, as a function",
)  # fmt: skip
