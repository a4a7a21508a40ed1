"""Samples of a model in a file: a picture, or arrays."""

import os
from pathlib import Path

import numpy as np

from cinc_ref import _validate
from cinc_ref._files import output_errors
from cinc_ref.errors import OptionError
from cinc_ref.flows import Flow, quantize
from cinc_ref.flows.multiscale import check_flow

SUFFIXES = (".png", ".npy", ".npz")
"""Endings of a file's name, each of which stands for a format."""


def check_suffix(path):
    """Refuse a name whose ending stands for no format."""
    _validate.instance("path", path, str | os.PathLike, "the name of a file")
    if Path(path).suffix.lower() not in SUFFIXES:
        raise OptionError(
            f"{path} must end in {', '.join(SUFFIXES)}: the ending says what to write"
        )


def sample_to_file(
    path: str | os.PathLike,
    flow: Flow,
    params: dict,
    count: int,
    *,
    temperature: float = 0.8,
    seed: int = 0,
) -> np.ndarray:
    """Draw images and write them to a file.

    Parameters
    ----------
    path : path
        ``.png``: a picture of all images. ``.npy``: integer images, clipped and rounded down to
        the model's bins. ``.npz``: these as "images", and the samples of the flow, unclipped, as
        "samples".
    flow : Flow
    params : tree of ndarray
        Parameters as `Flow.init` returns them.
    count : int
        Number of images, at least 1.
    temperature : float
        Standard deviation of the latents, at least 0.
    seed : int
        Seed of the latents, at least 0.

    Returns
    -------
    ndarray of integers, shape (count, C, H, W)
        Levels 0 to ``flow.bins - 1``.

    Raises
    ------
    OptionError
        If the name has another ending, `flow` is no flow, or a number is out of range.
    ParamsError
        If the parameters do not fit the flow, or are not finite.
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from cinc_ref.flows import build
    >>> from cinc_ref.sampling import sample_to_file
    >>> flow = build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=4, bins=4)
    >>> rng = np.random.default_rng(0)
    >>> params = flow.init(rng, rng.uniform(-0.5, 0.5, (8, 1, 4, 4)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     images = sample_to_file(Path(folder, "samples.npy"), flow, params, 3)
    >>> images.shape, images.dtype
    ((3, 1, 4, 4), dtype('uint8'))
    """
    check_suffix(path)
    check_flow(flow)
    count = _validate.integer("count", count, minimum=1)
    temperature = _validate.number("temperature", temperature, minimum=0)
    seed = _validate.integer("seed", seed, minimum=0)
    samples = flow.sample(params, np.random.default_rng(seed), count, temperature=temperature)
    images = quantize(samples, flow.bins)
    with output_errors(path):
        _write(Path(path), images, samples, flow.bins)
    return images


def _write(path, images, samples, bins):
    match path.suffix.lower():
        case ".npy":
            with open(path, "wb") as file:  # given a name, save would append to .NPY
                np.save(file, images)
        case ".npz":
            with open(path, "wb") as file:
                np.savez(file, images=images, samples=samples)
        case _:
            from cinc_ref.plots import image_grid  # matplotlib is optional

            image_grid(images, value_range=(0, bins - 1)).savefig(path)
