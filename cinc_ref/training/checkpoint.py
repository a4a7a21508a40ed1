"""A model in one file: its configuration and its parameters."""

import numpy as np

from cinc_ref import _validate
from cinc_ref._trees import named_leaves, rebuild
from cinc_ref.errors import DtypeError, ShapeError
from cinc_ref.flows import build
from cinc_ref.training import container
from cinc_ref.training.tree import Layout

PARAMS = "params/"
"""Prefix of the names of the parameters' arrays."""


def save(path, flow, params):
    """Save a model: one npz with the parameters, and the configuration as JSON inside.

    The file is complete and on the disk before it takes the place of one of the same name.

    Parameters
    ----------
    path : path
        By custom ``*.npz``; nothing is appended.
    flow : Flow
    params : tree of ndarray
        float32 or float64, which is kept.

    Raises
    ------
    ShapeError, DtypeError
        If the parameters are not those of the flow.
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
    leaves = named_leaves(params)
    for name, leaf in leaves.items():
        _validate.check_float(leaf, f"params {name}")
    if len({leaf.dtype.newbyteorder("=") for leaf in leaves.values()}) > 1:
        raise DtypeError("params must all be float32 or all float64; got both: convert them")
    found = {name: leaf.shape for name, leaf in leaves.items()}
    difference = _difference(_layout(flow, np.float32).shapes, found)
    if difference:
        raise ShapeError(f"params must be those of the flow: {difference}")
    container.write(path, model_header(flow), model_arrays(params))


def load(path):
    """Load a model that `save` or `train` wrote, after checking that it is whole.

    Names, shapes and dtypes of all arrays are compared with the configuration before they are
    read. From a run's ``last.npz`` this is the best model so far.

    Parameters
    ----------
    path : path

    Returns
    -------
    flow : Flow
    params : tree of ndarray

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or something else.
    """
    with container.opened(path) as file:
        return read_model(file)


def model_header(flow):
    """What the header of a model's file says."""
    return {"kind": "model", "config": flow.config()}


def model_arrays(params):
    """The arrays of a model's file, by name."""
    return {
        PARAMS + name: np.asarray(leaf, leaf.dtype.newbyteorder("<"), order="C")
        for name, leaf in named_leaves(params).items()
    }


def read_model(file):
    """Flow and parameters from a container, where errors become `CheckpointError`."""
    config = file.header["config"]
    _check_plausible(config, file.numbers)
    flow = build(**config)
    found = {
        name.removeprefix(PARAMS): entry
        for name, entry in file.entries.items()
        if name.startswith(PARAMS)
    }
    dtype = next(iter(found.values())).dtype if found else np.dtype("<f4")
    layout = _layout(flow, dtype.newbyteorder("="))
    shapes = {name: entry.shape for name, entry in found.items()}
    difference = _difference(layout.shapes, shapes)
    if difference:
        raise ValueError(f"the arrays do not fit the configuration: {difference}")
    if any(entry.dtype != dtype for entry in found.values()):
        raise ValueError("some parameters are float32 and some float64")
    leaves = [file.read(PARAMS + name) for name in layout.shapes]
    for name, leaf in zip(layout.shapes, leaves, strict=True):
        if not np.isfinite(leaf).all():
            raise ValueError(f"the parameters {name} are not finite")
    return flow, rebuild(layout.structure, iter(leaves))


def _layout(flow, dtype):
    """Names and shapes of the flow's parameters, from an initialization on one image of noise."""
    rng = np.random.default_rng(0)
    noise = rng.uniform(-0.5, 0.5, (1, *flow.image_shape)).astype(dtype)
    return Layout.of(flow.init(rng, noise))


def _check_plausible(config, numbers):
    """Refuse a configuration whose model is far larger than the file, before it is built.

    Each step holds a network with width*width weights, and the last level's latents are
    1 / 2**(levels - 1) of the image.
    """
    levels, depth, width = (int(config[name]) for name in ("levels", "depth", "width"))
    weights = levels * depth * width**2
    pixels = 1
    for side in config["image_shape"]:
        pixels *= int(side)
    if levels > 64 or max(weights, pixels >> (levels - 1)) > numbers:
        raise ValueError("the configuration needs more numbers than the file holds")


def _difference(expected, found):
    """What distinguishes two dicts from name to shape, in words; empty if nothing does."""
    for name, shape in expected.items():
        if name not in found:
            return f"{name} of shape {shape} is missing"
        if found[name] != shape:
            return f"{name} must have shape {shape}; got {found[name]}"
    for name in found:
        if name not in expected:
            return f"{name} is unknown"
    return ""
