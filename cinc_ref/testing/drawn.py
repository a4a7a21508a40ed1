"""Checks at shapes and options that follow from the seed: seeds differ in more than values.

Every seed visits each number of channels, kernel size, dilation and corner of the tables below, in
other combinations, because mistakes are often those of one number: a block of 4 or 8 channels, the
remainder of a batch by 8, a tap that a small image never reads.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from cinc_ref.geometry import CORNERS
from cinc_ref.testing.base import Check
from cinc_ref.testing.correctness import STATEMENTS, compare, compare_unless_masked
from cinc_ref.testing.failure import CheckSkipped

__all__ = ["drawn_checks"]

CHANNELS = (1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 18, 20, 24)
"""The numbers of channels, each once in a seed; the first two have one image and many."""

BATCHES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 15, 16, 17, 24, 33, 66)
"""The numbers of images, in another order in every seed."""

KERNEL_SIZES = ((3, 3), (4, 4), (5, 5), (7, 7), (2, 2), (3, 3), (1, 1), (3, 2))
"""The kernel sizes, of which those that are not square may be refused."""

MAX_UNKNOWNS = 132
"""The largest number of unknowns of an image; the reference inverts a matrix of this size."""

FAR: tuple[dict[str, Any], ...] = (
    {"channels": 1, "kernel_size": (7, 7), "size": (9, 10)},
    {"channels": 1, "kernel_size": (5, 5), "size": (8, 11)},
    {"channels": 2, "kernel_size": (4, 4), "size": (7, 8)},
    {"channels": 1, "kernel_size": (3, 3), "size": (10, 13)},
    {"channels": 2, "kernel_size": (3, 3), "size": (12, 5)},
    {"channels": 3, "kernel_size": (3, 3), "size": (11, 4)},
    {"channels": 4, "kernel_size": (3, 3), "size": (10, 3)},
)
"""Images that are larger than their kernel, so that every tap is read by several pixels."""


def _size(rng, channels):
    """Draw (H, W) with at most `MAX_UNKNOWNS` entries, oblong if there is room."""
    room = MAX_UNKNOWNS // channels
    height = int(rng.integers(1, min(12, room) + 1))
    width = int(rng.integers(1, min(13, max(1, room // height)) + 1))
    return height, width


def _plain(rng):
    """Draw the recipes without options."""
    batches, kernels = rng.permutation(BATCHES), rng.permutation(len(KERNEL_SIZES))
    recipes = []
    for k, channels in enumerate(CHANNELS):
        size = KERNEL_SIZES[kernels[k % len(KERNEL_SIZES)]]
        recipes.append(
            {
                "channels": channels,
                "images": int(batches[k]),
                "kernel_size": size,
                "size": _size(rng, channels),
                "diagonal": ("mixed", "wide")[int(rng.integers(2))],
            }
        )
    recipes[0] |= {"images": 1, "positive": True}
    recipes += [dict(recipe, images=int(rng.integers(1, 4))) for recipe in FAR]
    recipes.append({"channels": 2, "images": 2, "size": (4, int(rng.choice([4, 8, 12])))})
    recipes.append({"channels": 2, "images": 2, "size": (int(rng.choice([8, 16])), 3)})
    recipes.append({"channels": 1, "images": 3, "size": (5, 7), "positive": True})
    return recipes


def _with_options(rng):
    """Draw the recipes of each option alone and together with another one."""
    corners = list(rng.permutation(list(CORNERS)))
    recipes = []
    for k, dilation in enumerate((2, 2, 3, 4, 4, 5)):
        channels = int(rng.integers(1, 4))
        low = (int(rng.integers(1, 4)), int(rng.integers(5, 12)))
        wide = (2 * dilation + int(rng.integers(1, 3)), dilation + int(rng.integers(1, 3)))
        size = low if k % 2 else wide
        recipe = {"channels": channels, "dilation": dilation, "size": size}
        recipes.append(recipe)
        recipes.append(recipe | {"corner": str(corners[k % 4]), "kernel_size": (2, 2)})
    for corner in corners:
        recipes.append({"corner": str(corner), "channels": int(rng.integers(1, 6))})
        anchor = (1, int(rng.integers(0, 3)))
        half_plane = {"kernel_size": (2, 3), "anchor": anchor, "size": (4, 5), "channels": 2}
        recipes.append(half_plane | {"corner": str(corner)})
        recipes.append(half_plane | {"dilation": 2})
    return recipes


def _refusable(rng):
    """Draw the recipes that a layer may refuse: dense and upper triangular corner blocks."""
    return [
        {
            "channels": int(channels),
            "corner_block": kind,
            "size": _size(rng, int(channels) * 2),
            "diagonal": "large",
        }
        for channels in rng.permutation([2, 3, 4, 5, 6, 8])
        for kind in ("dense", "upper")
    ]


GROUPS: dict[str, tuple[str, Callable[[np.random.Generator], list[dict[str, Any]]], bool]] = {
    # name: (description, function that draws recipes, whether errors are refusals)
    "drawn_shapes": ("shapes that the seed draws", _plain, False),
    "drawn_options": ("shapes and options that the seed draws", _with_options, False),
    "drawn_blocks": ("corner blocks that the seed draws, or errors", _refusable, True),
}


def drawn_checks(operation: str) -> Iterator[Check]:
    """Yield the checks of an operation at problems that the seed draws."""
    for name, (description, draw, refusable) in GROUPS.items():
        statement = f"{STATEMENTS[operation]}: {description}"
        body = partial(_is_right, operation=operation, draw=draw, refusable=refusable)
        yield Check(f"{operation}_{name}", statement, (operation,), (), body)


def _is_right(trial, operation, draw, refusable):
    """Compare the results with the reference at every problem that the implementation takes."""
    rng = np.random.default_rng([trial.seed, 11, trial.dtype == "float64"])
    tried, reason = 0, "no option was declared"
    for recipe in draw(rng):
        if not _is_declared(trial, operation, recipe):
            continue
        try:
            problem = trial.problem(**recipe)
            square = recipe.get("kernel_size", (3, 3))
            if refusable or square[0] != square[1]:
                result = trial.call_unless_refused(operation, problem)
            else:
                result = trial.call(operation, problem)
        except CheckSkipped as skipped:
            reason = str(skipped)
            continue
        try:
            (compare_unless_masked if refusable else compare)(trial, operation, problem, result)
        except CheckSkipped as skipped:
            reason = str(skipped)
            continue
        tried += 1
    if not tried:
        raise CheckSkipped(reason)


def _is_declared(trial, operation, recipe):
    options = {"corner", "dilation", "anchor"} & set(recipe)
    options -= {"corner"} if recipe.get("corner") == "top-left" else set()
    if operation == "log_abs_det":
        options &= {"anchor"}
    return options <= set(trial.implementation.options)
