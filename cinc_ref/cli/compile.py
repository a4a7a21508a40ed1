"""``python -m cinc_ref compile``."""

import time
from operator import attrgetter
from typing import Annotated, Any

import typer

from cinc_ref import flows
from cinc_ref._progress import tracked
from cinc_ref.cli._common import describe, explicit_options, say
from cinc_ref.cli._options import (
    DATA_OPTIONS,
    MODEL_OPTIONS,
    check_model,
    integer_option,
    integers_option,
    name_option,
    options_must_fit,
    refuse_unused,
    takes,
)
from cinc_ref.compilation import DTYPES, tasks
from cinc_ref.data import image_set

__all__ = ["compile"]

OF_DATA = [parameter.name for parameter in DATA_OPTIONS]
"""Names of the options of the image set."""

OF_A_FLOW = {*OF_DATA, *(parameter.name for parameter in MODEL_OPTIONS), "image_shape"}
"""Names of the options that ask for a flow instead of single operations."""


@takes(*DATA_OPTIONS, *MODEL_OPTIONS)
def compile(
    context: typer.Context,
    channels: Annotated[
        int | None,
        integer_option(
            "--channels",
            "Channels of the images for single operations; 3 and 12 by default.",
            minimum=1,
            show_default=False,
        ),
    ] = None,
    batch: Annotated[
        int | None,
        integer_option(
            "--batch",
            "Number of images in a call; 1 and 100 by default.",
            minimum=1,
            show_default=False,
        ),
    ] = None,
    dtype: Annotated[
        str | None,
        name_option(
            "--dtype",
            "{}; by default both for single operations, float32 for a flow.",
            DTYPES,
            show_default=False,
        ),
    ] = None,
    gradients: Annotated[
        bool, typer.Option("--gradients", help="Compile gradients and training too.")
    ] = False,
    image_shape: Annotated[
        Any,
        integers_option(
            "--image-shape",
            "Shape of the images of a flow, instead of --data.",
            "CxHxW",
            "3x32x32",
            show_default=False,
        ),
    ] = None,
    **options: Any,
) -> None:
    """Compile ahead of use, once on a machine: conv and its inverse, or what a flow needs.

    Options of data or model choose a flow, as for train. The compiled code depends on the number
    of channels, the dtype and a little on the number and size of the images.
    """
    of_flow = OF_A_FLOW & explicit_options(context).keys()
    if of_flow:
        refuse_unused(context, ["channels"], "only for single operations, for a flow knows its own")
        check_model(context, options["system"])
    if image_shape is not None:
        refuse_unused(context, OF_DATA, "not with --image-shape, which is given instead")
    flow = _flow(image_shape, options) if of_flow else None
    todo = tasks(flow, channels=channels, batch=batch, dtype=dtype, gradients=gradients)
    say("conv and conv_inverse" if flow is None else describe(flow))
    started = time.perf_counter()
    for task in tracked(todo, "compile", len(todo), attrgetter("title")):
        task.run()
    say(f"compiled in {time.perf_counter() - started:.1f} s; later calls find it in the cache")


def _flow(image_shape, options):
    """Build the flow that the options describe, for images of the shape or of the image set."""
    model = {parameter.name: options[parameter.name] for parameter in MODEL_OPTIONS}
    if image_shape is None:
        of_data = {name: options[name] for name in OF_DATA}
        images = image_set(of_data.pop("data"), **of_data)
        model |= {"image_shape": images.image_shape, "bins": images.bins}
    else:
        model |= {"image_shape": image_shape}
    with options_must_fit():
        return flows.build(**model)
