"""The parts of an image set: their names in folders and files, and how missing ones are cut."""

import re
from collections.abc import Iterable, Mapping

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.errors import DataError

__all__ = ["PARTS", "complete_orders", "mentioned_part", "parts_by_name", "shuffled_order"]

PARTS = ("train", "validation", "test")
"""Names of the parts of an image set."""

NAMES: dict[str, tuple[str, ...]] = {
    "train": ("train", "training", "trn"),
    "validation": ("validation", "valid", "val", "dev", "development"),
    "test": ("test", "testing", "tst", "eval", "evaluation"),
}
"""Words that name each part in folders and files, in lower case."""

COMPOUNDS = ("", "s", "set", "data", "images", "imgs", "img", "pictures")
"""Endings that such a word may have, as in "trainset"."""

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
"""The words of a name: "train_32x32", "TrainImages" and "val2017" begin with the part's word."""

_PART_OF_WORD = {
    word + ending: part for part, words in NAMES.items() for word in words for ending in COMPOUNDS
}


def mentioned_part(name: str) -> str | None:
    """Return the part that the name of a folder or array mentions, or None.

    Upper and lower case are alike. A name that mentions two parts ("train_val") is none of them.

    Examples
    --------
    >>> [mentioned_part(name) for name in ("Train", "val_32x32", "x_test", "cats", "trainval")]
    ['train', 'validation', 'test', None, None]
    """
    words = [word.lower() for word in WORD.findall(name)]
    parts = {_PART_OF_WORD[word] for word in words if word in _PART_OF_WORD}
    return parts.pop() if len(parts) == 1 else None


def parts_by_name(names: Iterable[str], where: str, others: Iterable[str] = ()) -> dict[str, str]:
    """Return the name of each part, if any name mentions one; empty if none does.

    Parameters
    ----------
    names : iterable of str
        Names of all folders or arrays that hold images.
    where : str
        The folder or file, for messages.
    others : iterable of str
        Names of further images, which cannot be parts.

    Raises
    ------
    DataError
        If two names are of one part, a name beside those of parts is none of a part, or there are
        parts without images to train.
    """
    names = list(names)
    names_of_parts: dict[str, str] = {}
    for name in names:
        part = mentioned_part(name)
        if part in names_of_parts:
            raise DataError(
                f"{where} has two names for the {part} part, {names_of_parts[part]} and {name}: "
                "keep one, or join them"
            )
        if part:
            names_of_parts[part] = name
    unknown = [name for name in (*names, *others) if name not in names_of_parts.values()]
    if names_of_parts and unknown:
        raise DataError(
            f"{where} holds parts ({', '.join(names_of_parts.values())}), and beside them "
            f"{', '.join(unknown[:10])}: name the others as parts too (train, validation, test), "
            "or move them away"
        )
    if names_of_parts and "train" not in names_of_parts:
        raise DataError(
            f"{where} holds {', '.join(names_of_parts.values())} and no images to train: "
            "add train, or rename what is there"
        )
    return names_of_parts


def shuffled_order(count: int) -> tuple[Array, Array, Array]:
    """Shuffle numbers of images with a fixed seed, and divide them 8 : 1 : 1 into three parts.

    Returns
    -------
    tuple of three ndarray of integers
        Images to train, validate and test.

    Raises
    ------
    DataError
        If there are fewer than three images.
    """
    if count < 3:
        raise DataError(f"images must be at least 3, one for each part; got {count}")
    tenth = max(1, count // 10)
    order = np.random.default_rng(0).permutation(count)
    train, validation, test = np.split(order, [count - 2 * tenth, count - tenth])
    return train, validation, test


def complete_orders(counts: Mapping[str, int], where: str) -> dict[str, tuple[str, Array | None]]:
    """Return, for every part, the given part whose images it takes, and which of them.

    A part that is given is taken whole (None). One that is missing is cut from the images to
    train alone: a tenth of them, shuffled with a fixed seed; if both are missing, they are
    divided as `shuffled_order` does.

    Parameters
    ----------
    counts : mapping of str to int
        Number of images of each part that is given; "train" is.
    where : str
        The folder or file, for messages.

    Raises
    ------
    DataError
        If there are too few images to train.
    """
    missing = [part for part in PARTS if part not in counts]
    count = counts["train"]
    given: dict[str, tuple[str, Array | None]] = {part: (part, None) for part in counts}
    if len(missing) == 2:
        orders = shuffled_order(count)
        return {part: ("train", order) for part, order in zip(PARTS, orders, strict=True)}
    if missing:
        if count < 2:
            raise DataError(
                f"{where} must hold at least 2 images to train, of which one becomes the "
                f"{missing[0]} part; got {count}"
            )
        order = np.random.default_rng(0).permutation(count)
        cut = count - max(1, count // 10)
        given |= {"train": ("train", order[:cut]), missing[0]: ("train", order[cut:])}
    return {part: given[part] for part in PARTS}
