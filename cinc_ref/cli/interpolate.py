"""``python -m cinc_ref interpolate``."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cinc_ref import flows
from cinc_ref._files import output_errors
from cinc_ref.cli._common import DataOfRun, DataPath, Model, images_of_model, load_model, say
from cinc_ref.errors import OptionError

TEMPERATURES = "0,0.2,0.4,0.6,0.8,1,1.2"
"""Temperatures of the second picture."""


def interpolate(
    model: Model,
    data: DataOfRun = None,
    path: DataPath = None,
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of test images, a row each.")] = 6,
    steps: Annotated[
        int, typer.Option(min=2, help="Images in a row, the two themselves included.")
    ] = 9,
    temperatures: Annotated[
        str, typer.Option(metavar="NUMBERS", help="With commas between, for --sweep.")
    ] = TEMPERATURES,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the choice of images and latents.")] = 0,
    out: Annotated[Path, typer.Option(help="The picture.")] = Path("interpolation.png"),
    sweep: Annotated[
        Path | None,
        typer.Option(
            help="A second picture: random latents, decoded at rising temperatures.",
            show_default=False,
        ),
    ] = None,
):
    """Interpolate between test images along straight lines through the flow's latents."""
    from cinc_ref.plots import image_table  # slow to import, and an extra of its own

    flow, params = load_model(model)
    images = images_of_model(model, flow, data, path)
    rng = np.random.default_rng(seed)
    if 2 * pairs > len(images.test):
        most = len(images.test) // 2
        raise OptionError(f"pairs must be at most {most} for {images.name}; got {pairs}")
    chosen = images.test[np.sort(rng.permutation(len(images.test))[: 2 * pairs])]
    x = flows.dequantize(chosen, flow.bins, rng, params["top"]["mean"].dtype)
    images_on_line = flows.interpolate(flow, params, x[:pairs], x[pairs:], steps)
    headings = ["image", *[""] * (steps - 2), "image"]
    _draw(image_table, out, images_on_line, flow.bins, headings)
    if sweep is not None:
        values = _numbers(temperatures)
        samples = flows.temperature_sweep(flow, params, rng, pairs, values)
        _draw(image_table, sweep, samples, flow.bins, [f"{value:g}" for value in values])


def _draw(image_table, path, images, bins, headings):
    rows = flows.quantize(images, bins).swapaxes(0, 1)
    with output_errors(path):
        image_table(rows, headings, value_range=(0, bins - 1)).savefig(path)
    say(f"wrote {path}")


def _numbers(text):
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise OptionError(
            f"temperatures must be numbers with commas between; got {text!r}"
        ) from error
