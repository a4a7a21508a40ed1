"""nflows, https://github.com/bayesiains/nflows."""

from tools.conformance.catalogue import Finding, Layer, Library
from tools.conformance.libraries import _nflows_family as family

__all__ = ["LIBRARY"]

LEAKY_RELU = Finding(
    subject="leaky-relu-dtype",
    severity="fragile",
    title="`LeakyReLU` computes its log-determinant in float32 for float64",
    explains=(("LeakyReLU", "dtype"),),
    lines="""
import torch, nflows.transforms.nonlinearities as N
x = -torch.ones(1, 1000, dtype=torch.float64)
got = str(N.LeakyReLU(0.3)(x)[1].dtype)
expected = "torch.float64"
""",
    confirm="import numpy as np; confirmed = f'torch.{np.dtype(np.sum(np.log(0.3) * x.numpy()).dtype)}'",
    confirmation="the dtype of the same sum in NumPy",
    expected="A row with k negative entries has log|det| = k log(slope), in the dtype of x.",
    suggestion="`(inputs < 0).to(inputs.dtype)` in place of `.type(torch.Tensor)`, and the logarithm in that dtype.",
)

NAIVE_LINEAR = Finding(
    subject="naive-linear-inverse",
    severity="wrong",
    title="`NaiveLinear.inverse` calls `torch.solve`, which PyTorch no longer has",
    explains=(("NaiveLinear", "inverse raises"),),
    lines="""
import torch; from nflows.transforms.linear import NaiveLinear
layer, got, expected = NaiveLinear(4), "it runs", "it runs"
try: layer.inverse(torch.randn(5, 4))
except RuntimeError as error: got = str(error)[:70]
""",
    confirm="""
import numpy as np
W, x = layer._weight.detach().double().numpy(), np.ones(4)
confirmed = "it runs" if np.allclose(np.linalg.solve(W, W @ x), x) else "singular"
""",
    confirmation="numpy.linalg.solve solves the same system",
    expected="x = W^-1 (y - b).",
    suggestion="`torch.linalg.solve(W, b)`, with `torch.linalg.slogdet(W)` for the log-determinant.",
)

LIBRARY = Library(
    title="nflows",
    distribution="nflows",
    version="0.14",
    imports=family.IMPORTS.format(root="nflows"),
    roots=("nflows.transforms",),
    bases=("nflows.transforms.base.Transform",),
    layers=(*family.LAYERS, Layer("GatedLinearUnit()", (1,), options={"context": "normal(1, 1)"})),
    left_out=family.LEFT_OUT,
    findings=(*family.findings("nflows"), LEAKY_RELU, NAIVE_LINEAR),
    wrapping="forward(x, context) and inverse, which return pairs",
    unneeded=family.UNNEEDED,
)
