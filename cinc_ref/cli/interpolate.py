"""``python -m cinc_ref interpolate``."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from cinc_ref import flows
from cinc_ref._files import check_file, write_figure
from cinc_ref.cli._common import images_of_model, load_model, say
from cinc_ref.cli._options import (
    PICTURES,
    DataOfRun,
    DataPath,
    Model,
    check_data,
    integer_option,
    numbers_option,
    path_option,
    refuse_unused,
    usage_error,
)
from cinc_ref.errors import OptionError
from cinc_ref.sampling import check_not_lost

__all__ = ["interpolate"]

TEMPERATURES = "0,0.2,0.4,0.6,0.8,1,1.2"
"""Temperatures of the second picture."""


def interpolate(
    context: typer.Context,
    model: Model,
    data: DataOfRun = None,
    path: DataPath = None,
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
) -> None:
    """Interpolate between test images along straight lines through the flow's latents."""
    if sweep is None:
        refuse_unused(context, ["temperatures"], "only with --sweep, the picture that they are for")
    elif sweep.resolve() == out.resolve():
        raise usage_error(f"--sweep and --out must be two files; got {out} for both", context)
    check_data(data, path)
    for picture in filter(None, (out, sweep)):
        check_file(picture)
    from cinc_ref import plots  # slow to import, and an extra of its own

    flow, params = load_model(model)
    images = images_of_model(model, flow, data, path)
    rng = np.random.default_rng(seed)
    if 2 * pairs > len(images.test):
        most = len(images.test) // 2
        raise OptionError(f"--pairs must be at most {most} for {images.name}; got {pairs}")
    chosen = images.test[np.sort(rng.permutation(len(images.test))[: 2 * pairs])]
    x = flows.dequantize(chosen, flow.bins, rng, params["top"]["mean"].dtype)
    with np.errstate(all="ignore"):  # the result is checked
        images_on_line = flows.interpolate(flow, params, x[:pairs], x[pairs:], steps)
    check_not_lost(images_on_line, "interpolated images")
    levels = flows.quantize(images_on_line, flow.bins)
    _save(plots.interpolation_figure(levels, flow, data=images.name), out)
    if sweep is not None:
        with np.errstate(all="ignore"):
            samples = flows.temperature_sweep(flow, params, rng, pairs, temperatures)
        check_not_lost(samples, "samples of --sweep")
        levels = flows.quantize(samples, flow.bins)
        _save(plots.temperature_figure(levels, flow, temperatures, data=images.name), sweep)


def _save(figure, path):
    write_figure(path, figure)
    say(f"wrote {path}")
