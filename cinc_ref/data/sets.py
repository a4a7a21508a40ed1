"""The table of image sets, and the function that loads them by name."""

import inspect
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np

from cinc_ref._validate import is_integer, one_of, shown
from cinc_ref.data.array import array
from cinc_ref.data.bundled import digits
from cinc_ref.data.cifar import cifar10
from cinc_ref.data.folder import folder
from cinc_ref.data.image_set import ImageSet
from cinc_ref.data.imagenet import imagenet32, imagenet64
from cinc_ref.data.mnist import emnist, mnist
from cinc_ref.data.patches import patches
from cinc_ref.errors import OptionError

__all__ = ["IMAGE_SETS", "SetName", "check_options", "image_set", "options_of"]


def digits_set() -> ImageSet:
    """Load the digits of `digits`, shuffled with a fixed seed: 1,437 / 180 / 180 images, 17 levels.

    The order is ``numpy.random.default_rng(0).permutation(1797)``.

    Returns
    -------
    ImageSet

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.
    """
    images = digits()
    shuffled = images[np.random.default_rng(0).permutation(len(images))]
    return ImageSet("digits", *np.split(shuffled, [1437, 1617]), bins=17)


SetName: TypeAlias = Literal[
    "digits",
    "patches",
    "cifar10",
    "imagenet32",
    "imagenet64",
    "mnist",
    "emnist",
    "folder",
    "array",
]

IMAGE_SETS: dict[SetName, Callable[..., ImageSet]] = {
    "digits": digits_set,
    "patches": patches,
    "cifar10": cifar10,
    "imagenet32": imagenet32,
    "imagenet64": imagenet64,
    "mnist": mnist,
    "emnist": emnist,
    "folder": folder,
    "array": array,
}
"""The functions that load the image sets, by name; those that read your files take a path."""


def image_set(name: SetName, *, n_bits: int | None = None, **options: Any) -> ImageSet:
    """Load an image set by its name in `IMAGE_SETS`.

    Parameters
    ----------
    name : {"digits", "patches", "cifar10", "imagenet32", "imagenet64", "mnist", "emnist", \
"folder", "array"}
    n_bits : int, optional
        Number of bits of every level to keep; see `ImageSet.with_bits`.
    **options
        The options of the set, where it has any: ``path`` of your files, ``size`` of a patch or
        picture, ``channels`` of a picture. None counts as not given.

    Returns
    -------
    ImageSet

    Raises
    ------
    OptionError
        For an unknown name, where the message lists the known ones, and for an option that is
        impossible, missing, or unknown to the set.
    DataError
        If files are missing, damaged or something else; the message names them.
    MissingExtraError
        If a package that brings the images is not installed.

    Examples
    --------
    >>> from cinc_ref.data import image_set
    >>> digits = image_set("digits")
    >>> [len(part) for part in (digits.train, digits.validation, digits.test)]
    [1437, 180, 180]
    >>> digits.image_shape, digits.bins
    ((1, 8, 8), 17)
    """
    load = IMAGE_SETS[one_of("data", name, IMAGE_SETS)]
    options = check_options(name, **options)
    images = load(**options)
    if n_bits is not None:
        images, options = images.with_bits(n_bits), {**options, "n_bits": n_bits}
    return replace(images, options={k: _as_json(value) for k, value in options.items()})


def _as_json(value):
    """Return an integer or a path as JSON has it; the path is absolute."""
    return int(value) if is_integer(value) else os.path.abspath(value)


def check_options(name: str, **options: Any) -> dict[str, Any]:
    """Return the options of an image set that are given, or refuse those that it does not take.

    Parameters
    ----------
    name : str
        A name in `IMAGE_SETS`.
    **options
        Options as `image_set` takes them, of which None counts as not given.

    Returns
    -------
    dict

    Raises
    ------
    OptionError
        If the set does not take an option, or needs one that is missing.
    """
    options = {option: value for option, value in options.items() if value is not None}
    known = options_of(name)
    for option in options:
        if option not in known:
            raise OptionError(f"{name} has no option {option}; got {shown(options[option])}")
    if "path" in known and "path" not in options:
        raise OptionError(f"{name} needs path (--path): where its files are; got none")
    return options


def options_of(name: str) -> tuple[str, ...]:
    """Return the names of the options that an image set takes."""
    return tuple(inspect.signature(IMAGE_SETS[name]).parameters)
