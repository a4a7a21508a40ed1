"""flowjax, https://github.com/danielward27/flowjax."""

from tools.conformance.catalogue import Layer, Library

__all__ = ["LIBRARY"]

IMPORTS = """
import jax, jax.numpy as jnp, jax.random as jr, equinox as eqx
from flowjax.bijections import *
from flowjax.bijections.utils import NumericalInverse
from flowjax.root_finding import *
key = jr.key(0)
a4 = jnp.array([0.5, -1.0, 2.0, 0.3])
p4 = jnp.array([0.5, 1.0, 2.0, 0.3])
spline = RationalQuadraticSpline(knots=5, interval=3)
m4 = jnp.eye(4) + jnp.tril(jr.normal(key, (4, 4)), -1) + jnp.diag(p4)
"""

LIBRARY = Library(
    title="flowjax",
    distribution="flowjax",
    version="19.1.2",
    imports=IMPORTS,
    roots=("flowjax",),
    bases=("flowjax.bijections.AbstractBijection",),
    layers=(
        Layer("Affine(a4, p4)", (4,)),
        Layer("Loc(a4)", (4,)),
        Layer("Scale(p4)", (4,)),
        Layer("TriangularAffine(a4, m4)", (4,)),
        Layer("TriangularAffine(a4, m4.T, lower=False)", (4,)),
        Layer("AdditiveCondition(eqx.nn.Linear(2, 4, key=key), (4,), (2,))", (4,), options={"context": "normal(1, 2)"}),
        Layer("BlockAutoregressiveNetwork(key, dim=4, depth=1, block_dim=3)", (4,), options={"tolerance": 1e-4}),
        Layer("Chain([Affine(a4, p4), Flip((4,))])", (4,)),
        Layer("Concatenate([Affine(a4, p4), Exp((2,))])", (6,)),
        Layer("Stack([Affine(a4, p4), Exp((4,))])", (2, 4)),
        Layer("Coupling(key, transformer=Affine(), untransformed_dim=2, dim=4, nn_width=8, nn_depth=1)", (4,)),
        Layer("Coupling(key, transformer=spline, untransformed_dim=2, dim=4, nn_width=8, nn_depth=1, cond_dim=2)", (4,), options={"context": "normal(1, 2)"}),
        Layer("MaskedAutoregressive(key, transformer=Affine(), dim=4, nn_width=8, nn_depth=1)", (4,)),
        Layer("MaskedAutoregressive(key, transformer=spline, dim=4, nn_width=8, nn_depth=1)", (4,)),
        Layer("Exp((3, 2))", (3, 2)),
        Layer("Scan(eqx.filter_vmap(Affine)(jr.normal(key, (3, 4)), jnp.ones((3, 4)) * 1.5))", (4,)),
        Layer("Vmap(eqx.filter_vmap(Affine)(a4, p4), in_axes=eqx.if_array(0))", (4,)),
        Layer("DiscreteCosine((4, 3), axis=0)", (4, 3)),
        Layer("Householder(a4)", (4,)),
        Layer("Planar(key, dim=4, width_size=8, depth=1)", (4,)),
        Layer("Planar(key, dim=4, negative_slope=0.2, width_size=8, depth=1)", (4,)),
        Layer("Power(3, (4,))", (4,), options={"x": "uniform(5, 4) + 0.2"}),
        Layer("RationalQuadraticSpline(knots=5, interval=3)", (4,)),
        Layer("Sigmoid((4,))", (4,)),
        Layer("SoftPlus((4,))", (4,)),
        Layer("Tanh((4,))", (4,)),
        Layer("LeakyTanh(1.0, (4,))", (4,)),
        Layer("EmbedCondition(AdditiveCondition(eqx.nn.Linear(2, 4, key=key), (4,), (2,)), eqx.nn.Linear(3, 2, key=key), (3,))", (4,), options={"context": "normal(1, 3)"}),
        Layer("Flip((4, 3))", (4, 3)),
        Layer("Identity((4,))", (4,)),
        Layer("Indexed(Affine(a4[:2], p4[:2]), jnp.array([2, 0]), (4,))", (4,)),
        Layer("Invert(Affine(a4, p4))", (4,)),
        Layer("Permute(jnp.array([2, 0, 3, 1]))", (4,)),
        Layer("Reshape(Affine(a4, p4), (2, 2))", (2, 2)),
        Layer("Sandwich(Affine(a4, p4), Exp((4,)))", options={"x": "uniform(5, 4) + 3"}),
    ),
    left_out={
        "AbstractBijection": "the base class, without a map",
        "NumericalInverse": "it wraps a bijection with a solver; BlockAutoregressiveNetwork is checked with one",
    },
    wrapping="transform_and_log_det and inverse_and_log_det of one sample, mapped over the batch",
)  # fmt: skip
