"""``python -m cinc_ref sample``."""

from pathlib import Path
from typing import Annotated

import typer

from cinc_ref.cli._common import Model, load_model, say
from cinc_ref.sampling import check_suffix, sample_to_file


def sample(
    model: Model,
    count: Annotated[int, typer.Option("-n", min=1, help="How many images.")] = 100,
    temperature: Annotated[
        float,
        typer.Option(min=0, help="Below 1: fewer oddities, less variety; 0: the mode."),
    ] = 0.8,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random latents.")] = 0,
    out: Annotated[
        Path,
        typer.Option(
            help="A picture of all images (.png) with a title, digits dark on light paper: for "
            "the eye, no data; their grey levels (.npy); or both the grey levels and the flow's "
            "own numbers (.npz)."
        ),
    ] = Path("samples.png"),
):
    """Draw new images from a trained model."""
    check_suffix(out)
    flow, params = load_model(model)
    sample_to_file(out, flow, params, count, temperature=temperature, seed=seed)
    say(f"wrote {out}: {count:,} images at temperature {temperature:g}")
