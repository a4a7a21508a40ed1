"""Samples of a model, how long they took, and the file that receives them: a picture or arrays.

Images are drawn in chunks of `CHUNK`, each with a generator of its own, so that an image depends on
the seed, the temperature, the model and the number of images, and neither on the machine of a
cluster that drew it nor on what was drawn before. `cinc_ref.streaming` draws in the same way.
"""

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from cinc_ref import _typing, _validate
from cinc_ref._claims import exclusive
from cinc_ref._files import check_file, write_atomically, write_figure
from cinc_ref.errors import IllConditionedWarning, NonFiniteError, OptionError
from cinc_ref.flows import Flow, quantize
from cinc_ref.flows.multiscale import check_flow
from cinc_ref.flows.sampler import Sampler
from cinc_ref.kernels._jit import without_compilation

__all__ = [
    "CHUNK",
    "SUFFIXES",
    "Samples",
    "check_not_lost",
    "check_suffix",
    "chunks",
    "draw",
    "draw_chunk",
    "first_draw",
    "prepared",
    "sample_to_file",
    "write",
]


def __dir__() -> list[str]:
    return __all__


SUFFIXES = (".png", ".npy", ".npz")
"""Endings of a file's name, each of which stands for a format."""

CHUNK = 1000
"""Images in a chunk: few enough that a killed command loses seconds, and enough that little time
is spent between chunks. Seeds depend on it."""


@dataclass(frozen=True, repr=False)
class Samples:
    """The result of `draw`.

    Attributes
    ----------
    images : ndarray of integers, shape (count, C, H, W)
        Levels 0 to ``flow.bins - 1``, clipped and rounded down.
    samples : ndarray of floats, shape (count, C, H, W)
        What the flow gave, unclipped.
    flow : Flow
        The flow that drew them.
    temperature : float
        Standard deviation of the latents.
    seconds : float
        Time of drawing and decoding all of them, in seconds, without compilation.
    """

    images: _typing.IntegerArray
    samples: _typing.FloatArray
    flow: Flow
    temperature: float
    seconds: float

    @property
    def images_per_second(self) -> float:
        """The number of images divided by the seconds."""
        return len(self.images) / max(self.seconds, 1e-9)

    def __repr__(self) -> str:
        count, *shape = self.images.shape
        return (
            f"Samples({count} images of shape {tuple(shape)} with {self.flow.bins} levels, "
            f"{self.seconds:.3g} s)"
        )


def check_suffix(path: _typing.Path) -> None:
    """Refuse a name whose ending stands for no format."""
    _validate.instance("path", path, str | PathLike, "the name of a file")
    if Path(path).suffix.lower() not in SUFFIXES:
        raise OptionError(
            f"{path} must end in {', '.join(SUFFIXES)}: the ending says what to write"
        )


def draw(
    flow: Flow,
    params: _typing.Params,
    count: int,
    *,
    temperature: float = 0.8,
    seed: int = 0,
) -> Samples:
    """Draw images, and measure how long that takes.

    The flow is prepared first (`Flow.sampler`), and a first draw, which is thrown away, loads what
    is compiled. The clock stands still while anything is compiled, so that the time is that of
    every later call.

    Parameters
    ----------
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
    Samples

    Raises
    ------
    OptionError
        If `flow` is no flow, or a number is out of range.
    ParamsError
        If the parameters do not fit the flow, or are not finite.
    NonFiniteError
        If images are lost, since their numbers overflow; the message counts them.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.flows import build
    >>> from cinc_ref.sampling import draw
    >>> flow = build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=4, bins=4)
    >>> rng = np.random.default_rng(0)
    >>> params = flow.init(rng, rng.uniform(-0.5, 0.5, (8, 1, 4, 4)))
    >>> samples = draw(flow, params, 3)
    >>> samples.images.shape, samples.images.dtype, samples.seconds > 0
    ((3, 1, 4, 4), dtype('uint8'), True)
    """
    check_flow(flow)
    count = _validate.integer("count", count, minimum=1)
    temperature = _validate.number("temperature", temperature, minimum=0)
    seed = _validate.integer("seed", seed, minimum=0)
    sampler = prepared(flow, params)
    flow._check_count("count", count, sampler.dtype)
    draw_chunk(sampler, 0, first_draw(sampler, count), temperature=1.0, seed=seed)
    started = without_compilation(time.monotonic)
    drawn = [
        draw_chunk(sampler, index, size, temperature=temperature, seed=seed)
        for index, size in chunks(count)
    ]
    seconds = without_compilation(time.monotonic) - started
    samples = np.concatenate([part for part, _ in drawn])
    caught = [warning for _, caught in drawn for warning in caught]
    reason = f" ({caught[0]})" if caught else ""
    check_not_lost(samples, f"samples at temperature {temperature:g}", reason)
    for warning in caught:
        warnings.warn(warning, stacklevel=2)
    return Samples(quantize(samples, flow.bins), samples, flow, temperature, seconds)


def chunks(count: int) -> Iterator[tuple[int, int]]:
    """Yield the index of each chunk of so many images, and the number of images in it.

    Examples
    --------
    >>> from cinc_ref.sampling import chunks
    >>> list(chunks(2400))
    [(0, 1000), (1, 1000), (2, 400)]
    """
    for index, start in enumerate(range(0, count, CHUNK)):
        yield index, min(CHUNK, count - start)


def prepared(flow: Flow, params: _typing.Params) -> Sampler:
    """Prepare a flow for drawing, without the warnings of NumPy about numbers that overflow."""
    with np.errstate(all="ignore"):
        return flow.sampler(params)


def first_draw(sampler: Sampler, count: int) -> int:
    """Return how many images are drawn first, and thrown away, so that all is compiled and made."""
    return min(count, sampler.batch + count % sampler.batch)


def draw_chunk(
    sampler: Sampler, index: int, size: int, *, temperature: float, seed: int
) -> tuple[_typing.FloatArray, list[Warning]]:
    """Draw one chunk of images, with the warnings about them.

    Parameters
    ----------
    sampler : Sampler
        As `Flow.sampler` makes it.
    index : int
        Number of the chunk. Chunk 0 is drawn by ``numpy.random.default_rng(seed)``, chunk k by that
        of ``numpy.random.SeedSequence(seed, spawn_key=(k,))``.
    size : int
        Number of images.
    temperature : float
        Standard deviation of the latents.
    seed : int
        Seed of the latents of all chunks.

    Returns
    -------
    samples : ndarray of floats, shape (size, C, H, W)
        What the flow gives, unclipped; numbers that overflow are not finite.
    caught : list of IllConditionedWarning
    """
    spawn_key = (index,) if index else ()
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=spawn_key))
    with exclusive, warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("always", IllConditionedWarning)
        samples = sampler.draw(rng, size, temperature)
    return samples, [warning.message for warning in caught]


def check_not_lost(images: _typing.FloatArray, name: str, reason: str = "") -> None:
    """Refuse decoded images if numbers of some are lost: a file would show them black.

    Parameters
    ----------
    images : ndarray of floats
        The last three axes are those of an image.
    name, reason : str
        Subject of the message, and what may stand behind its figures.

    Raises
    ------
    NonFiniteError
        With the number of images that are lost.
    """
    whole = np.isfinite(images).all(axis=(-3, -2, -1))
    if not whole.all():
        raise NonFiniteError(
            f"{name} must be finite; {np.sum(~whole):,} of {whole.size:,} are not{reason}: "
            "lower the temperature, or train with stable=True (--stable)"
        )


def write(path: _typing.Path, samples: Samples, data: str | None = None) -> None:
    """Write samples to a file.

    Parameters
    ----------
    path : path
        ``.png``: a picture of all images. ``.npy``: the images. ``.npz``: these as "images", and
        the samples of the flow as "samples".
    samples : Samples
    data : str, optional
        Name of the image set on which the model was trained, which tells whether a picture shows
        high levels dark, as ink.

    Raises
    ------
    OptionError
        If the name has another ending.
    OutputError
        If the file cannot be written.
    """
    check_suffix(path)
    path, images = Path(path), samples.images
    match path.suffix.lower():
        case ".npy":
            with write_atomically(path) as file:
                np.save(file, images)
        case ".npz":
            with write_atomically(path) as file:
                np.savez(file, images=images, samples=samples.samples)
        case _:
            from cinc_ref.plots import samples_figure  # matplotlib is optional

            options = {"temperature": samples.temperature, "data": data}
            write_figure(path, samples_figure(images, samples.flow, **options))


def sample_to_file(
    path: _typing.Path,
    flow: Flow,
    params: _typing.Params,
    count: int,
    *,
    temperature: float = 0.8,
    seed: int = 0,
) -> _typing.IntegerArray:
    """Draw images and write them to a file.

    Parameters
    ----------
    path : path
        ``.png``: a picture of all images with a title, for the eye: digits are dark on light
        paper, as in all pictures of `cinc_ref.plots`, and its pixels are no data. ``.npy``:
        integer images, clipped and rounded down to the model's bins. ``.npz``: these as "images",
        and the samples of the flow, unclipped, as "samples".
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
    NonFiniteError
        If images are lost, since their numbers overflow; no file is written then.
    OutputError
        If the file cannot be written, which is checked before the images are drawn.

    See Also
    --------
    draw, write : the two halves, with the time that the images took.

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
    check_file(path)
    samples = draw(flow, params, count, temperature=temperature, seed=seed)
    write(path, samples)
    return samples.images
