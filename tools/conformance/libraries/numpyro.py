"""NumPyro, https://github.com/pyro-ppl/numpyro."""

from tools.conformance.catalogue import Layer, Library

__all__ = ["LIBRARY"]

IMPORTS = """
import jax, jax.numpy as jnp, jax.random as jr
from numpyro.distributions import constraints
from numpyro.distributions.transforms import *
from numpyro.distributions.transforms import IndependentTransform, OrderedTransform, RecursiveLinearTransform
from numpyro.distributions.flows import *
from numpyro.nn import AutoregressiveNN, BlockNeuralAutoregressiveNN
key = jr.key(0)
a4 = jnp.array([0.5, -1.0, 2.0, 0.3])
p4 = jnp.array([0.5, 1.0, 2.0, 0.3])
m4 = jnp.eye(4) + jnp.tril(0.3 * jr.normal(key, (4, 4)), -1) + jnp.diag(p4)
def chart(t, keep, restore, whole=lambda x: x, part=lambda x: x):
    # a transform between spaces of free coordinates: keep and restore those of y, part and whole those of x
    def forward(x):
        x = whole(jnp.asarray(x))
        y = t(x)
        return keep(y), t.log_abs_det_jacobian(x, y)
    def inverse(kept):
        y = restore(jnp.asarray(kept))
        x = t._inverse(y)
        return part(x), -t.log_abs_det_jacobian(x, y)
    return forward, inverse
def all_but_last(y):
    return y[..., :-1]
def with_rest_of_one(kept):
    return jnp.concatenate([kept, 1 - kept.sum(-1, keepdims=True)], -1)
def same(y):
    return y
def below_diagonal(y):
    rows, columns = jnp.tril_indices(y.shape[-1], -1)
    return y[..., rows, columns]
def with_unit_rows(kept):
    rows, columns = jnp.tril_indices(4, -1)
    y = jnp.zeros((len(kept), 4, 4)).at[:, rows, columns].set(kept)
    return y + jax.vmap(jnp.diag)(jnp.sqrt(1 - jnp.square(y).sum(-1)))
def lower(y):
    rows, columns = jnp.tril_indices(3)
    return y[..., rows, columns]
def with_zeros(kept):
    rows, columns = jnp.tril_indices(3)
    return jnp.zeros((len(kept), 3, 3)).at[:, rows, columns].set(kept)
def made(build, *arguments, **options):
    init, apply = build(*arguments, **options)
    _, params = init(key, (4,))
    return lambda x, **kwargs: apply(params, x, **kwargs)
"""

LIBRARY = Library(
    title="NumPyro",
    distribution="numpyro",
    version="0.22.0",
    imports=IMPORTS,
    roots=("numpyro.distributions",),
    bases=("numpyro.distributions.transforms.Transform",),
    layers=(
        Layer("InverseAutoregressiveTransform(made(AutoregressiveNN, 4, [8], permutation=jnp.arange(4)))", (4,)),
        Layer("BlockNeuralAutoregressiveTransform(made(BlockNeuralAutoregressiveNN, 4, [3]))", (4,)),
        Layer("AffineTransform(a4, p4)", (4,)),
        Layer("ComposeTransform([ExpTransform(), AffineTransform(1.0, 2.0)])", (4,)),
        Layer("CatTransform([ExpTransform(), AffineTransform(1.0, 2.0)], dim=1, lengths=[2, 2])", (4,)),
        Layer("DiscreteCosineTransform()", (6,)),
        Layer("DiscreteCosineTransform(smooth=1.0)", (6,)),
        Layer("ExpTransform()", (4,)),
        Layer("HaarTransform()", (6,)),
        Layer("HaarTransform(dim=-2, flip=True)", (4, 6)),
        Layer("IdentityTransform()", (4,)),
        Layer("IndependentTransform(ExpTransform(), 1)", (4,)),
        Layer("LowerCholeskyAffine(a4, m4)", (4,)),
        Layer("OrderedTransform()", (4,)),
        Layer("PermuteTransform(jnp.array([2, 0, 3, 1]))", (4,)),
        Layer("PowerTransform(2.5)", (4,)),
        Layer("RecursiveLinearTransform(m4[:2, :2])", (5, 2)),
        Layer("RecursiveLinearTransform(m4[:2, :2], initial_value=a4[:2])", (5, 2)),
        Layer("ReshapeTransform((2, 3), (6,))", (6,)),
        Layer("SigmoidTransform()", (4,)),
        Layer("chart(SimplexToOrderedTransform(), same, same, with_rest_of_one, all_but_last)", of="SimplexToOrderedTransform", options={"x": "simplex(5, 4)[:, :3]"}),
        Layer("SoftplusTransform()", (4,)),
        Layer("chart(StickBreakingTransform(), all_but_last, with_rest_of_one)", (4,), of="StickBreakingTransform"),
        Layer("chart(CorrCholeskyTransform(), below_diagonal, with_unit_rows)", (6,), of="CorrCholeskyTransform"),
        Layer("chart(LowerCholeskyTransform(), lower, with_zeros)", (6,), of="LowerCholeskyTransform"),
        Layer("chart(ScaledUnitLowerCholeskyTransform(), lower, with_zeros)", (6,), of="ScaledUnitLowerCholeskyTransform"),
        Layer("chart(SoftplusLowerCholeskyTransform(), lower, with_zeros)", (6,), of="SoftplusLowerCholeskyTransform"),
        Layer("ZeroSumTransform(1)", (4,)),
        Layer("UnpackTransform(lambda x: x)", (4,)),
        Layer("L1BallTransform()", (4,)),
    ),
    left_out={
        "Transform": "the base class, without a map",
        "ParameterFreeTransform": "a base class, without a map",
        "AbsTransform": "not bijective, as it declares",
        "CholeskyTransform": "a map of positive definite matrices, which fill no neighbourhood of a vector space",
        "CorrMatrixCholeskyTransform": "a map of correlation matrices, which fill no neighbourhood of a vector space",
        "ComplexTransform": "its output is complex",
        "RealFastFourierTransform": "its output is complex",
        "PackRealFastFourierCoefficientsTransform": "its output is complex",
    },
    wrapping="as torch.distributions, in JAX",
)  # fmt: skip
