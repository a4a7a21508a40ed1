"""torchflows, https://github.com/davidnabergoj/torchflows."""

from tools.conformance.catalogue import Layer, Library
from tools.conformance.libraries._torchflows_findings import FINDINGS

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
    "DeepDenseSigmoidalForwardMaskedAutoregressive",
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
    "InverseAutoregressiveDenseSF", "UMNNMAF", "InvertibleResNet", "ResFlow",
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
        Layer("AffineGlow((1, 4, 4), n_layers=2)", (1, 4, 4)),
        *(Layer(f"{name}((3, 4, 4), n_layers=1)", (3, 4, 4), options=SOLVER) for name in SOLVED_MULTISCALE),
        Layer("BijectiveComposition([ElementwiseAffine((4,)), ReversePermutationMatrix((4,))])", (4,)),
        Layer("PermutationMatrix((4,), torch.tensor([2, 0, 3, 1]))", (4,)),
        Layer("NonTrainableLowerTriangularInvertibleMatrix(torch.eye(4) + 0.3 * torch.ones(4, 4).tril(-1))", (4,)),
        Layer("DeepDenseSigmoidalInverseMaskedAutoregressive((2,))", (2,), options=SOLVER),
        Layer("InverseAutoregressiveDeepDenseSF((2,), n_layers=1)", (2,), options=SOLVER),
        *(Layer(f"{name}((4,), inverse=True)", (4,)) for name in ("Planar", "Radial")),
        *(
            Layer(f"{name}((4,), n_layers=1, layer_kwargs={{'inverse': True}})", (4,))
            for name in ("PlanarBijection", "RadialBijection")
        ),
        *(
            Layer(f"{make}.inverse", (size,), of=make.split("(")[0])
            for make, size in (
                ("HouseholderSylvester((4,))", 4), ("IdentitySylvester((4,))", 4), ("PermutationSylvester((4,))", 4),
                ("HouseholderSylvester((4,), m=4)", 4), ("PermutationSylvester((4,), m=4)", 4),
                ("IdentitySylvester((5,))", 5), ("PermutationSylvester((3,))", 3),
                ("SylvesterBijection((4,), n_layers=1)", 4),
            )
        ),
        Layer("ConvolutionalInvertibleResNetBlock((3, 4, 4))", (3, 4, 4), options=SOLVER),
        Layer("ConvolutionalResFlowBlock((3, 4, 4))", (3, 4, 4), options=SOLVER),
        Layer("ConvolutionalInvertibleResNet((3, 4, 4), n_layers=1)", (3, 4, 4), options=SOLVER),
        Layer("ConvolutionalResFlow((3, 4, 4), n_layers=1)", (3, 4, 4), options=SOLVER),
        Layer("MultiscaleAffineCoupling((3, 4, 4), n_blocks=1)", (3, 4, 4)),
        *(
            Layer(f"ElementwiseBijection((4,), {name})", (4,), of=name, options=SOLVER)
            for name in ("Sigmoid", "DeepSigmoid", "DeepDenseSigmoid", "UnconstrainedMonotonicNeuralNetwork")
        ),
        Layer("fixed(SafeAffine((4,)))", (4,), of="SafeAffine"),
        Layer("ElementwiseBijection((4,), Affine2)", (4,), of="Affine2"),
        Layer("ElementwiseBijection((4,), type('Affine2', (Affine2,), {'parameter_shape_per_element': (2,)}))", (4,), of="Affine2"),
        Layer("DDNF((4,))", (4,), options=SOLVER),
        Layer("FFJORD((4,))", (4,), options=SOLVER),
        Layer("RNODE((4,))", (4,), options=SOLVER),
        Layer("ConvolutionalDDNF((1, 2, 4))", (1, 2, 4), options=SOLVER),
        Layer("ConvolutionalDDNF((1, 2, 4), n_steps=50, time_derivative_kwargs={})", (1, 2, 4), options=SOLVER),
        Layer("ConvolutionalFFJORD((1, 2, 4))", (1, 2, 4), options=SOLVER),
        Layer("ConvolutionalRNODE((1, 2, 4))", (1, 2, 4), options=SOLVER),
        Layer("OTFlowBijection((4,))", (4,), options=SOLVER),
        Layer("OTFlowBijection((4,), solver='dopri5')", (4,), options=SOLVER),
        *(
            Layer(f"fixed({name}((4,){more}))", (4,), of=name, options=options)
            for name, more, options in (
                ("Affine", "", {}), ("InverseAffine", "", {}), ("Scale", "", {}), ("Shift", "", {}),
                ("LUTransformer", "", {}), ("Linear", "", {}), ("LinearRational", "", {}), ("RationalQuadratic", "", {}),
                ("DenseSigmoid", "", SOLVER),
            )
        ),
        Layer("fixed(Invertible1x1ConvolutionTransformer((3, 2, 5)))", (3, 2, 5), of="Invertible1x1ConvolutionTransformer"),
    ),
    left_out={
        **dict.fromkeys(BASES, "a base class, without a map of its own"),
        "QuasiAutoregressiveFlowBlock": "its constructor raises TypeError (torch.randn without a size), so that there is nothing to check",
        "Cubic": "unfinished: it declares no shape of its parameters, and its inverse raises NotImplementedError",
        "UnconstrainedMonotonicTransformer": "the map inside UnconstrainedMonotonicNeuralNetwork, which is checked",
    },
    findings=FINDINGS,
    wrapping="forward and inverse, which return pairs; transformers with parameters of one image, as a module; layers that have only an inverse are inverted (inverse=True) or taken as a function",
)  # fmt: skip
