"""Models in one file each: the configuration and the parameters."""

from typing import Any

import numpy as np

from cinc_ref import _validate
from cinc_ref._trees import named_leaves, rebuild
from cinc_ref._typing import Array, Params, Path
from cinc_ref.flows import Flow, build
from cinc_ref.training import npz_file

__all__ = ["DIGESTS", "load", "load_data", "model_arrays", "model_header", "read_model", "save"]

DIGESTS = ("train_images", "validation_images", "test_images")
"""Names of the digests of images in the file of a run."""

PARAMS = "params/"
"""Prefix of the names of the arrays of parameters in a file."""


def save(path: Path, flow: Flow, params: Params) -> None:
    """Save a model as one npz file: its parameters, and its configuration as JSON.

    The file is complete and on the disk before it replaces a file of the same name.

    Parameters
    ----------
    path : path
        By custom ``*.npz``; nothing is appended.
    flow : Flow
    params : tree of ndarray
        All float32 or all float64, as `load` returns them again.

    Raises
    ------
    OptionError
        If the flow is no `Flow`.
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
    >>> from cinc_ref.training import load, save
    >>> flow = build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=4)
    >>> rng = np.random.default_rng(0)
    >>> params = flow.init(rng, rng.uniform(-0.5, 0.5, (8, 1, 4, 4)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(Path(folder, "model.npz"), flow, params)
    ...     loaded_flow, loaded_params = load(Path(folder, "model.npz"))
    >>> loaded_flow == flow
    True
    """
    _validate.instance("flow", flow, Flow, "a Flow, as cinc_ref.flows.build makes it")
    flow.check_params(params)
    npz_file.write(path, model_header(flow), model_arrays(params))


def load(path: Path) -> tuple[Flow, Params]:
    """Load a model that `save` or `train` wrote, after checking that it is whole.

    Names, shapes and dtypes of all arrays are compared with the configuration before they are
    read. A run's ``last.npz`` gives the best model so far.

    Parameters
    ----------
    path : path

    Returns
    -------
    flow : Flow
    params : tree of ndarray
        float32 or float64, as they were saved.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or something else.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from cinc_ref.flows import build
    >>> from cinc_ref.training import load, save
    >>> flow = build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=4)
    >>> params = flow.init(np.random.default_rng(0), np.zeros((1, 1, 4, 4), np.float32))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(Path(folder, "model.npz"), flow, params)
    ...     loaded_flow, loaded_params = load(Path(folder, "model.npz"))
    >>> loaded_params["top"]["mean"].dtype
    dtype('float32')
    """
    with npz_file.opened(path) as file:
        return read_model(file)


def load_data(path: Path) -> dict[str, Any] | None:
    """Load what identifies the images on which a run trained its model.

    Returns
    -------
    dict or None
        The "name" and the "options" of `cinc_ref.data.image_set`, and digests of the
        "train_images", "validation_images" and "test_images". None for a model that was saved
        without.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or something else.
    """
    with npz_file.opened(path) as file:
        data = file.header.get("data")
        if data is None:
            return None
        kinds = {"name": str, "options": dict, **dict.fromkeys(DIGESTS, str)}
        if not isinstance(data, dict) or any(
            not isinstance(data.get(name), kind) for name, kind in kinds.items()
        ):
            raise ValueError("what it says of its images is damaged")
        return data


def model_header(flow: Flow, data: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the header of a model's file, with what identifies the images of a run."""
    more = {} if data is None else {"data": data}
    return {"kind": "model", "config": flow.config(), **more}


def model_arrays(params: Params) -> dict[str, Array]:
    """Return the arrays of a model's file, by name."""
    return {
        PARAMS + name: np.asarray(leaf, leaf.dtype.newbyteorder("<"), order="C")
        for name, leaf in named_leaves(params).items()
    }


def read_model(file: npz_file.NpzFile) -> tuple[Flow, Params]:
    """Read flow and parameters from an `NpzFile`; `opened` turns errors into `CheckpointError`."""
    config = file.header["config"]
    _check_plausible(config, len(file.entries), file.total_size)
    flow = build(**config)
    entries = {
        name.removeprefix(PARAMS): entry
        for name, entry in file.entries.items()
        if name.startswith(PARAMS)
    }
    dtype = next(iter(entries.values())).dtype if entries else np.dtype("<f4")
    template = flow.template
    shapes = {name: entry.shape for name, entry in entries.items()}
    difference = _difference(template.shapes, shapes)
    if difference:
        raise ValueError(f"the arrays do not fit the configuration: {difference}")
    if any(entry.dtype != dtype for entry in entries.values()):
        raise ValueError("some parameters are float32 and some float64")
    leaves = [file.read(PARAMS + name) for name in template.shapes]
    for name, leaf in zip(template.shapes, leaves, strict=True):
        if not np.isfinite(leaf).all():
            raise ValueError(f"the parameters {name} are not finite")
    return flow, rebuild(template.tree, iter(leaves))


def _check_plausible(config, arrays, total_size):
    """Refuse a configuration whose model is far larger than the file, before it is built.

    Each step has several arrays and holds a network with width*width weights and a convolution
    with at least half as many entries as the square of its channels, of which the last level has
    2 * 2**levels times as many as the image. The last level's latents are 1 / 2**(levels - 1) of
    the image.
    """
    levels, depth, width = (int(config[name]) for name in ("levels", "depth", "width"))
    channels, height, side = (int(length) for length in config["image_shape"])
    if not 1 <= levels <= 64:
        raise ValueError("the configuration has an impossible number of levels")
    last_channels = channels * 2 ** (levels + 1)
    needed = (
        levels * depth * width**2,
        channels * height * side >> (levels - 1),
        depth * last_channels**2 // 4,
    )
    if levels * depth > arrays or max(needed) > total_size:
        raise ValueError("the configuration needs more numbers than the file holds")


def _difference(expected, actual):
    """Describe the first difference of two dicts from name to shape; empty if there is none."""
    for name, shape in expected.items():
        if name not in actual:
            return f"{name} of shape {shape} is missing"
        if actual[name] != shape:
            return f"{name} must have shape {shape}; got {actual[name]}"
    for name in actual:
        if name not in expected:
            return f"{name} is unknown"
    return ""
