"""The systems and couplings that a flow can be built of, each in one table."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from cinc_ref.bijections import (
    AdditiveCoupling,
    AffineCoupling,
    Chain,
    EmergingConv,
    FincConv,
    Inverse,
    InvertibleConv,
    QuadCoupling,
)
from cinc_ref.bijections.conv import CORNER_BLOCKS
from cinc_ref.errors import OptionError, ShapeError


@dataclass(frozen=True)
class System:
    """One kind of invertible convolution, as a flow's steps have it.

    Attributes
    ----------
    title : str
        What papers call it.
    summary : str
        What it is made of, in a few words.
    corner_block : str
        The one that it has unless told otherwise.
    make : callable
        The layer from the options corner_block, dilation and stable, and the seed of rotations.
    """

    title: str
    summary: str
    corner_block: str
    make: Callable


def _emerging(seed, **options):
    return Chain([InvertibleConv(1, corner_block="plu", seed=seed), EmergingConv(3, **options)])


SYSTEMS = {
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
"""Name of a system: what it is, and how the convolution of a flow's step is made."""

COUPLINGS = {
    "additive": AdditiveCoupling,
    "affine": AffineCoupling,
    "quad": QuadCoupling,
}

DIRECTIONS = ("forward", "inverse")
"""Which way the convolution of a step runs when an image goes to its latents."""


def step_convolution(flow, seed):
    """The convolution of one of a flow's steps; the seed is of the rotation at which it starts."""
    layer = SYSTEMS[flow.system].make(
        corner_block=flow.corner_block, dilation=flow.dilation, stable=flow.stable, seed=seed
    )
    return layer if flow.direction == "forward" else Inverse(layer)


def variant(name):
    """The options of `build` that a short name stands for.

    Parameters
    ----------
    name : str
        A system, and after hyphens what differs from its usual form: a corner block, "inverse".

    Returns
    -------
    dict
        With "system", "corner_block" and "direction".

    Raises
    ------
    OptionError
        For an unknown part of the name.

    Examples
    --------
    >>> from cinc_ref.flows.systems import variant
    >>> variant("cinc-plu")
    {'system': 'cinc', 'corner_block': 'plu', 'direction': 'forward'}
    """
    system, *traits = name.split("-")
    _check_name("system", system, SYSTEMS)
    options = {
        "system": system,
        "corner_block": SYSTEMS[system].corner_block,
        "direction": DIRECTIONS[0],
    }
    for trait in traits:
        _check_name(f"what follows {system}-", trait, (*CORNER_BLOCKS, *DIRECTIONS))
        options["direction" if trait in DIRECTIONS else "corner_block"] = trait
    return options


def build(
    system="cinc",
    coupling="quad",
    image_shape=(1, 8, 8),
    levels=2,
    depth=8,
    width=64,
    bins=256,
    corner_block=None,
    stable=False,
    direction="forward",
    dilation=1,
):
    """A multi-scale flow for images of one shape.

    Parameters
    ----------
    system : {"glow", "autoregressive", "emerging", "cinc", "finc"}
        Which invertible convolution the steps have; see `SYSTEMS`.
    coupling : {"additive", "affine", "quad"}
    image_shape : (int, int, int)
        (C, H, W); H and W must be divisible by 2**levels.
    levels : int
        Levels, each of which halves height and width.
    depth : int
        Steps of actnorm, convolution and coupling in a level.
    width : int
        Hidden channels of the coupling networks.
    bins : int
        Levels of an integer image; 256 for 8 bits, 17 for scikit-learn's digits.
    corner_block : {"unit", "triangular", "plu", "dense"}, optional
        Of the convolutions, but for the 1x1 of "emerging"; see
        `cinc_ref.bijections.InvertibleConv`. By default that of the system: "plu" for "glow",
        "unit" for "finc", otherwise "triangular".
    stable : bool
        Keep the inverse of every convolution bounded; see `cinc_ref.bijections.InvertibleConv`.
    direction : {"forward", "inverse"}
        Whether the convolution maps towards the latent, or towards the image: with "inverse"
        sampling convolves, and it is the density that needs the substitution.
    dilation : int
        Distance between neighbouring taps of the kernels.

    Returns
    -------
    Flow

    Raises
    ------
    OptionError
        For an unknown name, which lists the known ones, or a number out of range.
    ShapeError
        If images of this shape do not fit the levels or the coupling.

    Examples
    --------
    >>> import numpy as np
    >>> import cinc_ref as cr
    >>> flow = cr.flows.build("cinc", "quad", (1, 8, 8), levels=2, depth=2, width=8, bins=17)
    >>> rng = np.random.default_rng(0)
    >>> params = flow.init(rng, rng.uniform(-0.5, 0.5, (16, 1, 8, 8)))
    >>> x = flow.sample(params, rng, 3)
    >>> x.shape, flow.log_prob(params, x).shape
    ((3, 1, 8, 8), (3,))
    >>> bool(np.allclose(flow.decode(params, flow.encode(params, x)), x))
    True
    """
    from cinc_ref.flows.multiscale import Flow  # which reads the tables above

    _check_name("system", system, SYSTEMS)
    _check_name("coupling", coupling, COUPLINGS)
    numbers = {
        "levels": levels, "depth": depth, "width": width, "bins": bins, "dilation": dilation,
    }  # fmt: skip
    for name, value in numbers.items():
        smallest = 2 if name == "bins" else 1
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < smallest:
            raise OptionError(f"{name} must be an integer >= {smallest}; got {value!r}")
    shape = _checked_shape(image_shape)
    numbers = {name: int(value) for name, value in numbers.items()}
    if not isinstance(stable, bool):
        raise OptionError(f"stable must be True or False; got {stable!r}")
    _check_name("direction", direction, DIRECTIONS)
    flow = Flow(
        system,
        coupling,
        shape,
        **numbers,
        corner_block=SYSTEMS[system].corner_block if corner_block is None else corner_block,
        stable=stable,
        direction=direction,
    )
    _check_levels(shape, flow.levels)
    flow.latent_shapes  # noqa: B018  walks all layers, which refuse what does not fit them
    return flow


def _check_name(what, name, table):
    if name not in table:
        raise OptionError(f"{what} must be one of {', '.join(table)}; got {name!r}")


def _checked_shape(image_shape):
    shape = tuple(image_shape) if np.iterable(image_shape) else ()
    if len(shape) != 3 or not all(isinstance(s, int | np.integer) and s >= 1 for s in shape):
        raise ShapeError(f"image_shape must be (C, H, W), integers >= 1; got {image_shape!r}")
    return tuple(int(side) for side in shape)


def _check_levels(shape, levels):
    factor = 2**levels
    if shape[1] % factor or shape[2] % factor:
        raise ShapeError(
            f"{levels} levels need height and width divisible by {factor}; "
            f"got images of shape {shape}: use fewer levels or pad the images"
        )
