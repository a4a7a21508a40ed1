"""Samples of a model in any number: memory stays constant, and a killed run is continued.

Images are drawn in the chunks of `cinc_ref.sampling`, here or by the workers of a Dask cluster, and
each is written where it belongs as soon as it is there. They are the same bits wherever and
in whatever order they were drawn, on processors of one kind.
"""

import hashlib
import os
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from cinc_ref import _typing, _validate
from cinc_ref._blas import one_blas_thread
from cinc_ref._chunk_stores import STORES
from cinc_ref._cluster import check_address, completed
from cinc_ref._display import fields_html, short_repr
from cinc_ref._files import check_file
from cinc_ref._progress import progress as shown_progress
from cinc_ref._trees import named_leaves
from cinc_ref._unfinished import unfinished
from cinc_ref.errors import OptionError, OutputError
from cinc_ref.flows import Flow, quantize
from cinc_ref.flows.multiscale import check_flow
from cinc_ref.flows.sampler import Sampler
from cinc_ref.kernels._jit import without_compilation
from cinc_ref.sampling import CHUNK, check_not_lost, chunks, draw_chunk, first_draw, prepared

__all__ = ["SUFFIXES", "Model", "Streamed", "check_place", "draw_levels", "stream_samples"]


def __dir__() -> list[str]:
    return __all__


SUFFIXES = tuple(STORES)
"""Endings of a file's name, each of which stands for a format."""


@dataclass(frozen=True)
class Streamed:
    """The result of `stream_samples`.

    Attributes
    ----------
    path : Path
        The file, or the folder of the Zarr array.
    count : int
        The number of images in it.
    drawn : int
        The number of those that this call drew; the others had been drawn by a call that was
        killed.
    seconds : float
        Time of drawing and writing them, in seconds, without compilation.
    """

    path: Path
    count: int
    drawn: int
    seconds: float

    __repr__ = short_repr
    _repr_html_ = fields_html

    @property
    def images_per_second(self) -> float:
        """The number of images that were drawn divided by the seconds."""
        return self.drawn / max(self.seconds, 1e-9)


def stream_samples(
    path: _typing.Path,
    flow: Flow,
    params: _typing.Params,
    count: int,
    *,
    temperature: float = 0.8,
    seed: int = 0,
    dask: str | None = None,
    progress: bool = False,
) -> Streamed:
    """Draw images into a file that need not fit into memory.

    Until the last image is written they are in a folder beside, ``NAME.unfinished``, and the name
    of `path` appears when all are there. If the process is killed, stopped by Ctrl-C or finds the
    disk full, the same call draws what is missing; the result has the bits of an
    undisturbed one. Only one process or thread at a time writes a file.

    Parameters
    ----------
    path : path
        ``.npy``: a NumPy file, which replaces a former one. ``.zarr``: the folder of a Zarr array
        of version 3, which must not exist, with a chunk for every thousand images and the settings
        as attributes; it needs the extra ``stream``. Both hold levels 0 to ``flow.bins - 1``, shape
        (count, C, H, W), clipped and rounded down, as uint8 (uint16 for more than 256 bins).
    flow : Flow
    params : tree of ndarray
        Parameters as `Flow.init` returns them.
    count : int
        Number of images, at least 1.
    temperature : float
        Standard deviation of the latents, at least 0.
    seed : int
        Seed of the latents, at least 0. Images are those of `cinc_ref.sampling.draw`: each chunk
        of 1000 has a generator of its own, see `cinc_ref.sampling.draw_chunk`.
    dask : str, optional
        Address of a Dask scheduler whose workers draw; this process writes. The workers need the
        environment of this process, and may come and die meanwhile. The bits are the same on
        processors of one kind: a BLAS rounds otherwise on another.
    progress : bool
        Whether the number of images, and of images per second, is shown while it takes long.

    Returns
    -------
    Streamed

    Raises
    ------
    OptionError
        If the name has another ending, `flow` is no flow, a number is out of range, or the images
        that are there were drawn with other options.
    ParamsError
        If the parameters do not fit the flow, or are not finite.
    NonFiniteError
        If images are lost, since their numbers overflow; no file is written then.
    OutputError
        If the file cannot be written, or another process writes it.
    CheckpointError
        If the settings of the run to be continued are damaged.
    MissingExtraError
        If zarr or distributed is needed and not installed.
    CincError
        If no scheduler or no worker answers, or the workers die of their work.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from cinc_ref.flows import build
    >>> from cinc_ref.streaming import stream_samples
    >>> flow = build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=4, bins=4)
    >>> params = flow.init(0, np.random.default_rng(0).uniform(-0.5, 0.5, (8, 1, 4, 4)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = stream_samples(Path(folder, "samples.npy"), flow, params, 2400)
    ...     images = np.load(result.path, mmap_mode="r")
    >>> images.shape, images.dtype, result.drawn
    ((2400, 1, 4, 4), dtype('uint8'), 2400)
    """
    final = check_place(path)
    store = STORES[final.suffix.lower()]
    params_dtype = check_flow(flow).check_params(params)
    count = _validate.integer("count", count, minimum=1)
    model = Model(
        prepared(flow, params),
        _validate.number("temperature", temperature, minimum=0),
        _validate.integer("seed", seed, minimum=0),
    )
    progress = _validate.boolean("progress", progress)
    dask = None if dask is None else check_address("dask", dask)
    settings = {
        "model": _digest(flow, params, params_dtype),
        "count": count,
        "temperature": model.temperature,
        "seed": model.seed,
        "chunk": CHUNK,
    }
    levels = quantize(np.zeros(1), flow.bins).dtype
    array = (count, *flow.image_shape), levels, CHUNK
    with unfinished(final, store, settings, *array) as output, _shown(progress, count) as show:
        missing = [chunk for chunk in chunks(count) if chunk[0] not in output.checksums]
        drawn, done, caught = 0, count - sum(size for _, size in missing), {}
        if dask is None and missing:
            draw_levels((0, first_draw(model.sampler, count)), model)  # loads what is compiled
        start = without_compilation(time.monotonic)
        for (index, size), (images, messages) in _drawn(missing, model, dask):
            output.write(index, images)
            drawn, caught = drawn + size, caught | messages
            show(done + drawn, drawn / max(1e-9, without_compilation(time.monotonic) - start))
        seconds = without_compilation(time.monotonic) - start
    for warning in caught.values():
        warnings.warn(warning, stacklevel=2)
    return Streamed(final, count, drawn, seconds)


def check_place(path: _typing.Path) -> Path:
    """Return where samples are written, behind links, before any is drawn.

    Raises
    ------
    OptionError
        If the name's ending stands for no format.
    OutputError
        If nothing can be written there, or a Zarr array would take the place of something.
    """
    _validate.instance("path", path, str | PathLike, "the name of a file")
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise OptionError(
            f"{path} must end in {', '.join(SUFFIXES)}: the ending says what to write"
        )
    if path.suffix.lower() == ".zarr" and os.path.lexists(path):
        raise OutputError(f"{path} is there already: delete it, or choose another place")
    check_file(path)
    return path.resolve()


@dataclass(frozen=True)
class Model:
    """A sampler with all on which its images depend; a worker of a cluster receives it once."""

    sampler: Sampler
    temperature: float
    seed: int

    __repr__ = short_repr


def draw_levels(
    chunk: tuple[int, int], model: Model
) -> tuple[_typing.IntegerArray, dict[str, Warning]]:
    """Draw the integer images of a chunk, with the warnings by their messages.

    Parameters
    ----------
    chunk : (int, int)
        Index and number of images, as `cinc_ref.sampling.chunks` yields them.
    model : Model

    Returns
    -------
    images : ndarray of integers, shape (size, C, H, W)
    caught : dict

    Raises
    ------
    NonFiniteError
        If images are lost.
    """
    index, size = chunk
    with one_blas_thread():
        samples, caught = draw_chunk(
            model.sampler,
            index,
            size,
            temperature=model.temperature,
            seed=model.seed,
        )
    reason = f" ({caught[0]})" if caught else ""
    check_not_lost(samples, f"samples at temperature {model.temperature:g}", reason)
    return quantize(samples, model.sampler.flow.bins), {str(warning): warning for warning in caught}


def _drawn(missing, model, dask):
    """Yield each missing chunk with its images and warnings, in whatever order they come."""
    if dask is None:
        return ((chunk, draw_levels(chunk, model)) for chunk in missing)
    return completed(draw_levels, missing, model, dask)


@contextmanager
def _shown(progress, count):
    """Yield the function that shows how many images are there, and how many come in a second."""
    if not progress:
        yield lambda done, rate: None
        return
    with shown_progress("sample", count, lasting=False, patient=True) as shown:
        yield lambda done, rate: shown.update(done, f"{rate:,.0f} images/s")


def _digest(flow, params, dtype):
    """Return a text that identifies a flow with its parameters, on any machine."""
    sha = hashlib.sha256(repr(sorted(flow.config().items())).encode())
    for name, leaf in named_leaves(params).items():
        sha.update(f"{name} {np.shape(leaf)}".encode())
        sha.update(np.ascontiguousarray(leaf, dtype.newbyteorder("<")))
    return f"{dtype} {sha.hexdigest()[:32]}"
