"""``python -m cinc_ref compile``."""

import time
from operator import attrgetter
from typing import Annotated, Any

import typer

from cinc_ref import flows
from cinc_ref._progress import tracked
from cinc_ref.cli._common import describe, explicit_options, say
from cinc_ref.cli._options import DATA_OPTIONS, MODEL_OPTIONS, takes
from cinc_ref.compilation import tasks
from cinc_ref.data import image_set

__all__ = ["compile"]

OF_A_FLOW = {parameter.name for parameter in (*DATA_OPTIONS, *MODEL_OPTIONS)} | {"image_shape"}
"""Names of the options that ask for a flow instead of single operations."""


@takes(*DATA_OPTIONS, *MODEL_OPTIONS)
def compile(
    context: typer.Context,
    channels: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Channels of the images for single operations; 3 and 12 by default.",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of images in a call; 1 and 100 by default.", show_default=False
        ),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="float32 or float64; by default both for single operations, float32 for a flow.",
            show_default=False,
        ),
    ] = None,
    gradients: Annotated[
        bool, typer.Option("--gradients", help="Compile gradients and training too.")
    ] = False,
    image_shape: Annotated[
        str | None,
        typer.Option(
            metavar="CxHxW",
            help="Shape of the images of a flow, instead of --data.",
            show_default=False,
        ),
    ] = None,
    **options: Any,
) -> None:
    """Compile ahead of use, once on a machine: conv and its inverse, or what a flow needs.

    Options of data or model choose a flow, as for train. The compiled code depends on the number
    of channels, the dtype and a little on the number and size of the images.
    """
    explicit = explicit_options(context).keys()
    flow = _flow(image_shape, explicit, options) if explicit & OF_A_FLOW else None
    say("conv and conv_inverse" if flow is None else describe(flow))
    started = time.perf_counter()
    todo = tasks(flow, channels=channels, batch=batch, dtype=dtype, gradients=gradients)
    for task in tracked(todo, "compile", len(todo), attrgetter("title")):
        task.run()
    say(f"compiled in {time.perf_counter() - started:.1f} s; later calls find it in the cache")


def _flow(image_shape, explicit, options):
    """Build the flow that the options describe, for images of the shape or of the image set."""
    model = {parameter.name: options[parameter.name] for parameter in MODEL_OPTIONS}
    if image_shape is None:
        of_data = {parameter.name: options[parameter.name] for parameter in DATA_OPTIONS}
        images = image_set(of_data.pop("data"), **of_data)
        return flows.build(image_shape=images.image_shape, bins=images.bins, **model)
    both = sorted(explicit & {parameter.name for parameter in DATA_OPTIONS})
    if both:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in both)
        raise typer.BadParameter(f"--image-shape is given instead of {names}, not with it")
    sides = image_shape.split("x")
    if len(sides) != 3 or not all(side.isdecimal() and int(side) for side in sides):
        raise typer.BadParameter(
            f"--image-shape must be CxHxW, for instance 3x32x32; got {image_shape!r}"
        )
    return flows.build(image_shape=tuple(map(int, sides)), **model)
