"""``python -m cinc_ref interpolate``."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cinc_ref import flows
from cinc_ref._files import output_errors
from cinc_ref.cli._common import Model, images_for, load_model, say
from cinc_ref.cli._options import DATA_OPTIONS, takes
from cinc_ref.errors import OptionError

TEMPERATURES = "0,0.2,0.4,0.6,0.8,1,1.2"
"""Temperatures of the second picture."""


@takes(*DATA_OPTIONS[:2])  # data and path
def interpolate(
    model: Model,
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
    **options,
):
    """Interpolate between test images along straight lines through the flow's latents."""
    from cinc_ref import plots  # slow to import, and an extra of its own

    flow, params = load_model(model)
    images = images_for(flow, **options)
    rng = np.random.default_rng(seed)
    if 2 * pairs > len(images.test):
        most = len(images.test) // 2
        raise OptionError(f"pairs must be at most {most} for {images.name}; got {pairs}")
    chosen = images.test[np.sort(rng.permutation(len(images.test))[: 2 * pairs])]
    x = flows.dequantize(chosen, flow.bins, rng, params["top"]["mean"].dtype)
    images_on_line = flows.interpolate(flow, params, x[:pairs], x[pairs:], steps)
    levels = flows.quantize(images_on_line, flow.bins)
    _save(plots.interpolation_figure(levels, flow, data=images.name), out)
    if sweep is not None:
        values = _numbers(temperatures)
        samples = flows.temperature_sweep(flow, params, rng, pairs, values)
        levels = flows.quantize(samples, flow.bins)
        _save(plots.temperature_figure(levels, flow, values, data=images.name), sweep)


def _save(figure, path):
    with output_errors(path):
        figure.savefig(path)
    say(f"wrote {path}")


def _numbers(text):
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise OptionError(
            f"temperatures must be numbers with commas between; got {text!r}"
        ) from error
