"""The systems and couplings that a flow can be built of, each in one table."""

import numpy as np

from cinc_ref.bijections import AdditiveCoupling, AffineCoupling, InvertibleConv, QuadCoupling
from cinc_ref.errors import OptionError, ShapeError

SYSTEMS = {
    "cinc": lambda flow, seed: InvertibleConv(
        3, corner_block=flow.corner_block, seed=seed, stable=flow.stable
    ),
}
"""Name of a system: how it makes the convolution of a flow's step from the step's number."""

COUPLINGS = {
    "additive": AdditiveCoupling,
    "affine": AffineCoupling,
    "quad": QuadCoupling,
}


def build(
    system="cinc",
    coupling="quad",
    image_shape=(1, 8, 8),
    levels=2,
    depth=8,
    width=64,
    bins=256,
    corner_block="triangular",
    stable=False,
):
    """A multi-scale flow for images of one shape.

    Parameters
    ----------
    system : {"cinc"}
        Which invertible convolution the steps have.
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
    corner_block : {"triangular", "unit", "plu", "dense"}
        Of the convolution; see `cinc_ref.bijections.InvertibleConv`.

    stable : bool
        Keep the inverse of every convolution bounded; see `cinc_ref.bijections.InvertibleConv`.

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
    numbers = {"levels": levels, "depth": depth, "width": width, "bins": bins}
    for name, value in numbers.items():
        smallest = 2 if name == "bins" else 1
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < smallest:
            raise OptionError(f"{name} must be an integer >= {smallest}; got {value!r}")
    shape = _checked_shape(image_shape)
    numbers = {name: int(value) for name, value in numbers.items()}
    if not isinstance(stable, bool):
        raise OptionError(f"stable must be True or False; got {stable!r}")
    flow = Flow(system, coupling, shape, corner_block=corner_block, stable=stable, **numbers)
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
