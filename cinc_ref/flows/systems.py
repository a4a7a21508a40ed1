"""The systems and couplings that a flow can be built of, each in one table."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from cinc_ref import _validate
from cinc_ref._display import short_repr
from cinc_ref.bijections import (
    AdditiveCoupling,
    AffineCoupling,
    Bijection,
    Chain,
    EmergingConv,
    FincConv,
    Inverse,
    InvertibleConv,
    QuadCoupling,
)
from cinc_ref.bijections.conv import CORNER_BLOCKS, CornerBlock

if TYPE_CHECKING:
    from cinc_ref.flows.multiscale import Flow

__all__ = [
    "COUPLINGS",
    "DIRECTIONS",
    "SYSTEMS",
    "CouplingName",
    "Direction",
    "System",
    "SystemName",
    "step_convolution",
    "variant",
]

SystemName: TypeAlias = Literal["glow", "autoregressive", "emerging", "cinc", "finc"]
"""The name of a system, a key of `SYSTEMS`."""

CouplingName: TypeAlias = Literal["additive", "affine", "quad"]
"""The name of a coupling, a key of `COUPLINGS`."""

Direction: TypeAlias = Literal["forward", "inverse"]
"""The map that a step applies from image to latents."""


@dataclass(frozen=True)
class System:
    """One kind of invertible convolution, as the steps of a flow apply it.

    Attributes
    ----------
    title : str
        Name in the literature.
    summary : str
        Its kernels, in a few words.
    corner_block : str
        Form of its corner block unless another is chosen.
    make : callable
        ``make(seed=, corner_block=, dilation=, stable=)`` returns the layer.
    """

    title: str
    summary: str
    corner_block: CornerBlock = field(repr=False)
    make: Callable[..., Bijection] = field(repr=False)

    __repr__ = short_repr


def _emerging(seed, **options):
    return Chain([InvertibleConv(1, corner_block="plu", seed=seed), EmergingConv(3, **options)])


SYSTEMS: dict[SystemName, System] = {
    "glow": System("Glow", "a 1x1 kernel", "plu", partial(InvertibleConv, 1)),
    "autoregressive": System(
        "autoregressive",
        "the half-plane of a 3x3 kernel",
        "triangular",
        partial(InvertibleConv, (2, 3), anchor=(1, 1)),
    ),
    "emerging": System(
        "Emerging",
        "a 1x1 kernel (plu), then two 2x2 quadrants from opposite corners",
        "triangular",
        _emerging,
    ),
    "cinc": System("CInC", "a 3x3 quadrant", "triangular", partial(InvertibleConv, 3)),
    "finc": System(
        "FInC", "a 3x3 quadrant for each quarter of the channels", "unit", partial(FincConv, 3)
    ),
}
"""The `System` of each name: the convolution of a flow's steps."""

COUPLINGS: dict[
    CouplingName, type[AdditiveCoupling] | type[AffineCoupling] | type[QuadCoupling]
] = {
    "additive": AdditiveCoupling,
    "affine": AffineCoupling,
    "quad": QuadCoupling,
}
"""The class of each coupling by its name."""

DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
"""The map that a step applies from image to latents: the convolution, or its inverse."""


def step_convolution(flow: "Flow", seed: int) -> Bijection:
    """Make the convolution of one step of a flow; the seed draws its initial rotation."""
    layer = SYSTEMS[flow.system].make(
        corner_block=flow.corner_block, dilation=flow.dilation, stable=flow.stable, seed=seed
    )
    return layer if flow.direction == "forward" else Inverse(layer)


def variant(name: str, option: str = "system") -> dict[str, str]:
    """Return the options of `build` that a short name stands for.

    Parameters
    ----------
    name : str
        A system, and after hyphens what differs from its usual form: a corner block, "inverse".
    option : str
        Name of the option that holds the name, for messages.

    Returns
    -------
    dict of str to str
        Values of the options "system", "corner_block" and "direction".

    Raises
    ------
    OptionError
        If a part of the name is unknown.

    Examples
    --------
    >>> from cinc_ref.flows.systems import variant
    >>> variant("cinc-plu")
    {'system': 'cinc', 'corner_block': 'plu', 'direction': 'forward'}
    """
    system, *traits = _validate.instance(option, name, str, "a string").split("-")
    system = _validate.one_of(option, system, SYSTEMS)
    options = {
        "system": system,
        "corner_block": SYSTEMS[system].corner_block,
        "direction": DIRECTIONS[0],
    }
    for trait in traits:
        what = f"{option}: what follows {system}-"
        trait = _validate.one_of(what, trait, (*CORNER_BLOCKS, *DIRECTIONS))
        options["direction" if trait in DIRECTIONS else "corner_block"] = trait
    return options
