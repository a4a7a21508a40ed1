"""``python -m cinc_ref sample``."""

from pathlib import Path
from typing import Annotated

from cinc_ref import sampling, streaming
from cinc_ref._files import check_file
from cinc_ref.cli._common import load_model, model_file, say, stoppable
from cinc_ref.cli._options import Dask, Model, integer_option, number_option, path_option
from cinc_ref.errors import OptionError
from cinc_ref.training.checkpoint import load_data

__all__ = ["sample"]

INTERRUPTED = "Interrupted; what was drawn is saved. To continue, repeat the command."
"""Sentence that is printed after Ctrl-C or SIGTERM."""

SUFFIXES = tuple(dict.fromkeys(sampling.SUFFIXES + streaming.SUFFIXES))
"""Endings of the output's name."""


def sample(
    model: Model,
    count: Annotated[int, integer_option("-n", "How many images.", minimum=1)] = 100,
    temperature: Annotated[
        float,
        number_option(
            "--temperature", "Below 1: fewer oddities, less variety; 0: the mode.", minimum=0
        ),
    ] = 0.8,
    seed: Annotated[
        int, integer_option("--seed", "Seed of the random latents.", minimum=0, maximum=None)
    ] = 0,
    out: Annotated[
        Path,
        path_option(
            "--out",
            "A picture of all images (.png) with a title, digits dark on light paper: for the "
            "eye, no data; their grey levels (.npy, or .zarr for a Zarr array), of any number of "
            "images in constant memory; or both the grey levels and the flow's own numbers (.npz).",
            endings=SUFFIXES,
        ),
    ] = Path("samples.png"),
    dask: Dask = None,
) -> None:
    """Draw new images from a trained model, and print how long that took.

    The time is that of drawing and decoding all images, and with .npy and .zarr of writing them.
    Compilation and reading the model are not in it. If an image is lost, since its numbers
    overflow, nothing is written.
    With .npy and .zarr the same command continues after Ctrl-C, SIGTERM, a kill or a full disk, and
    gives the same images; until all are drawn they are in a folder NAME.unfinished.
    """
    streamed = out.suffix.lower() in streaming.SUFFIXES
    if dask is not None and not streamed:
        raise OptionError(
            f"--dask needs an --out that ends in {', '.join(streaming.SUFFIXES)}; got {out}"
        )
    (streaming.check_place if streamed else check_file)(out)
    if out.resolve() == model_file(model).resolve():
        raise OptionError(f"--out must be another file than the model; got {out} for both")
    flow, params = load_model(model)
    options = {"temperature": temperature, "seed": seed}
    if streamed:
        with stoppable(INTERRUPTED):
            samples = streaming.stream_samples(
                out, flow, params, count, **options, dask=dask, progress=True
            )
        drawn = f"{samples.drawn:,} of them drawn" if samples.drawn < count else "drawn"
    else:
        samples, drawn = sampling.draw(flow, params, count, **options), "drawn"
        trained_on = load_data(model_file(model))
        sampling.write(out, samples, data=None if trained_on is None else trained_on["name"])
    say(f"wrote {out}: {count:,} images at temperature {temperature:g}")
    say(
        f"{drawn} in {samples.seconds:.3g} s, {samples.images_per_second:,.3g} images a second "
        "(without compilation)"
    )
