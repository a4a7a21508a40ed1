"""torch.distributions, https://pytorch.org/docs/stable/distributions.html."""

from tools.conformance.catalogue import Layer, Library

__all__ = ["LIBRARY"]

IMPORTS = """
import torch
from torch.distributions import Normal, Beta
from torch.distributions.transforms import *
T = lambda *values: torch.tensor(values, dtype=torch.float64)
def chart(t, keep, restore):
    def forward(x):
        y = t(x)
        return keep(y), t.log_abs_det_jacobian(x, y)
    def inverse(kept):
        y = restore(kept)
        x = t.inv(y)
        return x, -t.log_abs_det_jacobian(x, y)
    return forward, inverse
def all_but_last(y):
    return y[..., :-1]
def with_rest_of_one(kept):
    return torch.cat([kept, 1 - kept.sum(-1, keepdim=True)], -1)
rows, columns = torch.tril_indices(4, 4, -1)
def below_diagonal(y):
    return y[..., rows, columns]
def with_unit_rows(kept):
    y = torch.zeros(len(kept), 4, 4, dtype=kept.dtype)
    y[..., rows, columns] = kept
    return y + torch.diag_embed((1 - y.square().sum(-1)).sqrt())
"""

LIBRARY = Library(
    title="torch.distributions",
    distribution="torch",
    version="2.13.0",
    imports=IMPORTS,
    roots=("torch.distributions.transforms",),
    bases=("torch.distributions.transforms.Transform",),
    layers=(
        Layer("AffineTransform(T(0.5, 1.0, -1.0, 0.0), T(2.0, -0.5, 3.0, 1.0))", (4,)),
        Layer("AffineTransform(0.5, 2.0, event_dim=1)", (4,)),
        Layer("ExpTransform()", (4,)),
        Layer("PowerTransform(torch.tensor(2.5))", (4,)),
        Layer("PowerTransform(torch.tensor(-1.5))", (4,)),
        Layer("SigmoidTransform()", (4,)),
        Layer("TanhTransform()", (4,)),
        Layer("SoftplusTransform()", (4,)),
        Layer("CumulativeDistributionTransform(Normal(T(0.0), T(1.0)))", (4,)),
        Layer("ComposeTransform([ExpTransform(), AffineTransform(1.0, 2.0)])", (4,)),
        Layer("IndependentTransform(ExpTransform(), 1)", (4,)),
        Layer("ReshapeTransform((6,), (2, 3))", (6,)),
        Layer("CatTransform([ExpTransform(), AffineTransform(1.0, 2.0)], dim=1, lengths=[2, 2])", (4,)),
        Layer("StackTransform([ExpTransform(), AffineTransform(1.0, 2.0)], dim=1)", (2,)),
        Layer("chart(StickBreakingTransform(), all_but_last, with_rest_of_one)", (4,), of="StickBreakingTransform"),
        Layer("chart(CorrCholeskyTransform(), below_diagonal, with_unit_rows)", (6,), of="CorrCholeskyTransform"),
    ),
    left_out={
        "Transform": "the base class, without a map",
        "AbsTransform": "not bijective, as it declares",
        "SoftmaxTransform": "not bijective, as it declares",
        "LowerCholeskyTransform": "it has no log-determinant",
        "PositiveDefiniteTransform": "it has no log-determinant",
    },
    wrapping="t(x), t.inv(y) and t.log_abs_det_jacobian(x, y), summed over the entries of an event",
)  # fmt: skip
