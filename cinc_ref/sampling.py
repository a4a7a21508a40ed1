"""Samples of a model in a file: a picture, or arrays."""

from pathlib import Path

import numpy as np

from cinc_ref._files import output_errors
from cinc_ref.errors import OptionError
from cinc_ref.flows import quantize

SUFFIXES = (".png", ".npy", ".npz")


def check_suffix(path):
    """Refuse a name that does not say what the file is to hold."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise OptionError(
            f"{path} must end in {', '.join(SUFFIXES)}: the ending says what to write"
        )


def sample_to_file(path, flow, params, count, *, temperature=0.8, seed=0):
    """Draw images and write them to a file.

    Parameters
    ----------
    path : path
        ``.png``: a picture of all images. ``.npy``: integer images, clipped and rounded down to
        the model's bins. ``.npz``: these as "images", and the flow's own numbers, unclipped, as
        "samples".
    flow : Flow
    params : tree of ndarray
    count : int
        How many, at least 1.
    temperature : float
        Standard deviation of the latents, at least 0.
    seed : int

    Returns
    -------
    ndarray of integers, shape (count, C, H, W)
        Levels 0 to ``flow.bins - 1``.

    Raises
    ------
    OptionError
        For another ending of the name, or a number out of range.
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
    if not count >= 1:
        raise OptionError(f"count must be >= 1; got {count}")
    if not 0 <= temperature < np.inf:
        raise OptionError(f"temperature must be a number >= 0; got {temperature}")
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
            from cinc_ref.plots import image_grid  # which needs matplotlib

            image_grid(images, value_range=(0, bins - 1)).savefig(path)
