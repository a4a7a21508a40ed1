"""The one call that builds a flow from the names of its parts."""

from cinc_ref import _validate
from cinc_ref.bijections.conv import CornerBlock
from cinc_ref.flows.multiscale import Flow
from cinc_ref.flows.systems import SYSTEMS, CouplingName, Direction, SystemName

__all__ = ["build"]


def build(
    system: SystemName = "cinc",
    coupling: CouplingName = "quad",
    image_shape: tuple[int, ...] = (1, 8, 8),
    levels: int = 2,
    depth: int = 8,
    width: int = 64,
    bins: int = 256,
    corner_block: CornerBlock | None = None,
    stable: bool = False,
    direction: Direction = "forward",
    dilation: int = 1,
) -> Flow:
    """Build a multi-scale flow for images of one shape.

    Parameters
    ----------
    system : {"glow", "autoregressive", "emerging", "cinc", "finc"}
        Invertible convolution of the steps; see `SYSTEMS`.
    coupling : {"additive", "affine", "quad"}
        Coupling of the steps.
    image_shape : (int, int, int)
        (C, H, W); H and W must be divisible by 2**levels.
    levels : int
        Number of levels, each of which halves height and width.
    depth : int
        Steps of actnorm, convolution and coupling in a level.
    width : int
        Hidden channels of the coupling networks.
    bins : int
        Levels of an integer image, at least 2; 256 for 8 bits, 17 for scikit-learn's digits.
    corner_block : {"unit", "triangular", "plu", "dense"}, optional
        Corner block of the convolutions, but for the 1x1 of "emerging"; see
        `cinc_ref.bijections.InvertibleConv`. By default that of the system: "plu" for "glow",
        "unit" for "finc", otherwise "triangular".
    stable : bool
        Keep the inverse of every convolution bounded; see `cinc_ref.bijections.InvertibleConv`.
    direction : {"forward", "inverse"}
        Whether the convolution maps towards the latent, or towards the image: with "inverse"
        sampling convolves, and it is the density that needs the substitution.
    dilation : int
        Distance between neighbouring taps of the kernels, in pixels.

    Returns
    -------
    Flow

    Raises
    ------
    OptionError
        If a name is unknown, where the message lists the known ones, or a number out of range.
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
    system = _validate.one_of("system", system, SYSTEMS)
    return Flow(
        system,
        coupling,
        image_shape,
        levels,
        depth,
        width,
        bins,
        corner_block=SYSTEMS[system].corner_block if corner_block is None else corner_block,
        stable=stable,
        direction=direction,
        dilation=dilation,
    )
