"""The findings about torchflows that were judged."""

from tools.conformance.catalogue import Finding

__all__ = ["FINDINGS"]

FINITE = "torchflows.bijections.finite"

LOG_DETS = ("log det", "factor", "small error", "log det of the inverse")
"""The causes of a wrong log-determinant of which `check` says no more."""

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

SEQUENTIAL = (
    "LRSForwardMaskedAutoregressive", "RQSForwardMaskedAutoregressive", "UMNNMaskedAutoregressive",
    "LRSInverseMaskedAutoregressive", "RQSInverseMaskedAutoregressive", "MaskedAutoregressiveRQNSF",
    "MaskedAutoregressiveLRS", "UMNNMAF", "InverseAutoregressiveRQNSF", "InverseAutoregressiveLRS",
)  # fmt: skip
"""The layers that use MaskedAutoregressiveBijection.inverse with a transformer that is not affine."""

SPECTRAL = (
    "InvertibleResNetBlock", "ResFlowBlock", "InvertibleResNet", "ResFlow",
    "ConvolutionalInvertibleResNetBlock", "ConvolutionalResFlowBlock", "ConvolutionalInvertibleResNet",
    "ConvolutionalResFlow",
)  # fmt: skip
"""The layers whose residual is a network of spectrally normalized matrices."""

GLOW = (
    "Invertible1x1ConvolutionalCoupling", "Invertible1x1ConvolutionTransformer", "GlowChannelWiseCoupling",
    "GlowCheckerboardCoupling", "AffineGlow", "RQSGlow", "LRSGlow", "ShiftGlow",
)  # fmt: skip
"""The layers that use the invertible 1x1 convolution."""

SIGMOID_LOG_DET = Finding(
    subject="sigmoid-log-det",
    severity="wrong",
    title="the log-determinants of the transformers `Sigmoid` and `DenseSigmoid`, and of all layers that use them, "
    "are wrong by tens to thousands of nats",
    explains=tuple((name, cause) for name in SIGMOIDAL for cause in LOG_DETS),
    lines=f"""
import torch; from {FINITE}.autoregressive.layers import DeepSigmoidalCoupling
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
)

INVERTIBLE_1X1 = Finding(
    subject="invertible-1x1-convolution",
    severity="wrong",
    title="the log-determinant of `Invertible1x1ConvolutionalCoupling` forgets the number of pixels H W, and with "
    "it that of all Glow architectures",
    explains=tuple((name, cause) for cause in (*LOG_DETS, "pixels") for name in GLOW),
    lines=f"""
import torch; from {FINITE}.multiscale.base import Invertible1x1ConvolutionalCoupling
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
)

SEQUENTIAL_INVERSE = Finding(
    subject="masked-autoregressive-inverse",
    severity="wrong",
    title="`MaskedAutoregressiveBijection.inverse` returns a log-determinant that is taken at wrong points, unless the "
    "transformer is affine",
    explains=tuple((name, cause) for name in SEQUENTIAL for cause in LOG_DETS),
    lines=f"""
import torch; from {FINITE}.autoregressive.layers import UMNNMaskedAutoregressive
torch.manual_seed(0); layer = UMNNMaskedAutoregressive((4,)).double()
x = torch.randn(1, 4, dtype=torch.float64); [p.data.normal_(0, 0.3) for p in layer.parameters()]
z, log_det = layer(x)
got = layer.inverse(z)[1].item()
expected = -log_det.item()
""",
    confirm="confirmed = -numerical_log_det(lambda a: layer(torch.tensor(a))[0].detach().numpy(), x.numpy())",
    confirmation="minus the log-determinant of the Jacobian of forward by central differences in float64",
    expected="The inverse at z = forward(x) has minus the log-determinant of forward at x. The forward direction of "
    "`InverseMaskedAutoregressiveBijection`, which is this inverse, is wrong in the same way.",
    suggestion="In step i the entries before i are those of x already, and `transformer.inverse` takes them for "
    "entries of z. The log-determinant of the last step is right in its last term alone. It helps to keep z, and to "
    "call `transformer.inverse(z, h)` once more with the parameters h of the finished x.",
)

RADIAL = Finding(
    subject="radial-norm",
    severity="wrong",
    title="`Radial` takes the absolute value of each entry of z - z0 for its norm, and its log-determinant is not that of "
    "the map",
    explains=(("Radial", "log det"), ("RadialBijection", "log det")),
    lines=f"""
import torch; from {FINITE}.residual.radial import Radial
torch.manual_seed(0); layer = Radial((4,)).double()
z = torch.randn(4, dtype=torch.float64)
got = layer.inverse(z[None])[1].item()
J = torch.autograd.functional.jacobian(lambda v: layer.inverse(v[None])[0][0], z)
expected = torch.linalg.slogdet(J)[1].item()
""",
    confirm="confirmed = numerical_log_det("
    "lambda a: layer.inverse(torch.tensor(a)[None])[0][0].detach().numpy(), z.numpy())",
    confirmation="the Jacobian by central differences in float64",
    expected="With r = |z - z0|, a norm, and h = 1 / (alpha + r), the map x = z + beta h (z - z0) of D entries has "
    "log|det J| = (D - 1) log(1 + beta h) + log(1 + beta alpha h^2), equation 14 of Rezende and Mohamed (2015).",
    suggestion="`r = torch.linalg.norm(z - z0, dim=-1, keepdim=True)` in place of `torch.abs(z - z0)` makes both sides "
    "agree. The map is invertible only if beta > -alpha, which nothing ensures.",
)

SYLVESTER = Finding(
    subject="sylvester-rank",
    severity="wrong",
    title="`HouseholderSylvester` and `PermutationSylvester` raise with the default m = D // 2 if D > 3, and "
    "`IdentitySylvester` raises unless D = 2 m",
    explains=tuple(
        (f"{kind}Sylvester", cause)
        for kind in ("Householder", "Permutation", "Identity")
        for cause in ("forward raises", "part", *LOG_DETS)
    ),
    lines=f"""
import torch; from {FINITE}.residual.sylvester import HouseholderSylvester
layer, got, expected = HouseholderSylvester((4,)), "it runs", "it runs"
try: layer.inverse(torch.randn(5, 4))
except RuntimeError as error: got = str(error)
""",
    confirm="""
import numpy as np
rng = np.random.default_rng(0)
q, b = np.linalg.qr(rng.normal(size=(4, 4)))[0][:, :2], rng.normal(size=2)
r, s = (np.triu(rng.normal(size=(2, 2))) for _ in range(2))
z = rng.normal(size=4)
slopes = 1 - np.tanh(s @ q.T @ z + b) ** 2
short = np.linalg.slogdet(np.eye(2) + slopes[:, None] * (s @ r))[1]
whole = numerical_log_det(lambda z: z + q @ r @ np.tanh(s @ q.T @ z + b), z)
confirmed = "it runs" if abs(short - whole) < 1e-6 else "another log-determinant"
""",
    confirmation="the map with m = 2 and D = 4 in NumPy, whose log-determinant is that of its numerical Jacobian",
    expected="x = z + Q R h(R~ Q^T z + b) with Q of shape (D, m) and triangular R, R~ of shape (m, m), for m <= D "
    "(van den Berg et al., 2018).",
    suggestion="`compute_u` and `compute_w` have to multiply by the first m columns of Q. `HouseholderSylvester` applies "
    "Q to R, which has m rows; `PermutationSylvester` leaves Q out, and where m = 1 broadcasting hides this and the "
    "log-determinant is wrong, as for D = 3; `IdentitySylvester` appends m rows of zeros, where D - m belong. "
    "`matmul_with_householder` does not divide by v^T v.",
)

SPECTRAL_NORM = Finding(
    subject="spectral-norm",
    severity="wrong",
    title="`SpectralMatrix` estimates its norm from new random numbers in each call, in evaluation mode too, so that "
    "forward is another map at each call, and its inverse does not undo it",
    explains=tuple(
        (name, cause)
        for name in SPECTRAL
        for cause in ("inverse", "inverse, shift", "inverse, factor", "inverse, approximate")
    ),
    lines=f"""
import torch; from {FINITE}.residual.iterative import InvertibleResNetBlock
torch.manual_seed(0); layer = InvertibleResNetBlock((4,)).double().eval()
x = torch.randn(5, 4, dtype=torch.float64)
got = layer.inverse(layer(x)[0])[0]
expected = x
""",
    confirm="""
import numpy as np
for part in layer.g.layers:
    if hasattr(part, "w"):
        weight = part.w.data.detach()
        part.w.normalized = lambda w=0.7 * weight / np.linalg.norm(weight.numpy(), 2): w
confirmed = layer.inverse(layer(x)[0])[0]
""",
    confirmation="the same layer with 0.7 W / |W|, where the norm |W| is NumPy's",
    expected="inverse(forward(x)) = x, with a residual whose Lipschitz constant is c = 0.7 at most.",
    suggestion="Keep the vectors of the power iteration in buffers, update them in training only, and return "
    "`c * data / sigma`: c is not used, and sigma is estimated from below, so that the norms of the weights exceed 1. For "
    "`SpectralConv2d` the norm of the reshaped matrix does not bound that of the convolution (1.6 for 3 channels and "
    "4 x 4 pixels, 1.9 for 8 channels and 6 x 6). `SpectralNeuralNetwork` has `hidden_size` hidden layers, whatever n_hidden_layers is.",
)

RESIDUAL_INVERSE = Finding(
    subject="residual-inverse-sign",
    severity="wrong",
    title="the inverse of the iterative residual layers returns the log-determinant of forward, not minus it",
    lines=f"""
import torch; from {FINITE}.residual.iterative import InvertibleResNetBlock
g = torch.nn.Linear(1, 1).double(); g.weight.data.fill_(0.5)
layer = InvertibleResNetBlock((1,), g=g, n_power_series_iterations=50).eval()
torch.manual_seed(0); z = torch.randn(100000, 1, dtype=torch.float64)
got = layer.inverse(z)[1].mean().item()
expected = -torch.log(torch.tensor(1.5, dtype=torch.float64)).item()
""",
    confirm="confirmed = numerical_log_det("
    "lambda a: layer.inverse(torch.tensor(a))[0].detach().numpy(), z[:1].numpy())",
    confirmation="the Jacobian of the inverse by central differences in float64",
    expected="The inverse of z = x + x / 2 + b has log|det| = -log 1.5, by the convention of `Bijection.inverse`. (The mean "
    "over many random vectors is compared.)",
    suggestion="Return `-log_det` in `IterativeResidualBijection.inverse` and `ProximalResFlowBlock.inverse`. "
    "`Flow.sample(..., return_log_prob=True)` adds it where it should subtract, so that the two cancel there: both have to "
    "change.",
)

ROULETTE = Finding(
    subject="roulette-log-det",
    severity="wrong",
    title="the log-determinant of `ResFlowBlock` is biased: `roulette_log_abs_det_estimator` weighs the power k + 1 of the "
    "Jacobian by 1 / k",
    lines=f"""
import torch; from {FINITE}.residual.iterative import ResFlowBlock
g = torch.nn.Linear(1, 1).double(); g.weight.data.fill_(0.5)
layer = ResFlowBlock((1,), g=g).eval(); torch.manual_seed(0)
x = torch.randn(1000, 1, dtype=torch.float64)
got = sum(layer(x)[1].mean().item() for _ in range(2000)) / 2000
expected = torch.log(torch.tensor(1.5, dtype=torch.float64)).item()
""",
    confirm="confirmed = numerical_log_det(lambda a: layer(torch.tensor(a))[0].detach().numpy(), x[:1].numpy())",
    confirmation="the Jacobian by central differences in float64",
    expected="The mean of the estimates is log det(I + J) = tr J - tr J^2 / 2 + tr J^3 / 3 - ..., here log 1.5. It is "
    "tr J - tr J^2 + tr J^3 / 2 - ..., that is tr(J - J log(I + J)), here (1 - log 1.5) / 2 = 0.2973.",
    suggestion="The vector that is multiplied by J once more has to be the sum of (-1)^k / ((k + 1) p_k) J^k. (Without the "
    "factor 1 / (k + 1) it would be the Neumann series, whose gradient is right and whose value is not.)",
)

HUTCHINSON = Finding(
    subject="hutchinson-samples",
    severity="wrong",
    title="with n_hutchinson_samples > 1 the power series of `InvertibleResNetBlock` is taken at points that mix the "
    "entries of x",
    lines=f"""
import torch; from {FINITE}.residual.iterative import InvertibleResNetBlock
torch.manual_seed(4); g = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh()).double()
layer = InvertibleResNetBlock((2,), g=g, n_power_series_iterations=40, n_hutchinson_samples=20000).eval()
x = torch.tensor([[0.0, 2.0]], dtype=torch.float64)
got = layer(x)[1].item()
expected = torch.linalg.slogdet(torch.eye(2) + torch.autograd.functional.jacobian(g, x[0]))[1].item()
""",
    confirm="confirmed = numerical_log_det(lambda a: layer(torch.tensor(a), skip_log_det=True)[0].detach().numpy(), "
    "x.numpy())",
    confirmation="the Jacobian by central differences in float64",
    expected="The mean over many random vectors tends to log|det(I + dg/dx)| at x; with one vector a call it does.",
    suggestion="`x[..., None].repeat(...)` has shape (N, D, samples), and `.view(N * samples, D)` does not move the axis "
    "of samples: `.movedim(-1, 1)` is missing before it, and its reverse after it, for x and for the noise.",
)

PROXIMAL = Finding(
    subject="proximal-log-det",
    severity="wrong",
    title="the log-determinant of `ProximalResFlowBlock` leaves out two factors of its forward, and its inverse one",
    explains=tuple(
        (name, cause)
        for name in ("ProximalResFlowBlock", "ProximalResFlow")
        for cause in (*LOG_DETS, "inverse", "inverse, factor", "inverse, approximate")
    ),
    lines=f"""
import torch; from {FINITE}.residual.proximal import ProximalResFlowBlock
torch.manual_seed(0); layer = ProximalResFlowBlock((4,)).double()
x = torch.randn(4, dtype=torch.float64)
got = layer(x[None])[1].item()
J = torch.autograd.functional.jacobian(lambda v: layer(v[None])[0][0], x)
expected = torch.linalg.slogdet(J)[1].item()
""",
    confirm="confirmed = numerical_log_det("
    "lambda a: layer(torch.tensor(a)[None])[0][0].detach().numpy(), x.numpy())",
    confirmation="the Jacobian by central differences in float64",
    expected="For z = x + gamma Phi(x), Phi(x) = T^T tanh(T x + b) with orthogonal T, log|det J| is the sum over i of "
    "log(1 + gamma tanh'(T x + b)_i), as `log_det_single_layer` has it, and `inverse` solves for x.",
    suggestion="Forward computes (x + gamma tanh(Phi(x))) / (1 + gamma - gamma t). The second tanh comes from `self.act = "
    "act` in `PNN`, which a `Sequential` takes for one more step. The factor should be left out of forward, or "
    "enter the log-determinant and the inverse. With n_layers=2, `log_det_roulette` is called without its event shape.",
)

OT_FLOW = Finding(
    subject="ot-flow-divergence",
    severity="wrong",
    title="the divergence of `OTFlowTimeDerivative` is not that of its velocity once w is trained: `compute_z1` takes w "
    "into the activation",
    explains=tuple(("OTFlowBijection", cause) for cause in LOG_DETS),
    lines="""
import torch; from torchflows.bijections.continuous.otflow import OTFlowBijection
torch.manual_seed(0); f = OTFlowBijection((4,)).double().eval().f; f.time_deriv.w.data.fill_(2.0)  # it starts at 1
x, t = torch.randn(4, dtype=torch.float64), torch.tensor(0.5, dtype=torch.float64)
got = f.step(t, x[None])[1].item()
J = torch.autograd.functional.jacobian(lambda v: f.step(t, v[None])[0][0], x)
expected = J.trace().item()
""",
    confirm="confirmed = float(numerical_jacobian("
    "lambda a: f.step(t, torch.tensor(a)[None])[0][0].detach().numpy(), x.numpy()).trace())",
    confirmation="the trace of the Jacobian by central differences in float64",
    expected="z1 = w + h K1^T diag(tanh(K1 u0 + b1)) w, equation 13 of Onken et al. (2021), of which the trace formula "
    "`hessian_trace` holds.",
    suggestion="`act = self.sigma_prime(lin) * w` in place of `self.sigma_prime(lin * w)`; they agree for w = 1, where it "
    "starts.",
)

GLOW_CHECKERBOARD = Finding(
    subject="glow-checkerboard-constructor",
    severity="wrong",
    title="`GlowCheckerboardCoupling` cannot be made, with or without transformer_class",
    explains=(("GlowCheckerboardCoupling", "error"),),
    lines=f"""
from {FINITE}.multiscale.base import GlowCheckerboardCoupling
from {FINITE}.autoregressive.transformers.linear.affine import Affine
got = expected = "it is made"
try: GlowCheckerboardCoupling((4, 4, 4), transformer_class=Affine)
except TypeError as error: got = str(error)
""",
    confirm=f"from {FINITE}.multiscale.base import GlowChannelWiseCoupling\n"
    "GlowChannelWiseCoupling((4, 4, 4), transformer_class=Affine)\nconfirmed = 'it is made'",
    confirmation="`GlowChannelWiseCoupling` is made with the same arguments",
    expected="The layer is made, as `GlowChannelWiseCoupling` is.",
    suggestion="Do not hand the keyword arguments on to `Invertible1x1ConvolutionalCoupling`. The Glow architectures do not "
    "meet this, because `MultiscaleBijection` does not hand checkerboard_class and channel_wise_class on to its lower "
    "levels, which therefore have no 1x1 convolutions.",
)

CONVOLUTIONAL_DDNF = Finding(
    subject="convolutional-ddnf-constructor",
    severity="wrong",
    title="`ConvolutionalDDNF` cannot be made without time_derivative_kwargs",
    explains=(("ConvolutionalDDNF", "error"),),
    lines="""
from torchflows.bijections.continuous.ddnf import ConvolutionalDDNF
got = expected = "it is made"
try: ConvolutionalDDNF((1, 4, 4))
except TypeError as error: got = str(error)
""",
    confirm="ConvolutionalDDNF((1, 4, 4), time_derivative_kwargs={})\nconfirmed = 'it is made'",
    confirmation="the same call with time_derivative_kwargs={}",
    expected="The argument is optional, as its default None says.",
    suggestion="`time_derivative_kwargs = time_derivative_kwargs or {}` before its first use, as `DDNF` has it.",
)

AFFINE2 = Finding(
    subject="affine2-parameter-shape",
    severity="wrong",
    title="`Affine2` declares no parameter_shape_per_element, so that no layer can be made with it",
    explains=(("Affine2", "error"),),
    lines=f"""
from {FINITE}.autoregressive.layers_base import ElementwiseBijection
from {FINITE}.autoregressive.transformers.linear.affine import Affine2
got = expected = "it is made"
try: ElementwiseBijection((4,), Affine2)
except NotImplementedError as error: got = type(error).__name__
""",
    confirm="Affine2.parameter_shape_per_element = (2,)\nElementwiseBijection((4,), Affine2)\n"
    "del Affine2.parameter_shape_per_element\nconfirmed = 'it is made'",
    confirmation="the same call after Affine2.parameter_shape_per_element = (2,)",
    expected="A transformer says how many parameters it takes for each entry, here 2.",
    suggestion="Define `parameter_shape_per_element` as (2,), and `default_parameters` as zeros, as `Affine` does.",
)

SAMPLE_LOG_PROB = Finding(
    subject="sample-log-prob",
    severity="wrong",
    title="`Flow.sample(..., return_log_prob=True)` adds the log-determinant of the inverse where it has to be subtracted",
    lines=f"""
import torch; from torchflows.flows import Flow
from {FINITE}.autoregressive.layers import ElementwiseScale
torch.manual_seed(0); flow = Flow(ElementwiseScale((4,))).double()
x, got = flow.sample(3, return_log_prob=True)
expected = flow.log_prob(x)
""",
    confirm="""
import numpy as np
def forward(x):
    return flow.bijection(torch.tensor(x[None]))[0][0].detach().numpy()
normal = [-0.5 * np.sum(forward(one) ** 2) - 2 * np.log(2 * np.pi) for one in x.detach().numpy()]
confirmed = [n + numerical_log_det(forward, one) for n, one in zip(normal, x.detach().numpy())]
""",
    confirmation="the normal density of forward(x) in NumPy and its Jacobian by central differences",
    expected="log p(x) = log p(z) + log|det dz/dx|, and the inverse returns log|det dx/dz|.",
    suggestion="`self.base_log_prob(z) - log_det` in `Flow.sample` and in its copy `ContinuousBijection.sample`. "
    "The inverses of the iterative residual layers return the log-determinant of forward, so that the two cancel for "
    "these: both have to change.",
)

NAN = Finding(
    subject="bisection-nan",
    severity="fragile",
    title="`bisection_no_gradient` returns the lower end of its interval for NaN",
    explains=tuple((name, "NaN, silenced") for name in SIGMOIDAL),
    lines="""
import torch; from torchflows.bijections.numerical_inversion import bisection_no_gradient
y = torch.tensor([float("nan")])
got = str(bisection_no_gradient(lambda x: (x, x), y, a=-10.0, b=10.0)[0].item())
expected = "nan"
""",
    confirm="import numpy as np; confirmed = str(float(np.interp(np.nan, [-10.0, 10.0], [-10.0, 10.0])))",
    confirmation="numpy.interp of the same function",
)

LRS_WEIGHT = Finding(
    subject="linear-rational-epsilon",
    severity="fragile",
    title="the log-determinant of `LinearRational` has an absolute eps of 5e-10 in a logarithm, and is off by nats where "
    "the first weight, on which the map does not depend, is small",
    lines=f"""
import torch; from {FINITE}.autoregressive.transformers.spline.linear_rational import LinearRational
t, x = LinearRational((1,)), torch.tensor([[3.0]], dtype=torch.float64)
h = torch.zeros(1, 1, 32, dtype=torch.float64); h[..., 31] = -10.0  # the first weight is softplus(-10)
got = t.forward(x, h)[1].item()
expected = torch.autograd.functional.jacobian(lambda v: t.forward(v, h)[0], x).abs().log().item()
""",
    confirm="confirmed = numerical_log_det(lambda a: t.forward(torch.tensor(a), h)[0].numpy(), x.numpy())",
    confirmation="the derivative by central differences in float64",
)

ODE = Finding(
    subject="ode-solver",
    severity="by design",
    title="continuous flows solve an ODE in fixed steps (DDNF by Euler's method, as its documentation says) or to a "
    "tolerance of 1e-5, and estimate the trace by random vectors, so that results and gradients agree approximately",
    explains=(
        ("FFJORD", "log det of the inverse"),
        ("RNODE", "log det of the inverse"),
        ("DDNF", "inverse"),
        *(("DDNF", cause) for cause in LOG_DETS),
        ("ConvolutionalDDNF", "inverse"),
        *(("OTFlowBijection", cause) for cause in ("inverse", "gradient of y", "gradient of log det")),
    ),
)

ESTIMATED = Finding(
    subject="residual-log-det",
    severity="by design",
    title="invertible residual networks estimate the log-determinant by random vectors and a power series, which "
    "`InvertibleResNetBlock` cuts after two terms by default",
    explains=tuple((name, cause) for name in SPECTRAL for cause in LOG_DETS),
)

BISECTION = Finding(
    subject="bisection-gradient",
    severity="by design",
    title="the sigmoid transformers are inverted by `bisection_no_gradient`, which has no gradients, as it says",
    explains=tuple((name, "gradient of y") for name in SIGMOIDAL),
)

FINDINGS = (
    SIGMOID_LOG_DET, INVERTIBLE_1X1, SEQUENTIAL_INVERSE, RADIAL, SYLVESTER, SPECTRAL_NORM, RESIDUAL_INVERSE,
    ROULETTE, HUTCHINSON, PROXIMAL, OT_FLOW, GLOW_CHECKERBOARD, CONVOLUTIONAL_DDNF, AFFINE2, SAMPLE_LOG_PROB, NAN, LRS_WEIGHT,
    ODE, ESTIMATED, BISECTION,
)  # fmt: skip
"""The findings, in the order of the page."""
