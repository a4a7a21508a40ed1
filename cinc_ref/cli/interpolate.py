"""``python -m cinc_ref interpolate``."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from cinc_ref import flows
from cinc_ref._files import check_file, output_errors
from cinc_ref.cli._common import images_for, load_model, say
from cinc_ref.cli._options import (
    DATA_OPTIONS,
    PICTURES,
    Model,
    check_data,
    integer_option,
    numbers_option,
    path_option,
    refuse_unused,
    takes,
    usage_error,
)
from cinc_ref.errors import OptionError
from cinc_ref.sampling import check_not_lost

__all__ = ["interpolate"]

TEMPERATURES = "0,0.2,0.4,0.6,0.8,1,1.2"
"""Temperatures of the second picture."""


@takes(*DATA_OPTIONS[:2])  # data and path
def interpolate(
    context: typer.Context,
    model: Model,
    pairs: Annotated[
        int, integer_option("--pairs", "Pairs of test images, a row each.", minimum=1)
    ] = 6,
    steps: Annotated[
        int,
        integer_option("--steps", "Images in a row, the two themselves included.", minimum=2),
    ] = 9,
    temperatures: Annotated[
        Any,
        numbers_option("--temperatures", "With commas between, for --sweep.", minimum=0),
    ] = TEMPERATURES,
    seed: Annotated[
        int,
        integer_option(
            "--seed", "Seed of the choice of images and latents.", minimum=0, maximum=None
        ),
    ] = 0,
    out: Annotated[Path, path_option("--out", "The picture.", endings=PICTURES)] = Path(
        "interpolation.png"
    ),
    sweep: Annotated[
        Path | None,
        path_option(
            "--sweep",
            "A second picture: random latents, decoded at rising temperatures.",
            endings=PICTURES,
            show_default=False,
        ),
    ] = None,
    **options: Any,
) -> None:
    """Interpolate between test images along straight lines through the flow's latents."""
    if sweep is None:
        refuse_unused(context, ["temperatures"], "only with --sweep, the picture that they are for")
    elif sweep.resolve() == out.resolve():
        raise usage_error(f"--sweep and --out must be two files; got {out} for both", context)
    check_data(**options)
    for picture in filter(None, (out, sweep)):
        check_file(picture)
    from cinc_ref.plots import image_table  # slow to import, and an extra of its own

    flow, params = load_model(model)
    images = images_for(flow, **options)
    rng = np.random.default_rng(seed)
    if 2 * pairs > len(images.test):
        most = len(images.test) // 2
        raise OptionError(f"--pairs must be at most {most} for {images.name}; got {pairs}")
    chosen = images.test[np.sort(rng.permutation(len(images.test))[: 2 * pairs])]
    x = flows.dequantize(chosen, flow.bins, rng, params["top"]["mean"].dtype)
    with np.errstate(all="ignore"):  # the result is checked
        images_on_line = flows.interpolate(flow, params, x[:pairs], x[pairs:], steps)
    check_not_lost(images_on_line, "interpolated images")
    headings = ["image", *[""] * (steps - 2), "image"]
    _draw(image_table, out, images_on_line, flow.bins, headings)
    if sweep is not None:
        with np.errstate(all="ignore"):
            samples = flows.temperature_sweep(flow, params, rng, pairs, temperatures)
        check_not_lost(samples, "samples of --sweep")
        _draw(image_table, sweep, samples, flow.bins, [f"{value:g}" for value in temperatures])


def _draw(image_table, path, images, bins, headings):
    rows = flows.quantize(images, bins).swapaxes(0, 1)
    with output_errors(path):
        image_table(rows, headings, value_range=(0, bins - 1)).savefig(path)
    say(f"wrote {path}")
