"""What several commands do with a model: find its file, and compare it with the images."""

from pathlib import Path
from typing import Annotated

import typer

from cinc_ref.data import IMAGE_SETS, image_set
from cinc_ref.data.sets import options_of
from cinc_ref.errors import CheckpointError, DataError
from cinc_ref.training import load

MODEL_FILES = ("best.npz", "model.npz")
"""In the folder of a run and in that of the demonstration."""

Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A model's .npz file, or the folder of a run.")
]
Data = Annotated[
    str, typer.Option(metavar="NAME", help=f"Images, one of: {', '.join(IMAGE_SETS)}.")
]

DataPath = Annotated[
    Path | None,
    typer.Option(
        "--path", help="File or folder of the images, for data that is not bundled.",
        show_default=False,
    ),
]  # fmt: skip


def load_model(path):
    """Flow and parameters from a file, or from the best model in a folder."""
    if not path.is_dir():
        return load(path)
    for name in MODEL_FILES:
        if (path / name).exists():
            return load(path / name)
    raise CheckpointError(
        f"{path} holds no model: expected {' or '.join(MODEL_FILES)} in it; give a run's --out"
    )


def images_for(flow, data, path):
    """The image set, brought to the model's size, channels and levels as far as it can be."""
    channels, size, _ = flow.image_shape
    known = options_of(data) if data in IMAGE_SETS else ()
    fitting = {"size": size, "channels": channels}
    images = image_set(data, path=path, **{k: v for k, v in fitting.items() if k in known})
    if flow.bins < images.bins == 256 and flow.bins.bit_count() == 1:
        images = images.with_bits(flow.bins.bit_length() - 1)
    check_fits(flow, images)
    return images


def check_fits(flow, images):
    """Refuse an image set of another shape, or other bins, than the model has."""
    model = (flow.image_shape, flow.bins)
    data = (images.image_shape, images.bins)
    if model != data:
        raise DataError(
            f"the model takes images of shape {model[0]} with {model[1]} levels; {images.name} "
            f"has shape {data[0]} with {data[1]} levels: choose the data it was trained on"
        )


def describe(flow):
    """One line about a model."""
    traits = [f"{flow.corner_block} corner"]
    traits += ["stable"] if flow.stable else []
    traits += ["inverse flow"] if flow.direction == "inverse" else []
    traits += [f"dilation {flow.dilation}"] if flow.dilation > 1 else []
    return (
        f"{flow.system} ({', '.join(traits)}) with {flow.coupling} coupling, "
        f"{flow.levels} levels of {flow.depth} steps, width {flow.width}"
    )
