"""distrax, https://github.com/google-deepmind/distrax."""

from tools.conformance.catalogue import Layer, Library

__all__ = ["LIBRARY"]

IMPORTS = """
import jax, jax.numpy as jnp, jax.random as jr
import distrax
from distrax import *
from distrax._src.bijectors.bijector_from_tfp import BijectorFromTFP
from tensorflow_probability.substrates import jax as tfp
key = jr.key(0)
a4 = jnp.array([0.5, -1.0, 2.0, 0.3])
p4 = jnp.array([0.5, 1.0, 2.0, 0.3])
m4 = jnp.eye(4) + 0.3 * jr.normal(key, (4, 4)) + jnp.diag(p4)
def affine(values):
    return ScalarAffine(jnp.sin(values), jnp.exp(jnp.cos(values)))
def spline(params):
    return RationalQuadraticSpline(params, -3.0, 3.0, boundary_slopes="identity")
"""

LIBRARY = Library(
    title="distrax",
    distribution="distrax",
    version="0.1.9",
    imports=IMPORTS,
    roots=("distrax",),
    bases=("distrax.Bijector",),
    layers=(
        Layer("Block(ScalarAffine(a4, p4), 1)", (4,)),
        Layer("Chain([ScalarAffine(a4, p4), Tanh()])", (4,)),
        Layer("DiagLinear(a4)", (4,)),
        Layer("DiagPlusLowRankLinear(p4, 0.3 * m4[:, :2], 0.3 * m4[:, 2:])", (4,)),
        Layer("GumbelCDF()", (4,)),
        Layer("Inverse(ScalarAffine(a4, p4))", (4,)),
        Layer("Lambda(jnp.sinh, jnp.arcsinh)", (4,)),
        Layer("LowerUpperTriangularAffine(m4, a4)", (4,)),
        Layer("MaskedCoupling(jnp.array([True, False, True, False]), lambda x: jnp.cumsum(x, -1), affine)", (4,)),
        Layer("RationalQuadraticSpline(jr.normal(key, (4, 16)), -3.0, 3.0)", (4,)),
        Layer("RationalQuadraticSpline(jr.normal(key, (4, 16)), -3.0, 3.0, boundary_slopes='identity')", (4,)),
        Layer("RationalQuadraticSpline(jr.normal(key, (4, 16)), 0.0, 6.0, boundary_slopes='circular')", options={"x": "6 * uniform(5, 4)"}),
        Layer("ScalarAffine(a4, p4)", (4,)),
        Layer("ScalarAffine(a4, log_scale=a4)", (4,)),
        Layer("Shift(a4)", (4,)),
        Layer("Sigmoid()", (4,)),
        Layer("SplitCoupling(2, 1, lambda x: jnp.cumsum(x, -1), affine)", (4,)),
        Layer("SplitCoupling(2, 1, lambda x: jnp.cumsum(x, -1), affine, swap=True)", (4,)),
        Layer("Tanh()", (4,)),
        Layer("TriangularLinear(m4)", (4,)),
        Layer("TriangularLinear(m4, is_lower=False)", (4,)),
        Layer("UnconstrainedAffine(m4, a4)", (4,)),
        Layer("BijectorFromTFP(tfp.bijectors.Softplus())", (4,)),
    ),
    left_out={
        "Bijector": "the base class, without a map",
        "Linear": "the base class of linear bijectors",
    },
    wrapping="forward_and_log_det and inverse_and_log_det of a batch",
)  # fmt: skip
